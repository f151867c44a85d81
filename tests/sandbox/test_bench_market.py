"""The market for benchmarks: what it sends is what the real exchange sends, only more of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web

from bot.sandbox.bench_market import KLINE, Peer, Stream, symbols_of

MINUTE_MS = 60_000


@asynccontextmanager
async def _peer() -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    peer = Peer(2, 1.0)
    runner = web.AppRunner(peer.app(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    running = asyncio.create_task(peer.run())
    try:
        async with aiohttp.ClientSession() as session:
            yield f"http://127.0.0.1:{runner.addresses[0][1]}", session
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await runner.cleanup()


def test_a_bar_ends_with_one_final_frame() -> None:
    """Open frames while it lasts, one final word when the next has begun."""
    name, symbol, frame = b"coin000usdt", b"COIN000USDT", b"1m"
    parts = (KLINE[0] % (name, frame), KLINE[1] % symbol, KLINE[2], KLINE[3] % (symbol, frame))
    stream = Stream("1m", (*parts, KLINE[4]))
    told = [
        json.loads(text[4:])["data"]["k"]
        for now_ms in (MINUTE_MS + 1, 2 * MINUTE_MS - 1, 2 * MINUTE_MS, 2 * MINUTE_MS + 250)
        for text in stream.frames(now_ms)
    ]
    assert [(bar["t"], bar["x"]) for bar in told] == [
        (MINUTE_MS, False),
        (MINUTE_MS, False),
        (MINUTE_MS, True),
        (2 * MINUTE_MS, False),
        (2 * MINUTE_MS, False),
    ]
    assert {bar["T"] - bar["t"] for bar in told} == {MINUTE_MS - 1}


async def test_streams_are_told_and_counted() -> None:
    """A subscribed stream is heard, a flood comes whole, and what was sent is known at the end."""
    async with _peer() as (url, session), session.ws_connect(f"{url}/market/stream") as socket:
        names = ["coin000usdt@kline_1m", "coin001usdt@markPrice@1s", "nobody@kline_1m"]
        await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": 1})
        assert await socket.receive_json() == {"result": None, "id": 1}
        heard = {(await socket.receive_json())["stream"] for _ in range(6)}
        assert heard == set(names[:2])
        flood = asyncio.create_task(session.post(f"{url}/bench/flood?frames=500").__aenter__())
        for _ in range(500):
            await socket.receive_json()
        (await flood).release()
        async with session.post(f"{url}/bench/stop") as answer:
            assert (await answer.json())["frames"] >= 506


async def test_history_ends_with_the_open_bar() -> None:
    """As many rows as asked for, on the grid, the last one still open; all symbols are listed."""
    async with _peer() as (url, session):
        path = "/fapi/v1/klines?symbol=COIN000USDT&interval=1m&limit=5"
        async with session.get(url + path) as answer:
            rows = await answer.json()
        async with session.get(f"{url}/fapi/v1/time") as answer:
            now_ms = (await answer.json())["serverTime"]
        assert [row[0] - rows[0][0] for row in rows] == [n * MINUTE_MS for n in range(5)]
        assert rows[-1][0] <= now_ms <= rows[-1][6] + 5_000
        async with session.get(f"{url}/fapi/v1/exchangeInfo") as answer:
            listed = [one["symbol"] for one in (await answer.json())["symbols"]]
        assert tuple(listed) == symbols_of(2)
