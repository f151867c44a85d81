"""Cases 25 and 30: routes, limits of a socket, its end, and what all-market streams carry."""

import re
from pathlib import Path
from typing import Any

import aiohttp

from tests.sandbox.conformance.world import BTC, Ear, Sdk
from tests.sandbox.exchange_client import hear, hear_all

DAY_MS = 24 * 3_600_000


async def _subscribe(socket: Any, *names: str) -> Any:
    await socket.send_json({"method": "SUBSCRIBE", "params": list(names), "id": 1})
    return await hear(socket)


async def _closed(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    """The close code, whatever frames come before it."""
    while True:
        message = await socket.receive(5.0)
        if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
            return socket.close_code


async def test_case_25_wrong_route_and_wrong_case_are_silent(sdk: Sdk) -> None:
    """Both are acknowledged and never deliver; the SDK's routed stream delivers."""
    unrouted = await sdk.raw.listen("/ws")
    upper = await sdk.raw.listen("/market/ws")
    told = {"result": None, "id": 1}
    assert await _subscribe(unrouted, "btcusdt@kline_1m") == told
    assert await _subscribe(upper, "BTCUSDT@kline_1m") == told
    streams = sdk.whole.websocket_streams
    await streams.create_connection()
    try:
        heard = Ear()
        handle = await streams.kline_candlestick_streams(symbol=BTC.lower(), interval="1m")
        handle.on("message", heard.hear)
        market = await sdk.raw.listen("/market/ws/btcusdt@kline_1m")
        await hear_all(market)
        await sdk.turn("advance", ms=59_999)
        frames = await heard.until(4)
    finally:
        await streams.close_connection(close_session=True)
    assert [frame["k"]["x"] for frame in frames] == [False, False, False, True]
    assert await hear_all(unrouted) == []
    assert await hear_all(upper) == []


async def test_case_25_too_many_streams(sdk: Sdk) -> None:
    """1,024 are carried; one more is an error and the end, 1008."""
    socket = await sdk.raw.listen("/market/ws")
    names = [f"s{i}usdt@aggTrade" for i in range(1_025)]
    for start in range(0, 1_000, 200):
        assert (await _subscribe(socket, *names[start : start + 200]))["result"] is None
    assert (await _subscribe(socket, *names[1_000:1_024]))["result"] is None
    assert "error" in await _subscribe(socket, names[1_024])
    assert await _closed(socket) == 1008


async def test_case_25_too_many_frames(sdk: Sdk) -> None:
    """More than ten frames in a second end the socket with 1008."""
    socket = await sdk.raw.listen("/market/ws")
    for number in range(15):
        await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
    assert await _closed(socket) == 1008


async def test_case_25_a_connection_lives_a_day(sdk: Sdk) -> None:
    """After 24 hours it is closed; one opened later lives on."""
    old = await sdk.raw.listen("/market/ws")
    await hear_all(old)
    await sdk.turn("advance", ms=DAY_MS - 60_000)
    young = await sdk.raw.listen("/market/ws")
    await hear_all(young)
    await sdk.turn("advance", ms=60_000)
    assert await _closed(old) == 1001
    assert await hear_all(young) == []


async def test_case_25_an_expired_listen_key_mutes(sdk: Sdk, ear: Ear) -> None:
    """listenKeyExpired is the last word; the socket stays open and says nothing of orders."""
    await sdk.turn("advance", ms=61 * 60_000)
    frames = await ear.until(1)
    assert frames[0]["e"] == "ListenKeyExpired"
    key = frames[0]["listenKey"]
    renewed = await sdk.raw.user_stream()
    await sdk.buy()
    assert len(await hear_all(renewed)) == 4
    still = [one for one in sdk.raw.sandbox.hub.connections if key in one["streams"]]
    assert [one["route"] for one in still] == ["private"]
    assert len(ear.frames) == 1


async def test_case_30_coin_margined_rows_are_among_ours(sdk: Sdk) -> None:
    """Every all-market array carries st=2 rows, which a client must leave out."""
    names = ("!miniTicker@arr", "!ticker@arr", "!markPrice@arr")
    socket = await sdk.raw.listen(f"/market/stream?streams={'/'.join(names)}")
    await hear_all(socket)
    await sdk.turn("advance", ms=20_000)
    frames = await hear_all(socket)
    assert {frame["stream"] for frame in frames} == set(names)
    for frame in frames:
        assert [row["st"] for row in frame["data"]] == [1, 1, 2]


async def test_liquidations_are_public(sdk: Sdk) -> None:
    """A forced close is told on the symbol's and on the whole market's forceOrder stream."""
    socket = await sdk.raw.listen("/market/stream?streams=btcusdt@forceOrder/!forceOrder@arr")
    await hear_all(socket)
    await sdk.buy()
    await sdk.turn("liquidate", symbol=BTC)
    frames = await hear_all(socket)
    assert [frame["stream"] for frame in frames] == ["btcusdt@forceOrder", "!forceOrder@arr"]
    assert (frames[1]["data"]["o"]["S"], frames[1]["data"]["o"]["st"]) == ("SELL", 1)


def test_every_case_of_the_sheet_is_here() -> None:
    """Each of the 32 numbers names at least one test of this folder."""
    texts = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]
    found = {int(n) for text in texts for n in re.findall(r"def test_case_(\d\d)_", text)}
    assert found == set(range(1, 33))
