"""An hour of market time at speed on the live market: its memory must come to rest.

Symbols rotate every minute of market time and every ten minutes all connections are cut; bars
close, gaps are healed. `python -m tests.venue.soak --minutes 60` prints one JSON line and exits
with 1 when resident memory grew by 2 % or more after the first ten minutes, or when a window was
not whole at the end.
"""

import argparse
import asyncio
import json
import random
import sys
from collections import deque
from typing import Any

from bot.replay.bench_market import TIMEFRAMES, peer
from bot.shell.clock import SystemClock, wall_monotonic_s
from bot.shell.log import configure
from bot.shell.process import rss_mb
from bot.venue.market import LiveMarket, MarketOptions
from bot.venue.rest import RestAddress, RestClient, open_session
from bot.venue.wire_weight import WeightBudget
from data.candles import CandleWindow

GROWTH_PCT_MAX = 2.0
SETTLE_MINUTES = 10
CUT_MINUTES = 10
ROTATED = 5  # symbols a minute
PATIENCE_S = 60.0


class Soak:
    """A market with a part of the peer's symbols watched, the others waiting for their turn."""

    def __init__(self, market: LiveMarket, symbols: list[str]) -> None:
        self.market = market
        self._watched, self._waiting = deque[str](), deque(symbols)
        self._rotate(len(symbols) * 3 // 4)

    def _rotate(self, count: int) -> None:
        for _ in range(count):
            symbol = self._waiting.popleft()
            self.market.watch(symbol, TIMEFRAMES)
            self._watched.append(symbol)

    def rotate(self) -> None:
        """Let some go and take some others in."""
        for _ in range(ROTATED):
            gone = self._watched.popleft()
            self.market.unwatch(gone)
            self._waiting.append(gone)
        self._rotate(ROTATED)

    async def whole(self) -> bool:
        """Wait until every window watched is shown; False when one is not in time."""
        until_s = wall_monotonic_s() + PATIENCE_S
        while wall_monotonic_s() < until_s:
            keys = [(symbol, frame) for symbol in self._watched for frame in TIMEFRAMES]
            if all(self.market.window(*key) is not None for key in keys):
                return True
            await asyncio.sleep(0.05)
        return False


async def soak(ready: dict[str, Any], *, minutes: int, speed: float) -> dict[str, Any]:
    """Run it; the report."""
    async with open_session() as session:
        rest = RestClient(
            address=RestAddress(base_url=ready["rest"]),
            session=session,
            clock=SystemClock(speed=speed),
            budget=WeightBudget(limit=10_000_000),
            dice=random.Random(1),
        )
        await rest.sync_clock()
        bars: list[int] = [0]

        def count(_candle: object) -> None:
            bars[0] += 1

        market = LiveMarket(
            rest=rest,
            ws_url=ready["ws"],
            dice=random.Random(1),
            make_window=CandleWindow,
            bar_sink=count,
            options=MarketOptions(streams_per_connection=50),
        )
        world = Soak(market, list(ready["symbols"]))
        running = asyncio.create_task(market.run())
        try:
            warm = await world.whole()
            sizes_mb = []
            for minute in range(1, minutes + 1):
                await asyncio.sleep(60 / speed)
                world.rotate()
                if minute % CUT_MINUTES == 0:
                    async with session.post(f"{ready['rest']}/bench/cut") as answer:
                        await answer.read()
                sizes_mb.append(rss_mb())
            whole = await world.whole()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    settled_mb = sizes_mb[min(SETTLE_MINUTES, minutes) - 1]
    growth_pct = (sizes_mb[-1] - settled_mb) / settled_mb * 100
    return {
        "minutes": minutes,
        "bars": bars[0],
        "rss_mb_settled": settled_mb,
        "rss_mb": sizes_mb[-1],
        "growth_pct": round(growth_pct, 2),
        "odd": dict(market.oddities.counts),
        "ok": warm and whole and growth_pct < GROWTH_PCT_MAX,
    }


def main() -> int:
    """Parse, run, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=60, help="of market time")
    parser.add_argument("--speed", type=float, default=30.0)
    parser.add_argument("--symbols", type=int, default=200)
    given = parser.parse_args()
    configure(level="error")
    with peer(given.symbols, given.speed) as ready:
        report = asyncio.run(soak(ready, minutes=given.minutes, speed=given.speed))
    sys.stdout.write(json.dumps(report) + "\n")
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
