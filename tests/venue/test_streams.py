"""Streams on loopback: order kept, breaks told, keys cared for, silence noticed, pace kept."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from bot.core.messages import Event, OrderReported, StreamLost, StreamRestored
from bot.venue import streams
from bot.venue.streams import BACKOFF_S_MAX, Backoff, MarketStream, Oddities, UserStream
from bot.venue.wire_frames import read_market_frame
from tests.venue.fake import (
    Script,
    Sockets,
    client,
    exchange,
    no,
    ok,
    stream_host,
    wait_for,
)

KEY = "/fapi/v1/listenKey"


@dataclass(slots=True)
class Running:
    """A user stream under test with everything around it."""

    script: Script
    sockets: Sockets
    stream: UserStream
    events: list[Event] = field(default_factory=list)
    frames: list[bytes] = field(default_factory=list)

    def kinds(self) -> list[str]:
        """Names of the events so far."""
        return [type(event).__name__ for event in self.events]


@asynccontextmanager
async def _running() -> AsyncIterator[Running]:
    script = Script()
    script.on("POST", KEY, ok({"listenKey": "key/1"}))
    script.on("PUT", KEY, ok({"listenKey": "key/1"}))
    async with exchange(script) as url, client(url) as rest, stream_host() as sockets:
        events: list[Event] = []
        frames: list[bytes] = []
        stream = UserStream(
            rest=rest,
            ws_url=sockets.url,
            dice=Random(1),
            sink=events.append,
            on_frame=lambda frame, _ns: frames.append(frame),
        )
        task = asyncio.create_task(stream.run())
        try:
            yield Running(script, sockets, stream, events, frames)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _algo(order_id: str) -> dict[str, Any]:
    return {"e": "ALGO_UPDATE", "T": 1, "o": {"caid": order_id, "s": "X", "X": "NEW"}}


async def test_events_come_in_the_order_of_the_frames() -> None:
    """First the word that the stream runs, then what it says, in order; the key is encoded."""
    async with _running() as run:
        assert await run.stream.ready(5)
        for number in range(50):
            await run.sockets.tell(_algo(f"order-{number}"))
        await wait_for(lambda: len(run.events) >= 51)
        assert isinstance(run.events[0], StreamRestored)
        ids = [e.report.order_id for e in run.events if isinstance(e, OrderReported)]
        assert ids == [f"order-{number}" for number in range(50)]
        assert run.sockets.paths == ["/private/ws?listenKey=key%2F1"]
        assert len(run.frames) == 50


async def test_a_break_is_told_and_mended() -> None:
    """StreamLost when it breaks, StreamRestored when it runs again, by itself."""
    async with _running() as run:
        await run.sockets.until(1)
        await run.sockets.connections[0].close()
        await wait_for(lambda: run.kinds().count("StreamRestored") == 2)
        assert run.kinds() == ["StreamRestored", "StreamLost", "StreamRestored"]
        assert run.stream.is_up


async def test_an_expired_key_is_replaced() -> None:
    """The socket stays open but mute: the stream is left, a new key taken, the break told."""
    async with _running() as run:
        await run.sockets.until(1)
        run.script.on("POST", KEY, ok({"listenKey": "key2"}))
        await run.sockets.tell({"e": "listenKeyExpired", "E": 1, "listenKey": "key/1"})
        await run.sockets.until(2)
        assert run.sockets.paths[1] == "/private/ws?listenKey=key2"
        lost = run.events[1]
        assert isinstance(lost, StreamLost)
        assert "expired" in lost.reason


@pytest.mark.parametrize(
    "answer", [no(400, -1125, "This listenKey does not exist."), ok({"listenKey": "another"})]
)
async def test_a_key_that_cannot_be_kept_is_replaced(
    answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keepalive says that our key is gone or another: reconnect with a new one."""
    monkeypatch.setattr(streams, "KEY_PERIOD_S", 0.01)
    monkeypatch.setattr(streams, "KEY_PERIOD_S_MIN", 0.01)
    async with _running() as run:
        run.script.on("PUT", KEY, answer)
        await run.sockets.until(2)
        assert "StreamLost" in run.kinds()


async def test_a_keepalive_nobody_answers_keeps_the_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A key lives an hour: a passing failure is tried again, not a reason to go deaf."""
    monkeypatch.setattr(streams, "KEY_PERIOD_S", 0.01)
    monkeypatch.setattr(streams, "KEY_AGAIN_S", 0.01)
    monkeypatch.setattr(streams, "KEY_PERIOD_S_MIN", 0.01)
    async with _running() as run:
        run.script.on("PUT", KEY, no(503, None, "Service Unavailable."))
        await wait_for(lambda: len(run.script.asked("PUT", KEY)) >= 3)
        assert run.kinds() == ["StreamRestored"]


async def test_it_is_rotated_before_the_exchange_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection of a day is replaced by us, at our moment."""
    monkeypatch.setattr(streams, "ROTATE_S", 0.02)
    async with _running() as run:
        await run.sockets.until(2)
        lost = run.events[1]
        assert isinstance(lost, StreamLost)
        assert lost.reason == "daily rotation"


async def test_a_refused_key_is_asked_for_again() -> None:
    """Without a key there is no stream, and nothing claims there is."""
    async with _running() as run:
        await run.stream.ready(5)
        run.script.on("POST", KEY, no(500, None, ""), no(500, None, ""), ok({"listenKey": "k3"}))
        await run.sockets.connections[0].close()
        await run.sockets.until(2)
        assert run.sockets.paths[1].endswith("k3")


@pytest.mark.parametrize("garbage", [b"", b"{", b"[]", b'{"e":"ORDER_TRADE_UPDATE","o":1}'])
async def test_garbage_is_counted_and_the_stream_goes_on(garbage: bytes) -> None:
    """A malformed frame is dropped; the next good one is heard."""
    async with _running() as run:
        await run.sockets.until(1)
        await run.sockets.tell(garbage)
        await run.sockets.tell({"e": "BRAND_NEW"})
        await run.sockets.tell(_algo("after"))
        await wait_for(lambda: "OrderReported" in run.kinds())
        assert run.stream.oddities.counts == {"malformed_user_frame": 1, "kind BRAND_NEW": 1}
        assert "StreamLost" not in run.kinds()


async def test_stopping_tells_that_the_stream_is_gone() -> None:
    """Cancellation passes through and leaves nothing claiming to run."""
    async with _running() as run:
        await run.stream.ready(5)
    assert run.kinds() == ["StreamRestored", "StreamLost"]
    assert not run.stream.is_up


async def test_ready_gives_up_in_time() -> None:
    """A stream that cannot be opened is no reason to wait forever."""
    async with client("http://127.0.0.1:1") as rest:
        stream = UserStream(
            rest=rest, ws_url="ws://127.0.0.1:1", dice=Random(1), sink=lambda _event: None
        )
        assert not await stream.ready(0.01)


# ------------------------------------------------------------------------------ market stream


@asynccontextmanager
async def _market(
    names: list[str], silence_s: float = 5.0
) -> AsyncIterator[tuple[Sockets, MarketStream, list[bytes], list[bool]]]:
    async with stream_host() as sockets:
        frames: list[bytes] = []
        changes: list[bool] = []
        stream = MarketStream(
            ws_url=sockets.url,
            dice=Random(1),
            hear=frames.append,
            changed=changes.append,
            silence_s=silence_s,
        )
        stream.want(names)
        task = asyncio.create_task(stream.run())
        try:
            yield sockets, stream, frames, changes
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_names_are_subscribed_in_chunks_at_a_pace() -> None:
    """250 names are three frames, less than ten a second, each at most a hundred."""
    names = [f"s{number}@kline_1m" for number in range(250)]
    async with _market(names) as (sockets, _stream, _frames, _changes):
        began = asyncio.get_running_loop().time()
        await wait_for(lambda: len(sockets.said) == 3)
        assert asyncio.get_running_loop().time() - began > 0.3
        assert [len(frame["params"]) for frame in sockets.said] == [100, 100, 50]
        assert [name for frame in sockets.said for name in frame["params"]] == names
        assert sockets.paths == ["/market/stream"]


async def test_after_a_break_everything_is_subscribed_again() -> None:
    """The new connection carries what the old one did."""
    async with _market(["a@x", "b@x"]) as (sockets, _stream, _frames, changes):
        await wait_for(lambda: len(sockets.said) == 1)
        await sockets.connections[0].close()
        await wait_for(lambda: len(sockets.said) == 2)
        assert sockets.said[1]["params"] == ["a@x", "b@x"]
        assert changes == [True, False, True]


async def test_names_can_come_and_go_while_connected() -> None:
    """Only the difference is sent."""
    async with _market(["a@x"]) as (sockets, stream, _frames, _changes):
        await wait_for(lambda: len(sockets.said) == 1)
        stream.want(["b@x"])
        await wait_for(lambda: len(sockets.said) == 2)
        stream.drop(["a@x"])
        await wait_for(lambda: len(sockets.said) == 3)
        told = [(frame["method"], frame["params"]) for frame in sockets.said]
        assert told[1:] == [("SUBSCRIBE", ["b@x"]), ("UNSUBSCRIBE", ["a@x"])]


async def test_silence_is_noticed() -> None:
    """Wrong routes are acknowledged and silent: an open socket that says nothing is left."""
    async with _market(["a@x"], silence_s=0.1) as (sockets, _stream, _frames, _changes):
        await sockets.until(2)


async def test_frames_are_handed_on_as_they_came() -> None:
    """Bytes, in order, acknowledgements included."""
    async with _market(["a@x"]) as (sockets, _stream, frames, _changes):
        await wait_for(lambda: len(frames) == 1)
        await sockets.tell({"stream": "a@x", "data": {"e": "other"}})
        await wait_for(lambda: len(frames) == 2)
        assert [type(read_market_frame(frame)).__name__ for frame in frames] == [
            "ControlReply",
            "NotOurs",
        ]
        assert json.loads(frames[1])["stream"] == "a@x"


# ------------------------------------------------------------------------------------- pieces


def test_backoff_grows_to_a_cap_with_jitter() -> None:
    """Pauses double up to the cap, never more, and the same seed gives the same pauses."""
    pauses = [Backoff(Random(3)).next_s() for _ in range(2)]
    assert pauses[0] == pauses[1]
    backoff = Backoff(Random(3))
    grown = [backoff.next_s() for _ in range(60)]
    assert grown[0] <= 0.1
    assert all(pause <= BACKOFF_S_MAX for pause in grown)
    assert min(grown[-20:]) >= BACKOFF_S_MAX / 2
    backoff.reset()
    assert backoff.next_s() <= 0.1


def test_oddities_are_counted_by_kind_and_bounded() -> None:
    """The wire cannot make us remember more kinds than the limit."""
    oddities = Oddities()
    for number in range(Oddities.KINDS_MAX + 50):
        oddities.note(f"kind-{number}")
    assert len(oddities.counts) == Oddities.KINDS_MAX + 1
    assert oddities.counts["other"] == 50
