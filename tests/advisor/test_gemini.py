"""The Gemini adviser through the provider's real client, against the sandbox on loopback."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest

from bot.advisor.gemini import GeminiAdvisor, GeminiConfig
from bot.sandbox.gemini_server import GeminiSandbox, serve_gemini
from bot.shell.clock import SystemClock, wall_monotonic_s
from data.model import Action, Decision
from tests.advisor.cases import MANAGING, NOW_MS, OPENING, good_answer, text_of
from tests.house import ROOT

KEY = "fake-key-0123456789abcdef"
PATIENCE_MS = 20_000


@dataclass
class Shelf:
    """Keeps texts by digest, as the store does."""

    kept: dict[str, tuple[str, str]] = field(default_factory=dict)

    def keep(self, kind: str, text: str) -> str:
        digest = sha256(text.encode()).hexdigest()
        self.kept[digest] = (kind, text)
        return digest


@dataclass
class World:
    """One sandbox, one adviser, one shelf."""

    sandbox: GeminiSandbox
    advisor: GeminiAdvisor
    shelf: Shelf
    clock: SystemClock

    async def decide(self, question: Any = OPENING, patience_ms: int = PATIENCE_MS) -> Decision:
        return await self.advisor.decide(question, self.clock.now_ms() + patience_ms)

    def calls(self) -> list[str]:
        return [f"{call.model} {call.step}" for call in self.sandbox._calls]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    clock = SystemClock(start_ms=NOW_MS)
    sandbox = await serve_gemini(0, seed=7, clock=clock, api_key=KEY)
    shelf = Shelf()
    config = GeminiConfig(api_key=KEY, base_url=sandbox.base_url)
    advisor = GeminiAdvisor(config, clock=clock, keep=shelf.keep)
    await advisor.warm_up()
    yield World(sandbox=sandbox, advisor=advisor, shelf=shelf, clock=clock)
    await advisor.aclose()
    await sandbox.stop()


def test_importing_the_adviser_does_not_import_the_client() -> None:
    """Memory and start time are paid only by those who set a key."""
    code = "import sys, bot.advisor.gemini; print([m for m in sys.modules if m[:6] == 'google'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


async def test_a_good_answer_is_a_decision_with_cost_and_provenance(world: World) -> None:
    """The decision carries the model's words; the kept answer leads to the kept prompt."""
    world.sandbox.script({"do": "answer", "text": text_of(good_answer())})
    decision = await world.decide()
    assert decision.action is Action.OPEN_POSITION, decision.abstained
    assert decision.stop_price == Decimal(63800)
    assert decision.model_version == "gemini-3.8-flash"
    assert Decimal(0) < decision.cost_usd < Decimal("0.02")
    kind, text = world.shelf.kept[decision.answer_id]
    record = json.loads(text)
    assert kind == "answer"
    assert record["response"]["candidates"][0]["finish_reason"] == "STOP"
    assert record["snapshot_id"] == decision.snapshot_id
    assert world.shelf.kept[record["prompt_id"]][0] == "prompt"


@pytest.mark.parametrize("question", [OPENING, MANAGING], ids=["open", "manage"])
async def test_the_sandbox_answers_what_the_adviser_asks(world: World, question: Any) -> None:
    """Prompt and sandbox agree on the contract though neither imports the other."""
    decision = await world.decide(question)
    assert decision.action is not Action.ABSTAIN, decision.abstained
    assert world.calls() == ["gemini-3.8-flash default"]


DOUBTS = [
    ({"do": "refusal"}, "malformed"),
    ({"do": "safety"}, "blocked"),
    ({"do": "blocked"}, "blocked"),
    ({"do": "max_tokens"}, "truncated"),
    ({"do": "empty"}, "malformed"),
    ({"do": "wrong_echo"}, "mismatch"),
    ({"do": "malformed_json"}, "malformed"),
    ({"do": "quota", "retry_s": 3600}, "quota"),
    ({"do": "quota", "retry_s": None}, "quota"),
    ({"do": "bad_key"}, "key_refused"),
    ({"do": "drop"}, "unreachable"),
    ({"do": "answer", "text": text_of(good_answer(confidence=700))}, "malformed"),
    ({"do": "answer", "text": text_of(good_answer(action="buy"))}, "malformed"),
    ({"do": "answer", "text": text_of(good_answer(stop_price="NaN"))}, "malformed"),
    ({"do": "answer", "text": ""}, "malformed"),
]


@pytest.mark.parametrize(("step", "doubt"), DOUBTS, ids=lambda value: str(value)[:60])
async def test_each_failure_is_an_abstention_with_its_reason(
    world: World, step: dict[str, Any], doubt: str
) -> None:
    """Whatever goes wrong, one request is made, nobody sees an exception, nothing is opened."""
    world.sandbox.script(step)
    decision = await world.decide()
    assert decision.action is Action.ABSTAIN
    assert decision.abstained.startswith(f"{doubt}: "), decision.abstained
    assert decision.answer_id in world.shelf.kept
    assert world.advisor.doubts == {doubt: 1}
    assert len(world.calls()) == 1


@pytest.mark.parametrize("step", ["overloaded", "internal"])
async def test_an_overloaded_model_is_replaced_once_by_the_fallback(
    world: World, step: str
) -> None:
    """After a 5xx the fallback is asked within the same deadline, and its name is shown."""
    world.sandbox.script({"do": step}, {"do": "answer", "text": text_of(good_answer())})
    decision = await world.decide()
    assert decision.action is Action.OPEN_POSITION
    assert decision.model_version == "gemini-3.5-flash-lite"
    assert world.calls() == [f"gemini-3.8-flash {step}", "gemini-3.5-flash-lite answer"]


async def test_two_overloaded_models_end_in_an_abstention(world: World) -> None:
    """There is one second request and no third."""
    world.sandbox.script(*[{"do": "overloaded"}] * 3)
    decision = await world.decide()
    assert decision.abstained == "overloaded: HTTP 503 UNAVAILABLE"
    assert len(world.calls()) == 2


async def test_a_short_quota_waits_as_told_and_then_asks_the_fallback(world: World) -> None:
    """RetryInfo that fits into the deadline is obeyed."""
    world.sandbox.script(
        {"do": "quota", "retry_s": 0.2}, {"do": "answer", "text": text_of(good_answer())}
    )
    started_s = wall_monotonic_s()
    decision = await world.decide()
    assert decision.action is Action.OPEN_POSITION
    assert wall_monotonic_s() - started_s >= 0.2


async def test_no_second_request_is_made_without_time_for_it(world: World) -> None:
    """With less than two seconds left an overload is final."""
    world.sandbox.script({"do": "overloaded"}, {"do": "default"})
    decision = await world.decide(patience_ms=1_500)
    assert decision.abstained.startswith("overloaded: ")
    assert len(world.calls()) == 1


async def test_a_spent_daily_quota_is_not_tried_again_that_day(world: World) -> None:
    """The model whose day is over is skipped; the next question goes to the fallback."""
    world.sandbox.script({"do": "quota", "per_day": True})
    first = await world.decide()
    second = await world.decide()
    assert first.abstained == "quota: HTTP 429 RESOURCE_EXHAUSTED, for the day"
    assert second.action is not Action.ABSTAIN
    assert world.calls() == ["gemini-3.8-flash quota", "gemini-3.5-flash-lite default"]


async def test_the_deadline_holds_whatever_the_server_does(world: World) -> None:
    """A slow model costs the deadline and no more, and its input is charged."""
    world.sandbox.script({"do": "default", "delay_ms": 30_000})
    started_s = wall_monotonic_s()
    decision = await world.decide(patience_ms=400)
    assert wall_monotonic_s() - started_s < 2.0
    assert decision.abstained == "timeout: no answer within the deadline"
    assert decision.cost_usd > 0
    assert decision.answer_id in world.shelf.kept


async def test_the_deadline_is_in_exchange_time(world: World) -> None:
    """On a clock sixty times faster, thirty market seconds are half a second of the wall."""
    world.clock.set_now(NOW_MS, speed=60)
    world.sandbox.script({"do": "default", "delay_ms": 30_000})
    started_s = wall_monotonic_s()
    decision = await world.decide(patience_ms=30_000)
    assert 0.4 < wall_monotonic_s() - started_s < 3.0
    assert decision.abstained.startswith("timeout: ")


async def test_a_deadline_already_past_asks_nobody(world: World) -> None:
    """A question that comes too late costs nothing."""
    decision = await world.decide(patience_ms=-1)
    assert decision.abstained.startswith("timeout: ")
    assert decision.cost_usd == 0
    assert world.calls() == []


async def test_a_server_that_is_gone_is_an_abstention(world: World) -> None:
    """A refused connection is told quickly, without the library's hidden retry."""
    await world.sandbox.stop()
    started_s = wall_monotonic_s()
    decision = await world.decide()
    assert decision.abstained.startswith("unreachable: ")
    assert wall_monotonic_s() - started_s < 2.0


async def test_the_key_is_in_no_text_of_ours(world: World) -> None:
    """Neither decisions, kept records nor the configuration's repr show the key."""
    world.sandbox.script({"do": "bad_key"}, {"do": "refusal", "text": KEY})
    texts = [str(await world.decide()) for _ in range(2)]
    texts += [text for _, text in world.shelf.kept.values()]
    texts.append(repr(world.advisor._config))
    assert not [text for text in texts if KEY in text]


async def test_an_environment_variable_cannot_redirect_a_question(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library reads keys and addresses from the environment; ours are given, so they win."""
    monkeypatch.setenv("GOOGLE_API_KEY", "other")
    monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    config = GeminiConfig(api_key=KEY, base_url=world.sandbox.base_url)
    advisor = GeminiAdvisor(config, clock=world.clock, keep=world.shelf.keep)
    decision = await advisor.decide(OPENING, world.clock.now_ms() + PATIENCE_MS)
    await advisor.aclose()
    assert decision.action is not Action.ABSTAIN, decision.abstained


async def test_a_prompt_that_cannot_be_kept_is_not_sent(world: World) -> None:
    """No decision without provenance: a full disk makes the adviser abstain."""

    def full(kind: str, text: str) -> str:
        raise OSError("disk full")

    config = GeminiConfig(api_key=KEY, base_url=world.sandbox.base_url)
    advisor = GeminiAdvisor(config, clock=world.clock, keep=full)
    decision = await advisor.decide(OPENING, world.clock.now_ms() + PATIENCE_MS)
    await advisor.aclose()
    assert decision.abstained == "fault: OSError"
    assert world.calls() == []


async def test_a_client_that_cannot_be_built_is_an_abstention_and_closes_quietly(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing or broken library is told as our own fault, at every question anew."""
    monkeypatch.setitem(sys.modules, "google.genai", None)
    config = GeminiConfig(api_key=KEY, base_url=world.sandbox.base_url)
    advisor = GeminiAdvisor(config, clock=world.clock, keep=world.shelf.keep)
    for _ in range(2):
        decision = await advisor.decide(OPENING, world.clock.now_ms() + PATIENCE_MS)
        assert decision.abstained == "fault: ModuleNotFoundError"
    await advisor.aclose()


async def test_cancelling_a_decision_passes_through(world: World) -> None:
    """A service that stops does not wait for a model, and nothing is decided."""
    world.sandbox.script({"do": "default", "delay_ms": 30_000})
    deciding = asyncio.create_task(world.decide())
    while not world.calls():
        await asyncio.sleep(0.01)
    deciding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await deciding
    assert world.advisor.doubts == {}
