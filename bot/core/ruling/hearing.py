"""An adviser's answer as the desk hears it: whose it is, how it counts, what came of it.

Must not know: plans, limits, orders. A doubt is counted once for each question, also when it comes
after the trade has stopped waiting for it.
"""

from dataclasses import replace
from typing import Final

from bot.core.advice import Advice, after, resumed
from bot.core.desk_draft import DeskDraft
from bot.core.messages import Level
from bot.core.supervisor import Ruling
from bot.core.trade import Check, Phase, Supervised, Trade
from data.model import Action, Decision
from data.records import revised

SUPERVISED_MAX: Final = 20  # answers kept with a trade; the store has every one


def heard(draft: DeskDraft, trade: Trade, decision: Decision) -> Decision:
    """Count one answer to a question about `trade`; one about something else is a doubt."""
    if decision.action is not Action.ABSTAIN and not decision.abstained:
        doubt = _mismatch(trade, decision)
        if doubt:
            decision = replace(decision, action=Action.ABSTAIN, abstained=doubt)
    before = draft.desk.advice.get(trade.bot_id, Advice())
    now = after(before, decision, draft.now_ms)
    if now != before:
        _put(draft, trade.bot_id, now)
    if now.paused_until_ms not in (None, before.paused_until_ms):
        draft.tell(
            "ai_paused",
            Level.ALARM,
            bot=trade.bot_id,
            times=str(now.in_a_row),
            reason=now.last_doubt,
            until_ms=str(now.paused_until_ms),
        )
    if trade.phase is Phase.IDLE and trade.decision is None and not decision.skipped:
        draft.put(replace(trade, decision=decision))  # Too late to count, but it was said.
    return decision


def note_ruling(draft: DeskDraft, trade: Trade, decision: Decision, ruling: Ruling) -> None:
    """Write down what was proposed and what is really done."""
    one = Supervised(
        at_ms=draft.now_ms,
        phase=trade.phase,
        proposed=decision.action.value,
        taken=ruling.action.value,
        override=ruling.override,
        confidence=decision.confidence,
        snapshot_id=decision.snapshot_id,
        answer_id=decision.answer_id,
    )
    kept = draft.desk.trades[trade.trade_id]
    draft.put(revised(kept, supervised=(*kept.supervised, one)[-SUPERVISED_MAX:]))


def check_pause(draft: DeskDraft, bot_id: str) -> Check:
    """Whether the bot's entries wait because its adviser was in doubt too often."""
    advice = draft.desk.advice.get(bot_id, Advice())
    passed = not advice.is_paused(draft.now_ms)
    text = "" if passed else f"ai_paused: {advice.in_a_row} abstentions in a row"
    return Check(rule="ai_paused", passed=passed, limit="", value="", text=text)


def resume(draft: DeskDraft, bot_ids: set[str]) -> None:
    """A person let these bots go on: their rows of abstentions are over."""
    for bot_id in sorted(bot_ids & draft.desk.advice.keys()):
        _put(draft, bot_id, resumed(draft.desk.advice[bot_id]))


def _put(draft: DeskDraft, bot_id: str, advice: Advice) -> None:
    draft.set(advice={**draft.desk.advice, bot_id: advice})


def _mismatch(trade: Trade, decision: Decision) -> str:
    if decision.bot_id != trade.bot_id or decision.symbol != trade.symbol:
        return "the answer was about another bot or symbol"
    return ""
