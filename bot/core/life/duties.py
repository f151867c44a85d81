"""Duties of one trade: given all facts, what is missing in this phase, and what to send for it.

Must not know: how a fact was learnt. A duty may be run again at any moment: what is already under
way is not sent twice, because the record says that it is.
"""

from collections.abc import Callable
from typing import Final

from bot.core.life.asking import tend_orders
from bot.core.life.closing import attend_closing
from bot.core.life.draft import Draft, text_of
from bot.core.life.entering import attend_awaiting, attend_evaluating, attend_pending, take_position
from bot.core.life.facts import booked, is_book_known
from bot.core.life.protecting import attend_active, attend_unprotected, expires
from bot.core.messages import Level
from bot.core.trade import HOLDING, UNHEARD, Order, Outcome, Phase, Role, Trade
from data.model import ExitReason
from data.money import ZERO

PHASE_CHANGES_MAX: Final = 8  # within one step; more is a loop in the duties


def attend(draft: Draft) -> None:
    """Do the phase's duty until the phase stands still, then look after every open order."""
    for _ in range(PHASE_CHANGES_MAX):
        before = draft.trade.phase
        duty = _DUTIES.get(before)
        if duty is None:
            break
        duty(draft)
        if draft.trade.phase is before:
            break
    else:
        raise AssertionError(f"{draft.trade.trade_id} does not come to rest")
    if draft.trade.phase in HOLDING:
        tend_orders(draft)


def wake_ms(trade: Trade) -> int | None:
    """The earliest moment at which a duty has something to do; None when nothing waits."""
    phase = trade.phase
    moments: list[int | None] = []
    if phase is Phase.EVALUATING:
        return trade.decide_by_ms
    if phase is Phase.AWAITING_APPROVAL:
        return trade.card_expires_ms
    if phase not in HOLDING:
        return None
    moments += [trade.position_ask_ms, trade.fills_ask_ms, trade.funding_ask_ms]
    for order in trade.orders:
        if not order.is_over:
            moments += _order_moments(trade, order)
    moments += _phase_moments(trade)
    return min((m for m in moments if m is not None), default=None)


def _order_moments(trade: Trade, order: Order) -> list[int | None]:
    moments = [order.ask_at_ms, order.cancel_at_ms]
    if order.state in UNHEARD:
        moments.append(order.alarm_at_ms)
    if expires(order) and order.cancel_at_ms is None:
        moments.append(trade.entry_expires_ms)
    return moments


def _phase_moments(trade: Trade) -> list[int | None]:
    if trade.phase is Phase.POSITION_UNPROTECTED:
        return [trade.alarm_at_ms, *_pauses(trade)]
    if trade.phase is Phase.POSITION_ACTIVE:
        kept = [trade.alarm_at_ms, trade.close_by_ms, trade.review_at_ms, trade.move_after_ms]
        return [*kept, *_pauses(trade)]
    return [trade.close_at_ms] if trade.phase is Phase.CLOSING else []


def _pauses(trade: Trade) -> list[int | None]:
    """Until when a refused stop or target is not sent again."""
    latest = (trade.latest(role) for role in (Role.STOP, Role.TARGET))
    return [o.again_at_ms for o in latest if o is not None and o.is_over]


def _idle(draft: Draft) -> None:
    """A terminal trade is left only by something nobody expected."""
    trade = draft.trade
    if not trade.orders:
        return
    if booked(trade) > ZERO and is_book_known(trade):
        # Who wanted it closed before it was ever held still does.
        wanted_gone = trade.outcome is not Outcome.CLOSED
        draft.set(exit_reason=trade.exit_reason if wanted_gone else None, funding_checked=False)
        take_position(draft)
        draft.tell("late_fill", Level.ALARM, quantity=text_of(booked(trade)))
    elif any(not o.is_over for o in trade.orders):
        draft.set(phase=Phase.CLOSING, exit_reason=trade.exit_reason or ExitReason.EXTERNAL)


_DUTIES: Final[dict[Phase, Callable[[Draft], None]]] = {
    Phase.EVALUATING: attend_evaluating,
    Phase.AWAITING_APPROVAL: attend_awaiting,
    Phase.ORDER_PENDING: attend_pending,
    Phase.POSITION_UNPROTECTED: attend_unprotected,
    Phase.POSITION_ACTIVE: attend_active,
    Phase.CLOSING: attend_closing,
    Phase.IDLE: _idle,
}
