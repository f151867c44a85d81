"""A person's answer to a card: judged anew at the tap, kept whatever came of it.

A no always counts. A yes counts once, in time, on a fresh price, and only for what the card showed:
everything is planned again, and the card's quantity, leverage and loss at the stop are limits now.
A price that moved is asked about at that price; beyond the bot's bound the yes is refused.
Must not know: buttons, tokens, who may tap; the entry's orders.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from bot.core.desk_draft import DeskDraft
from bot.core.messages import CardAnswered, CardVerb, CloseRequested, Level
from bot.core.presets import ApprovalMode, BotConfig
from bot.core.ruling import gates
from bot.core.ruling.directing import directed
from bot.core.ruling.planning import drop, is_fresh, plan_now, proceed
from bot.core.trade import HOLDING, Answer, Approval, Check, Effect, Outcome, Phase, Plan, Trade
from data.model import ExitReason
from data.money import ONE, bps_between

HALF: Final = Decimal("0.5")
OPENING: Final = HOLDING - {Phase.CLOSING}
ANSWERS_MAX: Final = 20  # kept with a trade; the journal has every one


def card_answered(draft: DeskDraft, event: CardAnswered) -> None:
    """Fold one answer into the desk."""
    trade = draft.desk.trades.get(event.trade_id)
    if trade is None:
        return
    # A no always counts, even one that crosses the entry's fill on its way.
    if trade.phase in OPENING and event.verb is CardVerb.REJECT:
        _note(draft, trade, event, Effect.TAKEN_BACK)
        asked = CloseRequested(trade_id=trade.trade_id, reason=ExitReason.MANUAL, by=event.user_id)
        draft.advance(trade.trade_id, asked)
    elif trade.phase is not Phase.AWAITING_APPROVAL:
        _note(draft, trade, event, Effect.DECIDED)
        by = trade.approval.user_id if trade.approval is not None else ""
        if event.verb is not CardVerb.REJECT:  # A no to what is over has got what it wants.
            reason = "it is decided already"
            draft.tell("card_refused", trade_id=trade.trade_id, reason=reason, by=by)
    elif event.verb is CardVerb.REJECT:
        _note(draft, trade, event, Effect.REJECTED)
        approval = _approval(draft, trade, event)
        drop(draft, trade.trade_id, Outcome.REJECTED, "rejected", approval=approval)
        draft.tell("trade_rejected", trade_id=trade.trade_id, by=event.user_id)
    elif trade.card_expires_ms is not None and draft.now_ms >= trade.card_expires_ms:
        _note(draft, trade, event, Effect.TOO_LATE)
        approval = _approval(draft, trade, event)
        drop(draft, trade.trade_id, Outcome.EXPIRED, "tapped too late", approval=approval)
        draft.tell("trade_expired", trade_id=trade.trade_id)
    elif event.mark_price is None or not is_fresh(draft, event.mark_ms):
        _note(draft, trade, event, Effect.NO_PRICE)
        draft.tell("card_refused", Level.WARNING, trade.trade_id, reason="no fresh price")
    else:
        _approve(draft, trade, event, event.mark_price)


def _approve(draft: DeskDraft, trade: Trade, event: CardAnswered, mark_price: Decimal) -> None:
    shown = trade.plan
    assert shown is not None, "a card without a plan"
    config = directed(draft.desk, draft.desk.bots[trade.bot_id])
    share = HALF if event.verb is CardVerb.HALF else ONE
    plan, checks = plan_now(draft, config, trade, trade.decision, mark_price, share)
    mode = _check_mode(config)
    if plan is None or not mode.passed:
        checks = (mode, *checks)
        _note(draft, trade, event, Effect.BLOCKED)
        note = gates.in_words(checks)
        approval = _approval(draft, trade, event, checks)
        drop(draft, trade.trade_id, Outcome.BLOCKED, note, approval=approval)
        draft.tell("card_refused", Level.WARNING, trade.trade_id, reason=note)
    elif _moved_bps(trade, shown, event, mark_price) > config.confirm_bps:
        _note(draft, trade, event, Effect.ASKED_AGAIN)
        draft.put(replace(draft.desk.trades[trade.trade_id], moved_price=mark_price))
        draft.tell(
            "card_moved",
            trade_id=trade.trade_id,
            drift_bps=f"{abs(bps_between(shown.entry_price, mark_price)):.1f}",
            reward_risk=f"{plan.reward_risk:.2f}",
            reward_risk_before=f"{shown.reward_risk:.2f}",
        )
    else:
        _note(draft, trade, event, Effect.ORDERED)
        # The record keeps both: what was asked when the card was made, and what at the tap.
        approval = _approval(draft, trade, event, checks)
        proceed(draft, config, trade.trade_id, plan, trade.checks, approval=approval)


def _moved_bps(trade: Trade, shown: Plan, event: CardAnswered, mark_price: Decimal) -> Decimal:
    """How far the price is from the one that this yes was said to."""
    seen = trade.moved_price if event.confirmed else None
    return abs(bps_between(shown.entry_price if seen is None else seen, mark_price))


def _check_mode(config: BotConfig) -> Check:
    passed = config.approval_mode is not ApprovalMode.SIGNAL_ONLY
    text = "" if passed else "the bot gives signals only now"
    return Check(rule="approval_mode", passed=passed, limit="", value="", text=text)


def _shown_ms(draft: DeskDraft, trade: Trade) -> int:
    if trade.card_shown_ms:
        return trade.card_shown_ms
    # A card of a record older than that field: its expiry tells, unless the bot was edited since.
    config = draft.desk.bots.get(trade.bot_id)
    if config is None or trade.card_expires_ms is None:
        return draft.now_ms
    return trade.card_expires_ms - config.approval_ttl_ms


def _approval(
    draft: DeskDraft, trade: Trade, event: CardAnswered, checks: tuple[Check, ...] = ()
) -> Approval:
    return Approval(
        verb=event.verb.value,
        user_id=event.user_id,
        answered_ms=draft.now_ms,
        shown_ms=_shown_ms(draft, trade),
        mark_price=event.mark_price,
        checks=checks,
    )


def _note(draft: DeskDraft, trade: Trade, event: CardAnswered, effect: Effect) -> None:
    one = Answer(
        verb=event.verb.value,
        user_id=event.user_id,
        answered_ms=draft.now_ms,
        shown_ms=_shown_ms(draft, trade),
        effect=effect,
        confirmed=event.confirmed,
        mark_price=event.mark_price,
    )
    draft.put(replace(trade, answers=(*trade.answers, one)[-ANSWERS_MAX:]))
