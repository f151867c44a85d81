"""Facts of one trade: what an input says is written down, whatever the phase.

Must not know: what to do about a fact. Every fold is safe to repeat, and none believes less than
it did: filled quantities only grow, a terminal order stays terminal.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from bot.core.life.draft import Draft
from bot.core.life.refusals import ALREADY_THERE
from bot.core.messages import (
    AskFailed,
    CloseRequested,
    Filled,
    FillsListed,
    FundingListed,
    Level,
    OrderRefused,
    OrderReported,
    OrderUnknown,
    PositionSeen,
    ShowCard,
    Woke,
)
from bot.core.rulings import Drop, Proceed
from bot.core.trade import UNHEARD, Order, OrderState, Phase, Role, Trade
from data.model import ExitReason, Fill, FillCause, OrderKind, OrderStatus
from data.money import ZERO

BOOKED_LATE_MS: Final = 1_000  # income rows may be dated this much after the fill they go with
UNSURE_LISTINGS_MIN: Final = 3  # of fills nobody claims before a waiting stop cannot own them

# --------------------------------------------------------------------------- questions


def entered(trade: Trade) -> Decimal:
    """Base units our entry orders have filled, as far as anyone has told us."""
    return sum((o.filled for o in trade.orders if o.role is Role.ENTRY), ZERO)


def is_book_known(trade: Trade) -> bool:
    """False for a position that was adopted without the fills that made it."""
    return not trade.adopted or any(o.role is Role.ENTRY for o in trade.orders)


def booked(trade: Trade) -> Decimal:
    """Base units held by our own book: entries less exits, with foreign fills.

    Without a book (`is_book_known`), what the exchange shows stands for it.
    """
    direction = trade.direction
    if direction is None:
        return ZERO
    if trade.adopted and not is_book_known(trade):
        return max(ZERO, (trade.position_seen or ZERO) * direction.sign)
    net = ZERO
    for order in trade.orders:
        net += order.filled if order.role is Role.ENTRY else -order.filled
    for fill in trade.fills:
        if trade.order(fill.order_id) is None:
            net += fill.quantity if fill.side is direction.entry_side else -fill.quantity
    return net - trade.written_off


def seen(trade: Trade) -> Decimal | None:
    """Base units the exchange showed in our direction; None when that is older than a fill."""
    if trade.position_seen is None or trade.position_seen_ms < trade.moved_ms:
        return None
    return trade.position_seen * (1 if trade.direction is None else trade.direction.sign)


def held(trade: Trade) -> Decimal:
    """What must be treated as held: the larger of what we booked and what the exchange showed."""
    shown = seen(trade)
    own = booked(trade)
    return own if shown is None else max(own, shown)


def is_flat(trade: Trade) -> bool:
    """True when our book and the exchange both say that nothing is held."""
    shown = seen(trade)
    return shown == ZERO and booked(trade) == ZERO


def is_turned(trade: Trade) -> bool:
    """True when the exchange shows the other side, and what we held is gone: not by us."""
    shown = seen(trade)
    return shown is not None and shown < ZERO and booked(trade) <= ZERO


def fills_missing(trade: Trade) -> bool:
    """True when an order has filled more than the fills we know (their fees and profit)."""
    return any(_filled_by(trade, o.order_id) < o.filled for o in trade.orders)


# ------------------------------------------------------------------------------- folds


def fold(draft: Draft, given: object) -> None:
    """Write down what the input says."""
    _FOLDS[type(given)](draft, given)


def _proceed(draft: Draft, given: Proceed) -> None:
    trade, now_ms = draft.trade, draft.now_ms
    draft.set(
        plan=given.plan,
        checks=given.checks,
        decision=given.decision or trade.decision,
        approval=given.approval,
        decide_by_ms=None,
        review_every_ms=given.review_every_ms,
    )
    if given.card_expires_ms is not None:
        draft.set(phase=Phase.AWAITING_APPROVAL, card_expires_ms=given.card_expires_ms)
        draft.say(ShowCard(trade_id=trade.trade_id, expires_ms=given.card_expires_ms))
        return
    draft.set(
        phase=Phase.ORDER_PENDING,
        card_expires_ms=None,
        entry_expires_ms=now_ms + given.plan.entry_timeout_ms,
    )


def _drop(draft: Draft, given: Drop) -> None:
    draft.set(
        phase=Phase.IDLE,
        outcome=given.outcome,
        note=given.note,
        checks=given.checks or draft.trade.checks,
        decision=given.decision or draft.trade.decision,
        approval=given.approval or draft.trade.approval,
        decide_by_ms=None,
        card_expires_ms=None,
        closed_ms=draft.now_ms,
    )


def _close_requested(draft: Draft, given: CloseRequested) -> None:
    if draft.trade.phase is Phase.HALTED:
        draft.set(phase=Phase.CLOSING, note=f"looked at and close asked by {given.by}")
    if draft.trade.exit_reason is None and draft.trade.phase is not Phase.IDLE:
        draft.set(exit_reason=given.reason, note=f"close asked by {given.by}")


_STATE_OF: Final = {
    OrderStatus.NEW: OrderState.LIVE,
    OrderStatus.PARTIALLY_FILLED: OrderState.LIVE,
    OrderStatus.TRIGGERED: OrderState.TRIGGERED,
    OrderStatus.FILLED: OrderState.FILLED,
    OrderStatus.CANCELED: OrderState.CANCELED,
    OrderStatus.EXPIRED: OrderState.EXPIRED,
    OrderStatus.REJECTED: OrderState.REFUSED,
}
# Our own conclusions give way to the exchange's word; its own last words do not.
_CONCLUDED: Final = frozenset({OrderState.ABSENT, OrderState.REFUSED})


def _reported(draft: Draft, given: OrderReported) -> None:
    report = given.report
    order = draft.trade.order(report.order_id)
    if order is None:
        return
    filled = max(order.filled, report.filled_quantity)
    if filled > order.filled:
        _moved(draft, report.event_ms)
    number = report.venue_order_id
    numbers = order.venue_order_ids
    if number is not None and number not in numbers:
        numbers = (*numbers, number)
    state = _state_after(order, report.status, is_child=not report.conditional)
    over = state not in (*UNHEARD, OrderState.LIVE, OrderState.TRIGGERED)
    draft.set_order(
        order,
        state=state,
        filled=filled,
        venue_order_ids=numbers,
        average_price=report.average_price or order.average_price,
        missing=0,
        ask_at_ms=None if over else _next_ask(draft, order, state),
        cancel_at_ms=None if over else order.cancel_at_ms,
        refusal_text=report.reason or order.refusal_text,
    )


def _moved(draft: Draft, at_ms: int) -> None:
    # What was listed of funding before this may lack the last payment.
    if at_ms > draft.trade.moved_ms:
        draft.set(moved_ms=at_ms, funding_checked=False)


def _state_after(order: Order, status: OrderStatus, *, is_child: bool) -> OrderState:
    told = _STATE_OF[status]
    if order.is_over and order.state not in _CONCLUDED:
        return order.state
    if order.conditional and is_child and told is OrderState.LIVE:
        return OrderState.TRIGGERED
    if order.state is OrderState.TRIGGERED and told is OrderState.LIVE:
        return OrderState.TRIGGERED  # A late word from before the trigger.
    return told


def _next_ask(draft: Draft, order: Order, state: OrderState) -> int | None:
    # What should be done at once (a market order, a triggered child) is asked about again.
    if state is OrderState.TRIGGERED or order.kind is OrderKind.MARKET:
        due_ms = draft.now_ms + draft.timing.ask_after_ms
        return due_ms if order.ask_at_ms is None else max(order.ask_at_ms, draft.now_ms + 1)
    return None


def _refused(draft: Draft, given: OrderRefused) -> None:
    order = draft.trade.order(given.order_id)
    if order is None or order.is_over:
        return
    if given.action == "cancel":
        refused = order.cancels_refused + 1
        draft.set_order(order, ask_at_ms=draft.now_ms, cancels_refused=refused)
    elif order.state in UNHEARD:
        draft.set_order(
            order,
            state=OrderState.REFUSED,
            refusal_code=given.code,
            refusal_text=given.text,
            ask_at_ms=None,
            cancel_at_ms=None,
        )
        if given.code in ALREADY_THERE:
            # One that nobody answered for must be it: ask about that one now.
            for other in draft.trade.of_role(order.role):
                if other.state in UNHEARD:
                    draft.set_order(other, ask_at_ms=draft.now_ms)


def _unknown(draft: Draft, given: OrderUnknown) -> None:
    order = draft.trade.order(given.order_id)
    if order is not None and given.action == "cancel" and not order.is_over:
        draft.set_order(order, ask_at_ms=draft.now_ms)  # It may be gone: find out.
    elif order is not None and given.action == "place" and order.state is OrderState.SENT:
        draft.set_order(order, state=OrderState.UNKNOWN)
        draft.tell("unknown_outcome", Level.WARNING, order_id=given.order_id, reason=given.reason)


def _filled(draft: Draft, given: Filled) -> None:
    _book(draft, given.fill)


def _fills_listed(draft: Draft, given: FillsListed) -> None:
    trade = draft.trade
    owners = {number: o.order_id for o in trade.orders for number in o.venue_order_ids}
    unsure = _might_own(trade)
    first_ms = min((o.sent_ms for o in trade.orders), default=draft.now_ms)
    for fill in given.fills:
        order_id = owners.get(fill.venue_order_id)
        if order_id is not None:
            _book(draft, fill, order_id)
        elif not unsure and fill.filled_ms >= first_ms:
            _book(draft, fill)
    known = {fill.fill_id for fill in draft.trade.fills}
    left = unsure and any(f.filled_ms >= first_ms and f.fill_id not in known for f in given.fills)
    draft.set(unsure_listings=trade.unsure_listings + 1 if left else 0)
    if draft.trade.fills != trade.fills:
        # News: the next question may follow at once.
        draft.set(fills_ask_ms=None, quiet_listings=0)
        return
    side = trade.direction.entry_side if trade.direction else None
    others = [f for f in given.fills if f.filled_ms >= first_ms and f.fill_id not in known]
    if not any(f.side is side for f in others):
        draft.set(no_entry_ms=given.asked_ms)
    if not others:
        draft.set(quiet_listings=trade.quiet_listings + 1, quiet_listed_ms=given.asked_ms)


def _might_own(trade: Trade) -> bool:
    """True while a fill of an unknown number may be of an order of ours whose number is unknown.

    A stop that waits has none until it fires. That it fired unheard is told soon, if it is so:
    what is listed again and again is then somebody else's, and our book must know it.
    """
    nameless = [
        order
        for order in trade.orders
        if not order.venue_order_ids
        and order.state not in (OrderState.ABSENT, OrderState.REFUSED)
        and not (order.is_over and order.filled == ZERO)
    ]
    waiting = all(o.conditional and o.state is OrderState.LIVE for o in nameless)
    return bool(nameless) and not (waiting and trade.unsure_listings >= UNSURE_LISTINGS_MIN)


def _book(draft: Draft, fill: Fill, order_id: str | None = None) -> None:
    trade = draft.trade
    if order_id is not None and order_id != fill.order_id:
        fill = replace(fill, order_id=order_id)
    known = next((f for f in trade.fills if f.fill_id == fill.fill_id), None)
    if known is not None and (trade.order(known.order_id) or not trade.order(fill.order_id)):
        return
    # A fill booked as foreign is ours after all, now that its owner is known.
    others = tuple(f for f in trade.fills if f is not known)
    draft.set(fills=(*others, fill))
    _moved(draft, fill.filled_ms)
    order = draft.trade.order(fill.order_id)
    if order is None:
        _book_foreign(draft, fill)
        return
    numbers = order.venue_order_ids
    if fill.venue_order_id not in numbers:
        numbers = (*numbers, fill.venue_order_id)
    state = order.state
    if state in UNHEARD or state in _CONCLUDED:
        # It exists after all; whether it is done, the report that comes with the fill says.
        state = OrderState.TRIGGERED if order.conditional else OrderState.LIVE
    elif state is OrderState.LIVE and order.conditional:
        state = OrderState.TRIGGERED
    ask_at_ms = order.ask_at_ms
    if state in (OrderState.LIVE, OrderState.TRIGGERED) and ask_at_ms is None:
        ask_at_ms = draft.now_ms + draft.timing.ask_after_ms
    draft.set_order(
        order,
        state=state,
        filled=max(order.filled, _filled_by(draft.trade, order.order_id)),
        venue_order_ids=numbers,
        ask_at_ms=ask_at_ms,
    )


def _book_foreign(draft: Draft, fill: Fill) -> None:
    reasons = {
        FillCause.LIQUIDATION: ExitReason.LIQUIDATION,
        FillCause.ADL: ExitReason.ADL,
    }
    reason = reasons.get(fill.cause, ExitReason.EXTERNAL)
    kind = "liquidated" if reason is ExitReason.LIQUIDATION else "foreign_fill"
    draft.tell(
        kind,
        Level.ALARM,
        side=fill.side.value,
        quantity=format(fill.quantity, "f"),
        price=format(fill.price, "f"),
        cause=fill.cause.value,
    )
    direction = draft.trade.direction
    closes = direction is not None and fill.side is direction.exit_side
    guessed = draft.trade.exit_reason in (None, ExitReason.EMERGENCY, ExitReason.EXTERNAL)
    if guessed and closes and booked(draft.trade) <= ZERO:
        draft.set(exit_reason=reason)


def _filled_by(trade: Trade, order_id: str) -> Decimal:
    return sum((f.quantity for f in trade.fills if f.order_id == order_id), ZERO)


def _funding_listed(draft: Draft, given: FundingListed) -> None:
    known = {f.funding_id for f in draft.trade.funding}
    first_ms = min((f.filled_ms for f in draft.trade.fills), default=draft.now_ms)
    # A liquidation's fee is booked with its fill, or a moment after it.
    last_ms = draft.trade.moved_ms + BOOKED_LATE_MS
    fresh = {
        f.funding_id: f
        for f in given.funding
        if f.funding_id not in known and first_ms <= f.paid_ms <= last_ms
    }
    # An answer to an older question (of the trade before this one, say) may lack the last payment.
    checked = draft.trade.funding_checked or given.asked_ms >= draft.trade.moved_ms
    draft.set(funding=(*draft.trade.funding, *fresh.values()), funding_checked=checked)


def _position_seen(draft: Draft, given: PositionSeen) -> None:
    if given.seen_ms >= draft.trade.position_seen_ms:
        quantity = ZERO if draft.trade.succeeded else given.quantity
        draft.set(position_seen=quantity, position_seen_ms=given.seen_ms)


def _nothing(draft: Draft, given: object) -> None:
    """Deadlines are looked at by the duties; a failed question is asked again by its timer."""


_FOLDS: Final[dict[type, Callable[[Draft, Any], None]]] = {
    Proceed: _proceed,
    Drop: _drop,
    Woke: _nothing,
    AskFailed: _nothing,
    CloseRequested: _close_requested,
    OrderReported: _reported,
    OrderRefused: _refused,
    OrderUnknown: _unknown,
    Filled: _filled,
    FillsListed: _fills_listed,
    FundingListed: _funding_listed,
    PositionSeen: _position_seen,
}
