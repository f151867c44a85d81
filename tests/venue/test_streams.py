"""The pieces every stream is made of: pauses between tries, and counts of what was dropped."""

import asyncio
import itertools
from random import Random
from typing import cast

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosedOK

from bot.venue.streams import BACKOFF_S_MAX, FRAMES_AT_ONCE, Backoff, Line, Oddities, follow


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


class _Flood:
    """A socket whose frames have all arrived before anybody reads."""

    def __init__(self, count: int) -> None:
        self.left = count

    async def __aenter__(self) -> "_Flood":
        return self

    async def __aexit__(self, *_about: object) -> None:
        return

    async def recv(self, *, decode: bool) -> bytes:
        assert not decode
        if not self.left:
            raise ConnectionClosedOK(None, None)
        self.left -= 1
        return b"{}"


async def test_a_flood_of_frames_leaves_the_loop_to_others_now_and_then() -> None:
    """Frames that wait already are read a few at a time: a stop must not wait for them all."""
    heard: list[bytes] = []
    seen: list[int] = []

    async def other() -> None:
        while True:
            seen.append(len(heard))
            await asyncio.sleep(0)

    line = Line(cast("ClientConnection", _Flood(20 * FRAMES_AT_ONCE)))
    turns = asyncio.create_task(other())
    await follow(line, lambda _line, frame: heard.append(frame))
    turns.cancel()
    assert len(heard) == 20 * FRAMES_AT_ONCE
    assert max(b - a for a, b in itertools.pairwise(seen)) <= FRAMES_AT_ONCE
