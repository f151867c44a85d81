"""CLOSING: get flat, see that it is so, leave no order behind, book every fill and payment.

Protection stays in place until the close is filled, so a lost close order leaves nothing bare.
"""

from decimal import Decimal
from typing import Final

from bot.core.life.asking import QUIET_LISTINGS_MIN, ask_fills, ask_position, end, settle_doubt
from bot.core.life.draft import Draft, text_of
from bot.core.life.facts import booked, fills_missing, held, is_book_known, is_flat, is_turned, seen
from bot.core.life.refusals import TRY_AGAIN
from bot.core.messages import AskFunding, Level, Tell
from bot.core.trade import UNHEARD, Order, OrderState, Outcome, Phase, Role, Trade
from data.model import ExitReason, FillCause, OrderKind
from data.money import ZERO, floor_to

HOUR_MS: Final = 3_600_000  # the shortest funding interval
FUNDING_SLACK_MS: Final = 60_000  # the exchange may book a payment this much off the hour
CLOSES_KEPT: Final = 8  # refused closes a record keeps: a ban of days must not make it grow
CLOSES_ALARMED: Final = 4  # refused so often, a person must look


def close(draft: Draft, reason: ExitReason, note: str) -> None:
    """Go to CLOSING for a reason; an emergency is told as an alarm."""
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


def attend_closing(draft: Draft) -> None:
    """Reduce what is held; once flat, cancel the rest and settle."""
    trade = draft.trade
    for order in trade.of_role(Role.ENTRY):
        draft.cancel(order)
    _write_off(draft)
    trade = draft.trade
    if is_turned(trade):
        draft.set(phase=Phase.HALTED, note="the position is on the other side: not by us")
        draft.tell("halted", Level.ALARM, reason=draft.trade.note)
        return
    _drop_quantities(draft)
    if held(trade) > ZERO:
        _reduce(draft)
        return
    draft.set(close_at_ms=None)
    if not is_flat(trade):
        ask_position(draft)
        if booked(trade) != ZERO:
            ask_fills(draft)
        return
    for order in trade.orders:
        if order.role is not Role.CLOSE and order.state is not OrderState.TRIGGERED:
            draft.cancel(order)  # The others are over at once: only their last word is missing.
    if all(o.is_over for o in draft.trade.orders):
        _settle(draft)


def _drop_quantities(draft: Draft) -> None:
    """Flat by the exchange's word: exits that do not end with the position are not needed.

    While one rests, a fill that nobody can name might be its own: its last word settles that.
    """
    if seen(draft.trade) == ZERO:
        for order in draft.trade.orders:
            exits = order.role not in (Role.ENTRY, Role.CLOSE)
            if exits and not order.close_position and order.state is OrderState.LIVE:
                draft.cancel(order)


def _write_off(draft: Draft) -> None:
    """Believe the exchange in the end: flat, our orders over, the fills listed again and again.

    What is left in our book then came from somebody else's position that ours was netted with.
    """
    trade = draft.trade
    over = all(o.is_over for o in trade.orders) and not fills_missing(trade)
    quiet = trade.quiet_listings >= QUIET_LISTINGS_MIN and trade.quiet_listed_ms > trade.moved_ms
    left = booked(trade)
    if seen(trade) == ZERO and left != ZERO and over and quiet and is_book_known(trade):
        draft.set(written_off=trade.written_off + left)
        draft.tell("unaccounted", Level.ALARM, quantity=text_of(left))


def _reduce(draft: Draft) -> None:
    trade = draft.trade
    if seen(trade) == ZERO:
        # The exchange shows flat, our book does not: fills are missing, or that view is stale.
        draft.set(close_at_ms=None)
        settle_doubt(draft)
        return
    working = [
        o
        for o in trade.orders
        if o.role is not Role.ENTRY
        and (o.state is OrderState.TRIGGERED or (o.role is Role.CLOSE and not o.is_over))
    ]
    if working and not _is_silent(draft, working):
        draft.set(close_at_ms=None)
        return
    if not working and _pauses(draft):
        return
    draft.set(close_at_ms=None)
    _forget_refused(draft)
    assert draft.trade.direction is not None
    draft.place(
        Role.CLOSE,
        side=draft.trade.direction.exit_side,
        kind=OrderKind.MARKET,
        quantity=_piece(draft.trade),
        reduce_only=True,
    )


def _is_silent(draft: Draft, working: list[Order]) -> bool:
    """Whether all that works is one close nobody answered for, looked for in vain since.

    A second one goes out beside it, as with a stop (docs/decisions/0013): the position may have no
    stop any more, and closes only reduce. The trade does not end before both are known.
    """
    order = working[0]
    looked = order.unfound_ms >= order.sent_ms + draft.timing.ask_after_ms
    shown = draft.trade.position_seen_ms > order.sent_ms
    newest = order is draft.trade.latest(Role.CLOSE) and len(working) == 1
    return newest and order.state in UNHEARD and looked and shown


def _pauses(draft: Draft) -> bool:
    """Whether the next close has to wait, because the last one came to nothing."""
    trade = draft.trade
    last = trade.latest(Role.CLOSE)
    if trade.close_at_ms is not None and draft.now_ms < trade.close_at_ms:
        return True
    if last is None or trade.close_at_ms is not None or last.filled != ZERO:
        return False
    # Find out why before the next.
    ask_position(draft)
    ask_fills(draft)
    doublings = min(len(trade.of_role(Role.CLOSE)) - 1, 5)
    pause_ms = draft.timing.close_again_ms * 2**doublings
    draft.set(close_at_ms=draft.now_ms + pause_ms)
    _tell_refused(draft, last)
    if last.refusal_code not in TRY_AGAIN:
        _clear_exits(draft)
    return True


def _tell_refused(draft: Draft, last: Order) -> None:
    # A ban may last for days: it is told at the first, second, fourth, eighth ... refusal.
    times = last.attempt + 1
    if times & (times - 1) == 0:
        level = Level.ALARM if times >= CLOSES_ALARMED else Level.WARNING
        draft.tell("close_refused", level, reason=last.refusal_text, times=str(times))


def _forget_refused(draft: Draft) -> None:
    # Surely not taken, so no fill of theirs can come; the journal still has each of them.
    nothing = [
        order.order_id
        for order in draft.trade.of_role(Role.CLOSE)
        if order.state is OrderState.REFUSED and not order.filled and not order.venue_order_ids
    ]
    gone = frozenset(nothing[:-CLOSES_KEPT])
    if gone:
        kept = tuple(order for order in draft.trade.orders if order.order_id not in gone)
        draft.set(orders=kept)


def _piece(trade: Trade) -> Decimal:
    # Market orders have a largest size and a step of their own; what is left follows.
    listing, whole = trade.instrument, held(trade)
    step = max(listing.step_size, listing.market_step_size)
    return floor_to(min(whole, listing.market_quantity_max), step) or whole


def _clear_exits(draft: Draft) -> None:
    # Resting exits can compete with a reduce-only close: clear them before the next one.
    for order in draft.trade.orders:
        if order.role in (Role.STOP, Role.TARGET, Role.TRAIL):
            draft.cancel(order)


def _settle(draft: Draft) -> None:
    """Everything is over: book what is missing, then end."""
    trade = draft.trade
    if fills_missing(trade):
        ask_fills(draft)
        return
    if not trade.fills and trade.was_held and is_book_known(trade):
        # It was seen to hold something: how that came and went is in the fills, however late.
        ask_fills(draft)
        return
    if not trade.fills:
        end(draft, Outcome.UNFILLED, trade.note or "nothing was ever held")
        draft.tell("trade_unfilled")
        return
    if not trade.funding_checked and _paid_besides(trade):
        if trade.funding_ask_ms is None or draft.now_ms >= trade.funding_ask_ms:
            draft.set(funding_ask_ms=draft.now_ms + draft.timing.cancel_again_ms)
            first_ms = min(f.filled_ms for f in trade.fills)
            draft.say(AskFunding(symbol=trade.symbol, since_ms=first_ms))
        return
    end(draft, Outcome.CLOSED, trade.note)
    draft.say(Tell(kind="trade_closed", trade_id=trade.trade_id))


def _paid_besides(trade: Trade) -> bool:
    """Whether the exchange may have booked funding, or a liquidation's fee, for this trade."""
    if any(f.cause is FillCause.LIQUIDATION for f in trade.fills):
        return True
    first_ms = min(f.filled_ms for f in trade.fills) - FUNDING_SLACK_MS
    last_ms = trade.moved_ms + FUNDING_SLACK_MS
    return first_ms // HOUR_MS != last_ms // HOUR_MS
