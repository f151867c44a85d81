"""A model's bad days, from the socket to the desk: a reason each, never an order, and it goes on.

The provider's real client asks the pretend service; what it makes of the answer goes through the
desk in a bot that trades without asking anybody.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from bot.advisor.gemini import GeminiAdvisor, GeminiConfig
from bot.core.messages import Question
from bot.core.trade import Outcome, Phase, Role, Trade
from bot.sandbox.gemini_server import GeminiSandbox, serve_gemini
from bot.shell.clock import SystemClock
from data.model import Decision
from tests.advisor.cases import OPENING, good_answer
from tests.advisor.test_gemini import KEY, Shelf
from tests.core.build import BOT, NOW_MS, SYMBOL, Case, config, desk, signal

ASKED = replace(
    OPENING,
    bot_id=BOT,
    symbol=SYMBOL,
    mark_price=Decimal(100),
    signal=replace(signal(), symbol=SYMBOL),
    asked_ms=NOW_MS,
)
LEVELS = {"entry_price": "100", "stop_price": "98", "target_price": "104", "confidence": 80}


def said(**changes: Any) -> str:
    """A whole and sound answer about this desk's signal, with some fields changed."""
    return json.dumps(good_answer(ASKED, **{**LEVELS, **changes}))


def verbatim(text: str) -> dict[str, Any]:
    """The service's next answer, word by word."""
    return {"do": "answer", "text": text}


def without(name: str) -> dict[str, Any]:
    """A sound answer that lacks one field."""
    answer = json.loads(said())
    del answer[name]
    return verbatim(json.dumps(answer))


@dataclass
class World:
    """A pretend model, the adviser that asks it, and a desk that would trade on its word."""

    sandbox: GeminiSandbox
    advisor: GeminiAdvisor
    clock: SystemClock
    case: Case

    async def ask(self, question: Question, patience_ms: int = 20_000) -> Decision:
        return await self.advisor.decide(question, self.clock.now_ms() + patience_ms)

    async def signalled(self, name: str = "s1", patience_ms: int = 20_000) -> Trade:
        """One signal, one question, whatever comes back, and what the desk makes of it."""
        self.case.raise_signal(signal(name))
        self.case.decide(await self.ask(ASKED, patience_ms), name=name)
        return self.case.trade(name)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = SystemClock(start_ms=NOW_MS)
    sandbox = await serve_gemini(0, seed=7, clock=clock, api_key=KEY)
    gemini = GeminiConfig(api_key=KEY, base_url=sandbox.base_url)
    advisor = GeminiAdvisor(gemini, clock=clock, keep=Shelf().keep)
    await advisor.warm_up()
    bot = config(reward_risk_min=Decimal(1), leverage=5)
    yield World(sandbox=sandbox, advisor=advisor, clock=clock, case=Case(desk(bot)))
    await advisor.aclose()
    await sandbox.stop()


OTHER_SCHEMA = json.dumps({"signal": "BUY", "symbol": "BTCUSDT", "tp": 104, "sl": 98})
DAY_QUOTA = {"do": "quota", "per_day": True}
ABSTAINED: list[tuple[str, list[dict[str, Any]], str]] = [
    ("empty answer", [{"do": "empty"}], "malformed: the answer was empty"),
    ("empty text", [verbatim("")], "malformed: the answer was empty"),
    ("prompt blocked", [{"do": "blocked"}], "blocked: the prompt was blocked"),
    ("answer withheld", [{"do": "safety"}], "blocked: the answer was withheld (SAFETY)"),
    ("truncated", [{"do": "max_tokens"}], "truncated: the answer was cut at the token limit"),
    ("half a JSON", [verbatim(said()[:80])], "malformed: the answer is not one plain JSON object"),
    ("words", [{"do": "refusal"}], "malformed: the answer is not one plain JSON object"),
    ("another schema", [verbatim(OTHER_SCHEMA)], "malformed: "),
    ("a list", [verbatim(f"[{said()}]")], "malformed: "),
    ("two values", [verbatim(said()[:-1] + ', "action": "do_nothing"}')], "malformed: "),
    ("no stop", [without("stop_price")], "malformed: open_position without stop_price"),
    ("no confidence", [without("confidence")], "malformed: confidence: missing"),
    ("wrong type", [verbatim(said(confidence="very"))], "malformed: confidence: "),
    ("boolean", [verbatim(said(confidence=True))], "malformed: confidence: "),
    ("price list", [verbatim(said(stop_price=[98]))], "malformed: stop_price: "),
    ("unknown action", [verbatim(said(action="buy"))], "malformed: action: "),
    ("NaN confidence", [verbatim(said(confidence=float("nan")))], "malformed: "),
    ("NaN stop", [verbatim(said(stop_price="NaN"))], "malformed: stop_price: "),
    ("endless target", [verbatim(said(target_price="Infinity"))], "malformed: target_price: "),
    ("negative stop", [verbatim(said(stop_price="-98"))], "malformed: stop_price: "),
    ("negative quantity", [verbatim(said(quantity="-1"))], "malformed: quantity: "),
    ("huge price", [verbatim(said(entry_price="1e400"))], "malformed: entry_price: "),
    ("leverage 500", [verbatim(said(leverage=500))], "malformed: leverage: "),
    ("confidence 700", [verbatim(said(confidence=700))], "malformed: confidence: "),
    ("10 MB", [verbatim(said(invalidation="x" * 10_000_000))], "malformed: the answer is longer"),
    ("stale echo", [verbatim(said(snapshot_id="0" * 64))], "mismatch: the answer is about anoth"),
    ("other symbol", [verbatim(said(symbol="ETHUSDT"))], "mismatch: the answer is about another s"),
    ("other bot", [verbatim(said(bot_id="b2"))], "mismatch: the answer is about another bot_id"),
    ("bad key", [{"do": "bad_key"}], "key_refused: HTTP 400 INVALID_ARGUMENT"),
    ("429 a minute", [{"do": "quota", "retry_s": 3600}], "quota: HTTP 429 RESOURCE_EXHAUSTED"),
    ("429 a day", [DAY_QUOTA], "quota: HTTP 429 RESOURCE_EXHAUSTED, for the day"),
    ("503 twice", [{"do": "overloaded"}] * 2, "overloaded: HTTP 503 UNAVAILABLE"),
    ("500 twice", [{"do": "internal"}] * 2, "overloaded: HTTP 500 INTERNAL"),
    ("dropped", [{"do": "drop"}], "unreachable: "),
    ("invalid JSON on 200", [{"do": "malformed_json"}], "malformed: the reply was not readable"),
]


@pytest.mark.parametrize(
    ("steps", "reason"), [row[1:] for row in ABSTAINED], ids=[row[0] for row in ABSTAINED]
)
async def test_a_bad_answer_is_an_abstention_with_its_reason_and_the_next_one_counts(
    world: World, steps: list[dict[str, Any]], reason: str
) -> None:
    """No order, the reason in the record and counted; the next sound answer opens."""
    world.sandbox.script(*steps)
    trade = await world.signalled()
    assert (trade.outcome, trade.phase) == (Outcome.ABSTAINED, Phase.IDLE)
    assert trade.note.startswith(reason), trade.note
    assert world.case.desk.advice[BOT].last_doubt == trade.note
    assert not world.case.ever_placed(Role.ENTRY)
    world.sandbox.script(verbatim(said()))
    after = await world.signalled("s2")
    assert after.outcome is None, after.note
    assert world.case.placed(Role.ENTRY)
    assert world.case.desk.advice[BOT].in_a_row == 0


async def test_a_model_that_hangs_is_an_abstention_at_its_deadline(world: World) -> None:
    """The deadline, its reason, no order; the next answer counts."""
    world.sandbox.script({"do": "default", "delay_ms": 60_000})
    async with asyncio.timeout(10):
        trade = await world.signalled(patience_ms=300)
    assert trade.note == "timeout: no answer within the deadline"
    assert not world.case.ever_placed(Role.ENTRY)
    world.sandbox.script(verbatim(said()))
    assert (await world.signalled("s2")).outcome is None


async def test_a_model_that_is_gone_is_an_abstention(world: World) -> None:
    """Nobody listens any more."""
    await world.sandbox.stop()
    trade = await world.signalled()
    assert trade.note.startswith("unreachable: ")
    assert not world.case.ever_placed(Role.ENTRY)


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("entry ten times away", {"entry_price": "1000"}, "price_drift"),
    ("a tenth", {"entry_price": "10", "stop_price": "9", "target_price": "12"}, "price_drift"),
    ("all ten times", {"stop_price": "980", "target_price": "1040"}, "stop_side"),
    ("long, stop above", {"stop_price": "102"}, "stop_side"),
    ("long, target below", {"target_price": "97"}, "target_side"),
    ("short with a long's levels", {"direction": "short"}, "stop_side"),
    ("stop at the price", {"stop_price": "99.99"}, "stop_distance"),
    ("stop far away", {"stop_price": "10"}, "stop_distance"),
    ("nothing to win", {"target_price": "100.2"}, "reward_risk"),
    ("not sure", {"confidence": 59}, "confidence"),
    ("more than the owner's leverage", {"leverage": 20}, "leverage"),
]


@pytest.mark.parametrize(
    ("changes", "rule"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
async def test_an_answer_that_cannot_be_meant_is_refused_by_a_named_check(
    world: World, changes: dict[str, Any], rule: str
) -> None:
    """The rule stands in the record with its limit and its input; nothing is ordered."""
    world.sandbox.script(verbatim(said(**changes)))
    trade = await world.signalled()
    assert trade.outcome is Outcome.BLOCKED, trade.note
    failed = {check.rule: check for check in trade.checks if not check.passed}
    assert rule in failed, sorted(failed)
    assert failed[rule].limit
    assert failed[rule].value
    assert not world.case.ever_placed(Role.ENTRY)
    assert BOT not in world.case.desk.advice or world.case.desk.advice[BOT].abstained == 0


async def test_an_absurd_quantity_is_cut_to_the_risk(world: World) -> None:
    """A model that wants a million coins gets what the owner's risk allows."""
    world.sandbox.script(verbatim(said(quantity="1000000")), verbatim(said()))
    trade = await world.signalled()
    assert trade.plan is not None
    assert trade.plan.risk_usdt <= Decimal(10)
