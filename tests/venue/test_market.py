"""Live prices on loopback: warm-up, live bars, healing only what is missing, marks."""

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from aiohttp import web

from bot.venue.market import LiveMarket, MarketOptions
from bot.venue.wire_market import ContractSeen
from data.candles import CandleWindow, timeframe_ms
from data.model import Candle
from tests.venue.fake import (
    NOW_MS,
    Heard,
    Script,
    Sockets,
    client,
    exchange,
    ok,
    stream_host,
    wait_for,
)
from tests.venue.test_wire_instruments import SYMBOL

MINUTE = 60_000
START = NOW_MS - NOW_MS % MINUTE  # the bar that is open now
KLINES = "/fapi/v1/klines"


def _row(open_ms: int, step_ms: int) -> list[Any]:
    return [open_ms, "10", "12", "9", "11", "5", open_ms + step_ms - 1, "5", 1, "1", "1", "0"]


@dataclass(slots=True)
class History:
    """A klines endpoint: every minute up to `open_ms`, the last one still open."""

    open_ms: int = START
    down: bool = False
    rows_max: int = 1_000

    def __call__(self, heard: Heard) -> web.Response | None:
        """Answer as documented: newest rows, or the oldest from startTime on."""
        if self.down:
            return None
        limit, step = int(heard.params["limit"]), timeframe_ms(heard.params["interval"])
        newest = self.open_ms - self.open_ms % step
        first = newest - (limit - 1) * step
        if "startTime" in heard.params:
            first = int(heard.params["startTime"])
        rows = [_row(t, step) for t in range(first, newest + 1, step)]
        count = min(limit, self.rows_max)
        if "startTime" in heard.params:
            return web.json_response(rows[:count])
        return web.json_response(rows[len(rows) - count :])


@dataclass(slots=True)
class Running:
    """A market under test with its pretend exchange."""

    script: Script
    sockets: Sockets
    market: LiveMarket
    history: History
    bars: list[Candle] = field(default_factory=list)
    listings: list[ContractSeen] = field(default_factory=list)

    def forgive(self) -> None:
        """Let readings that failed be tried again at once."""
        for feed in self.market._feeds.values():
            feed.not_before_s = 0.0

    async def tell_contract(self, symbol: str, status: str, **changes: Any) -> None:
        """Send news of a listing."""
        frame = {"e": "contractInfo", "E": NOW_MS, "s": symbol, "cs": status, "ct": "PERPETUAL"}
        await self.sockets.tell({"stream": "!contractInfo", "data": {**frame, **changes}})

    async def tell_open(self, close: str) -> None:
        """Send the open bar as the exchange spells it, without a space."""
        bar = {"t": START, "i": "1m", "o": "10", "h": "12", "l": "9", "c": close, "v": "5"}
        frame = {"e": "kline", "s": "BTCUSDT", "k": {**bar, "x": False}}
        whole = {"stream": "btcusdt@kline_1m", "data": frame}
        await self.sockets.tell(json.dumps(whole, separators=(",", ":")).encode())

    async def tell_bar(self, open_ms: int, *, closed: bool, **changes: Any) -> None:
        """Send a kline frame, at a moment when such a bar can be told of."""
        told_ms = open_ms + MINUTE if closed else open_ms
        self.market._clock.set_now(max(self.market._clock.now_ms(), told_ms))
        await self.tell_early(open_ms, closed=closed, **changes)

    async def tell_early(
        self, open_ms: int, *, closed: bool, bar: dict[str, str] | None = None, **changes: Any
    ) -> None:
        """Send a kline frame, whatever the clock says."""
        told = {"t": open_ms, "i": "1m", "o": "10", "h": "12", "l": "9", "c": "11", "v": "5"}
        told |= bar or {}
        frame = {"e": "kline", "s": "BTCUSDT", "k": {**told, "x": closed}, **changes}
        await self.sockets.tell({"stream": "btcusdt@kline_1m", "data": frame})

    async def tell_mark(self, price: str, event_ms: int, symbol: str = "BTCUSDT") -> None:
        """Send a mark price frame."""
        await self.sockets.tell(
            {"e": "markPriceUpdate", "E": event_ms, "s": symbol, "p": price, "st": 1}
        )

    def minutes(self) -> list[int] | None:
        """Open times of the shown window, relative to START, in minutes."""
        window = self.market.window("BTCUSDT", "1m")
        if window is None:
            return None
        return [(int(open_ms) - START) // MINUTE for open_ms in window.open_ms]

    def delivered(self) -> list[int]:
        """Delivered bars, relative to START, in minutes."""
        return [(bar.open_ms - START) // MINUTE for bar in self.bars]


@asynccontextmanager
async def running(
    *,
    warm: bool = True,
    down: bool = False,
    rows_max: int = 1_000,
    instruments: Sequence[dict[str, Any]] = (),
    listings: bool = False,
    exposed: Collection[str] = (),
    **options: Any,
) -> AsyncIterator[Running]:
    """A market of one symbol at one minute beside its pretend exchange."""
    script, bars, heard = Script(), list[Candle](), list[ContractSeen]()
    history = History(down=down, rows_max=rows_max)
    script.on("GET", "/fapi/v1/exchangeInfo", ok({"symbols": list(instruments)}))
    script.on("GET", KLINES, history)
    script.on(
        "GET", "/fapi/v1/premiumIndex", ok({"symbol": "BTCUSDT", "markPrice": "1", "time": 1})
    )
    async with exchange(script) as url, client(url, key=False) as rest, stream_host() as sockets:
        market = LiveMarket(
            rest=rest,
            ws_url=sockets.url,
            dice=Random(1),
            make_window=CandleWindow,
            bar_sink=bars.append,
            options=MarketOptions(history_bars=5, **options),
            on_listing=heard.append if listings else None,
            exposed=lambda: exposed,
        )
        if instruments:
            await market.load_instruments()
        market.watch("BTCUSDT", ["1m"])
        task = asyncio.create_task(market.run())
        try:
            await sockets.until(1)
            if warm:
                assert await market.ready(5)
            yield Running(script, sockets, market, history, bars, heard)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_warm_up_shows_closed_history_only() -> None:
    """Five closed bars; the open one is not among them, and nothing was delivered."""
    async with running() as run:
        assert run.minutes() == [-5, -4, -3, -2, -1]
        assert run.bars == []
        assert run.script.asked("GET", KLINES)[0].params["limit"] == "6"


async def test_nothing_is_shown_before_it_is_warm() -> None:
    """A cold window is None, not an empty one."""
    async with running(warm=False) as run:
        assert run.market.window("ETHUSDT", "1m") is None
        assert run.market.window("BTCUSDT", "5m") is None


async def test_a_closed_bar_is_delivered_once() -> None:
    """Open frames change nothing; the final one joins and is told once, repeats notwithstanding."""
    async with running() as run:
        await run.tell_bar(START, closed=False)
        await run.tell_bar(START, closed=True)
        await run.tell_bar(START, closed=True)
        await wait_for(lambda: run.market.oddities.counts.get("bar_repeated") == 1)
        assert run.delivered() == [0]
        assert run.minutes() == [-5, -4, -3, -2, -1, 0]


async def test_a_gap_is_healed_by_fetching_only_what_is_missing() -> None:
    """Bars 0 and 1 were missed while the stream was down: fetched from 0 on, delivered in order."""
    async with running() as run:
        await run.sockets.connections[0].close()
        await run.sockets.until(2)
        run.history.open_ms = START + 2 * MINUTE
        run.market._clock.set_now(START + 2 * MINUTE + 1_000)
        await run.tell_bar(START + 2 * MINUTE, closed=False)
        await wait_for(lambda: len(run.bars) == 2)
        await run.tell_bar(START + 2 * MINUTE, closed=True)
        await wait_for(lambda: len(run.bars) == 3)
        assert run.delivered() == [0, 1, 2]
        asked = run.script.asked("GET", KLINES)[1].params
        assert (asked["startTime"], asked["limit"]) == (str(START), "4")


@pytest.mark.parametrize("closed", [True, False])
async def test_a_window_with_a_gap_is_not_shown(closed: bool) -> None:
    """While the missing bar cannot be had, the window is None: no decision on a hole."""
    async with running() as run:
        run.history.down = True
        assert run.minutes() is not None
        await run.tell_bar(START + MINUTE, closed=closed)
        await wait_for(lambda: run.minutes() is None)
        assert run.bars == []


async def test_a_bar_that_never_comes_is_fetched() -> None:
    """The stream is open but this symbol is mute: an overdue bar is asked for."""
    async with running(overdue_s=0.01) as run:
        run.history.open_ms = START + MINUTE
        run.market._clock.set_now(START + MINUTE + 500)
        await wait_for(lambda: run.delivered() == [0])


async def test_a_stale_window_is_not_shown() -> None:
    """Far past the next close, what we have is the past."""
    async with running() as run:
        run.history.down = True
        run.market._clock.set_now(START + 3 * MINUTE)
        assert run.minutes() is None


async def test_after_a_long_outage_the_whole_history_is_read_anew() -> None:
    """More missing than the window holds: one page of history, not a page of the past."""
    async with running(overdue_s=0.01) as run:
        run.history.open_ms = START + 100 * MINUTE
        run.market._clock.set_now(START + 100 * MINUTE + 500)
        await wait_for(lambda: run.minutes() == [95, 96, 97, 98, 99])
        assert "startTime" not in run.script.asked("GET", KLINES)[-1].params
        assert run.bars == []


async def test_mark_prices_keep_the_newest() -> None:
    """An older word, another symbol's and another market's are counted and dropped."""
    async with running() as run:
        await run.tell_mark("100.5", NOW_MS + 5)
        await run.tell_mark("99", NOW_MS + 4)
        await run.tell_mark("98", NOW_MS + 6, symbol="ETHUSDT")
        await wait_for(lambda: "mark_of_foreign_symbol" in run.market.oddities.counts)
        assert run.market.mark_price("BTCUSDT") == (Decimal("100.5"), NOW_MS + 5)
        assert run.market.mark_price("ETHUSDT") is None
        assert run.market.oddities.counts["mark_out_of_order"] == 1


async def test_a_mark_price_the_stream_does_not_tell_is_asked_for() -> None:
    """The fallback is the REST price, with its own moment."""
    async with running(warm=False) as run:
        answer = {"symbol": "BTCUSDT", "markPrice": "77.5", "time": NOW_MS}
        run.script.on("GET", "/fapi/v1/premiumIndex", ok(answer))
        await wait_for(lambda: run.market.mark_price("BTCUSDT") == (Decimal("77.5"), NOW_MS))
        assert await run.market.read_mark("BTCUSDT") == (Decimal("77.5"), NOW_MS)
        run.market._clock.set_now(NOW_MS + 60_000)
        assert await run.market.read_mark("BTCUSDT") is None


async def test_odd_frames_are_counted_and_dropped() -> None:
    """Garbage, a foreign symbol, the other market, a bar off the grid: none is delivered."""
    async with running() as run:
        await run.sockets.tell(b"garbage")
        await run.tell_bar(START, closed=True, s="ETHUSDT")
        await run.tell_bar(START, closed=True, st=2)
        await run.tell_bar(START + 1, closed=True)
        await run.tell_bar(START - MINUTE * 3, closed=True)
        await wait_for(lambda: "bar_late" in run.market.oddities.counts)
        assert set(run.market.oddities.counts) == {
            "malformed_market_frame",
            "bar_of_foreign_symbol",
            "market_frame_foreign_market",
            "bar_off_grid",
            "bar_late",
        }
        assert run.bars == []


async def test_instruments_are_shown_when_tradable() -> None:
    """An untradable symbol has no instrument for those who trade."""
    async with running() as run:
        settling = {**SYMBOL, "symbol": "OLDUSDT", "status": "SETTLING"}
        run.script.on("GET", "/fapi/v1/exchangeInfo", ok({"symbols": [SYMBOL, settling]}))
        await run.market.load_instruments()
        assert run.market.instrument("BTCUSDT") is not None
        assert run.market.instrument("OLDUSDT") is None
        assert set(run.market.instruments) == {"BTCUSDT", "OLDUSDT"}


async def test_symbols_are_spread_over_connections_and_can_go() -> None:
    """Streams beyond one connection's share open another; a forgotten symbol is unsubscribed."""
    async with running(streams_per_connection=3) as run:
        await wait_for(lambda: len(run.sockets.said) == 1)
        run.market.watch("ETHUSDT", ["1m"])
        await run.sockets.until(2)
        await wait_for(lambda: len(run.sockets.said) == 3)
        names = [set(frame["params"]) for frame in run.sockets.said]
        assert names[0] == {"btcusdt@markPrice@1s", "btcusdt@kline_1m"}
        assert names[1] | names[2] == {"ethusdt@markPrice@1s", "ethusdt@kline_1m"}
        run.market.unwatch("BTCUSDT")
        await wait_for(lambda: any(f["method"] == "UNSUBSCRIBE" for f in run.sockets.said))
        assert run.market.window("BTCUSDT", "1m") is None


async def test_a_refused_subscription_is_counted() -> None:
    """An error reply is not silence."""
    async with running() as run:
        await run.sockets.tell(json.dumps({"error": {"code": 2, "msg": "no"}, "id": 9}).encode())
        await wait_for(lambda: run.market.oddities.counts.get("subscription_refused") == 1)
