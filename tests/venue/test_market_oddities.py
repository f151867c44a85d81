"""What the market makes of bad input, and of symbols that come and go."""

import asyncio
import json

from bot.venue.wire_market import ContractSeen
from tests.venue.fake import NOW_MS, no, ok, wait_for
from tests.venue.test_market import KLINES, MINUTE, START, running
from tests.venue.test_wire_instruments import SYMBOL

CHINESE = "币安人生USDT"


async def test_a_bar_from_the_future_is_ignored_and_the_clock_is_doubted() -> None:
    """No gap is seen in it, nothing is fetched for it; perhaps it is our clock that is behind."""
    async with running() as run:
        await run.tell_early(START + 10 * MINUTE, closed=False)
        await run.tell_early(START, closed=True)
        await wait_for(lambda: run.market.oddities.counts.get("bar_from_the_future") == 2)
        assert run.minutes() == [-5, -4, -3, -2, -1]
        assert run.bars == []
        assert run.market._rest._resync.is_set()


async def test_bars_out_of_order_and_repeated_join_once_in_order() -> None:
    """The later bar waits for the missing one; what came twice counts once."""
    async with running() as run:
        run.history.down = True
        await run.tell_bar(START + MINUTE, closed=True)
        await run.tell_bar(START + MINUTE, closed=True)
        await run.tell_bar(START, closed=True)
        await wait_for(lambda: run.delivered() == [0, 1])
        await run.tell_bar(START, closed=True)
        await wait_for(lambda: run.market.oddities.counts.get("bar_late") == 1)
        assert run.delivered() == [0, 1]


async def test_a_bar_without_trades_is_a_bar() -> None:
    """Volume zero, all prices equal: time passed, and the window says so."""
    async with running() as run:
        flat = {"o": "10", "h": "10", "l": "10", "c": "10", "v": "0"}
        await run.tell_bar(START, closed=True, bar=flat)
        await wait_for(lambda: run.delivered() == [0])
        assert run.bars[0].volume == 0
        assert run.minutes() == [-5, -4, -3, -2, -1, 0]


async def test_a_short_page_leaves_the_window_hidden_until_the_rest_is_read() -> None:
    """Asked for three bars, told one: the others are asked for again, in between nothing shows."""
    async with running(overdue_s=0.01) as run:
        run.history.rows_max = 1
        run.history.open_ms = START + 3 * MINUTE
        run.market._clock.set_now(START + 3 * MINUTE + 500)
        await wait_for(lambda: run.delivered() == [0])
        assert run.minutes() is None
        run.history.rows_max = 100
        run.forgive()
        await wait_for(lambda: run.delivered() == [0, 1, 2])
        assert run.minutes() == [-5, -4, -3, -2, -1, 0, 1, 2]


async def test_a_short_first_page_is_used_and_read_once_more() -> None:
    """A symbol of years with two bars: shown as it is, counted, and asked for anew later."""
    async with running(warm=False, rows_max=3, instruments=[SYMBOL]) as run:
        await wait_for(lambda: run.minutes() == [-2, -1])
        assert run.market.oddities.counts["klines_page_short"] == 1
        feed = run.market._feeds["BTCUSDT", "1m"]
        assert feed.again_s is not None
        run.history.rows_max = 100
        feed.again_s = 0.001  # the minute is over
        await wait_for(lambda: run.minutes() == [-5, -4, -3, -2, -1])


async def test_bars_that_cannot_be_read_set_their_symbol_aside() -> None:
    """After a few tries in vain the reason is told; a reading that succeeds takes it back."""
    async with running(warm=False, rows_max=0) as run:

        async def insist() -> None:
            while not run.market.set_aside():
                run.forgive()
                await asyncio.sleep(0.02)

        await asyncio.wait_for(insist(), 10)
        assert run.market.set_aside() == {"BTCUSDT": "its 1m bars: not one has closed yet"}
        assert run.market.warmup().done == 0
        run.history.rows_max = 100
        run.forgive()
        await wait_for(lambda: run.minutes() is not None)
        assert run.market.set_aside() == {}


async def test_a_symbol_the_exchange_does_not_know_is_set_aside_at_once() -> None:
    """-1121 is no passing trouble."""
    async with running() as run:
        run.script.on("GET", KLINES, no(400, -1121, "Invalid symbol."))
        run.market.watch("GONEUSDT", ["1m"])
        await wait_for(lambda: "GONEUSDT" in run.market.set_aside())
        assert "does not know the symbol" in run.market.set_aside()["GONEUSDT"]
        run.market.unwatch("GONEUSDT")
        assert run.market.set_aside() == {}


async def test_a_delisted_symbol_is_set_aside_while_it_is_watched() -> None:
    """`!contractInfo` says so: no window, no instrument for entries, and the listener hears it."""
    async with running(instruments=[SYMBOL], listings=True) as run:
        assert run.market.instrument("BTCUSDT") is not None
        await run.tell_contract("BTCUSDT", "SETTLING")
        await wait_for(lambda: "BTCUSDT" in run.market.set_aside())
        assert run.market.set_aside()["BTCUSDT"] == "the exchange says it is SETTLING"
        assert run.market.window("BTCUSDT", "1m") is None
        assert run.market.instrument("BTCUSDT") is None
        assert [(told.symbol, told.status) for told in run.listings] == [("BTCUSDT", "SETTLING")]
        await run.tell_contract("BTCUSDT", "TRADING")
        await wait_for(lambda: run.market.set_aside() == {})
        assert run.market.instrument("BTCUSDT") is None  # until its filters are read anew


async def test_listings_are_subscribed_once_and_told_on() -> None:
    """A new contract is told; the other market's rows on the same stream are not."""
    async with running(listings=True) as run:
        await wait_for(lambda: len(run.sockets.said) == 1)
        assert run.sockets.said[0]["params"].count("!contractInfo") == 1
        await run.tell_contract("BTCUSD_PERP", "TRADING", st=2)
        await run.tell_contract(CHINESE, "TRADING")
        await wait_for(lambda: len(run.listings) == 1)
        assert run.listings[0] == ContractSeen(
            symbol=CHINESE, status="TRADING", contract_type="PERPETUAL", event_ms=NOW_MS
        )
        assert run.market.set_aside() == {}


async def test_a_symbol_in_another_script_is_a_symbol() -> None:
    """Its name goes out and comes in as UTF-8, plain or escaped."""
    async with running() as run:
        run.market.watch(CHINESE, ["1m"])
        await wait_for(lambda: run.market.window(CHINESE, "1m") is not None)
        stream = "币安人生usdt@kline_1m"
        await wait_for(lambda: any(stream in frame["params"] for frame in run.sockets.said))
        run.market._clock.set_now(START + MINUTE)
        bar = {"t": START, "i": "1m", "o": "1", "h": "2", "l": "1", "c": "2", "v": "1", "x": True}
        frame = {"stream": stream, "data": {"e": "kline", "s": CHINESE, "k": bar}}
        await run.sockets.tell(json.dumps(frame).encode())
        await wait_for(lambda: [b.symbol for b in run.bars] == [CHINESE])
        compact = json.dumps(
            {**frame, "data": {"e": "kline", "s": CHINESE, "k": {**bar, "x": False, "t": START}}},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        later = compact.replace(f'"t":{START},', f'"t":{START + MINUTE},').encode()
        await run.sockets.tell(later)
        await wait_for(lambda: run.market.provisional(CHINESE, "1m") is not None)


async def test_a_mark_from_the_future_does_not_hide_the_true_ones() -> None:
    """It is dropped: else every price until then would look old."""
    async with running() as run:
        await run.tell_mark("1", NOW_MS + 3_600_000)
        await run.tell_mark("2", NOW_MS)
        await wait_for(lambda: run.market.mark_price("BTCUSDT") is not None)
        assert str(run.market.mark_price("BTCUSDT")[0]) == "2"  # type: ignore[index]
        assert run.market.oddities.counts["mark_from_the_future"] == 1


async def test_last_words_of_a_symbol_let_go_are_not_odd() -> None:
    """Its frames were on their way when it was unsubscribed."""
    async with running() as run:
        run.market.unwatch("BTCUSDT")
        await run.tell_early(START, closed=False)
        await run.tell_mark("1", NOW_MS)
        await run.sockets.tell(b'{"result":null,"id":1}')
        await run.tell_early(START, closed=False, s="ETHUSDT")
        await wait_for(lambda: run.market.oddities.counts == {"bar_of_foreign_symbol": 1})


async def test_a_mute_stream_sets_its_symbol_aside_until_it_speaks() -> None:
    """Acknowledged, subscribed again, still silent: told with the stream's name."""
    async with running(patience=lambda _name: 0.05, silence_s=60.0) as run:
        await wait_for(lambda: "BTCUSDT" in run.market.set_aside(), 10)
        assert "never gave data" in run.market.set_aside()["BTCUSDT"]
        assert run.market.window("BTCUSDT", "1m") is None

        async def speak() -> None:
            while run.market.set_aside():
                await run.tell_bar(START, closed=False)
                mark = {"e": "markPriceUpdate", "E": NOW_MS, "s": "BTCUSDT", "p": "1"}
                await run.sockets.tell({"stream": "btcusdt@markPrice@1s", "data": mark})
                await asyncio.sleep(0.01)

        await asyncio.wait_for(speak(), 10)


async def test_a_dead_connection_hides_its_windows() -> None:
    """Complete and not overdue, but nobody tells what happens now: not to be traded on."""
    async with running(stale_s=0.2, patience=lambda _name: 0.1, silence_s=60.0) as run:
        await wait_for(lambda: run.minutes() is None)
        assert run.market.set_aside() == {}  # the connection is at fault, not the symbol
        assert run.market.provisional("BTCUSDT", "1m") is None


async def test_the_bar_still_open_is_kept_apart() -> None:
    """It is told when asked for, never enters the window, and is gone once it has closed."""
    async with running() as run:
        assert run.market.provisional("BTCUSDT", "1m") is None
        await run.tell_open("11.5")
        await wait_for(lambda: run.market.provisional("BTCUSDT", "1m") is not None)
        told = run.market.provisional("BTCUSDT", "1m")
        assert told is not None
        assert (told.open_ms, told.close, told.closed) == (START, 11.5, False)
        assert run.minutes() == [-5, -4, -3, -2, -1]
        await run.tell_bar(START, closed=True)
        await wait_for(lambda: run.delivered() == [0])
        assert run.market.provisional("BTCUSDT", "1m") is None
        assert run.market.provisional("ETHUSDT", "1m") is None


async def test_progress_of_warm_up_can_be_asked_for() -> None:
    """Ready, total, seconds left and the plan in words; trading need not wait for the rest."""
    async with running() as run:
        assert (run.market.warmup().done, run.market.warmup().total) == (1, 1)
        assert run.market.warmup().eta_s == 0
        run.history.down = True
        for number in range(900):
            run.market.watch(f"S{number}USDT", ["1m"])
        told = run.market.warmup()
        assert (told.done, told.total) == (1, 901)
        # 900 pages of weight 1 (six bars) fit the 1,440 of a minute; four readings at once.
        assert told.eta_s > 0
        assert "900 to read, weight 900 at 1440 a minute" in told.plan
        assert run.minutes() is not None


async def test_every_timeframe_of_the_exchange_warms_up() -> None:
    """From a minute to a day, side by side."""
    frames = ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"]
    async with running(warm=False) as run:
        run.script.on("GET", "/fapi/v1/premiumIndex", ok({}))
        run.market.watch("BTCUSDT", frames)
        assert await run.market.ready(10)
        windows = [run.market.window("BTCUSDT", frame) for frame in frames]
        assert all(window is not None and len(window.close) == 5 for window in windows)
