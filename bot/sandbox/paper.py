"""Paper trading: the Venue port over the pretend exchange, inside the service's own process.

Prices are the real market's, fed in as they come; orders are the pretend exchange's. Outcomes,
events and their order are those of the real thing, so the core cannot tell them apart. The account
is kept after each change, before anybody hears of it, and brought back at the next start; a price
that jumped meanwhile fires stops at the first price seen, as a gap does.

Must not know: the venue's wire, or where the account is kept.
"""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Final, assert_never

from bot.core.messages import (
    AskFailed,
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
from bot.core.trade import Order
from bot.sandbox.exchange import Exchange
from bot.sandbox.exchange_records import (
    ConditionalRequest,
    ConditionalView,
    IncomeKind,
    OrderRequest,
    OrderView,
    Refusal,
)
from bot.sandbox.paper_state import freeze
from bot.sandbox.paper_words import conditional_report, events_of, order_report
from bot.shell.clock import Clock
from bot.shell.ports import EventSink
from data.model import Funding, MarginType, Position

SAME_MARGIN_TYPE: Final = -4046  # "no need to change": what we want is so already
RECENT_MS: Final = 24 * 3_600_000  # fills a snapshot shows

Save = Callable[[str], Awaitable[None]]


class PaperVenue:
    """One pretend account as the engine's venue. `sink` hears what a user stream would tell."""

    def __init__(self, exchange: Exchange, *, clock: Clock, sink: EventSink, save: Save) -> None:
        self._exchange = exchange
        self._clock = clock
        self._sink = sink
        self._save = save

    async def feed(self, symbol: str, price: Decimal) -> None:
        """A new price of the real market: it may fill, trigger, liquidate and pay funding."""
        if self._exchange.market(symbol) is None:
            return
        self._exchange.advance(symbol, price, self._clock.now_ms())
        await self._tell()

    async def perform(self, command: VenueCommand) -> Sequence[Event]:
        """Carry one command out, once, and say what came of it."""
        match command:
            case PlaceOrder():
                return [await self._place(command)]
            case CancelOrder():
                return [await self._cancel(command)]
            case AskOrder():
                return [self._order(command)]
            case AskPosition():
                return [self._position(command.symbol)]
            case AskFills():
                return [self._fills(command)]
            case AskFunding():
                return [self._funding(command)]
            case TakeSnapshot():
                return [self._snapshot()]
            case _:
                assert_never(command)

    async def _tell(self) -> None:
        news = self._exchange.drain_events()
        if not news:
            return
        await self._save(freeze(self._exchange))
        for one in news:
            for event in events_of(one):
                self._sink(event)

    async def _place(self, command: PlaceOrder) -> Event:
        order, now_ms = command.order, self._clock.now_ms()
        answer: OrderView | ConditionalView | Refusal | None = self._prepare(command, now_ms)
        if answer is None:
            if order.conditional:
                answer = self._exchange.place_conditional(_conditional_of(order), now_ms)
            else:
                answer = self._exchange.place(_request_of(order), now_ms)
        await self._tell()
        if isinstance(answer, Refusal):
            return OrderRefused(
                order_id=order.order_id, code=answer.code, text=answer.text, refused_ms=now_ms
            )
        return _reported(answer)

    def _prepare(self, command: PlaceOrder, now_ms: int) -> Refusal | None:
        symbol = command.order.symbol
        wanted = command.margin_type
        if wanted is not None and self._exchange.margin_type(symbol) is not MarginType(wanted):
            refusal = self._exchange.set_margin_type(symbol, wanted, now_ms)
            if refusal is not None and refusal.code != SAME_MARGIN_TYPE:
                return refusal
        if command.leverage is not None and command.leverage != self._exchange.leverage(symbol):
            answer = self._exchange.set_leverage(symbol, command.leverage, now_ms)
            return answer if isinstance(answer, Refusal) else None
        return None

    async def _cancel(self, command: CancelOrder) -> Event:
        now_ms = self._clock.now_ms()
        answer: OrderView | ConditionalView | Refusal
        if command.conditional:
            answer = self._exchange.cancel_conditional(command.order_id, now_ms)
        else:
            answer = self._exchange.cancel(command.symbol, command.order_id, now_ms)
        await self._tell()
        if isinstance(answer, Refusal):
            return OrderRefused(
                order_id=command.order_id,
                code=answer.code,
                text=answer.text,
                action="cancel",
                refused_ms=now_ms,
            )
        return _reported(answer)

    def _order(self, command: AskOrder) -> Event:
        answer: OrderView | ConditionalView | Refusal
        if command.conditional:
            answer = self._exchange.conditional(command.order_id)
        else:
            answer = self._exchange.order(command.symbol, command.order_id)
        if isinstance(answer, Refusal):
            return OrderMissing(order_id=command.order_id, asked_ms=self._clock.now_ms())
        return _reported(answer)

    def _position(self, symbol: str) -> Event:
        if self._exchange.market(symbol) is None:
            return AskFailed(what="position", symbol=symbol, reason="not listed here")
        view = self._exchange.position(symbol)
        return PositionSeen(
            symbol=symbol,
            quantity=view.quantity,
            entry_price=view.entry_price,
            seen_ms=self._clock.now_ms(),
        )

    def _fills(self, command: AskFills) -> Event:
        return FillsListed(
            symbol=command.symbol,
            since_ms=command.since_ms,
            asked_ms=self._clock.now_ms(),
            fills=tuple(self._exchange.fills(command.symbol, command.since_ms)),
        )

    def _funding(self, command: AskFunding) -> Event:
        rows = self._exchange.income(command.symbol, command.since_ms, IncomeKind.FUNDING)
        return FundingListed(
            symbol=command.symbol,
            since_ms=command.since_ms,
            asked_ms=self._clock.now_ms(),
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

    def _snapshot(self) -> Event:
        now_ms = self._clock.now_ms()
        positions = tuple(
            Position(
                symbol=view.symbol,
                quantity=view.quantity,
                entry_price=view.entry_price,
                updated_ms=view.updated_ms,
                unrealized_pnl_usdt=view.unrealized_usdt,
                liquidation_price=view.liquidation_price,
            )
            for view in self._exchange.positions()
        )
        orders = [order_report(view) for view in self._exchange.open_orders()]
        orders += [conditional_report(view) for view in self._exchange.open_conditionals()]
        symbols = sorted({p.symbol for p in positions} | {o.symbol for o in orders})
        return SnapshotTaken(
            asked_ms=now_ms,
            wallet_usdt=self._exchange.balances().wallet_usdt,
            positions=positions,
            open_orders=tuple(orders),
            recent_fills=tuple(self._exchange.fills(None, now_ms - RECENT_MS)),
            instruments=tuple(self._exchange.markets[symbol].instrument for symbol in symbols),
        )


def _reported(view: OrderView | ConditionalView) -> OrderReported:
    if isinstance(view, OrderView):
        return OrderReported(report=order_report(view))
    return OrderReported(report=conditional_report(view))


def _request_of(order: Order) -> OrderRequest:
    return OrderRequest(
        symbol=order.symbol,
        side=order.side,
        kind=order.kind,
        quantity=order.quantity,
        price=order.price,
        reduce_only=order.reduce_only,
        client_id=order.order_id,
    )


def _conditional_of(order: Order) -> ConditionalRequest:
    assert order.trigger_price is not None, f"{order.order_id} has no trigger price"
    return ConditionalRequest(
        symbol=order.symbol,
        side=order.side,
        kind=order.kind,
        trigger_price=order.trigger_price,
        quantity=None if order.close_position else order.quantity,
        close_position=order.close_position,
        reduce_only=order.reduce_only and not order.close_position,
        client_id=order.order_id,
    )
