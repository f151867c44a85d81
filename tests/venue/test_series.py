"""Bars join in order and once, whatever order they come in."""

from random import Random

import pytest

from bot.venue.series import Heard, Series
from data.candles import CandleWindow
from data.model import Candle

MINUTE = 60_000


def bar(minute: int, *, closed: bool = True) -> Candle:
    """A one-minute bar."""
    return Candle(
        symbol="X",
        timeframe="1m",
        open_ms=minute * MINUTE,
        open=1.0,
        high=2.0,
        low=0.5,
        close=1.5,
        volume=1.0,
        closed=closed,
    )


def _series(delivered: list[Candle]) -> Series:
    return Series(
        symbol="X",
        timeframe="1m",
        make_window=CandleWindow,
        deliver=delivered.append,
    )


def _minutes(series: Series) -> list[int]:
    assert series.window is not None
    return [int(open_ms) // MINUTE for open_ms in series.window.open_ms]


def test_history_is_kept_and_not_delivered() -> None:
    """The warm-up is the past: nobody acts on it."""
    delivered: list[Candle] = []
    series = _series(delivered)
    assert series.is_gapped
    assert series.fill([bar(1), bar(2)])
    assert (_minutes(series), delivered, series.is_gapped) == ([1, 2], [], False)


def test_a_bar_that_closes_while_warming_up_is_delivered_after_it() -> None:
    """It waits, then joins in its place."""
    delivered: list[Candle] = []
    series = _series(delivered)
    assert series.hear(bar(3)) is Heard.WAITING
    series.fill([bar(1), bar(2)])
    assert (_minutes(series), [c.open_ms for c in delivered]) == ([1, 2, 3], [3 * MINUTE])


def test_live_bars_are_delivered_once() -> None:
    """A repeated or a late closed bar changes nothing."""
    delivered: list[Candle] = []
    series = _series(delivered)
    series.fill([bar(1), bar(2)])
    assert series.hear(bar(3, closed=False)) is Heard.TAKEN
    assert series.hear(bar(3)) is Heard.TAKEN
    assert series.hear(bar(3)) is Heard.REPEATED
    assert series.hear(bar(2)) is Heard.LATE
    assert (_minutes(series), len(delivered)) == ([1, 2, 3], 1)


def test_a_gap_is_seen_on_the_next_open_bar_and_healed_with_the_missing_part() -> None:
    """The open bar of minute 5 tells that 3 and 4 were missed; nothing else is asked for."""
    delivered: list[Candle] = []
    series = _series(delivered)
    series.fill([bar(1), bar(2)])
    assert series.hear(bar(5, closed=False)) is Heard.GAP
    assert series.missing_from_ms == 3 * MINUTE
    assert series.hear(bar(5)) is Heard.WAITING
    assert series.is_gapped
    assert series.fill([bar(3), bar(4)])
    assert [c.open_ms // MINUTE for c in delivered] == [3, 4, 5]
    assert not series.is_gapped


def test_a_fill_that_does_not_reach_back_starts_anew() -> None:
    """A window is never joined over a hole."""
    series = _series([])
    series.fill([bar(1), bar(2)])
    assert not series.fill([bar(4)])
    assert series.window is None
    assert series.missing_from_ms is None


def test_history_with_a_hole_keeps_what_is_whole() -> None:
    """Bars the exchange itself lacks cut the window."""
    series = _series([])
    assert series.fill([bar(1), bar(2), bar(5), bar(6)])
    assert _minutes(series) == [5, 6]


def test_a_bar_off_the_grid_is_refused() -> None:
    """A bar that opens between two minutes belongs to nobody."""
    series = _series([])
    series.fill([bar(1)])
    odd = Candle(
        symbol="X",
        timeframe="1m",
        open_ms=2 * MINUTE + 1,
        open=1.0,
        high=1.0,
        low=1.0,
        close=1.0,
        volume=0.0,
    )
    assert series.hear(odd) is Heard.OFF_GRID


@pytest.mark.parametrize("seed", range(30))
def test_any_order_of_arrival_gives_the_same_window(seed: int) -> None:
    """Shuffled, repeated and lost closed bars with fills in between: all, once, in order."""
    dice = Random(seed)
    delivered: list[Candle] = []
    series = _series(delivered)
    series.fill([bar(0)])
    coming = [bar(minute) for minute in range(1, 30) if dice.random() < 0.8] * 2
    dice.shuffle(coming)
    for candle in coming:
        series.hear(candle)
        if dice.random() < 0.3:
            start = (series.missing_from_ms or 0) // MINUTE
            series.fill(
                [bar(minute) for minute in range(start, min(40, start + dice.randrange(4)))]
            )
    start = (series.missing_from_ms or 0) // MINUTE
    series.fill([bar(minute) for minute in range(start, 40)])
    assert _minutes(series) == list(range(40))
    assert [c.open_ms // MINUTE for c in delivered] == list(range(1, 40))


def test_overdue_counts_from_the_close_of_the_next_bar() -> None:
    """Bar 1 is known; bar 2 should be closed at the start of minute 3."""
    series = _series([])
    assert series.overdue_ms(10 * MINUTE) == 0
    series.fill([bar(1)])
    assert series.overdue_ms(3 * MINUTE + 500) == 500
