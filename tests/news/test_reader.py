"""The reader against a server on loopback: bounded, never unpacked, never led elsewhere."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import aiohttp
import pytest
from aiohttp import web

from bot.news.feed import BYTES_MAX
from bot.news.reader import HEADERS, FeedReader
from bot.shell.clock import VirtualClock

NOW_MS = 1_800_000_000_000
FEED = b"<rss><item><title>BTC rallies to a record</title></item></rss>"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def good(request: web.Request) -> web.StreamResponse:
    """A feed that says in which form it was asked for."""
    assert request.headers["Accept-Encoding"] == "identity"
    return web.Response(body=FEED)


async def moved(request: web.Request) -> web.StreamResponse:
    """A feed that would lead somewhere else."""
    del request
    raise web.HTTPFound("/good")


async def packed(request: web.Request) -> web.StreamResponse:
    """A packed answer nobody asked for."""
    del request
    return web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})


async def endless(request: web.Request) -> web.StreamResponse:
    """More than we take."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(2 + BYTES_MAX // 65_536):
        await response.write(b"x" * 65_536)
    return response


async def broken(request: web.Request) -> web.StreamResponse:
    """A server error."""
    del request
    return web.Response(status=500)


@pytest.fixture
async def base() -> AsyncIterator[str]:
    """A server on loopback with a route for each way to misbehave."""
    app = web.Application()
    for handler in (good, moved, packed, endless, broken):
        app.router.add_get(f"/{handler.__name__}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


async def read(url: str) -> tuple[int, FeedReader]:
    """One reading of one feed."""
    reader = FeedReader([url], clock=VirtualClock(NOW_MS))
    async with aiohttp.ClientSession(auto_decompress=False, headers=HEADERS) as session:
        return await reader.read(session, url), reader


async def test_a_feed_is_read_and_scored(base: str) -> None:
    """Items land on the board; the port tells the asset's number."""
    added, reader = await read(f"{base}/good")
    assert added == 1
    assert reader.score_of("BTC", NOW_MS) == pytest.approx(2 / 3)
    assert reader.score_of("ETH", NOW_MS) is None


@pytest.mark.parametrize("route", ["moved", "packed", "endless", "broken", "nowhere"])
async def test_a_feed_that_misbehaves_adds_nothing(base: str, route: str) -> None:
    """It is logged, never raised, and what it said is not used."""
    added, reader = await read(f"{base}/{route}")
    assert added == 0
    assert reader.score_of("BTC", NOW_MS) is None


async def test_a_feed_that_is_not_there_adds_nothing() -> None:
    """A refused connection is an outcome, not an error."""
    added, _ = await read("http://127.0.0.1:1/feed")
    assert added == 0


async def test_feeds_are_read_again_and_again(base: str) -> None:
    """One that fails does not keep the next from being read; the same news counts once."""
    reader = FeedReader(
        [f"{base}/broken", f"{base}/good"], clock=VirtualClock(NOW_MS), every_s=0.001
    )
    task = asyncio.ensure_future(reader.run())
    async with asyncio.timeout(10):
        while not len(reader.board):
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.02)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert len(reader.board) == 1
