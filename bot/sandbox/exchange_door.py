"""The pretend exchange's REST door: who may come in, what goes wrong on the way, what is answered.

Must not know: how the market moves or how the sandbox is started.
"""

import asyncio
from collections.abc import Callable, Mapping
from copy import copy, deepcopy
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import msgspec
from aiohttp import web

from bot.sandbox.exchange import MAIN, Exchange
from bot.sandbox.exchange_call import Call, Result, Route, Security
from bot.sandbox.exchange_dialect import BadParameter, Json
from bot.sandbox.exchange_floor import Floor
from bot.sandbox.exchange_gate import (
    BAD_KEY,
    NO_KEY,
    ListenKeys,
    Meter,
    check_signed,
    parse_params,
)
from bot.sandbox.exchange_injection import Injection, Injections, Shot
from bot.sandbox.exchange_keys import Verifier
from bot.sandbox.exchange_records import Refusal
from bot.sandbox.exchange_rest import ROUTES
from bot.sandbox.faults import Fault, FaultPlan
from bot.shell.clock import wall_sleep_s

RECEIVED_MAX: Final = 20_000  # requests remembered; the older half goes first
SILENCE_S: Final = 90.0  # how long a request that gets no answer is held open
LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})

_UNKNOWN: Final = Refusal(
    code=-1000,
    text="Unknown error, please check your request or try again later.",
    http_status=503,
)
_SHOT_ANSWERS: Final[Mapping[Shot, Refusal]] = {
    Shot.UNKNOWN_503: _UNKNOWN,
    Shot.UNAVAILABLE_503: Refusal(code=-1000, text="Service Unavailable.", http_status=503),
    Shot.INTERNAL_503: Refusal(
        code=-1001,
        text="Internal error; unable to process your request. Please try again.",
        http_status=503,
    ),
    Shot.BACKEND_TIMEOUT: Refusal(
        code=-1007,
        text="Timeout waiting for response from backend server. Send status unknown; execution"
        " status unknown.",
        http_status=408,
    ),
    Shot.THROTTLE: Refusal(
        code=-1008, text="Request throttled by system-level protection.", http_status=503
    ),
    Shot.LIMIT_429: Refusal(
        code=-1003, text="Too many requests; please use the websocket.", http_status=429
    ),
}
_EXECUTED_SHOTS: Final = frozenset({Shot.UNKNOWN_503, Shot.BACKEND_TIMEOUT, Shot.TIMEOUT})


@dataclass(kw_only=True)
class Door:
    """Carries requests in and answers out, with the faults of the plan and those put in by hand."""

    floor: Floor
    listen_keys: ListenKeys
    injections: Injections
    plan: FaultPlan
    permissions: dict[str, object]
    api_key: str
    verifier: Verifier
    speed: float
    now_ms: Callable[[], int]
    received: list[Json] = field(default_factory=list)
    meter: Meter = field(default_factory=Meter)
    young_ms: int = 0  # orders newer than this are not found yet
    lagging: tuple[Exchange, int] | None = None  # what signed reads show, and until when

    def freeze(self, duration_ms: int) -> None:
        """Let signed reads show the account as it is now for so long; 0 ends it."""
        still = deepcopy(self.floor.exchange)
        self.lagging = (still, self.now_ms() + duration_ms) if duration_ms else None

    async def handle(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer one exchange request, or end its connection when a fault says so."""
        query = request.raw_path.partition("?")[2].encode("utf-8", "surrogateescape")
        self._remember(request, parse_params(query, body))
        shot = self.injections.for_request(request.method, request.path)
        if shot is not None:
            return await self._shoot(shot, request, query, body)
        return await self._lucky(request, query, body)

    async def _lucky(self, request: web.Request, query: bytes, body: bytes) -> web.StreamResponse:
        draw = self.plan.request()
        if draw.fault is Fault.LOSE_REQUEST:
            return _cut(request)
        if draw.refusal is not None and request.method == "POST":
            headers = {"Retry-After": "1"} if draw.refusal.http_status == 429 else {}
            return self._answer(draw.refusal, headers)
        answer = self._carry_out(request, query, body)
        draw = self.plan.answer()
        if draw.fault is Fault.LOSE_ANSWER:
            return _cut(request)
        if draw.fault is Fault.DELAY:
            await wall_sleep_s(draw.delay_ms / 1000 / max(1.0, self.speed))
        return answer

    async def _shoot(
        self, shot: Injection, request: web.Request, query: bytes, body: bytes
    ) -> web.StreamResponse:
        match shot.shot:
            case Shot.LOST_REQUEST:
                return _cut(request)
            case Shot.LOST_ANSWER:
                self._carry_out(request, query, body)
                return _cut(request)
            case Shot.DELAY_REQUEST:
                await wall_sleep_s(shot.delay_ms / 1000)
                return self._carry_out(request, query, body)
            case Shot.DELAY:
                answer = self._carry_out(request, query, body)
                await wall_sleep_s(shot.delay_ms / 1000)
                return answer
            case Shot.THROTTLE if _is_exit(request, parse_params(query, body)):
                return self._carry_out(request, query, body)
        if shot.shot in _EXECUTED_SHOTS and shot.executed:
            self._carry_out(request, query, body)
        if shot.shot is Shot.TIMEOUT:
            await wall_sleep_s(SILENCE_S)
            return _cut(request)
        return self._refused(shot)

    def _refused(self, shot: Injection) -> web.Response:
        if shot.shot is Shot.REFUSE:
            refusal = Refusal(code=shot.code, text=shot.text, http_status=shot.http_status)
            return self._answer(refusal, {})
        headers = self.meter.headers(0)
        if shot.shot in (Shot.LIMIT_429, Shot.BAN_418):
            headers["Retry-After"] = str(shot.retry_after_s)
        if shot.shot is Shot.BAN_418:
            until_ms = self.now_ms() + shot.retry_after_s * 1000
            text = f"Way too many requests; IP banned until {until_ms}."
            return self._answer(Refusal(code=-1003, text=text, http_status=418), headers)
        return self._answer(_SHOT_ANSWERS[shot.shot], headers)

    def _carry_out(self, request: web.Request, query: bytes, body: bytes) -> web.Response:
        route = ROUTES.get((request.method, request.path))
        if route is None:
            text = f"Path {request.path}, Method {request.method} is invalid"
            return self._answer(Refusal(code=-5000, text=text, http_status=404), {})
        params = parse_params(query, body)
        now_ms = self.now_ms()
        limited = self.meter.charge(now_ms, route.cost(params), route.orders, route.orders_10s)
        headers = self.meter.headers(route.orders)
        if limited is not None:
            headers["Retry-After"] = str(self.meter.retry_after_s(now_ms))
            return self._answer(limited, headers)
        result = self._check(route, request, query, body)
        if result is None:
            reads = request.method == "GET" and route.security is Security.SIGNED
            return self._answer(self.call(route, params, now_ms, reads=reads), headers)
        return self._answer(result, headers)

    def _check(
        self, route: Route, request: web.Request, query: bytes, body: bytes
    ) -> Refusal | None:
        if route.security is Security.NONE:
            return None
        key = request.headers.get("X-MBX-APIKEY", "")
        if not key:
            return NO_KEY
        if key != self.api_key:
            return BAD_KEY
        if route.security is Security.KEY:
            return None
        return check_signed(
            query, body, verifier=self.verifier, now_ms=self.now_ms(), speed=self.speed
        )

    def call(self, route: Route, params: dict[str, str], now_ms: int, *, reads: bool) -> Result:
        """Let an endpoint act, and tell the user streams what came of it."""
        self.floor.pass_time(now_ms)
        call = Call(
            params=params,
            now_ms=now_ms,
            account=MAIN,
            floor=self._seen(now_ms) if reads else self.floor,
            keys=self.listen_keys,
            permissions=self.permissions,
            young_ms=self.young_ms,
        )
        try:
            return route.act(call)
        except BadParameter as wrong:
            return wrong.refusal
        finally:
            self.floor.tell_users()

    def _seen(self, now_ms: int) -> Floor:
        if self.lagging is None or now_ms >= self.lagging[1]:
            return self.floor
        seen = copy(self.floor)
        seen.exchange = self.lagging[0]
        return seen

    def _answer(self, result: Result, headers: dict[str, str]) -> web.Response:
        headers["X-Sandbox-Speed"] = f"{self.speed:g}"
        if isinstance(result, Refusal):
            told: object = {"code": result.code, "msg": result.text}
            return json_answer(told, result.http_status, headers)
        return json_answer(result, 200, headers)

    def _remember(self, request: web.Request, params: dict[str, str]) -> None:
        if len(self.received) >= RECEIVED_MAX:
            del self.received[: RECEIVED_MAX // 2]
        self.received.append(
            {
                "method": request.method,
                "path": request.path,
                "params": {name: text for name, text in params.items() if name != "signature"},
                "at_ms": self.now_ms(),
            }
        )


def json_answer(value: object, status: int, headers: dict[str, str] | None = None) -> web.Response:
    """Any JSON-ready value as an answer."""
    return web.Response(
        body=msgspec.json.encode(value),
        status=status,
        headers=headers,
        content_type="application/json",
    )


def _cut(request: web.Request) -> web.Response:
    transport = request.transport
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
    return web.Response(status=503)  # never arrives: the connection has ended


def _is_exit(request: web.Request, params: dict[str, str]) -> bool:
    closing = params.get("reduceOnly") == "true" or params.get("closePosition") == "true"
    return request.method == "DELETE" or closing


def is_local(request: web.Request) -> bool:
    """Whether a request names this machine and comes from a page of this machine, if from one."""
    if (urlsplit(f"//{request.host}").hostname or "") not in LOOPBACK:
        return False
    origin = request.headers.get("Origin")
    return origin is None or (urlsplit(origin).hostname or "") in LOOPBACK
