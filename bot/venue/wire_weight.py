"""The weight budget: who may send now, who waits, and until when. Time is an argument.

Must not know: requests or sockets. The exchange counts request weight for an IP in UTC clock
minutes and says in each answer what is used; going on after a 429 earns a 418 and a ban. Trading
goes before reading, reading before warming up: the later ones may use only part of the minute.
Source: reference sheet section 2.1 (2026-11).
"""

from collections.abc import Mapping
from typing import Final

from bot.venue.wire import Priority

MINUTE_MS: Final = 60_000
LIMIT_DEFAULT: Final = 2_400  # production; the demo allows more, exchangeInfo tells
PAUSE_MS_MAX: Final = 3 * 86_400_000  # the longest documented ban
USED_WEIGHT_HEADER: Final = "x-mbx-used-weight-1m"

# The part of the minute's weight each may use up, in percent: what is left belongs to the others.
# Forty trades in doubt ask for several times the limit: their questions leave room for orders.
_SHARE_PCT: Final = {
    Priority.TRADING: 100,
    Priority.ACCOUNT: 97,
    Priority.ASKING: 90,
    Priority.READING: 85,
    Priority.WARMING: 60,
}


class WeightBudget:
    """Used weight of the running clock minute and the pauses the exchange ordered."""

    def __init__(self, *, limit: int = LIMIT_DEFAULT) -> None:
        self._limit = limit
        self._minute = -1
        self._used = 0
        self._paused_until_ms = 0  # reading and warming wait
        self._banned_until_ms = 0  # everybody waits

    @property
    def used(self) -> int:
        """Weight used in the minute last looked at."""
        return self._used

    def set_limit(self, limit: int) -> None:
        """Adopt the limit the exchange itself names."""
        self._limit = max(1, limit)

    def wait_ms(self, *, priority: Priority, weight: int, now_ms: int) -> int:
        """Milliseconds of exchange time to wait before sending; 0 is go, and books the weight."""
        self._roll(now_ms)
        until_ms = self._banned_until_ms
        if priority is not Priority.TRADING:
            until_ms = max(until_ms, self._paused_until_ms)
        if now_ms < until_ms:
            return until_ms - now_ms
        allowed = self._limit * _SHARE_PCT[priority] // 100
        # A request too heavy for its share still goes, alone, at the start of a minute.
        if priority is not Priority.TRADING and self._used > 0 and self._used + weight > allowed:
            return MINUTE_MS - now_ms % MINUTE_MS
        self._used += weight
        return 0

    def room_ms(self, *, priority: Priority, weight: int, now_ms: int) -> int:
        """Milliseconds of exchange time until `weight` more fit, if nobody else sends; 0 is now.

        Books nothing. Weight beyond one minute's share is spread over the minutes it takes.
        """
        self._roll(now_ms)
        until_ms = max(self._banned_until_ms, self._paused_until_ms)
        if now_ms < until_ms:
            return until_ms - now_ms
        allowed = max(1, self._limit * _SHARE_PCT[priority] // 100)
        beyond = weight - max(0, allowed - self._used)
        if beyond <= 0:
            return 0
        return MINUTE_MS - now_ms % MINUTE_MS + (beyond - 1) // allowed * MINUTE_MS

    def share(self, priority: Priority) -> int:
        """The weight of a minute up to which this priority may use it."""
        return self._limit * _SHARE_PCT[priority] // 100

    def note_answer(self, headers: Mapping[str, str], *, now_ms: int) -> None:
        """Adopt the exchange's own count, when it is higher than ours (lower-case names)."""
        text = headers.get(USED_WEIGHT_HEADER, "")
        if text.isascii() and text.isdigit():
            self._roll(now_ms)
            self._used = max(self._used, int(text[:9]))

    def pause(self, *, until_ms: int, now_ms: int, banned: bool) -> None:
        """A 429 (`banned` False) or 418 (True): wait until `until_ms`, or the next minute if 0."""
        if until_ms <= now_ms:
            until_ms = now_ms + MINUTE_MS - now_ms % MINUTE_MS
        until_ms = min(until_ms, now_ms + PAUSE_MS_MAX)
        if banned:
            self._banned_until_ms = max(self._banned_until_ms, until_ms)
        else:
            self._paused_until_ms = max(self._paused_until_ms, until_ms)

    def _roll(self, now_ms: int) -> None:
        minute = now_ms // MINUTE_MS
        if minute != self._minute:
            self._minute = minute
            self._used = 0
