"""The vocabulary of facts: frozen records that every room speaks.

Must not know: who produced a record, or what will be done about it. Prices, quantities and money
are Decimal; candles are float64 because they only feed indicators and scores. Every `_ms` is an
int of Unix milliseconds UTC in exchange time. Enum values are what the database and chat show.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from data.money import ONE, ZERO


class Side(StrEnum):
    """Which way an order trades."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> "Side":
        """The side that undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY


class Direction(StrEnum):
    """Which way a position earns."""

    LONG = "long"
    SHORT = "short"

    @property
    def entry_side(self) -> Side:
        """The side of the order that opens it."""
        return Side.BUY if self is Direction.LONG else Side.SELL

    @property
    def exit_side(self) -> Side:
        """The side of the order that closes it."""
        return self.entry_side.opposite

    @property
    def sign(self) -> int:
        """+1 for long, -1 for short."""
        return 1 if self is Direction.LONG else -1


class OrderKind(StrEnum):
    """Order types we use. The last three are conditional: they live in the algo service."""

    MARKET = "market"
    LIMIT = "limit"
    STOP_MARKET = "stop_market"
    TAKE_PROFIT_MARKET = "take_profit_market"
    TRAILING_STOP_MARKET = "trailing_stop_market"


class OrderStatus(StrEnum):
    """What the exchange says of one order. `TRIGGERED`: a conditional order whose child works."""

    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    TRIGGERED = "triggered"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


class FillCause(StrEnum):
    """Who made the trade happen; all but `ORDER` come with a foreign client id."""

    ORDER = "order"
    LIQUIDATION = "liquidation"
    ADL = "adl"
    SETTLEMENT = "settlement"


class MarginType(StrEnum):
    """How a position's margin is kept."""

    ISOLATED = "isolated"
    CROSSED = "crossed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """One leverage bracket of a symbol. Notionals in quote units; the floor is exclusive below."""

    leverage_max: int
    notional_floor: Decimal
    notional_cap: Decimal
    maintenance_ratio: Decimal
    maintenance_amount: Decimal  # "cum": subtracted from notional x ratio.


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A tradable symbol with its filters (source: exchangeInfo and leverageBracket)."""

    symbol: str
    base_asset: str
    quote_asset: str
    tradable: bool  # perpetual, TRADING, coin-margined and special regimes excluded
    tick_size: Decimal
    step_size: Decimal
    market_step_size: Decimal
    quantity_min: Decimal
    quantity_max: Decimal
    market_quantity_max: Decimal
    notional_min: Decimal
    price_up_ratio: Decimal  # a BUY limit may not exceed mark x this
    price_down_ratio: Decimal  # a SELL limit may not be below mark x this
    onboard_ms: int = 0
    brackets: tuple[Bracket, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One bar. `closed` is False for the bar still being built."""

    symbol: str
    timeframe: str
    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float  # base units
    closed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What a strategy proposes on a closed bar."""

    signal_id: str  # a function of (bot, symbol, timeframe, bar_open_ms)
    bot_id: str
    strategy: str
    model: str  # "continuation", "reversal", ...: what memory groups by
    symbol: str
    timeframe: str
    bar_open_ms: int
    raised_ms: int
    direction: Direction
    entry_price: Decimal
    stop_price: Decimal
    target_price: Decimal
    score: float  # 0..100
    atr: Decimal = ZERO  # average true range of the bars it was made on; ZERO: not told
    parts: tuple[tuple[str, float], ...] = ()  # the score's parts, in points
    reasons: tuple[str, ...] = ()
    size_share: Decimal = ONE  # of the ordinary size, at most 1: sizing only ever shrinks by it


class Action(StrEnum):
    """What an adviser may answer. `ABSTAIN` is any doubt: never a HOLD, never an approval."""

    OPEN_POSITION = "open_position"
    CLOSE_POSITION = "close_position"
    HOLD_POSITION = "hold_position"
    DO_NOTHING = "do_nothing"
    ABSTAIN = "abstain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the adviser answered to one question, after parsing and schema validation."""

    advisor: str  # "rules" or "gemini"
    model_version: str  # as the answer named it; "" for rules
    bot_id: str
    symbol: str
    snapshot_id: str  # hash of the snapshot that was asked about
    action: Action
    direction: Direction | None = None
    entry_price: Decimal | None = None
    stop_price: Decimal | None = None
    target_price: Decimal | None = None
    quantity: Decimal | None = None
    leverage: int | None = None
    confidence: float | None = None  # 0..100
    reasons: tuple[str, ...] = ()
    invalidation: str = ""
    abstained: str = ""  # why, when action is ABSTAIN
    decided_ms: int = 0
    cost_usd: Decimal = ZERO
    answer_id: str = ""  # hash of the raw answer kept in the store; "" when there is none
    adjusted_confidence: float | None = None  # what the desk's caution left of `confidence`
    skipped: bool = False  # nobody was asked: it is no doubt, and not counted as one
    directive_updates: tuple[tuple[str, str], ...] = ()  # (directive, wanted value as text)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """What the exchange says of one order of ours, from an answer, the stream or a query."""

    order_id: str  # client id
    symbol: str
    status: OrderStatus
    filled_quantity: Decimal  # cumulative
    average_price: Decimal | None
    conditional: bool  # True for the algo record, False for a plain order or a triggered child
    event_ms: int
    venue_order_id: int | None = None  # of the plain or child order; None for an untriggered algo
    reason: str = ""
    # What a conditional order's own record says it is; None where that is not told.
    trigger_price: Decimal | None = None
    order_quantity: Decimal | None = None  # ZERO when it closes the whole position


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One trade at the exchange. (symbol, fill_id) is unique; the same fill may be told twice."""

    fill_id: int
    symbol: str
    order_id: str  # client id; "" when only the venue's number is known (userTrades)
    venue_order_id: int
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    realized_pnl_usdt: Decimal  # before fees, as the exchange computed it
    filled_ms: int
    maker: bool = False
    cause: FillCause = FillCause.ORDER
    position_side: Direction | None = None  # hedge mode: whose side it moved


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A symbol's position, or in hedge mode one side of it; `quantity` is signed, zero: flat."""

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    updated_ms: int
    unrealized_pnl_usdt: Decimal = ZERO
    liquidation_price: Decimal | None = None
    side: Direction | None = None  # hedge mode: which of the symbol's two; None in one-way mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Funding:
    """One funding payment, or a liquidation's fee; negative means we paid. The id is unique."""

    funding_id: str
    symbol: str
    amount_usdt: Decimal
    paid_ms: int


class ExitReason(StrEnum):
    """Why a position ended."""

    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"
    MANUAL = "manual"
    AI = "ai"
    TIMEOUT = "timeout"
    EXTERNAL = "external"  # by hand on the exchange's own site, or settlement
    LIQUIDATION = "liquidation"
    ADL = "adl"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedTrade:
    """One position's whole result. Money in USDT; `pnl_usdt` is after fees and funding."""

    trade_id: str
    user_id: str
    account_id: str
    bot_id: str
    symbol: str
    model: str
    direction: Direction
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    opened_ms: int
    closed_ms: int
    exit_reason: ExitReason
    realized_usdt: Decimal
    fees_usdt: Decimal
    funding_usdt: Decimal
    pnl_usdt: Decimal
    equity_usdt: Decimal  # wallet balance after it closed
