"""A scripted exchange on loopback for this room's tests: answers what a test tells it to.

It knows no rules of the exchange; the test does. Every request is kept as it came.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp
from aiohttp import web
from websockets.asyncio.server import ServerConnection, serve

from bot.shell.clock import SystemClock
from bot.venue.rest import Credentials, RestAddress, RestClient, open_session
from bot.venue.wire import HmacSigner
from bot.venue.wire_weight import WeightBudget

NOW_MS = 1_760_000_000_000
Reply = web.Response | None  # None: cut the connection after reading the request
Handler = Callable[["Heard"], Reply]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One request as it arrived; `raw_query` is undecoded."""

    method: str
    path: str
    raw_query: str
    params: dict[str, str]
    headers: dict[str, str]


@dataclass(slots=True)
class Script:
    """What the pretend exchange answers, by (method, path); the last answer repeats."""

    answers: dict[tuple[str, str], list[Handler]] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    held_paths: set[str] = field(default_factory=set)

    def on(self, method: str, path: str, *handlers: Handler) -> None:
        """Answer these, one after the other."""
        self.answers[(method, path)] = list(handlers)

    def asked(self, method: str, path: str) -> list[Heard]:
        """The requests of one kind, in order."""
        return [heard for heard in self.heard if (heard.method, heard.path) == (method, path)]


def ok(body: Any, **headers: str) -> Handler:
    """HTTP 200 with a JSON body."""
    return lambda _heard: web.Response(
        text=json.dumps(body), content_type="application/json", headers=headers
    )


def no(status: int, code: int | None, text: str, **headers: str) -> Handler:
    """An error answer; a code of None sends the bare text."""
    body = text if code is None else json.dumps({"code": code, "msg": text})
    return lambda _heard: web.Response(status=status, text=body, headers=headers)


def cut(_heard: Heard) -> Reply:
    """Take the request, then close the connection without an answer."""
    return None


@asynccontextmanager
async def exchange(script: Script) -> AsyncIterator[str]:
    """Serve a script; yields the base URL."""
    script.on("GET", "/fapi/v1/time", ok({"serverTime": NOW_MS}))

    async def handle(request: web.Request) -> web.StreamResponse:
        heard = Heard(
            method=request.method,
            path=request.path,
            raw_query=request.raw_path.partition("?")[2],
            params=dict(request.query),
            headers={name.lower(): value for name, value in request.headers.items()},
        )
        script.heard.append(heard)
        if heard.path in script.held_paths:
            await script.hold.wait()
        handlers = script.answers.get((heard.method, heard.path))
        assert handlers, f"the script has no answer for {heard.method} {heard.path}"
        handler = handlers.pop(0) if len(handlers) > 1 else handlers[0]
        reply = handler(heard)
        if reply is None:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return reply

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        script.hold.set()
        await runner.cleanup()


@asynccontextmanager
async def client(
    url: str, *, key: bool = True, timeout_s: float = 5.0, sandbox_allowed: bool = False
) -> AsyncIterator[RestClient]:
    """A client of that URL whose clock stands at NOW_MS when it starts."""
    session: aiohttp.ClientSession = open_session()
    try:
        yield RestClient(
            address=RestAddress(base_url=url, timeout_s=timeout_s, sandbox_allowed=sandbox_allowed),
            session=session,
            clock=SystemClock(start_ms=NOW_MS),
            budget=WeightBudget(),
            dice=Random(7),
            credentials=Credentials(api_key="key-1", signer=HmacSigner("secret-1"))
            if key
            else None,
        )
    finally:
        await session.close()


@dataclass(slots=True)
class Sockets:
    """A pretend stream host: keeps every connection and what was said on it."""

    url: str = ""
    connections: list[ServerConnection] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    said: list[dict[str, Any]] = field(default_factory=list)
    said_on: list[int] = field(default_factory=list)  # the number of the connection, for each
    greeting: Callable[[int], list[bytes]] = lambda _count: []

    async def tell(self, frame: dict[str, Any] | bytes) -> None:
        """Send a frame on the newest connection."""
        text = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
        await self.connections[-1].send(text, text=True)

    async def until(self, count: int) -> None:
        """Wait for the `count`-th connection."""
        await wait_for(lambda: len(self.connections) >= count)


@asynccontextmanager
async def stream_host() -> AsyncIterator[Sockets]:
    """Serve WebSockets on loopback; acknowledges every SUBSCRIBE."""
    sockets = Sockets()

    async def handle(connection: ServerConnection) -> None:
        assert connection.request is not None
        sockets.paths.append(connection.request.path)
        sockets.connections.append(connection)
        number = len(sockets.connections) - 1
        async for text in connection:
            frame = json.loads(text)
            sockets.said.append(frame)
            sockets.said_on.append(number)
            await connection.send(json.dumps({"result": None, "id": frame["id"]}))

    async with serve(handle, "127.0.0.1", 0, close_timeout=0.2) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        sockets.url = f"ws://127.0.0.1:{port}"
        yield sockets


async def wait_for(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Yield until the condition holds; a timeout is a failed test."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)
