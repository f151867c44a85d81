"""What the desk rules about one trade: inputs of the machine that are no outside events.

They follow from an event and the desk's state, so the journal does not need them.
"""

from dataclasses import dataclass

from bot.core.trade import Approval, Check, Outcome, Plan
from data.model import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Proceed:
    """The plan stands: show a card when `card_expires_ms` is set, else order."""

    plan: Plan
    checks: tuple[Check, ...]
    decision: Decision | None = None
    card_expires_ms: int | None = None
    approval: Approval | None = None
    review_every_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """The trade ends before anything was ordered."""

    outcome: Outcome
    note: str
    checks: tuple[Check, ...] = ()
    decision: Decision | None = None
    approval: Approval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """The account was read whole at `asked_ms`; these orders of the trade were not in it.

    `first`: it is the first reading of this life, so nobody looked after the trade before it.
    """

    asked_ms: int
    absent: tuple[str, ...]
    first: bool = False
