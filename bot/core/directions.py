"""Events by which bots are directed: what is to be traded how, which bots there are, when to look.

Must not know: who may direct (chat asks that), or what becomes of it (`directing`, `desk`).
"""

from dataclasses import dataclass
from decimal import Decimal

from data.model import Instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectivesTold:
    """A person set some of a bot's directives; the desk reads and bounds each value."""

    bot_id: str
    updates: tuple[tuple[str, str], ...]  # (directive, value as text; "" clears it)
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectivesReverted:
    """A person wants the content of version `to` back, as long as `undoes` is in force."""

    bot_id: str
    to: int
    undoes: int  # a version; another one in force meanwhile makes the wish stale
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BotRemoved:
    """A person wants a bot gone; one with a trade at work is only paused."""

    bot_id: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisDue:
    """The clock says that a bot's adviser is to look at one symbol, without a signal."""

    bot_id: str
    symbol: str
    instrument: Instrument
    mark_price: Decimal
    mark_ms: int
