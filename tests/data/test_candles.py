"""Candle windows: bounded, in order, without gaps, and nobody can write into what is shown."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.candles import CandleWindow, Fit, Verdict, timeframe_ms
from data.model import Candle

MINUTE = 60_000


def bar(number: int, *, closed: bool = True) -> Candle:
    """The `number`-th minute bar; its prices tell which one it is."""
    return Candle(
        symbol="BTCUSDT",
        timeframe="1m",
        open_ms=number * MINUTE,
        open=number + 0.1,
        high=number + 0.4,
        low=number + 0.0,
        close=number + 0.3,
        volume=number + 0.5,
        closed=closed,
    )


def window_of(*numbers: int, capacity: int = 500) -> CandleWindow:
    """A window that took these bars."""
    window = CandleWindow("BTCUSDT", "1m", capacity=capacity)
    for number in numbers:
        assert window.append(bar(number)).fit is Fit.APPENDED
    return window


@pytest.mark.parametrize(
    ("timeframe", "length_ms"),
    [
        ("1m", 60_000),
        ("30m", 1_800_000),
        ("4h", 14_400_000),
        ("1d", 86_400_000),
        ("1w", 604_800_000),
    ],
)
def test_timeframes_have_lengths(timeframe: str, length_ms: int) -> None:
    """A timeframe's text says how long a bar is."""
    assert timeframe_ms(timeframe) == length_ms


@pytest.mark.parametrize("text", ["", "m", "0m", "1", "1M", "-1m", "1.5h", "٣m", "1 m"])
def test_what_is_no_timeframe_is_refused(text: str) -> None:
    """Anything else is named in the refusal; a month has no fixed length."""
    with pytest.raises(ValueError, match="is no timeframe"):
        timeframe_ms(text)


@given(st.integers(1, 7), st.integers(0, 40))
def test_the_window_holds_the_newest_bars_oldest_first(capacity: int, count: int) -> None:
    """After any number of appends the views are the last `capacity` bars, in order and aligned."""
    window = window_of(*range(1, count + 1), capacity=capacity)
    kept = list(range(1, count + 1))[-capacity:]
    assert len(window) == len(kept)
    assert window.open_ms.tolist() == [n * MINUTE for n in kept]
    assert window.open.tolist() == [n + 0.1 for n in kept]
    assert window.high.tolist() == [n + 0.4 for n in kept]
    assert window.low.tolist() == [n + 0.0 for n in kept]
    assert window.close.tolist() == [n + 0.3 for n in kept]
    assert window.volume.tolist() == [n + 0.5 for n in kept]
    assert window.last_open_ms == (kept[-1] * MINUTE if kept else None)


def test_views_are_contiguous_float64_and_read_only() -> None:
    """TA-Lib takes them as they are, and no strategy can change a shared price."""
    window = window_of(*range(1, 20), capacity=6)
    for view in (window.open, window.high, window.low, window.close, window.volume):
        assert view.dtype == np.float64
        assert view.flags.c_contiguous
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1.0
    assert window.open_ms.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        window.open_ms[0] = 1


@pytest.mark.parametrize(
    ("candle", "verdict"),
    [
        (bar(11), Verdict(fit=Fit.APPENDED)),
        (bar(10), Verdict(fit=Fit.REPEAT)),
        (bar(9), Verdict(fit=Fit.LATE)),
        (replace(bar(11), open_ms=11 * MINUTE + 1), Verdict(fit=Fit.LATE)),
        (
            bar(12),
            Verdict(fit=Fit.GAP, missing_from_ms=11 * MINUTE, missing_to_ms=11 * MINUTE),
        ),
        (
            bar(20),
            Verdict(fit=Fit.GAP, missing_from_ms=11 * MINUTE, missing_to_ms=19 * MINUTE),
        ),
        (bar(11, closed=False), Verdict(fit=Fit.NOT_CLOSED)),
    ],
)
def test_each_bar_is_told_how_it_fits(candle: Candle, verdict: Verdict) -> None:
    """After bar 10 only bar 11 is appended; a gap names the first and last missing bar."""
    window = window_of(9, 10)
    assert window.append(candle) == verdict
    assert len(window) == (3 if verdict.fit is Fit.APPENDED else 2)


def test_the_bar_being_built_is_kept_apart() -> None:
    """It never enters the closed bars, and is gone once its closed form has come."""
    window = window_of(1)
    window.append(bar(2, closed=False))
    assert window.provisional == bar(2, closed=False)
    assert window.close.tolist() == [1.3]
    window.append(bar(1, closed=False))
    assert window.provisional == bar(2, closed=False)
    window.append(bar(2))
    assert window.provisional is None


def test_a_bar_of_another_symbol_is_a_bug() -> None:
    """A window belongs to one symbol."""
    with pytest.raises(AssertionError, match="ETHUSDT came to BTCUSDT"):
        window_of(1).append(replace(bar(2), symbol="ETHUSDT"))
