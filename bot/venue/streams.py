"""WebSockets to the exchange: one connection's life, and market streams by subscription.

Must not know: what an event or a price is good for. Every deadline here is wall time: it is about
the network. Frames are handed on in the order they came, by the one task that reads them. An open
socket proves nothing (a bogus key gets one too), so silence is watched for.
Source: reference sheet sections 2.2 and 5 (2026-11).
"""

import random
from asyncio import Event as Flag
from asyncio import TaskGroup
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from bot.shell.clock import wall_monotonic_s, wall_sleep_s
from bot.shell.hush import Hush

log = structlog.get_logger(__name__)

OPEN_TIMEOUT_S: Final = 10.0
CLOSE_TIMEOUT_S: Final = 1.0
FRAME_BYTES_MAX: Final = 4 * 1024 * 1024
BACKOFF_S: Final = 0.1
BACKOFF_S_MAX: Final = 30.0
STEADY_S: Final = 10.0  # a connection that lived this long starts the backoff anew
ROTATE_S: Final = 23.5 * 3600  # the exchange closes a connection after 24 h
SUBSCRIBE_NAMES_MAX: Final = 100  # names in one SUBSCRIBE; 200 were measured to work
SUBSCRIBE_GAP_S: Final = 0.25  # the exchange allows 10 frames a second and bans for more
SILENCE_S: Final = 20.0  # a mark price comes every second, a kline four times a second
WATCH_EVERY_S: Final = 0.5


class Oddities:
    """Counts what was dropped, by kind, and says so in the log once a minute for each kind."""

    KINDS_MAX: Final = 200  # kinds come from the wire: bounded

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self._hush = Hush()

    def note(self, kind: str, detail: str = "") -> None:
        """One more of `kind`; `detail` is shown in the log, cut short."""
        if kind not in self.counts and len(self.counts) >= self.KINDS_MAX:
            kind = "other"
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if self._hush.count(kind):
            log.warning("frame_dropped", kind=kind, count=self.counts[kind], detail=detail[:200])


class Backoff:
    """Growing pauses with jitter between tries to connect."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._tries = 0

    def reset(self) -> None:
        """The last connection was a good one."""
        self._tries = 0

    def next_s(self) -> float:
        """Seconds to wait before the next try."""
        pause_s: float = min(BACKOFF_S * 2 ** min(self._tries, 20), BACKOFF_S_MAX)
        self._tries += 1
        return pause_s * self._dice.uniform(0.5, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a connection ended."""

    reason: str
    opened: bool
    lived_s: float = 0.0


class Line:
    """One connection's life: opened, read to its end, its companions cancelled with it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard_s = wall_monotonic_s()
        self.reason = ""

    async def end(self, reason: str) -> None:
        """Close it from our side; the reader then reports `reason`."""
        self.reason = self.reason or reason
        await self.socket.close()

    async def send(self, text: bytes) -> None:
        """Send one text frame; a connection that is gone is the reader's to report."""
        try:
            await self.socket.send(text, text=True)
        except ConnectionClosed:
            log.debug("frame_not_sent")

    async def rotate(self) -> None:
        """End it before the exchange does."""
        await wall_sleep_s(ROTATE_S)
        await self.end("daily rotation")


async def open_line(url: str) -> Line | str:
    """A connection to `url`, or why there is none; never raises for what the network does."""
    try:
        socket = await connect(
            url,
            compression=None,
            proxy=None,
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            max_size=FRAME_BYTES_MAX,
            max_queue=(1024, 256),
        )
    except (OSError, TimeoutError, WebSocketException) as fault:
        return f"{type(fault).__name__}: {fault}"[:200]
    return Line(socket)


async def follow(line: Line, hear: Callable[[Line, bytes], None]) -> None:
    """Hand on every frame until the line ends; `line.reason` then says why. Closes it."""
    async with line.socket:
        try:
            # A frame may say that the connection is of no more use: then `hear` gives a reason.
            while not line.reason:
                frame = await line.socket.recv(decode=False)
                line.heard_s = wall_monotonic_s()
                hear(line, frame)
        except ConnectionClosed as closed:
            line.reason = line.reason or f"closed: {closed}"[:200]


async def live_once(
    url: str,
    *,
    opened: Callable[[Line], Iterable[Coroutine[None, None, None]]],
    hear: Callable[[Line, bytes], None],
) -> End:
    """One connection from opening to end, with companions that live as long as it does."""
    line = await open_line(url)
    if isinstance(line, str):
        return End(reason=line, opened=False)
    began_s = line.heard_s
    async with TaskGroup() as group:
        companions = [group.create_task(line.rotate())]
        companions += [group.create_task(companion) for companion in opened(line)]
        try:
            await follow(line, hear)
        finally:
            for companion in companions:
                companion.cancel()
    return End(reason=line.reason, opened=True, lived_s=wall_monotonic_s() - began_s)


class MarketStream:
    """One connection of market streams: wanted names are subscribed, also after a reconnect.

    `hear` gets every frame; `changed` is told True on each (re)connect and False when it broke.
    """

    def __init__(
        self,
        *,
        ws_url: str,
        dice: random.Random,
        hear: Callable[[bytes], None],
        changed: Callable[[bool], None],
        silence_s: float = SILENCE_S,
    ) -> None:
        self._url = f"{ws_url.rstrip('/')}/market/stream"
        self._backoff = Backoff(dice)
        self._tell = hear
        self._changed = changed
        self._silence_s = silence_s
        self._wanted: dict[str, None] = {}  # ordered
        self._asked: dict[str, None] = {}
        self._new = Flag()
        self._next_id = 1

    @property
    def names(self) -> tuple[str, ...]:
        """The streams this connection carries, or will once it is open."""
        return tuple(self._wanted)

    def want(self, names: Iterable[str]) -> None:
        """Carry these streams too, now or as soon as it is open."""
        self._wanted.update(dict.fromkeys(names))
        self._new.set()

    def drop(self, names: Iterable[str]) -> None:
        """Carry these streams no longer."""
        for name in names:
            self._wanted.pop(name, None)
        self._new.set()

    async def run(self) -> None:
        """Connect, subscribe, read, reconnect; forever. Ends only by cancellation."""
        while True:
            self._asked.clear()
            end = await live_once(self._url, opened=self._opened, hear=self._hear)
            if end.opened:
                self._changed(False)
                if end.lived_s >= STEADY_S:
                    self._backoff.reset()
            log.warning("market_stream_lost", reason=end.reason, opened=end.opened)
            await wall_sleep_s(self._backoff.next_s())

    def _opened(self, line: Line) -> list[Coroutine[None, None, None]]:
        log.info("market_stream_opened", streams=len(self._wanted))
        self._new.set()
        self._changed(True)
        return [self._subscribe(line), self._watch_silence(line)]

    def _hear(self, _line: Line, frame: bytes) -> None:
        self._tell(frame)

    async def _subscribe(self, line: Line) -> None:
        while True:
            await self._new.wait()
            self._new.clear()
            missing = [name for name in self._wanted if name not in self._asked]
            excess = [name for name in self._asked if name not in self._wanted]
            for method, names in (("SUBSCRIBE", missing), ("UNSUBSCRIBE", excess)):
                for start in range(0, len(names), SUBSCRIBE_NAMES_MAX):
                    await self._ask(line, method, names[start : start + SUBSCRIBE_NAMES_MAX])
            self._asked = {name: None for name in self._asked if name not in excess}

    async def _ask(self, line: Line, method: str, names: list[str]) -> None:
        frame = {"method": method, "params": names, "id": self._next_id}
        self._next_id += 1
        if method == "SUBSCRIBE":
            self._asked.update(dict.fromkeys(names))
        await line.send(msgspec.json.encode(frame))
        await wall_sleep_s(SUBSCRIBE_GAP_S)

    async def _watch_silence(self, line: Line) -> None:
        while True:
            await wall_sleep_s(min(WATCH_EVERY_S, self._silence_s / 4))
            silent_s = wall_monotonic_s() - line.heard_s
            if self._wanted and silent_s > self._silence_s:
                await line.end(f"silent for {silent_s:.0f} s")
                return
