"""Bars over REST by need and by weight, without a market around it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.venue.aside import Aside
from bot.venue.feed import Feed
from bot.venue.filling import Filler, SeriesKey
from bot.venue.rest import RestClient
from bot.venue.series import Series
from bot.venue.streams import Oddities
from bot.venue.wire import Priority
from bot.venue.wire_requests import premium_index_request
from data.candles import CandleWindow
from tests.venue.fake import Script, client, exchange, ok, wait_for
from tests.venue.test_market import KLINES, History

SYMBOLS = ("AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT", "HELDUSDT")


@dataclass(slots=True)
class Filling:
    """A filler that has not begun, with what it is told of."""

    script: Script
    rest: RestClient
    filler: Filler
    feeds: dict[SeriesKey, Feed]

    def want(self, symbol: str, timeframe: str) -> None:
        """Have a series of this symbol and timeframe filled."""
        series = Series(
            symbol=symbol,
            timeframe=timeframe,
            make_window=CandleWindow,
            deliver=lambda _candle: None,
        )
        feed = Feed(series, f"{symbol}@kline_{timeframe}")
        self.feeds[symbol, timeframe] = feed
        self.filler.want(feed)

    def asked(self) -> list[tuple[str, str]]:
        """Symbol and timeframe of every request for bars, in the order they came."""
        return [
            (one.params["symbol"], one.params["interval"])
            for one in self.script.asked("GET", KLINES)
        ]


@asynccontextmanager
async def _filling(history_bars: int = 5) -> AsyncIterator[Filling]:
    script = Script()
    script.on("GET", KLINES, History())
    script.on("GET", "/fapi/v1/premiumIndex", ok({}))
    async with exchange(script) as url, client(url, key=False) as rest:
        feeds: dict[SeriesKey, Feed] = {}
        filler = Filler(
            rest=rest,
            feeds=feeds,
            history_bars=history_bars,
            overdue_s=5.0,
            exposed=lambda: {"HELDUSDT"},
            listed_ms=lambda _symbol: 10**15,
            aside=Aside(),
            oddities=Oddities(),
        )
        yield Filling(script, rest, filler, feeds)


@asynccontextmanager
async def _at_work(filling: Filling) -> AsyncIterator[None]:
    task = asyncio.create_task(filling.filler.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_symbols_with_exposure_go_first_then_short_timeframes() -> None:
    """Whoever holds a position needs its bars most; then what closes soonest."""
    async with _filling() as filling:
        for symbol in SYMBOLS:
            for timeframe in ("1d", "4h", "1m"):
                filling.want(symbol, timeframe)
        async with _at_work(filling):
            await wait_for(lambda: filling.filler.progress().done == 18)
        asked = filling.asked()
        assert len(asked) == 18
        places = {pair: place for place, pair in enumerate(asked)}
        held = [places["HELDUSDT", frame] for frame in ("1m", "4h", "1d")]
        others = {frame: [places[s, frame] for s in SYMBOLS[:5]] for frame in ("1m", "4h", "1d")}
        assert max(held + others["1m"]) < min(others["1d"])


async def test_warm_up_leaves_a_part_of_the_minute_to_others() -> None:
    """At 60 % of the weight it waits for the next minute, and trading finds the rest free."""
    async with _filling() as filling:
        budget = filling.rest.budget
        budget.set_limit(20)  # warm-up may use 12: twelve pages of weight 1
        for number in range(15):
            filling.want(f"S{number}USDT", "1m")
        async with _at_work(filling):
            await wait_for(lambda: filling.filler.progress().done == 12)
            told = filling.filler.progress()
            assert (told.total, budget.used) == (15, 12)
            assert 0 < told.eta_s <= 60
            now_ms = filling.rest.clock.now_ms()
            assert budget.room_ms(priority=Priority.TRADING, weight=8, now_ms=now_ms) == 0
            reading = await filling.rest.read(premium_index_request("AUSDT"))
            assert reading.__class__.__name__ == "Answer"
            filling.rest.clock.set_now(now_ms - now_ms % 60_000 + 60_500)  # no bar is late yet
            await wait_for(lambda: filling.filler.progress().done == 15)


async def test_a_gap_does_not_wait_for_warm_up() -> None:
    """A window that lost a bar is read with a higher share of the weight than a cold one."""
    async with _filling() as filling:
        filling.want("AUSDT", "1m")
        async with _at_work(filling):
            await wait_for(lambda: filling.filler.progress().done == 1)
            filling.rest.budget.set_limit(20)
            for number in range(15):
                filling.want(f"S{number}USDT", "1m")
            await wait_for(lambda: filling.rest.budget.used == 12)
            filling.filler.want(filling.feeds["AUSDT", "1m"])
            await wait_for(lambda: filling.asked().count(("AUSDT", "1m")) == 2)
            assert filling.filler.progress().done < 16
