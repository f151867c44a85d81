"""The watchlist: asks when it is time, does what was decided, keeps what is worth keeping."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.core.desk import Desk
from bot.core.desk import step as desk_step
from bot.core.directions import BotRemoved
from bot.core.messages import BotConfigured, BotSwitched, ContractChanged, Event
from bot.core.trade import Phase, Trade
from bot.core.universe import Contract, Reason, Rules
from bot.shell import watchlist as room
from bot.shell.clock import VirtualClock, wall_monotonic_s
from bot.shell.errors import Unknown
from bot.shell.steps import StepRecord
from bot.shell.watchlist import Watchlist
from data.model import Instrument
from tests.core.build import NOW_MS, config, desk, instrument

NAMES = [f"S{n}USDT" for n in range(6)]
SLOT_MS = 60_000
RULES = Rules(fixed=("S0USDT",), symbols_max=3, slot_ms=SLOT_MS, refresh_ms=10 * SLOT_MS)
PATIENCE_S = 30.0


class FakeFeed:
    """A market of six symbols: watched, read and answered as a test wants it."""

    def __init__(self) -> None:
        self.instruments: dict[str, Instrument] = {}
        self.watched: dict[str, tuple[str, ...]] = {}
        self.contracts: dict[str, Contract] = {}
        self.volumes: Mapping[str, Decimal] | Exception = {
            symbol: Decimal(100 - number) for number, symbol in enumerate(NAMES)
        }
        self.asked: list[str] = []
        self.done: list[str] = []
        for symbol in NAMES:
            self.list_symbol(symbol)

    def list_symbol(self, symbol: str, status: str = "TRADING", delivery_ms: int = 0) -> Contract:
        """Let the exchange say so, from the next reading on."""
        tradable = status == "TRADING"
        self.instruments[symbol] = instrument(symbol=symbol, tradable=tradable)
        self.contracts[symbol] = Contract(
            symbol=symbol, status=status, tradable=tradable, delivery_ms=delivery_ms
        )
        return self.contracts[symbol]

    def watch(self, symbol: str, timeframes: Iterable[str]) -> None:
        """Note it."""
        self.watched[symbol] = (*self.watched.get(symbol, ()), *timeframes)
        self.done.append(f"+{symbol}")

    def unwatch(self, symbol: str) -> None:
        """Note it."""
        del self.watched[symbol]
        self.done.append(f"-{symbol}")

    def set_aside(self) -> Mapping[str, str]:
        """One that is always in doubt."""
        return {"S0USDT": "no bar"} if "S0USDT" in self.watched else {}

    def is_warm(self, symbol: str) -> bool:
        """All but one."""
        return symbol != "S1USDT"

    async def read_listing(self) -> Mapping[str, Contract]:
        """The contracts as they are."""
        self.asked.append("listing")
        return dict(self.contracts)

    async def read_volumes(self) -> Mapping[str, Decimal]:
        """The volumes, or the fault."""
        self.asked.append("volumes")
        if isinstance(self.volumes, Exception):
            raise self.volumes
        return self.volumes


class Watching:
    """A watchlist at work on a desk that is stepped by hand."""

    def __init__(self, rules: Rules = RULES, kept: str | None = None, **of: Any) -> None:
        self.feed = FakeFeed()
        self.clock = VirtualClock(NOW_MS)
        self.desk: Desk = replace(desk(), **of)
        self.kept = kept
        self.events: list[Event] = []
        self.list = Watchlist(
            rules,
            feed=self.feed,
            clock=self.clock,
            desk_of=lambda: self.desk,
            sink=self.hear,
            load=self._load,
            save=self._save,
        )

    async def _load(self) -> str | None:
        return self.kept

    async def _save(self, text: str) -> None:
        self.kept = text

    def hear(self, event: Event) -> None:
        """The engine's part: step, then let the observers look."""
        self.events.append(event)
        done = desk_step(self.desk, event, self.clock.now_ms())
        self.desk = done.desk
        self.list.observe(
            StepRecord(
                number=1,
                seq=1,
                now_ms=self.clock.now_ms(),
                event=event,
                commands=done.commands,
                desk=done.desk,
                changed=done.changed,
                arrived_s=0.0,
                stepped_s=0.0,
                kept_s=0.0,
            )
        )

    async def pass_ms(self, span_ms: int) -> None:
        """Let market time pass; the job says so."""
        self.clock.advance_to(self.clock.now_ms() + span_ms)
        await self.list.tick()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until it holds, the job ticking."""
        until_s = wall_monotonic_s() + PATIENCE_S
        while not true():
            assert wall_monotonic_s() < until_s, f"{self.feed.watched} {self.feed.asked}"
            await self.list.tick()
            await asyncio.sleep(0.01)

    def turn(self) -> set[str]:
        """Who is watched beside the fixed one."""
        return set(self.feed.watched) - {"S0USDT"}


@asynccontextmanager
async def working(found: Watching) -> AsyncIterator[Watching]:
    """At work, ended by cancellation."""
    task = asyncio.create_task(found.list.run())
    try:
        yield found
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def holding(symbol: str, phase: Phase = Phase.AWAITING_APPROVAL) -> dict[str, Trade]:
    """A desk's trades: one, with a card out."""
    trade = Trade(
        trade_id="t1",
        user_id="owner",
        account_id="main",
        bot_id="bot",
        symbol=symbol,
        phase=phase,
        opened_ms=NOW_MS,
        instrument=instrument(symbol=symbol),
    )
    return {"t1": trade}


async def test_the_largest_are_watched_beside_the_fixed_and_rotate_by_the_slot() -> None:
    """Two places: the two largest first, then the next two, the windows of the first freed."""
    async with working(Watching()) as found:
        await found.until(lambda: found.turn() == {"S1USDT", "S2USDT"})
        await found.pass_ms(SLOT_MS)
        await found.until(lambda: found.turn() == {"S3USDT", "S4USDT"})
        assert {"-S1USDT", "-S2USDT"} <= set(found.feed.done)
        assert found.feed.watched["S3USDT"] == ("30m",)


async def test_a_symbol_with_a_card_out_is_not_rotated_away() -> None:
    """Held through every slot; when its trade is over it goes."""
    async with working(Watching()) as found:
        await found.until(lambda: found.turn() == {"S1USDT", "S2USDT"})
        found.desk = replace(found.desk, trades=holding("S1USDT"))
        for _ in range(4):
            await found.pass_ms(SLOT_MS)
            slot = found.clock.now_ms()
            await found.until(lambda slot=slot: found.list.view().next_rotation_ms > slot)  # type: ignore[misc, operator]
            assert "S1USDT" in found.feed.watched
        found.desk = replace(found.desk, trades={})
        await found.pass_ms(SLOT_MS)
        await found.until(lambda: "S1USDT" not in found.feed.watched)


async def test_a_bot_made_in_chat_is_watched_for_without_a_restart() -> None:
    """Its symbols and timeframe are added as soon as it runs, and go when it is paused."""
    made = config(bot_id="new", symbols=("S5USDT",), timeframe="4h")
    async with working(Watching(Rules(fixed=("S0USDT",), top=0))) as found:
        await found.until(lambda: "S0USDT" in found.feed.watched)
        found.hear(BotConfigured(config=made, by="owner"))
        found.hear(BotSwitched(bot_id="new", running=True, by="owner"))
        await found.until(lambda: found.feed.watched.get("S5USDT") == ("30m", "4h"))
        edited = replace(made, symbols=("S4USDT",), timeframe="1h")
        found.hear(BotConfigured(config=edited, by="owner"))
        await found.until(lambda: "1h" in found.feed.watched.get("S4USDT", ()))
        await found.until(lambda: "S5USDT" not in found.feed.watched)
        found.hear(BotSwitched(bot_id="new", running=False, by="owner"))
        await found.until(lambda: list(found.feed.watched) == ["S0USDT"])
        assert "volumes" not in found.feed.asked


async def test_a_bot_that_is_deleted_is_no_longer_watched_for() -> None:
    """Its symbols leave with it, without a rotation."""
    made = config(bot_id="new", symbols=("S5USDT",))
    async with working(Watching(Rules(fixed=("S0USDT",), top=0))) as found:
        found.hear(BotConfigured(config=made, by="owner"))
        found.hear(BotSwitched(bot_id="new", running=True, by="owner"))
        await found.until(lambda: "S5USDT" in found.feed.watched)
        found.hear(BotRemoved(bot_id="new", by="owner"))
        await found.until(lambda: list(found.feed.watched) == ["S0USDT"])


async def test_volumes_are_read_by_market_time() -> None:
    """Once at the start, then when the refresh is due, not before."""
    async with working(Watching()) as found:
        await found.until(lambda: found.turn() == {"S1USDT", "S2USDT"})
        found.feed.volumes = {symbol: Decimal(n + 1) for n, symbol in enumerate(NAMES)}
        await found.pass_ms(9 * SLOT_MS)
        assert found.feed.asked.count("volumes") == 1
        await found.pass_ms(SLOT_MS)
        await found.until(lambda: found.feed.asked.count("volumes") == 2)


@pytest.mark.parametrize("answer", [Unknown("timeout"), {}, {"S9USDT": Decimal(5)}])
async def test_a_useless_answer_leaves_the_last_good_order_and_says_so(answer: Any) -> None:
    """Nothing is dropped for want of an answer; it is asked again after the pause."""
    async with working(Watching()) as found:
        await found.until(lambda: found.turn() == {"S1USDT", "S2USDT"})
        found.feed.volumes = answer
        await found.pass_ms(10 * SLOT_MS)
        await found.until(lambda: found.feed.asked.count("volumes") == 2)
        await found.until(lambda: bool(found.list.view().fault))
        view = found.list.view()
        assert len(view.watches) == 3
        assert view.ranked_ms == NOW_MS
        found.feed.volumes = {symbol: Decimal(9) for symbol in NAMES}
        await found.pass_ms(round(room.RETRY_S * 1000))
        await found.until(lambda: not found.list.view().fault)


async def test_a_restart_within_the_slot_watches_the_same() -> None:
    """The order and whose turn it is come back; the volumes are not read again."""
    async with working(Watching()) as found:
        await found.until(lambda: found.turn() == {"S1USDT", "S2USDT"})
        await found.pass_ms(SLOT_MS)
        await found.until(lambda: found.turn() == {"S3USDT", "S4USDT"})
        await found.until(lambda: found.kept is not None and '"turn":["S3USDT"' in found.kept)
    again = Watching(kept=found.kept)
    again.clock.advance_to(found.clock.now_ms() + 1)
    async with working(again):
        await again.until(lambda: again.turn() == {"S3USDT", "S4USDT"})
        assert again.feed.asked.count("volumes") == 0


@pytest.mark.parametrize("kept", ["", "{}", '{"v":1,"kind":"Desk","body":{}}', "\x00"])
async def test_what_was_kept_and_cannot_be_read_is_started_anew(kept: str) -> None:
    """It is a convenience, not a truth."""
    async with working(Watching(kept=kept)) as found:
        await found.until(lambda: found.turn() == {"S1USDT", "S2USDT"})


async def test_what_was_kept_in_the_future_is_read_anew() -> None:
    """Kept under another exchange's clock: volumes are read at once."""
    async with working(Watching()) as found:
        await found.until(lambda: found.kept is not None and "S1USDT" in found.kept)
    again = Watching(kept=found.kept)
    again.clock = VirtualClock(NOW_MS - 10**9)
    again.list._clock = again.clock
    async with working(again):
        await again.until(lambda: again.feed.asked.count("volumes") == 1)


# --------------------------------------------------------------------- listings, delistings


def changed(found: Watching) -> list[tuple[str, str, bool]]:
    """What the desk was told of contracts."""
    return [
        (e.contract.symbol, e.contract.status, e.listed)
        for e in found.events
        if isinstance(e, ContractChanged)
    ]


async def test_a_delisting_told_live_ends_watching_at_once() -> None:
    """The desk hears of it with its date, its place goes to the next, /universe tells why."""
    async with working(Watching()) as found:
        await found.until(lambda: found.turn() == {"S1USDT", "S2USDT"})
        found.list.heard(
            Contract(symbol="S1USDT", status="SETTLING", tradable=False, delivery_ms=9)
        )
        await found.until(lambda: found.turn() == {"S2USDT", "S3USDT"})
        assert changed(found) == [("S1USDT", "SETTLING", False)]
        aside = {one.symbol: one for one in found.list.view().set_aside}
        assert (aside["S1USDT"].reason, aside["S1USDT"].moment_ms) == (Reason.NOT_TRADED, 9)
        found.list.heard(
            Contract(symbol="S1USDT", status="SETTLING", tradable=False, delivery_ms=9)
        )
        assert len(changed(found)) == 1


async def test_a_delisted_symbol_with_exposure_stays_watched() -> None:
    """Its price is what its stop lives by."""
    async with working(Watching(trades=holding("S1USDT", Phase.POSITION_ACTIVE))) as found:
        await found.until(lambda: found.turn() == {"S1USDT", "S2USDT"})
        found.list.heard(Contract(symbol="S1USDT", status="SETTLING", tradable=False))
        await found.until(lambda: "S1USDT" in found.desk.barred)
        await found.pass_ms(SLOT_MS)
        await found.until(lambda: found.turn() == {"S1USDT", "S3USDT"})


async def test_a_symbol_that_vanishes_from_the_list_is_let_go() -> None:
    """Gone at the next reading: told, not watched, its place filled; an older word than a live
    one does not bring a delisted symbol back."""
    async with working(Watching()) as found:
        await found.until(lambda: found.turn() == {"S1USDT", "S2USDT"})
        found.list.heard(Contract(symbol="S2USDT", status="SETTLING", tradable=False))
        del found.feed.contracts["S1USDT"], found.feed.instruments["S1USDT"]
        await found.pass_ms(10 * SLOT_MS)
        await found.until(lambda: "S1USDT" in found.desk.barred)
        await found.until(lambda: not found.turn() & {"S1USDT", "S2USDT"})
        assert "S2USDT" in found.desk.barred


async def test_a_new_listing_is_found_by_the_next_reading() -> None:
    """Told once as new, and a candidate as soon as volumes are read."""
    async with working(Watching()) as found:
        await found.until(lambda: found.feed.asked.count("volumes") == 1)
        found.feed.list_symbol("NEWUSDT")
        assert isinstance(found.feed.volumes, dict)
        found.feed.volumes = {**found.feed.volumes, "NEWUSDT": Decimal(10**6)}
        await found.pass_ms(10 * SLOT_MS)
        await found.until(lambda: ("NEWUSDT", "TRADING", True) in changed(found))
        await found.pass_ms(SLOT_MS)
        await found.until(lambda: "NEWUSDT" in (*found.list.view().waiting, *found.feed.watched))


async def test_a_contract_told_to_trade_again_is_read_and_comes_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The live word ends the older live word; the reading brings its filters."""
    monkeypatch.setattr(room, "REREAD_S", 0.05)
    async with working(Watching()) as found:
        await found.until(lambda: found.turn() == {"S1USDT", "S2USDT"})
        found.list.heard(Contract(symbol="S1USDT", status="SETTLING", tradable=False))
        await found.until(lambda: "S1USDT" in found.desk.barred)
        await found.until(lambda: found.feed.asked.count("listing") == 2)
        assert "S1USDT" in found.desk.barred  # the list, read just after, knew no better yet
        found.list.heard(found.feed.contracts["S1USDT"])
        await found.until(lambda: "S1USDT" not in found.desk.barred)
        assert changed(found)[-1] == ("S1USDT", "TRADING", False)


async def test_news_of_brackets_is_no_news() -> None:
    """A contract that trades on, told again, changes nothing."""
    async with working(Watching()) as found:
        await found.until(lambda: found.turn() == {"S1USDT", "S2USDT"})
        found.list.heard(found.feed.contracts["S1USDT"])
        await found.pass_ms(SLOT_MS)
        await found.until(lambda: found.turn() == {"S3USDT", "S4USDT"})
        assert not changed(found)


async def test_the_view_shows_what_is_cold_and_what_is_in_doubt() -> None:
    """Warming up, and set aside by the feed in its own words."""
    async with working(Watching()) as found:
        await found.until(lambda: found.turn() == {"S1USDT", "S2USDT"})
        view = found.list.view()
        assert view.warming == ("S1USDT",)
        assert [(one.symbol, one.note) for one in view.set_aside] == [("S0USDT", "no bar")]
        assert view.next_rotation_ms is not None
        assert view.next_refresh_ms == NOW_MS + 10 * SLOT_MS
        assert set(view.waiting) == {"S3USDT", "S4USDT", "S5USDT"}
