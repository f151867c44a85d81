"""Requests as the exchange wants them: where a parameter is wrong, money or protection is lost."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.core.trade import Order, Role
from bot.venue.wire import Method, Priority, Security
from bot.venue.wire_requests import (
    WorkingType,
    cancel_algo_request,
    klines_request,
    listen_key_request,
    open_orders_request,
    place_algo_request,
    place_request,
    trades_request,
)
from data.model import OrderKind, Side

ENTRY = Order(
    order_id="tb-e1",
    role=Role.ENTRY,
    attempt=1,
    symbol="BTCUSDT",
    side=Side.BUY,
    kind=OrderKind.LIMIT,
    quantity=Decimal("1E+1"),
    price=Decimal("100.50"),
)
STOP = replace(
    ENTRY,
    order_id="tb-s1",
    role=Role.STOP,
    side=Side.SELL,
    kind=OrderKind.STOP_MARKET,
    quantity=Decimal(0),
    price=None,
    trigger_price=Decimal("90.10"),
    close_position=True,
)


def test_a_limit_entry() -> None:
    """Plain decimals without an exponent, our id, an answer that tells what was filled."""
    request = place_request(ENTRY)
    assert (request.method, request.path) == (Method.POST, "/fapi/v1/order")
    assert (request.security, request.priority) == (Security.SIGNED, Priority.TRADING)
    assert request.params == (
        ("symbol", "BTCUSDT"),
        ("side", "BUY"),
        ("type", "LIMIT"),
        ("timeInForce", "GTC"),
        ("price", "100.5"),
        ("quantity", "10"),
        ("newClientOrderId", "tb-e1"),
        ("newOrderRespType", "RESULT"),
    )


def test_a_market_close_is_reduce_only() -> None:
    """A close can never open: reduceOnly is said, and no price."""
    close = replace(ENTRY, kind=OrderKind.MARKET, price=None, reduce_only=True)
    params = dict(place_request(close).params)
    assert (params["type"], params["reduceOnly"]) == ("MARKET", "true")
    assert "price" not in params


def test_a_stop_closes_the_whole_position() -> None:
    """closePosition excludes quantity (-4137) and reduceOnly (-4138); mark price by choice."""
    request = place_algo_request(STOP, WorkingType.MARK_PRICE)
    assert request.path == "/fapi/v1/algoOrder"
    assert request.params == (
        ("algoType", "CONDITIONAL"),
        ("symbol", "BTCUSDT"),
        ("side", "SELL"),
        ("type", "STOP_MARKET"),
        ("triggerPrice", "90.1"),
        ("workingType", "MARK_PRICE"),
        ("closePosition", "true"),
        ("clientAlgoId", "tb-s1"),
    )


def test_a_stop_of_a_quantity_is_reduce_only() -> None:
    """Without closePosition the quantity is said, and that it only reduces."""
    part = replace(STOP, close_position=False, reduce_only=True, quantity=Decimal("0.5"))
    params = dict(place_algo_request(part, WorkingType.CONTRACT_PRICE).params)
    assert (params["quantity"], params["reduceOnly"]) == ("0.5", "true")
    assert "closePosition" not in params


def test_an_order_goes_only_to_its_own_service() -> None:
    """A conditional type on the plain endpoint is -4120: a bug, caught before it is sent."""
    with pytest.raises(AssertionError):
        place_request(STOP)
    with pytest.raises(AssertionError):
        place_algo_request(ENTRY, WorkingType.MARK_PRICE)


def test_cancelling_a_stop_sends_no_symbol() -> None:
    """The algo service knows the id alone."""
    assert cancel_algo_request("tb-s1").params == (("clientAlgoId", "tb-s1"),)


@pytest.mark.parametrize(("limit", "weight"), [(99, 1), (100, 2), (499, 2), (500, 5), (1500, 10)])
def test_klines_cost_what_they_cost(limit: int, weight: int) -> None:
    """Documented weights by limit, and always the last in line."""
    request = klines_request("BTCUSDT", "1m", limit=limit)
    assert (request.weight, request.priority) == (weight, Priority.WARMING)


def test_trades_go_by_time_or_by_id_never_both() -> None:
    """fromId excludes the times."""
    by_time = dict(trades_request("X", start_ms=1, end_ms=2).params)
    by_id = dict(trades_request("X", start_ms=1, end_ms=2, from_id=7).params)
    assert set(by_time) == {"symbol", "startTime", "endTime", "limit"}
    assert set(by_id) == {"symbol", "fromId", "limit"}


def test_the_key_needs_no_signature_and_all_orders_are_dear() -> None:
    """listenKey takes the key's header only; all open orders cost 40."""
    assert listen_key_request(Method.PUT).security is Security.KEY
    assert open_orders_request().weight == 40
