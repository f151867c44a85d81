"""How a trade comes to be: a signal let in, a decision supervised, a person's tap re-validated.

Must not know: orders (`machine`) or messages to people beyond their kind. Every refusal names each
limit that refused.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from bot.core import gates
from bot.core.confidence import caution_for, check_confidence, weighed
from bot.core.desk_draft import DeskDraft
from bot.core.directing import check_bias, directed, learn
from bot.core.exits import levels_for
from bot.core.hearing import check_pause, heard, note_ruling
from bot.core.messages import (
    AskAdvisor,
    CardAnswered,
    CardVerb,
    CloseRequested,
    DecisionArrived,
    Level,
    SignalRaised,
)
from bot.core.moving import is_moving
from bot.core.presets import ApprovalMode, BotConfig
from bot.core.proposing import proposed_plan
from bot.core.remembering import shrunk_to_nothing, verdicts_for
from bot.core.rulings import Drop, Proceed
from bot.core.signalled import noted
from bot.core.sizing import Funds, guard_of, plan_of
from bot.core.supervisor import (
    Ruling,
    check_levels,
    check_leverage,
    supervise,
    with_leverage,
)
from bot.core.trade import (
    HOLDING,
    Approval,
    Check,
    Outcome,
    Phase,
    Plan,
    Trade,
    trade_id_of,
)
from data.model import Action, Decision, ExitReason, OrderKind
from data.money import ONE, bps_between, round_to
from memory.limits import combine

HALF: Final = Decimal("0.5")
OPENING: Final = HOLDING - {Phase.CLOSING}
MANAGED: Final = HOLDING - {Phase.ORDER_PENDING}  # before a fill nobody asks: such a word is late
PRICE_AGE_MS_MAX: Final = 10_000  # of wall time: an entry is judged on a price no older than this


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
        _drop(draft, trade_id, Outcome.BLOCKED, gates.in_words(checks), checks=checks)
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
        draft.count_signal(trade.bot_id, -1)  # Nobody looked at it: its place is free again.
        _drop(draft, trade_id, Outcome.SKIPPED, decision.abstained, decision=decision)
        return
    note_ruling(draft, trade, decision, ruling)
    if decision.action is Action.ABSTAIN or decision.abstained:
        reason = decision.abstained or "no reason given"
        _drop(draft, trade_id, Outcome.ABSTAINED, reason, decision=decision)
        draft.tell("abstained", trade_id=trade_id, reason=reason)
        return
    if ruling.action is not Action.OPEN_POSITION:
        note = ruling.override or "the adviser would not open it"
        _drop(draft, trade_id, Outcome.DECLINED, note, decision=decision)
        return
    if not _is_fresh(draft, event.mark_ms):
        _drop(draft, trade_id, Outcome.BLOCKED, "no fresh price", decision=decision)
        draft.tell("trade_blocked", trade_id=trade_id, reason="no fresh price")
        return
    plan, checks = _plan(draft, config, trade, decision, event.mark_price, ONE)
    if plan is None:
        _drop(draft, trade_id, Outcome.BLOCKED, gates.in_words(checks), checks, decision)
        draft.tell("trade_blocked", trade_id=trade_id, reason=gates.in_words(checks))
    elif config.approval_mode is ApprovalMode.SIGNAL_ONLY:
        _drop(draft, trade_id, Outcome.ADVISED, "signals only", checks, decision, plan)
        draft.tell("signal_advice", trade_id=trade_id)
    elif config.approval_mode is ApprovalMode.AUTO:
        approval = Approval(
            verb="auto", user_id="", answered_ms=draft.now_ms, shown_ms=draft.now_ms
        )
        _proceed(draft, config, trade_id, plan, checks, decision=decision, approval=approval)
    else:
        expires_ms = draft.now_ms + config.approval_ttl_ms
        _proceed(
            draft, config, trade_id, plan, checks, decision=decision, card_expires_ms=expires_ms
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


def card_answered(draft: DeskDraft, event: CardAnswered) -> None:
    """A tap: rejecting always counts; approving is judged anew on price, limits and balance."""
    trade = draft.desk.trades.get(event.trade_id)
    if trade is None:
        return
    # A no always counts, even one that crosses the entry's fill on its way.
    if trade.phase in OPENING and event.verb is CardVerb.REJECT:
        asked = CloseRequested(trade_id=trade.trade_id, reason=ExitReason.MANUAL, by=event.user_id)
        draft.advance(trade.trade_id, asked)
        return
    if trade.phase is not Phase.AWAITING_APPROVAL:
        draft.tell("card_refused", trade_id=trade.trade_id, reason="it is decided already")
        return
    config = directed(draft.desk, draft.desk.bots[trade.bot_id])
    approval = Approval(
        verb=event.verb.value,
        user_id=event.user_id,
        answered_ms=draft.now_ms,
        shown_ms=(trade.card_expires_ms or draft.now_ms) - config.approval_ttl_ms,
        mark_price=event.mark_price,
    )
    if event.verb is CardVerb.REJECT:
        _drop(draft, trade.trade_id, Outcome.REJECTED, "rejected", approval=approval)
        draft.tell("trade_rejected", trade_id=trade.trade_id, by=event.user_id)
    elif trade.card_expires_ms is not None and draft.now_ms >= trade.card_expires_ms:
        _drop(draft, trade.trade_id, Outcome.EXPIRED, "tapped too late", approval=approval)
        draft.tell("trade_expired", trade_id=trade.trade_id)
    else:
        _approve(draft, config, trade, event, approval)


def _approve(
    draft: DeskDraft, config: BotConfig, trade: Trade, event: CardAnswered, approval: Approval
) -> None:
    plan = trade.plan
    assert plan is not None, "a card without a plan"
    mark_price = event.mark_price
    if mark_price is None or not _is_fresh(draft, event.mark_ms):
        draft.tell("card_refused", Level.WARNING, trade.trade_id, reason="no fresh price")
        return
    drift_bps = abs(bps_between(plan.entry_price, mark_price))
    share = HALF if event.verb is CardVerb.HALF else ONE
    fresh, checks = _plan(draft, config, trade, trade.decision, mark_price, share)
    if fresh is not None and drift_bps > config.confirm_bps and not event.confirmed:
        draft.tell(
            "card_moved",
            trade_id=trade.trade_id,
            drift_bps=f"{drift_bps:.1f}",
            reward_risk=f"{fresh.reward_risk:.2f}",
            reward_risk_before=f"{plan.reward_risk:.2f}",
        )
        return
    approval = replace(approval, checks=checks)
    if fresh is None:
        note = gates.in_words(checks)
        _drop(draft, trade.trade_id, Outcome.BLOCKED, note, approval=approval)
        draft.tell("card_refused", Level.WARNING, trade.trade_id, reason=note)
        return
    # The record keeps both: what was asked when the card was made, and what at the tap.
    _proceed(draft, config, trade.trade_id, fresh, trade.checks, approval=approval)


def _is_fresh(draft: DeskDraft, mark_ms: int) -> bool:
    age_ms_max = PRICE_AGE_MS_MAX * draft.desk.timing.receive_window_ms // 5_000
    return draft.now_ms - mark_ms <= age_ms_max


def _plan(
    draft: DeskDraft,
    config: BotConfig,
    trade: Trade,
    decision: Decision | None,
    mark_price: Decimal,
    share: Decimal,
) -> tuple[Plan | None, tuple[Check, ...]]:
    """The plan at this moment's price, and every check that was asked, failed ones included."""
    signal, desk = trade.signal, draft.desk
    assert signal is not None, "an adopted trade is not planned"
    levels = levels_for(config, signal, decision, trade.instrument, mark_price)
    checks = gates.check_entry(desk, config, signal, draft.now_ms, besides=trade.trade_id)
    checks += check_bias(desk, config.bot_id, levels.direction)
    checks += check_confidence(config, decision, caution_for(config, decision, desk.closed))
    checks += check_leverage(config, decision, trade.instrument)
    config = with_leverage(config, decision)
    checks += check_levels(config, levels, mark_price)
    if gates.failed(checks):
        return None, checks
    if config.entry_kind is OrderKind.MARKET:
        # A market order is filled near the mark: size and judge it by that.
        entry_price = round_to(mark_price, trade.instrument.tick_size)
        levels = replace(levels, entry_price=entry_price)
    verdicts = verdicts_for(desk, config, draft.now_ms, signal)
    funds = Funds(
        wallet_usdt=desk.wallet_usdt,
        free_usdt=gates.free_usdt(desk),
        risk_pct_max=combine(verdicts, draft.now_ms).risk_pct_max,
        share=share * min(ONE, signal.size_share),  # a strategy may shrink, never grow
        # Never more than what was on the card, whatever the wallet says now.
        quantity_max=trade.plan.quantity * share if trade.plan else None,
        quantity_wanted=decision.quantity if decision is not None else None,
        earned_usdt=desk.memory.of_bot(config.bot_id).earned_usdt,
    )
    plan, sized = plan_of(config, levels, trade.instrument, funds)
    if plan is None and funds.risk_pct_max is not None:
        free_of_memory, _ = plan_of(
            config, levels, trade.instrument, replace(funds, risk_pct_max=None)
        )
        if free_of_memory is not None:
            sized += shrunk_to_nothing(verdicts)
    if plan is not None:
        plan = replace(plan, guard=guard_of(config, plan, desk.stop_form, signal.atr))
    return plan, checks + sized


def _proceed(
    draft: DeskDraft,
    config: BotConfig,
    trade_id: str,
    plan: Plan,
    checks: tuple[Check, ...],
    **parts: Decision | Approval | int | None,
) -> None:
    ruling = Proceed(
        plan=plan,
        checks=checks,
        review_every_ms=config.review_every_ms,
        **parts,  # type: ignore[arg-type]  # decision, approval, card_expires_ms as named
    )
    draft.advance(trade_id, ruling)


def _drop(  # noqa: PLR0913  # a record's fields, all optional
    draft: DeskDraft,
    trade_id: str,
    outcome: Outcome,
    note: str,
    checks: tuple[Check, ...] = (),
    decision: Decision | None = None,
    plan: Plan | None = None,
    approval: Approval | None = None,
) -> None:
    if plan is not None:
        draft.put(replace(draft.desk.trades[trade_id], plan=plan))
    ruling = Drop(outcome=outcome, note=note, checks=checks, decision=decision, approval=approval)
    draft.advance(trade_id, ruling)
