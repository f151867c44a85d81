"""Indicators by TA-Lib over float64 arrays, oldest first: the newest value, None while warming up.

Must not know: symbols, timeframes, or what a value is good for.
"""

from math import isfinite

import numpy as np
import talib
from numpy.typing import NDArray

Series = NDArray[np.float64]


def sma(values: Series, bars: int) -> float | None:
    """Simple moving average of the last `bars` values."""
    return _last(talib.SMA(values, timeperiod=bars)) if len(values) >= bars else None


def ema(values: Series, bars: int) -> float | None:
    """Exponential moving average, seeded with the simple one as TA-Lib does."""
    return _last(talib.EMA(values, timeperiod=bars)) if len(values) >= bars else None


def rsi(values: Series, bars: int) -> float | None:
    """Wilder's relative strength index, 0..100."""
    return _last(talib.RSI(values, timeperiod=bars)) if len(values) > bars else None


def roc(values: Series, bars: int) -> float | None:
    """Rate of change over `bars`, in percent."""
    return _last(talib.ROC(values, timeperiod=bars)) if len(values) > bars else None


def atr(high: Series, low: Series, close: Series, bars: int) -> float | None:
    """Wilder's average true range, in price units."""
    if len(close) <= bars:
        return None
    return _last(talib.ATR(high, low, close, timeperiod=bars))


def macd(values: Series, fast: int, slow: int, signal: int) -> tuple[float, float, float] | None:
    """(MACD line, its signal line, their difference)."""
    if len(values) < slow + signal - 1:
        return None
    lines = talib.MACD(values, fastperiod=fast, slowperiod=slow, signalperiod=signal)
    return _last_three(*lines)


def bollinger(values: Series, bars: int, deviations: float) -> tuple[float, float, float] | None:
    """(upper, middle, lower) band: the simple average and `deviations` standard deviations."""
    if len(values) < bars:
        return None
    bands = talib.BBANDS(values, timeperiod=bars, nbdevup=deviations, nbdevdn=deviations)
    return _last_three(*bands)


def _last(series: Series) -> float | None:
    value = float(series[-1])
    return value if isfinite(value) else None


def _last_three(a: Series, b: Series, c: Series) -> tuple[float, float, float] | None:
    first, second, third = _last(a), _last(b), _last(c)
    if first is None or second is None or third is None:
        return None
    return first, second, third
