"""How a trade comes to be: a signal let in, a decision supervised, a card put out or none needed.

Must not know: orders (`machine`) or messages to people beyond their kind. Every refusal names each
limit that refused.
"""

from dataclasses import replace
from typing import Final

from bot.core.desk_draft import DeskDraft
from bot.core.life.moving import is_moving
from bot.core.messages import (
    AskAdvisor,
    CloseRequested,
    DecisionArrived,
    SignalRaised,
)
from bot.core.presets import ApprovalMode, BotConfig
from bot.core.ruling import gates
from bot.core.ruling.analysing import with_signal
from bot.core.ruling.confidence import caution_for, weighed
from bot.core.ruling.directing import check_bias, directed, learn
from bot.core.ruling.hearing import check_pause, heard, note_ruling
from bot.core.ruling.planning import drop, is_fresh, plan_now, proceed
from bot.core.ruling.proposing import proposed_plan
from bot.core.ruling.signalled import noted
from bot.core.ruling.unasked import check_unasked, goes_unasked
from bot.core.supervisor import Ruling, supervise
from bot.core.trade import HOLDING, Approval, Check, Outcome, Phase, Plan, Trade, trade_id_of
from data.model import Action, Decision, ExitReason
from data.money import ONE
from data.records import revised

MANAGED: Final = HOLDING - {Phase.ORDER_PENDING}  # before a fill nobody asks: such a word is late


def signal_raised(draft: DeskDraft, event: SignalRaised) -> None:
    """Let a signal in, or say which limits keep it out. A signal known already is ignored."""
    desk, signal = draft.desk, event.signal
    config = desk.bots.get(signal.bot_id)
    if config is None or config.bot_id not in desk.running:
        return
    trade_id = trade_id_of(desk.account_id, signal.bot_id, signal.signal_id)
    if trade_id in desk.trades or trade_id in desk.signalled:
        return
    config = directed(desk, config)
    draft.set(signalled=noted(desk.signalled, trade_id, signal, draft.now_ms))
    checks = (
        *gates.check_entry(desk, config, signal, draft.now_ms),
        *gates.check_signals(desk, config, draft.now_ms),
        check_pause(draft, config.bot_id),
        *check_bias(desk, config.bot_id, signal.direction),
    )
    trade = Trade(
        trade_id=trade_id,
        user_id=config.user_id,
        account_id=desk.account_id,
        bot_id=config.bot_id,
        symbol=signal.symbol,
        phase=Phase.EVALUATING,
        opened_ms=draft.now_ms,
        instrument=event.instrument,
        signal=signal,
        checks=checks,
        proposed=proposed_plan(desk, config, event),
        decide_by_ms=draft.now_ms + desk.timing.decide_within_ms,
    )
    draft.put(trade)
    if gates.failed(checks):
        drop(draft, trade_id, Outcome.BLOCKED, gates.in_words(checks), checks=checks)
        draft.tell("trade_blocked", trade_id=trade_id, reason=gates.in_words(checks))
        return
    draft.count_signal(config.bot_id)
    draft.say(
        AskAdvisor(
            trade_id=trade_id,
            bot_id=config.bot_id,
            symbol=signal.symbol,
            purpose="open",
            deadline_ms=draft.now_ms + desk.timing.answer_within_ms,
        )
    )


def decision_arrived(draft: DeskDraft, event: DecisionArrived) -> None:
    """Supervise an answer: it opens, closes, or changes nothing; any doubt is an abstention."""
    trade = draft.desk.trades.get(event.trade_id)
    if trade is None:
        return
    decision = heard(draft, trade, event.decision)
    if trade.phase is Phase.EVALUATING:
        _decide_open(draft, trade, replace(event, decision=decision))
    elif trade.phase in MANAGED and not decision.skipped:
        _decide_manage(draft, trade, decision)
    else:
        return
    learn(draft, decision)  # Last: an answer is judged by what stood when it was asked.


def _decide_open(draft: DeskDraft, trade: Trade, event: DecisionArrived) -> None:
    config, trade_id = directed(draft.desk, draft.desk.bots[trade.bot_id]), trade.trade_id
    caution = caution_for(config, event.decision, draft.desk.closed)
    decision = weighed(event.decision, caution)
    ruling = supervise(decision.action, trade.phase)
    if decision.skipped:
        if trade.signal is not None:
            draft.count_signal(trade.bot_id, -1)  # Nobody looked at it: its place is free again.
        drop(draft, trade_id, Outcome.SKIPPED, decision.abstained, decision=decision)
        return
    note_ruling(draft, trade, decision, ruling)
    if decision.action is Action.ABSTAIN or decision.abstained:
        reason = decision.abstained or "no reason given"
        drop(draft, trade_id, Outcome.ABSTAINED, reason, decision=decision)
        draft.tell("abstained", trade_id=trade_id, reason=reason)
        return
    if ruling.action is not Action.OPEN_POSITION:
        note = ruling.override or "the adviser would not open it"
        drop(draft, trade_id, Outcome.DECLINED, note, decision=decision)
        return
    if not is_fresh(draft, event.mark_ms):
        drop(draft, trade_id, Outcome.BLOCKED, "no fresh price", decision=decision)
        draft.tell("trade_blocked", trade_id=trade_id, reason="no fresh price")
        return
    trade = with_signal(draft, config, trade, decision, event.mark_price)
    if trade.signal is None:
        drop(draft, trade_id, Outcome.BLOCKED, "no direction, stop or target", decision=decision)
        return
    plan, checks = plan_now(draft, config, trade, decision, event.mark_price, ONE)
    if plan is None:
        drop(draft, trade_id, Outcome.BLOCKED, gates.in_words(checks), checks, decision)
        draft.tell("trade_blocked", trade_id=trade_id, reason=gates.in_words(checks))
    elif config.approval_mode is ApprovalMode.SIGNAL_ONLY:
        drop(draft, trade_id, Outcome.ADVISED, "signals only", checks, decision, plan)
        draft.tell("signal_advice", trade_id=trade_id)
    else:
        _ask_or_go(draft, config, plan, checks, revised(trade, decision=decision))


def _ask_or_go(
    draft: DeskDraft, config: BotConfig, plan: Plan, checks: tuple[Check, ...], trade: Trade
) -> None:
    now_ms, bounds = draft.now_ms, check_unasked(config, plan, draft.desk.wallet_usdt)
    kept = draft.desk.trades[trade.trade_id]
    if goes_unasked(config, bounds):
        draft.put(revised(kept, auto_checks=bounds))
        answer = Approval(verb="auto", user_id="", answered_ms=now_ms, shown_ms=now_ms)
        proceed(
            draft, config, trade.trade_id, plan, checks, decision=trade.decision, approval=answer
        )
        return
    draft.put(revised(kept, auto_checks=bounds, card_shown_ms=now_ms))
    expires_ms = now_ms + config.approval_ttl_ms
    proceed(
        draft,
        config,
        trade.trade_id,
        plan,
        checks,
        decision=trade.decision,
        card_expires_ms=expires_ms,
    )


def _decide_manage(draft: DeskDraft, trade: Trade, decision: Decision) -> None:
    # A stop being moved is bare for a round trip by our own will: no reason to close.
    phase = Phase.POSITION_ACTIVE if is_moving(trade) else trade.phase
    ruling = supervise(decision.action, phase)
    if decision.action is Action.ABSTAIN or decision.abstained:
        doubt = Ruling(action=Action.ABSTAIN, override=decision.abstained)
        note_ruling(draft, trade, decision, doubt)
        return
    note_ruling(draft, trade, decision, ruling)
    if ruling.action is Action.CLOSE_POSITION:
        by = decision.advisor if not ruling.override else "supervisor"
        asked = CloseRequested(trade_id=trade.trade_id, reason=ExitReason.AI, by=by)
        draft.advance(trade.trade_id, asked)
