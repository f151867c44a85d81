"""Fakes of the engine's ports and of its pure half, for tests that look at the loop alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bot.core.desk import Desk, DeskStep
from bot.core.messages import (
    AskAdvisor,
    CancelOrder,
    Command,
    Event,
    PlaceOrder,
    Question,
    ShowCard,
    Tell,
    VenueCommand,
)
from bot.core.trade import Order, Role, Trade
from bot.shell.clock import SystemClock
from bot.shell.engine import Engine
from bot.shell.ports import Kept
from bot.shell.steps import Core, Ports
from data.model import Action, Decision, OrderKind, Side
from data.store.errors import StorageFull

Script = Callable[[Desk, Event, int], tuple[Command, ...]]


def order(role: Role, order_id: str = "") -> Order:
    """An order of that role; only its role and id matter here."""
    return Order(
        order_id=order_id or f"tbxxxx-b-trade-{role.value}0",
        role=role,
        attempt=0,
        symbol="BTCUSDT",
        side=Side.BUY,
        kind=OrderKind.MARKET,
        quantity=Decimal(1),
    )


def place(role: Role, order_id: str = "") -> PlaceOrder:
    """A wish to send such an order."""
    return PlaceOrder(order=order(role, order_id))


def cancel(order_id: str) -> CancelOrder:
    """A wish to cancel it."""
    return CancelOrder(order_id=order_id, symbol="BTCUSDT", conditional=False)


@dataclass
class FakeCore:
    """A pure half that says what its script says; each step changes the desk a little."""

    script: Script = lambda desk, event, now_ms: ()
    due_ms: int | None = None
    seen: list[Event] = field(default_factory=list)
    idle: bool = False

    def step(self, desk: Desk, event: Event, now_ms: int) -> DeskStep:
        """Note the event; the desk counts steps in `snapshot_sent_ms`."""
        self.seen.append(event)
        commands = self.script(desk, event, now_ms)
        if self.idle and not commands:
            return DeskStep(desk=desk)
        changed = replace(desk, snapshot_sent_ms=desk.snapshot_sent_ms + 1)
        return DeskStep(desk=changed, commands=commands)

    def wake_ms(self, desk: Desk) -> int | None:
        """The moment the test has set."""
        del desk
        return self.due_ms


@dataclass
class FakeJournal:
    """Remembers what was committed; `full` makes it refuse."""

    rows: list[tuple[int, Event, tuple[Command, ...], Desk]] = field(default_factory=list)
    full: bool = False
    commits: int = 0

    async def commit(self, steps: Sequence[Kept]) -> None:
        """Keep a row a step, or refuse as a full disk does."""
        if self.full:
            raise StorageFull("no space left")
        self.commits += 1
        self.rows += [(s.seq, s.event, tuple(s.commands), s.desk) for s in steps]


@dataclass
class FakeVenue:
    """Remembers what it was asked, and answers with what the test put beside the command's kind."""

    asked: list[VenueCommand] = field(default_factory=list)
    answers: dict[type, Callable[[VenueCommand], Sequence[Event]]] = field(default_factory=dict)

    async def perform(self, command: VenueCommand) -> Sequence[Event]:
        """Note the command."""
        self.asked.append(command)
        answer = self.answers.get(type(command))
        return answer(command) if answer is not None else ()


@dataclass
class FakeAdvisor:
    """Always declines."""

    name: str = "rules"

    async def decide(self, question: Question, deadline_ms: int) -> Decision:
        """A polite no."""
        del deadline_ms
        return Decision(
            advisor=self.name,
            model_version="",
            bot_id=question.bot_id,
            symbol=question.symbol,
            snapshot_id="s",
            action=Action.DO_NOTHING,
        )


@dataclass
class FakeNotifier:
    """Remembers what people were told; `broken` makes it fail."""

    told: list[Tell] = field(default_factory=list)
    cards: list[ShowCard] = field(default_factory=list)
    changed: list[Trade] = field(default_factory=list)
    broken: bool = False

    def show_card(self, command: ShowCard, trade: Trade, desk: Desk) -> None:
        """Note the card."""
        del trade, desk
        self.cards.append(command)

    def tell(self, command: Tell, trade: Trade | None, desk: Desk) -> None:
        """Note the notice, or fail."""
        del trade, desk
        if self.broken:
            raise RuntimeError("chat is broken")
        self.told.append(command)

    def trade_changed(self, trade: Trade, desk: Desk) -> None:
        """Note the trade."""
        del desk
        self.changed.append(trade)


@dataclass
class Bench:
    """An engine on fakes."""

    core: FakeCore = field(default_factory=FakeCore)
    journal: FakeJournal = field(default_factory=FakeJournal)
    venue: FakeVenue = field(default_factory=FakeVenue)
    notifier: FakeNotifier = field(default_factory=FakeNotifier)
    advisor: FakeAdvisor = field(default_factory=FakeAdvisor)
    question: Question | None = None
    clock: SystemClock = field(default_factory=lambda: SystemClock(start_ms=1_000_000))

    def engine(self, desk: Desk | None = None) -> Engine:
        """The engine under test."""
        return Engine(
            desk or Desk(account_id="main", user_id="owner"),
            ports=Ports(
                journal=self.journal,
                venue=self.venue,
                advisor=self.advisor,
                notifier=self.notifier,
                question_of=self._question_of,
                mark_price=lambda symbol: (Decimal(100), 1_000_000),
            ),
            clock=self.clock,
            core=Core(step=self.core.step, wake_ms=self.core.wake_ms),
        )

    def _question_of(self, desk: Desk, command: AskAdvisor) -> Question | None:
        del desk, command
        return self.question
