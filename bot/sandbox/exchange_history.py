"""Bars of the pretend market: what has closed, what is open, in every timeframe the tape can give.

Pure. Closed bars sit in growing arrays with a bound; a longer timeframe's open bar is what its
closed base bars made, merged with the base bar still being built. Timeframes shorter than the
tape's are not known. Must not know: orders, sockets, spelling.
"""

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bot.sandbox.tape import TIMEFRAMES_MS, bucket_start_ms
from data.model import Candle

BARS_MAX = 4_000  # kept a symbol and timeframe; the exchange answers with 1,500 at most
BARS_FIRST = 128
DAY_MS = 86_400_000


@dataclass(slots=True)
class Bar:
    """One bar; volume in base units."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float

    def merged(self, later: "Bar") -> "Bar":
        """This bar continued by a later one."""
        return Bar(
            self.open_ms,
            self.open,
            max(self.high, later.high),
            min(self.low, later.low),
            later.close,
            self.volume + later.volume,
        )


@dataclass(slots=True)
class Series:
    """Closed bars of one symbol and timeframe: rows of (open_ms, o, h, l, c, v), oldest first."""

    rows: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((BARS_FIRST, 6)))
    count: int = 0

    def append(self, bar: Bar) -> None:
        """Add the newest bar, forgetting the older half when the bound is reached."""
        if self.count == len(self.rows):
            if self.count < BARS_MAX:
                self.rows = np.concatenate([self.rows, np.zeros_like(self.rows)])[:BARS_MAX]
            else:
                keep = BARS_MAX // 2
                self.rows[:keep] = self.rows[self.count - keep : self.count].copy()
                self.count = keep
        self.rows[self.count] = (
            bar.open_ms,
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume,
        )
        self.count += 1

    def between(self, since_ms: int | None, until_ms: int | None, limit: int) -> list[Bar]:
        """Bars that open within the bounds; the oldest ones when `since_ms` is given."""
        opens = self.rows[: self.count, 0]
        first = 0 if since_ms is None else int(np.searchsorted(opens, since_ms, side="left"))
        last = self.count
        if until_ms is not None:
            last = int(np.searchsorted(opens, until_ms, side="right"))
        if since_ms is None:
            first = max(first, last - limit)
        else:
            last = min(last, first + limit)
        return [
            Bar(int(row[0]), row[1], row[2], row[3], row[4], row[5])
            for row in self.rows[first:last].tolist()
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The last 24 hours of one symbol."""

    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float


class History:
    """Every symbol's bars in every timeframe the base divides."""

    def __init__(self, symbols: tuple[str, ...], base: str) -> None:
        self.base = base
        base_ms = TIMEFRAMES_MS[base]
        self._longer = [n for n, ms in TIMEFRAMES_MS.items() if ms > base_ms and ms % base_ms == 0]
        self._series = {s: {n: Series() for n in (base, *self._longer)} for s in symbols}
        self._open: dict[str, Bar | None] = dict.fromkeys(symbols)
        self._building: dict[str, dict[str, Bar]] = {s: {} for s in symbols}

    @property
    def timeframes(self) -> tuple[str, ...]:
        """What can be asked for, shortest first."""
        return (self.base, *self._longer)

    def close(self, symbol: str, bar: Bar) -> None:
        """The base bar closed."""
        self._open[symbol] = None
        series = self._series[symbol]
        series[self.base].append(bar)
        building = self._building[symbol]
        end_ms = bar.open_ms + TIMEFRAMES_MS[self.base]
        for name in self._longer:
            started = building.get(name)
            if started is None:
                merged = Bar(
                    bucket_start_ms(bar.open_ms, name),
                    bar.open,
                    bar.high,
                    bar.low,
                    bar.close,
                    bar.volume,
                )
            else:
                merged = started.merged(bar)
            if end_ms >= merged.open_ms + TIMEFRAMES_MS[name]:
                series[name].append(merged)
                building.pop(name, None)
            else:
                building[name] = merged

    def update(self, symbol: str, bar: Bar) -> None:
        """The base bar moved."""
        self._open[symbol] = bar

    def current(self, symbol: str, timeframe: str) -> Bar | None:
        """The open bar; None between bars, before anything was seen and in unknown timeframes."""
        moving = self._open[symbol]
        if timeframe == self.base:
            return moving
        if timeframe not in self._series[symbol]:
            return None
        started = self._building[symbol].get(timeframe)
        if moving is None:
            return started
        if started is None:
            bar = moving.merged(moving)
            bar.open_ms = bucket_start_ms(moving.open_ms, timeframe)
            bar.volume = moving.volume
            return bar
        return started.merged(moving)

    def newest_closed(self, symbol: str, timeframe: str) -> Bar | None:
        """The bar that closed last."""
        series = self._series[symbol].get(timeframe)
        if series is None or not series.count:
            return None
        row = series.rows[series.count - 1].tolist()
        return Bar(int(row[0]), row[1], row[2], row[3], row[4], row[5])

    def bars(
        self, symbol: str, timeframe: str, since_ms: int | None, until_ms: int | None, limit: int
    ) -> list[Bar]:
        """Bars within the bounds, oldest first, the open bar last; [] for an unknown timeframe."""
        series = self._series[symbol].get(timeframe)
        if series is None:
            return []
        found = series.between(since_ms, until_ms, limit)
        moving = self.current(symbol, timeframe)
        if moving is None or (until_ms is not None and moving.open_ms > until_ms):
            return found
        if since_ms is None:
            return [*found, moving][-limit:]
        return [*found, moving] if len(found) < limit and moving.open_ms >= since_ms else found

    def day(self, symbol: str, now_ms: int) -> Day | None:
        """The rolling 24 hours; None before the first bar."""
        series = self._series[symbol][self.base]
        first = int(np.searchsorted(series.rows[: series.count, 0], now_ms - DAY_MS))
        rows = series.rows[first : series.count]
        moving = self._open[symbol]
        if moving is not None:
            newest = np.array(
                [[0, moving.open, moving.high, moving.low, moving.close, moving.volume]]
            )
            rows = np.concatenate([rows, newest])
        if not len(rows):
            return None
        return Day(
            open_ms=now_ms - DAY_MS,
            open=float(rows[0, 1]),
            high=float(rows[:, 2].max()),
            low=float(rows[:, 3].min()),
            close=float(rows[-1, 4]),
            volume=float(rows[:, 5].sum()),
            quote_volume=float((rows[:, 5] * rows[:, 4]).sum()),
        )


def bar_steps(candle: Candle, path: tuple[tuple[int, float], ...]) -> list[tuple[int, Bar]]:
    """How a candle's bar looks at each step of its path: (moment, bar so far)."""
    steps = []
    high = low = candle.open
    for number, (offset_ms, price) in enumerate(path, start=1):
        high, low = max(high, price), min(low, price)
        volume = candle.volume * number / len(path)
        bar = Bar(candle.open_ms, candle.open, high, low, price, volume)
        steps.append((candle.open_ms + offset_ms, bar))
    assert all(a[0] < b[0] for a, b in pairwise(steps)), "a path that does not move in time"
    return steps
