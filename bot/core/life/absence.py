"""When "does not exist" is believed of an order: looked for by its id, or not in a whole reading.

A request may still be on its way, a query may not find a young order, a reading may be older than
its question. So one look in vain proves something only where being wrong is harmless. Must not
know: what is sent instead (the duties do).
"""

from collections.abc import Callable
from typing import Any, Final

from bot.core.life.draft import Draft
from bot.core.life.facts import booked, seen
from bot.core.messages import OrderMissing
from bot.core.rulings import Sweep
from bot.core.trade import UNHEARD, Order, OrderState, Phase, Role
from data.money import ZERO

MISSING_HELD_MIN: Final = 6  # misses of an entry that what is held must have come from: 40 s
MISSING_LIVE_MIN: Final = 3  # a confirmed order may be invisible to queries for a while


def _missing(draft: Draft, given: OrderMissing) -> None:
    order = draft.trade.order(given.order_id)
    if order is None or order.is_over:
        return
    order = _unfound(draft, order, given.asked_ms)
    patience_ms = draft.timing.receive_window_ms + draft.timing.settle_margin_ms
    if given.asked_ms <= order.sent_ms + patience_ms:
        return  # The request may still be on its way.
    missing = order.missing + 1
    order = draft.set_order(order, missing=missing)
    if order.filled > ZERO:
        return
    # Doubling an exit is harmless: it only reduces, and the exchange keeps one stop of a kind. An
    # entry is sent again only while it is pending: elsewhere it may be given up as well.
    exits = order.role is not Role.ENTRY
    unheard = order.state in UNHEARD and (exits or draft.trade.phase is not Phase.ORDER_PENDING)
    if unheard and not exits and (seen(draft.trade) or ZERO) > booked(draft.trade):
        unheard = missing >= MISSING_HELD_MIN  # Something filled: queries may not show it yet.
    vanished = order.state is OrderState.LIVE and missing >= MISSING_LIVE_MIN
    concluded = unheard or (vanished and (exits or order.cancels))
    if concluded and not (_rests(order) and _may_be_unseen(draft, order, given.asked_ms)):
        draft.set_order(order, state=OrderState.ABSENT, ask_at_ms=None, cancel_at_ms=None)


def _rests(order: Order) -> bool:
    """True for an exit that does not end with its position: given up wrongly, it would be left."""
    return order.conditional and not order.close_position


def _may_be_unseen(draft: Draft, order: Order, asked_ms: int) -> bool:
    """True until it was looked for long after it was sent, or a reading of all orders lacked it."""
    timing = draft.timing
    expired_ms = order.sent_ms + timing.receive_window_ms + timing.settle_margin_ms
    unlisted = order.unlisted_ms > expired_ms + timing.reading_lag_ms
    return not unlisted and asked_ms <= order.sent_ms + timing.young_order_ms


def _unfound(draft: Draft, order: Order, asked_ms: int) -> Order:
    """Note a look in vain; one that came too early to say anything is repeated in time."""
    counts_ms = order.sent_ms + draft.timing.ask_after_ms
    ask_at_ms = order.ask_at_ms
    if asked_ms < counts_ms and ask_at_ms is not None:
        ask_at_ms = min(ask_at_ms, max(counts_ms, draft.now_ms + 1))
    return draft.set_order(order, unfound_ms=max(order.unfound_ms, asked_ms), ask_at_ms=ask_at_ms)


def _sweep(draft: Draft, given: Sweep) -> None:
    for order_id in given.absent:
        order = draft.trade.order(order_id)
        if order is not None and not order.is_over and order.sent_ms < given.asked_ms:
            order = _unfound(draft, order, given.asked_ms)
            order = draft.set_order(order, unlisted_ms=max(order.unlisted_ms, given.asked_ms))
            asks = 0 if given.first else order.asks  # A new life begins with short pauses.
            draft.set_order(order, ask_at_ms=draft.now_ms, asks=asks)
    trade, now_ms = draft.trade, draft.now_ms
    if given.first and trade.unprotected_since_ms is not None:
        # Its clock ran while nobody was there to place a stop. Closing is for one that we cannot
        # protect: the clock begins anew, what was bare until now stays on the account.
        draft.set(
            unprotected_ms=trade.unprotected_ms + now_ms - trade.unprotected_since_ms,
            unprotected_since_ms=now_ms,
            alarm_at_ms=now_ms + draft.timing.unprotected_alarm_ms,
        )


FOLDS: Final[dict[type, Callable[[Draft, Any], None]]] = {OrderMissing: _missing, Sweep: _sweep}
