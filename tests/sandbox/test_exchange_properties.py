"""Properties of the pretend exchange that hold whatever is done to it."""

from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox.exchange import Exchange
from bot.sandbox.exchange_records import ConditionalView, OrderEvent, OrderView, TimeInForce
from data.model import MarginType, Side
from tests.sandbox.exchange_cases import BTC, START_MS, D, exchange, limit, market, stop, target


def act(world: Exchange, rng: Random, now_ms: int) -> OrderView | None:
    """One random thing that a trader or the world may do."""
    last = world.markets[BTC].last
    assert last is not None
    side = rng.choice([Side.BUY, Side.SELL])
    quantity = str(D(rng.randint(1, 900)) / 1000)
    price = str(last + D(rng.randint(-900, 900)) / 10)
    roll = rng.randint(0, 11)
    answer: object = None
    if roll <= 1:
        answer = world.place(market(side, quantity, reduce_only=rng.random() < 0.5), now_ms)
    elif roll <= 3:
        patience = rng.choice(list(TimeInForce)[:3])
        reduce_only = rng.random() < 0.4
        answer = world.place(
            limit(side, quantity, price, patience, reduce_only=reduce_only), now_ms
        )
    elif roll == 4:
        world.place_conditional(stop(price, side), now_ms)
    elif roll == 5:
        world.place_conditional(target(price, side, quantity=D(quantity), reduce_only=True), now_ms)
    elif roll == 6:
        world.cancel_all(BTC, now_ms)
    elif roll == 7 and rng.random() < 0.3:
        getattr(world, rng.choice(["close_by_hand", "force_adl", "force_liquidation"]))(BTC, now_ms)
    else:
        liquidity = rng.choice([None, D("0.2")])
        step = D(rng.randint(-3000, 3000)) / 10
        world.advance(BTC, max(D(2000), last + step), now_ms, liquidity)
    return answer if isinstance(answer, OrderView) else None


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_the_books_agree_with_each_other(seed: int, isolated: bool) -> None:
    """Wallet = start + income; position = signed fills; streams, fills and income say the same."""
    rng = Random(seed)
    world = exchange("10000")
    if isolated:
        world.set_margin_type(BTC, MarginType.ISOLATED, START_MS)
    numbers = []
    for step in range(120):
        before = world.quantity(BTC)
        placed = act(world, rng, START_MS + step * 600_000)
        if placed is not None:
            numbers.append(placed.number)
            if placed.reduce_only:
                after = world.quantity(BTC)
                assert before * after >= 0, "a reduce-only order flipped the position"
                assert abs(after) <= abs(before)
    check_books(world)
    assert all(isinstance(world.order(BTC, number), OrderView) for number in numbers)


def check_books(world: Exchange) -> None:
    """Every book of the exchange tells the same story."""
    fills = world.fills()
    income = world.income()
    wallet = world.balances().wallet_usdt
    assert wallet == world.start_wallet_usdt + sum(row.amount_usdt for row in income)
    signed = sum(f.quantity if f.side is Side.BUY else -f.quantity for f in fills)
    assert world.quantity(BTC) == signed
    realised = sum((f.realized_pnl_usdt for f in fills), Decimal(0))
    assert realised == sum(r.amount_usdt for r in income if r.kind.value == "realized")
    assert sum(f.fee for f in fills) == -sum(
        r.amount_usdt for r in income if r.kind.value == "commission"
    )
    told = [e.fill for e in world.drain_events() if isinstance(e, OrderEvent) and e.fill]
    assert told == fills
    for order in world.orders():
        assert order.filled_quantity == sum(
            f.quantity for f in fills if f.venue_order_id == order.number
        )
    flat_cost = sum(
        (f.quantity * f.price * (-1 if f.side is Side.BUY else 1) for f in fills), Decimal(0)
    )
    if not world.quantity(BTC):
        assert realised == flat_cost, "realised profit is not exit minus entry notionals"
        assert world.position(BTC).isolated_wallet_usdt == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_same_calls_give_the_same_events(seed: int) -> None:
    """Two exchanges given the same calls tell the same events, ids included."""
    told = []
    for _ in range(2):
        rng = Random(seed)
        world = exchange("10000")
        for step in range(60):
            act(world, rng, START_MS + step * 60_000)
        told.append(world.drain_events())
    assert told[0] == told[1]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_every_conditional_order_ends_or_waits(seed: int) -> None:
    """No conditional order is lost: each is waiting, or has an end state."""
    rng = Random(seed)
    world = exchange("10000")
    for step in range(80):
        act(world, rng, START_MS + step * 60_000)
    waiting = {c.number for c in world.open_conditionals()}
    for record in world.conditionals():
        assert isinstance(record, ConditionalView)
        ended = record.status.value in {"finished", "canceled", "expired", "rejected"}
        assert ended != (record.number in waiting)
