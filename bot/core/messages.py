"""Every event that enters the core and every command that leaves it: its whole vocabulary.

Must not know: who sends an event or carries a command out. All records are frozen and encode to
JSON as they stand; the class name is the record's name in the journal, so a class is never
renamed, and a field is only ever added with a default.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from bot.core.directions import AnalysisDue, BotRemoved, DirectivesReverted, DirectivesTold
from bot.core.presets import BotConfig
from bot.core.trade import Order
from bot.core.universe import Contract
from data.model import (
    Candle,
    Decision,
    Direction,
    ExitReason,
    Fill,
    Funding,
    Instrument,
    MarginType,
    OrderReport,
    Position,
    Signal,
)
from memory.caution import Caution

# ------------------------------------------------------------------ events: people and the clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Woke:
    """The earliest deadline of the state has come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BotConfigured:
    """A bot was created or edited; validated before it was sent."""

    config: BotConfig
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BotSwitched:
    """A person (or a rule) started or paused one bot, or all when `bot_id` is ""."""

    bot_id: str
    running: bool
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PanicPressed:
    """Close everything now and take no entries until resumed."""

    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesHalted:
    """No entries for a reason outside the core (disk full, key refused, streams gone)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntriesResumed:
    """That reason is gone, or a person resumed after a panic."""

    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseRequested:
    """A person or the adviser wants a trade's position closed."""

    trade_id: str
    reason: ExitReason
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopMoveRequested:
    """A person wants a trade's stop at another level; only a tighter one is taken."""

    trade_id: str
    level: Decimal
    by: str
    mark_price: Decimal | None = None  # read just now; None: no fresh price could be had


class CardVerb(StrEnum):
    """What a person may answer to a card."""

    APPROVE = "approve"
    HALF = "half"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardAnswered:
    """A valid, unused token was tapped; prices and balance were read after the tap."""

    trade_id: str
    verb: CardVerb
    user_id: str
    mark_price: Decimal | None  # None: no fresh price could be had
    mark_ms: int
    confirmed: bool = False  # the person saw the moved price and said "anyway"


# -------------------------------------------------------------------------- events: the market


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRaised:
    """A strategy proposes a trade on a freshly closed bar."""

    signal: Signal
    instrument: Instrument
    mark_price: Decimal
    mark_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceReached:
    """The mark price came to where a trade's stop is to be moved (`Trade.watch_price`)."""

    trade_id: str
    mark_price: Decimal
    mark_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionArrived:
    """The adviser answered (or abstained). The mark price was read when it arrived."""

    trade_id: str
    decision: Decision
    mark_price: Decimal
    mark_ms: int


# ------------------------------------------------------------------------ events: the exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRefused:
    """The exchange surely did not take the order (or the cancel)."""

    order_id: str
    code: int
    text: str
    action: str = "place"  # "place" or "cancel"
    refused_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUnknown:
    """A place, cancel or query got no usable answer. Not a refusal."""

    order_id: str
    reason: str
    action: str = "place"  # "place", "cancel" or "ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReported:
    """The exchange said something of an order: answer, stream or query alike."""

    report: OrderReport


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMissing:
    """A query answered that the order does not exist. `asked_ms`: when the query was sent."""

    order_id: str
    asked_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """One fill, from the stream; it may come twice, late, or belong to nobody we know."""

    fill: Fill


@dataclass(frozen=True, slots=True, kw_only=True)
class FillsListed:
    """All fills of a symbol since `since_ms`, oldest first, as listed at `asked_ms`."""

    symbol: str
    since_ms: int
    asked_ms: int
    fills: tuple[Fill, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingListed:
    """All funding payments of a symbol since `since_ms`."""

    symbol: str
    since_ms: int
    asked_ms: int
    funding: tuple[Funding, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionSeen:
    """The exchange's word on one symbol's position at `seen_ms` (stream or query)."""

    symbol: str
    quantity: Decimal  # signed; ZERO is flat
    entry_price: Decimal
    seen_ms: int
    side: Direction | None = None  # hedge mode: which of the two; None speaks of the whole symbol


@dataclass(frozen=True, slots=True, kw_only=True)
class WalletSeen:
    """The exchange's word on the wallet balance (without open profit)."""

    wallet_usdt: Decimal
    seen_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AskFailed:
    """A read (fills, funding, position, snapshot) got no usable answer; it will be asked again."""

    what: str
    symbol: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotTaken:
    """The whole account as the exchange told it; `asked_ms` is when the reading began."""

    asked_ms: int
    wallet_usdt: Decimal
    positions: tuple[Position, ...]  # non-zero ones only
    open_orders: tuple[OrderReport, ...]  # plain orders and untriggered conditional ones
    recent_fills: tuple[Fill, ...] = ()
    instruments: tuple[Instrument, ...] = ()  # of the symbols with positions or orders


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRejected:
    """Something was said that cannot be (NaN, a time to come): dropped, and a person is told."""

    where: str  # the request's path, or which stream
    reason: str
    times: int = 1  # since it was last told


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamLost:
    """The user stream broke or went mute; what it would have said is not known."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRestored:
    """The user stream runs again; a snapshot is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractChanged:
    """A contract was listed, is no longer traded (delisted, halted), or is traded again."""

    contract: Contract
    listed: bool = False  # it is new


Event = (
    Woke
    | BotConfigured
    | BotSwitched
    | BotRemoved
    | DirectivesTold
    | DirectivesReverted
    | PanicPressed
    | EntriesHalted
    | EntriesResumed
    | CloseRequested
    | StopMoveRequested
    | CardAnswered
    | SignalRaised
    | AnalysisDue
    | PriceReached
    | DecisionArrived
    | OrderRefused
    | OrderUnknown
    | OrderReported
    | OrderMissing
    | Filled
    | FillsListed
    | FundingListed
    | PositionSeen
    | WalletSeen
    | AskFailed
    | SnapshotTaken
    | InputRejected
    | StreamLost
    | StreamRestored
    | ContractChanged
)

# ------------------------------------------------------------------- commands: to the exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """Send one order, once. An entry first makes leverage and margin type what they must be."""

    order: Order
    leverage: int | None = None  # entries only
    margin_type: MarginType | None = None  # entries only


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Cancel one order, once."""

    order_id: str
    symbol: str
    conditional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AskOrder:
    """Ask what became of an order. Answers: OrderReported, OrderMissing or OrderUnknown("ask")."""

    order_id: str
    symbol: str
    conditional: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AskPosition:
    """Ask for one symbol's position. Answers: PositionSeen or AskFailed."""

    symbol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskFills:
    """Ask for a symbol's fills. Answers: FillsListed or AskFailed."""

    symbol: str
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AskFunding:
    """Ask for funding payments and liquidation fees. Answers: FundingListed or AskFailed."""

    symbol: str
    since_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeSnapshot:
    """Read the whole account. Answers: SnapshotTaken or AskFailed."""


VenueCommand = (
    PlaceOrder | CancelOrder | AskOrder | AskPosition | AskFills | AskFunding | TakeSnapshot
)

# ----------------------------------------------------------------- commands: to everyone else


@dataclass(frozen=True, slots=True, kw_only=True)
class AskAdvisor:
    """Ask the adviser about a signal ("open") or an open position ("manage")."""

    trade_id: str
    bot_id: str
    symbol: str
    purpose: str  # "open" or "manage"
    deadline_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowCard:
    """Put the trade's plan before a person; its text is made from the trade's record."""

    trade_id: str
    expires_ms: int


class Level(StrEnum):
    """How loud a notice is."""

    INFO = "info"
    WARNING = "warning"
    ALARM = "alarm"  # a person must look


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Something a person should know. `kind` picks the sentence, `fields` fill it in."""

    kind: str  # "trade_opened", "trade_closed", "unprotected", "foreign_position", ...
    level: Level = Level.INFO
    trade_id: str = ""
    fields: tuple[tuple[str, str], ...] = ()


Command = VenueCommand | AskAdvisor | ShowCard | Tell

# --------------------------------------------------------------- what the adviser is asked with


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The snapshot an adviser decides on: facts only, versioned, persisted by its hash."""

    version: int
    trade_id: str
    bot_id: str
    symbol: str
    purpose: str  # "open" or "manage"
    asked_ms: int
    mark_price: Decimal
    signal: Signal | None
    candles: tuple[Candle, ...]  # newest last, closed bars only
    indicators: tuple[tuple[str, float], ...]
    wallet_usdt: Decimal
    open_positions: int
    position_quantity: Decimal
    position_entry_price: Decimal | None
    unrealized_usdt: Decimal
    recent_trades: tuple[tuple[str, str], ...]  # (statistic, value)
    lessons: tuple[str, ...]  # memory's verdicts as sentences
    limits: tuple[tuple[str, str], ...]
    directives: tuple[tuple[str, str], ...] = ()  # (directive, value as text), set ones only
    user_id: str = ""  # whose budget pays for the answer
    config: BotConfig | None = None  # what the answer is judged by, as are the next two
    instrument: Instrument | None = None
    caution: Caution | None = None
