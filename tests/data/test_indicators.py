"""Indicators: hand arithmetic, TA-Lib's own series, None while warming up."""

from collections.abc import Callable
from math import sqrt

import numpy as np
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from data.indicators import (
    Series,
    adx,
    atr,
    bollinger,
    ema,
    macd,
    macd_bars,
    roc,
    rsi,
    sma,
    tail_bars,
)


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


OF_CLOSES: list[tuple[Callable[[Series, int], float | None], Callable[..., Series], int, int]] = [
    (sma, talib.SMA, 20, 20),
    (ema, talib.EMA, 20, tail_bars(20)),
    (rsi, talib.RSI, 14, tail_bars(14)),
    (roc, talib.ROC, 10, 11),
]
OF_RANGES: list[tuple[Callable[..., float | None], Callable[..., Series]]] = [
    (atr, talib.ATR),
    (adx, talib.ADX),
]
FORGOTTEN = 1e-5  # what history before the tail may weigh, as a share of the value


def last(series: Series) -> float | None:
    """TA-Lib's newest value, None where it has none yet."""
    return None if np.isnan(series[-1]) else float(series[-1])


def assert_near(ours: float | None, whole: float | None) -> None:
    """Equal but for what is forgotten; None where the other is None."""
    if ours is None or whole is None:
        assert ours is whole
    else:
        assert ours == pytest.approx(whole, rel=FORGOTTEN, abs=1e-9)


@pytest.mark.parametrize(("ours", "theirs", "bars", "tail"), OF_CLOSES)
@given(count=st.integers(1, 400), seed=st.integers(0, 99))
def test_values_of_closes_are_talibs_own(
    ours: Callable[[Series, int], float | None],
    theirs: Callable[..., Series],
    bars: int,
    tail: int,
    count: int,
    seed: int,
) -> None:
    """Bit for bit TA-Lib's value of the tail, its whole series' but for what is forgotten."""
    values = walk(count, seed)
    assert ours(values, bars) == last(theirs(values[-tail:], timeperiod=bars))
    assert_near(ours(values, bars), last(theirs(values, timeperiod=bars)))


@pytest.mark.parametrize(("ours", "theirs"), OF_RANGES)
@given(count=st.integers(1, 400), seed=st.integers(0, 99))
def test_values_of_ranges_are_talibs_own(
    ours: Callable[..., float | None], theirs: Callable[..., Series], count: int, seed: int
) -> None:
    """ATR and ADX too; None exactly where TA-Lib has no value yet."""
    close = walk(count, seed)
    high, low, tail = close + 1.0, close - 0.5, tail_bars(14)
    whole = (high, low, close)
    assert ours(*whole, 14) == last(theirs(*(s[-tail:] for s in whole), timeperiod=14))
    assert_near(ours(*whole, 14), last(theirs(*whole, timeperiod=14)))


@given(count=st.integers(1, 400), seed=st.integers(0, 99))
def test_several_lines_are_talibs_own(count: int, seed: int) -> None:
    """MACD and Bollinger agree with TA-Lib at any length, warming up included."""
    close = walk(count, seed)
    lines = [last(line) for line in talib.MACD(close[-macd_bars(26, 9) :])]
    assert macd(close, 12, 26, 9) == (None if None in lines else tuple(lines))
    if None not in lines:
        whole = tuple(float(line[-1]) for line in talib.MACD(close))
        assert macd(close, 12, 26, 9) == pytest.approx(whole, abs=1e-6)
    bands = talib.BBANDS(close[-20:], timeperiod=20, nbdevup=2.0, nbdevdn=2.0)
    assert bollinger(close, 20, 2.0) == (
        None if np.isnan(bands[0][-1]) else tuple(float(band[-1]) for band in bands)
    )


@given(seed=st.integers(0, 99), longer=st.integers(1, 500))
def test_what_is_before_the_tail_counts_for_nothing(seed: int, longer: int) -> None:
    """The same newest bars give the same number to the last bit, however long the history is.

    So a live window of 500 bars and a replay of a year agree.
    """
    close = walk(420, seed)
    before = 50 + 100 * np.random.default_rng(seed + 1).random(longer)
    values = np.concatenate([before, close])
    high, low = values + 1.0, values - 0.5
    short_high, short_low = close + 1.0, close - 0.5
    assert sma(values, 20) == sma(close, 20)
    assert ema(values, 20) == ema(close, 20)
    assert rsi(values, 14) == rsi(close, 14)
    assert roc(values, 10) == roc(close, 10)
    assert atr(high, low, values, 14) == atr(short_high, short_low, close, 14)
    assert adx(high, low, values, 14) == adx(short_high, short_low, close, 14)
    assert macd(values, 12, 26, 9) == macd(close, 12, 26, 9)
    assert bollinger(values, 20, 2.0) == bollinger(close, 20, 2.0)


def test_a_coin_of_tiny_price_has_bands_too() -> None:
    """Prices a billion times smaller give bands a billion times nearer, not a line."""
    close = walk(40)
    bands, tiny = bollinger(close, 20, 2.0), bollinger(close * 1e-9, 20, 2.0)
    assert bands is not None
    assert tiny == pytest.approx(tuple(band * 1e-9 for band in bands), rel=1e-9)


def test_nothing_is_made_of_nothing() -> None:
    """Empty windows and windows with a hole in the newest bars have no values."""
    empty = series()
    assert sma(empty, 3) is None
    assert rsi(empty, 3) is None
    assert atr(empty, empty, empty, 3) is None
    assert macd(empty, 12, 26, 9) is None
    assert bollinger(empty, 3, 2.0) is None
    assert sma(series(1, 2, float("nan")), 3) is None
