"""Bars in every timeframe: aggregation, the open bar, bounds."""

from itertools import islice

import pytest

from bot.sandbox.exchange_history import BARS_MAX, Bar, History, Series, bar_steps
from bot.sandbox.tape import path_of
from bot.sandbox.tape_walk import WalkTape

START_MS = 1_746_403_200_000
MINUTE = 60_000


def played(minutes: int) -> tuple[History, list[Bar]]:
    """A history of one walked symbol and its minutes."""
    tape = WalkTape(5, ("BTCUSDT",))
    history = History(("BTCUSDT",), "1m")
    bars = []
    for row in islice(tape.rows(), minutes):
        one = row.candles[0]
        bar = Bar(one.open_ms, one.open, one.high, one.low, one.close, one.volume)
        history.close("BTCUSDT", bar)
        bars.append(bar)
    return history, bars


def test_longer_bars_are_their_minutes() -> None:
    """A closed hour has its first open, last close, extremes and summed volume."""
    history, minutes = played(130)
    hours = history.bars("BTCUSDT", "1h", None, None, 10)
    assert [h.open_ms for h in hours] == [START_MS, START_MS + 60 * MINUTE, START_MS + 120 * MINUTE]
    second = minutes[60:120]
    assert hours[1].open == second[0].open
    assert hours[1].close == second[-1].close
    assert hours[1].high == max(m.high for m in second)
    assert hours[1].low == min(m.low for m in second)
    assert hours[1].volume == pytest.approx(sum(m.volume for m in second))
    assert hours[2].volume == pytest.approx(sum(m.volume for m in minutes[120:]))


def test_open_bar_is_the_last_row_and_moves() -> None:
    """The bar being built shows in its own and in longer timeframes."""
    history, minutes = played(62)
    moving = Bar(START_MS + 62 * MINUTE, 1e6, 2e6, 1.0, 5.0, 1.0)
    history.update("BTCUSDT", moving)
    assert history.bars("BTCUSDT", "1m", None, None, 2)[-1] == moving
    hour = history.bars("BTCUSDT", "1h", None, None, 1)[0]
    assert (hour.high, hour.low, hour.close) == (2e6, 1.0, 5.0)
    assert hour.open == minutes[60].open
    assert history.bars("BTCUSDT", "30s", None, None, 5) == []


def test_bounds_choose_rows() -> None:
    """A start keeps the oldest rows, no start the newest, an end is included."""
    history, _ = played(100)
    since = history.bars("BTCUSDT", "1m", START_MS + 10 * MINUTE, None, 3)
    assert [b.open_ms for b in since] == [START_MS + i * MINUTE for i in (10, 11, 12)]
    until = history.bars("BTCUSDT", "1m", None, START_MS + 10 * MINUTE, 3)
    assert [b.open_ms for b in until] == [START_MS + i * MINUTE for i in (8, 9, 10)]


def test_series_is_bounded_and_keeps_the_newest() -> None:
    """Beyond the bound the older half goes."""
    series = Series()
    for index in range(BARS_MAX + 10):
        series.append(Bar(index, 1.0, 1.0, 1.0, 1.0, 1.0))
    assert len(series.rows) == BARS_MAX
    newest = series.between(None, None, 1500)
    assert [b.open_ms for b in newest] == list(range(BARS_MAX - 1490, BARS_MAX + 10))


def test_day_is_rolling() -> None:
    """Twenty-four hours of minutes, no more."""
    history, minutes = played(1500)
    day = history.day("BTCUSDT", START_MS + 1500 * MINUTE)
    assert day is not None
    assert day.open == minutes[60].open
    assert day.high == max(m.high for m in minutes[60:])
    assert day.close == minutes[-1].close


def test_steps_of_a_candle_end_as_the_candle() -> None:
    """Four steps; the last one is the whole bar in its last millisecond."""
    candle = next(WalkTape(2, ("BTCUSDT",)).rows()).candles[0]
    steps = bar_steps(candle, path_of(candle))
    assert [moment - candle.open_ms for moment, _ in steps] == [0, 20_000, 40_000, 59_999]
    last = steps[-1][1]
    assert (last.high, last.low, last.close) == (candle.high, candle.low, candle.close)
    assert last.volume == candle.volume
