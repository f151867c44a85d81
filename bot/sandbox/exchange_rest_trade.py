"""Orders and conditional orders of the pretend exchange over REST: one small function an endpoint.

Source: the facts sheet's sections 2.4 and 3. Synchronous: a Call in; a JSON-ready value or a
Refusal out. Must not know: sockets, signatures, faults.
"""

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import msgspec

from bot.sandbox.exchange_call import (
    ROWS_MAX,
    Call,
    Result,
    Route,
    Security,
    instrument_of,
    limit_of,
    maybe_symbol,
    window_of,
)
from bot.sandbox.exchange_dialect import (
    BadParameter,
    conditional_ack,
    conditional_row,
    need,
    order_ack,
    order_row,
    parse_amendment,
    parse_conditional,
    parse_order,
    symbol_of,
    test_answer,
    whole_of,
)
from bot.sandbox.exchange_records import Refusal
from bot.sandbox.exchange_rules import NO_ORDER

BATCH_MAX: Final = 5
CANCELS_MAX: Final = 10


def _place(call: Call) -> Result:
    request = parse_order(call.params, hedged=_hedged(call))
    view = call.floor.exchange.place(request, call.now_ms, account=call.account)
    if isinstance(view, Refusal):
        return view
    return order_ack(view, result=call.params.get("newOrderRespType") == "RESULT")


def _test(call: Call) -> Result:
    request = parse_order(call.params, hedged=_hedged(call))
    refusal = call.floor.exchange.test(request, call.now_ms, account=call.account)
    return refusal or test_answer(request)


def _modify(call: Call) -> Result:
    wish = parse_amendment(call.params, hedged=_hedged(call))
    view = call.floor.exchange.amend(wish, call.now_ms, account=call.account)
    return view if isinstance(view, Refusal) else order_ack(view, result=True)


def _order(call: Call) -> Result:
    view = call.floor.exchange.order(symbol_of(call.params), _key(call), account=call.account)
    if isinstance(view, Refusal) or call.too_young(view.created_ms):
        return NO_ORDER
    return order_row(view)


def _open_order(call: Call) -> Result:
    view = call.floor.exchange.order(symbol_of(call.params), _key(call), account=call.account)
    if isinstance(view, Refusal):
        return view
    waits = view.status.value in ("new", "partially_filled")
    return order_row(view) if waits and not call.too_young(view.created_ms) else NO_ORDER


def _cancel(call: Call) -> Result:
    symbol = symbol_of(call.params)
    view = call.floor.exchange.cancel(symbol, _key(call), call.now_ms, account=call.account)
    return view if isinstance(view, Refusal) else order_ack(view, result=True)


def _open_orders(call: Call) -> Result:
    views = call.floor.exchange.open_orders(maybe_symbol(call), account=call.account)
    return [order_row(view) for view in views]


def _all_orders(call: Call) -> Result:
    views = call.floor.exchange.orders(maybe_symbol(call), account=call.account)
    since_ms, until_ms = window_of(call)
    first = whole_of(call.params, "orderId") or 0
    rows = [
        order_row(view)
        for view in views
        if since_ms <= view.created_ms <= until_ms and view.number >= first
    ]
    return rows[-limit_of(call.params, 500, ROWS_MAX) :]  # truncation keeps the newest


def _cancel_open(call: Call) -> Result:
    symbol = instrument_of(call).symbol
    call.floor.exchange.cancel_all(symbol, call.now_ms, account=call.account)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def _place_many(call: Call) -> Result:
    return [_one(replace(call, params=row), _place) for row in _batch(call, "batchOrders")]


def _modify_many(call: Call) -> Result:
    return [_one(replace(call, params=row), _modify) for row in _batch(call, "batchOrders")]


def _cancel_many(call: Call) -> Result:
    symbol = symbol_of(call.params)
    name = "orderIdList" if "orderIdList" in call.params else "origClientOrderIdList"
    key = "orderId" if name == "orderIdList" else "origClientOrderId"
    wanted = _list(call, name, CANCELS_MAX, -4032)
    return [
        _one(replace(call, params={"symbol": symbol, key: str(one)}), _cancel) for one in wanted
    ]


def _countdown(call: Call) -> Result:
    symbol = instrument_of(call).symbol
    need(call.params, "countdownTime")
    countdown_ms = whole_of(call.params, "countdownTime") or 0
    if countdown_ms < 0:
        return Refusal(code=-1130, text="Data sent for parameter 'countdownTime' is not valid.")
    call.floor.exchange.cancel_after(symbol, countdown_ms, call.now_ms, account=call.account)
    return {"symbol": symbol, "countdownTime": str(countdown_ms)}


def _place_algo(call: Call) -> Result:
    request = parse_conditional(call.params, hedged=_hedged(call))
    view = call.floor.exchange.place_conditional(request, call.now_ms, account=call.account)
    return view if isinstance(view, Refusal) else conditional_ack(view)


def _algo(call: Call) -> Result:
    view = call.floor.exchange.conditional(_algo_key(call), account=call.account)
    if isinstance(view, Refusal) or call.too_young(view.created_ms):
        return NO_ORDER
    return conditional_row(view)


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
    views = call.floor.exchange.open_conditionals(maybe_symbol(call), account=call.account)
    number = whole_of(call.params, "algoId")
    return [conditional_row(v, waiting=True) for v in views if number in (None, v.number)]


def _all_algos(call: Call) -> Result:
    views = call.floor.exchange.conditionals(symbol_of(call.params), account=call.account)
    since_ms, until_ms = window_of(call)
    first = whole_of(call.params, "algoId") or 0
    rows = [
        conditional_row(view)
        for view in views
        if since_ms <= view.created_ms <= until_ms and view.number >= first
    ]
    limit = limit_of(call.params, 500, ROWS_MAX)
    return rows[:limit] if first else rows[-limit:]


def _cancel_open_algos(call: Call) -> Result:
    symbol = instrument_of(call).symbol
    call.floor.exchange.cancel_all_conditionals(symbol, call.now_ms, account=call.account)
    return {"code": 200, "msg": "The operation of cancel all open order is done."}


def _hedged(call: Call) -> bool:
    return call.floor.exchange.hedged(account=call.account)


def _one(call: Call, act: Callable[[Call], Result]) -> Result:
    """One element of a batch: its answer, or its refusal as a body."""
    try:
        answer = act(call)
    except BadParameter as wrong:
        answer = wrong.refusal
    if isinstance(answer, Refusal):
        return {"code": answer.code, "msg": answer.text}
    return answer


def _batch(call: Call, name: str) -> list[dict[str, str]]:
    rows = _list(call, name, BATCH_MAX, -4082)
    if not all(isinstance(row, dict) for row in rows):
        raise BadParameter(-1130, f"Data sent for parameter '{name}' is not valid.")
    return [{key: _text(value) for key, value in row.items()} for row in rows]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _list(call: Call, name: str, most: int, code: int) -> list[Any]:
    try:
        rows = msgspec.json.decode(need(call.params, name), type=list[Any])
    except msgspec.DecodeError:
        raise BadParameter(-1130, f"Data sent for parameter '{name}' is not valid.") from None
    if not 1 <= len(rows) <= most:
        raise BadParameter(code, f"Invalid number of batch orders: 1 to {most}.")
    return rows


def _key(call: Call) -> int | str:
    number = whole_of(call.params, "orderId")
    return number if number is not None else need(call.params, "origClientOrderId")


def _algo_key(call: Call) -> int | str:
    number = whole_of(call.params, "algoId")
    return number if number is not None else need(call.params, "clientAlgoId")


ROUTES: Final = MappingProxyType(
    {
        ("POST", "/fapi/v1/order"): Route(act=_place, security=Security.SIGNED, weight=0, orders=1),
        ("PUT", "/fapi/v1/order"): Route(act=_modify, security=Security.SIGNED, weight=0, orders=1),
        ("POST", "/fapi/v1/order/test"): Route(
            act=_test, security=Security.SIGNED, weight=0, orders=1
        ),
        ("POST", "/fapi/v1/batchOrders"): Route(
            act=_place_many, security=Security.SIGNED, weight=5, orders=1, orders_10s=5
        ),
        ("PUT", "/fapi/v1/batchOrders"): Route(
            act=_modify_many, security=Security.SIGNED, weight=5, orders=1, orders_10s=5
        ),
        ("DELETE", "/fapi/v1/batchOrders"): Route(
            act=_cancel_many, security=Security.SIGNED, weight=1
        ),
        ("POST", "/fapi/v1/countdownCancelAll"): Route(
            act=_countdown, security=Security.SIGNED, weight=10
        ),
        ("GET", "/fapi/v1/order"): Route(act=_order, security=Security.SIGNED, weight=1),
        ("DELETE", "/fapi/v1/order"): Route(act=_cancel, security=Security.SIGNED, weight=1),
        ("GET", "/fapi/v1/openOrder"): Route(act=_open_order, security=Security.SIGNED, weight=1),
        ("GET", "/fapi/v1/openOrders"): Route(
            act=_open_orders, security=Security.SIGNED, weight=1, wide_weight=40
        ),
        ("GET", "/fapi/v1/allOrders"): Route(act=_all_orders, security=Security.SIGNED, weight=5),
        ("DELETE", "/fapi/v1/allOpenOrders"): Route(
            act=_cancel_open, security=Security.SIGNED, weight=1
        ),
        ("POST", "/fapi/v1/algoOrder"): Route(
            act=_place_algo, security=Security.SIGNED, weight=0, orders=1
        ),
        ("GET", "/fapi/v1/algoOrder"): Route(act=_algo, security=Security.SIGNED, weight=1),
        ("DELETE", "/fapi/v1/algoOrder"): Route(
            act=_cancel_algo, security=Security.SIGNED, weight=1
        ),
        ("GET", "/fapi/v1/openAlgoOrders"): Route(
            act=_open_algos, security=Security.SIGNED, weight=1, wide_weight=40
        ),
        ("GET", "/fapi/v1/allAlgoOrders"): Route(
            act=_all_algos, security=Security.SIGNED, weight=5
        ),
        ("DELETE", "/fapi/v1/algoOpenOrders"): Route(
            act=_cancel_open_algos, security=Security.SIGNED, weight=1
        ),
    }
)
