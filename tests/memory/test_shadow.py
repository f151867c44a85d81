"""Shadows: what a signal that was not taken would have made, by the tape's own path rule."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.candles import price_path
from data.model import Candle, Direction, Signal
from memory.shadow import ShadowEnd, ShadowResult, follow

LONG = Signal(
    signal_id="s",
    bot_id="b",
    strategy="continuation",
    model="continuation",
    symbol="BTCUSDT",
    timeframe="1m",
    bar_open_ms=0,
    raised_ms=60_000,
    direction=Direction.LONG,
    entry_price=Decimal(100),
    stop_price=Decimal(95),
    target_price=Decimal(110),
    score=80.0,
)
SHORT = replace(LONG, direction=Direction.SHORT, stop_price=Decimal(105), target_price=Decimal(90))


def bar(number: int, open_: float, high: float, low: float, close: float) -> Candle:
    """The `number`-th minute after the signal's bar."""
    return Candle(
        symbol="BTCUSDT",
        timeframe="1m",
        open_ms=number * 60_000,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=1.0,
    )


def ended(end: ShadowEnd, price: str, profit: str, number: int) -> ShadowResult:
    """The result at that price in the `number`-th bar."""
    return ShadowResult(
        end=end,
        exit_price=Decimal(price),
        profit_per_unit=Decimal(profit),
        ended_ms=number * 60_000,
    )


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
    ("signal", "bars", "expected"),
    [
        (LONG, [bar(1, 100, 112, 99, 111)], ended(ShadowEnd.TARGET, "110", "10", 1)),
        (LONG, [bar(1, 100, 101, 94, 96)], ended(ShadowEnd.STOP, "95", "-5", 1)),
        # Both are inside the bar: the nearer extreme (94, 6 away) comes before the other (112).
        (LONG, [bar(1, 100, 112, 94, 105)], ended(ShadowEnd.STOP, "95", "-5", 1)),
        (LONG, [bar(1, 105, 112, 94, 105)], ended(ShadowEnd.TARGET, "110", "10", 1)),
        (SHORT, [bar(1, 100, 101, 89, 95)], ended(ShadowEnd.TARGET, "90", "10", 1)),
        (SHORT, [bar(1, 100, 106, 99, 95)], ended(ShadowEnd.STOP, "105", "-5", 1)),
        # An open beyond a level pays the open, for better or worse.
        (
            LONG,
            [bar(1, 100, 101, 99, 100), bar(2, 80, 120, 79, 90)],
            ended(ShadowEnd.STOP, "80.0", "-20.0", 2),
        ),
        (LONG, [bar(1, 112, 113, 90, 91)], ended(ShadowEnd.TARGET, "112.0", "12.0", 1)),
        # Neither: still open, at the last close.
        (
            LONG,
            [bar(1, 100, 101, 99, 100), bar(2, 100, 104, 99, 103)],
            ended(ShadowEnd.OPEN, "103.0", "3.0", 2),
        ),
        # Touching is reaching.
        (LONG, [bar(1, 100, 110, 99, 105)], ended(ShadowEnd.TARGET, "110", "10", 1)),
        (LONG, [bar(1, 100, 101, 95, 99)], ended(ShadowEnd.STOP, "95", "-5", 1)),
    ],
)
def test_what_it_would_have_made(
    signal: Signal, bars: list[Candle], expected: ShadowResult
) -> None:
    """The first level on the path decides, and pays what the market would have paid."""
    read = [replace(c, open=float(c.open), close=float(c.close)) for c in bars]
    assert follow(signal, read) == expected


def test_the_signals_own_bar_and_earlier_ones_do_not_count() -> None:
    """Only candles after the signal's bar are followed; without any there is no result."""
    crash = bar(0, 100, 100, 1, 1)
    assert follow(LONG, [bar(-1, 100, 100, 1, 1), crash]) is None
    assert follow(LONG, []) is None


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
    mirror = replace(
        LONG, direction=Direction.SHORT, stop_price=Decimal(105), target_price=Decimal(90)
    )
    one, other = follow(LONG, bars), follow(mirror, mirrored)
    assert one is not None
    assert other is not None
    assert (one.end, one.profit_per_unit, one.ended_ms) == (
        other.end,
        other.profit_per_unit,
        other.ended_ms,
    )
