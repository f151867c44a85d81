"""Hedge mode of the pretend exchange: two books a symbol that never net."""

from decimal import Decimal
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.sandbox.exchange import Exchange
from bot.sandbox.exchange_records import PositionSide, Refusal
from data.model import MarginType, Side
from tests.sandbox.exchange_cases import BTC, START_MS, D, exchange, limit, market, placed, stop

LONG, SHORT = PositionSide.LONG, PositionSide.SHORT


def hedged(price: str = "10000") -> Exchange:
    """An exchange in hedge mode with one price."""
    world = exchange(price)
    assert world.set_hedged(True, START_MS) is None
    return world


def amount(world: Exchange, side: PositionSide) -> Decimal:
    """What one book holds, signed."""
    return world.position(BTC, side).quantity


def test_each_book_is_opened_and_closed_by_its_own_sides() -> None:
    """BUY opens LONG and closes SHORT; the books do not touch each other."""
    world = hedged()
    world.place(market(Side.BUY, "0.3", position_side=LONG), START_MS)
    world.place(market(Side.SELL, "0.2", position_side=SHORT), START_MS)
    world.place(market(Side.BUY, "0.1", position_side=SHORT), START_MS)
    assert (amount(world, LONG), amount(world, SHORT)) == (D("0.3"), D("-0.1"))
    assert {view.position_side for view in world.positions()} == {LONG, SHORT}


def test_closing_more_than_a_book_holds_is_refused() -> None:
    """-2022, where one-way mode would cut the order; a flat book has nothing to close."""
    world = hedged()
    world.place(market(Side.BUY, "0.3", position_side=LONG), START_MS)
    for side, book in ((Side.SELL, LONG), (Side.BUY, SHORT)):
        answer = world.place(market(side, "0.4", position_side=book), START_MS)
        assert isinstance(answer, Refusal)
        assert answer.code == -2022


def test_margin_of_both_books_adds_up() -> None:
    """0.3 and 0.2 at 10,000 and leverage 20: 250 USDT, though the net is 0.1."""
    world = hedged()
    world.place(market(Side.BUY, "0.3", position_side=LONG), START_MS)
    world.place(market(Side.SELL, "0.2", position_side=SHORT), START_MS)
    assert world.balances().position_margin_usdt == 250
    # A resting order that opens adds its own: 0.1 x 9,000 / 20.
    world.place(limit(Side.BUY, "0.1", "9000", position_side=LONG), START_MS)
    assert world.balances().order_margin_usdt == 45


def test_a_books_stop_dies_with_its_book_alone() -> None:
    """Closing the long expires the long's stop and leaves the short's."""
    world = hedged()
    world.place(market(Side.BUY, "0.3", position_side=LONG), START_MS)
    world.place(market(Side.SELL, "0.2", position_side=SHORT), START_MS)
    world.place_conditional(stop("9500", position_side=LONG), START_MS)
    world.place_conditional(stop("10500", Side.BUY, position_side=SHORT), START_MS)
    world.place(market(Side.SELL, "0.3", position_side=LONG), START_MS)
    waiting = world.open_conditionals()
    assert [one.position_side for one in waiting] == [SHORT]


def test_an_isolated_book_is_liquidated_alone() -> None:
    """At half the price the long is gone at 20x, and the short is as it was."""
    world = exchange("10000")
    world.set_margin_type(BTC, MarginType.ISOLATED, START_MS)
    world.set_hedged(True, START_MS)
    world.place(market(Side.BUY, "0.1", position_side=LONG), START_MS)
    world.place(market(Side.SELL, "0.1", position_side=SHORT), START_MS)
    world.advance(BTC, D(9400), START_MS + 1)
    assert (amount(world, LONG), amount(world, SHORT)) == (0, D("-0.1"))


def test_the_mode_is_the_accounts_and_may_change_when_it_is_flat() -> None:
    """A waiting order or a position blocks it (-4067, -4068); afterwards it turns back."""
    world = hedged()
    order = placed(world.place(limit(Side.BUY, "0.1", "9000", position_side=LONG), START_MS))
    refused = world.set_hedged(False, START_MS)
    assert refused is not None
    assert refused.code == -4067
    world.cancel(BTC, order.number, START_MS)
    assert world.set_hedged(False, START_MS) is None
    assert isinstance(world.place(market(Side.BUY, "0.1", position_side=LONG), START_MS), Refusal)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_the_books_agree_with_each_other(seed: int, isolated: bool) -> None:
    """Each book is the sum of its fills and has its sign; the wallet is start plus income."""
    rng = Random(seed)
    world = exchange("10000")
    if isolated:
        world.set_margin_type(BTC, MarginType.ISOLATED, START_MS)
    world.set_hedged(True, START_MS)
    for step in range(100):
        now_ms = START_MS + step * 600_000
        side, book = rng.choice(list(Side)), rng.choice([LONG, SHORT])
        quantity = str(D(rng.randint(5, 900)) / 1000)
        last = world.markets[BTC].last
        assert last is not None
        price = str(last + D(rng.randint(-900, 900)) / 10)
        match rng.randint(0, 5):
            case 0 | 1:
                world.place(market(side, quantity, position_side=book), now_ms)
            case 2:
                world.place(limit(side, quantity, price, position_side=book), now_ms)
            case 3:
                world.place_conditional(stop(price, side, position_side=book), now_ms)
            case 4 if rng.random() < 0.2:
                getattr(world, rng.choice(["close_by_hand", "force_liquidation"]))(BTC, now_ms)
            case _:
                move = D(rng.randint(-3000, 3000)) / 10
                world.advance(BTC, max(D(2000), last + move), now_ms)
        assert amount(world, LONG) >= 0
        assert amount(world, SHORT) <= 0
    fills = world.fills()
    for book in (LONG, SHORT):
        signed = sum(
            f.quantity if f.side is Side.BUY else -f.quantity
            for f in fills
            if world.side_of(f) is book
        )
        assert amount(world, book) == signed
    income = sum(row.amount_usdt for row in world.income())
    assert world.balances().wallet_usdt == world.start_wallet_usdt + income
    if not world.positions():
        paid = sum(f.quantity * f.price * (-1 if f.side is Side.BUY else 1) for f in fills)
        assert sum(f.realized_pnl_usdt for f in fills) == paid
