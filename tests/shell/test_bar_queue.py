"""The bar queue: everything in its order, in slices, and never in anybody's way."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise

from bot.shell.bar_queue import SLICE_S, BarQueue
from data.model import Candle
from tests.shell.market import bar


@dataclass
class FakeLooker:
    """Notes who looked at what; each look takes a while of a made-up clock."""

    look_s: float = 0.0
    now_s: float = 0.0
    seen: list[tuple[str, str, int]] = field(default_factory=list)
    skipped: list[tuple[int, str]] = field(default_factory=list)

    def bots_of(self, candle: Candle) -> tuple[str, ...]:
        """Two bots, except for a symbol nobody trades."""
        return () if candle.symbol == "NONEUSDT" else ("b1", "b2")

    def look(self, bot_id: str, candle: Candle) -> None:
        """Note it."""
        self.now_s += self.look_s
        self.seen.append((bot_id, candle.symbol, candle.open_ms // 60_000))

    def skip(self, candle: Candle, reason: str) -> None:
        """Note it."""
        self.skipped.append((candle.open_ms // 60_000, reason))


async def run(queue: BarQueue, rounds: int) -> None:
    """Let the queue and others take turns that often."""
    task = asyncio.ensure_future(queue.run())
    for _ in range(rounds):
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_bars_are_looked_at_in_the_order_they_came() -> None:
    """Symbol by symbol, and within one by bot in the desk's order."""
    looker = FakeLooker()
    queue = BarQueue(looker, now_s=lambda: looker.now_s)
    for symbol in ("BUSDT", "NONEUSDT", "AUSDT"):
        queue.hear(bar(1, symbol))
    assert not looker.seen, "hearing never looks"
    await run(queue, 5)
    assert looker.seen == [
        ("b1", "BUSDT", 1),
        ("b2", "BUSDT", 1),
        ("b1", "AUSDT", 1),
        ("b2", "AUSDT", 1),
    ]
    assert len(queue) == 0


async def test_many_bars_at_once_are_cut_into_slices_with_others_between() -> None:
    """Looks of 1 ms (two a bar): three bars a slice, and the loop turns between two slices."""
    looker = FakeLooker(look_s=SLICE_S / 5)
    queue = BarQueue(looker, now_s=lambda: looker.now_s)
    turns: list[int] = []
    for number in range(30):
        queue.hear(bar(1, f"S{number}USDT"))
    task = asyncio.ensure_future(queue.run())
    while len(queue):
        await asyncio.sleep(0)
        turns.append(len(looker.seen) // 2)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert queue.slices == 10
    assert turns[-1] == 30
    assert max(b - a for a, b in pairwise(turns)) == 3


async def test_the_newest_bar_of_a_series_replaces_the_waiting_one() -> None:
    """The older one is skipped and said so; the newer one keeps its place in the line."""
    looker = FakeLooker()
    queue = BarQueue(looker, now_s=lambda: looker.now_s)
    for candle in (bar(1, "AUSDT"), bar(1, "BUSDT"), bar(2, "AUSDT")):
        queue.hear(candle)
    assert len(queue) == 2
    await run(queue, 5)
    assert [seen[1:] for seen in looker.seen[::2]] == [("AUSDT", 2), ("BUSDT", 1)]
    assert looker.skipped == [(1, "a newer bar has closed since")]


async def test_it_sleeps_while_nothing_closes_and_wakes_for_the_next() -> None:
    """No slice runs without a bar."""
    looker = FakeLooker()
    queue = BarQueue(looker, now_s=lambda: looker.now_s)
    await run(queue, 20)
    assert queue.slices == 0
    queue.hear(bar(1))
    await run(queue, 3)
    queue.hear(bar(2))
    await run(queue, 3)
    assert [seen[2] for seen in looker.seen[::2]] == [1, 2]
