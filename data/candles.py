"""A bounded window of closed bars on preallocated numpy arrays, and the bar still being built.

Must not know: where bars come from, or what anyone reads out of them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from data.model import Candle

WINDOW_BARS: Final = 500
SPARE_BARS: Final = 64  # room behind the window: memory against how often it is moved
_UNIT_MS: Final = {"m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def timeframe_ms(timeframe: str) -> int:
    """Length of a bar: "1m" is 60,000. Raises ValueError for anything that is no timeframe."""
    unit = _UNIT_MS.get(timeframe[-1:])
    digits = timeframe[:-1]
    if unit is None or not (digits.isascii() and digits.isdecimal()) or int(digits) < 1:
        raise ValueError(f"{timeframe!r} is no timeframe; use e.g. 1m, 30m, 4h or 1d")
    return int(digits) * unit


def price_path(candle: Candle) -> tuple[float, float, float, float]:
    """How a bar is played: open, the extreme nearer to it (the low on a tie), the other, close."""
    low_first = candle.open - candle.low <= candle.high - candle.open
    near, far = (candle.low, candle.high) if low_first else (candle.high, candle.low)
    return candle.open, near, far, candle.close


class Fit(StrEnum):
    """How a bar fits the window. Only APPENDED changes the closed bars."""

    APPENDED = "appended"
    NOT_CLOSED = "not_closed"  # kept as the provisional bar
    REPEAT = "repeat"  # the newest bar again
    LATE = "late"  # older than the newest, or off the grid
    GAP = "gap"  # bars between the newest and this one are missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How a bar fitted; for a GAP the open times of the first and last missing bar."""

    fit: Fit
    missing_from_ms: int | None = None
    missing_to_ms: int | None = None


class CandleWindow:
    """The newest `capacity` closed bars of one symbol and timeframe, oldest first.

    Arrays are a little longer than the capacity: appending is one write, and once in `SPARE_BARS`
    appends what is kept moves to the front. Views are contiguous and read-only, and valid until
    the next append.
    """

    def __init__(self, symbol: str, timeframe: str, *, capacity: int = WINDOW_BARS) -> None:
        assert capacity > 0, f"capacity must be positive, not {capacity}"
        self.symbol = symbol
        self.timeframe = timeframe
        self.step_ms = timeframe_ms(timeframe)
        self.capacity = capacity
        self.provisional: Candle | None = None
        self._length = capacity + min(capacity, SPARE_BARS)
        self._times: NDArray[np.int64] = np.zeros(self._length, dtype=np.int64)
        self._values: NDArray[np.float64] = np.zeros((5, self._length), dtype=np.float64)
        self._start = 0
        self._end = 0

    def __len__(self) -> int:
        return self._end - self._start

    @property
    def last_open_ms(self) -> int | None:
        """Open time of the newest closed bar; None while empty."""
        return int(self._times[self._end - 1]) if len(self) else None

    def append(self, candle: Candle) -> Verdict:
        """Take a bar if it is the next closed one, else say how it does not fit."""
        assert candle.symbol == self.symbol, f"{candle.symbol} came to {self.symbol}"
        last_ms = self.last_open_ms
        if not candle.closed:
            if last_ms is None or candle.open_ms > last_ms:
                self.provisional = candle
            return Verdict(fit=Fit.NOT_CLOSED)
        if last_ms is not None:
            ahead_ms = candle.open_ms - last_ms
            if ahead_ms == 0:
                return Verdict(fit=Fit.REPEAT)
            if ahead_ms < 0 or ahead_ms % self.step_ms:
                return Verdict(fit=Fit.LATE)
            if ahead_ms > self.step_ms:
                return Verdict(
                    fit=Fit.GAP,
                    missing_from_ms=last_ms + self.step_ms,
                    missing_to_ms=candle.open_ms - self.step_ms,
                )
        self._write(candle)
        return Verdict(fit=Fit.APPENDED)

    @property
    def open_ms(self) -> NDArray[np.int64]:
        """Open times, `(n,)` int64."""
        view = self._times[self._start : self._end]
        view.flags.writeable = False
        return view

    @property
    def open(self) -> NDArray[np.float64]:
        """Opening prices, `(n,)` float64."""
        return self._column(0)

    @property
    def high(self) -> NDArray[np.float64]:
        """Highest prices, `(n,)` float64."""
        return self._column(1)

    @property
    def low(self) -> NDArray[np.float64]:
        """Lowest prices, `(n,)` float64."""
        return self._column(2)

    @property
    def close(self) -> NDArray[np.float64]:
        """Closing prices, `(n,)` float64."""
        return self._column(3)

    @property
    def volume(self) -> NDArray[np.float64]:
        """Volumes in base units, `(n,)` float64."""
        return self._column(4)

    def _write(self, candle: Candle) -> None:
        if self._end == self._length:
            kept = self.capacity - 1
            self._times[:kept] = self._times[self._end - kept : self._end]
            self._values[:, :kept] = self._values[:, self._end - kept : self._end]
            self._start, self._end = 0, kept
        self._times[self._end] = candle.open_ms
        self._values[:, self._end] = (
            candle.open,
            candle.high,
            candle.low,
            candle.close,
            candle.volume,
        )
        self._end += 1
        self._start = max(self._start, self._end - self.capacity)
        if self.provisional is not None and self.provisional.open_ms <= candle.open_ms:
            self.provisional = None

    def _column(self, row: int) -> NDArray[np.float64]:
        view = self._values[row, self._start : self._end]
        view.flags.writeable = False
        return view
