"""WebSockets to the exchange: one connection's life.

Must not know: what an event or a price is good for. Every deadline here is wall time: it is about
the network. Frames are handed on in the order they came, by the one task that reads them. An open
socket proves nothing (a bogus key gets one too), so silence is watched for.
Source: reference sheet sections 2.2 and 5 (2026-11).
"""

import random
from asyncio import TaskGroup
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Final

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
FRAMES_AT_ONCE: Final = 32  # about 3 ms of reading, then whoever waits for the loop has it
ROTATE_S: Final = 23.5 * 3600  # the exchange closes a connection after 24 h


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
            heard = 0
            while not line.reason:
                frame = await line.socket.recv(decode=False)
                line.heard_s = wall_monotonic_s()
                hear(line, frame)
                heard += 1
                if heard % FRAMES_AT_ONCE == 0:
                    await wall_sleep_s(0)  # What is buffered is handed out without a pause.
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
