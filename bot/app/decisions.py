"""A recorded question and a recorded raw answer through the live path's own rules.

Validation of the answer, caution, supervisor, and every check of confidence, leverage and levels;
the desk's other limits (slots, money, memory) are not in a snapshot.

Must not know: a model or the network.
"""

import json
from dataclasses import asdict
from typing import Any

import msgspec

from bot.advisor.answer import RawAnswer, Receipt, read_answer
from bot.core.messages import Question
from bot.core.ruling.confidence import NO_CAUTION, check_confidence, weighed
from bot.core.ruling.exits import levels_for
from bot.core.ruling.gates import in_words
from bot.core.supervisor import Levels, check_levels, check_leverage, levels_of, supervise
from bot.core.trade import Check, Phase
from bot.shell.errors import SettingFault
from data.model import Action, Decision
from data.money import ZERO


def decide_recorded(snapshot: str, answer: str) -> dict[str, Any]:
    """What this answer to this question would lead to. Raises SettingFault on a bad snapshot.

    `answer` is the model's text, a whole generateContent answer as JSON, or the record that the
    adviser kept of one (`chain.answer.body` of `python -m bot why ID --json`).
    """
    try:
        question = msgspec.json.decode(snapshot.encode(), type=Question)
    except (msgspec.MsgspecError, ValueError) as fault:
        raise SettingFault(f"the snapshot is no recorded question: {fault}") from None
    answered = read_answer(_raw_of(answer), question, Receipt(now_ms=question.asked_ms))
    caution = question.caution or NO_CAUTION
    decision = weighed(answered, caution)
    holding = question.position_quantity != ZERO
    ruling = supervise(decision.action, Phase.POSITION_ACTIVE if holding else Phase.EVALUATING)
    plain: dict[str, Any] = json.loads(msgspec.json.encode(asdict(decision)))
    abstained = bool(decision.abstained)
    opens = not abstained and ruling.action is Action.OPEN_POSITION
    checks = _checks(question, decision) if opens else ()
    blocked = in_words(checks)
    taken = Action.DO_NOTHING if blocked else ruling.action
    return {
        "decision": plain,
        "action": decision.action.value if abstained else taken.value,
        "override": "" if abstained else ruling.override,
        "abstained": decision.abstained,
        "blocked": blocked,
        "checks": [asdict(check) for check in checks],
    }


def _checks(question: Question, decision: Decision) -> tuple[Check, ...]:
    """What the desk asks of confidence, leverage and levels, at the snapshot's price."""
    config, instrument = question.config, question.instrument
    if config is None or instrument is None:
        return ()  # A snapshot from before they were part of it.
    asked = check_confidence(config, decision, question.caution or NO_CAUTION)
    asked += check_leverage(config, decision, instrument)
    if question.signal is not None:
        mark = question.mark_price
        levels = levels_for(config, question.signal, decision, instrument, mark)
        return asked + check_levels(config, levels, mark)
    if decision.direction is None or decision.stop_price is None or decision.target_price is None:
        text = "no direction, stop or target"
        return (*asked, Check(rule="levels", passed=False, limit="", value="", text=text))
    own = Levels(
        direction=decision.direction,
        entry_price=decision.entry_price or question.mark_price,
        stop_price=decision.stop_price,
        target_price=decision.target_price,
    )
    levels = levels_of(decision, own, instrument)
    return asked + check_levels(config, levels, question.mark_price)


def _raw_of(answer: str) -> RawAnswer:
    try:
        body = json.loads(answer)
    except ValueError:
        return RawAnswer(text=answer, finish_reason="STOP")
    if isinstance(body, dict) and "prompt_id" in body:  # as the adviser kept it
        body = body.get("response", {"candidates": []})
    if not isinstance(body, dict) or not {"candidates", "promptFeedback"} & set(body):
        return RawAnswer(text=answer, finish_reason="STOP")
    feedback = _either(body, "promptFeedback", "prompt_feedback") or {}
    candidates = body.get("candidates") or [{}]
    parts = (candidates[0].get("content") or {}).get("parts") or []
    text = "".join(str(part.get("text", "")) for part in parts if not part.get("thought"))
    return RawAnswer(
        text=text or None,
        finish_reason=_either(candidates[0], "finishReason", "finish_reason"),
        block_reason=_either(feedback, "blockReason", "block_reason"),
    )


def _either(record: dict[str, Any], wire: str, kept: str) -> Any:
    """A field as the service spells it, or as its client library keeps it."""
    return record.get(wire, record.get(kept))
