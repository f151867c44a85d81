"""A recorded question and raw answer lead where they led live."""

import json
from typing import Any

import pytest

from bot.advisor.answer import RawAnswer, Receipt, read_answer
from bot.advisor.prompt import snapshot_text
from bot.app.decisions import decide_recorded
from bot.core.messages import AskAdvisor, DecisionArrived
from bot.replay import bench_advice
from bot.shell.clock import VirtualClock
from bot.shell.errors import SettingFault
from bot.shell.questions import Questions
from tests.core.build import Case

CHANGES: list[dict[str, Any]] = [
    {},
    {"confidence": 20},
    {"confidence": 75},
    {"stop_price": "1"},
    {"stop_price": "99999999"},
    {"entry_price": "6400"},
    {"leverage": 100},
    {"action": "do_nothing"},
    {"action": "close_position"},
    {"symbol": "ETHUSDT"},
    {"confidence": "NaN"},
]


@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_a_recorded_decision_leads_where_it_led_live(changes: dict[str, Any]) -> None:
    """The same outcome, the same numbers, the same words for what refused it."""
    market, desk, command = bench_advice._world()
    assert isinstance(command, AskAdvisor)
    clock = VirtualClock(bench_advice.NOW_MS)
    question = Questions(market=market, clock=clock).question_of(desk, command)
    assert question is not None
    prompt = bench_advice.prompt_of(question)
    text = json.dumps(json.loads(bench_advice._answer(question, prompt)) | changes)
    live = Case(desk)
    live.now_ms = bench_advice.NOW_MS
    raw = RawAnswer(text=text, finish_reason="STOP")
    answered = read_answer(raw, question, Receipt(now_ms=live.now_ms))
    arrived = DecisionArrived(
        trade_id=command.trade_id,
        decision=answered,
        mark_price=question.mark_price,
        mark_ms=live.now_ms,
    )
    live.feed(arrived)
    trade = live.desk.trades[command.trade_id]
    told = decide_recorded(snapshot_text(question), text)
    assert told["abstained"] == (trade.decision.abstained if trade.decision else "")
    assert told["decision"]["adjusted_confidence"] == (
        trade.decision.adjusted_confidence if trade.decision else None
    )
    opened = trade.plan is not None
    assert (told["action"] == "open_position") is opened, (told, trade.note)
    if told["blocked"]:
        assert told["blocked"] in trade.note


def test_a_snapshot_that_is_none_is_refused() -> None:
    """In words, before anything is asked."""
    with pytest.raises(SettingFault, match="the snapshot is no recorded question"):
        decide_recorded('{"version": 1}', "{}")
