"""What the exchange said that is new to us, and what it said that cannot be.

Both are counted by where they were said. What cannot be (NaN, a negative quantity, a time to come,
an unreadable answer) was dropped by its reader; here the owner's alert is raised, for each place at
most once a minute, and ever more rarely while it goes on. Must not know: what was asked, or what
follows.
"""

from typing import Final

import structlog

from bot.core.messages import InputRejected
from bot.shell.hush import Hush
from bot.shell.ports import EventSink
from bot.venue.wire_answers import Malformed, Unheard

log = structlog.get_logger(__name__)

REASON_LENGTH_MAX: Final = 200
PLACES_MAX: Final = 200
ALERT_EVERY_S_MAX: Final = 3_600.0  # a person knows by then


class OddInput:
    """Counts of one account's odd input; `sink` gets the alerts."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._hush = Hush(longest_s=ALERT_EVERY_S_MAX)
        self.rejected: dict[str, int] = {}
        self.unheard: dict[str, int] = {}

    def note(self, where: str, fault: Malformed) -> None:
        """One more of either kind."""
        if isinstance(fault, Unheard):
            _count(self.unheard, where)
            log.warning("new_word_heard", where=where, text=str(fault)[:REASON_LENGTH_MAX])
        else:
            self.reject(where, str(fault))

    def reject(self, where: str, reason: str) -> None:
        """Something that cannot be was dropped."""
        _count(self.rejected, where)
        times = self._hush.count(where)
        if times:
            reason = reason[:REASON_LENGTH_MAX]
            log.error("impossible_input", where=where, reason=reason, times=times)
            self._sink(InputRejected(where=where, reason=reason, times=times))


def _count(counts: dict[str, int], where: str) -> None:
    if where not in counts and len(counts) >= PLACES_MAX:
        where = "elsewhere"
    counts[where] = counts.get(where, 0) + 1
