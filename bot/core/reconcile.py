"""What the exchange says of the whole account against what we believe, and what follows.

Must not know: how the account was read. Numbered as the invariants of docs/architecture.md:
- 3: each working trade is told the position that was seen, and asks about orders that were not.
- 4: an order of ours that no record wants is cancelled, under an alarm.
- 7: a position that carries our own stop but has no record is adopted, under an alarm.
Positions that are not ours are shown and never touched.
"""

from bot.core.desk_draft import DeskDraft
from bot.core.messages import (
    CancelOrder,
    Level,
    OrderReported,
    PositionSeen,
    SnapshotTaken,
)
from bot.core.rulings import Sweep
from bot.core.trade import (
    HOLDING,
    Order,
    OrderName,
    OrderState,
    Phase,
    Role,
    Trade,
    read_order_id,
)
from data.model import Direction, OrderKind, OrderReport, Position
from data.money import ZERO

_EXIT_KIND = {Role.STOP: OrderKind.STOP_MARKET, Role.TARGET: OrderKind.TAKE_PROFIT_MARKET}


def apply(draft: DeskDraft, snapshot: SnapshotTaken) -> None:
    """Bring the desk's belief in line with what was read."""
    draft.see_wallet(snapshot.wallet_usdt, snapshot.asked_ms)
    positions = {p.symbol: p for p in snapshot.positions}
    reports = {r.order_id: r for r in snapshot.open_orders}
    for trade in tuple(draft.desk.trades.values()):
        if trade.phase in HOLDING or trade.phase is Phase.HALTED:
            _compare(draft, trade, positions.get(trade.symbol), reports, snapshot.asked_ms)
        elif trade.phase is Phase.IDLE:
            _tell_reports(draft, trade, reports)  # What it left behind it looks after itself.
    strays = _strays(draft, reports)
    _adopt(draft, snapshot, positions, strays)
    _see_foreign(draft, positions, snapshot.asked_ms)
    for name, report in strays:
        guards = name.role in _EXIT_KIND and report.symbol in draft.desk.foreign
        if draft.owner_of(report.order_id) is None and not guards:
            _cancel_stray(draft, name, report)


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


def _strays(
    draft: DeskDraft, reports: dict[str, OrderReport]
) -> list[tuple[OrderName, OrderReport]]:
    """Open orders of ours that no record knows."""
    found = []
    for order_id, report in reports.items():
        name = read_order_id(draft.desk.account_id, order_id)
        if name is not None and draft.owner_of(order_id) is None:
            found.append((name, report))
    return found


def _adopt(
    draft: DeskDraft,
    snapshot: SnapshotTaken,
    positions: dict[str, Position],
    strays: list[tuple[OrderName, OrderReport]],
) -> None:
    """Give a record to each position that carries our own stop but that no trade knows."""
    instruments = {i.symbol: i for i in snapshot.instruments}
    for name, report in strays:
        position = positions.get(report.symbol)
        instrument = instruments.get(report.symbol)
        is_stop = name.role is Role.STOP
        if position is None or instrument is None or not is_stop:
            continue
        if draft.holder_of(report.symbol) is not None:
            continue
        trade = Trade(
            trade_id=name.trade_id,
            user_id=draft.desk.user_id,
            account_id=draft.desk.account_id,
            bot_id=name.bot_id,
            symbol=report.symbol,
            phase=Phase.POSITION_ACTIVE,
            opened_ms=draft.now_ms,
            instrument=instrument,
            adopted=True,
            orders=tuple(
                _order_of(other, told, position)
                for other, told in strays
                if told.symbol == report.symbol and other.role in _EXIT_KIND
            ),
            position_seen=position.quantity,
            position_seen_ms=snapshot.asked_ms,
            note="adopted: found at the exchange with our stop, but without a record",
        )
        draft.put(trade)
        draft.tell(
            "adopted",
            Level.ALARM,
            trade.trade_id,
            symbol=trade.symbol,
            quantity=format(position.quantity, "f"),
        )


def _order_of(name: OrderName, report: OrderReport, position: Position) -> Order:
    direction = Direction.LONG if position.quantity > ZERO else Direction.SHORT
    return Order(
        order_id=report.order_id,
        role=name.role,
        attempt=name.attempt,
        symbol=report.symbol,
        side=direction.exit_side,
        kind=_EXIT_KIND[name.role],
        quantity=ZERO,
        close_position=True,
        state=OrderState.LIVE,
        sent_ms=report.event_ms,
    )


def _see_foreign(draft: DeskDraft, positions: dict[str, Position], asked_ms: int) -> None:
    # Since the reading began, a trade of ours may have left the position: that word is newer.
    newer = {t.symbol for t in draft.desk.trades.values() if t.position_seen_ms > asked_ms}
    foreign = {s: p for s, p in positions.items() if draft.holder_of(s) is None and s not in newer}
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
