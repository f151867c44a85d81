"""The user stream on loopback: order kept, breaks told, keys cared for, rotated without a gap."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest

from bot.core.messages import (
    EntriesHalted,
    Event,
    OrderReported,
    StreamLost,
    StreamRestored,
)
from bot.venue import user_stream
from bot.venue.user_stream import Probe, StreamHooks, UserStream
from tests.venue.fake import (
    NOW_MS,
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
async def _running(probe: Probe | None = None) -> AsyncIterator[Running]:
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
            hooks=StreamHooks(on_frame=lambda frame, _ns: frames.append(frame), probe=probe),
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


async def test_a_margin_call_halts_entries() -> None:
    """The halt is an alarm to the owner, once: the desk knows it again by its reason."""
    async with _running() as run:
        assert await run.stream.ready(5)
        call = {"s": "X", "ps": "LONG", "pa": "1", "mt": "CROSSED", "mp": "187", "up": "-1"}
        await run.sockets.tell({"e": "MARGIN_CALL", "E": NOW_MS, "cw": "3.16", "p": [call]})
        await wait_for(lambda: len(run.events) == 2)
        assert run.events[1] == EntriesHalted(reason=user_stream.MARGIN_CALL)


async def test_a_host_that_closes_with_1008_is_left_and_found_again() -> None:
    """Too many requests, says the exchange: the break is told, and mended after a pause."""
    async with _running() as run:
        await run.sockets.until(1)
        await run.sockets.connections[0].close(1008, "Too many requests")
        await wait_for(lambda: run.kinds().count("StreamRestored") == 2)
        lost = run.events[1]
        assert isinstance(lost, StreamLost)
        assert "1008" in lost.reason


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
    monkeypatch.setattr(user_stream, "KEY_PERIOD_S", 0.01)
    monkeypatch.setattr(user_stream, "KEY_PERIOD_S_MIN", 0.01)
    async with _running() as run:
        run.script.on("PUT", KEY, answer)
        await run.sockets.until(2)
        assert "StreamLost" in run.kinds()


async def test_a_keepalive_nobody_answers_keeps_the_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A key lives an hour: a passing failure is tried again, not a reason to go deaf."""
    monkeypatch.setattr(user_stream, "KEY_PERIOD_S", 0.01)
    monkeypatch.setattr(user_stream, "KEY_AGAIN_S", 0.01)
    monkeypatch.setattr(user_stream, "KEY_PERIOD_S_MIN", 0.01)
    async with _running() as run:
        run.script.on("PUT", KEY, no(503, None, "Service Unavailable."))
        await wait_for(lambda: len(run.script.asked("PUT", KEY)) >= 3)
        assert run.kinds() == ["StreamRestored"]


async def test_rotation_loses_nothing_and_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next connection is open before the first ends; both are heard meanwhile; no break."""
    monkeypatch.setattr(user_stream, "ROTATE_S", 0.05)
    monkeypatch.setattr(user_stream, "OVERLAP_S", 0.1)
    async with _running() as run:
        await run.sockets.until(2)
        monkeypatch.setattr(user_stream, "ROTATE_S", 60.0)
        first, second = run.sockets.connections
        await first.send(b'{"e":"ALGO_UPDATE","T":1,"o":{"caid":"a","s":"X","X":"NEW"}}')
        await second.send(b'{"e":"ALGO_UPDATE","T":1,"o":{"caid":"a","s":"X","X":"NEW"}}')
        await wait_for(lambda: run.kinds().count("OrderReported") == 2)
        await first.wait_closed()
        await second.send(b'{"e":"ALGO_UPDATE","T":1,"o":{"caid":"b","s":"X","X":"NEW"}}')
        await wait_for(lambda: run.kinds().count("OrderReported") == 3)
        assert run.kinds()[0] == "StreamRestored"
        assert "StreamLost" not in run.kinds()
        assert run.sockets.paths[0] == run.sockets.paths[1]


async def test_an_old_line_that_dies_while_rotating_is_no_break(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The exchange may end the old connection first: the new one runs already."""
    monkeypatch.setattr(user_stream, "ROTATE_S", 0.02)
    monkeypatch.setattr(user_stream, "OVERLAP_S", 5.0)
    async with _running() as run:
        await run.sockets.until(2)
        await run.sockets.connections[0].close()
        await run.sockets.tell(_algo("after"))
        await wait_for(lambda: "OrderReported" in run.kinds())
        assert run.kinds() == ["StreamRestored", "OrderReported"]


async def test_a_key_that_expires_while_rotating_ends_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both connections hang on the same key: neither may stay, mute."""
    monkeypatch.setattr(user_stream, "ROTATE_S", 0.02)
    monkeypatch.setattr(user_stream, "OVERLAP_S", 5.0)
    async with _running() as run:
        await run.sockets.until(2)
        monkeypatch.setattr(user_stream, "ROTATE_S", 60.0)
        await run.sockets.tell({"e": "listenKeyExpired", "E": 1, "listenKey": "key/1"})
        await run.sockets.until(3)
        assert run.kinds()[:2] == ["StreamRestored", "StreamLost"]


async def test_a_mute_stream_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """When the probe says that silence is not plausible, the break is told and mended."""
    monkeypatch.setattr(user_stream, "LOOK_EVERY_S", 0.01)
    words = iter(["", "the wallet moved"])
    asked: list[float] = []

    async def probe(silent_s: float) -> str:
        asked.append(silent_s)
        return next(words, "")

    async with _running(probe) as run:
        await run.sockets.until(2)
        lost = run.events[1]
        assert isinstance(lost, StreamLost)
        assert lost.reason == "mute: the wallet moved"
        assert all(silent_s >= 0 for silent_s in asked)


async def test_a_moment_that_cannot_be_is_dropped_and_the_account_is_read() -> None:
    """A time a day ahead: nothing is believed, the clock is doubted, a snapshot is due, once."""
    async with _running() as run:
        await run.sockets.until(1)
        for _ in range(2):
            far = _algo("far") | {"T": NOW_MS + 2 * 86_400_000}
            await run.sockets.tell(far)
        await run.sockets.tell(_algo("near"))
        await wait_for(lambda: "OrderReported" in run.kinds())
        assert run.kinds() == ["StreamRestored", "StreamRestored", "OrderReported"]
        assert run.stream.oddities.counts == {"malformed_user_frame": 2}


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
