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
