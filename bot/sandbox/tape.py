"""Tapes: candles of several symbols merged in time, recorded or walked, for a pretend market.

A candle's path is fixed: open, then the extreme nearer the open (the low when both are equally
near), then the other extreme, then close; at the start of the bar, after one third, after two
thirds, and in its last millisecond. Must not know: orders or servers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

from bot.sandbox.tape_files import Columns, read_tape_files
from data.candles import price_path
from data.model import Candle
from data.money import round_to

MINUTE_MS: Final = 60_000
TIMEFRAMES_MS: Final = MappingProxyType(
    {
        "1m": MINUTE_MS,
        "3m": 3 * MINUTE_MS,
        "5m": 5 * MINUTE_MS,
        "15m": 15 * MINUTE_MS,
        "30m": 30 * MINUTE_MS,
        "1h": 60 * MINUTE_MS,
        "2h": 120 * MINUTE_MS,
        "4h": 240 * MINUTE_MS,
        "6h": 360 * MINUTE_MS,
        "8h": 480 * MINUTE_MS,
        "12h": 720 * MINUTE_MS,
        "1d": 1440 * MINUTE_MS,
        "3d": 3 * 1440 * MINUTE_MS,
        "1w": 7 * 1440 * MINUTE_MS,
    }
)
WEEK_OFFSET_MS: Final = 4 * 1440 * MINUTE_MS  # the epoch was a Thursday, weeks open on Monday


@dataclass(frozen=True, slots=True)
class Row:
    """One moment of a tape: the candles that open at `open_ms`, by symbol order of the tape."""

    open_ms: int
    candles: tuple[Candle, ...]


class Tape(Protocol):
    """A source of candles. `rows()` starts anew each time it is called."""

    @property
    def name(self) -> str:
        """What a person calls it: a path, or the seed of a walk."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol that occurs."""

    @property
    def timeframe(self) -> str:
        """The candles' timeframe, such as 1m."""

    @property
    def start_ms(self) -> int:
        """When the first candle opens."""

    @property
    def first_prices(self) -> dict[str, float]:
        """Each symbol's first open, to choose filters by."""

    def rows(self) -> Iterator[Row]:
        """The candles, oldest first, one Row a moment."""


class RecordedTape:
    """Candles from a parquet or CSV file, or a folder of them; checked before the first is used."""

    def __init__(self, columns: dict[str, Columns], *, name: str, timeframe: str) -> None:
        self._columns = columns
        self._name = name
        self._timeframe = timeframe
        self._interval_ms = TIMEFRAMES_MS[timeframe]

    @classmethod
    def open(cls, path: Path, symbols: tuple[str, ...] = ()) -> "RecordedTape":
        """Read a file or a folder of `SYMBOL-TF.parquet` or `.csv`; `symbols` chooses some.

        SettingFault names the file and the row of anything wrong.
        """
        columns, timeframe = read_tape_files(path, symbols, dict(TIMEFRAMES_MS))
        return cls(columns, name=str(path), timeframe=timeframe)

    @property
    def name(self) -> str:
        """The path it was read from."""
        return self._name

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol that occurs."""
        return tuple(self._columns)

    @property
    def timeframe(self) -> str:
        """The candles' timeframe."""
        return self._timeframe

    @property
    def start_ms(self) -> int:
        """When the first candle opens."""
        return min(int(one.open_ms[0]) for one in self._columns.values())

    @property
    def end_ms(self) -> int:
        """When the last candle ends."""
        return max(int(one.open_ms[-1]) for one in self._columns.values()) + self._interval_ms

    @property
    def first_prices(self) -> dict[str, float]:
        """Each symbol's first open."""
        return {symbol: float(one.open[0]) for symbol, one in self._columns.items()}

    def columns(self, symbol: str) -> Columns:
        """One symbol's whole record as arrays."""
        return self._columns[symbol]

    def rows(self) -> Iterator[Row]:
        """The candles, oldest first; a symbol that starts later or ends earlier is left out."""
        cursor = self.start_ms
        end_ms = self.end_ms
        bounds = [
            (symbol, one, int(one.open_ms[0]), len(one.open_ms))
            for symbol, one in self._columns.items()
        ]
        while cursor < end_ms:
            candles = []
            for symbol, one, first_ms, count in bounds:
                index = (cursor - first_ms) // self._interval_ms
                if 0 <= index < count:
                    candles.append(self._candle(symbol, one, index))
            if candles:
                yield Row(cursor, tuple(candles))
            cursor += self._interval_ms

    def _candle(self, symbol: str, one: Columns, index: int) -> Candle:
        return Candle(
            symbol=symbol,
            timeframe=self._timeframe,
            open_ms=int(one.open_ms[index]),
            open=float(one.open[index]),
            high=float(one.high[index]),
            low=float(one.low[index]),
            close=float(one.close[index]),
            volume=float(one.volume[index]),
        )


def path_of(candle: Candle) -> tuple[tuple[int, float], ...]:
    """A candle's four price steps as (milliseconds after its open, price)."""
    interval_ms = TIMEFRAMES_MS[candle.timeframe]
    moments = (0, interval_ms // 3, 2 * interval_ms // 3, interval_ms - 1)
    return tuple(zip(moments, price_path(candle), strict=True))


def bucket_start_ms(at_ms: int, timeframe: str) -> int:
    """When the bar of `timeframe` that contains `at_ms` opened; weeks open on Monday."""
    interval_ms = TIMEFRAMES_MS[timeframe]
    offset_ms = WEEK_OFFSET_MS if timeframe == "1w" else 0
    return (at_ms - offset_ms) // interval_ms * interval_ms + offset_ms


def to_price(price: float, tick: Decimal) -> Decimal:
    """A float price on the tick grid, halves to even."""
    exponent = tick.normalize().as_tuple()
    if exponent.digits == (1,):
        assert isinstance(exponent.exponent, int), "a tick that is no number"
        return Decimal(f"{price:.{max(0, -exponent.exponent)}f}")
    return round_to(Decimal(repr(price)), tick)
