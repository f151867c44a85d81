"""The words for closed sets: phases, outcomes, exit reasons, verbs; and small facts of a trade.

Must not know: layout, stores, time.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from bot.control.views.look import mark
from bot.core.desk import Desk
from bot.core.trade import Outcome, Phase, Role, Trade
from data.model import Action, ClosedTrade, ExitReason, OrderKind
from data.money import ZERO

PHASES: Final[dict[Phase, str]] = {
    Phase.INITIALIZING: mark("starting, reading the exchange"),
    Phase.IDLE: mark("idle"),
    Phase.EVALUATING: mark("asking the adviser"),
    Phase.AWAITING_APPROVAL: mark("waiting for approval"),
    Phase.ORDER_PENDING: mark("entry order pending"),
    Phase.POSITION_UNPROTECTED: mark("position WITHOUT a stop"),
    Phase.POSITION_ACTIVE: mark("position open, protected"),
    Phase.CLOSING: mark("closing"),
    Phase.HALTED: mark("halted: an owner must look"),
}
OUTCOMES: Final[dict[Outcome, str]] = {
    Outcome.CLOSED: mark("closed"),
    Outcome.BLOCKED: mark("blocked by a limit"),
    Outcome.DECLINED: mark("declined by the adviser"),
    Outcome.ABSTAINED: mark("the adviser abstained"),
    Outcome.ADVISED: mark("signal only, not traded"),
    Outcome.REJECTED: mark("rejected"),
    Outcome.EXPIRED: mark("expired: nobody answered in time"),
    Outcome.UNFILLED: mark("the entry was not filled"),
    Outcome.REFUSED: mark("the exchange refused the entry"),
    Outcome.SKIPPED: mark("skipped: the adviser had just been asked"),
}
EXITS: Final[dict[ExitReason, str]] = {
    ExitReason.TAKE_PROFIT: mark("target reached"),
    ExitReason.STOP_LOSS: mark("stop hit"),
    ExitReason.MANUAL: mark("closed by a person"),
    ExitReason.AI: mark("closed by the adviser"),
    ExitReason.TIMEOUT: mark("held for the longest time allowed"),
    ExitReason.EXTERNAL: mark("closed outside this bot"),
    ExitReason.LIQUIDATION: mark("LIQUIDATED"),
    ExitReason.ADL: mark("reduced by the exchange (ADL)"),
    ExitReason.EMERGENCY: mark("emergency close"),
}
ACTIONS: Final[dict[Action, str]] = {
    Action.OPEN_POSITION: mark("open"),
    Action.CLOSE_POSITION: mark("close"),
    Action.HOLD_POSITION: mark("hold"),
    Action.DO_NOTHING: mark("do nothing"),
    Action.ABSTAIN: mark("abstained"),
}
KINDS: Final[dict[OrderKind, str]] = {
    OrderKind.MARKET: mark("market"),
    OrderKind.LIMIT: mark("limit"),
    OrderKind.STOP_MARKET: mark("stop"),
    OrderKind.TAKE_PROFIT_MARKET: mark("target"),
    OrderKind.TRAILING_STOP_MARKET: mark("trailing stop"),
}
ROLES: Final[dict[Role, str]] = {
    Role.ENTRY: mark("entry"),
    Role.STOP: mark("stop"),
    Role.TARGET: mark("target"),
    Role.TRAIL: mark("trailing stop"),
    Role.CLOSE: mark("close"),
}


class Verb(StrEnum):
    """What a tap means. The risk-reducing ones are always honoured, however late."""

    APPROVE = "approve"
    HALF = "half"
    ANYWAY = "anyway"  # approve, having seen that the price moved
    REJECT = "reject"
    CLOSE = "close"  # asks "sure?"
    CLOSE_SURE = "close_sure"
    KEEP = "keep"  # takes "sure?" back
    DETAILS = "details"  # every check; consumes nothing
    CHART = "chart"
    PANIC_SURE = "panic_sure"
    RESUME_SURE = "resume_sure"
    EDIT_SURE = "edit_sure"
    DELETE_SURE = "delete_sure"
    REVERT = "revert"  # brings directives of before back
    DISMISS = "dismiss"  # takes a question back


REDUCING: Final = frozenset({Verb.REJECT, Verb.CLOSE, Verb.CLOSE_SURE, Verb.PANIC_SURE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """What was really bought or sold to enter."""

    quantity: Decimal
    average_price: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a trade made, in USDT; `pnl_usdt` is after fees and funding."""

    fees_usdt: Decimal
    funding_usdt: Decimal
    pnl_usdt: Decimal


def entered(trade: Trade) -> Entered:
    """The entry's fills added up, from its orders' own counts."""
    entries = [o for o in trade.of_role(Role.ENTRY) if o.filled > 0]
    filled = sum((o.filled for o in entries), ZERO)
    priced = [o for o in entries if o.average_price is not None]
    worth = sum((o.filled * (o.average_price or ZERO) for o in priced), ZERO)
    weight = sum((o.filled for o in priced), ZERO)
    return Entered(quantity=filled, average_price=worth / weight if weight > 0 else None)


def result(trade: Trade, closed: ClosedTrade | None) -> Result:
    """The settled result where the desk has one, else what the fills known so far add up to."""
    if closed is not None:
        return Result(
            fees_usdt=closed.fees_usdt,
            funding_usdt=closed.funding_usdt,
            pnl_usdt=closed.pnl_usdt,
        )
    fees = sum((f.fee for f in trade.fills if f.fee_asset == "USDT"), ZERO)
    funding = sum((f.amount_usdt for f in trade.funding), ZERO)
    realized = sum((f.realized_pnl_usdt for f in trade.fills), ZERO)
    return Result(fees_usdt=fees, funding_usdt=funding, pnl_usdt=realized - fees + funding)


def closed_of(desk: Desk, trade_id: str) -> ClosedTrade | None:
    """The desk's settled record of a trade, or None while it has none."""
    for closed in reversed(desk.closed):
        if closed.trade_id == trade_id:
            return closed
    return None
