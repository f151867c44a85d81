"""What strategies cost: one bar through all six, 1,800 bars at once, a year of minutes.

The floor of each is the least it could be: one TA-Lib call of each kind over the same window, or
appending the bars and looking at nothing. Must not know: how figures are judged.
"""

import asyncio
import math
import random
import statistics
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from bot.core.desk import Desk
from bot.core.messages import Event
from bot.core.presets import BotConfig, from_preset
from bot.core.strategies.registry import STRATEGIES
from bot.core.strategies.window import Context
from bot.replay.tape_market import TapeMarket
from bot.sandbox.tape_instruments import instrument_of
from bot.shell.analyst import Analyst
from bot.shell.bar_queue import BarQueue
from bot.shell.clock import VirtualClock, wall_monotonic_s
from bot.shell.process import cpu_s
from bot.shell.strategy_book import StrategyBook
from data.candles import WINDOW_BARS, CandleWindow, timeframe_ms
from data.indicators import adx, atr, bollinger, ema, macd, roc, rsi, sma
from data.model import Candle, Instrument

SEED: Final = 7
BARS: Final = 3_000
SYMBOLS: Final = 600
TIMEFRAMES: Final = ("30m", "4h", "1d")
WALKS: Final = 12  # different markets; more would only take longer to make up
YEAR_BARS: Final = 525_600
YEAR_PART: Final = 20  # a twentieth is measured: what a bar costs does not depend on how many were
START_MS: Final = 1_700_006_400_000  # a midnight, so that all three timeframes begin together


@dataclass(frozen=True, slots=True, kw_only=True)
class BarCost:
    """Milliseconds a bar, all six strategies; the floor: one call of each indicator.

    The median is wall time, of which a busy machine spoils few bars; the mean is processor time.
    """

    median_ms: float
    cpu_ms: float
    floor_ms: float
    signals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstCost:
    """All bars of the market at once, each through six strategies, in the running loop."""

    bars: int
    took_s: float
    floor_s: float
    lag_ms_p99: float  # of the loop meanwhile
    lag_ms_max: float
    slices: int


def measure_bar() -> BarCost:
    """One symbol's bars, each through all six strategies as live asks them."""
    window, book = CandleWindow("BTCUSDT", "30m", capacity=WINDOW_BARS), StrategyBook()
    bots, instrument = _bots("30m"), instrument_of("BTCUSDT", 100.0)
    took: list[float] = []
    floors: list[float] = []
    signals, began_cpu_s = 0, cpu_s()
    for number, candle in enumerate(walk("BTCUSDT", "30m", WINDOW_BARS + BARS, SEED)):
        window.append(candle)
        if number < WINDOW_BARS:
            continue
        began_s = wall_monotonic_s()
        signals += sum(
            book.ask(bot, window, _context(bot, instrument, candle)) is not None for bot in bots
        )
        took.append(wall_monotonic_s() - began_s)
        floors.append(_indicators_s(window))
    cpu_ms = 1e3 * (cpu_s() - began_cpu_s) / len(took)
    floor_ms = 1e3 * statistics.median(floors)
    return BarCost(
        median_ms=1e3 * statistics.median(took),
        cpu_ms=cpu_ms - floor_ms,
        floor_ms=floor_ms,
        signals=signals,
    )


async def measure_burst() -> BurstCost:
    """600 symbols at three timeframes close at one moment; a task beside them takes the lag."""
    symbols = [f"S{number:03}USDT" for number in range(SYMBOLS)]
    market = TapeMarket([instrument_of(symbol, 100.0) for symbol in symbols])
    newest: list[Candle] = []
    for timeframe in TIMEFRAMES:
        walks = [list(walk("", timeframe, WINDOW_BARS, seed)) for seed in range(WALKS)]
        for number, symbol in enumerate(symbols):
            for candle in walks[number % WALKS]:
                market.close_bar(replace(candle, symbol=symbol))
            newest.append(replace(walks[number % WALKS][-1], symbol=symbol))
    market.marks = {symbol: (Decimal(100), 0) for symbol in symbols}
    clock = VirtualClock(newest[0].open_ms + timeframe_ms(TIMEFRAMES[0]))
    bots = {bot.bot_id: bot for timeframe in TIMEFRAMES for bot in _bots(timeframe)}
    desk = Desk(account_id="bench", user_id="owner", ready=True, bots=bots, running=tuple(bots))
    heard: list[Event] = []
    analyst = Analyst(market=market, clock=clock, desk_of=lambda: desk, sink=heard.append)
    queue = BarQueue(analyst)
    for timeframe in TIMEFRAMES:  # parameters are made once, before anything is measured
        for candle in [one for one in newest if one.timeframe == timeframe][:1]:
            analyst.on_bar(candle)
    lags: list[float] = []
    beside = asyncio.create_task(_take_lag(lags))
    runner = asyncio.create_task(queue.run())
    await asyncio.sleep(0)  # noqa: TID251 - it waits for nothing, it lets both begin
    began_s = wall_monotonic_s()
    for candle in newest:
        queue.hear(candle)
    while len(queue):  # noqa: ASYNC110 - it takes part in the loop that is measured
        await asyncio.sleep(0)  # noqa: TID251 - as above
    took_s = wall_monotonic_s() - began_s
    await _end(beside, runner)
    floor_s = sum(_floor_of(market, candle) for candle in newest)
    lags.sort()
    return BurstCost(
        bars=len(newest),
        took_s=took_s,
        floor_s=floor_s,
        lag_ms_p99=1e3 * lags[int(len(lags) * 0.99)],
        lag_ms_max=1e3 * lags[-1],
        slices=queue.slices,
    )


def measure_year() -> tuple[float, float]:
    """(processor seconds of a year of minutes, default strategy; of appending its bars alone)."""
    count = YEAR_BARS // YEAR_PART
    candles = list(walk("BTCUSDT", "1m", count + WINDOW_BARS, SEED))
    looked_s, bare_s = (_played_s(candles, asked=asked) for asked in (True, False))
    return YEAR_PART * looked_s, YEAR_PART * bare_s


def _played_s(candles: Sequence[Candle], *, asked: bool) -> float:
    instrument = instrument_of("BTCUSDT", 100.0)
    market = TapeMarket([instrument])
    market.marks["BTCUSDT"] = (Decimal(100), 0)
    clock = VirtualClock(0)
    bot = replace(_bots("1m")[0], symbols=())
    desk = Desk(
        account_id="bench",
        user_id="owner",
        ready=True,
        bots={bot.bot_id: bot},
        running=(bot.bot_id,),
    )
    heard: list[Event] = []
    analyst = Analyst(market=market, clock=clock, desk_of=lambda: desk, sink=heard.append)
    for candle in candles[:WINDOW_BARS]:
        market.close_bar(candle)
    began_s = cpu_s()
    for candle in candles[WINDOW_BARS:]:
        market.close_bar(candle)
        if asked:
            clock.advance_to(candle.open_ms + timeframe_ms("1m"))
            analyst.on_bar(candle)
    return cpu_s() - began_s


def _bots(timeframe: str) -> list[BotConfig]:
    plain = from_preset("signals", bot_id="b", user_id="owner", account_id="bench")
    return [
        replace(plain, bot_id=f"{name[:4]}{timeframe}", strategy=name, timeframe=timeframe)
        for name in STRATEGIES
    ]


def _context(bot: BotConfig, instrument: Instrument, candle: Candle) -> Context:
    # The news change sides with the bar, so that their strategy has to look at both.
    news = 0.5 if candle.open_ms // timeframe_ms(candle.timeframe) % 2 else -0.5
    return Context(
        bot_id=bot.bot_id,
        timeframe=candle.timeframe,
        instrument=instrument,
        now_ms=candle.open_ms + timeframe_ms(candle.timeframe),
        news_score=news,
    )


def walk(symbol: str, timeframe: str, count: int, seed: int) -> Iterator[Candle]:
    """That many bars of a seeded market around 100, the last one closing at START_MS."""
    dice, price, step_ms = random.Random(seed), 100.0, timeframe_ms(timeframe)
    start_ms = START_MS - count * step_ms
    for number in range(count):
        opened, price = price, price * math.exp(dice.gauss(0.0, 0.004))
        yield Candle(
            symbol=symbol,
            timeframe=timeframe,
            open_ms=start_ms + number * step_ms,
            open=opened,
            high=max(opened, price) * (1 + abs(dice.gauss(0.0, 0.001))),
            low=min(opened, price) * (1 - abs(dice.gauss(0.0, 0.001))),
            close=price,
            volume=100 * dice.random() + 10,
        )


def _indicators_s(window: CandleWindow) -> float:
    began_s = wall_monotonic_s()
    close, high, low = window.close, window.high, window.low
    sma(close, 20)
    ema(close, 20)
    rsi(close, 14)
    roc(close, 10)
    atr(high, low, close, 14)
    adx(high, low, close, 14)
    macd(close, 12, 26, 9)
    bollinger(close, 20, 2.0)
    return wall_monotonic_s() - began_s


def _floor_of(market: TapeMarket, candle: Candle) -> float:
    window = market.window(candle.symbol, candle.timeframe)
    assert isinstance(window, CandleWindow), "it was filled"
    return _indicators_s(window)


async def _take_lag(lags: list[float]) -> None:
    """How long the loop took to come round again, each time."""
    before_s = wall_monotonic_s()
    while True:
        await asyncio.sleep(0)  # noqa: TID251 - it waits for nothing, it takes its turn
        now_s = wall_monotonic_s()
        lags.append(now_s - before_s)
        before_s = now_s


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
