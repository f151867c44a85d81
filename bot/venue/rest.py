"""HTTP to the exchange: one request, one outcome; the clock's offset; retries of reads only.

Must not know: orders or what an answer means. A write is sent at most once by this file, whatever
happens. Whether a request left the machine is known from the transport, not guessed: only a
request whose bytes were never written is `NotSent`.

Network patience (timeouts, backoff) is wall time; stamps, budgets and bans are exchange time.
"""

import asyncio
import random
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

import aiohttp
import stamina
import structlog
from aiohttp.connector import Connection
from yarl import URL

from bot.shell.clock import SystemClock, wall_monotonic_s, wall_sleep_s
from bot.venue.wire import Priority, Request, Security, Signer, target_of
from bot.venue.wire_answers import Malformed, TimeRow, decode
from bot.venue.wire_errors import (
    CLOCK_CODES,
    Answer,
    ErrorClass,
    NotSent,
    Outcome,
    Refused,
    Unknown,
    outcome_of,
)
from bot.venue.wire_requests import time_request
from bot.venue.wire_weight import WeightBudget

log = structlog.get_logger(__name__)
# Its own line for each retry names no request; what came of a read is told by whoever asked.
stamina.instrumentation.set_on_retry_hooks(())

CONNECTIONS_MAX: Final = 64  # more than reads can ever hold, so an order never waits for a socket
READS_AT_ONCE: Final = 8
TIMEOUT_S: Final = 10.0  # the exchange itself gives up on a request after about this long
CLOCK_SAMPLES: Final = 3
CLOCK_PERIOD_S: Final = 300.0  # wall; a quartz clock drifts by a few ms in that time
CLOCK_AGAIN_S: Final = 1.0  # wall, after a sync nobody answered; doubles
CLOCK_AGAIN_S_MAX: Final = 60.0
READ_TRIES_MAX: Final = 4
READ_BACKOFF_S: Final = 0.2
READ_BACKOFF_S_MAX: Final = 5.0
RETRY_AFTER_S_MAX: Final = 60.0  # a read told to wait longer gives up and is asked again later
BODY_BYTES_MAX: Final = 16 * 1024 * 1024  # exchangeInfo is about 1 MB
FIREWALL_PAUSE_MS: Final = 60_000  # wall; 403 is the firewall's word, and it wants to be left alone
SPEED_HEADER: Final = "x-sandbox-speed"
SPEED_MAX: Final = 100_000.0

SentHook = Callable[[], None]
OutcomeHook = Callable[[Request, Outcome], None]
RejectHook = Callable[[str, Malformed], None]  # where it was said, and what is wrong with it


class _Again(Exception):
    """A read came to nothing that lasts; `pause_s` is wall time before the next try."""

    def __init__(self, pause_s: float) -> None:
        super().__init__(pause_s)
        self.pause_s = pause_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An API key and the signer made from its secret; never shown."""

    api_key: str
    signer: Signer

    def __repr__(self) -> str:
        return "Credentials(...)"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestAddress:
    """Where the exchange is, and how it may be spoken to.

    `sandbox_allowed` lets the other side's `X-Sandbox-Speed` header set the clock's rate; never
    true against the real exchange. `timeout_s` is wall time for one whole request.
    """

    base_url: str
    sandbox_allowed: bool = False
    timeout_s: float = TIMEOUT_S


@dataclass(slots=True)
class _Trip:
    on_sent: SentHook | None = None
    sent: bool = False


# The running task's request on its way. A trace of aiohttp's would tell the same, at a higher cost.
_TRIP: Final[ContextVar[_Trip | None]] = ContextVar("trip", default=None)


class _ToldRequest(aiohttp.ClientRequest):
    """A request that tells when its bytes are handed to the transport."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        trip = _TRIP.get()
        if trip is None or trip.sent:
            return await super().send(conn)
        trip.sent = True
        response = await super().send(conn)
        if trip.on_sent is not None:
            trip.on_sent()
        return response


def open_session() -> aiohttp.ClientSession:
    """A session for RestClients: it tells when request bytes left; close it at the end."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, keepalive_timeout=30),
        request_class=_ToldRequest,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=True,
    )


class RestClient:
    """Requests of one key (or of none) through a shared session from `open_session`.

    `budget` belongs to the IP: share it between clients.
    """

    def __init__(
        self,
        *,
        address: RestAddress,
        session: aiohttp.ClientSession,
        clock: SystemClock,
        budget: WeightBudget,
        dice: random.Random,
        credentials: Credentials | None = None,
    ) -> None:
        self._base = URL(address.base_url.rstrip("/"))
        self._base_path = self._base.raw_path.rstrip("/")
        self._session = session
        self._clock = clock
        self._budget = budget
        self._random = dice
        self._credentials = credentials
        self._key_headers = {"X-MBX-APIKEY": credentials.api_key} if credentials else {}
        self._timeout = aiohttp.ClientTimeout(total=address.timeout_s)
        self._sandbox_allowed = address.sandbox_allowed
        self._reads = asyncio.Semaphore(READS_AT_ONCE)
        self._resync = asyncio.Event()
        self._on_outcome: OutcomeHook | None = None
        self._on_reject: RejectHook | None = None

    def watch_outcomes(self, hook: OutcomeHook) -> None:
        """Call `hook` with every request and what came of it; it must be quick and not raise."""
        self._on_outcome = hook

    def watch_rejected(self, hook: RejectHook) -> None:
        """Call `hook` with everything that `reject` is told; it must be quick and not raise."""
        self._on_reject = hook

    def reject(self, where: str, fault: Malformed) -> None:
        """What was said there cannot be read, or cannot be: nothing is concluded from it."""
        if self._on_reject is not None:
            self._on_reject(where, fault)

    @property
    def clock(self) -> SystemClock:
        """The clock this client keeps at exchange time."""
        return self._clock

    @property
    def budget(self) -> WeightBudget:
        """The IP's weight budget."""
        return self._budget

    @property
    def has_key(self) -> bool:
        """True when signed requests can be made."""
        return self._credentials is not None

    async def send(self, request: Request, *, on_sent: SentHook | None = None) -> Outcome:
        """Send once, now or not at all; never raises for what the network or the exchange does."""
        wait_ms = self._admit(request)
        if wait_ms > 0:
            return NotSent(reason=f"the exchange asked for a pause of {wait_ms} ms")
        outcome = await self._exchange(request, on_sent)
        if isinstance(outcome, Refused) and outcome.code in CLOCK_CODES:
            # Not executed; whoever sends it again finds the clock set.
            await self.sync_clock()
        return outcome

    async def read(self, request: Request, *, tries: int = READ_TRIES_MAX) -> Outcome:
        """Send a read, waiting for weight and trying again; the last outcome when none is good.

        The core's questions wait neither for a socket nor for weight, since it asks again; the
        others share a few at a time.
        """
        assert not request.is_write, f"{request.path} is no read"
        if request.priority <= Priority.ASKING:
            return await self._read(request, tries)
        async with self._reads:
            return await self._read(request, tries)

    async def sync_clock(self) -> bool:
        """Set the clock to exchange time by the quickest of a few samples; False when unanswered.

        The clock is left alone while it agrees within half a round trip: time seldom jumps.
        """
        best: tuple[float, float, float] | None = None  # round trip, moment of answer, server ms
        speed = self._clock.speed
        for _ in range(CLOCK_SAMPLES):
            if self._admit(time_request()) > 0:
                break  # A ban is for everybody: asking on makes it longer.
            asked_s = wall_monotonic_s()
            outcome = await self._exchange(time_request(), None)
            trip_s = wall_monotonic_s() - asked_s
            if not isinstance(outcome, Answer):
                continue
            try:
                server_ms = decode(outcome.body, TimeRow).server_time
            except Malformed:
                continue
            speed = self._speed_of(outcome)
            if best is None or trip_s < best[0]:
                best = (trip_s, asked_s + trip_s, float(server_ms))
        if best is None:
            log.warning("clock_not_synced")
            return False
        half_ms = best[0] / 2 * 1000 * speed
        now_ms = best[2] + half_ms + (wall_monotonic_s() - best[1]) * 1000 * speed
        if speed != self._clock.speed or abs(now_ms - self._clock.now_ms()) > half_ms + 1:
            self._clock.set_now(now_ms, speed=speed)
        return True

    def doubt_clock(self) -> None:
        """Somebody was told of a moment that cannot be: sync the clock soon."""
        self._resync.set()

    async def keep_clock(self) -> None:
        """Sync the clock every few wall minutes, and when the sandbox's speed changes; forever."""
        pause_s = CLOCK_AGAIN_S
        while True:
            self._resync.clear()
            try:
                async with asyncio.timeout(CLOCK_PERIOD_S * self._random.uniform(0.9, 1.0)):
                    await self._resync.wait()
            except TimeoutError:
                pass
            if await self.sync_clock():
                pause_s = CLOCK_AGAIN_S
            else:
                await wall_sleep_s(pause_s)
                pause_s = min(2 * pause_s, CLOCK_AGAIN_S_MAX)
                self._resync.set()

    async def _read(self, request: Request, tries: int) -> Outcome:
        outcome: Outcome = NotSent(reason="never tried")
        try:
            async for attempt in stamina.retry_context(on=_pause_s, attempts=tries, timeout=None):
                with attempt:
                    if not await self._wait_for_weight(request):
                        return NotSent(reason="the exchange asked for a long pause")
                    outcome = await self._send_admitted(request)
                    if isinstance(outcome, Answer) or not _is_passing(outcome):
                        return outcome
                    raise _Again(self._backoff_s(outcome, attempt.num - 1))
        except _Again:
            pass  # the last outcome says it all
        return outcome

    async def _send_admitted(self, request: Request) -> Outcome:
        """Send a read whose weight is already booked; a clock refusal sets the clock."""
        outcome = await self._exchange(request, None)
        if isinstance(outcome, Refused) and outcome.code in CLOCK_CODES:
            await self.sync_clock()
        return outcome

    async def _wait_for_weight(self, request: Request) -> bool:
        while True:
            wait_ms = self._admit(request)
            if wait_ms == 0:
                return True
            wait_s = wait_ms / 1000 / self._clock.speed
            if wait_s > RETRY_AFTER_S_MAX or request.priority <= Priority.ASKING:
                return False
            # A little more than asked, so that the crowd does not wake in the same instant.
            await wall_sleep_s(wait_s + self._random.uniform(0.0, 0.05))

    def _admit(self, request: Request) -> int:
        return self._budget.wait_ms(
            priority=request.priority, weight=request.weight, now_ms=self._clock.now_ms()
        )

    def _backoff_s(self, outcome: Outcome, attempt: int) -> float:
        if isinstance(outcome, Refused) and outcome.retry_after_ms:
            return outcome.retry_after_ms / 1000
        backoff_s: float = min(READ_BACKOFF_S * 2**attempt, READ_BACKOFF_S_MAX)
        return backoff_s * self._random.uniform(0.75, 1.25)

    async def _exchange(self, request: Request, on_sent: SentHook | None) -> Outcome:
        key = self._credentials
        if request.security is not Security.NONE and key is None:
            return NotSent(reason=f"{request.path} needs a key")
        path, query = target_of(
            request, timestamp_ms=self._clock.now_ms(), signer=key.signer if key else None
        )
        trip = _Trip(on_sent=on_sent)
        _TRIP.set(trip)
        try:
            async with self._session.request(
                request.method.value,
                self._url(path, query),
                headers=self._key_headers if request.security is not Security.NONE else None,
                timeout=self._timeout,
                allow_redirects=False,
            ) as response:
                body = await _body_of(response)
                answered = response.headers
                status = response.status
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as fault:
            reason = f"{type(fault).__name__}: {fault}"[:200]
            return Unknown(reason=reason) if trip.sent else NotSent(reason=reason)
        outcome = self._judge(request, status, body, answered)
        if self._on_outcome is not None:
            self._on_outcome(request, outcome)
        return outcome

    def _url(self, path: str, query: str) -> URL:
        # Taken together, not parsed: what was signed goes out as it stands.
        return URL.build(
            scheme=self._base.scheme,
            authority=self._base.raw_authority,
            path=self._base_path + path,
            query_string=query,
            encoded=True,
        )

    def _judge(
        self, request: Request, status: int, body: bytes, headers: Mapping[str, str]
    ) -> Outcome:
        now_ms = self._clock.now_ms()
        self._budget.note_answer(headers, now_ms=now_ms)
        if self._sandbox_allowed and _speed(headers.get(SPEED_HEADER, "")) not in (
            None,
            self._clock.speed,
        ):
            self._resync.set()
        outcome = outcome_of(status=status, body=body, headers=headers, is_write=request.is_write)
        if status in (418, 429) and isinstance(outcome, Refused):
            until_ms = outcome.banned_until_ms
            if outcome.retry_after_ms:
                asked_ms = now_ms + round(outcome.retry_after_ms * self._clock.speed)
                until_ms = max(until_ms, asked_ms)
            self._budget.pause(until_ms=until_ms, now_ms=now_ms, banned=status == 418)
            log.warning("exchange_limit_hit", status=status, path=request.path, until_ms=until_ms)
        if status == 403:
            pause_ms = round(FIREWALL_PAUSE_MS * self._clock.speed)
            self._budget.pause(until_ms=now_ms + pause_ms, now_ms=now_ms, banned=False)
            log.error("firewall_refused", path=request.path)
        return outcome

    def _speed_of(self, answer: Answer) -> float:
        if not self._sandbox_allowed:
            return self._clock.speed
        return _speed(answer.headers.get(SPEED_HEADER, "")) or self._clock.speed


async def _body_of(response: aiohttp.ClientResponse) -> bytes:
    if (response.content_length or BODY_BYTES_MAX) < BODY_BYTES_MAX:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise ValueError("the answer is too long to be true")
    return bytes(body)


def _pause_s(fault: Exception) -> float | bool:
    if isinstance(fault, _Again):
        return fault.pause_s if fault.pause_s <= RETRY_AFTER_S_MAX else False
    return False


def _is_passing(outcome: Outcome) -> bool:
    if isinstance(outcome, Refused):
        return outcome.kind is ErrorClass.TEMPORARY
    return isinstance(outcome, Unknown | NotSent)


def _speed(text: str) -> float | None:
    try:
        speed = float(text)
    except ValueError:
        return None
    return speed if 0 < speed <= SPEED_MAX else None
