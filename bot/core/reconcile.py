"""What the exchange says of the whole account against what we believe, and what follows.

Must not know: how the account was read. Numbered as the invariants of docs/architecture.md:
- 3: each working trade is told the position that was seen, and asks about orders that were not.
- 4: an order of ours that no record wants is cancelled, under an alarm.
- 7: a position or order of ours without a record is adopted, under an alarm (`adopting`).
Positions that are not ours are shown and never touched.
"""

from bot.core import adopting
from bot.core.desk_draft import DeskDraft
from bot.core.messages import (
    CancelOrder,
    Level,
    OrderReported,
    PositionSeen,
    SnapshotTaken,
)
from bot.core.rulings import Sweep
from bot.core.trade import HOLDING, OrderName, Phase, Trade
from data.model import OrderReport, Position
from data.money import ZERO


def apply(draft: DeskDraft, snapshot: SnapshotTaken) -> bool:
    """Bring the desk's belief in line with what was read; False when it must be read again soon."""
    draft.see_wallet(snapshot.wallet_usdt, snapshot.asked_ms)
    positions = {p.symbol: p for p in snapshot.positions}
    reports = {r.order_id: r for r in snapshot.open_orders}
    adopting.complete(draft, adopting.found_in(draft, snapshot))
    for trade in tuple(draft.desk.trades.values()):
        if trade.phase in HOLDING or trade.phase is Phase.HALTED:
            _compare(draft, trade, positions.get(trade.symbol), reports, snapshot.asked_ms)
        elif trade.phase is Phase.IDLE:
            _tell_reports(draft, trade, reports)  # What it left behind it looks after itself.
    found = adopting.found_in(draft, snapshot)
    clear = adopting.adopt(draft, snapshot, found)
    _see_foreign(draft, positions, snapshot.asked_ms)
    for one in found:
        report = one.report
        if report is None or draft.owner_of(one.order_id) is not None:
            continue
        if one.name.role not in adopting.EXIT_KIND or report.symbol not in draft.desk.foreign:
            _cancel_stray(draft, one.name, report)
    return clear


def _compare(
    draft: DeskDraft,
    trade: Trade,
    position: Position | None,
    reports: dict[str, OrderReport],
    asked_ms: int,
) -> None:
    _tell_reports(draft, trade, reports)
    absent = tuple(o.order_id for o in trade.orders if not o.is_over and o.order_id not in reports)
    draft.advance(trade.trade_id, Sweep(asked_ms=asked_ms, absent=absent))
    seen = PositionSeen(
        symbol=trade.symbol,
        quantity=position.quantity if position else ZERO,
        entry_price=position.entry_price if position else ZERO,
        seen_ms=asked_ms,
    )
    draft.advance(trade.trade_id, seen)


def _tell_reports(draft: DeskDraft, trade: Trade, reports: dict[str, OrderReport]) -> None:
    for order in trade.orders:
        report = reports.get(order.order_id)
        if report is not None:
            draft.advance(trade.trade_id, OrderReported(report=report))


def _see_foreign(draft: DeskDraft, positions: dict[str, Position], asked_ms: int) -> None:
    # Since the reading began, a trade of ours may have left the position: that word is newer.
    newer = {t.symbol for t in draft.desk.trades.values() if t.position_seen_ms > asked_ms}
    foreign = {s: p for s, p in positions.items() if draft.holder_of(s) is None and s not in newer}
    foreign |= {
        symbol: known
        for symbol, known in draft.desk.foreign.items()
        if known.updated_ms > asked_ms and draft.holder_of(symbol) is None
    }
    for symbol, position in foreign.items():
        if symbol not in draft.desk.foreign:
            draft.tell(
                "foreign_position",
                Level.WARNING,
                symbol=symbol,
                quantity=format(position.quantity, "f"),
            )
    draft.set(foreign=foreign)


def _cancel_stray(draft: DeskDraft, name: OrderName, report: OrderReport) -> None:
    draft.say(
        CancelOrder(order_id=report.order_id, symbol=report.symbol, conditional=report.conditional)
    )
    draft.tell(
        "orphan_order",
        Level.ALARM,
        name.trade_id,
        order_id=report.order_id,
        symbol=report.symbol,
    )
