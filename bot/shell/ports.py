"""What the engine asks of the world, as Protocols. Adapters implement them; tests fake them.

Must not know: any adapter. Every outside answer comes back as a core event.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, runtime_checkable

from bot.core.desk import Desk
from bot.core.messages import AskAdvisor, Command, Event, Question, ShowCard, Tell, VenueCommand
from bot.core.strategies.window import Bars
from bot.core.trade import Trade
from data.model import Candle, Decision, Instrument

EventSink = Callable[[Event], None]  # never blocks; the engine's queue is behind it


class Venue(Protocol):
    """The account at the exchange. Also streams events of its own accord into the sink."""

    async def perform(self, command: VenueCommand) -> Sequence[Event]:
        """Carry one command out, once, and say what came of it. Raises only OurFault."""


Window = Bars  # closed bars of one symbol and timeframe, as strategies see them


class Market(Protocol):
    """Prices and instruments, shared by all desks."""

    def instrument(self, symbol: str) -> Instrument | None:
        """The symbol's filters; None when it is not tradable."""

    def mark_price(self, symbol: str) -> tuple[Decimal, int] | None:
        """(mark price, its moment in ms); None when none is known."""

    def window(self, symbol: str, timeframe: str) -> Window | None:
        """Closed bars; None while warming up or stale."""


@runtime_checkable
class Forming(Protocol):
    """A market that also knows the bars still being built; a tape does not."""

    def provisional(self, symbol: str, timeframe: str) -> Candle | None:
        """The bar still open, as last told; None when unknown."""


class News(Protocol):
    """What is being written about an asset, as one number. Never raises, never waits."""

    def score_of(self, base_asset: str, now_ms: int) -> float | None:
        """-1 (all bad) to +1; None without recent news of that very asset, or without a source."""


BarSink = Callable[[Candle], None]  # called once for each freshly closed bar, in order


class Advisor(Protocol):
    """Answers questions. Any failure inside is an abstention, never an exception."""

    @property
    def name(self) -> str:
        """ "rules" or "gemini"."""

    async def decide(self, question: Question, deadline_ms: int) -> Decision:
        """One answer by the deadline (exchange time), or an abstention that says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One step as it is kept: the event, what was commanded, and what became of the record."""

    seq: int
    now_ms: int
    event: Event
    commands: Sequence[Command]
    desk: Desk
    changed: Sequence[Trade]


class Journal(Protocol):
    """The durable record."""

    async def commit(self, steps: Sequence[Kept]) -> None:
        """Keep steps for good, all or none, before anything of them is sent. Raises StorageFull."""


class Notifier(Protocol):
    """The way to people. Never raises, never waits for the network."""

    def show_card(self, command: ShowCard, trade: Trade, desk: Desk) -> None:
        """Put a plan before a person."""

    def tell(self, command: Tell, trade: Trade | None, desk: Desk) -> None:
        """Say something."""

    def trade_changed(self, trade: Trade, desk: Desk) -> None:
        """A trade's record changed: its card, if it has one, may be redrawn."""


AdvisorCall = AskAdvisor
