"""A trade being changed within one step: the only mutable thing in the core, never seen outside.

Must not know: what a good change is.
"""

from decimal import Decimal
from typing import Any, Final

from bot.core.messages import CancelOrder, Command, Level, PlaceOrder, Tell
from bot.core.timing import Timing
from bot.core.trade import Order, Role, Trade, order_id_of
from data.records import revised

FORGOTTEN_ATTEMPTS: Final = 50  # a life without a record may have used the numbers below


class Draft:
    """A trade, the moment, the patience, and the commands collected so far."""

    __slots__ = ("commands", "now_ms", "timing", "trade")

    def __init__(self, trade: Trade, now_ms: int, timing: Timing) -> None:
        self.trade = trade
        self.now_ms = now_ms
        self.timing = timing
        self.commands: list[Command] = []

    def set(self, **changes: Any) -> None:
        """Change fields of the trade."""
        self.trade = revised(self.trade, **changes)

    def set_order(self, order: Order, **changes: Any) -> Order:
        """Change fields of one of its orders."""
        changed = revised(order, **changes)
        self.set(
            orders=tuple(changed if o.order_id == order.order_id else o for o in self.trade.orders)
        )
        return changed

    def say(self, command: Command) -> None:
        """Add a command."""
        self.commands.append(command)

    def tell(self, kind: str, level: Level = Level.INFO, **fields: str) -> None:
        """Add a notice about this trade."""
        self.say(
            Tell(kind=kind, level=level, trade_id=self.trade.trade_id, fields=tuple(fields.items()))
        )

    def place(self, role: Role, **parts: Any) -> Order:
        """Add a new order of that role to the record and the command to send it."""
        trade = self.trade
        # Not how many there are: an adopted record may lack those that came to nothing.
        attempt = max((o.attempt for o in trade.of_role(role)), default=-1) + 1
        if trade.adopted and trade.plan is None:
            attempt = max(attempt, FORGOTTEN_ATTEMPTS)
        order = Order(
            order_id=order_id_of(trade.account_id, trade.bot_id, trade.trade_id, role, attempt),
            role=role,
            attempt=attempt,
            symbol=trade.symbol,
            sent_ms=self.now_ms,
            ask_at_ms=self.now_ms + self.timing.ask_after_ms,
            alarm_at_ms=self.now_ms + self.timing.unknown_alarm_ms,
            **parts,
        )
        self.set(orders=(*trade.orders, order))
        entry = trade.plan if role is Role.ENTRY else None
        self.say(
            PlaceOrder(
                order=order,
                leverage=entry.leverage if entry else None,
                margin_type=entry.margin_type if entry else None,
            )
        )
        return order

    def cancel(self, order: Order) -> None:
        """Want an order gone; the first cancel goes out now, later ones by `cancel_at_ms`."""
        if order.is_over or order.cancel_at_ms is not None:
            return
        self.send_cancel(order)

    def send_cancel(self, order: Order) -> None:
        """Send a cancel and say when to send the next one."""
        wait_ms = self.timing.cancel_again_ms * 2 ** min(order.cancels, 2)
        self.set_order(order, cancel_at_ms=self.now_ms + wait_ms, cancels=order.cancels + 1)
        self.say(
            CancelOrder(order_id=order.order_id, symbol=order.symbol, conditional=order.conditional)
        )


def text_of(value: Decimal) -> str:
    """A Decimal for a notice's field."""
    return format(value, "f")
