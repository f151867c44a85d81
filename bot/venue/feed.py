"""One watched series: its bars, its stream's newest frame, and the work due for it.

The newest frame of the bar that is still open is kept as it came and decoded when somebody asks:
the provisional bar is kept apart from the closed ones, and costs nothing until then. Must not know:
sockets or requests.
"""

from dataclasses import dataclass

from bot.venue.series import Series
from bot.venue.wire_answers import Malformed
from bot.venue.wire_market import read_kline
from data.model import Candle


@dataclass(slots=True, eq=False)
class Feed:
    """A series with what is going on around it."""

    series: Series
    stream: str
    due: bytes = b""  # stands in every frame of the next bar; empty, so in all, while cold
    latest: bytes = b""
    warm: bool = False  # its history was read once
    queued: bool = False
    again_s: float | None = None  # when a first page that was too short is read anew, once
    tries: int = 0  # readings that came to nothing, in a row
    not_before_s: float = 0.0

    def look(self) -> None:
        """The series may have moved on: recognise frames of its next bar."""
        due_ms = self.series.missing_from_ms
        self.due = b"" if due_ms is None else b'"t":%d,' % due_ms

    @property
    def provisional(self) -> Candle | None:
        """The bar after the newest closed one as last told; None when it is not known."""
        if not self.latest or self.series.missing_from_ms is None:
            return None
        try:
            candle = read_kline(self.latest)
        except Malformed:
            return None
        if not isinstance(candle, Candle) or candle.closed:
            return None
        ours = (candle.symbol, candle.timeframe) == (self.series.symbol, self.series.timeframe)
        return candle if ours and candle.open_ms == self.series.missing_from_ms else None
