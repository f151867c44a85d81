"""Requests as the exchange wants them: where a parameter is wrong, money or protection is lost."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.core.trade import Order, Role
from bot.venue.wire import Method, Priority, Security
from bot.venue.wire_requests import (
    WorkingType,
    cancel_algo_request,
    conditional_request,
    countdown_request,
    klines_request,
    listen_key_request,
    open_orders_request,
    place_algo_request,
    place_request,
    position_side_of,
    trades_request,
    trailing_stop_request,
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


def test_a_trailing_stop_says_its_rate_and_where_it_begins() -> None:
    """Its own type, a rate in percent, the activation by the exchange's name, no trigger price."""
    trail = replace(
        STOP,
        kind=OrderKind.TRAILING_STOP_MARKET,
        close_position=False,
        reduce_only=True,
        quantity=Decimal("0.5"),
        trigger_price=None,
        callback_pct=Decimal("0.3"),
        activation_price=Decimal("95.5"),
    )
    params = dict(conditional_request(trail, WorkingType.MARK_PRICE).params)
    assert params["type"] == "TRAILING_STOP_MARKET"
    assert (params["callbackRate"], params["activatePrice"]) == ("0.3", "95.5")
    assert (params["quantity"], params["reduceOnly"]) == ("0.5", "true")
    assert "triggerPrice" not in params
    assert conditional_request(STOP, WorkingType.MARK_PRICE) == place_algo_request(
        STOP, WorkingType.MARK_PRICE
    )


@pytest.mark.parametrize(
    ("role", "side", "held"),
    [
        (Role.ENTRY, Side.BUY, "LONG"),
        (Role.ENTRY, Side.SELL, "SHORT"),
        (Role.STOP, Side.SELL, "LONG"),
        (Role.TARGET, Side.BUY, "SHORT"),
        (Role.CLOSE, Side.SELL, "LONG"),
    ],
)
def test_in_hedge_mode_every_order_names_its_position(role: Role, side: Side, held: str) -> None:
    """reduceOnly is refused there (-1106): LONG with SELL reduces by itself."""
    order = replace(STOP, role=role, side=side, close_position=False, reduce_only=True)
    assert position_side_of(order) == held
    params = dict(place_algo_request(order, WorkingType.MARK_PRICE, hedge=True).params)
    assert params["positionSide"] == held
    assert "reduceOnly" not in params


def test_a_trailing_stop_has_a_quantity_and_a_callback() -> None:
    """The exchange follows the price: no trigger, an optional start, percent off the best."""
    order = replace(STOP, close_position=False, reduce_only=True, quantity=Decimal("0.5"))
    request = trailing_stop_request(order, Decimal("1.50"), WorkingType.MARK_PRICE)
    assert request.path == "/fapi/v1/algoOrder"
    assert request.params == (
        ("algoType", "CONDITIONAL"),
        ("symbol", "BTCUSDT"),
        ("side", "SELL"),
        ("type", "TRAILING_STOP_MARKET"),
        ("callbackRate", "1.5"),
        ("workingType", "MARK_PRICE"),
        ("quantity", "0.5"),
        ("reduceOnly", "true"),
        ("clientAlgoId", "tb-s1"),
    )
    later = trailing_stop_request(
        order, Decimal(1), WorkingType.MARK_PRICE, activation_price=Decimal("110.0")
    )
    assert dict(later.params)["activatePrice"] == "110"
    for callback in (Decimal("0.09"), Decimal("20.1")):
        with pytest.raises(AssertionError):
            trailing_stop_request(order, callback, WorkingType.MARK_PRICE)


def test_the_countdown_is_dear_and_can_be_called_off() -> None:
    """Weight 10; zero calls it off."""
    request = countdown_request("BTCUSDT", 0)
    assert (request.weight, request.is_write) == (10, True)
    assert request.params == (("symbol", "BTCUSDT"), ("countdownTime", "0"))


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
