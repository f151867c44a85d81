"""One connection of market streams: names are subscribed at a pace, again after every reconnect.

Every SUBSCRIBE is acknowledged, also a wrong one: only data proves a stream, so the moment of its
last frame is kept for each name. Must not know: what a frame says. Deadlines are wall time.
Source: reference sheet sections 2.2 and 5.1 (2026-11).
"""

import random
from asyncio import Event as Flag
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from typing import Final

import msgspec
import structlog

from bot.shell.clock import wall_monotonic_s, wall_sleep_s
from bot.venue.streams import STEADY_S, Backoff, Line, live_once
from bot.venue.wire_market import NAME_AT, stream_of

log = structlog.get_logger(__name__)

SUBSCRIBE_NAMES_MAX: Final = 100  # names in one SUBSCRIBE; 200 were measured to work
SUBSCRIBE_GAP_S: Final = 0.25  # the exchange allows 10 frames a second and bans for more
SILENCE_S: Final = 20.0  # a mark price comes every second, a kline four times a second
MARK_PATIENCE_S: Final = 10.0
KLINE_PATIENCE_S: Final = 90.0  # a market without a trade says nothing until its minute is over
WATCH_EVERY_S: Final = 0.5
CONNECTS_MAX: Final = 240  # of all shards in CONNECTS_S; 300 is spot's limit, futures names none
CONNECTS_S: Final = 300.0

Hear = Callable[[bytes, bytes], None]  # the stream's name in UTF-8 (b"" for none), the frame


def patience_of(name: str) -> float:
    """Wall seconds in which a stream must have said something; infinite for news of listings."""
    if name.startswith("!"):
        return float("inf")
    return MARK_PATIENCE_S if "@markPrice" in name else KLINE_PATIENCE_S


class Turnstile:
    """Lets a bounded number of connections be opened in a while, over all shards."""

    def __init__(self, *, passes_max: int = CONNECTS_MAX, window_s: float = CONNECTS_S) -> None:
        self._window_s = window_s
        self._passed_s: deque[float] = deque(maxlen=passes_max)

    async def enter(self) -> None:
        """Wait until one more is allowed."""
        while len(self._passed_s) == self._passed_s.maxlen:
            wait_s = self._passed_s[0] + self._window_s - wall_monotonic_s()
            if wait_s <= 0:
                break
            await wall_sleep_s(wait_s)
        self._passed_s.append(wall_monotonic_s())


class MarketStream:
    """One shard. `hear` gets every frame with the name of its stream, when it is one of ours."""

    def __init__(
        self,
        *,
        ws_url: str,
        dice: random.Random,
        hear: Hear,
        silence_s: float = SILENCE_S,
        patience: Callable[[str], float] = patience_of,
        turnstile: Turnstile | None = None,
    ) -> None:
        self._url = f"{ws_url.rstrip('/')}/market/stream"
        self._backoff = Backoff(dice)
        self._tell = hear
        self._silence_s = silence_s
        self._patience = patience
        self._turnstile = turnstile or Turnstile()
        self._wanted: dict[str, bytes] = {}  # ordered; the name as it stands in frames
        self._asked_s: dict[str, float] = {}  # subscribed on this connection, when
        self._heard_s: dict[bytes, float] = {}  # each wanted one's last frame on it; 0 for none
        self._again: dict[str, None] = {}
        self._new = Flag()
        self._next_id = 1
        self._silent_from_s = wall_monotonic_s()
        self.opened_s: float | None = None  # None while it is not connected

    @property
    def names(self) -> tuple[str, ...]:
        """The streams this connection carries, or will once it is open."""
        return tuple(self._wanted)

    def __len__(self) -> int:
        return len(self._wanted)

    def want(self, names: Iterable[str]) -> None:
        """Carry these streams too, now or as soon as it is open."""
        if not self._wanted:
            self._silent_from_s = wall_monotonic_s()
        for name in names:
            self._wanted[name] = name.encode()
            self._heard_s.setdefault(self._wanted[name], 0.0)
        self._new.set()

    def drop(self, names: Iterable[str]) -> None:
        """Carry these streams no longer."""
        for name in names:
            key = self._wanted.pop(name, None)
            if key is not None:
                del self._heard_s[key]
            if name in self._again:
                del self._again[name]
                self._asked_s[name] = 0.0  # it still has to be unsubscribed
        self._new.set()

    def again(self, name: str) -> None:
        """Unsubscribe a stream and subscribe it anew."""
        if self._asked_s.pop(name, None) is not None:
            self._again[name] = None
            self._new.set()

    def asked_s(self, name: str) -> float | None:
        """When it was subscribed on the present connection (wall, monotonic); None: not yet."""
        return self._asked_s.get(name)

    def heard_s(self, name: str) -> float:
        """When its last frame came on the present connection; 0 when none did."""
        return self._heard_s.get(self._wanted.get(name, b""), 0.0)

    def silent_s(self, now_s: float) -> float:
        """For how long no stream of it has said anything, whatever the reason."""
        return now_s - max(self._silent_from_s, *self._heard_s.values(), 0.0)

    async def run(self) -> None:
        """Connect, subscribe, read, reconnect; forever. Ends only by cancellation."""
        while True:
            await self._turnstile.enter()
            end = await live_once(self._url, opened=self._opened, hear=self._hear)
            self._closed()
            if end.opened and end.lived_s >= STEADY_S:
                self._backoff.reset()
            log.warning("market_stream_lost", reason=end.reason, opened=end.opened)
            await wall_sleep_s(self._backoff.next_s())

    def _opened(self, line: Line) -> list[Coroutine[None, None, None]]:
        log.info("market_stream_opened", streams=len(self._wanted))
        self.opened_s = line.heard_s
        self._new.set()
        return [self._subscribe(line), self._watch_silence(line)]

    def _closed(self) -> None:
        # From the last word of the old connection on it is silent; a new one must prove itself.
        self._silent_from_s = max(self._silent_from_s, *self._heard_s.values(), 0.0)
        self._heard_s = dict.fromkeys(self._heard_s, 0.0)
        self._asked_s.clear()
        self._again.clear()
        self.opened_s = None

    def _hear(self, line: Line, frame: bytes) -> None:
        name = frame[NAME_AT : frame.find(b'"', NAME_AT)]
        if name not in self._heard_s:
            name = stream_of(frame)  # another spelling of the same, a reply, or nonsense
            if name not in self._heard_s:
                self._tell(name, frame)
                return
        self._heard_s[name] = line.heard_s
        self._tell(name, frame)

    async def _subscribe(self, line: Line) -> None:
        while True:
            await self._new.wait()
            self._new.clear()
            excess = [*self._again, *(n for n in self._asked_s if n not in self._wanted)]
            self._again.clear()
            for names in _chunks(excess):
                await self._ask(line, "UNSUBSCRIBE", names)
            for names in _chunks([n for n in self._wanted if n not in self._asked_s]):
                await self._ask(line, "SUBSCRIBE", names)

    async def _ask(self, line: Line, method: str, names: list[str]) -> None:
        frame = {"method": method, "params": names, "id": self._next_id}
        self._next_id += 1
        for name in names:
            if method == "SUBSCRIBE":
                self._asked_s[name] = wall_monotonic_s()
            else:
                self._asked_s.pop(name, None)
        await line.send(msgspec.json.encode(frame))
        await wall_sleep_s(SUBSCRIBE_GAP_S)

    async def _watch_silence(self, line: Line) -> None:
        began_s = line.heard_s
        while True:
            await wall_sleep_s(min(WATCH_EVERY_S, self._silence_s / 4))
            soonest_s = min(map(self._patience, self._wanted), default=float("inf"))
            now_s = wall_monotonic_s()
            silent_s = min(self.silent_s(now_s), now_s - began_s)
            if silent_s > max(self._silence_s, soonest_s):
                await line.end(f"silent for {silent_s:.0f} s")
                return


def _chunks(names: list[str]) -> list[list[str]]:
    return [
        names[start : start + SUBSCRIBE_NAMES_MAX]
        for start in range(0, len(names), SUBSCRIBE_NAMES_MAX)
    ]
