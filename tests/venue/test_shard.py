"""One connection of market streams on loopback: breaks mended, silence noticed, pace kept."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

from bot.venue.shard import KLINE_PATIENCE_S, MARK_PATIENCE_S, MarketStream, Turnstile, patience_of
from tests.venue.fake import Sockets, stream_host, wait_for


@dataclass(slots=True)
class Running:
    """A shard under test with its pretend host."""

    sockets: Sockets
    shard: MarketStream
    heard: list[tuple[bytes, bytes]] = field(default_factory=list)


@asynccontextmanager
async def _running(
    names: list[str], silence_s: float = 5.0, patience_s: float = 0.0
) -> AsyncIterator[Running]:
    async with stream_host() as sockets:
        heard: list[tuple[bytes, bytes]] = []
        shard = MarketStream(
            ws_url=sockets.url,
            dice=Random(1),
            hear=lambda stream, frame: heard.append((stream, frame)),
            silence_s=silence_s,
            patience=lambda _name: patience_s,
        )
        shard.want(names)
        task = asyncio.create_task(shard.run())
        try:
            yield Running(sockets, shard, heard)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_names_are_subscribed_in_chunks_at_a_pace() -> None:
    """250 names are three frames, less than ten a second, each at most a hundred."""
    names = [f"s{number}@kline_1m" for number in range(250)]
    async with _running(names) as run:
        began = asyncio.get_running_loop().time()
        await wait_for(lambda: len(run.sockets.said) == 3)
        assert asyncio.get_running_loop().time() - began > 0.3
        assert [len(frame["params"]) for frame in run.sockets.said] == [100, 100, 50]
        assert [name for frame in run.sockets.said for name in frame["params"]] == names
        assert run.sockets.paths == ["/market/stream"]


async def test_after_a_break_everything_is_subscribed_again() -> None:
    """The new connection carries what the old one did, and each stream must prove itself anew."""
    async with _running(["a@x", "b@x"]) as run:
        await wait_for(lambda: len(run.sockets.said) == 1)
        await run.sockets.tell({"stream": "a@x", "data": {}})
        await wait_for(lambda: run.shard.heard_s("a@x") > 0)
        await run.sockets.connections[0].close()
        await wait_for(lambda: len(run.sockets.said) == 2)
        assert run.sockets.said[1]["params"] == ["a@x", "b@x"]
        assert run.shard.heard_s("a@x") == 0


async def test_names_can_come_and_go_while_connected() -> None:
    """Only the difference is sent."""
    async with _running(["a@x"]) as run:
        await wait_for(lambda: len(run.sockets.said) == 1)
        run.shard.want(["b@x"])
        await wait_for(lambda: len(run.sockets.said) == 2)
        run.shard.drop(["a@x"])
        await wait_for(lambda: len(run.sockets.said) == 3)
        told = [(frame["method"], frame["params"]) for frame in run.sockets.said]
        assert told[1:] == [("SUBSCRIBE", ["b@x"]), ("UNSUBSCRIBE", ["a@x"])]


async def test_a_stream_can_be_subscribed_again() -> None:
    """It is let go first, so that the host starts it anew."""
    async with _running(["a@x", "b@x"]) as run:
        await wait_for(lambda: run.shard.asked_s("a@x") is not None)
        run.shard.again("a@x")
        await wait_for(lambda: len(run.sockets.said) == 3)
        told = [(frame["method"], frame["params"]) for frame in run.sockets.said]
        assert told[1:] == [("UNSUBSCRIBE", ["a@x"]), ("SUBSCRIBE", ["a@x"])]


async def test_a_stream_let_go_before_it_is_subscribed_again_is_let_go() -> None:
    """It was still subscribed at the host: that ends, and nothing follows."""
    async with _running(["a@x", "b@x"]) as run:
        await wait_for(lambda: run.shard.asked_s("a@x") is not None)
        run.shard.again("a@x")
        run.shard.drop(["a@x"])
        run.shard.want(["c@x"])
        await wait_for(lambda: len(run.sockets.said) == 3)
        told = [(frame["method"], frame["params"]) for frame in run.sockets.said]
        assert told[1:] == [("UNSUBSCRIBE", ["a@x"]), ("SUBSCRIBE", ["c@x"])]


async def test_silence_is_noticed() -> None:
    """Wrong routes are acknowledged and silent: an open socket that says nothing is left."""
    async with _running(["a@x"], silence_s=0.1) as run:
        await run.sockets.until(2)


async def test_a_stream_that_may_be_silent_for_long_is_no_sign_of_a_dead_connection() -> None:
    """News of listings are rare: a shard with nothing else is never given up for its silence."""
    async with _running(["!contractInfo"], silence_s=0.05, patience_s=float("inf")) as run:
        await run.sockets.until(1)
        await asyncio.sleep(0.2)
        assert len(run.sockets.connections) == 1


async def test_acknowledgements_are_no_data() -> None:
    """Every SUBSCRIBE is answered, a wrong one too: only frames of a stream end the silence."""
    async with _running(["a@x"], silence_s=0.3) as run:
        await wait_for(lambda: len(run.heard) == 1)
        assert run.heard[0][0] == b""
        assert run.shard.heard_s("a@x") == 0
        await run.sockets.until(2)


async def test_frames_are_handed_on_as_they_came_with_their_stream() -> None:
    """Bytes, in order; a name is known in any spelling, escaped or with spaces around it."""
    async with _running(["测usdt@kline_1m"]) as run:
        name = "测usdt@kline_1m".encode()
        await wait_for(lambda: len(run.heard) == 1)
        plain = b'{"stream":"%b","data":{}}' % name
        escaped = json.dumps({"stream": name.decode(), "data": {"e": "other"}}).encode()
        foreign = b'{"stream":"b@x","data":{}}'
        for frame in (plain, escaped, foreign):
            await run.sockets.tell(frame)
        await wait_for(lambda: len(run.heard) == 4)
        assert run.heard[1:] == [(name, plain), (name, escaped), (b"b@x", foreign)]
        assert run.shard.heard_s("测usdt@kline_1m") > 0


async def test_connections_are_opened_at_a_bounded_rate() -> None:
    """The third of two allowed waits until the first is long enough ago."""
    turnstile = Turnstile(passes_max=2, window_s=0.2)
    began = asyncio.get_running_loop().time()
    for _ in range(2):
        await turnstile.enter()
    assert asyncio.get_running_loop().time() - began < 0.2
    await turnstile.enter()
    assert asyncio.get_running_loop().time() - began >= 0.19


def test_each_stream_has_its_cadence() -> None:
    """Marks come every second; bars of a market without trades may wait; listings are rare."""
    assert patience_of("btcusdt@markPrice@1s") == MARK_PATIENCE_S
    assert patience_of("btcusdt@kline_1d") == KLINE_PATIENCE_S
    assert patience_of("!contractInfo") == float("inf")
