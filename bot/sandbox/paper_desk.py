"""One command of the core carried out on the pretend exchange, at once and in process.

The answer says what the real one's client would say; what the user stream would tell stays in the
exchange's outbox. Paper trading, replay and the fault simulation stand on it. Pure: no waiting, no
faults. Must not know: any wire.
"""

from typing import assert_never

from bot.core.messages import (
    AskFills,
    AskFunding,
    AskOrder,
    AskPosition,
    CancelOrder,
    Event,
    FillsListed,
    FundingListed,
    OrderMissing,
    OrderRefused,
    OrderReported,
    PlaceOrder,
    PositionSeen,
    SnapshotTaken,
    TakeSnapshot,
    VenueCommand,
)
from bot.core.trade import Order, Role
from bot.sandbox.exchange import Exchange
from bot.sandbox.exchange_records import (
    ConditionalRequest,
    ConditionalView,
    IncomeKind,
    OrderRequest,
    OrderView,
    PositionSide,
    Refusal,
    TimeInForce,
)
from bot.sandbox.paper_words import conditional_report, order_report
from data.model import Funding, OrderKind, Position, Side
from data.money import HUNDRED, ZERO

WEEK_MS = 7 * 86_400_000  # as far back as the real one is read for whose a position is
SAME_MARGIN_TYPE = -4046  # "no need to change": what we want is so already


def carry_out(exchange: Exchange, command: VenueCommand, now_ms: int) -> Event:
    """Carry one command out and say what came of it."""
    match command:
        case PlaceOrder():
            return _place(exchange, command, now_ms)
        case CancelOrder():
            return _cancel(exchange, command, now_ms)
        case AskOrder():
            return look_up(exchange, command, now_ms)
        case AskPosition():
            return _position(exchange, command.symbol, now_ms)
        case AskFills():
            return FillsListed(
                symbol=command.symbol,
                since_ms=command.since_ms,
                asked_ms=now_ms,
                fills=tuple(exchange.fills(command.symbol, command.since_ms)),
            )
        case AskFunding():
            return _funding(exchange, command, now_ms)
        case TakeSnapshot():
            return _snapshot(exchange, now_ms)
        case _:
            assert_never(command)


def look_up(exchange: Exchange, command: AskOrder | CancelOrder, now_ms: int) -> Event:
    """What became of an order; a triggered conditional one is answered for by its child."""
    answer: OrderView | ConditionalView | Refusal = exchange.order(command.symbol, command.order_id)
    if isinstance(answer, Refusal) and command.conditional:
        answer = exchange.conditional(command.order_id)
    if isinstance(answer, Refusal):
        return OrderMissing(order_id=command.order_id, asked_ms=now_ms)
    return _reported(answer)


def _position(exchange: Exchange, symbol: str, now_ms: int) -> PositionSeen:
    # In hedge mode the one of its two books that holds something stands for the symbol.
    held = [view for view in exchange.positions() if view.symbol == symbol]
    view = held[0] if held else exchange.position(symbol)
    return PositionSeen(
        symbol=symbol,
        quantity=view.quantity,
        entry_price=view.entry_price,
        seen_ms=now_ms,
        side=view.position_side.direction,
    )


def _place(exchange: Exchange, command: PlaceOrder, now_ms: int) -> Event:
    order = command.order
    answer: OrderView | ConditionalView | Refusal | None = _prepare(exchange, command, now_ms)
    if answer is None:
        if order.conditional:
            answer = exchange.place_conditional(
                _conditional_of(order, _book(exchange, order)), now_ms
            )
        else:
            answer = exchange.place(_request_of(order, _book(exchange, order)), now_ms)
    if isinstance(answer, Refusal):
        return OrderRefused(
            order_id=order.order_id, code=answer.code, text=answer.text, refused_ms=now_ms
        )
    return _reported(answer)


def _prepare(exchange: Exchange, command: PlaceOrder, now_ms: int) -> Refusal | None:
    symbol, wanted = command.order.symbol, command.margin_type
    if wanted is not None and exchange.margin_type(symbol) is not wanted:
        refusal = exchange.set_margin_type(symbol, wanted, now_ms)
        if refusal is not None and refusal.code != SAME_MARGIN_TYPE:
            return refusal
    if command.leverage is not None and command.leverage != exchange.leverage(symbol):
        answer = exchange.set_leverage(symbol, command.leverage, now_ms)
        return answer if isinstance(answer, Refusal) else None
    return None


def _cancel(exchange: Exchange, command: CancelOrder, now_ms: int) -> Event:
    answer: OrderView | ConditionalView | Refusal
    if command.conditional:
        answer = exchange.cancel_conditional(command.order_id, now_ms)
    else:
        answer = exchange.cancel(command.symbol, command.order_id, now_ms)
    if isinstance(answer, Refusal):
        return look_up(exchange, command, now_ms)
    return _reported(answer)


def _funding(exchange: Exchange, command: AskFunding, now_ms: int) -> FundingListed:
    kinds = (IncomeKind.FUNDING, IncomeKind.INSURANCE)
    rows = [r for r in exchange.income(command.symbol, command.since_ms) if r.kind in kinds]
    return FundingListed(
        symbol=command.symbol,
        since_ms=command.since_ms,
        asked_ms=now_ms,
        funding=tuple(
            Funding(
                funding_id=str(row.number),
                symbol=row.symbol,
                amount_usdt=row.amount_usdt,
                paid_ms=row.paid_ms,
            )
            for row in rows
        ),
    )


def _snapshot(exchange: Exchange, now_ms: int) -> SnapshotTaken:
    positions = tuple(
        Position(
            symbol=view.symbol,
            quantity=view.quantity,
            entry_price=view.entry_price,
            updated_ms=view.updated_ms,
            unrealized_pnl_usdt=view.unrealized_usdt,
            liquidation_price=view.liquidation_price,
            side=view.position_side.direction,
        )
        for view in exchange.positions()
    )
    reports = [order_report(view) for view in exchange.open_orders()]
    reports += [conditional_report(view) for view in exchange.open_conditionals()]
    touched = {p.symbol for p in positions} | {r.symbol for r in reports}
    return SnapshotTaken(
        asked_ms=now_ms,
        wallet_usdt=exchange.balances().wallet_usdt,
        positions=positions,
        open_orders=tuple(reports),
        recent_fills=tuple(
            f for p in positions for f in exchange.fills(p.symbol, now_ms - WEEK_MS)
        ),
        instruments=tuple(exchange.markets[symbol].instrument for symbol in sorted(touched)),
    )


def _book(exchange: Exchange, order: Order) -> PositionSide:
    if not exchange.hedged():
        return PositionSide.BOTH
    opens_long = (order.side is Side.BUY) is (order.role is Role.ENTRY)
    return PositionSide.LONG if opens_long else PositionSide.SHORT


def _request_of(order: Order, book: PositionSide) -> OrderRequest:
    return OrderRequest(
        symbol=order.symbol,
        side=order.side,
        kind=order.kind,
        quantity=order.quantity,
        price=order.price,
        time_in_force=TimeInForce.GTC,
        reduce_only=order.reduce_only,
        client_id=order.order_id,
        position_side=book,
    )


def _conditional_of(order: Order, book: PositionSide) -> ConditionalRequest:
    trails = order.callback_pct is not None
    assert trails or order.trigger_price is not None, f"{order.order_id} has no trigger price"
    return ConditionalRequest(
        symbol=order.symbol,
        side=order.side,
        kind=OrderKind.STOP_MARKET if trails else order.kind,
        trigger_price=order.trigger_price or ZERO,
        callback_rate=order.callback_pct / HUNDRED if order.callback_pct is not None else None,
        activate_price=order.activation_price,
        quantity=None if order.close_position else order.quantity or ZERO,
        close_position=order.close_position,
        reduce_only=order.reduce_only,
        client_id=order.order_id,
        position_side=book,
    )


def _reported(answer: OrderView | ConditionalView) -> OrderReported:
    told = order_report(answer) if isinstance(answer, OrderView) else conditional_report(answer)
    return OrderReported(report=told)
