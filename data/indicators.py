"""Indicators by TA-Lib over float64 arrays, oldest first: the newest value, None while warming up.

Each reads a tail of fixed length and nothing before it, so the same newest bars give the same
number to the last bit, however long the history behind them is: in a live window of 500 bars, in a
replay of a year. Averages without memory (sma, roc, bollinger) read exactly their `bars`; averages
that never quite forget (ema, rsi, atr, adx, macd) read `tail_bars(bars)`, after which what came
before weighs less than 0.00001 of the value. Shorter histories give TA-Lib's value of what there
is. See docs/decisions/0012-indicators-read-a-fixed-tail.md for the figures.

Must not know: symbols, timeframes, or what a value is good for.
"""

from math import isfinite
from typing import Final

import numpy as np
import talib
from numpy.typing import NDArray

Series = NDArray[np.float64]

TAIL_PERIODS: Final = 16


def tail_bars(bars: int) -> int:
    """How many of the newest values an average with memory reads."""
    return bars * TAIL_PERIODS


def sma(values: Series, bars: int) -> float | None:
    """Simple moving average of the last `bars` values."""
    return _last(talib.SMA(values[-bars:], timeperiod=bars)) if len(values) >= bars else None


def ema(values: Series, bars: int) -> float | None:
    """Exponential moving average, seeded with the simple one as TA-Lib does."""
    if len(values) < bars:
        return None
    return _last(talib.EMA(values[-tail_bars(bars) :], timeperiod=bars))


def rsi(values: Series, bars: int) -> float | None:
    """Wilder's relative strength index, 0..100."""
    if len(values) <= bars:
        return None
    return _last(talib.RSI(values[-tail_bars(bars) :], timeperiod=bars))


def roc(values: Series, bars: int) -> float | None:
    """Rate of change over `bars`, in percent."""
    return _last(talib.ROC(values[-bars - 1 :], timeperiod=bars)) if len(values) > bars else None


def atr(high: Series, low: Series, close: Series, bars: int) -> float | None:
    """Wilder's average true range, in price units."""
    if len(close) <= bars:
        return None
    n = tail_bars(bars)
    return _last(talib.ATR(high[-n:], low[-n:], close[-n:], timeperiod=bars))


def adx(high: Series, low: Series, close: Series, bars: int) -> float | None:
    """Wilder's average directional index, 0..100: how strong a trend is, whichever way it goes."""
    if len(close) < 2 * bars:
        return None
    n = tail_bars(bars)
    return _last(talib.ADX(high[-n:], low[-n:], close[-n:], timeperiod=bars))


def macd(values: Series, fast: int, slow: int, signal: int) -> tuple[float, float, float] | None:
    """(MACD line, its signal line, their difference)."""
    if len(values) < slow + signal - 1:
        return None
    tail = values[-macd_bars(slow, signal) :]
    lines = talib.MACD(tail, fastperiod=fast, slowperiod=slow, signalperiod=signal)
    return _last_three(*lines)


def macd_bars(slow: int, signal: int) -> int:
    """How many of the newest values `macd` reads."""
    return (slow + signal - 1) * TAIL_PERIODS // 2


def bollinger(values: Series, bars: int, deviations: float) -> tuple[float, float, float] | None:
    """(upper, middle, lower) band: the simple average and `deviations` standard deviations."""
    if len(values) < bars:
        return None
    bands = talib.BBANDS(values[-bars:], timeperiod=bars, nbdevup=deviations, nbdevdn=deviations)
    return _last_three(*bands)


def _last(series: Series) -> float | None:
    value = float(series[-1])
    return value if isfinite(value) else None


def _last_three(a: Series, b: Series, c: Series) -> tuple[float, float, float] | None:
    first, second, third = _last(a), _last(b), _last(c)
    if first is None or second is None or third is None:
        return None
    return first, second, third
