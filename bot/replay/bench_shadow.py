"""What following shadows costs: a closed bar with a thousand of them open, and without any.

The bar goes the service's way: read off its frame, into its window, past the strategy of one bot,
past the ledger's book. Forty symbols share the shadows; those that end are replaced beside the
clock, so that a thousand stay open. Must not know: the store; ends are kept by a task of their own.
"""

import itertools
import json
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from bot.core.desk import Desk
from bot.core.messages import Event
from bot.core.presets import from_preset
from bot.replay.bench_strategies import walk
from bot.replay.tape_market import TapeMarket
from bot.sandbox.tape_instruments import instrument_of
from bot.shell.analyst import Analyst
from bot.shell.clock import VirtualClock, wall_monotonic_s
from bot.venue.wire_market import read_kline
from data.candles import WINDOW_BARS, timeframe_ms
from data.model import Candle, Direction
from memory.shadow import STILL, Costs, Idea, Moves
from memory.shadow_book import ShadowBook

SHADOWS: Final = 1_000
SYMBOLS: Final = 40
TIMEFRAME: Final = "30m"
BARS: Final = 150  # of each symbol, a round
ROUNDS: Final = 5
SEED: Final = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Microseconds a bar, the median round."""

    bare_us: float
    with_us: float  # with a thousand shadows on forty symbols noting it
    aside_us: float  # what looking at those it touched takes afterwards, beside the bars
    one_us: float  # what noting adds with all thousand in one symbol
    ended: int  # shadows that ended in a round, in the mean


def measure() -> Told:
    """Rounds of the same bars, each timed with and without the book."""
    rounds = [_round(SEED + number, SYMBOLS) for number in range(ROUNDS)]
    single = [_round(SEED + number, 1) for number in range(ROUNDS)]
    return Told(
        bare_us=statistics.median(one[0] for one in rounds),
        with_us=statistics.median(one[0] + one[1] for one in rounds),
        aside_us=statistics.median(one[2] for one in rounds),
        one_us=statistics.median(one[1] for one in single),
        ended=round(statistics.mean(one[3] for one in rounds)),
    )


def _round(seed: int, count: int) -> tuple[float, float, float, int]:
    """(microseconds a bar without, those that it adds, those spent afterwards; ends)."""
    dice, names = random.Random(seed), itertools.count()
    symbols = [f"S{number:02}USDT" for number in range(count)]
    market = TapeMarket([instrument_of(symbol, 100.0) for symbol in symbols])
    bars = {s: list(walk(s, TIMEFRAME, WINDOW_BARS + BARS, dice.randrange(999))) for s in symbols}
    for symbol in symbols:
        for candle in bars[symbol][:WINDOW_BARS]:
            market.close_bar(candle)
        market.marks[symbol] = (Decimal(100), 0)
    clock, heard = VirtualClock(0), list[Event]()
    desk = _desk()
    analyst = Analyst(market=market, clock=clock, desk_of=lambda: desk, sink=heard.append)
    book = ShadowBook(Costs())
    for number in range(SHADOWS):
        newest = bars[symbols[number % count]][WINDOW_BARS - 1]
        book.take(_idea(dice, next(names), newest), [])
    bare_s = more_s = aside_s = 0.0
    ended = 0
    for candle in _by_time(bars):
        frame = _frame(candle)
        clock.advance_to(candle.open_ms + timeframe_ms(TIMEFRAME))
        began_s = wall_monotonic_s()
        told = read_kline(frame)
        market.close_bar(candle)
        analyst.on_bar(candle)
        between_s = wall_monotonic_s()
        book.hear(candle)
        heard_s = wall_monotonic_s()
        done = book.look(SHADOWS).ended
        aside_s += wall_monotonic_s() - heard_s
        more_s += heard_s - between_s
        bare_s += between_s - began_s
        assert isinstance(told, Candle), "a frame is a bar"
        ended += len(done)
        for _ in done:
            book.take(_idea(dice, next(names), candle), [])
    assert len(book) == SHADOWS, "those that ended were replaced"
    a_bar = 1e6 / (BARS * count)
    return bare_s * a_bar, more_s * a_bar, aside_s * a_bar, ended


def _by_time(bars: dict[str, list[Candle]]) -> Iterator[Candle]:
    for row in zip(*(found[WINDOW_BARS:] for found in bars.values()), strict=True):
        yield from row


def _frame(candle: Candle) -> bytes:
    """The exchange's own words for a closed bar."""
    names = zip("ohlcv", ("open", "high", "low", "close", "volume"), strict=True)
    bar: dict[str, object] = {letter: f"{getattr(candle, name):.4f}" for letter, name in names}
    end_ms = candle.open_ms + timeframe_ms(candle.timeframe)
    bar |= {"t": candle.open_ms, "T": end_ms - 1, "s": candle.symbol, "i": candle.timeframe}
    bar |= {"f": 1, "L": 99, "n": 99, "x": True, "q": "1000", "V": "5", "Q": "500", "B": "0"}
    stream = f"{candle.symbol.lower()}@kline_{candle.timeframe}"
    data = {"e": "kline", "E": end_ms, "s": candle.symbol, "k": bar}
    return json.dumps({"stream": stream, "data": data}).encode()


def _desk() -> Desk:
    bot = from_preset("signals", bot_id="b", user_id="owner", account_id="bench")
    bot = replace(bot, timeframe=TIMEFRAME)
    return Desk(account_id="bench", user_id="owner", ready=True, bots={"b": bot}, running=("b",))


def _idea(dice: random.Random, number: int, newest: Candle) -> Idea:
    """An idea as strategies make them: a stop 1 to 3 % away, a target one and a half to three."""
    sign, entry = dice.choice((1, -1)), newest.close
    risk = entry * dice.uniform(0.01, 0.03)
    trails = dice.random() < 0.3
    return Idea(
        shadow_id=f"s{number}",
        symbol=newest.symbol,
        timeframe=TIMEFRAME,
        direction=Direction.LONG if sign > 0 else Direction.SHORT,
        after_ms=newest.open_ms,
        entry_price=entry,
        stop_price=entry - sign * risk,
        target_price=entry + sign * risk * dice.uniform(1.5, 3.0),
        tick=0.01,
        moves=Moves(trail_pct=1.5, trail_from_risks=1.0) if trails else STILL,
    )
