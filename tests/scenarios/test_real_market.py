"""Recorded markets played through the pretend exchange as live ones: all of it, and its worst day.

The market client runs as in the service, over sockets; what it delivers must be what was recorded.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
import pytest

from bot.sandbox.exchange_server import ExchangeSandbox
from bot.sandbox.tape import TIMEFRAMES_MS, RecordedTape
from bot.sandbox.tape_files import Columns
from bot.sandbox.tape_instruments import instruments_for
from bot.shell.clock import SystemClock, wall_monotonic_s
from bot.venue.market import LiveMarket, MarketOptions
from bot.venue.rest import RestAddress, RestClient, open_session
from bot.venue.wire_weight import WeightBudget
from data.candles import CandleWindow
from data.model import Candle
from tests.house import ROOT

RECORDED = ROOT.parent / "shared/data"
CRASH_MS = 1_760_130_000_000  # 2025-10-10 21:00 UTC: ADA fell from 0.717 to 0.274 in this bar
RECORDED_END_MS = 1_761_175_800_000  # the last bar of the universe
STEP_MS = TIMEFRAMES_MS["30m"]
PATIENCE_S = 30.0
pytestmark = pytest.mark.skipif(
    not RECORDED.exists(), reason="the recorded market data is not beside this checkout"
)


@dataclass(slots=True)
class World:
    """A market client on a recorded market, and what it was told."""

    sandbox: ExchangeSandbox
    market: LiveMarket
    tape: RecordedTape
    bars: defaultdict[str, list[Candle]] = field(default_factory=lambda: defaultdict(list))

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for it; a timeout is a failed test."""
        until_s = wall_monotonic_s() + PATIENCE_S
        while not condition():
            assert wall_monotonic_s() < until_s, "it did not happen"
            await asyncio.sleep(0.02)

    def is_warm(self, symbol: str) -> bool:
        """Whether its window and mark can be traded on."""
        shown = self.market.window(symbol, "30m") is not None
        return shown and self.market.mark_price(symbol) is not None

    def check(self, symbol: str) -> None:
        """Every bar delivered is the recorded one, none is missing, none came twice."""
        recorded, told = self.tape.columns(symbol), self.bars[symbol]
        first = int(np.searchsorted(recorded.open_ms, told[0].open_ms))
        chosen = slice(first, first + len(told))
        assert [bar.open_ms for bar in told] == recorded.open_ms[chosen].tolist()
        for name in ("open", "high", "low", "close"):
            wanted = getattr(recorded, name)[chosen]
            found = np.array([getattr(bar, name) for bar in told])
            assert np.allclose(found, wanted, rtol=2e-3), f"{symbol} {name}"


def _cut(one: Columns, first_ms: int, last_ms: int) -> Columns:
    chosen = (one.open_ms >= first_ms) & (one.open_ms <= last_ms)
    return Columns(
        **{
            name: getattr(one, name)[chosen]
            for name in ("open_ms", "open", "high", "low", "close", "volume")
        }
    )


def _tape(path: Path, first_ms: int, last_ms: int) -> RecordedTape:
    whole = RecordedTape.open(path)
    cut = {symbol: _cut(whole.columns(symbol), first_ms, last_ms) for symbol in whole.symbols}
    return RecordedTape(
        {symbol: one for symbol, one in cut.items() if len(one.open_ms)},
        name=str(path),
        timeframe="30m",
    )


@asynccontextmanager
async def _world(tape: RecordedTape, *, speed: float, history_bars: int) -> AsyncIterator[World]:
    sandbox = ExchangeSandbox(
        tape=tape,
        instruments=instruments_for(tape.first_prices),
        clock=SystemClock(),
        speed=speed,
        history_bars=history_bars,
    )
    await sandbox.start()
    async with open_session() as session:
        rest = RestClient(
            address=RestAddress(base_url=sandbox.rest, sandbox_allowed=True),
            session=session,
            clock=SystemClock(),
            budget=WeightBudget(),
            dice=Random(1),
        )
        bars: defaultdict[str, list[Candle]] = defaultdict(list)
        market = LiveMarket(
            rest=rest,
            ws_url=sandbox.ws,
            dice=Random(1),
            make_window=CandleWindow,
            bar_sink=lambda bar: bars[bar.symbol].append(bar),
            options=MarketOptions(streams_per_connection=50, history_bars=48),
        )
        await rest.sync_clock()
        await market.load_instruments()
        for symbol in tape.symbols:
            market.watch(symbol, ["30m"])
        running = asyncio.create_task(market.run())
        try:
            yield World(sandbox, market, tape, bars)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await sandbox.stop()


async def test_the_whole_market_of_502_symbols_is_followed() -> None:
    """All warm, all bars as recorded, nobody set aside, no frame that could not be used."""
    path = RECORDED / "universe/universe-30m-2025-10.parquet"
    tape = _tape(path, RECORDED_END_MS - 110 * STEP_MS, RECORDED_END_MS)
    assert len(tape.symbols) == 502
    async with _world(tape, speed=600, history_bars=50) as world:
        await world.until(lambda: all(map(world.is_warm, tape.symbols)))
        assert world.market.warmup().done == 502
        assert len(world.sandbox.hub.connections) >= 502 * 2 // 50
        started = {symbol: len(world.bars[symbol]) for symbol in tape.symbols}
        await world.until(lambda: all(len(world.bars[s]) >= started[s] + 2 for s in tape.symbols))
        for symbol in tape.symbols:
            world.check(symbol)
        assert world.market.set_aside() == {}
        assert not [k for k in world.market.oddities.counts if k != "klines_page_short"]


async def test_the_crash_of_october_is_followed_through_a_cut() -> None:
    """40 symbols fall, the streams are cut in the middle: the missed bars are fetched, in order."""
    tape = _tape(RECORDED / "30m", CRASH_MS - 60 * STEP_MS, CRASH_MS + 30 * STEP_MS)
    async with _world(tape, speed=3_600, history_bars=56) as world:
        await world.until(lambda: all(map(world.is_warm, tape.symbols)))
        before = world.market.mark_price("ADAUSDT")
        await world.until(lambda: world.sandbox.now_ms() > CRASH_MS)
        assert world.sandbox.hub.cut("market") >= 2
        await world.until(
            lambda: all(
                len(world.bars[s]) > 0 and world.bars[s][-1].open_ms >= CRASH_MS + 2 * STEP_MS
                for s in tape.symbols
            )
        )
        for symbol in tape.symbols:
            world.check(symbol)
        crash = next(bar for bar in world.bars["ADAUSDT"] if bar.open_ms == CRASH_MS)
        after = world.market.mark_price("ADAUSDT")
        assert crash.low == pytest.approx(0.2743)
        assert before is not None
        assert after is not None
        assert after[0] < before[0]
        assert world.market.set_aside() == {}
