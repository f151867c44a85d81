"""What a desk was told, against what it believes: the exchange's last word is never forgotten.

Invariant 3, step by step. Must not know: how the desk comes to a belief, or the exchange's books.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from bot.core.desk_state import Desk
from bot.core.messages import Event, OrderReported, PositionSeen, SnapshotTaken
from bot.core.trade import Trade, read_order_id
from bot.replay.sim_kinds import Kind
from data.model import OrderStatus
from data.money import ZERO

LAST_WORDS: Final = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.FILLED})


class Told:
    """The ends and the words on positions that one life of the desk has heard."""

    def __init__(self, desk: Desk) -> None:
        self._over: set[str] = set()
        self._seen_ms = {t.trade_id: t.position_seen_ms for t in desk.trades.values()}
        self._newest_ms: dict[str, int] = {}  # by symbol
        self._words: set[tuple[str, int, Decimal]] = set()  # symbol, moment, quantity
        self._readings_ms: set[int] = set()

    def hear(self, desk: Desk, event: Event) -> Iterator[Kind]:
        """Note an event that the desk is about to be told; yields what was odd about it."""
        match event:
            case OrderReported(report=report):
                if report.status is OrderStatus.NEW and report.order_id in self._over:
                    yield Kind.LATE_NEW
                elif report.status in LAST_WORDS and _knows(desk, report.order_id):
                    self._over.add(report.order_id)
            case PositionSeen(symbol=symbol, seen_ms=seen_ms):
                newest_ms = self._newest_ms.get(symbol, 0)
                if seen_ms < newest_ms:
                    yield Kind.OLD_POSITION
                self._newest_ms[symbol] = max(newest_ms, seen_ms)
                self._words.add((symbol, seen_ms, event.quantity))
            case SnapshotTaken(asked_ms=asked_ms):
                self._readings_ms.add(asked_ms)
                self._words |= {(p.symbol, asked_ms, p.quantity) for p in event.positions}
            case _:
                pass

    def check(self, changed: Iterable[Trade]) -> None:
        """What ended stays ended; the position believed was told, and none older than before."""
        for trade in changed:
            for order in trade.orders:
                revived = not order.is_over and order.order_id in self._over
                assert not revived, f"3: {order.order_id} ended, and is believed {order.state}"
            self._check_position(trade)

    def _check_position(self, trade: Trade) -> None:
        name, seen_ms, quantity = trade.trade_id, trade.position_seen_ms, trade.position_seen
        before_ms = self._seen_ms.get(name, 0)
        if quantity is None or seen_ms == before_ms or trade.succeeded:
            return
        assert seen_ms > before_ms, f"3: {name} believes an older position than before"
        flat = quantity == ZERO and seen_ms in self._readings_ms  # Those list what is held only.
        told = flat or (trade.symbol, seen_ms, quantity) in self._words
        assert told, f"3: {name} believes in {quantity} at a moment that nobody told it of"
        self._seen_ms[name] = seen_ms


def _knows(desk: Desk, order_id: str) -> bool:
    name = read_order_id(desk.account_id, order_id)
    trade = desk.trades.get(name.trade_id) if name is not None else None
    return trade is not None and trade.order(order_id) is not None
