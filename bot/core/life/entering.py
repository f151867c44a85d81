"""EVALUATING to ORDER_PENDING: wait for the adviser, for a person, for the entry's fate.

A market entry is sent again at most once, by the three-part rule: the request surely expired, a
later query did not find it, and the position has not moved.
"""

from typing import Final

from bot.core.life.asking import ask_fills, ask_position, end
from bot.core.life.closing import close
from bot.core.life.draft import Draft
from bot.core.life.facts import entered, held
from bot.core.life.protecting import expire_entry
from bot.core.life.refusals import TRY_AGAIN
from bot.core.messages import Level
from bot.core.trade import UNHEARD, Order, OrderState, Outcome, Phase, Role
from data.model import ExitReason, OrderKind
from data.money import ZERO

MISSING_UNLISTED_MIN: Final = 8  # misses that count without a listing of fills beside them
MISSING_BESIDE_OTHERS_MIN: Final = 4  # misses before an entry is given up beside a stranger
ENTRY_ATTEMPTS_MAX: Final = 2  # an entry is sent again once at most


def attend_evaluating(draft: Draft) -> None:
    """Give up when the adviser's time is up: silence is an abstention."""
    trade = draft.trade
    if trade.exit_reason is not None:
        end(draft, Outcome.BLOCKED, "given up before it was decided")
    elif trade.decide_by_ms is not None and draft.now_ms >= trade.decide_by_ms:
        end(draft, Outcome.ABSTAINED, "no decision in time")
        draft.tell("abstained", reason="no decision in time")


def attend_awaiting(draft: Draft) -> None:
    """Give up when nobody answered in time."""
    trade = draft.trade
    if trade.exit_reason is not None:
        end(draft, Outcome.REJECTED, trade.note)
        draft.tell("trade_rejected")
    elif trade.card_expires_ms is not None and draft.now_ms >= trade.card_expires_ms:
        end(draft, Outcome.EXPIRED, "nobody answered in time")
        draft.tell("trade_expired")


def attend_pending(draft: Draft) -> None:
    """Send the entry, or conclude what became of it."""
    trade = draft.trade
    if held(trade) > ZERO:
        take_position(draft)
        return
    if trade.fills or entered(trade) > ZERO:
        close(draft, trade.exit_reason or ExitReason.EXTERNAL, "entered and left unseen")
        return
    entry = trade.latest(Role.ENTRY)
    if entry is None:
        _send_entry(draft)
        return
    expire_entry(draft)
    entry = draft.trade.latest(Role.ENTRY)
    assert entry is not None
    if entry.state in UNHEARD and entry.missing >= 2:
        _conclude_absent(draft, entry)
        entry = draft.trade.latest(Role.ENTRY)
        assert entry is not None
    if entry.is_over:
        _entry_over(draft, entry)


def _send_entry(draft: Draft) -> None:
    plan = draft.trade.plan
    assert plan is not None
    # What the exchange showed before the entry was sent says nothing about it.
    draft.set(moved_ms=max(draft.trade.moved_ms, draft.now_ms))
    draft.place(
        Role.ENTRY,
        side=plan.direction.entry_side,
        kind=plan.entry_kind,
        quantity=plan.quantity,
        price=plan.entry_price if plan.entry_kind is OrderKind.LIMIT else None,
    )


def _conclude_absent(draft: Draft, entry: Order) -> None:
    """The three-part rule: expired for sure, not found since, and the position has not moved."""
    trade, timing = draft.trade, draft.timing
    # A reading may be older than its question, and our clock ahead: what may be late is waited for.
    expired_ms = entry.sent_ms + timing.receive_window_ms + timing.settle_margin_ms
    safe_ms = expired_ms + timing.reading_lag_ms
    if trade.position_seen is None or trade.position_seen_ms <= safe_ms:
        ask_position(draft)
    elif trade.no_entry_ms <= safe_ms and entry.missing < MISSING_UNLISTED_MIN:
        ask_fills(draft)  # Flat again is not unmoved: it may have been filled, and liquidated.
    elif trade.position_seen == ZERO and entry.filled == ZERO:
        draft.set_order(entry, state=OrderState.ABSENT, ask_at_ms=None, cancel_at_ms=None)
    elif trade.no_entry_ms <= safe_ms:
        ask_fills(draft)  # Somebody else holds this symbol: only the fills can tell.
    elif entry.missing >= MISSING_BESIDE_OTHERS_MIN and entry.filled == ZERO:
        # No fill of ours, asked for long after it expired. It is not sent again beside a stranger.
        draft.set(exit_reason=ExitReason.EXTERNAL, note="somebody else holds this symbol")
        draft.set_order(entry, state=OrderState.ABSENT, ask_at_ms=None, cancel_at_ms=None)


def _entry_over(draft: Draft, entry: Order) -> None:
    trade = draft.trade
    assert entry.filled == ZERO, f"{entry.order_id} is over and filled, yet nothing is held"
    wanted = trade.exit_reason is None and draft.now_ms < (trade.entry_expires_ms or 0)
    # An unmoved position is no evidence against a limit order: it may rest unseen. Not twice.
    absent = entry.state is OrderState.ABSENT and entry.kind is OrderKind.MARKET
    passing = entry.state is OrderState.REFUSED and entry.refusal_code in TRY_AGAIN
    again = absent or passing
    if again and wanted and len(trade.of_role(Role.ENTRY)) < ENTRY_ATTEMPTS_MAX:
        _send_entry(draft)
    elif entry.state is OrderState.REFUSED:
        end(draft, Outcome.REFUSED, f"{entry.refusal_code}: {entry.refusal_text}")
        draft.tell(
            "entry_refused",
            Level.WARNING,
            code=str(entry.refusal_code),
            reason=entry.refusal_text,
        )
    else:
        end(draft, Outcome.UNFILLED, "the entry was not filled")
        draft.tell("trade_unfilled")


def take_position(draft: Draft) -> None:
    """Something is held: it is bare until a stop is confirmed."""
    trade, now_ms = draft.trade, draft.now_ms
    plan = trade.plan
    hold_ms = plan.hold_ms_max if plan else 0
    draft.set(
        phase=Phase.POSITION_UNPROTECTED,
        was_held=True,
        outcome=None,
        closed_ms=None,
        unprotected_since_ms=now_ms,
        alarm_at_ms=now_ms + draft.timing.unprotected_alarm_ms,
        close_by_ms=now_ms + hold_ms
        if hold_ms and trade.close_by_ms is None
        else trade.close_by_ms,
        review_at_ms=now_ms + trade.review_every_ms if trade.review_every_ms else None,
    )
