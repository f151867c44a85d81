"""What the pretend exchange's streams say: user events and market data as Binance's frames.

Source: the facts sheet's sections 5.2 and 5.3. Pure: records in, JSON-ready dicts out. Must not
know: sockets, listen keys, who subscribed.
"""

from types import MappingProxyType
from typing import Final

from bot.sandbox.exchange_dialect import (
    CENT,
    STP,
    TIF,
    WORKING,
    Json,
    average_text,
    callback_text,
    conditional_type,
    type_name,
)
from bot.sandbox.exchange_history import Bar, Day
from bot.sandbox.exchange_records import (
    AccountCause,
    AccountEvent,
    ConditionalEvent,
    ConditionalStatus,
    Execution,
    FillEvent,
    LeverageEvent,
    OrderEvent,
    UserEvent,
)
from bot.sandbox.exchange_state import Market
from bot.sandbox.tape import TIMEFRAMES_MS
from data.model import Instrument, MarginType
from data.money import plain

NEVER_MS: Final = 4_133_404_800_000  # the delivery date of what is never delivered
_CAUSE: Final = MappingProxyType(
    {
        AccountCause.ORDER: "ORDER",
        AccountCause.FUNDING: "FUNDING_FEE",
        AccountCause.INSURANCE: "INSURANCE_CLEAR",
        AccountCause.MARGIN_TYPE: "MARGIN_TYPE_CHANGE",
    }
)
_EXECUTION: Final = MappingProxyType(
    {
        Execution.NEW: "NEW",
        Execution.TRADE: "TRADE",
        Execution.FORCED: "CALCULATED",
        Execution.CANCELED: "CANCELED",
        Execution.EXPIRED: "EXPIRED",
        Execution.AMENDED: "AMENDMENT",
    }
)


class Style:
    """How one symbol's floats are written."""

    def __init__(self, symbol: str, price_digits: int, amount_digits: int) -> None:
        self.symbol = symbol
        self._price = f".{price_digits}f"
        self._amount = f".{amount_digits}f"

    def price(self, value: float) -> str:
        """A price with the tick's digits."""
        return format(value, self._price)

    def amount(self, value: float) -> str:
        """A quantity with the step's digits."""
        return format(value, self._amount)

    def money(self, value: float) -> str:
        """A quote volume."""
        return format(value, ".4f")


def event_frame(event: UserEvent) -> Json:
    """One user-data event as its frame."""
    match event:
        case OrderEvent():
            return _order_frame(event)
        case FillEvent():
            return _lite_frame(event)
        case AccountEvent():
            return _account_frame(event)
        case ConditionalEvent():
            return _conditional_frame(event)
        case LeverageEvent():
            return {
                "e": "ACCOUNT_CONFIG_UPDATE",
                "E": event.at_ms,
                "T": event.at_ms,
                "ac": {"s": event.symbol, "l": event.leverage},
            }


def kline_frame(style: Style, bar: Bar, timeframe: str, now_ms: int, *, closed: bool) -> Json:
    """One bar, open or just closed."""
    trades = max(1, int(bar.volume) % 5_000)
    first = bar.open_ms // 1000
    quote = bar.volume * (bar.high + bar.low + bar.close) / 3
    return {
        "e": "kline",
        "E": now_ms,
        "s": style.symbol,
        "k": {
            "t": bar.open_ms,
            "T": bar.open_ms + TIMEFRAMES_MS[timeframe] - 1,
            "s": style.symbol,
            "i": timeframe,
            "f": first,
            "L": first + trades - 1,
            "o": style.price(bar.open),
            "c": style.price(bar.close),
            "h": style.price(bar.high),
            "l": style.price(bar.low),
            "v": style.amount(bar.volume),
            "n": trades,
            "x": closed,
            "q": style.money(quote),
            "V": style.amount(bar.volume / 2),
            "Q": style.money(quote / 2),
            "B": "0",
        },
    }


def kline_row(style: Style, bar: Bar, timeframe: str) -> list[object]:
    """One bar as the twelve values of a REST answer."""
    k = kline_frame(style, bar, timeframe, 0, closed=True)["k"]
    names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")
    return [k[name] for name in names]


def status_of(instrument: Instrument) -> str:
    """The word for whether a contract trades."""
    return "TRADING" if instrument.tradable else "SETTLING"


def mark_frame(market: Market, now_ms: int) -> Json:
    """The mark price."""
    mark = plain(market.mark)
    return {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": market.instrument.symbol,
        "p": mark,
        "i": mark,
        "P": mark,
        "ap": mark,
        "r": plain(market.funding_rate),
        "T": market.next_funding_ms,
        "st": 1,
    }


def mini_ticker_frame(style: Style, day: Day, now_ms: int) -> Json:
    """The last 24 hours in short."""
    return {
        "e": "24hrMiniTicker",
        "E": now_ms,
        "s": style.symbol,
        "c": style.price(day.close),
        "o": style.price(day.open),
        "h": style.price(day.high),
        "l": style.price(day.low),
        "v": style.amount(day.volume),
        "q": style.money(day.quote_volume),
        "ps": style.symbol,
        "st": 1,
    }


def ticker_frame(style: Style, day: Day, now_ms: int) -> Json:
    """The last 24 hours."""
    change = day.close - day.open
    average = day.quote_volume / day.volume if day.volume else day.close
    return {
        "e": "24hrTicker",
        "E": now_ms,
        "s": style.symbol,
        "p": style.price(change),
        "P": f"{change / day.open * 100:.3f}",
        "w": style.price(average),
        "c": style.price(day.close),
        "Q": "1",
        "o": style.price(day.open),
        "h": style.price(day.high),
        "l": style.price(day.low),
        "v": style.amount(day.volume),
        "q": style.money(day.quote_volume),
        "O": day.open_ms,
        "C": now_ms,
        "F": 1,
        "L": 1,
        "n": 1,
        "ps": style.symbol,
        "st": 1,
    }


def book_frame(market: Market, now_ms: int) -> Json:
    """The best bid and ask: one tick apart, the bid at the last price."""
    assert market.last is not None, "a book frame without a price"
    symbol = market.instrument.symbol
    return {
        "e": "bookTicker",
        "u": now_ms,
        "E": now_ms,
        "T": now_ms,
        "s": symbol,
        "b": plain(market.last),
        "B": plain(market.instrument.step_size * 1000),
        "a": plain(market.last + market.instrument.tick_size),
        "A": plain(market.instrument.step_size * 1000),
        "ps": symbol,
        "st": 1,
    }


def trade_frame(market: Market, now_ms: int) -> Json:
    """One aggregated trade at the last price."""
    assert market.last is not None, "a trade frame without a price"
    quantity = plain(market.instrument.step_size * 100)
    return {
        "e": "aggTrade",
        "E": now_ms,
        "s": market.instrument.symbol,
        "a": now_ms,
        "p": plain(market.last),
        "q": quantity,
        "nq": quantity,
        "f": now_ms,
        "l": now_ms,
        "T": now_ms,
        "m": False,
        "st": 1,
    }


def contract_frame(
    instrument: Instrument, status: str, now_ms: int, delivery_ms: int = NEVER_MS
) -> Json:
    """A contract was listed, delisted or changed."""
    return {
        "e": "contractInfo",
        "E": now_ms,
        "s": instrument.symbol,
        "ps": instrument.symbol,
        "ct": "PERPETUAL",
        "dt": delivery_ms,
        "ot": instrument.onboard_ms,
        "cs": status,
        "bks": [],
        "st": 1,
    }


def liquidation_frame(event: OrderEvent, *, wide: bool) -> Json:
    """A forced fill as the public streams tell it, `wide` for the stream of all symbols."""
    view, fill = event.order, event.fill
    assert fill is not None, "a liquidation without a fill"
    told: Json = {
        "s": view.symbol,
        "S": view.side.value.upper(),
        "o": "LIMIT",
        "f": TIF[view.time_in_force],
        "q": plain(view.quantity),
        "p": plain(view.price),
        "ap": average_text(view),
        "X": view.status.value.upper(),
        "l": plain(fill.quantity),
        "z": plain(view.filled_quantity),
        "T": event.at_ms,
    }
    if wide:
        told |= {"ps": view.symbol, "st": 1}
    return {"e": "forceOrder", "E": event.at_ms, "o": told}


def _order_frame(event: OrderEvent) -> Json:
    view, fill = event.order, event.fill
    told: Json = {
        "s": view.symbol,
        "c": view.client_id,
        "S": view.side.value.upper(),
        "o": type_name(view),
        "f": TIF[view.time_in_force],
        "q": plain(view.quantity),
        "p": plain(view.price),
        "ap": average_text(view),
        "sp": "0",
        "x": _EXECUTION[event.execution],
        "X": view.status.value.upper(),
        "i": view.number,
        "l": plain(fill.quantity) if fill else "0",
        "z": plain(view.filled_quantity),
        "L": plain(fill.price) if fill else "0",
        "n": plain(fill.fee) if fill else "0",
        "N": "USDT",
        "T": event.at_ms,
        "t": fill.fill_id if fill else 0,
        "b": "0",
        "a": "0",
        "m": fill.maker if fill else False,
        "R": view.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": type_name(view),
        "ps": view.position_side.value.upper(),
        "cp": view.close_position,
        "rp": plain(fill.realized_pnl_usdt) if fill else "0",
        "pP": False,
        "si": 0,
        "ss": 0,
        "V": STP,
        "pm": "NONE",
        "gtd": view.good_till_ms,
        "er": str(int(view.expiry)),
    }
    if event.modify_id is not None:
        told["M"] = str(event.modify_id)
    return {"e": "ORDER_TRADE_UPDATE", "T": event.at_ms, "E": event.at_ms, "o": told}


def _lite_frame(event: FillEvent) -> Json:
    view, fill = event.order, event.fill
    return {
        "e": "TRADE_LITE",
        "E": event.at_ms,
        "T": event.at_ms,
        "s": view.symbol,
        "q": plain(view.quantity),
        "p": plain(view.price) if view.price else "0.00",
        "m": fill.maker,
        "c": view.client_id,
        "S": view.side.value.upper(),
        "L": plain(fill.price),
        "l": plain(fill.quantity),
        "t": fill.fill_id,
        "i": view.number,
    }


def _account_frame(event: AccountEvent) -> Json:
    told: Json = {
        "m": _CAUSE[event.cause],
        "B": [
            {
                "a": "USDT",
                "wb": plain(event.wallet_usdt),
                "cw": plain(event.cross_wallet_usdt),
                "bc": plain(event.change_usdt),
            }
        ],
        "P": [
            {
                "s": one.symbol,
                "pa": plain(one.quantity),
                "ep": plain(one.entry_price),
                "bep": plain(one.break_even_price),
                "cr": plain(one.realized_usdt),
                "up": plain(one.unrealized_usdt),
                "mt": "isolated" if one.margin_type is MarginType.ISOLATED else "cross",
                "iw": plain(one.isolated_wallet_usdt),
                "ps": one.position_side.value.upper(),
                "ma": "USDT",
            }
            for one in event.positions
        ],
    }
    if event.cause is AccountCause.FUNDING and not event.positions:
        told["S"] = event.symbol
    return {"e": "ACCOUNT_UPDATE", "T": event.at_ms, "E": event.at_ms, "a": told}


def _conditional_frame(event: ConditionalEvent) -> Json:
    view = event.order
    child = view.child_number
    told: Json = {
        "caid": view.client_id,
        "aid": view.number,
        "at": "CONDITIONAL",
        "o": conditional_type(view),
        "s": view.symbol,
        "S": view.side.value.upper(),
        "ps": view.position_side.value.upper(),
        "f": TIF[view.time_in_force],
        "q": plain(view.quantity),
        "X": view.status.value.upper(),
        "ai": "" if child is None else str(child),
        "tp": plain(view.trigger_price),
        "p": plain(view.price),
        "V": STP,
        "wt": WORKING[view.price_source],
        "pm": "NONE",
        "cp": view.close_position,
        "pP": view.price_protect,
        "R": view.reduce_only,
        "tt": view.triggered_ms,
        "gtd": 0,
        "ia": view.activated,
    }
    if view.callback_rate is not None:
        told["cr"] = callback_text(view)
        told["AP"] = "0" if view.activate_price is None else plain(view.activate_price)
    if child is not None:
        told["ap"] = plain(view.child_price.quantize(CENT))
        told["aq"] = plain(view.child_quantity)
        told["act"] = "LIMIT" if view.price else "MARKET"
    if view.status is ConditionalStatus.REJECTED:
        told["rm"] = view.reject_text
    return {"e": "ALGO_UPDATE", "T": event.at_ms, "E": event.at_ms, "o": told}
