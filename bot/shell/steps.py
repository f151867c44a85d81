"""What the engine is given and gives: its ports, its pure half, the record of a step.

Beside them, pure questions about commands: which goes first, and which event says "no answer".
Must not know: the loop itself, or any adapter.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from decimal import Decimal
from typing import assert_never

from bot.core import desk as core_desk
from bot.core.desk import Desk, DeskStep
from bot.core.messages import (
    AskAdvisor,
    AskFailed,
    AskFills,
    AskFunding,
    AskOrder,
    AskPosition,
    CancelOrder,
    Command,
    Event,
    OrderUnknown,
    PlaceOrder,
    Question,
    ShowCard,
    TakeSnapshot,
    Tell,
    VenueCommand,
)
from bot.core.ruling.gates import failed, in_words
from bot.core.ruling.submitting import check_submit
from bot.core.trade import Order, Phase, Role, Trade
from bot.shell.ports import Advisor, Journal, Notifier, Venue
from data.model import Action, Decision, OrderKind

MarkPrice = Callable[[str], tuple[Decimal, int] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything the engine asks of the world."""

    journal: Journal
    venue: Venue
    advisor: Advisor
    notifier: Notifier
    question_of: Callable[[Desk, AskAdvisor], Question | None]  # None: no fresh facts
    mark_price: MarkPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The pure half, as two functions: tests hand in their own."""

    step: Callable[[Desk, Event, int], DeskStep] = field(default=core_desk.step)
    wake_ms: Callable[[Desk], int | None] = field(default=core_desk.wake_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """What one turn of the loop did. `seq` is the journal's number, None when nothing was kept."""

    number: int
    seq: int | None
    now_ms: int
    event: Event
    commands: tuple[Command, ...]
    desk: Desk
    changed: tuple[Trade, ...]
    arrived_s: float  # wall_monotonic_s when the event came in
    stepped_s: float
    kept_s: float


Observer = Callable[[StepRecord], None]


def urgency(command: Command) -> int:
    """Rank of a command among those of one step: protection and closing go first."""
    match command:
        case PlaceOrder(order=order):
            ranks = {Role.STOP: 0, Role.CLOSE: 0, Role.TARGET: 1, Role.TRAIL: 1, Role.ENTRY: 3}
            return ranks[order.role]
        case CancelOrder():
            return 2
        case AskOrder() | AskPosition() | AskFills() | AskFunding():
            return 4
        case TakeSnapshot() | AskAdvisor() | ShowCard() | Tell():
            return 5
        case _:
            assert_never(command)


def can_wait(command: Command) -> bool:
    """Whether a moment more is nothing to it: anything but to protect, close or cancel."""
    return urgency(command) > 2


def unanswered(command: VenueCommand, reason: str) -> Event:
    """The event that says nobody answered this command."""
    match command:
        case PlaceOrder():
            return OrderUnknown(order_id=command.order.order_id, reason=reason)
        case CancelOrder():
            return OrderUnknown(order_id=command.order_id, reason=reason, action="cancel")
        case AskOrder():
            return OrderUnknown(order_id=command.order_id, reason=reason, action="ask")
        case AskPosition():
            return AskFailed(what="position", symbol=command.symbol, reason=reason)
        case AskFills():
            return AskFailed(what="fills", symbol=command.symbol, reason=reason)
        case AskFunding():
            return AskFailed(what="funding", symbol=command.symbol, reason=reason)
        case TakeSnapshot():
            return AskFailed(what="snapshot", symbol="", reason=reason)
        case _:
            assert_never(command)


def rests(trade: Trade) -> bool:
    """True when its limit entry waits at the exchange, unfilled as far as we know."""
    return (
        trade.phase is Phase.ORDER_PENDING
        and trade.plan is not None
        and trade.plan.entry_kind is OrderKind.LIMIT
        and not trade.fills
    )


def why_not_sent(
    order: Order, desk: Desk, bars: Collection[str], mark_price: MarkPrice, now_ms: int
) -> str:
    """Why an entry does not leave, in words with each failed check's name; "" when it may.

    Nothing that protects or closes is ever held back.
    """
    if order.role is not Role.ENTRY:
        return ""
    if bars:
        return "not sent: " + ", ".join(sorted(bars))
    checks = check_submit(desk, order.order_id, mark_price(order.symbol), now_ms)
    return "not sent: " + in_words(checks) if failed(checks) else ""


def abstention(command: AskAdvisor, advisor: str, why: str, now_ms: int) -> Decision:
    """The decision not to decide, where the adviser itself could not be asked."""
    return Decision(
        advisor=advisor,
        model_version="",
        bot_id=command.bot_id,
        symbol=command.symbol,
        snapshot_id="",
        action=Action.ABSTAIN,
        abstained=why,
        decided_ms=now_ms,
    )
