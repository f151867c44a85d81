"""A model within its day's money, through the provider's real client against the sandbox."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from bot.advisor.gemini import GeminiAdvisor, GeminiConfig
from bot.advisor.offline import RulesAdvisor
from bot.advisor.purse import Purse, Step
from bot.advisor.thrifty import ThriftyAdvisor
from bot.core.messages import Question, Tell
from bot.sandbox.gemini_server import GeminiSandbox, serve_gemini
from bot.shell.clock import SystemClock
from data.model import Decision
from tests.advisor.cases import MANAGING, NOW_MS, OPENING
from tests.advisor.purses import Note, purse_of
from tests.advisor.test_gemini import KEY, Shelf

ASKED = replace(OPENING, user_id="u1")
OTHER = replace(ASKED, symbol="DOGEUSDT")
HELD = replace(MANAGING, user_id="u1", symbol="DOGEUSDT")


@dataclass
class World:
    """A sandbox, a purse, and the adviser over both."""

    sandbox: GeminiSandbox
    purse: Purse
    advisor: ThriftyAdvisor
    clock: SystemClock
    told: list[Tell]

    async def decide(self, question: Question = ASKED) -> Decision:
        return await self.advisor.decide(question, self.clock.now_ms() + 20_000)

    async def spend(self, usd: str) -> None:
        ticket = await self.purse.reserve("u1", Decimal(usd))
        assert ticket is not None
        self.purse.settle(ticket, Decimal(usd))

    def models(self) -> list[str]:
        return [call.model for call in self.sandbox._calls]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = SystemClock(start_ms=NOW_MS)
    sandbox = await serve_gemini(0, seed=7, clock=clock, api_key=KEY)
    purse = await purse_of(Note())
    config = GeminiConfig(api_key=KEY, base_url=sandbox.base_url)
    gemini = GeminiAdvisor(config, clock=clock, keep=Shelf().keep, purse=purse)
    await gemini.warm_up()
    rules = RulesAdvisor(clock=clock)
    thrifty = ThriftyAdvisor(model=gemini, rules=rules, purse=purse, always=("BTCUSDT",))
    told: list[Tell] = []
    thrifty.on_tell = told.append
    yield World(sandbox=sandbox, purse=purse, advisor=thrifty, clock=clock, told=told)
    await gemini.aclose()
    await purse.close()
    await sandbox.stop()


async def test_what_a_call_cost_is_what_the_purse_has_lost(world: World) -> None:
    """To the last digit, and nothing stays set aside."""
    decision = await world.decide()
    assert decision.advisor == "gemini"
    assert world.purse.spent_usd("u1") == decision.cost_usd > 0


async def test_past_sixty_percent_only_fixed_symbols_and_positions_are_put_before_the_model(
    world: World,
) -> None:
    """Another symbol's entry is the rules' to judge, and they say why they do."""
    await world.spend("0.60")
    told = await world.decide(OTHER)
    assert told.advisor == "rules"
    assert told.reasons[0] == "The rules answer: 0.60 of 1.00 USD today, fewer symbols."
    assert (await world.decide()).advisor == "gemini"
    assert (await world.decide(HELD)).advisor == "gemini"
    assert world.models() == ["gemini-3.8-flash"] * 2


async def test_past_eighty_percent_the_cheaper_model_is_asked(world: World) -> None:
    """And only it."""
    await world.spend("0.80")
    assert (await world.decide()).advisor == "gemini"
    assert (await world.decide(OTHER)).advisor == "rules"
    assert world.models() == ["gemini-3.5-flash-lite"]


async def test_when_no_request_fits_the_rules_answer_alone(world: World) -> None:
    """No request is made, nothing is an abstention, and people are told once for each step."""
    await world.spend("0.999")
    for question in (ASKED, HELD, OTHER):
        told = await world.decide(question)
        assert (told.advisor, told.abstained) == ("rules", "")
    assert world.models() == []
    assert [dict(one.fields)["step"] for one in world.told] == [Step.RULES.value]


async def test_a_call_that_hangs_is_charged_in_full(world: World) -> None:
    """Nobody knows what it cost: what was set aside is spent."""
    world.sandbox.script({"do": "default", "delay_ms": 30_000})
    decision = await world.advisor.decide(ASKED, world.clock.now_ms() + 300)
    assert decision.abstained.startswith("timeout: ")
    assert world.purse.spent_usd() == decision.cost_usd > Decimal("0.015")


async def test_a_refusal_costs_nothing(world: World) -> None:
    """A bad key, a quota: the money is free again."""
    world.sandbox.script({"do": "bad_key"})
    await world.decide()
    assert world.purse.spent_usd() == 0


async def test_a_cancelled_call_does_not_give_its_money_back(world: World) -> None:
    """It may have been answered."""
    world.sandbox.script({"do": "default", "delay_ms": 30_000})
    deciding = asyncio.create_task(world.decide())
    while not world.models():
        await asyncio.sleep(0.01)
    deciding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deciding
    assert world.purse.spent_usd() > Decimal("0.015")


async def test_a_race_of_calls_never_passes_the_budget(world: World) -> None:
    """Twenty at once with money for two: at most two are sent, the rules answer the rest."""
    await world.spend("0.96")
    before = world.purse.spent_usd()
    world.advisor._always = frozenset({"BTCUSDT"})
    told = await asyncio.gather(*(world.decide() for _ in range(20)))
    by_model = [one for one in told if one.advisor == "gemini"]
    assert world.purse.spent_usd() <= 1
    assert world.purse.spent_usd() - before == sum(one.cost_usd for one in by_model)
    assert len(world.models()) == len(by_model)
    assert 0 < len(by_model) < 20
