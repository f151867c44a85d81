"""Pause, buffer, release: what the user stream says while the account is being read.

After each (re)connect a snapshot is due. What the stream says until then is kept and handed on
right behind the snapshot, in its order: told before it, it would be taken for changes of a state
nobody knows yet. Bounded in number and in time, since a fill must not wait for a reading that does
not come. Must not know: what an event means.
"""

import asyncio
from typing import Final

import structlog

from bot.core.messages import Event, StreamLost, StreamRestored
from bot.shell.ports import EventSink

log = structlog.get_logger(__name__)

EVENTS_MAX: Final = 10_000  # two seconds of the worst storm the client must stand
HOLD_S_MAX: Final = 5.0  # wall; a reading takes four requests


class Hold:
    """Between a stream and its sink; used from one event loop only."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._epoch = 0
        self._holding = False
        self._kept: list[Event] = []

    @property
    def holding(self) -> bool:
        """True while events are kept."""
        return self._holding

    @property
    def epoch(self) -> int:
        """Number of the latest (re)connect; take it before a reading begins."""
        return self._epoch

    def pass_on(self, event: Event) -> None:
        """Hand an event on, or keep it until the account was read."""
        if isinstance(event, StreamLost):
            self._sink(event)
        elif isinstance(event, StreamRestored):
            self._epoch += 1
            self._holding = True
            loop = asyncio.get_running_loop()
            loop.call_later(HOLD_S_MAX, self._give_up, self._epoch)
            self._sink(event)
        elif not self._holding:
            self._sink(event)
        else:
            self._kept.append(event)
            if len(self._kept) >= EVENTS_MAX:
                self._give_up(self._epoch)

    def release(self, epoch: int) -> tuple[Event, ...]:
        """What was kept, for a reading that began at `epoch`; () when that is too old."""
        if not self._holding or epoch != self._epoch:
            return ()
        self._holding = False
        kept, self._kept = tuple(self._kept), []
        return kept

    def _give_up(self, epoch: int) -> None:
        kept = self.release(epoch)
        if kept:
            log.warning("stream_released_without_a_snapshot", events=len(kept))
        for event in kept:
            self._sink(event)
