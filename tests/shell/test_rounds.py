"""Bots of the clock look in time, at one symbol after the other, whose prices are at hand."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.core.advice import Advice
from bot.core.desk import Desk, step
from bot.core.directions import AnalysisDue
from bot.core.messages import Event
from bot.core.presets import AiTrigger
from bot.shell.clock import VirtualClock
from bot.shell.rounds import Rounds
from tests.core.build import BOT, NOW_MS, config, desk, instrument

SYMBOLS = ("AUSDT", "BUSDT", "CUSDT")


class Market:
    """Prices of some symbols; the others are still warming up."""

    def __init__(self, *cold: str) -> None:
        self.cold = cold

    def instrument(self, symbol: str) -> Any:
        return instrument(symbol=symbol)

    def mark_price(self, symbol: str) -> Any:
        return Decimal(100), NOW_MS

    def window(self, symbol: str, timeframe: str) -> Any:
        return None if symbol in self.cold else object()


class World:
    """A desk that hears what the rounds post."""

    def __init__(self, begun: Desk, *cold: str) -> None:
        self.desk, self.posted = begun, []  # type: Desk, list[AnalysisDue]
        self.clock = VirtualClock(NOW_MS)
        self.rounds = Rounds(
            market=Market(*cold),
            clock=self.clock,
            desk_of=lambda: self.desk,
            symbols_of=lambda: SYMBOLS,
            sink=self.hear,
        )

    def hear(self, event: Event) -> None:
        assert isinstance(event, AnalysisDue)
        self.posted.append(event)
        self.desk = step(self.desk, event, self.clock.now_ms()).desk

    async def seconds(self, count: int) -> list[tuple[int, str]]:
        """Let so many seconds pass; (second, symbol) of each look."""
        found = []
        for second in range(count):
            before = len(self.posted)
            await self.rounds.tick()
            found += [(second, one.symbol) for one in self.posted[before:]]
            self.clock.advance_to(self.clock.now_ms() + 1_000)
        return found


def timed(**changes: Any) -> Desk:
    """A desk with a bot that looks each half minute."""
    return desk(config(ai_trigger=AiTrigger.TIMER, ai_every_ms=30_000, **changes))


async def test_a_bot_looks_in_time_at_one_symbol_after_the_other() -> None:
    """Each half minute one of the three that are watched."""
    looks = await World(timed()).seconds(100)
    assert looks == [(0, "AUSDT"), (30, "BUSDT"), (60, "CUSDT"), (90, "AUSDT")]


async def test_a_bot_that_names_symbols_looks_at_those() -> None:
    """The universe is not its business."""
    looks = await World(timed(symbols=("ZUSDT",))).seconds(31)
    assert [symbol for _, symbol in looks] == ["ZUSDT", "ZUSDT"]


async def test_a_symbol_without_prices_is_passed_over() -> None:
    """The next one is looked at instead; with none there is no look."""
    assert (await World(timed(), "AUSDT").seconds(1)) == [(0, "BUSDT")]
    assert (await World(timed(), *SYMBOLS).seconds(3)) == []


async def test_a_restart_neither_repeats_nor_forgets_a_look() -> None:
    """The last one was ten seconds before: the next comes twenty seconds after."""
    begun = timed()
    advice = Advice(asked_ms=NOW_MS - 10_000, turn=1)
    looks = await World(replace(begun, advice={BOT: advice})).seconds(40)
    assert looks == [(20, "BUSDT")]


async def test_bots_of_signals_and_paused_ones_do_not_look() -> None:
    """Nor does anybody before the account was read."""
    assert not await World(desk(config())).seconds(2)
    assert not await World(replace(timed(), running=())).seconds(2)
    assert not await World(replace(timed(), ready=False)).seconds(2)
