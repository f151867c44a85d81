"""What the exchange says of the whole account against what we believe, and what follows.

Must not know: how the account was read. Numbered as the invariants of docs/architecture.md:
- 3: each working trade is told the position that was seen, and asks about orders that were not.
- 4: an order of ours that no record wants is cancelled, under an alarm.
- 7: a position or order of ours without a record is adopted, under an alarm (`adopting`).
Positions that are not ours are shown and never touched.
"""

from dataclasses import replace

from bot.core import adopting
from bot.core.desk_draft import DeskDraft
from bot.core.messages import (
    CancelOrder,
    Filled,
    Level,
    OrderReported,
    PositionSeen,
    SnapshotTaken,
)
from bot.core.rulings import Sweep
from bot.core.sides import is_about, is_foreign, key_of
from bot.core.trade import HOLDING, OrderName, Phase, Trade
from data.model import OrderReport, Position
from data.money import ZERO


def apply(draft: DeskDraft, snapshot: SnapshotTaken) -> bool:
    """Bring the desk's belief in line with what was read; False when it must be read again soon."""
    draft.see_wallet(snapshot.wallet_usdt, snapshot.asked_ms)
    reports = {r.order_id: r for r in snapshot.open_orders}
    adopting.complete(draft, adopting.found_in(draft, snapshot))
    heirs = adopting.heirs_in(draft, snapshot, adopting.found_in(draft, snapshot))
    for trade in tuple(draft.desk.trades.values()):
        if trade.phase in HOLDING or trade.phase is Phase.HALTED:
            position = _position_of(trade, snapshot)
            if trade.trade_id in heirs:
                position = (
                    None  # That is the heir's: this one ends first, then the heir is adopted.
                )
                draft.put(replace(trade, succeeded=True))
                for fill in adopting.fills_of(draft, trade, snapshot):
                    draft.advance(trade.trade_id, Filled(fill=fill))
            _compare(draft, trade, position, reports, snapshot.asked_ms)
        elif trade.phase is Phase.IDLE:
            _tell_reports(draft, trade, reports)  # What it left behind it looks after itself.
    found = adopting.found_in(draft, snapshot)
    clear = adopting.adopt(draft, snapshot, found)
    _see_foreign(draft, snapshot)
    for one in found:
        report = one.report
        if report is None or draft.owner_of(one.order_id) is not None:
            continue
        if one.name.trade_id in heirs.values():
            continue
        theirs = is_foreign(draft.desk.foreign, report.symbol)
        if one.name.role not in adopting.EXIT_KIND or not theirs:
            _cancel_stray(draft, one.name, report)
    return clear and not heirs


def _compare(
    draft: DeskDraft,
    trade: Trade,
    position: Position | None,
    reports: dict[str, OrderReport],
    asked_ms: int,
) -> None:
    _tell_reports(draft, trade, reports)
    absent = tuple(o.order_id for o in trade.orders if not o.is_over and o.order_id not in reports)
    first = not draft.desk.ready
    draft.advance(trade.trade_id, Sweep(asked_ms=asked_ms, absent=absent, first=first))
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


def _position_of(trade: Trade, snapshot: SnapshotTaken) -> Position | None:
    for position in snapshot.positions:
        if position.symbol == trade.symbol and is_about(trade, position.side):
            return position
    return None


def _is_ours(draft: DeskDraft, position: Position) -> bool:
    trade_id = draft.holder_of(position.symbol)
    return trade_id is not None and is_about(draft.desk.trades[trade_id], position.side)


def _see_foreign(draft: DeskDraft, snapshot: SnapshotTaken) -> None:
    # Since the reading began, a trade of ours may have left the position: that word is newer.
    asked_ms = snapshot.asked_ms
    newer = [t for t in draft.desk.trades.values() if t.position_seen_ms > asked_ms]
    foreign = {
        key_of(position.symbol, position.side): position
        for position in snapshot.positions
        if not _is_ours(draft, position)
        and not any(t.symbol == position.symbol and is_about(t, position.side) for t in newer)
    }
    foreign |= {
        key: known
        for key, known in draft.desk.foreign.items()
        if known.updated_ms > asked_ms and not _is_ours(draft, known)
    }
    for key, position in foreign.items():
        if key not in draft.desk.foreign_told:
            draft.tell(
                "foreign_position",
                Level.WARNING,
                symbol=position.symbol,
                quantity=format(position.quantity, "f"),
            )
    draft.set(foreign=foreign, foreign_told=tuple(foreign))


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
