"""Amendments and deadlines of the pretend exchange, without sockets."""

from decimal import Decimal

import pytest

from bot.sandbox.exchange_records import (
    Amendment,
    Execution,
    OrderEvent,
    OrderView,
    Refusal,
    TimeInForce,
)
from data.model import OrderStatus, Side
from tests.sandbox.exchange_cases import BTC, START_MS, D, exchange, limit, market, placed, stop


def wish(key: int | str, quantity: str, price: str, **more: object) -> Amendment:
    """A new size and price for a BUY."""
    return Amendment(
        symbol=BTC, key=key, side=Side.BUY, quantity=D(quantity), price=D(price), **more
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (wish("x", "0.1", "9900"), -5027),
        (wish("x", "0.1", "9900.05"), -4014),
        (wish("x", "0.0005", "9900"), -4004),
        (wish("x", "0.001", "9900"), -4164),
        (wish("x", "0.1", "10600"), -4016),
        (wish("x", "300", "9900"), -2027),
        (wish("x", "100", "9900"), -2019),
        (wish("x", "0.2", "9900", reduce_only=True), -5047),
        (wish("y", "0.2", "9900"), -2013),
    ],
)
def test_refused_amendments_change_nothing(change: Amendment, code: int) -> None:
    """Each refusal has its code, and the order rests as it did."""
    world = exchange()
    before = placed(world.place(limit(Side.BUY, "0.1", "9900", client_id="x"), START_MS))
    world.set_leverage(BTC, 20 if code == -2027 else 10, START_MS)
    answer = world.amend(change, START_MS)
    assert isinstance(answer, Refusal), answer
    assert answer.code == code
    assert world.open_orders() == [before]


def test_an_amended_order_trades_at_its_new_price() -> None:
    """Across the market it fills at once as taker; below it, it waits for that price."""
    world = exchange()
    world.place(limit(Side.BUY, "0.1", "9900", client_id="x"), START_MS)
    world.amend(wish("x", "0.2", "9800", modify_id=3), START_MS)
    world.advance(BTC, D(9850), START_MS + 1)
    assert not world.quantity(BTC)
    told = [e for e in world.drain_events() if isinstance(e, OrderEvent)]
    assert (told[-1].execution, told[-1].modify_id) == (Execution.AMENDED, 3)
    view = world.amend(wish("x", "0.2", "9860"), START_MS + 2)
    assert isinstance(view, OrderView)
    assert (view.status, view.average_price) == (OrderStatus.FILLED, Decimal(9850))


def test_shrinking_below_what_is_filled_cancels() -> None:
    """A partly filled order whose new size is filled already ends as cancelled."""
    world = exchange()
    world.place(limit(Side.BUY, "0.3", "9900", client_id="x"), START_MS)
    world.advance(BTC, D(9900), START_MS + 1, D("0.2"))
    view = world.amend(wish("x", "0.2", "9900"), START_MS + 2)
    assert isinstance(view, OrderView)
    assert (view.status, view.filled_quantity) == (OrderStatus.CANCELED, D("0.2"))
    assert world.open_orders() == []


def test_deadlines_come_in_time_and_are_told() -> None:
    """The next deadline is the earliest of good-till dates and countdowns; then none is left."""
    world = exchange()
    late_ms = START_MS + 900_000
    dated = limit(Side.BUY, "0.1", "9900", TimeInForce.GTD, good_till_ms=late_ms)
    world.place(dated, START_MS)
    world.cancel_after(BTC, 950_000, START_MS)
    assert world.next_deadline_ms() == late_ms
    world.pass_time(late_ms - 1)
    assert len(world.open_orders()) == 1
    world.pass_time(late_ms)
    assert [view.status for view in world.orders()] == [OrderStatus.EXPIRED]
    world.place(limit(Side.BUY, "0.1", "9900"), late_ms)
    world.place(market(Side.BUY, "0.1"), late_ms)
    world.place_conditional(stop("9500"), late_ms)
    world.pass_time(START_MS + 950_000)
    assert world.open_orders() == []
    assert len(world.open_conditionals()) == 1
    assert world.next_deadline_ms() is None


def test_a_countdown_of_zero_is_forgotten() -> None:
    """Told zero, nothing is cancelled."""
    world = exchange()
    world.place(limit(Side.BUY, "0.1", "9900"), START_MS)
    world.cancel_after(BTC, 1_000, START_MS)
    world.cancel_after(BTC, 0, START_MS)
    world.pass_time(START_MS + 5_000)
    assert len(world.open_orders()) == 1
