"""What is ours at the exchange but not in our record, after a lost or an old journal.

A client id tells whose order it is: bot, trade, role. An order whose trade is working is added to
it; a position of ours without a working trade gets one. What its fills do not explain is held as
the exchange shows it. All under an alarm. Must not know: how the account was read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from bot.core.desk_draft import DeskDraft
from bot.core.messages import Level, PositionSeen, SnapshotTaken
from bot.core.sheltering import shelter_level
from bot.core.sides import held_both_ways
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
from data.model import Direction, Fill, Instrument, OrderKind, OrderReport, Position, Side
from data.money import ZERO

EXIT_KIND: Final = {
    Role.STOP: OrderKind.STOP_MARKET,
    Role.TARGET: OrderKind.TAKE_PROFIT_MARKET,
    Role.TRAIL: OrderKind.TRAILING_STOP_MARKET,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One order of ours as the reading shows it: resting, filled, or both."""

    name: OrderName
    order_id: str
    report: OrderReport | None
    fills: tuple[Fill, ...]

    @property
    def net(self) -> Decimal:
        """What its fills did to the position, signed."""
        return _net(self.fills)


def found_in(draft: DeskDraft, snapshot: SnapshotTaken) -> list[Found]:
    """Every order of ours in the reading that no record holds, in the order of the reading."""
    reports = {r.order_id: r for r in snapshot.open_orders}
    fills: dict[str, list[Fill]] = {}
    for fill in snapshot.recent_fills:
        fills.setdefault(fill.order_id, []).append(fill)
    found = []
    for order_id in dict.fromkeys((*reports, *fills)):
        name = read_order_id(draft.desk.account_id, order_id)
        if name is not None and draft.owner_of(order_id) is None:
            own = tuple(fills.get(order_id, ()))
            found.append(
                Found(name=name, order_id=order_id, report=reports.get(order_id), fills=own)
            )
    return found


def complete(draft: DeskDraft, found: list[Found]) -> None:
    """Give each order of a working trade back to it: its record is older than the order."""
    for one in found:
        trade = draft.desk.trades.get(one.name.trade_id)
        working = trade is not None and (trade.phase in HOLDING or trade.phase is Phase.HALTED)
        if trade is None or not working or trade.direction is None:
            continue
        draft.put(replace(trade, orders=(*trade.orders, _order_of(one, trade.direction, draft))))
        draft.tell(
            "adopted", Level.ALARM, trade.trade_id, symbol=trade.symbol, order_id=one.order_id
        )


def heirs_in(draft: DeskDraft, snapshot: SnapshotTaken, found: list[Found]) -> dict[str, str]:
    """By trade believed to hold a symbol: the later trade of ours that the exchange shows there.

    An old record stopped at a trade that has ended since, and the next one entered its symbol. Only
    when both books add up: the older one's to nothing, the later one's to the position.
    """
    heirs = {}
    for position in snapshot.positions:
        trade_id = draft.holder_of(position.symbol)
        if trade_id is None:
            continue
        others = [one for one in found if one.name.trade_id != trade_id]
        own = _of_position(others, position)
        book = _book_of(own, position, snapshot.recent_fills) if own else None
        older = fills_of(draft, draft.desk.trades[trade_id], snapshot)
        if not book or not older or _net(older) != ZERO:
            continue
        if max(f.filled_ms for f in older) <= min(f.filled_ms for f in book):
            heirs[trade_id] = own[-1].name.trade_id
    return heirs


def fills_of(draft: DeskDraft, trade: Trade, snapshot: SnapshotTaken) -> tuple[Fill, ...]:
    """A trade's fills, with those of its orders that the reading lists and its record lacks."""
    fills = {fill.fill_id: fill for fill in trade.fills}
    for fill in snapshot.recent_fills:
        name = read_order_id(draft.desk.account_id, fill.order_id)
        if name is not None and name.trade_id == trade.trade_id:
            fills.setdefault(fill.fill_id, fill)
    return tuple(fills.values())


def adopt(draft: DeskDraft, snapshot: SnapshotTaken, found: list[Found]) -> bool:
    """Give a trade to each position of ours that none knows.

    False when one bears marks of ours and could not be adopted yet, or when the reading told too
    little to say whose it is: read again.
    """
    instruments = {i.symbol: i for i in snapshot.instruments}
    traded = {fill.symbol for fill in snapshot.recent_fills}
    twofold = held_both_ways(snapshot.positions)
    clear = True
    for position in snapshot.positions:
        if draft.holder_of(position.symbol) is not None:
            continue
        own = _of_position(found, position)
        if _is_over(own, position, snapshot.recent_fills):
            own = []  # Ours was closed by others: who opened the next one is a stranger.
        instrument = instruments.get(position.symbol)
        if not own:
            # Without its listing or one fill of its symbol, half of the reading is missing.
            clear = clear and instrument is not None and position.symbol in traded
            continue
        book = _book_of(own, position, snapshot.recent_fills)
        guarded = any(one.name.role is Role.STOP and one.report for one in own)
        if position.symbol in twofold and book is None:
            # A stop does not say which of the two it guards: without fills neither is touched.
            clear = clear and position.symbol in traded
            continue
        if instrument is None or (book is None and not guarded):
            clear = False
            continue
        trade = _trade_of(draft, position, own, instrument, book)
        draft.put(replace(trade, position_seen_ms=snapshot.asked_ms))
        default = {"price": format(trade.stop_level, "f")} if trade.stop_level else {}
        draft.tell(
            "adopted",
            Level.ALARM,
            trade.trade_id,
            symbol=trade.symbol,
            quantity=format(position.quantity, "f"),
            **default,
        )
        seen = PositionSeen(
            symbol=position.symbol,
            quantity=position.quantity,
            entry_price=position.entry_price,
            seen_ms=snapshot.asked_ms,
        )
        draft.advance(trade.trade_id, seen)
    return clear


def _of_position(found: list[Found], position: Position) -> list[Found]:
    """The orders of the one trade that the position can be of: its stop's, or the last filled."""
    here = [
        one
        for one in found
        if any(told.symbol == position.symbol for told in (one.report, *one.fills) if told)
    ]
    guards = [o.name.trade_id for o in here if o.name.role is Role.STOP and o.report is not None]
    last = max(here, key=lambda o: max((f.filled_ms for f in o.fills), default=0), default=None)
    if last is None:
        return []
    trade_id = guards[-1] if guards else last.name.trade_id
    own = [one for one in here if one.name.trade_id == trade_id]
    net = sum((one.net for one in own), ZERO)
    # Fills that add up to nothing, or to the other side, say that this is somebody else's.
    if (not guards and net == ZERO) or net * position.quantity < ZERO:
        return []
    return own


def _is_over(own: list[Found], position: Position, listed: tuple[Fill, ...]) -> bool:
    """Whether the symbol was flat, or turned, since our first fill, and then opened by others.

    What rested of our entry may open it again after our stop fired: that is ours.
    """
    ours = {one.order_id for one in own}
    held, opened_by_us = ZERO, True
    for fill in _since(own, position, listed):
        before, held = held, held + _net((fill,))
        if held != ZERO and before * held <= ZERO:
            opened_by_us = fill.order_id in ours
    return held != ZERO and not opened_by_us


def _since(own: list[Found], position: Position, listed: tuple[Fill, ...]) -> list[Fill]:
    """Every fill of the symbol since our first, whoever's, in the order they happened."""
    first_ms = min((fill.filled_ms for one in own for fill in one.fills), default=None)
    if first_ms is None:
        return []
    here = [
        fill
        for fill in listed
        if fill.symbol == position.symbol
        and fill.filled_ms >= first_ms
        and fill.position_side in (None, position.side)
    ]
    return sorted(here, key=lambda fill: (fill.filled_ms, fill.fill_id))


def _book_of(
    own: list[Found], position: Position, listed: tuple[Fill, ...]
) -> tuple[Fill, ...] | None:
    """The fills that made the position: ours, or ours with what others did to it since."""
    fills = tuple(fill for one in own for fill in one.fills)
    if _net(fills) == position.quantity:
        return fills
    ours = {one.order_id for one in own}
    first_ms = min((fill.filled_ms for fill in fills), default=0)
    others = tuple(
        fill
        for fill in listed
        if fill.symbol == position.symbol
        and fill.order_id not in ours
        and fill.filled_ms >= first_ms
        and fill.position_side in (None, position.side)
    )
    return (*fills, *others) if fills and _net(fills + others) == position.quantity else None


def _net(fills: Iterable[Fill]) -> Decimal:
    return sum((f.quantity if f.side is Side.BUY else -f.quantity for f in fills), ZERO)


def _trade_of(
    draft: DeskDraft,
    position: Position,
    own: list[Found],
    instrument: Instrument,
    book: tuple[Fill, ...] | None,
) -> Trade:
    name, known = own[-1].name, book is not None
    direction = Direction.LONG if position.quantity > ZERO else Direction.SHORT
    # Without its whole book, what the exchange shows stands for entry and exits alike.
    kept = own if known else [one for one in own if one.name.role in EXIT_KIND and one.report]
    orders = tuple(_order_of(one, direction, draft) for one in kept)
    fills = book or ()
    guarded = any(o.role is Role.STOP and o.state is OrderState.LIVE for o in orders)
    now_ms = draft.now_ms
    blank = Trade(
        trade_id=name.trade_id,
        user_id=draft.desk.user_id,
        account_id=draft.desk.account_id,
        bot_id=name.bot_id,
        symbol=position.symbol,
        phase=Phase.IDLE,
        opened_ms=min((f.filled_ms for f in fills), default=now_ms),
        instrument=instrument,
    )
    # An old record may still know the signal and the plan, though not that it was entered.
    base = draft.desk.trades.get(name.trade_id, blank)
    told = {order.order_id for order in orders}
    past = tuple(o for o in base.orders if known and o.order_id not in told)
    return replace(
        base,
        phase=Phase.POSITION_ACTIVE if guarded else Phase.POSITION_UNPROTECTED,
        adopted=True,
        outcome=None,
        exit_reason=None,
        closed_ms=None,
        decide_by_ms=None,
        card_expires_ms=None,
        orders=(*past, *orders),
        fills=fills,
        moved_ms=max((f.filled_ms for f in fills), default=base.moved_ms),
        was_held=True,
        succeeded=False,
        funding_checked=False,
        unprotected_since_ms=None if guarded else now_ms,
        alarm_at_ms=None if guarded else now_ms + draft.desk.timing.unprotected_alarm_ms,
        position_seen=position.quantity,
        stop_level=_stop_level(draft, base, orders, position),
        note="adopted: found at the exchange, but not in the record",
    )


def _stop_level(
    draft: DeskDraft, base: Trade, orders: Iterable[Order], position: Position
) -> Decimal | None:
    """As the record knows it; without a plan where a stop of ours rests, or a default."""
    if base.plan is not None:
        return base.stop_level
    for order in orders:
        if order.role is Role.STOP and order.trigger_price is not None:
            return order.trigger_price
    bot = draft.desk.bots.get(base.bot_id)
    bps_max = bot.stop_distance_bps_max if bot is not None else None
    return shelter_level(position, base.instrument, bps_max)


def _order_of(one: Found, direction: Direction, draft: DeskDraft) -> Order:
    role, report = one.name.role, one.report
    filled = sum((f.quantity for f in one.fills), ZERO)
    kind = EXIT_KIND.get(role, OrderKind.MARKET)
    # One that does not say how much it closes is taken to close everything.
    told = report.order_quantity if report is not None else None
    quantity = told or ZERO
    numbers = {f.venue_order_id: None for f in one.fills}
    if report is not None:
        filled = max(filled, report.filled_quantity)
        if report.venue_order_id is not None:
            numbers[report.venue_order_id] = None
        if role is Role.ENTRY:
            kind = OrderKind.LIMIT  # Only that rests.
    triggered = role in EXIT_KIND and (report is None or not report.conditional)
    first_ms = min((f.filled_ms for f in one.fills), default=draft.now_ms)
    return Order(
        order_id=one.order_id,
        role=role,
        attempt=one.name.attempt,
        symbol=report.symbol if report is not None else one.fills[0].symbol,
        side=direction.entry_side if role is Role.ENTRY else direction.exit_side,
        kind=kind,
        quantity=quantity if role in EXIT_KIND else filled,
        trigger_price=report.trigger_price if report is not None else None,
        close_position=role in EXIT_KIND and quantity == ZERO and role is not Role.TRAIL,
        reduce_only=role is Role.CLOSE or quantity > ZERO,
        state=OrderState.TRIGGERED if triggered else OrderState.LIVE,
        filled=filled,
        venue_order_ids=tuple(numbers),
        sent_ms=first_ms if report is None else min(first_ms, report.event_ms),
        ask_at_ms=draft.now_ms if triggered or report is None else None,  # its last word
    )
