"""The pretend exchange's REST calls: one small function an endpoint, and the table of them all.

Source: the facts sheet's sections 2.4 and 3. Synchronous: a Call in; a JSON-ready value or a
Refusal out. Must not know: sockets, signatures, faults.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from bot.sandbox import exchange_answers as answers
from bot.sandbox.exchange import MAKER_RATE, TAKER_RATE
from bot.sandbox.exchange_dialect import (
    INCOME,
    BadParameter,
    Json,
    Params,
    conditional_ack,
    conditional_row,
    need,
    order_ack,
    order_row,
    parse_conditional,
    parse_order,
    symbol_of,
    truth_of,
    whole_of,
)
from bot.sandbox.exchange_floor import Floor
from bot.sandbox.exchange_frames import kline_row
from bot.sandbox.exchange_gate import ListenKeys
from bot.sandbox.exchange_margin import brackets_of
from bot.sandbox.exchange_records import IncomeKind, Refusal
from bot.sandbox.exchange_rules import BAD_SYMBOL
from bot.sandbox.exchange_state import Market
from bot.sandbox.tape import TIMEFRAMES_MS
from data.model import Instrument, MarginType
from data.money import plain

Result = Json | list[Any] | Refusal
KLINES_MAX: Final = 1_500
ROWS_MAX: Final = 1_000
TRADES_WINDOW_MS: Final = 7 * 86_400_000
OK: Final = MappingProxyType({"code": 200, "msg": "success"})
INCOME_OF: Final = MappingProxyType({text: kind for kind, text in INCOME.items()})


class Security(StrEnum):
    """What a call must carry."""

    NONE = "none"
    KEY = "key"
    SIGNED = "signed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as its endpoint sees it."""

    params: Params
    now_ms: int
    account: str
    floor: Floor
    keys: ListenKeys
    permissions: Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One endpoint: what it does, needs and costs. `wide_weight` applies without a symbol."""

    act: Callable[[Call], Result]
    security: Security
    weight: int
    wide_weight: int = 0
    orders: int = 0

    def cost(self, params: Params) -> int:
        """Its IP weight with these parameters."""
        return self.weight if not self.wide_weight or params.get("symbol") else self.wide_weight


# Market data


def _ping(_: Call) -> Result:
    return {}


def _time(call: Call) -> Result:
    return {"serverTime": call.now_ms}


def _exchange_info(call: Call) -> Result:
    return answers.exchange_info(call.floor.instruments.values(), call.now_ms)


def _klines(call: Call) -> Result:
    symbol = _instrument(call).symbol
    timeframe = need(call.params, "interval")
    if timeframe not in TIMEFRAMES_MS and timeframe != "1M":
        return Refusal(code=-1120, text="Invalid interval.")
    limit = _limit(call.params, 500, KLINES_MAX)
    since_ms, until_ms = whole_of(call.params, "startTime"), whole_of(call.params, "endTime")
    style = call.floor.styles[symbol]
    bars = call.floor.history.bars(symbol, timeframe, since_ms, until_ms, limit)
    return [kline_row(style, bar, timeframe) for bar in bars]


def _ticker_day(call: Call) -> Result:
    def row(market: Market) -> Json | None:
        symbol = market.instrument.symbol
        day = call.floor.history.day(symbol, call.now_ms)
        return answers.ticker_row(call.floor.styles[symbol], day, call.now_ms) if day else None

    return _each_market(call, row)


def _ticker_price(call: Call) -> Result:
    def row(market: Market) -> Json:
        assert market.last is not None, "only priced markets are shown"
        return {
            "symbol": market.instrument.symbol,
            "price": plain(market.last),
            "time": market.updated_ms,
        }

    return _each_market(call, row)


def _ticker_book(call: Call) -> Result:
    return _each_market(call, lambda market: answers.book_row(market, call.now_ms))


def _premium_index(call: Call) -> Result:
    return _each_market(call, lambda market: answers.premium_row(market, call.now_ms))


def _funding_rate(call: Call) -> Result:
    instrument = _instrument(call)
    market = call.floor.exchange.markets[instrument.symbol]
    settled = market.next_funding_ms - market.funding_interval_ms
    return [
        {
            "symbol": instrument.symbol,
            "fundingTime": settled - back * market.funding_interval_ms,
            "fundingRate": plain(market.funding_rate),
            "markPrice": plain(market.mark),
            "rateType": "Regular",
        }
        for back in range(min(_limit(call.params, 100, ROWS_MAX), 3) - 1, -1, -1)
    ]


def _leverage_bracket(call: Call) -> Result:
    chosen = [_instrument(call)] if call.params.get("symbol") else call.floor.instruments.values()
    return [answers.bracket_rows(one, brackets_of(one)) for one in chosen]


# Orders


def _place(call: Call) -> Result:
    request = parse_order(call.params)
    view = call.floor.exchange.place(request, call.now_ms, account=call.account)
    if isinstance(view, Refusal):
        return view
    return order_ack(view, result=call.params.get("newOrderRespType") == "RESULT")


def _order(call: Call) -> Result:
    view = call.floor.exchange.order(symbol_of(call.params), _key(call), account=call.account)
    return view if isinstance(view, Refusal) else order_row(view)


def _open_order(call: Call) -> Result:
    view = call.floor.exchange.order(symbol_of(call.params), _key(call), account=call.account)
    if isinstance(view, Refusal):
        return view
    if view.status.value not in ("new", "partially_filled"):
        return Refusal(code=-2013, text="Order does not exist.")
    return order_row(view)


def _cancel(call: Call) -> Result:
    symbol = symbol_of(call.params)
    view = call.floor.exchange.cancel(symbol, _key(call), call.now_ms, account=call.account)
    return view if isinstance(view, Refusal) else order_ack(view, result=True)


def _open_orders(call: Call) -> Result:
    views = call.floor.exchange.open_orders(_maybe_symbol(call), account=call.account)
    return [order_row(view) for view in views]


def _all_orders(call: Call) -> Result:
    views = call.floor.exchange.orders(_maybe_symbol(call), account=call.account)
    since_ms, until_ms = _window(call)
    first = whole_of(call.params, "orderId") or 0
    rows = [
        order_row(view)
        for view in views
        if since_ms <= view.created_ms <= until_ms and view.number >= first
    ]
    return rows[-_limit(call.params, 500, ROWS_MAX) :]  # truncation keeps the newest


def _cancel_open(call: Call) -> Result:
    symbol = _instrument(call).symbol
    call.floor.exchange.cancel_all(symbol, call.now_ms, account=call.account)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


# Conditional orders


def _place_algo(call: Call) -> Result:
    request = parse_conditional(call.params)
    view = call.floor.exchange.place_conditional(request, call.now_ms, account=call.account)
    return view if isinstance(view, Refusal) else conditional_ack(view)


def _algo(call: Call) -> Result:
    view = call.floor.exchange.conditional(_algo_key(call), account=call.account)
    return view if isinstance(view, Refusal) else conditional_row(view)


def _cancel_algo(call: Call) -> Result:
    key = _algo_key(call)
    view = call.floor.exchange.cancel_conditional(key, call.now_ms, account=call.account)
    if isinstance(view, Refusal):
        return view
    return {
        "algoId": view.number,
        "clientAlgoId": view.client_id,
        "code": "200",
        "msg": "success",
    }


def _open_algos(call: Call) -> Result:
    views = call.floor.exchange.open_conditionals(_maybe_symbol(call), account=call.account)
    number = whole_of(call.params, "algoId")
    return [conditional_row(v, waiting=True) for v in views if number in (None, v.number)]


def _all_algos(call: Call) -> Result:
    views = call.floor.exchange.conditionals(symbol_of(call.params), account=call.account)
    since_ms, until_ms = _window(call)
    first = whole_of(call.params, "algoId") or 0
    rows = [
        conditional_row(view)
        for view in views
        if since_ms <= view.created_ms <= until_ms and view.number >= first
    ]
    limit = _limit(call.params, 500, ROWS_MAX)
    return rows[:limit] if first else rows[-limit:]


def _cancel_open_algos(call: Call) -> Result:
    symbol = _instrument(call).symbol
    call.floor.exchange.cancel_all_conditionals(symbol, call.now_ms, account=call.account)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


# The account


def _leverage(call: Call) -> Result:
    symbol = symbol_of(call.params)
    need(call.params, "leverage")
    leverage = whole_of(call.params, "leverage") or 0
    answer = call.floor.exchange.set_leverage(symbol, leverage, call.now_ms, account=call.account)
    if isinstance(answer, Refusal):
        return answer
    return {"symbol": symbol, "leverage": leverage, "maxNotionalValue": plain(answer)}


def _margin_type(call: Call) -> Result:
    symbol = symbol_of(call.params)
    text = need(call.params, "marginType").upper()
    if text not in ("ISOLATED", "CROSSED"):
        return Refusal(code=-1130, text="Data sent for parameter 'marginType' is not valid.")
    kind = MarginType(text.lower())
    refusal = call.floor.exchange.set_margin_type(symbol, kind, call.now_ms, account=call.account)
    return refusal or dict(OK)


def _dual(_: Call) -> Result:
    return {"dualSidePosition": False}


def _set_dual(call: Call) -> Result:
    need(call.params, "dualSidePosition")
    if not truth_of(call.params, "dualSidePosition"):
        return Refusal(code=-4059, text="No need to change position side.")
    # Hedge mode is not part of this pretend world: refused as if something stood in its way.
    return Refusal(code=-4068, text="Position side cannot be changed if there exists position.")


def _multi_assets(_: Call) -> Result:
    return {"multiAssetsMargin": False}


def _account(version: int) -> Callable[[Call], Result]:
    def act(call: Call) -> Result:
        symbols = _exposed(call) if version == 3 else list(call.floor.instruments)
        exchange = call.floor.exchange
        rows = [
            (exchange.position(s, account=call.account), call.floor.instruments[s]) for s in symbols
        ]
        balance = exchange.balances(account=call.account)
        return answers.account_answer(balance, rows, version=version)

    return act


def _balance(call: Call) -> Result:
    return list(answers.balance_rows(call.floor.exchange.balances(account=call.account)))


def _position_risk(version: int) -> Callable[[Call], Result]:
    def act(call: Call) -> Result:
        symbols = _exposed(call) if version == 3 else list(call.floor.instruments)
        if call.params.get("symbol"):
            wanted = _instrument(call).symbol
            symbols = [s for s in symbols if s == wanted]
        exchange = call.floor.exchange
        return [
            answers.position_row(
                exchange.position(s, account=call.account),
                call.floor.instruments[s],
                version=version,
            )
            for s in symbols
        ]

    return act


def _symbol_config(call: Call) -> Result:
    chosen = [_instrument(call)] if call.params.get("symbol") else call.floor.instruments.values()
    return [
        answers.symbol_config(call.floor.exchange.position(one.symbol, account=call.account), one)
        for one in chosen
    ]


def _account_config(_: Call) -> Result:
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": False,
        "dualSidePosition": False,
        "multiAssetsMargin": False,
        "updateTime": 0,
        "tradeGroupId": -1,
    }


def _user_trades(call: Call) -> Result:
    symbol = symbol_of(call.params)
    if symbol not in call.floor.instruments:
        return BAD_SYMBOL
    since_ms, until_ms = _window(call)
    if since_ms == 0 and until_ms < 1 << 62:
        since_ms = until_ms - TRADES_WINDOW_MS
    order, first = whole_of(call.params, "orderId"), whole_of(call.params, "fromId") or 0
    rows = [
        answers.trade_row(fill)
        for fill in call.floor.exchange.fills(symbol, since_ms, account=call.account)
        if fill.filled_ms <= until_ms
        and order in (None, fill.venue_order_id)
        and fill.fill_id >= first
    ]
    return rows[: _limit(call.params, 500, ROWS_MAX)]  # truncation keeps the oldest


def _income(call: Call) -> Result:
    since_ms, until_ms = _window(call)
    kind: IncomeKind | None = None
    name = call.params.get("incomeType")
    if name:
        kind = INCOME_OF.get(name)
        if kind is None:
            return []
    rows = call.floor.exchange.income(_maybe_symbol(call), since_ms, kind, account=call.account)
    found = [answers.income_row(row) for row in rows if row.paid_ms <= until_ms]
    return found[: _limit(call.params, 100, ROWS_MAX)]


def _commission_rate(call: Call) -> Result:
    return {
        "symbol": _instrument(call).symbol,
        "makerCommissionRate": plain(MAKER_RATE),
        "takerCommissionRate": plain(TAKER_RATE),
        "rpiCommissionRate": "0.00005",
    }


def _issue_key(call: Call) -> Result:
    return {"listenKey": call.keys.issue(call.account, call.now_ms)}


def _extend_key(call: Call) -> Result:
    answer = call.keys.extend(call.account, call.now_ms)
    return answer if isinstance(answer, Refusal) else {"listenKey": answer}


def _drop_key(call: Call) -> Result:
    call.keys.drop(call.account)
    return {}


def _rate_limit(_: Call) -> Result:
    return [dict(row) for row in answers.RATE_LIMITS[1:]]


def _restrictions(call: Call) -> Result:
    return dict(call.permissions)


# Parameters many calls share


def _instrument(call: Call) -> Instrument:
    found = call.floor.instruments.get(symbol_of(call.params))
    if found is None:
        raise BadParameter(BAD_SYMBOL.code, BAD_SYMBOL.text)
    return found


def _maybe_symbol(call: Call) -> str | None:
    return _instrument(call).symbol if call.params.get("symbol") else None


def _key(call: Call) -> int | str:
    number = whole_of(call.params, "orderId")
    return number if number is not None else need(call.params, "origClientOrderId")


def _algo_key(call: Call) -> int | str:
    number = whole_of(call.params, "algoId")
    return number if number is not None else need(call.params, "clientAlgoId")


def _window(call: Call) -> tuple[int, int]:
    since_ms, until_ms = whole_of(call.params, "startTime"), whole_of(call.params, "endTime")
    if since_ms is not None and until_ms is not None and since_ms > until_ms:
        raise BadParameter(-1023, "Start time is greater than end time.")
    return since_ms or 0, 1 << 62 if until_ms is None else until_ms


def _limit(params: Params, default: int, largest: int) -> int:
    limit = whole_of(params, "limit")
    if limit is None:
        return default
    if not 1 <= limit <= largest:
        raise BadParameter(-1130, "Data sent for parameter 'limit' is not valid.")
    return limit


def _each_market(call: Call, row: Callable[[Market], Json | None]) -> Result:
    markets = call.floor.exchange.markets
    if call.params.get("symbol"):
        market = markets[_instrument(call).symbol]
        one = row(market) if market.last is not None else None
        return one if one is not None else Refusal(code=-1112, text="No orders on book.")
    rows = [row(market) for market in markets.values() if market.last is not None]
    return [one for one in rows if one is not None]


def _exposed(call: Call) -> list[str]:
    exchange = call.floor.exchange
    ordered = {view.symbol for view in exchange.open_orders(account=call.account)}
    held = {s for s in call.floor.instruments if exchange.quantity(s, account=call.account)}
    return sorted(ordered | held)


def _table() -> dict[tuple[str, str], Route]:
    none, key, signed = Security.NONE, Security.KEY, Security.SIGNED
    rows: list[tuple[str, str, Callable[[Call], Result], Security, int, int, int]] = [
        ("GET", "/fapi/v1/ping", _ping, none, 1, 0, 0),
        ("GET", "/fapi/v1/time", _time, none, 1, 0, 0),
        ("GET", "/fapi/v1/exchangeInfo", _exchange_info, none, 1, 0, 0),
        ("GET", "/fapi/v1/klines", _klines, none, 5, 0, 0),
        ("GET", "/fapi/v1/ticker/24hr", _ticker_day, none, 1, 40, 0),
        ("GET", "/fapi/v1/ticker/price", _ticker_price, none, 1, 2, 0),
        ("GET", "/fapi/v2/ticker/price", _ticker_price, none, 1, 2, 0),
        ("GET", "/fapi/v1/ticker/bookTicker", _ticker_book, none, 2, 5, 0),
        ("GET", "/fapi/v1/premiumIndex", _premium_index, none, 1, 10, 0),
        ("GET", "/fapi/v1/fundingRate", _funding_rate, none, 0, 0, 0),
        ("GET", "/fapi/v1/leverageBracket", _leverage_bracket, signed, 1, 0, 0),
        ("POST", "/fapi/v1/order", _place, signed, 0, 0, 1),
        ("GET", "/fapi/v1/order", _order, signed, 1, 0, 0),
        ("DELETE", "/fapi/v1/order", _cancel, signed, 1, 0, 0),
        ("GET", "/fapi/v1/openOrder", _open_order, signed, 1, 0, 0),
        ("GET", "/fapi/v1/openOrders", _open_orders, signed, 1, 40, 0),
        ("GET", "/fapi/v1/allOrders", _all_orders, signed, 5, 0, 0),
        ("DELETE", "/fapi/v1/allOpenOrders", _cancel_open, signed, 1, 0, 0),
        ("POST", "/fapi/v1/algoOrder", _place_algo, signed, 0, 0, 1),
        ("GET", "/fapi/v1/algoOrder", _algo, signed, 1, 0, 0),
        ("DELETE", "/fapi/v1/algoOrder", _cancel_algo, signed, 1, 0, 0),
        ("GET", "/fapi/v1/openAlgoOrders", _open_algos, signed, 1, 40, 0),
        ("GET", "/fapi/v1/allAlgoOrders", _all_algos, signed, 5, 0, 0),
        ("DELETE", "/fapi/v1/algoOpenOrders", _cancel_open_algos, signed, 1, 0, 0),
        ("POST", "/fapi/v1/leverage", _leverage, signed, 1, 0, 0),
        ("POST", "/fapi/v1/marginType", _margin_type, signed, 1, 0, 0),
        ("GET", "/fapi/v1/positionSide/dual", _dual, signed, 30, 0, 0),
        ("POST", "/fapi/v1/positionSide/dual", _set_dual, signed, 1, 0, 0),
        ("GET", "/fapi/v1/multiAssetsMargin", _multi_assets, signed, 30, 0, 0),
        ("GET", "/fapi/v2/account", _account(2), signed, 5, 0, 0),
        ("GET", "/fapi/v3/account", _account(3), signed, 5, 0, 0),
        ("GET", "/fapi/v2/balance", _balance, signed, 5, 0, 0),
        ("GET", "/fapi/v3/balance", _balance, signed, 5, 0, 0),
        ("GET", "/fapi/v2/positionRisk", _position_risk(2), signed, 5, 0, 0),
        ("GET", "/fapi/v3/positionRisk", _position_risk(3), signed, 5, 0, 0),
        ("GET", "/fapi/v1/symbolConfig", _symbol_config, signed, 5, 0, 0),
        ("GET", "/fapi/v1/accountConfig", _account_config, signed, 5, 0, 0),
        ("GET", "/fapi/v1/userTrades", _user_trades, signed, 5, 0, 0),
        ("GET", "/fapi/v1/income", _income, signed, 30, 0, 0),
        ("GET", "/fapi/v1/commissionRate", _commission_rate, signed, 20, 0, 0),
        ("POST", "/fapi/v1/listenKey", _issue_key, key, 1, 0, 0),
        ("PUT", "/fapi/v1/listenKey", _extend_key, key, 1, 0, 0),
        ("DELETE", "/fapi/v1/listenKey", _drop_key, key, 1, 0, 0),
        ("GET", "/fapi/v1/rateLimit/order", _rate_limit, signed, 1, 0, 0),
        ("GET", "/sapi/v1/account/apiRestrictions", _restrictions, signed, 1, 0, 0),
    ]
    return {
        (method, path): Route(act=act, security=sec, weight=w, wide_weight=wide, orders=orders)
        for method, path, act, sec, w, wide, orders in rows
    }


ROUTES: Final = MappingProxyType(_table())
