"""A recorded question and a recorded raw answer through the live path's own validation.

Must not know: a model or the network.
"""

import json
from dataclasses import asdict
from typing import Any

import msgspec

from bot.advisor.answer import RawAnswer, Receipt, read_answer
from bot.core.messages import Question
from bot.core.supervisor import supervise
from bot.core.trade import Phase
from bot.shell.errors import SettingFault
from data.money import ZERO


def decide_recorded(snapshot: str, answer: str) -> dict[str, Any]:
    """What this answer to this question would lead to. Raises SettingFault on a bad snapshot.

    `answer` is the model's text, or a whole generateContent answer as JSON.
    """
    try:
        question = msgspec.json.decode(snapshot.encode(), type=Question)
    except (msgspec.MsgspecError, ValueError) as fault:
        raise SettingFault(f"the snapshot is no recorded question: {fault}") from None
    decision = read_answer(_raw_of(answer), question, Receipt(now_ms=question.asked_ms))
    holding = question.position_quantity != ZERO
    ruling = supervise(decision.action, Phase.POSITION_ACTIVE if holding else Phase.EVALUATING)
    plain: dict[str, Any] = json.loads(msgspec.json.encode(asdict(decision)))
    abstained = bool(decision.abstained)
    return {
        "decision": plain,
        "action": decision.action.value if abstained else ruling.action.value,
        "override": "" if abstained else ruling.override,
        "abstained": decision.abstained,
    }


def _raw_of(answer: str) -> RawAnswer:
    try:
        body = json.loads(answer)
    except ValueError:
        return RawAnswer(text=answer, finish_reason="STOP")
    if not isinstance(body, dict) or not {"candidates", "promptFeedback"} & set(body):
        return RawAnswer(text=answer, finish_reason="STOP")
    block = (body.get("promptFeedback") or {}).get("blockReason")
    candidates = body.get("candidates") or [{}]
    parts = (candidates[0].get("content") or {}).get("parts") or []
    text = "".join(str(part.get("text", "")) for part in parts if not part.get("thought"))
    finish = candidates[0].get("finishReason")
    return RawAnswer(text=text or None, finish_reason=finish, block_reason=block)
