"""Which adviser a service has, and what stands around it.

From the inside out: the model; how often it is asked (`paced`); its money (`thrifty`, with the
rules in its place); and outermost the keeping of every question, the rules' too, before its answer
is used. Must not know: what is decided.
"""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bot.advisor.gemini import GeminiAdvisor, GeminiConfig
from bot.advisor.offline import RulesAdvisor
from bot.advisor.paced import PacedAdvisor
from bot.advisor.purse import Allowance, Purse
from bot.advisor.recording import RecordingAdvisor
from bot.advisor.thrifty import ThriftyAdvisor
from bot.app.keeper import Keeper
from bot.app.people import OWNER
from bot.app.service import Hired
from bot.shell.clock import Clock
from data.store.store import Store

PURSE_NOTE: Final = "ai:spent"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlan:
    """A model to ask, its money in USD a UTC day, and the symbols that stay with it longest."""

    gemini: GeminiConfig
    service_usd: Decimal
    user_usd: Decimal
    always: Collection[str] = ()


def hire_rules(clock: Clock, store: Store) -> Hired:
    """The rules alone, with every question kept."""
    keeper = Keeper(store, user_id=OWNER, now_ms=clock.now_ms)
    advisor = RecordingAdvisor(RulesAdvisor(clock=clock), keep=keeper.kept)
    return Hired(advisor=advisor, close=keeper.close)


def hire_model(plan: ModelPlan, clock: Clock, store: Store) -> Hired:
    """A model within its limits, the rules behind it, and every question kept."""
    keeper = Keeper(store, user_id=OWNER, now_ms=clock.now_ms)
    purse = Purse(
        Allowance(service_usd=plan.service_usd, user_usd=plan.user_usd),
        now_ms=clock.now_ms,
        load=lambda: store.note(PURSE_NOTE),
        save=lambda text: store.set_note(PURSE_NOTE, text, user_id=OWNER),
    )
    gemini = GeminiAdvisor(plan.gemini, clock=clock, keep=keeper.keep, purse=purse)
    paced = PacedAdvisor(gemini, clock=clock)
    rules = RulesAdvisor(clock=clock)
    thrifty = ThriftyAdvisor(model=paced, rules=rules, purse=purse, always=plan.always)

    async def warm_up() -> None:
        await purse.open()
        await gemini.warm_up()

    async def let_go() -> None:
        await gemini.aclose()
        await purse.close()
        await keeper.close()

    def detail() -> str:
        skipped = f", {paced.skipped} skipped" if paced.skipped else ""
        doubts = sum(gemini.doubts.values())
        doubted = f", {doubts} abstained" if doubts else ""
        return f"{thrifty.name}, {purse.told(OWNER)}{skipped}{doubted}"

    return Hired(
        advisor=RecordingAdvisor(thrifty, keep=keeper.kept),
        warm_up=warm_up,
        close=let_go,
        detail=detail,
        cost_of=lambda day: purse.told_of(OWNER, day),
        listen=lambda tell: setattr(thrifty, "on_tell", tell),
        by_model=True,
    )
