"""What every strategy is given: a window of closed bars, and for whom it looks at them.

Must not know: any strategy, or where the bars come from.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from data.model import Instrument


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
    """For whom a window is looked at. The instrument gives the tick that prices are rounded to."""

    bot_id: str
    timeframe: str
    instrument: Instrument
    now_ms: int
