"""Streams over several connections: moves without a gap, proof by data, rotation, compaction."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bot.venue.shards import ShardOptions, Shards
from tests.venue.fake import Sockets, stream_host, wait_for


@dataclass(slots=True)
class Running:
    """Shards under test with their pretend host."""

    sockets: Sockets
    shards: Shards
    frames: list[bytes] = field(default_factory=list)
    told: list[tuple[str, str]] = field(default_factory=list)

    def asked(self, method: str) -> list[list[str]]:
        """Names of each frame of a method, in the order they came."""
        return [frame["params"] for frame in self.sockets.said if frame["method"] == method]

    def carrier(self, name: str) -> int:
        """The number of the connection on which a stream was subscribed first."""
        pairs = zip(self.sockets.said, self.sockets.said_on, strict=True)
        return next(number for frame, number in pairs if name in frame["params"])

    async def give(self, connection: int, *names: str) -> None:
        """Send data of these streams on one connection."""
        for name in names:
            frame = json.dumps({"stream": name, "data": {}})
            await self.sockets.connections[connection].send(frame)

    async def settled(self, sizes: list[int]) -> None:
        """Wait until the shards carry so many streams each."""
        await wait_for(lambda: [len(shard) for shard in self.shards.shards] == sizes)


@asynccontextmanager
async def _running(names: list[str], **options: Any) -> AsyncIterator[Running]:
    async with stream_host() as sockets:
        frames: list[bytes] = []
        told: list[tuple[str, str]] = []
        defaults: dict[str, Any] = {"room": 2, "look_every_s": 0.01, "patience": lambda _name: 60.0}
        shards = Shards(
            ws_url=sockets.url,
            dice=Random(1),
            hear=lambda _stream, frame: frames.append(frame),
            told=lambda name, why: told.append((name, why)),
            options=ShardOptions(**{**defaults, **options}),
        )
        shards.carry(names)
        task = asyncio.create_task(shards.run())
        try:
            yield Running(sockets, shards, frames, told)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_streams_fill_one_connection_after_the_other() -> None:
    """Five streams with room for two are three connections; later ones fill what is free."""
    async with _running(["a", "b", "c", "d", "e"]) as run:
        await run.sockets.until(3)
        await run.settled([2, 2, 1])
        run.shards.carry(["e", "f"])
        await run.settled([2, 2, 2])


async def test_rotation_opens_the_new_before_it_closes_the_old() -> None:
    """An old connection goes on until the new one gave data: no stream is ever without one."""
    async with _running(["a", "b"], rotate_s=0.3) as run:
        await wait_for(lambda: len(run.asked("SUBSCRIBE")) == 1)
        await run.give(0, "a", "b")
        await run.sockets.until(2)
        await wait_for(lambda: len(run.asked("SUBSCRIBE")) == 2)
        old = run.shards.shards[0]
        assert old.names == ("a", "b")
        assert run.shards.echoing
        await run.give(1, "a")
        await wait_for(lambda: old.names == ("b",))
        assert old in run.shards.shards
        await run.give(1, "b")
        await wait_for(lambda: old not in run.shards.shards)
        await wait_for(lambda: run.sockets.connections[0].state.name == "CLOSED")


async def test_a_half_empty_connection_is_closed() -> None:
    """What is left on it moves to free places, and then it goes."""
    async with _running(["a", "b", "c", "d"], room=3, patience=lambda _name: 0.05) as run:
        await run.settled([3, 1])
        run.shards.drop(["a", "b"])
        await run.settled([2])
        assert set(run.shards.shards[0].names) == {"c", "d"}


async def test_an_empty_connection_is_closed() -> None:
    """Nothing carried, nothing open."""
    async with _running(["a"]) as run:
        await run.sockets.until(1)
        run.shards.drop(["a"])
        await run.settled([])
        await wait_for(lambda: run.sockets.connections[0].state.name == "CLOSED")


async def test_a_stream_dropped_while_it_moves_leaves_both() -> None:
    """Neither the old nor the new connection keeps it."""
    async with _running(["a", "b"], rotate_s=0.1) as run:
        await wait_for(lambda: len(run.shards.shards) == 2)
        run.shards.drop(["a", "b"])
        await run.settled([])


async def test_a_mute_stream_is_subscribed_again_then_told_of_then_back() -> None:
    """Twice anew, then it is told; its first frame takes that back."""
    async with _running(["a"], silence_s=60.0, patience=lambda _name: 0.05) as run:
        await wait_for(lambda: len(run.told) == 1)
        assert run.told == [("a", "the stream a never gave data, subscribed 3 times")]
        assert run.asked("UNSUBSCRIBE")[:2] == [["a"], ["a"]]

        async def speak() -> None:
            while len(run.told) == 1:
                await run.give(0, "a")
                await asyncio.sleep(0.01)

        await asyncio.wait_for(speak(), 5)
        assert run.told[1] == ("a", "")


async def test_a_dead_connection_makes_its_streams_stale_and_no_others() -> None:
    """Stale is what a shard carries that says nothing, until it speaks again."""
    async with _running(
        ["a", "b", "c"], stale_s=0.3, silence_s=60.0, patience=lambda _name: 0.2
    ) as run:
        await wait_for(lambda: len(run.asked("SUBSCRIBE")) == 2)

        async def speak() -> None:
            while not run.shards.is_stale("a"):
                await run.give(run.carrier("c"), "c")
                await asyncio.sleep(0.01)

        await asyncio.wait_for(speak(), 5)
        assert run.shards.is_stale("b")
        assert not run.shards.is_stale("c")
        assert run.shards.is_stale("unknown")


async def test_a_lost_connection_is_opened_again_with_all_it_carried() -> None:
    """A cut is mended by the shard itself; the others do not notice."""
    async with _running(["a", "b", "c"]) as run:
        await wait_for(lambda: len(run.asked("SUBSCRIBE")) == 2)
        await run.sockets.connections[run.carrier("a")].close()
        await wait_for(lambda: len(run.asked("SUBSCRIBE")) == 3)
        assert run.asked("SUBSCRIBE")[2] == ["a", "b"]
        assert [len(shard) for shard in run.shards.shards] == [2, 1]
