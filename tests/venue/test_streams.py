"""Market streams on loopback: breaks told and mended, silence noticed, pace kept."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from bot.venue.streams import BACKOFF_S_MAX, Backoff, MarketStream, Oddities
from bot.venue.wire_frames import read_market_frame
from tests.venue.fake import Sockets, stream_host, wait_for

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
