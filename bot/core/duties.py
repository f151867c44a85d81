"""Duties of one trade: given all facts, what is missing in this phase, and what to send for it.

Must not know: how a fact was learnt. A duty may be run again at any moment: what is already under
way is not sent twice, because the record says that it is.
"""

from collections.abc import Callable
from typing import Final

from bot.core.draft import Draft, text_of
from bot.core.facts import booked, entered, fills_missing, held, is_flat, seen
from bot.core.messages import (
    AskAdvisor,
    AskFills,
    AskFunding,
    AskOrder,
    AskPosition,
    Level,
    Tell,
)
from bot.core.trade import (
    HOLDING,
    UNHEARD,
    Order,
    OrderState,
    Outcome,
    Phase,
    Role,
    Trade,
)
from data.model import ExitReason, FillCause, OrderKind
from data.money import ZERO

ENTRY_ATTEMPTS_MAX: Final = 2  # an entry is sent again once at most
STOP_ATTEMPTS_MAX: Final = 4  # protection is tried this often before the position is closed
TARGET_ATTEMPTS_MAX: Final = 4
PHASE_CHANGES_MAX: Final = 8  # within one step; more is a loop in the duties
HOUR_MS: Final = 3_600_000  # the shortest funding interval
FUNDING_SLACK_MS: Final = 60_000  # the exchange may book a payment this much off the hour
CLOSE_PAUSE_MS: Final = 500  # between a close order that failed and the next

# Refusals by the exchange's code (reference: error table of its API, 2026-11).
WOULD_TRIGGER: Final = frozenset({-2021, -4142})
NEEDS_POSITION: Final = frozenset({-4509, -4129})
NOT_EXECUTED_TRY_AGAIN: Final = frozenset({-1021, -5028, -1008, -1015, -1003, -1016})


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
        _tend_orders(draft)


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
    moments += [trade.position_ask_ms, trade.fills_ask_ms]
    for order in trade.orders:
        if not order.is_over:
            moments += [order.ask_at_ms, order.cancel_at_ms]
            if _expires(order) and order.cancel_at_ms is None:
                moments.append(trade.entry_expires_ms)
    if phase is Phase.POSITION_UNPROTECTED:
        moments.append(trade.alarm_at_ms)
    elif phase is Phase.POSITION_ACTIVE:
        moments += [trade.close_by_ms, trade.review_at_ms]
    elif phase is Phase.CLOSING:
        moments.append(trade.close_at_ms)
    return min((m for m in moments if m is not None), default=None)


def _expires(order: Order) -> bool:
    # A market order is over at once or not at all: only a resting entry is cancelled.
    return order.role is Role.ENTRY and order.kind is OrderKind.LIMIT


# ------------------------------------------------------------------- before an order


def _evaluating(draft: Draft) -> None:
    trade = draft.trade
    if trade.exit_reason is not None:
        _end(draft, Outcome.BLOCKED, "given up before it was decided")
    elif trade.decide_by_ms is not None and draft.now_ms >= trade.decide_by_ms:
        _end(draft, Outcome.ABSTAINED, "no decision in time")
        draft.tell("abstained", reason="no decision in time")


def _awaiting(draft: Draft) -> None:
    trade = draft.trade
    if trade.exit_reason is not None:
        _end(draft, Outcome.REJECTED, trade.note)
        draft.tell("trade_rejected")
    elif trade.card_expires_ms is not None and draft.now_ms >= trade.card_expires_ms:
        _end(draft, Outcome.EXPIRED, "nobody answered in time")
        draft.tell("trade_expired")


def _end(draft: Draft, outcome: Outcome, note: str) -> None:
    draft.set(
        phase=Phase.IDLE,
        outcome=outcome,
        note=note,
        closed_ms=draft.now_ms,
        decide_by_ms=None,
        card_expires_ms=None,
        entry_expires_ms=None,
        position_ask_ms=None,
        fills_ask_ms=None,
        close_at_ms=None,
        close_by_ms=None,
        review_at_ms=None,
        alarm_at_ms=None,
    )


# ------------------------------------------------------------------------- the entry


def _pending(draft: Draft) -> None:
    trade = draft.trade
    if held(trade) > ZERO:
        _take_position(draft)
        return
    if trade.fills or entered(trade) > ZERO:
        _close(draft, trade.exit_reason or ExitReason.EXTERNAL, "entered and left unseen")
        return
    entry = trade.latest(Role.ENTRY)
    if entry is None:
        _send_entry(draft)
        return
    _expire_entry(draft)
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


def _expire_entry(draft: Draft) -> None:
    trade = draft.trade
    late = trade.entry_expires_ms is not None and draft.now_ms >= trade.entry_expires_ms
    if late or trade.exit_reason is not None:
        for order in filter(_expires, trade.orders):
            draft.cancel(order)


def _conclude_absent(draft: Draft, entry: Order) -> None:
    """The three-part rule: expired for sure, not found since, and the position has not moved."""
    trade, timing = draft.trade, draft.timing
    safe_ms = entry.sent_ms + timing.receive_window_ms + timing.settle_margin_ms
    if trade.position_seen is None or trade.position_seen_ms <= safe_ms:
        _ask_position(draft)
    elif trade.position_seen == ZERO and entry.filled == ZERO:
        draft.set_order(entry, state=OrderState.ABSENT, ask_at_ms=None, cancel_at_ms=None)


def _entry_over(draft: Draft, entry: Order) -> None:
    trade = draft.trade
    assert entry.filled == ZERO, f"{entry.order_id} is over and filled, yet nothing is held"
    wanted = trade.exit_reason is None and draft.now_ms < (trade.entry_expires_ms or 0)
    again = entry.state is OrderState.ABSENT or (
        entry.state is OrderState.REFUSED and entry.refusal_code in NOT_EXECUTED_TRY_AGAIN
    )
    if again and wanted and len(trade.of_role(Role.ENTRY)) < ENTRY_ATTEMPTS_MAX:
        _send_entry(draft)
    elif entry.state is OrderState.REFUSED:
        _end(draft, Outcome.REFUSED, f"{entry.refusal_code}: {entry.refusal_text}")
        draft.tell(
            "entry_refused",
            Level.WARNING,
            code=str(entry.refusal_code),
            reason=entry.refusal_text,
        )
    else:
        _end(draft, Outcome.UNFILLED, "the entry was not filled")
        draft.tell("trade_unfilled")


def _take_position(draft: Draft) -> None:
    trade, now_ms = draft.trade, draft.now_ms
    plan = trade.plan
    hold_ms = plan.hold_ms_max if plan else 0
    draft.set(
        phase=Phase.POSITION_UNPROTECTED,
        outcome=None,
        closed_ms=None,
        unprotected_since_ms=now_ms,
        alarm_at_ms=now_ms + draft.timing.unprotected_alarm_ms,
        close_by_ms=now_ms + hold_ms
        if hold_ms and trade.close_by_ms is None
        else trade.close_by_ms,
        review_at_ms=now_ms + trade.review_every_ms if trade.review_every_ms else None,
    )


# ------------------------------------------------------------------------ protection


def _unprotected(draft: Draft) -> None:
    trade = draft.trade
    if _leaves(draft):
        return
    _expire_entry(draft)
    if trade.plan is None:
        _close(draft, ExitReason.EMERGENCY, "there is no plan to protect it by")
        return
    stop = _want(draft, Role.STOP, STOP_ATTEMPTS_MAX)
    if stop is not None and stop.is_over:
        _close(draft, ExitReason.EMERGENCY, f"no stop could be placed: {stop.refusal_text}")
        return
    _want(draft, Role.TARGET, TARGET_ATTEMPTS_MAX)
    since_ms = draft.trade.unprotected_since_ms or draft.now_ms
    if stop is not None and stop.state is OrderState.LIVE:
        draft.set(
            phase=Phase.POSITION_ACTIVE,
            unprotected_ms=draft.trade.unprotected_ms + draft.now_ms - since_ms,
            unprotected_since_ms=None,
            alarm_at_ms=None,
        )
        if stop.attempt == 0:
            draft.tell("trade_opened")
        else:
            draft.tell("protected_again", attempt=str(stop.attempt))
    elif draft.now_ms >= since_ms + draft.timing.unprotected_max_ms:
        _close(draft, ExitReason.EMERGENCY, "no stop was confirmed in time")
    elif draft.trade.alarm_at_ms is not None and draft.now_ms >= draft.trade.alarm_at_ms:
        draft.set(alarm_at_ms=since_ms + draft.timing.unprotected_max_ms)
        draft.tell("unprotected", Level.ALARM, for_ms=str(draft.now_ms - since_ms))


def _want(draft: Draft, role: Role, attempts_max: int) -> Order | None:
    """The protective order of that role, placed (again) when there is none under way.

    None while the exchange says that there is no position to protect: that is asked first.
    """
    order = draft.trade.latest(role)
    if order is not None and not order.is_over:
        return order
    if order is not None:
        hopeless = order.refusal_code in WOULD_TRIGGER
        if hopeless or len(draft.trade.of_role(role)) >= attempts_max:
            return order
        shown = seen(draft.trade)
        if order.refusal_code in NEEDS_POSITION and (
            not shown or draft.trade.position_seen_ms <= order.sent_ms
        ):
            _ask_position(draft)
            _ask_fills(draft)
            return None
        draft.tell("protection_refused", Level.WARNING, role=role.name, reason=order.refusal_text)
    trade = draft.trade
    assert trade.plan is not None
    stop = role is Role.STOP
    return draft.place(
        role,
        side=trade.plan.direction.exit_side,
        kind=OrderKind.STOP_MARKET if stop else OrderKind.TAKE_PROFIT_MARKET,
        quantity=ZERO,
        trigger_price=trade.plan.stop_price if stop else trade.plan.target_price,
        close_position=True,
    )


def _active(draft: Draft) -> None:
    if _leaves(draft):
        return
    trade = draft.trade
    _expire_entry(draft)
    if trade.close_by_ms is not None and draft.now_ms >= trade.close_by_ms:
        _close(draft, ExitReason.TIMEOUT, "held for as long as allowed")
        return
    stop = trade.latest(Role.STOP)
    if stop is None or stop.is_over:
        _lose_stop(draft)
        return
    if trade.plan is not None:
        target = _want(draft, Role.TARGET, TARGET_ATTEMPTS_MAX)
        if target is not None and target.refusal_code in WOULD_TRIGGER:
            _close(draft, ExitReason.TAKE_PROFIT, "the price is already beyond the target")
            return
    _settle_doubt(draft)
    if trade.review_at_ms is not None and draft.now_ms >= trade.review_at_ms:
        draft.set(review_at_ms=draft.now_ms + trade.review_every_ms)
        draft.say(
            AskAdvisor(
                trade_id=trade.trade_id,
                bot_id=trade.bot_id,
                symbol=trade.symbol,
                purpose="manage",
                deadline_ms=draft.now_ms + draft.timing.decide_within_ms,
            )
        )


def _lose_stop(draft: Draft) -> None:
    # The exchange ended our stop while we think something is held. If the position is gone, the
    # answers will say so; until then it is bare, and a new stop is harmless.
    draft.set(
        phase=Phase.POSITION_UNPROTECTED,
        unprotected_since_ms=draft.now_ms,
        alarm_at_ms=draft.now_ms + draft.timing.unprotected_alarm_ms,
    )
    _ask_position(draft)
    _ask_fills(draft)


def _leaves(draft: Draft) -> bool:
    """Go to CLOSING when something already ended, or should end, the position."""
    trade = draft.trade
    stop, target = trade.latest(Role.STOP), trade.latest(Role.TARGET)
    done = (OrderState.TRIGGERED, OrderState.FILLED)
    if trade.exit_reason is not None:
        _close(draft, trade.exit_reason, trade.note)
    elif stop is not None and stop.state in done:
        _close(draft, ExitReason.STOP_LOSS, "")
    elif target is not None and target.state in done:
        _close(draft, ExitReason.TAKE_PROFIT, "")
    elif is_flat(trade) or booked(trade) < ZERO:
        _close(draft, ExitReason.EXTERNAL, "the position is gone")
    else:
        return False
    return True


# -------------------------------------------------------------------------- the exit


def _close(draft: Draft, reason: ExitReason, note: str) -> None:
    trade = draft.trade
    bare_ms = 0
    if trade.unprotected_since_ms is not None:
        bare_ms = draft.now_ms - trade.unprotected_since_ms
    draft.set(
        phase=Phase.CLOSING,
        exit_reason=reason,
        note=note,
        unprotected_ms=trade.unprotected_ms + bare_ms,
        unprotected_since_ms=None,
        alarm_at_ms=None,
    )
    if reason is ExitReason.EMERGENCY:
        draft.tell("emergency_close", Level.ALARM, reason=note)


def _closing(draft: Draft) -> None:
    trade = draft.trade
    for order in trade.of_role(Role.ENTRY):
        draft.cancel(order)
    trade = draft.trade
    if _flipped(trade):
        draft.set(phase=Phase.HALTED, note="the position is on the other side: not by us")
        draft.tell("halted", Level.ALARM, reason=draft.trade.note)
        return
    if held(trade) > ZERO:
        _reduce(draft)
        return
    if not is_flat(trade):
        _ask_position(draft)
        if booked(trade) != ZERO:
            _ask_fills(draft)
        return
    for order in trade.orders:
        draft.cancel(order)
    if all(o.is_over for o in draft.trade.orders):
        _settle(draft)


def _flipped(trade: Trade) -> bool:
    shown = seen(trade)
    return shown is not None and shown < ZERO and booked(trade) <= ZERO


def _reduce(draft: Draft) -> None:
    trade = draft.trade
    if seen(trade) == ZERO:
        # The exchange shows flat, our book does not: fills are missing, or that view is stale.
        _settle_doubt(draft)
        return
    working = [
        o
        for o in trade.orders
        if o.role is not Role.ENTRY
        and (o.state is OrderState.TRIGGERED or (o.role is Role.CLOSE and not o.is_over))
    ]
    if working:
        return
    last = trade.latest(Role.CLOSE)
    if trade.close_at_ms is not None and draft.now_ms < trade.close_at_ms:
        return
    if last is not None and trade.close_at_ms is None and last.filled == ZERO:
        # The last one came to nothing: find out why before the next.
        _ask_position(draft)
        _ask_fills(draft)
        pause_ms = CLOSE_PAUSE_MS * 2 ** min(last.attempt, 5)
        draft.set(close_at_ms=draft.now_ms + pause_ms)
        draft.tell("close_refused", Level.WARNING, reason=last.refusal_text)
        if last.refusal_code not in NOT_EXECUTED_TRY_AGAIN:
            _clear_exits(draft)
        return
    draft.set(close_at_ms=None)
    assert draft.trade.direction is not None
    draft.place(
        Role.CLOSE,
        side=draft.trade.direction.exit_side,
        kind=OrderKind.MARKET,
        quantity=held(draft.trade),
        reduce_only=True,
    )


def _clear_exits(draft: Draft) -> None:
    # Resting exits can compete with a reduce-only close: clear them before the next one.
    for order in draft.trade.orders:
        if order.role in (Role.STOP, Role.TARGET):
            draft.cancel(order)


def _settle(draft: Draft) -> None:
    """Everything is over: book what is missing, then end."""
    trade = draft.trade
    if fills_missing(trade):
        _ask_fills(draft)
        return
    if not trade.fills:
        _end(draft, Outcome.UNFILLED, trade.note or "nothing was ever held")
        draft.tell("trade_unfilled")
        return
    if not trade.funding_checked and _paid_besides(trade):
        if trade.fills_ask_ms is None or draft.now_ms >= trade.fills_ask_ms:
            draft.set(fills_ask_ms=draft.now_ms + draft.timing.cancel_again_ms)
            first_ms = min(f.filled_ms for f in trade.fills)
            draft.say(AskFunding(symbol=trade.symbol, since_ms=first_ms))
        return
    _end(draft, Outcome.CLOSED, trade.note)
    draft.say(Tell(kind="trade_closed", trade_id=trade.trade_id))


def _paid_besides(trade: Trade) -> bool:
    """Whether the exchange may have booked funding, or a liquidation's fee, for this trade."""
    if any(f.cause is FillCause.LIQUIDATION for f in trade.fills):
        return True
    first_ms = min(f.filled_ms for f in trade.fills) - FUNDING_SLACK_MS
    last_ms = trade.moved_ms + FUNDING_SLACK_MS
    return first_ms // HOUR_MS != last_ms // HOUR_MS


# ---------------------------------------------------------------------- late and lost


def _idle(draft: Draft) -> None:
    """A terminal trade is left only by something nobody expected."""
    trade = draft.trade
    if not trade.orders:
        return
    if booked(trade) > ZERO and not trade.adopted:
        draft.set(exit_reason=None)
        _take_position(draft)
        draft.tell("late_fill", Level.ALARM, quantity=text_of(booked(trade)))
    elif any(not o.is_over for o in trade.orders):
        draft.set(phase=Phase.CLOSING, exit_reason=trade.exit_reason or ExitReason.EXTERNAL)


def _halted(draft: Draft) -> None:
    if draft.trade.exit_reason is ExitReason.MANUAL:
        draft.set(phase=Phase.CLOSING)


def _settle_doubt(draft: Draft) -> None:
    """When book and exchange differ, ask for both until they agree."""
    trade = draft.trade
    shown = seen(trade)
    if shown is not None and shown != booked(trade) and not trade.adopted:
        _ask_position(draft)
        _ask_fills(draft)


def _ask_position(draft: Draft) -> None:
    due_ms = draft.trade.position_ask_ms
    if due_ms is None or draft.now_ms >= due_ms:
        draft.set(position_ask_ms=draft.now_ms + draft.timing.cancel_again_ms)
        draft.say(AskPosition(symbol=draft.trade.symbol))


def _ask_fills(draft: Draft) -> None:
    due_ms = draft.trade.fills_ask_ms
    if due_ms is None or draft.now_ms >= due_ms:
        trade = draft.trade
        draft.set(fills_ask_ms=draft.now_ms + draft.timing.cancel_again_ms)
        since_ms = min((o.sent_ms for o in trade.orders), default=trade.opened_ms)
        draft.say(AskFills(symbol=trade.symbol, since_ms=since_ms))


def _tend_orders(draft: Draft) -> None:
    """Ask about what nobody has answered for, and cancel again what should be gone."""
    now_ms = draft.now_ms
    for order in draft.trade.orders:
        if order.is_over:
            continue
        if order.ask_at_ms is not None and now_ms >= order.ask_at_ms:
            order = _ask(draft, order)
        if order.cancel_at_ms is not None and now_ms >= order.cancel_at_ms:
            draft.send_cancel(order)
    trade = draft.trade
    if trade.position_ask_ms is not None and now_ms >= trade.position_ask_ms:
        draft.set(position_ask_ms=None)
    if trade.fills_ask_ms is not None and now_ms >= trade.fills_ask_ms:
        draft.set(fills_ask_ms=None)


def _ask(draft: Draft, order: Order) -> Order:
    patience = draft.timing
    wait_ms = min(patience.ask_after_ms * 2 ** min(order.asks, 6), patience.ask_backoff_max_ms)
    state = OrderState.UNKNOWN if order.state is OrderState.SENT else order.state
    draft.say(AskOrder(order_id=order.order_id, symbol=order.symbol, conditional=order.conditional))
    if state is OrderState.UNKNOWN and order.state is OrderState.SENT:
        draft.tell("unknown_outcome", Level.WARNING, order_id=order.order_id, reason="no answer")
    return draft.set_order(
        order, state=state, asks=order.asks + 1, ask_at_ms=draft.now_ms + wait_ms
    )


_DUTIES: Final[dict[Phase, Callable[[Draft], None]]] = {
    Phase.EVALUATING: _evaluating,
    Phase.AWAITING_APPROVAL: _awaiting,
    Phase.ORDER_PENDING: _pending,
    Phase.POSITION_UNPROTECTED: _unprotected,
    Phase.POSITION_ACTIVE: _active,
    Phase.CLOSING: _closing,
    Phase.IDLE: _idle,
    Phase.HALTED: _halted,
}
