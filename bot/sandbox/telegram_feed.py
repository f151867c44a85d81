"""What flows out of the pretend Telegram: updates to the bot, events to pages, faults on demand.

Queues are bounded and forget their oldest. It must not know HTTP or what a message looks like.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from bot.sandbox.telegram_checks import Json, Refused
from bot.shell.clock import wall_sleep_s

UPDATES_MAX = 10_000
EVENTS_MAX = 1_000
SUBSCRIBERS_MAX = 32
SUBSCRIBER_QUEUE_MAX = 1_000
FAULTS_MAX = 100
POLL_LIMIT_MAX = 100
POLL_TIMEOUT_S_MAX = 50
# Not sent unless asked for by name.
_UNASKED = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


@dataclass(frozen=True, slots=True)
class _Pending:
    update: Json
    once: bool


class UpdateQueue:
    """Updates waiting for the bot: confirmed by offset, one poller at a time."""

    def __init__(self) -> None:
        self.allowed: tuple[str, ...] | None = None
        self._pending: deque[_Pending] = deque(maxlen=UPDATES_MAX)
        self._next_id = 1
        self._poller = 0
        self._news = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def pollers(self) -> int:
        """How many polls have come so far."""
        return self._poller

    def put(self, kind: str, content: object) -> int | None:
        """Queue one update; its id, or None when the bot did not ask for this kind."""
        wanted = kind not in _UNASKED if self.allowed is None else kind in self.allowed
        if not wanted:
            return None
        return self._append({"update_id": self._next_id, kind: content}, once=False)

    def put_raw(self, update: Json) -> int | None:
        """Queue an update as it is; it goes out once, so a malformed one cannot block the rest."""
        return self._append({"update_id": self._next_id, **update}, once=True)

    def _append(self, update: Json, *, once: bool) -> int:
        self._pending.append(_Pending(update, once))
        given = update.get("update_id")
        number = given if isinstance(given, int) else self._next_id
        self._next_id = max(self._next_id, number) + 1
        self._news.set()
        return number

    def take(self, *, offset: int, limit: int) -> list[Json]:
        """Confirm all below `offset` (negative: keep only the last -offset) and give the next."""
        if offset > 0:
            while self._pending and _number(self._pending[0]) < offset:
                self._pending.popleft()
        elif offset < 0:
            while len(self._pending) > -offset:
                self._pending.popleft()
        given = list(self._pending)[:limit]
        if any(item.once for item in given):
            kept = [item for item in self._pending if not (item.once and item in given)]
            self._pending = deque(kept, maxlen=UPDATES_MAX)
        return [item.update for item in given]

    async def poll(self, *, offset: int, limit: int, timeout_s: float) -> list[Json]:
        """Long poll in wall time; a newer poller ends this one with Telegram's 409."""
        self._poller += 1
        mine = self._poller
        self._news.set()  # an older poller looks up and sees that it was replaced
        await wall_sleep_s(0)  # let the older one leave before this one listens
        given = self.take(offset=offset, limit=limit)
        try:
            async with asyncio.timeout(timeout_s):
                while not given and not self._closed and mine == self._poller:
                    self._news.clear()
                    await self._news.wait()
                    if mine == self._poller:
                        given = self.take(offset=offset, limit=limit)
        except TimeoutError:
            given = []
        if mine != self._poller:
            raise Refused(
                409,
                "Conflict: terminated by other getUpdates request;"
                " make sure that only one bot instance is running",
            )
        return given

    async def wait(self) -> None:
        """Return when something may be pending (the webhook's courier)."""
        while not self._pending and not self._closed:
            self._news.clear()
            await self._news.wait()

    async def wait_news(self) -> None:
        """Return when anything changed since now: an update came, or somebody woke us."""
        self._news.clear()
        await self._news.wait()

    def wake(self) -> None:
        """Let those who wait look again (a webhook was set)."""
        self._news.set()

    def drop_all(self) -> None:
        """Forget what is pending (drop_pending_updates)."""
        self._pending.clear()

    def close(self) -> None:
        """Let every poller go; the server is stopping."""
        self._closed = True
        self._news.set()


def _number(item: _Pending) -> int:
    number = item.update.get("update_id")
    return number if isinstance(number, int) else 0


@dataclass(eq=False, slots=True)
class Subscriber:
    """One listener's bounded queue; `lost` tells it to load everything again."""

    queue: asyncio.Queue[Json | None] = field(
        default_factory=lambda: asyncio.Queue(SUBSCRIBER_QUEUE_MAX)
    )
    lost: bool = False

    async def next_event(self, timeout_s: float) -> Json | None:
        """The next event, an empty one when none came in time (wall), None at the end."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self.queue.get()
        except TimeoutError:
            return {}


class Feed:
    """Numbered events (new, edited, tapped, answered ...) for chat pages and scripted persons."""

    def __init__(self) -> None:
        self.last_seq = 0
        self._events: deque[Json] = deque(maxlen=EVENTS_MAX)
        self._subscribers: set[Subscriber] = set()

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._subscribers)

    def publish(self, event: Json) -> None:
        """Number the event and hand it to every listener that keeps up."""
        self.last_seq += 1
        event = {"seq": self.last_seq, **event}
        self._events.append(event)
        for subscriber in self._subscribers:
            _offer(subscriber, event)

    def subscribe(self, after: int | None) -> Subscriber:
        """Listen from now, or from after that event as far back as it is kept."""
        if len(self._subscribers) >= SUBSCRIBERS_MAX:
            raise Refused(503, "too many listeners")
        subscriber = Subscriber()
        if after is not None:
            subscriber.lost = bool(self._events) and after + 1 < self._events[0]["seq"]
            for event in self._events:
                if event["seq"] > after:
                    _offer(subscriber, event)
        self._subscribers.add(subscriber)
        return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Stop listening."""
        self._subscribers.discard(subscriber)

    def close(self) -> None:
        """End every listener's stream."""
        for subscriber in self._subscribers:
            while subscriber.queue.full():
                subscriber.queue.get_nowait()
            subscriber.queue.put_nowait(None)


def _offer(subscriber: Subscriber, event: Json) -> None:
    if subscriber.queue.full():
        subscriber.queue.get_nowait()
        subscriber.lost = True
    subscriber.queue.put_nowait(event)


FAULT_KINDS = frozenset({"http_500", "timeout", "retry_after", "drop", "malformed_update"})


@dataclass(slots=True)
class Fault:
    """A misbehaviour for the next `times` calls; `effect` tells whether the call still happens."""

    kind: str
    times: int
    method: str | None
    effect: bool
    seconds: float


class FaultList:
    """Faults asked for by a test, taken in order."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Arm a fault; the oldest is forgotten beyond the limit."""
        self._faults = [*self._faults, fault][-FAULTS_MAX:]

    def take(self, method: str, kinds: Iterable[str]) -> Fault | None:
        """The next fault for this method, used up by one; without a method it spares getUpdates."""
        for fault in self._faults:
            polls = method == "getupdates" and fault.kind != "malformed_update"
            applies = fault.method == method or (fault.method is None and not polls)
            if fault.kind in kinds and applies:
                fault.times -= 1
                if fault.times <= 0:
                    self._faults.remove(fault)
                return fault
        return None
