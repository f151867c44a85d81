"""Orders and events of the pretend exchange in Binance's spelling, both ways.

Source: the facts sheet's sections 3 to 5. Pure: request parameters in, our requests or a Refusal
out; our views and events in, JSON-ready dicts out. Must not know: sockets, signatures, the book.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from bot.sandbox.exchange_records import (
    Amendment,
    ConditionalRequest,
    ConditionalView,
    IncomeKind,
    OrderRequest,
    OrderView,
    PositionSide,
    PriceSource,
    Refusal,
    TimeInForce,
)
from bot.sandbox.exchange_rules import USE_ALGO
from data.model import FillCause, OrderKind, OrderStatus, Side
from data.money import ZERO, plain

Json = dict[str, Any]
Params = Mapping[str, str]

NUMBER: Final = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
TIF: Final = MappingProxyType(
    {
        TimeInForce.GTC: "GTC",
        TimeInForce.IOC: "IOC",
        TimeInForce.FOK: "FOK",
        TimeInForce.POST_ONLY: "GTX",
        TimeInForce.GTD: "GTD",
        TimeInForce.POSITION: "GTE_GTC",
    }
)
TIF_OF: Final = MappingProxyType({text: one for one, text in TIF.items()})
WORKING: Final = MappingProxyType(
    {PriceSource.LAST: "CONTRACT_PRICE", PriceSource.MARK: "MARK_PRICE"}
)
WORKING_OF: Final = MappingProxyType({text: one for one, text in WORKING.items()})
INCOME: Final = MappingProxyType(
    {
        IncomeKind.REALIZED: "REALIZED_PNL",
        IncomeKind.COMMISSION: "COMMISSION",
        IncomeKind.FUNDING: "FUNDING_FEE",
        IncomeKind.INSURANCE: "INSURANCE_CLEAR",
    }
)
CONDITIONAL_KINDS: Final = MappingProxyType(
    {
        "STOP": OrderKind.STOP_MARKET,
        "STOP_MARKET": OrderKind.STOP_MARKET,
        "TAKE_PROFIT": OrderKind.TAKE_PROFIT_MARKET,
        "TAKE_PROFIT_MARKET": OrderKind.TAKE_PROFIT_MARKET,
        "TRAILING_STOP_MARKET": OrderKind.STOP_MARKET,
    }
)
STP: Final = "EXPIRE_MAKER"
CENT: Final = Decimal("0.00000001")


class BadParameter(ValueError):
    """A parameter is missing or unreadable; `refusal` says so in the exchange's words."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.refusal = Refusal(code=code, text=text)


def need(params: Params, name: str) -> str:
    """A mandatory parameter's text; -1102 when it is absent or empty."""
    text = params.get(name, "")
    if not text:
        raise BadParameter(
            -1102,
            f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.",
        )
    return text


def symbol_of(params: Params) -> str:
    """The mandatory symbol, upper-cased as the exchange does."""
    return need(params, "symbol").upper()


def number_of(params: Params, name: str) -> Decimal | None:
    """An optional decimal; -1100 when it is no plain decimal number."""
    text = params.get(name)
    if text is None:
        return None
    if not NUMBER.fullmatch(text):
        raise BadParameter(-1100, f"Illegal characters found in parameter '{name}'.")
    return Decimal(text)


def whole_of(params: Params, name: str) -> int | None:
    """An optional integer; -1102 when it is something else."""
    text = params.get(name)
    if text is None or text == "":
        return None
    if not re.fullmatch(r"-?[0-9]{1,19}", text):
        raise BadParameter(
            -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
        )
    return int(text)


def truth_of(params: Params, name: str) -> bool:
    """An optional boolean written as true or false."""
    text = params.get(name, "false").lower()
    if text not in ("true", "false"):
        raise BadParameter(-1130, f"Data sent for parameter '{name}' is not valid.")
    return text == "true"


def parse_order(params: Params, *, hedged: bool = False) -> OrderRequest:
    """A plain order's parameters; BadParameter with the real code when they are wrong."""
    symbol = symbol_of(params)
    side = _side(params)
    name = need(params, "type").upper()
    if name in CONDITIONAL_KINDS:
        raise BadParameter(USE_ALGO.code, USE_ALGO.text)
    if name not in ("MARKET", "LIMIT"):
        raise BadParameter(-1116, "Invalid orderType.")
    limit = name == "LIMIT"
    _unwanted(params, () if limit else ("timeInForce", "price"))
    _unwanted(params, ("reduceOnly",) if hedged else ())
    _no_price_match(params)
    patience = TIF_OF.get(need(params, "timeInForce")) if limit else TimeInForce.GTC
    if patience is None or patience is TimeInForce.POSITION:
        raise BadParameter(-1115, "Invalid timeInForce.")
    if limit:
        need(params, "price")
    need(params, "quantity")
    return OrderRequest(
        symbol=symbol,
        side=side,
        kind=OrderKind.LIMIT if limit else OrderKind.MARKET,
        quantity=number_of(params, "quantity") or ZERO,
        price=number_of(params, "price"),
        time_in_force=patience,
        reduce_only=truth_of(params, "reduceOnly"),
        client_id=params.get("newClientOrderId"),
        position_side=_position_side(params),
        good_till_ms=_good_till(params) if patience is TimeInForce.GTD else 0,
    )


def parse_amendment(params: Params, *, hedged: bool = False) -> Amendment:
    """A modification's parameters; `orderId` wins over `origClientOrderId`."""
    symbol, side = symbol_of(params), _side(params)
    number = whole_of(params, "orderId")
    _unwanted(params, ("reduceOnly",) if hedged else ())
    _no_price_match(params)
    need(params, "quantity")
    need(params, "price")
    return Amendment(
        symbol=symbol,
        key=number if number is not None else need(params, "origClientOrderId"),
        side=side,
        quantity=number_of(params, "quantity") or ZERO,
        price=number_of(params, "price") or ZERO,
        modify_id=whole_of(params, "modifyId"),
        reduce_only=truth_of(params, "reduceOnly"),
    )


def parse_conditional(params: Params, *, hedged: bool = False) -> ConditionalRequest:
    """A conditional order's parameters; BadParameter with the real code when they are wrong."""
    if need(params, "algoType") != "CONDITIONAL":
        raise BadParameter(-4136, "Invalid algoType.")
    symbol = symbol_of(params)
    side = _side(params)
    name = need(params, "type").upper()
    kind = CONDITIONAL_KINDS.get(name)
    if kind is None:
        raise BadParameter(-1116, "Invalid orderType.")
    _unwanted(params, ("reduceOnly",) if hedged else ())
    _no_price_match(params)
    trails, limit = name.startswith("TRAILING"), name in ("STOP", "TAKE_PROFIT")
    need(params, "callbackRate" if trails else "triggerPrice")
    if limit:
        need(params, "price")
    rate = number_of(params, "callbackRate")
    patience = TIF_OF.get(params.get("timeInForce", "GTC"))
    if patience is None or patience is TimeInForce.GTD:
        raise BadParameter(-1115, "Invalid timeInForce.")
    working = WORKING_OF.get(params.get("workingType", "CONTRACT_PRICE"))
    if working is None:
        raise BadParameter(-1130, "Data sent for parameter 'workingType' is not valid.")
    return ConditionalRequest(
        symbol=symbol,
        side=side,
        kind=kind,
        trigger_price=number_of(params, "triggerPrice") or ZERO,
        quantity=number_of(params, "quantity"),
        close_position=truth_of(params, "closePosition"),
        reduce_only=truth_of(params, "reduceOnly"),
        price_source=working,
        time_in_force=patience,
        client_id=params.get("clientAlgoId"),
        position_side=_position_side(params),
        price=number_of(params, "price") if limit else None,
        callback_rate=rate / 100 if trails and rate is not None else None,
        activate_price=number_of(params, "activatePrice") if trails else None,
        price_protect=truth_of(params, "priceProtect"),
    )


def order_ack(view: OrderView, *, result: bool) -> Json:
    """The 22 fields of a placement or cancel answer; an ACK does not show fills."""
    final = view.kind is OrderKind.MARKET or view.time_in_force in (
        TimeInForce.IOC,
        TimeInForce.FOK,
    )
    canceled = view.status is OrderStatus.CANCELED
    shown = canceled or (result and final)
    filled = plain(view.filled_quantity) if shown else "0"
    answer = _order_common(view)
    answer["status"] = view.status.value.upper() if shown else "NEW"
    answer["executedQty"] = filled
    answer["cumQty"] = filled
    return answer


def test_answer(request: OrderRequest) -> Json:
    """What `order/test` echoes: what was asked for, and zeros where an order would have facts."""
    return {
        "orderId": 0,
        "symbol": "",
        "status": "",
        "clientOrderId": request.client_id or "",
        "price": plain(request.price or ZERO),
        "origQty": plain(request.quantity),
        "executedQty": "0",
        "cumQty": "0",
        "timeInForce": TIF[request.time_in_force],
        "type": request.kind.value.upper(),
        "reduceOnly": request.reduce_only,
        "side": request.side.value.upper(),
        "positionSide": request.position_side.value.upper(),
        "updateTime": 0,
    }


def order_row(view: OrderView) -> Json:
    """An order as GET order, openOrders and allOrders show it."""
    answer = _order_common(view)
    answer["avgPrice"] = average_text(view)
    answer["cumQuote"] = plain(view.filled_quote)
    answer["time"] = view.created_ms
    return answer


def conditional_ack(view: ConditionalView) -> Json:
    """The placement answer of a conditional order."""
    return {
        "algoId": view.number,
        "clientAlgoId": view.client_id,
        "algoType": "CONDITIONAL",
        "orderType": conditional_type(view),
        "symbol": view.symbol,
        "side": view.side.value.upper(),
        "positionSide": view.position_side.value.upper(),
        "timeInForce": TIF[view.time_in_force],
        "quantity": plain(view.quantity),
        "algoStatus": view.status.value.upper(),
        "triggerPrice": plain(view.trigger_price),
        "price": plain(view.price),
        "icebergQuantity": None,
        "selfTradePreventionMode": STP,
        "workingType": WORKING[view.price_source],
        "priceMatch": "NONE",
        "closePosition": view.close_position,
        "priceProtect": view.price_protect,
        "reduceOnly": view.reduce_only,
        "activatePrice": "" if view.activate_price is None else plain(view.activate_price),
        "callbackRate": callback_text(view),
        "createTime": view.created_ms,
        "updateTime": view.updated_ms,
        "triggerTime": view.triggered_ms,
        "goodTillDate": 0,
    }


def conditional_row(view: ConditionalView, *, waiting: bool = False) -> Json:
    """A conditional order as a query or a list shows it."""
    answer = conditional_ack(view)
    child = view.child_number
    answer["actualOrderId"] = "" if child is None else str(child)
    answer["actualPrice"] = plain(view.child_price.quantize(CENT)) if child else "0"
    answer["tpOrderType"] = ""
    if waiting:
        answer["actualQty"] = "0.0"
        answer["isActivated"] = view.activated
    elif child is not None:
        answer["actualQty"] = plain(view.child_quantity)
        answer["actualType"] = "LIMIT" if view.price else "MARKET"
    return answer


def _side(params: Params) -> Side:
    text = need(params, "side").upper()
    if text not in ("BUY", "SELL"):
        raise BadParameter(-1117, "Invalid side.")
    return Side(text.lower())


def _position_side(params: Params) -> PositionSide:
    text = params.get("positionSide", "BOTH")
    if text not in ("BOTH", "LONG", "SHORT"):
        raise BadParameter(-4060, "Invalid position side.")
    return PositionSide(text.lower())


def _unwanted(params: Params, names: tuple[str, ...]) -> None:
    for name in names:
        if name in params:
            raise BadParameter(-1106, f"Parameter '{name}' sent when not required.")


def _no_price_match(params: Params) -> None:
    if params.get("priceMatch", "NONE") != "NONE":
        raise BadParameter(-5037, "Invalid price match")


def _good_till(params: Params) -> int:
    need(params, "goodTillDate")
    return (whole_of(params, "goodTillDate") or 0) // 1000 * 1000


def conditional_type(view: ConditionalView) -> str:
    """The type a conditional order was placed as."""
    if view.callback_rate is not None:
        return "TRAILING_STOP_MARKET"
    name = view.kind.value.upper()
    return name.removesuffix("_MARKET") if view.price else name


def callback_text(view: ConditionalView) -> str:
    """The callback rate in percent; empty when the order does not trail."""
    return "" if view.callback_rate is None else plain(view.callback_rate * 100)


def average_text(view: OrderView) -> str:
    """The average fill price to the smallest unit; "0" before the first fill."""
    average = view.average_price
    return "0" if average is None else plain(average.quantize(CENT))


def type_name(view: OrderView) -> str:
    """The order's type; what the exchange made itself is LIQUIDATION."""
    forced = view.cause is not FillCause.ORDER
    return "LIQUIDATION" if forced else view.kind.value.upper()


def _order_common(view: OrderView) -> Json:
    return {
        "orderId": view.number,
        "symbol": view.symbol,
        "status": view.status.value.upper(),
        "clientOrderId": view.client_id,
        "price": plain(view.price),
        "origQty": plain(view.quantity),
        "executedQty": plain(view.filled_quantity),
        "timeInForce": TIF[view.time_in_force],
        "type": type_name(view),
        "reduceOnly": view.reduce_only,
        "closePosition": view.close_position,
        "side": view.side.value.upper(),
        "positionSide": view.position_side.value.upper(),
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": type_name(view),
        "priceMatch": "NONE",
        "selfTradePreventionMode": STP,
        "goodTillDate": view.good_till_ms,
        "updateTime": view.updated_ms,
    }
