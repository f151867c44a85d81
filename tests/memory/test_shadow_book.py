"""The book of open shadows: the same results as following each alone, and honest about holes."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.model import Candle, Direction
from memory.shadow import STILL, Costs, Idea, Moves, ShadowEnd, ShadowResult, follow
from memory.shadow_book import Heard, ShadowBook
from tests.memory.shadows import LONG, MINUTE_MS, bar, flat


def hear(book: ShadowBook, candle: Candle) -> Heard:
    """A bar, and at once a look at all that it touched."""
    book.hear(candle)
    return book.look(10_000)


def walk(seed: int, count: int) -> list[Candle]:
    """A seeded market around 100, minute by minute."""
    dice, price, bars = Random(seed), 100.0, []
    for number in range(1, count + 1):
        opened, price = price, price + dice.gauss(0, 1.2)
        high = max(opened, price) + abs(dice.gauss(0, 0.6))
        low = min(opened, price) - abs(dice.gauss(0, 0.6))
        bars.append(bar(number, opened, high, low, price))
    return bars


def idea(dice: Random, number: int, bars: int) -> Idea:
    """An idea of any kind, made at any of the bars."""
    sign = dice.choice((1, -1))
    entry = 100 + dice.gauss(0, 1)
    moves = dice.choice(
        (
            Moves(),
            STILL,
            Moves(break_even_risks=0.5, break_even_bps=10.0),
            Moves(trail_pct=1.5, trail_from_risks=0.5),
            Moves(trail_offset=2.0, break_even_risks=1.0),
            Moves(callback_pct=1.0, callback_from_risks=dice.choice((0.0, 0.7))),
        )
    )
    return replace(
        LONG,
        shadow_id=f"s{number}",
        direction=Direction.LONG if sign > 0 else Direction.SHORT,
        after_ms=dice.randrange(0, bars) * MINUTE_MS,
        entry_price=entry,
        stop_price=entry - sign * dice.uniform(1, 6),
        target_price=entry + sign * dice.uniform(1, 9),
        limit_ms=dice.choice((0, 0, 3 * MINUTE_MS)),
        hold_ms_max=dice.choice((0, 0, 15 * MINUTE_MS)),
        moves=moves,
    )


@given(st.integers(0, 10_000))
def test_bar_by_bar_equals_each_alone(seed: int) -> None:
    """Whatever is taken whenever, the book ends it where following it alone does."""
    dice, bars, costs = Random(seed), walk(seed, 60), Costs()
    waiting = [idea(dice, number, 40) for number in range(12)]
    alone = {one.shadow_id: follow(one, bars, costs) for one in waiting}
    book = ShadowBook(costs)
    found: dict[str, ShadowResult | None] = {one.shadow_id: None for one in waiting}
    for count, candle in enumerate(bars, start=1):
        for ended, result in hear(book, candle).ended:
            found[ended.shadow_id] = result
        # Each is taken some bars after its own, as a card that expires late is.
        late = [one for one in waiting if one.after_ms // MINUTE_MS + 2 <= count]
        waiting = [one for one in waiting if one not in late]
        for one in late:
            found[one.shadow_id] = book.take(one, bars[:count])
    assert found == alone
    assert {one.shadow_id for one in book.ideas()} == {k for k, v in found.items() if v is None}


def test_a_hole_in_the_bars_hands_the_series_back() -> None:
    """What would have happened in it is not made up."""
    book = ShadowBook(Costs())
    assert book.take(LONG, flat(1, 3)) is None
    heard = hear(book, bar(5, 100, 101, 99, 100))
    assert heard.gapped == (LONG,)
    assert len(book) == 0


def test_bars_that_do_not_reach_back_are_unknown() -> None:
    """A restart after too long: the first bar it needs is not there any more, or one between."""
    book = ShadowBook(Costs())
    for bars in (flat(2, 9), [*flat(1, 3), *flat(5, 9)]):
        result = book.take(LONG, bars)
        assert result is not None
        assert result.end is ShadowEnd.UNKNOWN
    assert len(book) == 0


def test_a_bar_told_twice_counts_once() -> None:
    """Repeats and bars from before are nothing new; neither are those of other symbols."""
    book = ShadowBook(Costs())
    assert book.take(LONG, flat(1, 3)) is None
    for candle in (
        bar(3, 100, 200, 1, 100),
        bar(4, 100, 200, 1, 100, symbol="ETHUSDT"),
        bar(4, 100, 200, 1, 100, timeframe="5m"),
    ):
        heard = hear(book, candle)
        assert not heard.ended
        assert not heard.gapped
    assert "s" in book


def test_what_is_dropped_is_not_followed() -> None:
    """It ends nowhere, and the others go on."""
    book = ShadowBook(Costs())
    ideas = [replace(LONG, shadow_id=f"s{number}") for number in range(20)]
    for one in ideas:
        book.take(one, [])
    for one in ideas[::2]:
        book.drop(one.shadow_id)
    book.drop("nobody")
    ended = hear(book, bar(1, 100, 101, 90, 95)).ended
    assert sorted(one.shadow_id for one, _ in ended) == sorted(i.shadow_id for i in ideas[1::2])
    assert len(book) == 0


def test_the_same_shadow_is_not_taken_twice() -> None:
    """That would count it twice."""
    book = ShadowBook(Costs())
    book.take(LONG, [])
    with pytest.raises(AssertionError, match="already"):
        book.take(LONG, [])


def test_a_crash_is_looked_at_in_parts() -> None:
    """One bar ends 250: a hundred at a time, and before the next bar all that are left."""
    book = ShadowBook(Costs())
    for number in range(250):
        book.take(replace(LONG, shadow_id=f"s{number}"), [])
    assert book.hear(bar(1, 100, 101, 90, 95))
    first = book.look()
    assert (len(first.ended), first.more) == (100, True)
    book.hear(bar(2, 95, 200, 95, 200))
    rest = book.look()
    assert (len(rest.ended), rest.more, len(book)) == (150, False, 0)
    assert {result.end for _, result in (*first.ended, *rest.ended)} == {ShadowEnd.STOP}


def test_a_bar_inside_every_band_leaves_nothing_to_look_at() -> None:
    """That is what makes it cheap."""
    book = ShadowBook(Costs())
    book.take(LONG, [])
    assert not book.hear(bar(1, 100, 109.9, 95.1, 100))
    assert book.hear(bar(2, 100, 110, 99, 100))
