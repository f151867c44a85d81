"""Conditional orders beyond the plain stop: trailing, limit children, price protection."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox.exchange import Exchange
from bot.sandbox.exchange_records import (
    ConditionalEvent,
    ConditionalRequest,
    ConditionalStatus,
    ConditionalView,
    PriceSource,
    Refusal,
    TimeInForce,
)
from data.model import OrderKind, Side
from tests.sandbox.exchange_cases import BTC, START_MS, D, exchange, market, stop, target


def trailing(side: Side = Side.SELL, rate: str = "0.01", **more: object) -> ConditionalRequest:
    """A trailing stop of 0.1."""
    return ConditionalRequest(
        symbol=BTC,
        side=side,
        kind=OrderKind.STOP_MARKET,
        trigger_price=D(0),
        quantity=D("0.1"),
        callback_rate=D(rate),
        client_id="t",
        **more,
    )


def walk(world: Exchange, *prices: str) -> None:
    """Price after price, a second apart."""
    start_ms = world.markets[BTC].updated_ms
    for number, price in enumerate(prices, start=1):
        world.advance(BTC, D(price), start_ms + number * 1_000)


def status(world: Exchange, key: str) -> ConditionalStatus:
    """How a conditional order stands."""
    view = world.conditional(key)
    assert isinstance(view, ConditionalView), view
    return view.status


def test_a_trailing_sell_follows_the_high_and_fires_below_it() -> None:
    """1 % under a high of 10,200 is 10,098; falling before the high rises moves nothing."""
    world = exchange()
    world.place(market(Side.BUY, "0.1"), START_MS)
    world.place_conditional(trailing(reduce_only=True), START_MS)
    walk(world, "9950", "10200", "10098.1")
    assert status(world, "t") is ConditionalStatus.NEW
    walk(world, "10098")
    assert status(world, "t") is ConditionalStatus.FINISHED
    assert not world.quantity(BTC)


def test_a_trailing_buy_waits_for_its_activation() -> None:
    """Active from 9,900 on; 1 % over a low of 9,800 is 9,898. It tells when it becomes active."""
    world = exchange()
    request = trailing(Side.BUY, activate_price=D(9900), reduce_only=False)
    world.place_conditional(request, START_MS)
    walk(world, "9950", "10300", "9900", "9800", "9897.9")
    assert status(world, "t") is ConditionalStatus.NEW
    told = [e.order.activated for e in world.drain_events() if isinstance(e, ConditionalEvent)]
    assert told == [False, True]
    walk(world, "9898")
    assert status(world, "t") is ConditionalStatus.FINISHED


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (trailing(rate="0.0009"), -1130),
        (trailing(rate="0.21"), -1130),
        (trailing(activate_price=D("10000.05")), -4014),
        (trailing(activate_price=D(9990)), -2021),
        (trailing(Side.BUY, activate_price=D(10010)), -2021),
        (stop("9900", price=D("9899.95"), quantity=D("0.1")), -4014),
        (stop("9900", price=D(9899)), -4139),
    ],
)
def test_what_the_variants_are_refused_for(request_: ConditionalRequest, code: int) -> None:
    """Rates out of range, prices off the grid or on the wrong side, a limit without a size."""
    world = exchange()
    world.place(market(Side.BUY, "0.1"), START_MS)
    answer = world.place_conditional(request_, START_MS)
    assert isinstance(answer, Refusal), answer
    assert answer.code == code


def test_a_limit_child_rests_until_it_ends() -> None:
    """TRIGGERED while the child waits; FINISHED when it is filled, and when it is cancelled."""
    for ends in ("filled", "cancelled", "countdown", "liquidated"):
        world = exchange()
        world.place(market(Side.BUY, "0.1"), START_MS)
        words = {"quantity": D("0.1"), "reduce_only": True, "client_id": "sl"}
        world.place_conditional(stop("9900", price=D(9950), **words), START_MS)
        walk(world, "9900")
        assert status(world, "sl") is ConditionalStatus.TRIGGERED
        now_ms = START_MS + 10_000
        match ends:
            case "filled":
                walk(world, "9950")
            case "cancelled":
                world.cancel(BTC, "sl", now_ms)
            case "countdown":
                world.cancel_after(BTC, 1, now_ms)
                world.pass_time(now_ms + 1)
            case "liquidated":
                world.force_liquidation(BTC, now_ms)
        assert status(world, "sl") is ConditionalStatus.FINISHED, ends


def test_a_post_only_child_that_would_trade_is_rejected() -> None:
    """The reason is kept: a target whose limit the market has passed cannot be maker."""
    world = exchange()
    words = {"quantity": D("0.1"), "price": D(10000), "client_id": "tp"}
    request = target("10100", time_in_force=TimeInForce.POST_ONLY, **words)
    world.place_conditional(request, START_MS)
    walk(world, "10100")
    view = world.conditional("tp")
    assert isinstance(view, ConditionalView)
    assert view.status is ConditionalStatus.REJECTED
    assert "maker" in view.reject_text


def test_price_protection_waits_while_mark_and_last_are_apart() -> None:
    """6 % apart nothing fires; once they are together again it does. Unprotected fires at once."""
    world = exchange()
    world.place(market(Side.BUY, "0.1"), START_MS)
    words = {"quantity": D("0.1"), "reduce_only": True}
    world.place_conditional(stop("9900", price_protect=True, client_id="a", **words), START_MS)
    world.set_mark(BTC, D(10000), START_MS)
    walk(world, "9400")
    assert status(world, "a") is ConditionalStatus.NEW
    world.set_mark(BTC, D(9500), START_MS + 2_000)
    assert status(world, "a") is ConditionalStatus.FINISHED


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32))
def test_every_variant_ends_or_waits(seed: int) -> None:
    """Waiting, working through a resting child, or ended: no conditional order is lost."""
    rng = Random(seed)
    world = exchange()
    for step in range(80):
        now_ms = START_MS + step * 60_000
        last = world.markets[BTC].last
        assert last is not None
        near = last + D(rng.randint(-900, 900)) / 10
        words = {
            "quantity": D(rng.randint(10, 200)) / 1000,
            "reduce_only": rng.random() < 0.5,
            "price_source": rng.choice(list(PriceSource)),
        }
        side = rng.choice(list(Side))
        match rng.randint(0, 6):
            case 0:
                world.place(market(side, "0.1"), now_ms)
            case 1:
                limit_price = rng.choice([near, last])
                patience = rng.choice([TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK])
                request = stop(str(near), side, price=limit_price, time_in_force=patience, **words)
                world.place_conditional(request, now_ms)
            case 2:
                rate = D(rng.randint(1, 30)) / 1000
                more = {**words, "callback_rate": rate, "price_protect": rng.random() < 0.3}
                world.place_conditional(stop("0", side, **more), now_ms)
            case 3:
                world.cancel_all(BTC, now_ms)
            case _:
                move = D(rng.randint(-3000, 3000)) / 10
                world.advance(BTC, max(D(2000), last + move), now_ms, rng.choice([None, D("0.05")]))
    waiting = {one.number for one in world.open_conditionals()}
    resting = {one.number for one in world.open_orders()}
    for one in world.conditionals():
        assert (one.status is ConditionalStatus.NEW) == (one.number in waiting)
        working = one.status is ConditionalStatus.TRIGGERED
        assert working == (one.child_number in resting)
