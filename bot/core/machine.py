"""One trade's life as a table. `advance` folds one input into a trade and says what to do next.

Theory of operation
===================
A trade is a bag of facts: orders, fills, and the exchange's last word on the position. An input
first changes facts (`life.facts`), whatever the phase; then the phase's *duty* looks at all
facts and decides what is missing (`life.duties`). Nothing is remembered of *how* a fact became
known: an answer, a stream frame and a query all say the same, so lost, late, doubled and reordered
reports cannot lead anywhere else. Deadlines are moments in the record; `wake_ms` is the earliest.

- An order that nobody has answered for is SENT, then UNKNOWN. It is asked about at growing
  intervals. "Does not exist" counts only when it was asked after the request had surely expired.
  A market entry is given up or sent again only if, besides, the position has not moved.
- The first fill, even partial, makes the position UNPROTECTED: stop and target go out at once.
  The stop confirmed makes it ACTIVE. A stop that cannot be had in time makes it CLOSING.
- A trade is IDLE again only when our fills add up to nothing, the exchange shows flat, every order
  of ours is over, and every fill and funding payment has been booked.
- IDLE is left only by a fill nobody expected: then something is held, and that is looked after.

The table says which input may come in which phase and where it may lead. A pair that is not in it
is a bug of ours: `IllegalInput` is raised and nothing has changed. docs/trade-machine.md is drawn
from the table.
"""

from dataclasses import dataclass
from typing import Final

from bot.core.life import absence, duties, facts, moving
from bot.core.life.draft import Draft
from bot.core.messages import (
    AskFailed,
    CloseRequested,
    Command,
    Filled,
    FillsListed,
    FundingListed,
    OrderMissing,
    OrderRefused,
    OrderReported,
    OrderUnknown,
    PositionSeen,
    PriceReached,
    StopMoveRequested,
    Woke,
)
from bot.core.rulings import Drop, Proceed, Sweep
from bot.core.timing import Timing
from bot.core.trade import Phase, Trade

Input = (
    Proceed
    | Drop
    | Sweep
    | Woke
    | CloseRequested
    | PriceReached
    | StopMoveRequested
    | OrderReported
    | OrderRefused
    | OrderUnknown
    | OrderMissing
    | Filled
    | FillsListed
    | FundingListed
    | PositionSeen
    | AskFailed
)


class IllegalInput(AssertionError):
    """An input came in a phase in which it cannot happen: a bug of ours, nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table: what the input may lead to, and why it comes at all."""

    leads_to: frozenset[Phase]
    why: str


def _row(why: str, *leads_to: Phase) -> Row:
    return Row(leads_to=frozenset(leads_to), why=why)


_EVAL, _WAIT, _PEND = Phase.EVALUATING, Phase.AWAITING_APPROVAL, Phase.ORDER_PENDING
_BARE, _ACTIVE, _CLOSE = Phase.POSITION_UNPROTECTED, Phase.POSITION_ACTIVE, Phase.CLOSING
_IDLE, _HALT = Phase.IDLE, Phase.HALTED

_VENUE_INPUTS: Final[dict[type, str]] = {
    OrderReported: "the exchange said what an order is, or was",
    OrderRefused: "the exchange surely did not take a request",
    OrderUnknown: "nobody can say what became of a request",
    OrderMissing: "a query did not find an order",
    Filled: "the stream told a fill, perhaps for the second time",
    FillsListed: "the fills were listed, to find what the stream did not tell",
    FundingListed: "the funding payments were listed for the settlement",
    PositionSeen: "the exchange said what the position is",
    AskFailed: "a question got no usable answer",
    Sweep: "the account was read whole: every order is to be looked at again",
}


def _venue_rows(*leads_to: Phase) -> dict[type, Row]:
    return {kind: _row(why, *leads_to) for kind, why in _VENUE_INPUTS.items()}


TABLE: Final[dict[Phase, dict[type, Row]]] = {
    _EVAL: {
        Proceed: _row("the plan passed every check", _WAIT, _PEND, _IDLE),
        Drop: _row("the adviser, a limit or a person said no", _IDLE),
        CloseRequested: _row("panic: give the signal up", _IDLE),
        Woke: _row("the adviser's time is up", _EVAL, _IDLE),
    },
    _WAIT: {
        Proceed: _row("a person approved and the plan passed every check again", _PEND),
        Drop: _row("a person rejected, or the plan no longer passes", _IDLE),
        CloseRequested: _row("panic: give the card up", _IDLE),
        Woke: _row("nobody answered in time", _WAIT, _IDLE),
    },
    _PEND: _venue_rows(_PEND, _BARE, _ACTIVE, _CLOSE, _IDLE, _HALT)
    | {
        Woke: _row("ask about the entry, or cancel it: its time is up", _PEND, _CLOSE, _IDLE),
        CloseRequested: _row("no longer wanted: cancel what rests", _PEND, _CLOSE, _IDLE),
    },
    _BARE: _venue_rows(_BARE, _ACTIVE, _CLOSE, _IDLE, _HALT)
    | {
        Woke: _row(
            "ask about the stop; too long bare: close at market", _BARE, _CLOSE, _IDLE, _HALT
        ),
        CloseRequested: _row("close at market", _CLOSE, _IDLE, _HALT),
    },
    _ACTIVE: _venue_rows(_ACTIVE, _BARE, _CLOSE, _IDLE, _HALT)
    | {
        Woke: _row(
            "its time is up, or the adviser should look", _ACTIVE, _BARE, _CLOSE, _IDLE, _HALT
        ),
        CloseRequested: _row("by a person, the adviser or panic", _CLOSE, _IDLE, _HALT),
        PriceReached: _row(
            "the stop moves: break-even or trailing", _ACTIVE, _BARE, _CLOSE, _IDLE, _HALT
        ),
        StopMoveRequested: _row(
            "a person moves the stop, tighter only", _ACTIVE, _BARE, _CLOSE, _IDLE, _HALT
        ),
    },
    _CLOSE: _venue_rows(_CLOSE, _IDLE, _HALT)
    | {
        Woke: _row("send, ask or cancel again", _CLOSE, _IDLE, _HALT),
        CloseRequested: _row("it is closing already", _CLOSE, _IDLE, _HALT),
    },
    _IDLE: _venue_rows(_IDLE, _BARE, _CLOSE, _HALT)
    | {Woke: _row("nothing waits", _IDLE), CloseRequested: _row("it is over already", _IDLE)},
    _HALT: _venue_rows(_HALT)
    | {
        Woke: _row("nothing is sent for it", _HALT),
        CloseRequested: _row("a person looked and wants it closed", _CLOSE, _IDLE, _HALT),
    },
}


_FOLDS: Final = moving.FOLDS | absence.FOLDS  # the others are plain facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What one input did to one trade."""

    trade: Trade
    commands: tuple[Command, ...] = ()


def advance(trade: Trade, given: Input, now_ms: int, timing: Timing) -> Advance:
    """Fold one input into the trade; raises IllegalInput when the table has no such pair."""
    row = TABLE.get(trade.phase, {}).get(type(given))
    if row is None:
        raise IllegalInput(
            f"{type(given).__name__} cannot come while {trade.trade_id} is {trade.phase.value}"
        )
    draft = Draft(trade, now_ms, timing)
    _FOLDS.get(type(given), facts.fold)(draft, given)
    duties.attend(draft)
    done = draft.trade
    if done.phase not in row.leads_to:
        raise IllegalInput(
            f"{type(given).__name__} led {trade.trade_id} from {trade.phase.value} to "
            f"{done.phase.value}"
        )
    faults_of(done)
    return Advance(trade=done, commands=tuple(draft.commands))


def faults_of(trade: Trade) -> None:
    """Assert what holds for every trade at every moment. Raises IllegalInput."""
    plan = trade.plan
    if plan is not None and facts.entered(trade) > plan.quantity:
        raise IllegalInput(
            f"invariant 1: {trade.trade_id} was filled {facts.entered(trade)}, "
            f"approved were {plan.quantity}"
        )
    if trade.phase is Phase.IDLE and any(not o.is_over for o in trade.orders):
        raise IllegalInput(f"invariant 4: {trade.trade_id} is idle with an order open")


def wake_ms(trade: Trade) -> int | None:
    """The earliest moment this trade waits for; None when it waits for nothing."""
    return duties.wake_ms(trade)
