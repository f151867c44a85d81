"""Why: what was decided, by whom and on what, found again after the service has gone."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bot.advisor.gemini import GeminiConfig
from bot.advisor.rules import decide_by_rules
from bot.app import records
from bot.app.advisers import ModelPlan, hire_model, hire_rules
from bot.app.decisions import decide_recorded
from bot.core.messages import Question
from bot.core.trade import Phase
from bot.sandbox.gemini_server import serve_gemini
from bot.shell.clock import Clock, SystemClock
from bot.shell.recorder import Recorder
from data.model import Decision
from data.store.store import Store
from tests.scenarios.stage import Stage, stage, trade_in

USD = Decimal(10)
ANSWERED = (
    "bot_id",
    "symbol",
    "snapshot_id",
    "action",
    "direction",
    "entry_price",
    "stop_price",
    "target_price",
    "quantity",
    "leverage",
    "confidence",
    "reasons",
    "invalidation",
    "abstained",
)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage of its own for each story."""
    async with stage(tmp_path) as found:
        yield found


async def record_of(scene: Stage, trade_id: str) -> dict[str, Any]:
    """What `python -m bot why ID --json` prints."""
    store = await Store.open(f"sqlite+aiosqlite:///{scene.folder}/bot.db", read_only=True)
    try:
        row = await store.trade(trade_id)
        assert row is not None
        steps = await store.journal_rows(row.account_id, trade_id=trade_id)
        return await records._record_of(store, row, steps)
    finally:
        await store.close()


async def over(scene: Stage, service: Any, trade_id: str) -> None:
    """Wait until the trade has ended."""
    await scene.until(
        lambda: trade_in(service.engine.desk, trade_id).phase is Phase.IDLE, "it is over"
    )


def answers_of(decision: dict[str, Any]) -> dict[str, Any]:
    """What was answered, without when and what it cost."""
    return {name: decision.get(name) for name in ANSWERED}


async def test_a_models_recorded_decision_replays_to_the_same_outcome(scene: Stage) -> None:
    """Snapshot and raw answer from the database give the decision that was acted upon."""
    gemini = await serve_gemini(0, seed=3, clock=SystemClock(), api_key="k" * 20)
    plan = ModelPlan(
        gemini=GeminiConfig(api_key="k" * 20, base_url=gemini.base_url),
        service_usd=USD,
        user_usd=USD,
        always=("BTCUSDT",),
    )

    def hire(clock: Clock, store: Store) -> Any:
        return hire_model(plan, clock, store)

    try:
        async with scene.service(scene.part(approval="signal-only"), advisor=hire) as service:
            trade_id = await scene.raise_signal(service)
            await over(scene, service, trade_id)
    finally:
        await gemini.stop()
    record = await record_of(scene, trade_id)
    chain = record["chain"]
    assert [one["link"] for one in chain["missing"]] == ["shadow"]
    assert chain["decision"]["advisor"] == "gemini"
    for link in ("snapshot", "prompt", "answer"):
        assert chain[link]["kept"], link
    assert chain["answer"]["body"]["snapshot_id"] == chain["snapshot"]["id"]
    again = decide_recorded(
        json.dumps(chain["snapshot"]["body"]), json.dumps(chain["answer"]["body"])
    )
    assert answers_of(again["decision"]) == answers_of(chain["decision"])
    # What the supervisor made of it then is what it makes of it now.
    assert chain["supervisor"][-1]["taken"] == again["action"]


async def test_the_rules_recorded_decision_replays_to_the_same_outcome(scene: Stage) -> None:
    """The kept question, asked again, is answered the same; a person's no and its delay are in."""
    async with scene.service(scene.part(), advisor=hire_rules) as service:
        trade_id = await scene.raise_signal(service)
        await scene.tap("Reject")
        await over(scene, service, trade_id)
        await scene.say(f"/why {trade_id}")
        await scene.chat_says("Not in the record")
        await scene.say("/shadow")
        await scene.chat_says("still followed")
    chain = (await record_of(scene, trade_id))["chain"]
    told = {one["link"]: one["reason"] for one in chain["missing"]}
    without = "the rules are asked without words"
    assert told == {"prompt": without, "answer": without, "shadow": "still followed"}
    question = msgspec.json.decode(json.dumps(chain["snapshot"]["body"]), type=Question)
    kept = msgspec.json.decode(json.dumps(chain["decision"]), type=Decision)
    again = decide_by_rules(question, now_ms=kept.decided_ms)
    plain = json.loads(msgspec.json.encode(again))
    assert answers_of(plain) == answers_of(chain["decision"])
    assert chain["person"]["verb"] == "reject"
    assert chain["person"]["took_ms"] >= 0
    assert chain["proposed"] is not None


async def test_a_blocked_signal_and_a_traded_one_have_their_links(scene: Stage) -> None:
    """Nobody was asked about the one; orders, fills, fees and result are in the other."""
    async with scene.service(scene.part(approval="auto"), advisor=hire_rules) as service:
        first = await scene.raise_signal(service)
        await scene.until(
            lambda: trade_in(service.engine.desk, first).phase is Phase.POSITION_ACTIVE, "open"
        )
        second = await scene.raise_signal(service, name="2")
        await over(scene, service, second)
        plan = trade_in(service.engine.desk, first).plan
        assert plan is not None
        await scene.price(plan.target_price + 50)
        await over(scene, service, first)
    blocked = (await record_of(scene, second))["chain"]
    missing = {one["link"]: one["reason"] for one in blocked["missing"]}
    assert missing["snapshot"] == missing["decision"] == "nobody was asked"
    assert any(not one["passed"] for one in blocked["validation"])
    record = await record_of(scene, first)
    traded = record["chain"]
    assert traded["result"]["exit_reason"] == "take_profit"
    assert Decimal(traded["result"]["pnl_usdt"]) == Decimal(record["pnl_usdt"])
    assert len(traded["orders"]) == 3
    assert len(traded["fills"]) >= 2
    assert Recorder.read_trade(json.dumps(record["trade"])).trade_id == first
