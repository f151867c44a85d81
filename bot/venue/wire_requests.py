"""Every request this product sends, one function each, with its weight and priority.

Must not know: signing, sockets or answers. Quantities and prices are written as plain decimals.
Source: reference sheet sections 2.4, 3 and 4 (2026-11).
"""

from decimal import Decimal
from enum import StrEnum
from typing import Final

from bot.core.trade import Order, Role
from bot.venue.wire import Method, Params, Priority, Request, Security
from data.model import MarginType, OrderKind, Side
from data.money import plain

TRADES_LIMIT: Final = 1_000  # rows of userTrades in one page; `limit` keeps the oldest
ORDERS_LIMIT: Final = 1_000  # rows of allOrders; `limit` keeps the newest
INCOME_LIMIT: Final = 1_000
KLINES_LIMIT_MAX: Final = 1_500
CALLBACK_PCT_MIN, CALLBACK_PCT_MAX = Decimal("0.1"), Decimal(20)  # of a trailing stop

_SIDE: Final = {Side.BUY: "BUY", Side.SELL: "SELL"}
_KIND: Final = {
    OrderKind.MARKET: "MARKET",
    OrderKind.LIMIT: "LIMIT",
    OrderKind.STOP_MARKET: "STOP_MARKET",
    OrderKind.TAKE_PROFIT_MARKET: "TAKE_PROFIT_MARKET",
}
_MARGIN: Final = {MarginType.ISOLATED: "ISOLATED", MarginType.CROSSED: "CROSSED"}


class WorkingType(StrEnum):
    """Which price triggers a conditional order."""

    MARK_PRICE = "MARK_PRICE"
    CONTRACT_PRICE = "CONTRACT_PRICE"


class IncomeKind(StrEnum):
    """Income that comes with no fill of ours."""

    FUNDING_FEE = "FUNDING_FEE"
    INSURANCE_CLEAR = "INSURANCE_CLEAR"  # a liquidation's fee


def time_request() -> Request:
    """The exchange's clock. Asked ahead of all waiting: stamps depend on it."""
    return Request(method=Method.GET, path="/fapi/v1/time", priority=Priority.TRADING)


def exchange_info_request() -> Request:
    """Instruments and rate limits."""
    return Request(method=Method.GET, path="/fapi/v1/exchangeInfo")


def ticker_day_request() -> Request:
    """The rolling 24 hours of every symbol that trades."""
    return Request(
        method=Method.GET, path="/fapi/v1/ticker/24hr", weight=40, priority=Priority.WARMING
    )


def klines_request(
    symbol: str, timeframe: str, *, limit: int, start_ms: int | None = None
) -> Request:
    """The newest `limit` bars, or the oldest `limit` from `start_ms` on; the last may be open."""
    assert 0 < limit <= KLINES_LIMIT_MAX, f"klines limit out of range: {limit}"
    params: Params = (("symbol", symbol), ("interval", timeframe), ("limit", str(limit)))
    if start_ms is not None:
        params += (("startTime", str(start_ms)),)
    weight = 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1_000 else 10
    return Request(
        method=Method.GET,
        path="/fapi/v1/klines",
        params=params,
        weight=weight,
        priority=Priority.WARMING,
    )


def premium_index_request(symbol: str = "") -> Request:
    """Mark price and funding of one symbol (an object), or of all at weight 10 (a list)."""
    return Request(
        method=Method.GET,
        path="/fapi/v1/premiumIndex",
        params=(("symbol", symbol),) if symbol else (),
        weight=1 if symbol else 10,
    )


def leverage_bracket_request() -> Request:
    """The brackets of all symbols."""
    return _read("/fapi/v1/leverageBracket", weight=1)


def account_config_request() -> Request:
    """Position mode and multi-assets mode in one answer, at a sixth of their own weights."""
    return _ask("/fapi/v1/accountConfig", (), 5, Priority.ACCOUNT)


def symbol_config_request(symbol: str = "") -> Request:
    """Leverage and margin type of every symbol, or of one."""
    params: Params = (("symbol", symbol),) if symbol else ()
    return _ask("/fapi/v1/symbolConfig", params, 5, Priority.ACCOUNT)


def api_restrictions_request() -> Request:
    """What the key may do; on the wallet service's own address, not the futures one."""
    return _read("/sapi/v1/account/apiRestrictions", weight=1)


def set_leverage_request(symbol: str, leverage: int) -> Request:
    """Make the symbol's leverage what it must be."""
    return _write(
        Method.POST, "/fapi/v1/leverage", (("symbol", symbol), ("leverage", str(leverage))), 1
    )


def set_margin_type_request(symbol: str, margin_type: MarginType) -> Request:
    """Make the symbol's margin type what it must be."""
    return _write(
        Method.POST,
        "/fapi/v1/marginType",
        (("symbol", symbol), ("marginType", _MARGIN[margin_type])),
        1,
    )


def position_side_of(order: Order) -> str:
    """Which of a hedge-mode account's two positions the order opens or closes."""
    opens_long = order.side is Side.BUY
    if order.role is not Role.ENTRY:
        opens_long = not opens_long
    return "LONG" if opens_long else "SHORT"


def place_request(order: Order, *, hedge: bool = False) -> Request:
    """A plain MARKET or LIMIT order; the answer tells what was filled at once (RESULT).

    In hedge mode the position's side takes the place of reduceOnly, which is refused there.
    """
    assert not order.conditional, "conditional orders go to the algo service"
    params: Params = (
        ("symbol", order.symbol),
        ("side", _SIDE[order.side]),
        ("type", _KIND[order.kind]),
    )
    if order.kind is OrderKind.LIMIT:
        assert order.price is not None, "a limit order needs a price"
        params += (("timeInForce", "GTC"), ("price", plain(order.price)))
    params += (("quantity", plain(order.quantity)), *_reducing(order, hedge))
    params += (("newClientOrderId", order.order_id), ("newOrderRespType", "RESULT"))
    return _write(Method.POST, "/fapi/v1/order", params, 0)


def place_algo_request(order: Order, working_type: WorkingType, *, hedge: bool = False) -> Request:
    """A conditional order: closing the whole position, or a quantity of it (reduce-only)."""
    assert order.conditional, "plain orders do not go to the algo service"
    assert order.trigger_price is not None, "a conditional order needs a trigger price"
    params: Params = (
        *_algo_head(order, _KIND[order.kind]),
        ("triggerPrice", plain(order.trigger_price)),
        ("workingType", working_type.value),
    )
    # closePosition excludes quantity (-4137) and reduceOnly (-4138).
    if order.close_position:
        params += (*_position_side(order, hedge), ("closePosition", "true"))
    else:
        params += (("quantity", plain(order.quantity)), *_reducing(order, hedge))
    params += (("clientAlgoId", order.order_id),)
    return _write(Method.POST, "/fapi/v1/algoOrder", params, 0)


def conditional_request(order: Order, working_type: WorkingType, *, hedge: bool = False) -> Request:
    """Any conditional order of the core: a stop, a target, or a trailing stop."""
    if order.callback_pct is None:
        return place_algo_request(order, working_type, hedge=hedge)
    return trailing_stop_request(
        order,
        order.callback_pct,
        working_type,
        activation_price=order.activation_price,
        hedge=hedge,
    )


def trailing_stop_request(
    order: Order,
    callback_pct: Decimal,
    working_type: WorkingType,
    *,
    activation_price: Decimal | None = None,
    hedge: bool = False,
) -> Request:
    """The exchange's own trailing stop for a quantity of the position, whatever `order.kind` says.

    `callback_pct`: percent off the best price since activation, 0.1 to 20 in steps of 0.1;
    `activation_price`: above the market for a sell, below for a buy; None starts at once.
    """
    assert CALLBACK_PCT_MIN <= callback_pct <= CALLBACK_PCT_MAX, f"callback: {callback_pct} %"
    assert not order.close_position, "a trailing stop has a quantity of its own"
    params: Params = (
        *_algo_head(order, "TRAILING_STOP_MARKET"),
        ("callbackRate", plain(callback_pct)),
        ("workingType", working_type.value),
    )
    if activation_price is not None:
        params += (("activatePrice", plain(activation_price)),)
    params += (("quantity", plain(order.quantity)), *_reducing(order, hedge))
    params += (("clientAlgoId", order.order_id),)
    return _write(Method.POST, "/fapi/v1/algoOrder", params, 0)


def countdown_request(symbol: str, countdown_ms: int) -> Request:
    """Cancel the symbol's plain orders unless told again within `countdown_ms`; 0 calls it off."""
    params = (("symbol", symbol), ("countdownTime", str(countdown_ms)))
    return _write(Method.POST, "/fapi/v1/countdownCancelAll", params, 10)


def cancel_request(symbol: str, order_id: str) -> Request:
    """Cancel a plain order by our id."""
    params = (("symbol", symbol), ("origClientOrderId", order_id))
    return _write(Method.DELETE, "/fapi/v1/order", params, 1)


def cancel_algo_request(order_id: str) -> Request:
    """Cancel a conditional order by our id; the endpoint takes no symbol."""
    return _write(Method.DELETE, "/fapi/v1/algoOrder", (("clientAlgoId", order_id),), 1)


def ask_order_request(symbol: str, order_id: str) -> Request:
    """One plain order by our id; for the core it is part of trading."""
    return _ask("/fapi/v1/order", (("symbol", symbol), ("origClientOrderId", order_id)), 1)


def ask_algo_request(order_id: str) -> Request:
    """One conditional order by our id (asking by algoId was seen to fail for existing ones)."""
    return _ask("/fapi/v1/algoOrder", (("clientAlgoId", order_id),), 1)


def open_algo_request(symbol: str = "") -> Request:
    """Untriggered conditional orders of one symbol, or of all at weight 40."""
    params: Params = (("symbol", symbol),) if symbol else ()
    priority = Priority.ASKING if symbol else Priority.ACCOUNT
    return _ask("/fapi/v1/openAlgoOrders", params, 1 if symbol else 40, priority)


def all_algo_request(symbol: str) -> Request:
    """Conditional orders of one symbol, ended ones too."""
    return _ask("/fapi/v1/allAlgoOrders", (("symbol", symbol),), 5)


def open_orders_request() -> Request:
    """All open plain orders."""
    return _ask("/fapi/v1/openOrders", (), 40, Priority.ACCOUNT)


def all_orders_request(symbol: str, *, start_ms: int, end_ms: int) -> Request:
    """Plain orders of one symbol, ended ones too, made within 7 days: which id has which number."""
    params = (
        ("symbol", symbol),
        ("startTime", str(start_ms)),
        ("endTime", str(end_ms)),
        ("limit", str(ORDERS_LIMIT)),
    )
    return _ask("/fapi/v1/allOrders", params, 5, Priority.ACCOUNT)


def positions_request(symbol: str = "") -> Request:
    """Positions; a flat symbol is left out."""
    priority = Priority.ASKING if symbol else Priority.ACCOUNT
    return _ask("/fapi/v3/positionRisk", (("symbol", symbol),) if symbol else (), 5, priority)


def balance_request() -> Request:
    """Wallet balances by asset."""
    return _ask("/fapi/v3/balance", (), 5, Priority.ACCOUNT)


def trades_request(
    symbol: str, *, start_ms: int = 0, end_ms: int = 0, from_id: int | None = None
) -> Request:
    """Our fills of one symbol, oldest first: by time (up to 7 days) or from an id on."""
    params: Params = (("symbol", symbol),)
    if from_id is None:
        params += (("startTime", str(start_ms)), ("endTime", str(end_ms)))
    else:
        params += (("fromId", str(from_id)),)
    return _read("/fapi/v1/userTrades", (*params, ("limit", str(TRADES_LIMIT))), weight=5)


def income_request(symbol: str, kind: IncomeKind, *, start_ms: int, end_ms: int) -> Request:
    """Income of one kind and symbol, oldest first."""
    params = (
        ("symbol", symbol),
        ("incomeType", kind.value),
        ("startTime", str(start_ms)),
        ("endTime", str(end_ms)),
        ("limit", str(INCOME_LIMIT)),
    )
    return _read("/fapi/v1/income", params, weight=30)


def listen_key_request(method: Method) -> Request:
    """Make (POST), keep (PUT) or drop (DELETE) the user stream's key."""
    return Request(
        method=method,
        path="/fapi/v1/listenKey",
        security=Security.KEY,
        priority=Priority.TRADING,
    )


def _algo_head(order: Order, kind: str) -> Params:
    return (
        ("algoType", "CONDITIONAL"),
        ("symbol", order.symbol),
        ("side", _SIDE[order.side]),
        ("type", kind),
    )


def _position_side(order: Order, hedge: bool) -> Params:
    return (("positionSide", position_side_of(order)),) if hedge else ()


def _reducing(order: Order, hedge: bool) -> Params:
    if hedge:
        return _position_side(order, hedge)
    return (("reduceOnly", "true"),) if order.reduce_only else ()


def _read(path: str, params: Params = (), *, weight: int) -> Request:
    return Request(
        method=Method.GET, path=path, params=params, security=Security.SIGNED, weight=weight
    )


def _ask(path: str, params: Params, weight: int, priority: Priority = Priority.ASKING) -> Request:
    # Questions the core decides on next: they do not wait, it asks them again.
    return Request(
        method=Method.GET,
        path=path,
        params=params,
        security=Security.SIGNED,
        weight=weight,
        priority=priority,
    )


def _write(method: Method, path: str, params: Params, weight: int) -> Request:
    return Request(
        method=method,
        path=path,
        params=params,
        security=Security.SIGNED,
        weight=weight,
        priority=Priority.TRADING,
    )
