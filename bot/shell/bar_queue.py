"""Closed bars waiting to be looked at, so that 1,800 closing at once hold nothing up.

Bars are looked at in the order they came, a slice of a few milliseconds at a time; between slices
the loop belongs to everything else, so a fill is protected at once. Of one symbol and timeframe
only the newest bar waits. Must not know: what a look finds.
"""

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from bot.shell.clock import wall_monotonic_s
from data.model import Candle

SLICE_S: Final = 0.005  # how long the loop may be held; a stop's way to the exchange is 5 ms


class Looker(Protocol):
    """Who looks at bars."""

    def bots_of(self, candle: Candle) -> tuple[str, ...]:
        """Who cares about this bar."""

    def look(self, bot_id: str, candle: Candle) -> None:
        """One bot's look at it."""

    def skip(self, candle: Candle, reason: str) -> None:
        """A bar that will not be looked at."""


class BarQueue:
    """One bar at most waits for each symbol and timeframe: no longer than the market is wide."""

    def __init__(self, looker: Looker, *, now_s: Callable[[], float] = wall_monotonic_s) -> None:
        self._looker = looker
        self._now_s = now_s
        self._bars: dict[tuple[str, str], Candle] = {}
        self._some = asyncio.Event()
        self.slices = 0

    def __len__(self) -> int:
        return len(self._bars)

    def hear(self, candle: Candle) -> None:
        """Take a bar that has just closed; never blocks."""
        key = (candle.symbol, candle.timeframe)
        before = self._bars.get(key)
        if before is not None:
            self._looker.skip(before, "a newer bar has closed since")
        self._bars[key] = candle
        self._some.set()

    async def run(self) -> None:
        """Look at bars until cancelled."""
        while True:
            await self._some.wait()
            self._slice()
            await asyncio.sleep(0)  # noqa: TID251 - it waits for nothing, it lets others run

    def _slice(self) -> None:
        self.slices += 1
        until_s = self._now_s() + SLICE_S
        while self._bars:
            key = next(iter(self._bars))
            candle = self._bars[key]
            for bot_id in self._looker.bots_of(candle):
                self._looker.look(bot_id, candle)
            del self._bars[key]
            if self._now_s() >= until_s:
                break
        if not self._bars:
            self._some.clear()
