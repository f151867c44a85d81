"""The mutable state of one pretend exchange: markets, accounts, orders.

Must not know: the rules that change it, or who asks. Only the other `exchange_` modules touch it.
"""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random

from bot.sandbox.exchange_records import (
    ConditionalStatus,
    ConditionalView,
    ExpiryReason,
    Income,
    OrderView,
    PositionSide,
    PriceSource,
    TimeInForce,
    UserEvent,
)
from data.model import Fill, FillCause, Instrument, MarginType, OrderKind, OrderStatus, Side
from data.money import ZERO

HISTORY_MAX = 200_000  # rows kept of fills, income and finished orders: a month of a busy demo
FUNDING_INTERVAL_MS = 8 * 3_600_000
LEVERAGE_DEFAULT = 20
CENT = Decimal("0.00000001")  # the smallest unit the exchange books


@dataclass(slots=True, kw_only=True)
class Market:
    """One symbol's prices and funding."""

    instrument: Instrument
    last: Decimal | None = None
    mark: Decimal = ZERO
    mark_follows: bool = True
    liquidity: Decimal | None = None  # base units left in this price step; None is endless
    funding_rate: Decimal = Decimal("0.0001")
    funding_interval_ms: int = FUNDING_INTERVAL_MS
    next_funding_ms: int = 0
    updated_ms: int = 0


@dataclass(slots=True, kw_only=True)
class Order:
    """A plain order while it lives and after."""

    number: int
    client_id: str
    symbol: str
    side: Side
    kind: OrderKind
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal
    reduce_only: bool
    created_ms: int
    updated_ms: int
    close_position: bool = False
    filled: Decimal = ZERO
    quote: Decimal = ZERO
    status: OrderStatus = OrderStatus.NEW
    cause: FillCause = FillCause.ORDER
    expiry: ExpiryReason = ExpiryReason.NONE
    position_side: PositionSide = PositionSide.BOTH
    good_till_ms: int = 0
    modifications: int = 0

    def view(self) -> OrderView:
        """A snapshot."""
        return OrderView(
            number=self.number,
            client_id=self.client_id,
            symbol=self.symbol,
            side=self.side,
            kind=self.kind,
            time_in_force=self.time_in_force,
            quantity=self.quantity,
            price=self.price,
            filled_quantity=self.filled,
            filled_quote=self.quote,
            status=self.status,
            reduce_only=self.reduce_only,
            close_position=self.close_position,
            created_ms=self.created_ms,
            updated_ms=self.updated_ms,
            cause=self.cause,
            expiry=self.expiry,
            position_side=self.position_side,
            good_till_ms=self.good_till_ms,
        )


@dataclass(slots=True, kw_only=True)
class Conditional:
    """A conditional order while it lives and after."""

    number: int
    client_id: str
    symbol: str
    side: Side
    kind: OrderKind
    trigger_price: Decimal
    quantity: Decimal
    close_position: bool
    reduce_only: bool
    price_source: PriceSource
    time_in_force: TimeInForce
    created_ms: int
    updated_ms: int
    fires_above: bool
    status: ConditionalStatus = ConditionalStatus.NEW
    triggered_ms: int = 0
    child: Order | None = None
    reject_text: str = ""
    position_side: PositionSide = PositionSide.BOTH
    price: Decimal = ZERO  # above zero: the child is a LIMIT order
    callback_rate: Decimal | None = None
    activate_price: Decimal | None = None
    best_price: Decimal | None = None  # since it was activated; trailing only
    price_protect: bool = False

    def view(self) -> ConditionalView:
        """A snapshot."""
        child = self.child
        return ConditionalView(
            number=self.number,
            client_id=self.client_id,
            symbol=self.symbol,
            side=self.side,
            kind=self.kind,
            trigger_price=self.trigger_price,
            quantity=self.quantity,
            close_position=self.close_position,
            reduce_only=self.reduce_only,
            price_source=self.price_source,
            time_in_force=self.time_in_force,
            status=self.status,
            created_ms=self.created_ms,
            updated_ms=self.updated_ms,
            triggered_ms=self.triggered_ms,
            child_number=child.number if child else None,
            child_price=child.quote / child.filled if child and child.filled else ZERO,
            child_quantity=child.filled if child else ZERO,
            reject_text=self.reject_text,
            position_side=self.position_side,
            price=self.price,
            callback_rate=self.callback_rate,
            activate_price=self.activate_price,
            activated=self.best_price is not None,
            price_protect=self.price_protect,
        )


@dataclass(slots=True, kw_only=True)
class Holding:
    """A position. `cost` is what the open quantity cost, signed and exact to the booked unit."""

    symbol: str
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    fees: Decimal = ZERO  # since it was last flat, for the break-even price
    entry_price: Decimal = ZERO
    isolated_wallet: Decimal = ZERO
    realized: Decimal = ZERO
    updated_ms: int = 0
    position_side: PositionSide = PositionSide.BOTH


@dataclass(slots=True, kw_only=True)
class Account:
    """One wallet with its positions, orders and books. More than one may trade in one World."""

    account_id: str
    wallet: Decimal
    updated_ms: int = 0
    hedged: bool = False
    holdings: dict[str, Holding] = field(default_factory=dict)  # by _book
    leverage: dict[str, int] = field(default_factory=dict)
    margin_types: dict[str, MarginType] = field(default_factory=dict)
    orders: dict[int, Order] = field(default_factory=dict)
    newest_by_client: dict[tuple[str, str], int] = field(default_factory=dict)
    open_orders: dict[str, dict[int, Order]] = field(default_factory=dict)
    open_clients: set[tuple[str, str]] = field(default_factory=set)
    conditionals: dict[int, Conditional] = field(default_factory=dict)
    newest_conditional: dict[str, int] = field(default_factory=dict)
    open_conditionals: dict[str, dict[int, Conditional]] = field(default_factory=dict)
    fills: deque[Fill] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    income: deque[Income] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    dated: dict[int, Order] = field(default_factory=dict)  # open GTD orders
    working_children: dict[str, list[Conditional]] = field(default_factory=dict)
    countdowns: dict[str, int] = field(default_factory=dict)  # symbol: when its orders go

    def leverage_of(self, symbol: str) -> int:
        """The symbol's leverage as set, or the default."""
        return self.leverage.get(symbol, LEVERAGE_DEFAULT)

    def margin_type_of(self, symbol: str) -> MarginType:
        """The symbol's margin type as set, or crossed."""
        return self.margin_types.get(symbol, MarginType.CROSSED)

    def holding(self, symbol: str, side: PositionSide = PositionSide.BOTH) -> Holding:
        """The symbol's position, made flat when there was none."""
        book = _book(symbol, side)
        found = self.holdings.get(book)
        if found is None:
            found = self.holdings[book] = Holding(symbol=symbol, position_side=side)
        return found

    def peek(self, symbol: str, side: PositionSide = PositionSide.BOTH) -> Holding:
        """The symbol's position; a flat one that is not kept when there was none."""
        found = self.holdings.get(_book(symbol, side))
        return found or Holding(symbol=symbol, position_side=side)

    def quantity_of(self, symbol: str, side: PositionSide = PositionSide.BOTH) -> Decimal:
        """The signed position; zero when flat."""
        found = self.holdings.get(_book(symbol, side))
        return found.quantity if found is not None else ZERO

    def held(self, symbol: str) -> list[Holding]:
        """The symbol's positions that are not flat: one at most, two in hedge mode."""
        if not self.hedged:
            found = self.holdings.get(symbol)
            return [found] if found is not None and found.quantity else []
        books = (self.holdings.get(_book(symbol, side)) for side in PositionSide)
        return [one for one in books if one is not None and one.quantity]

    def cross_wallet(self) -> Decimal:
        """The wallet without what isolated positions hold."""
        wallet = self.wallet
        for holding in self.holdings.values():
            if holding.isolated_wallet:
                wallet -= holding.isolated_wallet
        return wallet

    def remember(self, order: Order) -> None:
        """Put an order into the store, open."""
        self.orders[order.number] = order
        self.newest_by_client[(order.symbol, order.client_id)] = order.number
        self.open_orders.setdefault(order.symbol, {})[order.number] = order
        self.open_clients.add((order.symbol, order.client_id))
        if order.good_till_ms:
            self.dated[order.number] = order
        if len(self.orders) > HISTORY_MAX:
            oldest = self.orders.pop(next(iter(self.orders)))
            key = (oldest.symbol, oldest.client_id)
            if self.newest_by_client.get(key) == oldest.number:
                del self.newest_by_client[key]

    def settle(self, order: Order) -> None:
        """Take an order that ended off the book; its client id may be used again."""
        self.open_orders[order.symbol].pop(order.number, None)
        self.open_clients.discard((order.symbol, order.client_id))
        if order.good_till_ms:
            self.dated.pop(order.number, None)


@dataclass(slots=True, kw_only=True)
class World:
    """Everything one pretend exchange knows."""

    markets: dict[str, Market]
    accounts: dict[str, Account]
    maker_rate: Decimal
    taker_rate: Decimal
    liquidation_fee_rate: Decimal
    slippage_bps: Decimal
    rng: Random | None
    now_ms: int = 0
    outbox: list[UserEvent] = field(default_factory=list)
    order_number: int = 8_000_000_000
    fill_number: int = 1_000_000
    income_number: int = 500_000_000
    conditional_number: int = 4_000_000_000_000_000

    def next_order(self) -> int:
        """A fresh order number."""
        self.order_number += 1
        return self.order_number

    def next_fill(self) -> int:
        """A fresh fill number."""
        self.fill_number += 1
        return self.fill_number

    def next_income(self) -> int:
        """A fresh income number."""
        self.income_number += 1
        return self.income_number

    def next_conditional(self) -> int:
        """A fresh conditional-order number."""
        self.conditional_number += 1
        return self.conditional_number


def _book(symbol: str, side: PositionSide) -> str:
    return symbol if side is PositionSide.BOTH else f"{symbol}/{side}"
