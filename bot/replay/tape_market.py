"""The market port over a tape: bars closed so far, and those of longer timeframes made of them.

Must not know: strategies, orders, or what comes next on the tape.
"""

from collections.abc import Iterable
from decimal import Decimal

from bot.sandbox.tape import bucket_start_ms
from bot.shell.ports import Window
from data.candles import WINDOW_BARS, CandleWindow, Fit, timeframe_ms
from data.model import Candle, Instrument


class Folder:
    """Closed bars of one symbol folded into bars of a longer timeframe, oldest first."""

    def __init__(self, timeframe: str) -> None:
        self._timeframe = timeframe
        self._step_ms = timeframe_ms(timeframe)
        self._open: Candle | None = None
        self._whole = False  # a bar that was joined in its middle is not one

    def add(self, bar: Candle) -> list[Candle]:
        """Take the next bar; the longer bars that are closed by it, none most of the time."""
        start_ms = bucket_start_ms(bar.open_ms, self._timeframe)
        done: list[Candle] = []
        if self._open is not None and start_ms != self._open.open_ms:
            # The tape has a hole: the rest of that bar never comes.
            done += self._close()
        self._open = self._joined(bar, start_ms)
        if bar.open_ms + timeframe_ms(bar.timeframe) == start_ms + self._step_ms:
            done += self._close()
        return done

    def _joined(self, bar: Candle, start_ms: int) -> Candle:
        known = self._open
        if known is None:
            self._whole = bar.open_ms == start_ms
        return Candle(
            symbol=bar.symbol,
            timeframe=self._timeframe,
            open_ms=start_ms,
            open=bar.open if known is None else known.open,
            high=bar.high if known is None else max(known.high, bar.high),
            low=bar.low if known is None else min(known.low, bar.low),
            close=bar.close,
            volume=bar.volume if known is None else known.volume + bar.volume,
        )

    def _close(self) -> list[Candle]:
        closed, self._open = self._open, None
        return [closed] if closed is not None and self._whole else []


class TapeMarket:
    """What has been played so far. `higher`: longer timeframes somebody asks for."""

    def __init__(self, instruments: Iterable[Instrument], higher: Iterable[str] = ()) -> None:
        self._instruments = {one.symbol: one for one in instruments}
        self._windows: dict[tuple[str, str], CandleWindow] = {}
        self._higher = tuple(higher)
        self._folders: dict[tuple[str, str], Folder] = {}
        self.marks: dict[str, tuple[Decimal, int]] = {}

    def instrument(self, symbol: str) -> Instrument | None:
        """The symbol's filters."""
        return self._instruments.get(symbol)

    def mark_price(self, symbol: str) -> tuple[Decimal, int] | None:
        """The last price played."""
        return self.marks.get(symbol)

    def window(self, symbol: str, timeframe: str) -> Window | None:
        """Bars closed so far."""
        return self._windows.get((symbol, timeframe))

    def close_bar(self, candle: Candle) -> None:
        """Add a closed bar, and the longer ones it completes."""
        self._append(candle)
        for timeframe in self._higher:
            key = (candle.symbol, timeframe)
            if key not in self._folders:
                self._folders[key] = Folder(timeframe)
            for longer in self._folders[key].add(candle):
                self._append(longer)

    def _append(self, candle: Candle) -> None:
        key = (candle.symbol, candle.timeframe)
        known = self._windows.get(key)
        if known is None or known.append(candle).fit is Fit.GAP:
            # What is whole starts after a hole, as it does live.
            self._windows[key] = CandleWindow(*key, capacity=WINDOW_BARS)
            self._windows[key].append(candle)
