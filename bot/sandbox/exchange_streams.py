"""The pretend exchange's WebSocket side: routes, subscriptions, listen keys, one queue a socket.

Source: the facts sheet's sections 1, 2.2 and 5. `/public`, `/market` and `/private` deliver only
their own streams; an un-routed socket delivers public ones; every SUBSCRIBE is acknowledged all
the same. A socket that does not read is closed when its queue is full. Must not know: the book.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from aiohttp import WSMsgType, web

from bot.sandbox.exchange_dialect import Json
from bot.sandbox.exchange_frames import event_frame
from bot.sandbox.exchange_gate import ListenKeys
from bot.sandbox.exchange_injection import Injections, Shot
from bot.sandbox.exchange_records import UserEvent
from bot.sandbox.faults import Fault, FaultDraw, FaultPlan
from bot.shell.clock import wall_monotonic_s, wall_sleep_s

QUEUE_MAX: Final = 20_000  # frames a socket may be behind
STREAMS_MAX: Final = 1_024
FRAMES_PER_SECOND_MAX: Final = 10
SOCKETS_MAX: Final = 200
LIFE_MS: Final = 24 * 3_600_000  # a connection's, at speed 1
PING_S: Final = 180.0  # of the wall
PUBLIC_SUFFIXES: Final = ("bookTicker", "depth", "rpiDepth", "trade")
_NO_STREAMS: Final[Mapping[str, object]] = {}


@dataclass(eq=False, slots=True)
class Socket:
    """One connected client."""

    ws: web.WebSocketResponse
    route: str  # public, market, private, or "" for the un-routed form
    combined: bool
    transport: asyncio.WriteTransport | None
    streams: dict[str, frozenset[str]] = field(default_factory=dict)  # name: event filter
    queue: asyncio.Queue[bytes | None] = field(
        default_factory=lambda: asyncio.Queue(maxsize=QUEUE_MAX)
    )
    arrivals: deque[float] = field(default_factory=lambda: deque(maxlen=FRAMES_PER_SECOND_MAX))
    opened_ms: int = 0
    broken: bool = False


class Hub:
    """Every socket and who listens to what."""

    def __init__(
        self,
        keys: ListenKeys,
        plan: FaultPlan,
        injections: Injections,
        speed: float,
        now_ms: Callable[[], int],
    ) -> None:
        self._now_ms = now_ms
        self._keys = keys
        self._plan = plan
        self._injections = injections
        self._speed = max(1.0, speed)
        self._sockets: set[Socket] = set()
        self._by_symbol: dict[str, dict[str, set[Socket]]] = {}
        self._by_stream: dict[str, set[Socket]] = {}
        self._late: set[asyncio.Task[None]] = set()
        self.frames_sent = 0

    # What the floor asks and tells

    def wanted(self, symbol: str) -> Mapping[str, object]:
        """The streams of a lower-case symbol somebody listens to, without the symbol's name."""
        return self._by_symbol.get(symbol, _NO_STREAMS)

    def wants(self, stream: str) -> bool:
        """Whether somebody listens to this all-symbols stream."""
        return stream in self._by_stream

    def market(self, stream: str, payload: Json | list[Json]) -> None:
        """Send one market payload to everybody who listens on the right route."""
        name, _, suffix = stream.partition("@")
        if stream.startswith("!"):
            listeners = self._by_stream.get(stream, ())
        else:
            listeners = self._by_symbol.get(name, {}).get(suffix, ())
        bare = wrapped = b""
        for socket in tuple(listeners):
            if socket.combined:
                wrapped = wrapped or msgspec.json.encode({"stream": stream, "data": payload})
            else:
                bare = bare or msgspec.json.encode(payload)
            self._put(socket, wrapped if socket.combined else bare)

    def user(self, events: list[UserEvent], now_ms: int) -> None:
        """Send account events to the sockets of living listen keys, faults applied."""
        self.expire(now_ms)
        for event in events:
            frame = event_frame(event)
            name = str(frame["e"])
            shot = self._injections.for_event(name)
            if shot is None:
                self._carry(event.account_id, frame, self._plan.event())
            elif shot.shot is Shot.WS_DUPLICATE:
                self._carry(event.account_id, frame, FaultDraw(fault=Fault.DUPLICATE))
            elif shot.shot is Shot.WS_DELAY:
                wall_ms = shot.delay_ms
                self._later(event.account_id, frame, wall_ms)

    def expire(self, now_ms: int) -> None:
        """Mute the sockets of listen keys whose hour is over; close those whose day is over."""
        for key in self._keys.expire(now_ms):
            self.tell_expired(key, now_ms)
        oldest_ms = now_ms - int(LIFE_MS * self._speed)
        for socket in tuple(self._sockets):
            if socket.opened_ms <= oldest_ms and not socket.broken:
                socket.broken = True
                self._spawn(self._part(socket, 1001, b""))

    def tell_expired(self, key: str, now_ms: int) -> None:
        """The last word on a listen key; the socket stays open and mute."""
        frame = {"e": "listenKeyExpired", "E": now_ms, "listenKey": key}
        for socket in self._sockets:
            if key in socket.streams and socket.route == "private":
                self._send_user(socket, key, frame)

    def cut(self, route: str | None) -> int:
        """End connections without a close frame: a route's, or all; how many."""
        chosen = [s for s in self._sockets if route in (None, s.route)]
        for socket in chosen:
            self._break(socket)
        return len(chosen)

    async def close(self) -> None:
        """Close every socket and wait for late frames to give up."""
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)
        for socket in tuple(self._sockets):
            await socket.ws.close(code=1001)

    @property
    def connections(self) -> list[dict[str, Any]]:
        """Who is connected to what."""
        return [
            {"route": s.route, "streams": list(s.streams), "behind": s.queue.qsize()}
            for s in self._sockets
        ]

    # One connection

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One client's whole connection."""
        ws = web.WebSocketResponse(heartbeat=PING_S, compress=False, max_msg_size=1 << 20)
        parts = [part for part in request.path.split("/") if part]
        route = parts.pop(0) if parts[0] in ("public", "market", "private") else ""
        form = parts.pop(0) if parts else "ws"
        transport = request.transport
        socket = Socket(
            ws=ws,
            route=route,
            combined=form == "stream",
            transport=transport if isinstance(transport, asyncio.WriteTransport) else None,
            opened_ms=self._now_ms(),
        )
        if len(self._sockets) >= SOCKETS_MAX:
            raise web.HTTPServiceUnavailable(text="too many connections")
        await ws.prepare(request)
        self._sockets.add(socket)
        self._first_streams(socket, parts, request)
        writer = asyncio.create_task(self._write(socket))
        try:
            async for message in ws:
                if message.type is WSMsgType.TEXT and not await self._command(socket, message.data):
                    break
        finally:
            self._forget(socket)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return ws

    def _first_streams(self, socket: Socket, parts: list[str], request: web.Request) -> None:
        for name in parts:
            self._subscribe(socket, name)
        for name in request.query.get("streams", "").split("/"):
            if name:
                self._subscribe(socket, name)
        keys = request.query.getall("listenKey", [])
        filters = request.query.getall("events", [])
        for index, key in enumerate(keys):
            chosen = filters[index].split("/") if index < len(filters) else []
            self._subscribe(socket, key, frozenset(one for one in chosen if one))

    async def _write(self, socket: Socket) -> None:
        while True:
            frame = await socket.queue.get()
            if frame is None or socket.ws.closed:
                return
            try:
                await socket.ws.send_str(frame.decode())
            except (ConnectionError, RuntimeError):
                return  # the reader sees the same end and cleans up
            self.frames_sent += 1

    async def _command(self, socket: Socket, text: str) -> bool:
        now_s = wall_monotonic_s()
        crowded = len(socket.arrivals) == FRAMES_PER_SECOND_MAX and now_s - socket.arrivals[0] < 1.0
        socket.arrivals.append(now_s)
        if crowded:
            await socket.ws.close(code=1008, message=b"Too many requests")
            return False
        answer = self._answer(socket, text)
        if len(socket.streams) > STREAMS_MAX:
            refusal = _error(2, "Invalid request: too many streams", answer.get("id"))
            await socket.ws.send_str(msgspec.json.encode(refusal).decode())
            await socket.ws.close(code=1008, message=b"Invalid request")
            return False
        self._put(socket, msgspec.json.encode(answer))
        return True

    def _answer(self, socket: Socket, text: str) -> Json:
        try:
            command = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return _error(3, "Invalid JSON: expected value", None)
        if not isinstance(command, dict):
            return _error(2, "Invalid request: request must be an object", None)
        number = command.get("id")
        if not isinstance(number, int | str) or isinstance(number, bool):
            return _error(2, "Invalid request: missing field `id`", None)
        params = command.get("params", [])
        if not isinstance(params, list):
            return _error(2, "Invalid request: params must be an array", number)
        return self._carry_out(socket, command.get("method"), params, number)

    def _carry_out(
        self, socket: Socket, method: object, params: list[Any], number: int | str
    ) -> Json:
        result: object = None
        match method:
            case "SUBSCRIBE":
                for name in params:
                    self._subscribe(socket, str(name))
            case "UNSUBSCRIBE":
                for name in params:
                    self._unsubscribe(socket, str(name))
            case "LIST_SUBSCRIPTIONS":
                result = list(socket.streams)
            case "SET_PROPERTY" if params[:1] == ["combined"] and len(params) == 2:
                socket.combined = bool(params[1])
            case "GET_PROPERTY" if params == ["combined"]:
                result = socket.combined
            case other:
                return _error(2, f"Invalid request: unknown variant {other}", number)
        return {"result": result, "id": number}

    def _subscribe(self, socket: Socket, name: str, events: frozenset[str] = frozenset()) -> None:
        socket.streams[name] = events
        if _route_of(name) != (socket.route or "public"):
            return  # acknowledged and silent, as the real one
        if name.startswith("!"):
            self._by_stream.setdefault(name, set()).add(socket)
            return
        symbol, _, suffix = name.partition("@")
        if suffix and symbol == symbol.lower():
            self._by_symbol.setdefault(symbol, {}).setdefault(suffix, set()).add(socket)

    def _unsubscribe(self, socket: Socket, name: str) -> None:
        socket.streams.pop(name, None)
        _discard(self._by_stream, name, socket)
        symbol, _, suffix = name.partition("@")
        suffixes = self._by_symbol.get(symbol)
        if suffixes is not None:
            _discard(suffixes, suffix, socket)

    def _forget(self, socket: Socket) -> None:
        for name in tuple(socket.streams):
            self._unsubscribe(socket, name)
        self._sockets.discard(socket)

    # Delivery

    def _carry(self, account: str, frame: Json, draw: FaultDraw) -> None:
        match draw.fault:
            case Fault.DROP:
                return
            case Fault.CUT:
                self.cut("private")
            case Fault.DELAY:
                self._later(account, frame, draw.delay_ms / self._speed)
            case Fault.REORDER:
                self._later(account, frame, 20)
            case Fault.DUPLICATE:
                self._deliver(account, frame)
                self._deliver(account, frame)
            case _:
                self._deliver(account, frame)

    def _deliver(self, account: str, frame: Json) -> None:
        for socket in tuple(self._sockets):
            if socket.route != "private":
                continue
            for name, events in socket.streams.items():
                heard = not events or frame["e"] in events
                if heard and self._keys.account_of(name) == account:
                    self._send_user(socket, name, frame)

    def _send_user(self, socket: Socket, key: str, frame: Json) -> None:
        told = {"stream": key, "data": frame} if socket.combined else frame
        self._put(socket, msgspec.json.encode(told))

    def _later(self, account: str, frame: Json, wall_ms: float) -> None:
        async def deliver() -> None:
            await wall_sleep_s(wall_ms / 1000)
            self._deliver(account, frame)

        self._spawn(deliver())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _part(self, socket: Socket, code: int, why: bytes) -> None:
        await socket.ws.close(code=code, message=why)

    def _put(self, socket: Socket, frame: bytes) -> None:
        if socket.broken:
            return
        try:
            socket.queue.put_nowait(frame)
        except asyncio.QueueFull:
            self._break(socket)

    def _break(self, socket: Socket) -> None:
        socket.broken = True
        if socket.transport is not None:
            socket.transport.abort()


def _route_of(name: str) -> str:
    if name.startswith("!"):
        return "public" if name == "!bookTicker" else "market"
    symbol, _, suffix = name.partition("@")
    if not suffix:
        return "private" if symbol else "public"
    return "public" if suffix.startswith(PUBLIC_SUFFIXES) else "market"


def _discard(book: dict[str, set[Socket]], name: str, socket: Socket) -> None:
    listeners = book.get(name)
    if listeners is not None:
        listeners.discard(socket)
        if not listeners:
            del book[name]


def _error(code: int, text: str, number: object) -> Json:
    return {"error": {"code": code, "msg": text}, "id": number}
