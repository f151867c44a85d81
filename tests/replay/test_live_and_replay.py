"""Live and replay see the same: equal bars give equal signals, whenever the service was started."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

from bot.core.desk import Desk
from bot.core.messages import Event, SignalRaised
from bot.core.presets import BotConfig
from bot.core.strategies.registry import STRATEGIES
from bot.replay.bench_strategies import walk
from bot.replay.tape_market import Folder, TapeMarket
from bot.sandbox.tape_instruments import instrument_of
from bot.shell.analyst import Analyst
from bot.shell.bar_queue import BarQueue
from bot.shell.clock import VirtualClock
from data.candles import timeframe_ms
from data.model import Candle, Instrument, Signal
from tests.core.build import config
from tests.shell.market import FakeMarket, running

SYMBOLS = ("BTCUSDT", "ETHUSDT")
BARS = 1_400
STARTED = 450  # live began here, replay at the first bar
COMPARED_FROM = 1_000
STEP_MS = timeframe_ms("1m")


class Priced(FakeMarket):
    """Live windows beside the instruments and the price a tape has."""

    def instrument(self, symbol: str) -> Instrument:
        """As on the tape."""
        return instrument_of(symbol, 100.0)


class Always:
    """News that change sides with the hour."""

    def score_of(self, base_asset: str, now_ms: int) -> float | None:
        """The same for every asset."""
        del base_asset
        return 0.5 if now_ms // 3_600_000 % 2 else -0.5


def bots() -> tuple[BotConfig, ...]:
    """Each strategy once, and one that follows a longer timeframe."""
    plain = config(timeframe="1m", symbols=(), score_threshold=0.0)
    each = [replace(plain, bot_id=f"b{n}", strategy=name) for n, name in enumerate(STRATEGIES)]
    return (*each, replace(each[0], bot_id="trend", trend_timeframe="5m"))


def rows() -> list[list[Candle]]:
    """The bars of all symbols, one list a moment."""
    walks = [list(walk(symbol, "1m", BARS, seed)) for seed, symbol in enumerate(SYMBOLS)]
    return [list(row) for row in zip(*walks, strict=True)]


def signals(heard: Sequence[Event], from_ms: int) -> list[Signal]:
    """Those of the compared bars."""
    found = [event.signal for event in heard if isinstance(event, SignalRaised)]
    return [signal for signal in found if signal.bar_open_ms >= from_ms]


def replayed(moments: list[list[Candle]], desk: Desk) -> list[Event]:
    """All bars from the first one, looked at at once."""
    market = TapeMarket([instrument_of(symbol, 100.0) for symbol in SYMBOLS], ["5m"])
    market.marks = {symbol: (Decimal(100), 0) for symbol in SYMBOLS}
    clock, heard = VirtualClock(0), list[Event]()
    analyst = Analyst(
        market=market, clock=clock, desk_of=lambda: desk, sink=heard.append, news=Always()
    )
    for row in moments:
        clock.advance_to(row[0].open_ms + STEP_MS)
        for candle in row:
            market.close_bar(candle)
        for candle in row:
            analyst.on_bar(candle)
    return heard


async def lived(moments: list[list[Candle]], desk: Desk) -> list[Event]:
    """Bars from STARTED on, in slices; longer bars come before or after as chance has it."""
    market, clock, heard = Priced(), VirtualClock(0), list[Event]()
    folders = {symbol: Folder("5m") for symbol in SYMBOLS}
    analyst = Analyst(
        market=market, clock=clock, desk_of=lambda: desk, sink=heard.append, news=Always()
    )
    queue = BarQueue(analyst)
    task = asyncio.ensure_future(queue.run())
    for number, row in enumerate(moments[STARTED:]):
        clock.advance_to(row[0].open_ms + STEP_MS)
        longer = [one for candle in row for one in folders[candle.symbol].add(candle)]
        if number % 2:
            market.close(longer)
        for candle in row:
            market.close([candle])
            queue.hear(candle)
        while len(queue):
            await asyncio.sleep(0)
        if not number % 2:
            market.close(longer)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    return heard


async def test_live_and_replay_give_the_same_signals() -> None:
    """Every strategy, to the last digit: id, prices, score, parts, reasons, size."""
    moments, desk = rows(), running(*bots())
    from_ms = moments[COMPARED_FROM][0].open_ms
    told = signals(replayed(moments, desk), from_ms)
    assert told == signals(await lived(moments, desk), from_ms)
    assert {signal.strategy for signal in told} >= set(STRATEGIES) - {"reversal", "regime"}
    assert any(signal.bot_id == "trend" for signal in told)
