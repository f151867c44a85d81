"""Asking and ending: what to ask the exchange while something is unsure, and how a trade ends.

Must not know: phases. Every question has a moment before which it is not asked again.
"""

from typing import Final

from bot.core.life.draft import Draft
from bot.core.life.facts import booked, is_book_known, seen
from bot.core.messages import AskFills, AskOrder, AskPosition, Level
from bot.core.trade import UNHEARD, Order, OrderState, Outcome, Phase

QUIET_LISTINGS_MIN: Final = 3  # listings of fills without news before they count as complete


def end(draft: Draft, outcome: Outcome, note: str) -> None:
    """End the trade: it is IDLE, with an outcome, and waits for nothing."""
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
        funding_ask_ms=None,
        close_at_ms=None,
        close_by_ms=None,
        review_at_ms=None,
        alarm_at_ms=None,
    )


def settle_doubt(draft: Draft) -> None:
    """When book and exchange differ, ask for both until they agree."""
    trade = draft.trade
    shown = seen(trade)
    if shown is not None and shown != booked(trade) and is_book_known(trade):
        ask_position(draft)
        ask_fills(draft)


def ask_position(draft: Draft) -> None:
    """Ask for the position, unless that was asked a moment ago."""
    due_ms = draft.trade.position_ask_ms
    if due_ms is None or draft.now_ms >= due_ms:
        draft.set(position_ask_ms=draft.now_ms + draft.timing.cancel_again_ms)
        draft.say(AskPosition(symbol=draft.trade.symbol))


def ask_fills(draft: Draft) -> None:
    """Ask for the fills since the first order, unless that was asked a moment ago.

    Our clock may have been ahead of the exchange's when the order left: a margin is asked besides.
    """
    due_ms = draft.trade.fills_ask_ms
    if due_ms is None or draft.now_ms >= due_ms:
        trade = draft.trade
        draft.set(fills_ask_ms=draft.now_ms + draft.timing.cancel_again_ms)
        since_ms = min((o.sent_ms for o in trade.orders), default=trade.opened_ms)
        draft.say(AskFills(symbol=trade.symbol, since_ms=since_ms - draft.timing.settle_margin_ms))


def tend_orders(draft: Draft) -> None:
    """Ask about what nobody has answered for, and cancel again what should be gone."""
    now_ms = draft.now_ms
    for order in draft.trade.orders:
        if order.is_over:
            continue
        if order.ask_at_ms is not None and now_ms >= order.ask_at_ms:
            order = _ask(draft, order)
        if order.state in UNHEARD and order.alarm_at_ms is not None:
            order = _alarm(draft, order, order.alarm_at_ms)
        if order.cancel_at_ms is not None and now_ms >= order.cancel_at_ms:
            draft.send_cancel(order)
    trade = draft.trade
    if trade.position_ask_ms is not None and now_ms >= trade.position_ask_ms:
        draft.set(position_ask_ms=None)
    if trade.fills_ask_ms is not None and now_ms >= trade.fills_ask_ms:
        draft.set(fills_ask_ms=None)
    if trade.funding_ask_ms is not None and now_ms >= trade.funding_ask_ms:
        draft.set(funding_ask_ms=None)


def _alarm(draft: Draft, order: Order, due_ms: int) -> Order:
    # Once for an order: it goes on being asked about, however long that takes.
    if draft.now_ms < due_ms:
        return order
    age_ms = str(draft.now_ms - order.sent_ms)
    draft.tell("unknown_for_long", Level.ALARM, order_id=order.order_id, age_ms=age_ms)
    return draft.set_order(order, alarm_at_ms=None)


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
