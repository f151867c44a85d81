"""Indicators: hand arithmetic, TA-Lib's own series, None while warming up."""

from collections.abc import Callable
from math import sqrt

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from data.indicators import Series, atr, bollinger, ema, macd, roc, rsi, sma


def series(*values: float) -> Series:
    """Values as the array a window shows."""
    return np.array(values, dtype=np.float64)


def walk(count: int, seed: int = 7) -> Series:
    """A seeded walk of prices around 100."""
    return 100 + np.random.default_rng(seed).normal(0, 1, count).cumsum()


def test_sma_by_hand() -> None:
    """(2 + 3 + 7) / 3 = 4."""
    assert sma(series(9, 2, 3, 7), 3) == pytest.approx(4.0)


def test_ema_by_hand() -> None:
    """Seed (1 + 2 + 3) / 3 = 2, weight 2/4: 2 + (8 - 2) / 2 = 5."""
    assert ema(series(1, 2, 3, 8), 3) == pytest.approx(5.0)


def test_rsi_by_hand() -> None:
    """Gains 2 and 0, losses 0 and 1 over two bars: averages 1 and 0.5; 100 - 100/3 = 66.67."""
    assert rsi(series(10, 12, 11), 2) == pytest.approx(66.6666667)


def test_roc_by_hand() -> None:
    """From 100 to 110 in two bars: +10 %."""
    assert roc(series(100, 90, 110), 2) == pytest.approx(10.0)


def test_atr_by_hand() -> None:
    """True ranges 3 (13 - 10) and 4 (the gap from 12 down to 8): (3 + 4) / 2 = 3.5."""
    high, low, close = series(11, 13, 9), series(9, 10, 8), series(10, 12, 8.5)
    assert atr(high, low, close, 2) == pytest.approx(3.5)


def test_bollinger_by_hand() -> None:
    """Mean 4, population deviation sqrt((4 + 1 + 9) / 3); bands two of them away."""
    deviation = sqrt(14 / 3)
    bands = bollinger(series(2, 3, 7), 3, 2.0)
    assert bands == pytest.approx((4 + 2 * deviation, 4.0, 4 - 2 * deviation))


def test_macd_of_a_flat_price_is_zero() -> None:
    """Equal averages differ by nothing."""
    assert macd(series(*[5.0] * 40), 12, 26, 9) == pytest.approx((0.0, 0.0, 0.0))


ONE_SERIES: list[tuple[Callable[[Series, int], float | None], Callable[..., Series], int]] = [
    (sma, talib.SMA, 20),
    (ema, talib.EMA, 20),
    (rsi, talib.RSI, 14),
    (roc, talib.ROC, 10),
]


@pytest.mark.parametrize(("ours", "theirs", "bars"), ONE_SERIES)
@given(count=st.integers(1, 80), seed=st.integers(0, 99))
def test_values_are_the_last_of_talibs_series(
    ours: Callable[[Series, int], float | None],
    theirs: Callable[..., Series],
    bars: int,
    count: int,
    seed: int,
) -> None:
    """For any length: TA-Lib's newest value, and None exactly where TA-Lib has none yet."""
    values = walk(count, seed)
    expected = float(theirs(values, timeperiod=bars)[-1])
    assert ours(values, bars) == (None if np.isnan(expected) else expected)


@given(count=st.integers(1, 80), seed=st.integers(0, 99))
def test_several_lines_are_the_last_of_talibs_series(count: int, seed: int) -> None:
    """MACD, Bollinger and ATR agree with TA-Lib at any length, warming up included."""
    close = walk(count, seed)
    high, low = close + 1.0, close - 0.5
    swing = float(talib.ATR(high, low, close, timeperiod=14)[-1])
    assert atr(high, low, close, 14) == (None if np.isnan(swing) else swing)
    lines = tuple(float(line[-1]) for line in talib.MACD(close))
    assert macd(close, 12, 26, 9) == (None if np.isnan(lines).any() else lines)
    bands = talib.BBANDS(close, timeperiod=20, nbdevup=2.0, nbdevdn=2.0)
    last = tuple(float(band[-1]) for band in bands)
    assert bollinger(close, 20, 2.0) == (None if np.isnan(last).any() else last)


def test_nothing_is_made_of_nothing() -> None:
    """Empty windows and windows with a hole in the newest bars have no values."""
    empty = series()
    assert sma(empty, 3) is None
    assert rsi(empty, 3) is None
    assert atr(empty, empty, empty, 3) is None
    assert macd(empty, 12, 26, 9) is None
    assert bollinger(empty, 3, 2.0) is None
    assert sma(series(1, 2, float("nan")), 3) is None
