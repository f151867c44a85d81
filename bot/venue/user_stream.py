"""The account's own stream: from its listen key to the sink, kept alive and never trusted.

- Each time it breaks the sink gets StreamLost, each time it runs (again) StreamRestored: what was
  said in between is not known, so a snapshot is due.
- Before the exchange ends a connection (after a day) a second one is opened beside it, and the
  first is closed only after both have run for a while: nothing is missed, some things come twice.
- An open socket proves nothing: `probe` is asked whether it is mute whenever it has said nothing
  for a while.

Must not know: what an event is good for. Every deadline is wall time: it is about the network.
Source: reference sheet sections 2.2 and 5.3 (2026-11).
"""

import random
from asyncio import Event as Flag
from asyncio import TaskGroup, timeout
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog

from bot.core.messages import EntriesHalted, StreamLost, StreamRestored
from bot.shell.clock import wall_monotonic_s, wall_sleep_s
from bot.shell.ports import EventSink
from bot.venue.rest import RestClient
from bot.venue.streams import ROTATE_S, STEADY_S, Backoff, Line, Oddities, follow, open_line
from bot.venue.wire import Method, percent
from bot.venue.wire_answers import ListenKeyRow, Malformed, check_moment, decode
from bot.venue.wire_errors import Answer, ErrorClass, Refused
from bot.venue.wire_frames import UserNews, moment_of, read_user_frame
from bot.venue.wire_requests import listen_key_request

log = structlog.get_logger(__name__)

KEY_PERIOD_S: Final = 25 * 60.0  # a key lives 60 minutes; the advice is every 20 to 30
KEY_AGAIN_S: Final = 30.0  # after a keepalive nobody answered
KEY_PERIOD_S_MIN: Final = 1.0
KEY_GONE_CODE: Final = -1125
KEY_EXPIRED: Final = "listen key expired"
OVERLAP_S: Final = 5.0  # both connections run; frames are late by a second at most
ROTATE_AGAIN_S: Final = 60.0  # after a second connection that could not be opened
LOOK_EVERY_S: Final = 1.0  # at the silence
IMPOSSIBLE_EVERY_S: Final = 60.0  # a reading of the account for nonsense, at most this often

WHERE: Final = "user stream"
MARGIN_CALL: Final = "the exchange calls for margin: a position is near its liquidation"

FrameHook = Callable[[bytes, int], None]  # the frame, wall monotonic nanoseconds
Probe = Callable[[float], Awaitable[str]]  # silent for so many seconds -> why it is mute, or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamHooks:
    """Who else listens: `on_news` to every frame's meaning, `on_frame` to its bytes."""

    on_news: Callable[[UserNews], None] | None = None
    on_frame: FrameHook | None = None
    probe: Probe | None = None


class UserStream:
    """The user stream of one account."""

    def __init__(
        self,
        *,
        rest: RestClient,
        ws_url: str,
        dice: random.Random,
        sink: EventSink,
        hooks: StreamHooks | None = None,
    ) -> None:
        self._rest = rest
        self._ws_url = ws_url.rstrip("/")
        self._backoff = Backoff(dice)
        self._sink = sink
        self._hooks = hooks or StreamHooks()
        self._up = Flag()
        self._over = Flag()  # the last of the connections has ended
        self._lines: list[Line] = []  # oldest first; two while one takes over from the other
        self._reason = ""
        self._heard_s = 0.0
        self._nonsense_s = -IMPOSSIBLE_EVERY_S
        self._listen_key = ""
        self.oddities = Oddities()

    @property
    def is_up(self) -> bool:
        """True while connected."""
        return self._up.is_set()

    async def ready(self, timeout_s: float) -> bool:
        """Wait in wall time until it is connected; False when it is not by then."""
        try:
            async with timeout(timeout_s):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Connect, read, reconnect; forever. Ends only by cancellation."""
        while True:
            key = await self._new_key()
            if key:
                self._listen_key = key
                await self._live()
            await wall_sleep_s(self._backoff.next_s())

    async def _live(self) -> None:
        line = await open_line(self._url())
        if isinstance(line, str):
            log.warning("user_stream_not_opened", reason=line)
            return
        began_s = self._heard_s = line.heard_s
        self._reason = ""
        self._over.clear()
        try:
            async with TaskGroup() as group:
                self._join(group, line)
                self._up.set()
                log.info("user_stream_opened")
                self._sink(StreamRestored())
                companions = [
                    group.create_task(self._keep_key()),
                    group.create_task(self._rotate(group)),
                    group.create_task(self._watch_silence()),
                ]
                await self._over.wait()
                for companion in companions:
                    companion.cancel()
        finally:
            self._up.clear()
            self._lines.clear()
            reason = self._reason or "stopped"
            log.warning("user_stream_lost", reason=reason)
            self._sink(StreamLost(reason=reason))
        if wall_monotonic_s() - began_s >= STEADY_S:
            self._backoff.reset()

    def _url(self) -> str:
        return f"{self._ws_url}/private/ws?listenKey={percent(self._listen_key)}"

    # ------------------------------------------------------------------------- connections

    def _join(self, group: TaskGroup, line: Line) -> None:
        self._lines.append(line)
        group.create_task(self._follow(line))

    async def _follow(self, line: Line) -> None:
        await follow(line, self._hear)
        if line in self._lines:
            self._lines.remove(line)
        if line.reason == KEY_EXPIRED:
            await self._end(KEY_EXPIRED)
        if not self._lines:
            self._reason = line.reason
            self._over.set()

    async def _rotate(self, group: TaskGroup) -> None:
        """Open the next connection beside the running one, then end the older."""
        wait_s = ROTATE_S
        while True:
            await wall_sleep_s(wait_s)
            line = await open_line(self._url())
            if isinstance(line, str):
                log.warning("user_stream_not_rotated", reason=line)
                wait_s = ROTATE_AGAIN_S
                continue
            self._join(group, line)
            await wall_sleep_s(OVERLAP_S)
            wait_s = ROTATE_S
            if line in self._lines:
                for older in self._lines[: self._lines.index(line)]:
                    await older.end("rotated")
                log.info("user_stream_rotated")
            else:  # the new one died at once: try again, soon
                wait_s = ROTATE_AGAIN_S

    async def _end(self, reason: str) -> None:
        for line in list(self._lines):
            await line.end(reason)

    async def _watch_silence(self) -> None:
        probe = self._hooks.probe
        while probe is not None:
            await wall_sleep_s(LOOK_EVERY_S)
            why = await probe(wall_monotonic_s() - self._heard_s)
            if why:
                await self._end(f"mute: {why}")
                return

    # ------------------------------------------------------------------------------ frames

    def _hear(self, line: Line, frame: bytes) -> None:
        self._heard_s = line.heard_s
        if self._hooks.on_frame is not None:
            self._hooks.on_frame(frame, round(line.heard_s * 1e9))
        try:
            news = read_user_frame(frame)
            self._check_moments(news)
        except Malformed as fault:
            self._note_malformed(fault)
            return
        if news.odd:
            self.oddities.note(news.odd)
        if news.kind == "MARGIN_CALL":
            # What stands so near to its liquidation may be a stranger's: nothing more is opened.
            log.error("margin_call_received")
            self._sink(EntriesHalted(reason=MARGIN_CALL))
        if self._hooks.on_news is not None:
            self._hooks.on_news(news)
        for event in news.events:
            self._sink(event)
        if news.key_expired:
            line.reason = KEY_EXPIRED

    def _check_moments(self, news: UserNews) -> None:
        now_ms = self._rest.clock.now_ms()
        try:
            for event in news.events:
                check_moment(moment_of(event), now_ms=now_ms)
        except Malformed:
            self._rest.doubt_clock()  # a machine that slept is behind: then it is us
            raise

    def _note_malformed(self, fault: Malformed) -> None:
        # What the frame was about is not known: the account is read, and a person is told.
        self.oddities.note("malformed_user_frame", str(fault))
        self._rest.reject(WHERE, fault)
        now_s = wall_monotonic_s()
        if now_s - self._nonsense_s >= IMPOSSIBLE_EVERY_S:
            self._nonsense_s = now_s
            self._sink(StreamRestored())

    # --------------------------------------------------------------------------------- key

    async def _new_key(self) -> str:
        outcome = await self._rest.send(listen_key_request(Method.POST))
        if isinstance(outcome, Answer):
            try:
                return decode(outcome.body, ListenKeyRow).listen_key
            except Malformed as fault:
                log.warning("listen_key_unreadable", reason=str(fault))
                return ""
        why = outcome.text if isinstance(outcome, Refused) else outcome.reason
        log.warning("listen_key_not_given", reason=why)
        return ""

    async def _keep_key(self) -> None:
        period_s = KEY_PERIOD_S
        while True:
            # The sandbox's key ages on its own, faster clock.
            await wall_sleep_s(max(KEY_PERIOD_S_MIN, period_s / self._rest.clock.speed))
            outcome = await self._rest.send(listen_key_request(Method.PUT))
            period_s = KEY_PERIOD_S
            if isinstance(outcome, Answer):
                if self._is_other_key(outcome):
                    await self._end("the listen key changed")
                    return
            elif isinstance(outcome, Refused) and _is_key_gone(outcome):
                await self._end(f"listen key not kept: {outcome.code} {outcome.text}")
                return
            else:
                period_s = KEY_AGAIN_S

    def _is_other_key(self, answer: Answer) -> bool:
        try:
            return decode(answer.body, ListenKeyRow).listen_key != self._listen_key
        except Malformed:
            return False  # some servers answer {} to a keepalive


def _is_key_gone(refused: Refused) -> bool:
    return refused.code == KEY_GONE_CODE or refused.kind is not ErrorClass.TEMPORARY
