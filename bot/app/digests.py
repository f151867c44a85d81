"""When a day's digest is told: once, after the UTC day of exchange time is over.

Looked at each minute, so that a restart, a slow clock and a fast one are the same thing. The last
day that was told is a note in the store: a missed day is made up for, one day back at most.
Must not know: what a digest says, or who reads it.
"""

from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from bot.shell.clock import Clock

DIGEST_LOOK_S: Final = 60.0
DIGEST_NOTE: Final = "digest:day"
DAY_MS: Final = 86_400_000
AFTER_MS: Final = 5 * 60_000  # after midnight: what ended last is booked by then


class NoteStore(Protocol):
    """Where the last day that was told is kept."""

    async def note(self, key: str) -> str | None:
        """A note's value, or None."""

    async def set_note(self, key: str, value: str) -> None:
        """Write a note."""


class DailyDigest:
    """`tell` posts the digest of a day (since 1970-01-01); False: nobody was there to read it."""

    def __init__(
        self,
        store: NoteStore,
        *,
        clock: Clock,
        ready: Callable[[], bool],
        tell: Callable[[int], Awaitable[bool]],
    ) -> None:
        self._store = store
        self._clock = clock
        self._ready = ready
        self._tell = tell
        self._told: int | None = None

    async def tick(self) -> None:
        """Tell yesterday, if that is due and was not done."""
        if not self._ready():
            return
        yesterday = (self._clock.now_ms() - AFTER_MS) // DAY_MS - 1
        if self._told is None:
            kept = await self._store.note(DIGEST_NOTE)
            if kept is None:  # the first start: there is no day before it to tell of
                await self._keep(yesterday)
                return
            self._told = int(kept) if kept.isascii() and kept.isdecimal() else yesterday
        if yesterday > self._told and await self._tell(yesterday):
            await self._keep(yesterday)

    async def _keep(self, day: int) -> None:
        self._told = day  # first: were the note not kept, it is still not told twice by this run
        await self._store.set_note(DIGEST_NOTE, str(day))
