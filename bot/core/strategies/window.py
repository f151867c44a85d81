"""What every strategy is given: a window of closed bars, and for whom it looks at them.

Must not know: any strategy, or where the bars come from.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data.indicators import sma
from data.model import Candle, Direction, Instrument


class Bars(Protocol):
    """Closed bars of one symbol and timeframe, oldest first, as contiguous arrays (n,)."""

    @property
    def open_ms(self) -> NDArray[np.int64]: ...
    @property
    def open(self) -> NDArray[np.float64]: ...
    @property
    def high(self) -> NDArray[np.float64]: ...
    @property
    def low(self) -> NDArray[np.float64]: ...
    @property
    def close(self) -> NDArray[np.float64]: ...
    @property
    def volume(self) -> NDArray[np.float64]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The beginning of a window, as arrays that share its memory."""

    open_ms: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """For whom a window is looked at, and what else is known at that moment.

    `trend`: closed bars of `trend_timeframe`, those only that had closed before the newest bar of
    the window began, so live and replay see the same ones; None while they are missing.
    """

    bot_id: str
    timeframe: str
    instrument: Instrument  # its tick is what prices are rounded to
    now_ms: int
    trend_timeframe: str = ""  # "": the bot follows one timeframe only
    trend: Bars | None = None
    news_score: float | None = None  # -1 (all bad) to +1; None: no news, or no source
    provisional: Candle | None = None  # the unfinished bar, for a strategy that asks for it


def closed_before(bars: Bars, step_ms: int, moment_ms: int) -> Bars | None:
    """The bars of length `step_ms` that had closed at `moment_ms`; None when the newest is missing.

    A bar that closes later, even at the same moment as the one that is looked at, is cut away:
    which of two frames of one moment comes first is chance.
    """
    count = int(np.searchsorted(bars.open_ms, moment_ms - step_ms, side="right"))
    if count == 0 or int(bars.open_ms[count - 1]) + 2 * step_ms <= moment_ms:
        return None
    return Cut(
        open_ms=bars.open_ms[:count],
        open=bars.open[:count],
        high=bars.high[:count],
        low=bars.low[:count],
        close=bars.close[:count],
        volume=bars.volume[:count],
    )


def volume_ratio(bars: Bars, over: int) -> float:
    """The newest bar's volume over the mean of the `over` bars before it; 0.0 without any."""
    usual = sma(bars.volume[:-1], over)
    return float(bars.volume[-1]) / usual if usual else 0.0


def higher_agrees(context: Context, direction: Direction, bars: int) -> bool:
    """Whether the higher timeframe's close is on the trade's side of its average of `bars`.

    True when the bot follows no higher timeframe; False while its bars are missing, because
    nobody knows is not a yes.
    """
    if not context.trend_timeframe:
        return True
    if context.trend is None:
        return False
    average = sma(context.trend.close, bars)
    if average is None:
        return False
    return direction.sign * (float(context.trend.close[-1]) - average) > 0
