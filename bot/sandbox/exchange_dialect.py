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
    ConditionalRequest,
    ConditionalView,
    IncomeKind,
    OrderRequest,
    OrderView,
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
        TimeInForce.POSITION: "GTE_GTC",
    }
)
TIF_OF: Final = MappingProxyType({text: one for one, text in TIF.items()})
WORKING: Final = MappingProxyType(
    {PriceSource.LAST: "CONTRACT_PRICE", PriceSource.MARK: "MARK_PRICE"}
)
WORKING_OF: Final = MappingProxyType({text: one for one, text in WORKING.items()})
CONDITIONAL_TYPES: Final = frozenset(
    {"STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"}
)
INCOME: Final = MappingProxyType(
    {
        IncomeKind.REALIZED: "REALIZED_PNL",
        IncomeKind.COMMISSION: "COMMISSION",
        IncomeKind.FUNDING: "FUNDING_FEE",
        IncomeKind.INSURANCE: "INSURANCE_CLEAR",
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


def parse_order(params: Params) -> OrderRequest:
    """A plain order's parameters; BadParameter with the real code when they are wrong."""
    symbol = symbol_of(params)
    side = _side(params)
    name = need(params, "type").upper()
    if name in CONDITIONAL_TYPES:
        raise BadParameter(USE_ALGO.code, USE_ALGO.text)
    if name not in ("MARKET", "LIMIT"):
        raise BadParameter(-1116, "Invalid orderType.")
    _one_way(params)
    limit = name == "LIMIT"
    if not limit:
        for extra in ("timeInForce", "price"):
            if extra in params:
                raise BadParameter(-1106, f"Parameter '{extra}' sent when not required.")
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
    )


def parse_conditional(params: Params) -> ConditionalRequest:
    """A conditional order's parameters; BadParameter with the real code when they are wrong."""
    if need(params, "algoType") != "CONDITIONAL":
        raise BadParameter(-4136, "Invalid algoType.")
    symbol = symbol_of(params)
    side = _side(params)
    name = need(params, "type").upper()
    if name not in CONDITIONAL_TYPES:
        raise BadParameter(-1116, "Invalid orderType.")
    if name not in ("STOP_MARKET", "TAKE_PROFIT_MARKET"):
        raise BadParameter(-4139, "Order type is not supported for conditional orders.")
    _one_way(params)
    need(params, "triggerPrice")
    patience = TIF_OF.get(params.get("timeInForce", "GTC"))
    if patience is None:
        raise BadParameter(-1115, "Invalid timeInForce.")
    working = WORKING_OF.get(params.get("workingType", "CONTRACT_PRICE"))
    if working is None:
        raise BadParameter(-1130, "Data sent for parameter 'workingType' is not valid.")
    return ConditionalRequest(
        symbol=symbol,
        side=side,
        kind=OrderKind(name.lower()),
        trigger_price=number_of(params, "triggerPrice") or ZERO,
        quantity=number_of(params, "quantity"),
        close_position=truth_of(params, "closePosition"),
        reduce_only=truth_of(params, "reduceOnly"),
        price_source=working,
        time_in_force=patience,
        client_id=params.get("clientAlgoId"),
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
        "orderType": view.kind.value.upper(),
        "symbol": view.symbol,
        "side": view.side.value.upper(),
        "positionSide": "BOTH",
        "timeInForce": TIF[view.time_in_force],
        "quantity": plain(view.quantity),
        "algoStatus": view.status.value.upper(),
        "triggerPrice": plain(view.trigger_price),
        "price": "0",
        "icebergQuantity": None,
        "selfTradePreventionMode": STP,
        "workingType": WORKING[view.price_source],
        "priceMatch": "NONE",
        "closePosition": view.close_position,
        "priceProtect": False,
        "reduceOnly": view.reduce_only,
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
        answer["isActivated"] = False
    elif child is not None:
        answer["actualQty"] = plain(view.child_quantity)
        answer["actualType"] = "MARKET"
    return answer


def _side(params: Params) -> Side:
    text = need(params, "side").upper()
    if text not in ("BUY", "SELL"):
        raise BadParameter(-1117, "Invalid side.")
    return Side(text.lower())


def _one_way(params: Params) -> None:
    if params.get("positionSide", "BOTH") != "BOTH":
        raise BadParameter(-4061, "Order's position side does not match user's setting.")


def average_text(view: OrderView) -> str:
    """The average fill price to the smallest unit; "0" before the first fill."""
    average = view.average_price
    return "0" if average is None else plain(average.quantize(CENT))


def type_name(view: OrderView) -> str:
    """The order's type; what the exchange made itself is LIQUIDATION."""
    forced = view.cause in (FillCause.LIQUIDATION, FillCause.ADL)
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
        "positionSide": "BOTH",
        "stopPrice": "0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": type_name(view),
        "priceMatch": "NONE",
        "selfTradePreventionMode": STP,
        "goodTillDate": 0,
        "updateTime": view.updated_ms,
    }
