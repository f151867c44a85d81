"""One symbol's bars at one timeframe: closed bars join in order, once; gaps are told, not bridged.

Must not know: sockets, requests or clocks. What is missing is a question (`missing_from_ms`) that
somebody else answers with bars; until then newer closed bars wait. Pure and synchronous.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Final

from data.candles import CandleWindow, Fit, timeframe_ms
from data.model import Candle

WAITING_MAX: Final = 200  # closed bars kept while older ones are fetched


class Heard(StrEnum):
    """What a bar told us."""

    TAKEN = "taken"  # appended, or known already while still open
    WAITING = "waiting"  # closed, but an older one is missing
    REPEATED = "repeated"
    LATE = "late"
    GAP = "gap"  # an open bar shows that a closed one was missed
    OFF_GRID = "off_grid"  # opens at a moment no bar of this timeframe does


class Series:
    """Closed bars of one symbol and timeframe. `deliver` gets each fresh one once, in order."""

    def __init__(
        self,
        *,
        symbol: str,
        timeframe: str,
        make_window: Callable[[str, str], CandleWindow],
        deliver: Callable[[Candle], None],
    ) -> None:
        self.symbol = symbol
        self.timeframe = timeframe
        self.step_ms = timeframe_ms(timeframe)
        self._make_window = make_window
        self._deliver = deliver
        self._window: CandleWindow | None = None
        self._last_ms: int | None = None  # open time of the newest closed bar
        self._waiting: dict[int, Candle] = {}
        self._missed = False  # an open bar told that a closed one never came

    @property
    def window(self) -> CandleWindow | None:
        """The bars; None until they were filled."""
        return self._window

    @property
    def is_gapped(self) -> bool:
        """True while a closed bar is known to be missing, or nothing was filled yet."""
        return self._window is None or self._missed or bool(self._waiting)

    @property
    def missing_from_ms(self) -> int | None:
        """Open time of the first bar we lack; None when the whole history is needed."""
        return None if self._last_ms is None else self._last_ms + self.step_ms

    def overdue_ms(self, now_ms: int) -> int:
        """How long the next bar should have closed already; 0 or less when it should not."""
        return 0 if self._last_ms is None else now_ms - (self._last_ms + 2 * self.step_ms)

    def hear(self, candle: Candle) -> Heard:
        """Take a bar from the stream, open or closed."""
        due_ms = self.missing_from_ms
        if due_ms is not None and (candle.open_ms - due_ms) % self.step_ms:
            return Heard.OFF_GRID
        if not candle.closed:
            if due_ms is None or candle.open_ms <= due_ms:
                return Heard.TAKEN
            self._missed = True
            return Heard.GAP
        if due_ms is not None and candle.open_ms < due_ms:
            return Heard.REPEATED if candle.open_ms == self._last_ms else Heard.LATE
        if due_ms is None or candle.open_ms > due_ms:
            self._wait(candle)
            return Heard.WAITING
        self._append(candle, fresh=True)
        self._missed = False
        self._join_waiting()
        return Heard.TAKEN

    def fill(self, candles: Iterable[Candle]) -> bool:
        """Join fetched closed bars (oldest first), then the waiting ones.

        The first fill is history and is not delivered; bars that were missed are. False when the
        fetched bars do not reach back to the missing one: everything must be fetched anew.
        """
        history = self._window is None
        if history:
            self._window = self._make_window(self.symbol, self.timeframe)
        for candle in candles:
            if self._last_ms is not None and candle.open_ms <= self._last_ms:
                continue
            if self._last_ms is not None and candle.open_ms != self._last_ms + self.step_ms:
                if not history:
                    self.forget()
                    return False
                # The exchange itself has a hole: what is whole starts after it.
                self._window = self._make_window(self.symbol, self.timeframe)
            self._append(candle, fresh=not history)
            self._missed = False
        if self._last_ms is None:
            # No closed bar yet: a fresh listing, filled again when there is one.
            self._window = None
            return True
        self._join_waiting()
        return True

    def forget(self) -> None:
        """Drop the history; waiting bars stay."""
        self._window = None
        self._last_ms = None

    def _join_waiting(self) -> None:
        for open_ms in sorted(self._waiting):
            candle = self._waiting[open_ms]
            if self._last_ms is not None and open_ms > self._last_ms + self.step_ms:
                return
            del self._waiting[open_ms]
            if self._last_ms is not None and open_ms == self._last_ms + self.step_ms:
                self._append(candle, fresh=True)

    def _append(self, candle: Candle, *, fresh: bool) -> None:
        assert self._window is not None, "appending before the window exists"
        verdict = self._window.append(candle)
        assert verdict.fit is Fit.APPENDED, f"{candle.open_ms} after {self._last_ms}: {verdict}"
        self._last_ms = candle.open_ms
        if fresh:
            self._deliver(candle)

    def _wait(self, candle: Candle) -> None:
        self._waiting[candle.open_ms] = candle
        if len(self._waiting) > WAITING_MAX:
            # Dropped, not lost: it will be fetched with the others.
            del self._waiting[min(self._waiting)]
