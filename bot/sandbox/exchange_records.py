"""What goes into and comes out of the pretend exchange: requests, refusals, views and events.

Must not know: how the exchange keeps its state, HTTP, or any exchange's spelling of these words.
Money and quantities are Decimal, `_ms` is exchange time. Numbers of orders are the exchange's own,
client ids are the caller's. Views and events are snapshots: they never change after they are made.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum, StrEnum

from data.model import Direction, Fill, FillCause, MarginType, OrderKind, OrderStatus, Side
from data.money import ZERO


class PositionSide(StrEnum):
    """Which book a position is in: the only one of one-way mode, or one of hedge mode's two."""

    BOTH = "both"
    LONG = "long"
    SHORT = "short"

    @property
    def direction(self) -> Direction | None:
        """Which way its positions earn; None in one-way mode, where either way is possible."""
        return None if self is PositionSide.BOTH else Direction(self.value)


class TimeInForce(StrEnum):
    """How long an order may wait. `POSITION`: as long as a position on its side exists."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    POST_ONLY = "post_only"
    GTD = "gtd"
    POSITION = "position"


class PriceSource(StrEnum):
    """Which price a conditional order watches."""

    LAST = "last"
    MARK = "mark"


class ConditionalStatus(StrEnum):
    """The life of a conditional order."""

    NEW = "new"
    TRIGGERING = "triggering"
    TRIGGERED = "triggered"
    FINISHED = "finished"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


class Execution(StrEnum):
    """What an order event tells. `FORCED` is a fill the exchange made itself."""

    NEW = "new"
    TRADE = "trade"
    FORCED = "forced"
    CANCELED = "canceled"
    EXPIRED = "expired"
    AMENDED = "amended"


class ExpiryReason(IntEnum):
    """Why an order expired; the numbers are the exchange's own."""

    NONE = 0
    IOC_REMAINDER = 2
    REDUCE_ONLY = 4
    LIQUIDATION = 5
    DELISTED = 7
    MARKET_REMAINDER = 9


class IncomeKind(StrEnum):
    """What changed the wallet."""

    REALIZED = "realized"
    COMMISSION = "commission"
    FUNDING = "funding"
    INSURANCE = "insurance"


class AccountCause(StrEnum):
    """Why an account event was sent."""

    ORDER = "order"
    FUNDING = "funding"
    INSURANCE = "insurance"
    MARGIN_TYPE = "margin_type"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The exchange said no: nothing was changed. `code` and `text` are the real exchange's."""

    code: int
    text: str
    http_status: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """A plain order. `price` is required for LIMIT; without `client_id` one is made up.

    In hedge mode `position_side` is LONG or SHORT and `reduce_only` follows from it and the side.
    """

    symbol: str
    side: Side
    kind: OrderKind
    quantity: Decimal
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    reduce_only: bool = False
    client_id: str | None = None
    position_side: PositionSide = PositionSide.BOTH
    good_till_ms: int = 0  # GTD only


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """New price and size of a resting LIMIT order; `reduce_only` is checked, never changed."""

    symbol: str
    key: int | str
    side: Side
    quantity: Decimal
    price: Decimal
    modify_id: int | None = None
    reduce_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalRequest:
    """A stop or target. Either `close_position`, or a `quantity` (with or without reduce-only).

    With `price` the child is a LIMIT order (the exchange's STOP and TAKE_PROFIT). With
    `callback_rate` (a fraction) a STOP_MARKET trails the best price seen since `activate_price`
    was reached, and `trigger_price` is not used.
    """

    symbol: str
    side: Side
    kind: OrderKind
    trigger_price: Decimal
    quantity: Decimal | None = None
    close_position: bool = False
    reduce_only: bool = False
    price_source: PriceSource = PriceSource.LAST
    time_in_force: TimeInForce = TimeInForce.GTC
    client_id: str | None = None
    position_side: PositionSide = PositionSide.BOTH
    price: Decimal | None = None
    callback_rate: Decimal | None = None
    activate_price: Decimal | None = None
    price_protect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """A plain order as it was at `updated_ms`. `price` is zero for MARKET."""

    number: int
    client_id: str
    symbol: str
    side: Side
    kind: OrderKind
    time_in_force: TimeInForce
    quantity: Decimal
    price: Decimal
    filled_quantity: Decimal
    filled_quote: Decimal
    status: OrderStatus
    reduce_only: bool
    close_position: bool
    created_ms: int
    updated_ms: int
    cause: FillCause
    expiry: ExpiryReason
    position_side: PositionSide = PositionSide.BOTH
    good_till_ms: int = 0

    @property
    def average_price(self) -> Decimal | None:
        """Volume-weighted fill price; None before the first fill."""
        return self.filled_quote / self.filled_quantity if self.filled_quantity else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalView:
    """A conditional order as it was at `updated_ms`; `child_number` is set once it triggered."""

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
    status: ConditionalStatus
    created_ms: int
    updated_ms: int
    triggered_ms: int
    child_number: int | None
    child_price: Decimal
    child_quantity: Decimal
    reject_text: str
    position_side: PositionSide = PositionSide.BOTH
    price: Decimal = ZERO
    callback_rate: Decimal | None = None
    activate_price: Decimal | None = None
    activated: bool = False
    price_protect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    """One symbol's position with everything that follows from the mark price."""

    symbol: str
    quantity: Decimal  # signed
    entry_price: Decimal
    break_even_price: Decimal
    mark_price: Decimal
    unrealized_usdt: Decimal
    notional_usdt: Decimal  # signed
    liquidation_price: Decimal | None
    leverage: int
    margin_type: MarginType
    isolated_wallet_usdt: Decimal
    position_margin_usdt: Decimal
    order_margin_usdt: Decimal
    maintenance_usdt: Decimal
    bid_notional_usdt: Decimal
    ask_notional_usdt: Decimal
    realized_usdt: Decimal  # accumulated since the account began, before fees
    updated_ms: int
    position_side: PositionSide = PositionSide.BOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceView:
    """The account's USDT. `wallet` is exact: start plus every income row."""

    wallet_usdt: Decimal
    cross_wallet_usdt: Decimal
    unrealized_usdt: Decimal
    cross_unrealized_usdt: Decimal
    position_margin_usdt: Decimal
    order_margin_usdt: Decimal
    maintenance_usdt: Decimal
    available_usdt: Decimal
    updated_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Income:
    """One change of the wallet. (kind, number) is unique; `trade` is the fill's id or 0."""

    number: int
    kind: IncomeKind
    symbol: str
    amount_usdt: Decimal
    paid_ms: int
    trade: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionChange:
    """A position as an account event shows it."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    break_even_price: Decimal
    realized_usdt: Decimal
    unrealized_usdt: Decimal
    margin_type: MarginType
    isolated_wallet_usdt: Decimal
    position_side: PositionSide = PositionSide.BOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """Something happened to a plain order; `fill` is set for TRADE and FORCED."""

    account_id: str
    at_ms: int
    execution: Execution
    order: OrderView
    fill: Fill | None = None
    modify_id: int | None = None  # AMENDED only


@dataclass(frozen=True, slots=True, kw_only=True)
class FillEvent:
    """The short, early word of a fill."""

    account_id: str
    at_ms: int
    order: OrderView
    fill: Fill


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountEvent:
    """The wallet and the changed positions after `cause`. `change` excludes profit and fees."""

    account_id: str
    at_ms: int
    cause: AccountCause
    symbol: str
    wallet_usdt: Decimal
    cross_wallet_usdt: Decimal
    positions: tuple[PositionChange, ...]
    change_usdt: Decimal = ZERO
    with_balance: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionalEvent:
    """A conditional order moved on."""

    account_id: str
    at_ms: int
    order: ConditionalView


@dataclass(frozen=True, slots=True, kw_only=True)
class LeverageEvent:
    """A symbol's leverage was set."""

    account_id: str
    at_ms: int
    symbol: str
    leverage: int


UserEvent = OrderEvent | FillEvent | AccountEvent | ConditionalEvent | LeverageEvent
