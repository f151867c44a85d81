"""The engine's queue: bounded, in order, and with a rule for what happens when it is full.

Full (which is a fault of somebody: a step takes a millisecond) means:
- a signal is dropped: the next bar raises another, and a late entry is worse than none;
- news from the exchange is dropped and remembered as a gap: once there is room again the engine
  hears StreamLost and StreamRestored, so the desk reads the whole account, which says it all;
- words of people and of the shell itself always find room, up to a reserve nobody fills by hand.

Must not know: what an event does.
"""

import asyncio
from collections import deque
from typing import Final

from bot.core.directions import AnalysisDue
from bot.core.messages import (
    DecisionArrived,
    Event,
    Filled,
    OrderReported,
    PositionSeen,
    SignalRaised,
    StreamLost,
    StreamRestored,
    WalletSeen,
)
from bot.shell.clock import wall_monotonic_s
from bot.shell.errors import OurFault

QUEUE_MAX: Final = 20_000  # some ten seconds of the worst burst measured; 4 MB
RESERVE: Final = 1_000  # for people, answers and the shell's own words

MARKET_NEWS: Final = (SignalRaised, AnalysisDue, DecisionArrived)
VENUE_NEWS: Final = (Filled, OrderReported, PositionSeen, WalletSeen)


class Inbox:
    """A queue of (event, wall seconds at which it came), taken by one engine."""

    def __init__(self, *, queue_max: int = QUEUE_MAX, reserve: int = RESERVE) -> None:
        self._queue: deque[tuple[Event, float]] = deque()
        self._queue_max = queue_max
        self._reserve = reserve
        self._arrived = asyncio.Event()
        self._gap = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, event: Event, *, first: bool = False) -> bool:
        """Take an event in (`first`: before all that wait); False when the rule dropped it."""
        if len(self._queue) >= self._queue_max and not self._has_room_for(event):
            self.dropped += 1
            return False
        entry = (event, wall_monotonic_s())
        if first:
            self._queue.appendleft(entry)
        else:
            self._queue.append(entry)
        self._arrived.set()
        return True

    def take(self) -> tuple[Event, float] | None:
        """The next event and when it came; None when nothing waits."""
        if self._gap and len(self._queue) < self._queue_max // 2:
            self._gap = False
            self.put(StreamLost(reason="too much news at once; some was dropped"))
            self.put(StreamRestored())
        if not self._queue:
            return None
        return self._queue.popleft()

    def nudge(self) -> None:
        """Wake whoever waits, although nothing came."""
        self._arrived.set()

    async def wait(self, wall_s: float) -> None:
        """Return when something came or was nudged, or after `wall_s` seconds of the wall."""
        if self._queue:
            return
        self._arrived.clear()
        try:
            async with asyncio.timeout(wall_s):
                await self._arrived.wait()
        except TimeoutError:
            return

    def _has_room_for(self, event: Event) -> bool:
        if isinstance(event, MARKET_NEWS):
            return False
        if isinstance(event, VENUE_NEWS):
            self._gap = True
            return False
        if len(self._queue) >= self._queue_max + self._reserve:
            raise OurFault(f"the queue's reserve is full; {type(event).__name__} has no place")
        return True
