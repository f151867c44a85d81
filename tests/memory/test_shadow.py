"""Shadows: what a signal that was not taken would have made, by the tape's own path rule."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.candles import price_path
from data.model import Candle
from memory.shadow import BARS_MAX, Costs, Idea, Moves, ShadowEnd, follow
from tests.memory.shadows import FREE, LONG, MINUTE_MS, SHORT, bar, flat


def ended(idea: Idea, bars: list[Candle], costs: Costs = FREE) -> tuple[ShadowEnd, float, int]:
    """How, at which price, in which bar."""
    result = follow(idea, bars, costs)
    assert result is not None
    return result.end, round(result.exit_price, 6), result.ended_ms // MINUTE_MS


@pytest.mark.parametrize(
    ("candle", "path"),
    [
        (bar(1, 100, 110, 99, 105), (100, 99, 110, 105)),  # the low is nearer
        (bar(1, 100, 101, 90, 95), (100, 101, 90, 95)),  # the high is nearer
        (bar(1, 100, 105, 95, 100), (100, 95, 105, 100)),  # as near: the low first
    ],
)
def test_a_bars_path(candle: Candle, path: tuple[float, ...]) -> None:
    """Open, the nearer extreme, the other, close."""
    assert price_path(candle) == path


@pytest.mark.parametrize(
    ("idea", "bars", "expected"),
    [
        (LONG, [bar(1, 100, 112, 99, 111)], (ShadowEnd.TARGET, 110, 1)),
        (LONG, [bar(1, 100, 101, 94, 96)], (ShadowEnd.STOP, 95, 1)),
        # Both are inside the bar: the nearer extreme (94, 6 away) comes before the other (112).
        (LONG, [bar(1, 100, 112, 94, 105)], (ShadowEnd.STOP, 95, 1)),
        (LONG, [bar(1, 105, 112, 94, 105)], (ShadowEnd.TARGET, 110, 1)),
        (SHORT, [bar(1, 100, 101, 89, 95)], (ShadowEnd.TARGET, 90, 1)),
        (SHORT, [bar(1, 100, 106, 99, 95)], (ShadowEnd.STOP, 105, 1)),
        # An open beyond a level pays the open, for better or worse.
        (LONG, [bar(1, 100, 101, 99, 100), bar(2, 80, 120, 79, 90)], (ShadowEnd.STOP, 80, 2)),
        (LONG, [bar(1, 112, 113, 90, 91)], (ShadowEnd.TARGET, 112, 1)),
        # Touching is reaching.
        (LONG, [bar(1, 100, 110, 99, 105)], (ShadowEnd.TARGET, 110, 1)),
        (LONG, [bar(1, 100, 101, 95, 99)], (ShadowEnd.STOP, 95, 1)),
        # Its time is up at the close of the second bar: entered at 1 min, held two.
        (
            replace(LONG, hold_ms_max=2 * MINUTE_MS),
            [*flat(1, 1), bar(2, 100, 104, 99, 103), bar(3, 103, 111, 103, 111)],
            (ShadowEnd.TIMEOUT, 103, 2),
        ),
        (LONG, flat(1, BARS_MAX + 5, 101), (ShadowEnd.HORIZON, 101, BARS_MAX)),
    ],
)
def test_where_it_would_have_ended(
    idea: Idea, bars: list[Candle], expected: tuple[ShadowEnd, float, int]
) -> None:
    """The first level on the path decides, and pays what the market would have paid."""
    assert ended(idea, bars) == expected


def test_while_nothing_is_reached_it_is_open() -> None:
    """No result, neither without candles nor by the signal's own bar and earlier ones."""
    crash = bar(0, 100, 100, 1, 1)
    assert follow(LONG, [bar(-1, 100, 100, 1, 1), crash]) is None
    assert follow(LONG, []) is None
    assert follow(LONG, flat(1, 20)) is None


def test_fees_and_slippage_of_both_ways() -> None:
    """Every order costs 10 bps of slippage and 5 of fee, whichever way it trades."""
    costs = Costs(fee_bps=5.0, slippage_bps=10.0)
    won = follow(LONG, [bar(1, 100, 112, 99, 111)], costs)
    assert won is not None
    assert won.entry_price == pytest.approx(100.1)  # 100 x 1.001
    assert won.exit_price == pytest.approx(109.89)  # 110 x 0.999
    assert won.fees_per_unit == pytest.approx(0.104995)  # (100.1 + 109.89) x 0.0005
    assert won.profit_per_unit == pytest.approx(9.685005)  # 109.89 - 100.1 - 0.104995
    assert won.risk_multiple == pytest.approx(1.937001)  # / 5
    lost = follow(SHORT, [bar(1, 100, 106, 99, 95)], costs)
    assert lost is not None
    assert lost.entry_price == pytest.approx(99.9)
    assert lost.exit_price == pytest.approx(105.105)
    assert lost.profit_per_unit == pytest.approx(-5.3075025)  # 99.9 - 105.105 - 0.1025025


@pytest.mark.parametrize(
    ("bars", "expected"),
    [
        # Filled at the open, which is better than asked.
        ([bar(1, 98, 99, 97, 98), bar(2, 98, 111, 98, 111)], (ShadowEnd.TARGET, 110, 2)),
        # Filled on the way down, stopped in the same bar.
        ([bar(1, 101, 101.5, 94, 96)], (ShadowEnd.STOP, 95, 1)),
        # The high came before the entry was touched: it does not count.
        ([bar(1, 106, 111, 99, 100)], None),
        # Never touched within its two minutes.
        (flat(1, 4, 105), (ShadowEnd.UNFILLED, 0, 2)),
    ],
)
def test_a_limit_entry_waits_to_be_touched(
    bars: list[Candle], expected: tuple[ShadowEnd, float, int] | None
) -> None:
    """It fills at its price or better, only in its time, and only what comes after counts."""
    idea = replace(LONG, limit_ms=2 * MINUTE_MS)
    if expected is None:
        assert follow(idea, bars, FREE) is None
    else:
        assert ended(idea, bars) == expected


def test_of_a_bar_longer_than_the_entry_waits_only_the_open_counts() -> None:
    """Nobody can say whether the touch came within the first seconds: it is not made up."""
    idea = replace(LONG, limit_ms=5_000)
    assert ended(idea, [bar(1, 101, 102, 99, 100)]) == (ShadowEnd.UNFILLED, 0, 1)
    assert ended(idea, [bar(1, 100, 101, 94, 95)]) == (ShadowEnd.STOP, 95, 1)


def test_break_even_makes_a_losing_end_a_free_one() -> None:
    """Up one risk (105) and back: the stop waits at the entry and 10 bps."""
    idea = replace(LONG, moves=Moves(break_even_risks=1.0, break_even_bps=10.0))
    bars = [bar(1, 100, 105.2, 99, 105), bar(2, 105, 105, 94, 94)]
    assert ended(idea, bars) == (ShadowEnd.STOP, 100.1, 2)
    assert ended(LONG, bars) == (ShadowEnd.STOP, 95, 2)


def test_a_trailing_stop_follows_in_fifths() -> None:
    """From one risk up at a distance of 4: at 108.9 it stands at 104.2, five steps of 0.8 on."""
    idea = replace(LONG, moves=Moves(trail_offset=4.0, trail_from_risks=1.0))
    bars = [bar(1, 100, 108.9, 99, 108), bar(2, 108, 108, 94, 94)]
    # It begins at 105 with 101; each 0.8 more moves it: 101.8, 102.6, 103.4, 104.2 (at 108.2).
    assert ended(idea, bars) == (ShadowEnd.STOP, 104.2, 2)
    mirrored = replace(idea, direction=SHORT.direction, stop_price=105.0, target_price=90.0)
    bars = [bar(1, 100, 101, 91.1, 92), bar(2, 92, 106, 92, 106)]
    assert ended(mirrored, bars) == (ShadowEnd.STOP, 95.8, 2)


def test_the_exchanges_own_trailing_stop_is_played() -> None:
    """Active from one risk up, two percent behind the best price: 108 x 0.98."""
    idea = replace(LONG, moves=Moves(callback_pct=2.0, callback_from_risks=1.0))
    bars = [bar(1, 100, 104, 99, 103), bar(2, 103, 108, 103, 107), bar(3, 107, 107, 90, 90)]
    assert ended(idea, bars) == (ShadowEnd.STOP, 105.84, 3)


prices = st.integers(80, 120).map(float)


@given(st.lists(st.tuples(prices, prices, prices, prices), min_size=1, max_size=12))
def test_long_and_short_mirror_each_other(rows: list[tuple[float, ...]]) -> None:
    """On prices mirrored at the entry a short makes what the long makes, ties of extremes aside."""
    bars, mirrored = [], []
    for number, (a, b, c, d) in enumerate(rows, start=1):
        high, low = max(a, b, c, d), min(a, b, c, d)
        if a - low == high - a:
            return
        bars.append(bar(number, a, high, low, d))
        mirrored.append(bar(number, 200 - a, 200 - low, 200 - high, 200 - d))
    moves = Moves(break_even_risks=1.0, trail_offset=3.0, trail_from_risks=0.5)
    one = follow(replace(LONG, moves=moves), bars, FREE)
    other = follow(replace(SHORT, moves=moves), mirrored, FREE)
    if one is None or other is None:
        assert one is other
        return
    assert (one.end, one.ended_ms) == (other.end, other.ended_ms)
    assert one.profit_per_unit == pytest.approx(other.profit_per_unit)
