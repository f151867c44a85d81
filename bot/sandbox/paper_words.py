"""What the pretend exchange says, in the core's vocabulary: for paper trading, without sockets.

It mirrors what a user stream tells: the same events in the same order. Must not know: any wire.
"""

from typing import Final, assert_never

from bot.core.messages import Event, Filled, OrderReported, PositionSeen, WalletSeen
from bot.sandbox.exchange_records import (
    AccountEvent,
    ConditionalEvent,
    ConditionalStatus,
    ConditionalView,
    FillEvent,
    LeverageEvent,
    OrderEvent,
    OrderView,
    UserEvent,
)
from data.model import OrderReport, OrderStatus
from data.money import ZERO

CONDITIONAL_STATUS: Final = {
    ConditionalStatus.NEW: OrderStatus.NEW,
    ConditionalStatus.TRIGGERING: OrderStatus.TRIGGERED,
    ConditionalStatus.TRIGGERED: OrderStatus.TRIGGERED,
    ConditionalStatus.FINISHED: OrderStatus.TRIGGERED,  # what it filled is its child's to tell
    ConditionalStatus.CANCELED: OrderStatus.CANCELED,
    ConditionalStatus.EXPIRED: OrderStatus.EXPIRED,
    ConditionalStatus.REJECTED: OrderStatus.REJECTED,
}


def events_of(news: UserEvent) -> tuple[Event, ...]:
    """One event of the pretend user stream as the core's events, in order."""
    match news:
        case OrderEvent():
            report = OrderReported(report=order_report(news.order))
            return (report,) if news.fill is None else (Filled(fill=news.fill), report)
        case ConditionalEvent():
            return (OrderReported(report=conditional_report(news.order)),)
        case AccountEvent():
            return _account_events(news)
        case FillEvent() | LeverageEvent():  # the order's own event says it again, with the fee
            return ()
        case _:
            assert_never(news)


def order_report(view: OrderView) -> OrderReport:
    """A plain order, or a triggered child."""
    return OrderReport(
        order_id=view.client_id,
        symbol=view.symbol,
        status=view.status,
        filled_quantity=view.filled_quantity,
        average_price=view.average_price,
        conditional=False,
        event_ms=view.updated_ms,
        venue_order_id=view.number,
        reason=view.expiry.name.lower() if view.expiry else "",
    )


def conditional_report(view: ConditionalView) -> OrderReport:
    """A conditional order's own record."""
    return OrderReport(
        order_id=view.client_id,
        symbol=view.symbol,
        status=CONDITIONAL_STATUS[view.status],
        filled_quantity=ZERO,
        average_price=None,
        conditional=True,
        event_ms=view.updated_ms,
        venue_order_id=view.child_number,
        reason=view.reject_text,
        trigger_price=view.trigger_price or None,
        order_quantity=view.quantity,
    )


def _account_events(news: AccountEvent) -> tuple[Event, ...]:
    events: list[Event] = [
        PositionSeen(
            symbol=change.symbol,
            quantity=change.quantity,
            entry_price=change.entry_price,
            seen_ms=news.at_ms,
            side=change.position_side.direction,
        )
        for change in news.positions
    ]
    if news.with_balance:
        events.append(WalletSeen(wallet_usdt=news.wallet_usdt, seen_ms=news.at_ms))
    return tuple(events)
