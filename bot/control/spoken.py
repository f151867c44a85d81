"""What a command of the chat stands on: what was said, what can be asked, how it is answered.

Must not know: any one command, any Telegram library.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from bot.control.approvals import Tap
from bot.control.html import Html
from bot.control.outbox import Message, Outbox, Priority
from bot.control.tokens import Tokens
from bot.control.views.look import Look, View
from bot.control.views.stages import keyboard
from bot.control.views.status import CommandHelp, Light
from bot.control.views.terms import Verb
from bot.core.desk import Desk
from bot.core.trade import Trade
from bot.core.watching import UniverseView
from bot.shell.clock import Clock
from bot.shell.ports import EventSink, Market
from bot.shell.provenance import ChainStore
from bot.shell.shadow_report import ReportStore
from data.store.rows import TradeRow, UserRole, UserRow

QUESTION_LIFE_MS: Final = 10 * 60_000
ARGUMENT_LENGTH_MAX: Final = 64
EVERYONE: Final = (UserRole.OWNER, UserRole.TRADER, UserRole.VIEWER)
TRADERS: Final = (UserRole.OWNER, UserRole.TRADER)


class TradeStore(ReportStore, ChainStore, Protocol):
    """What /why, /shadow and /digest ask of the store."""

    async def recent_trades(self, user_id: str, limit: int) -> Sequence[TradeRow]:
        """The newest trades, newest first."""

    async def trade(self, id_or_prefix: str, *, user_id: str | None = None) -> TradeRow | None:
        """The trade of that id or prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A person typed a command. `sent_ms`: when, by Telegram's clock."""

    user: UserRow
    command: str
    argument: str
    sent_ms: int
    message_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the commands stand on."""

    store: TradeStore
    outbox: Outbox
    tokens: Tokens
    sink: EventSink
    market: Market
    desk_of: Callable[[], Desk]
    clock: Clock
    lights: Callable[[], list[Light]]
    look: Callable[[UserRow], Awaitable[Look]]
    read_trade: Callable[[str], Trade]  # a stored trade's text -> the trade
    universe: Callable[[], UniverseView | None]  # None: nobody chooses what is watched
    cost_of: Callable[[int], str] = lambda _day: ""  # what a UTC day's model cost, in words


Handler = Callable[[World, Said], Awaitable[View]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command of the chat."""

    name: str
    usage: str
    help_text: str  # English source text
    roles: tuple[UserRole, ...]
    handler: Handler

    def help(self) -> CommandHelp:
        """Its line of /help."""
        return CommandHelp(
            name=self.name, usage=self.usage, help_text=self.help_text, roles=self.roles
        )


def reply(world: World, user: UserRow, view: View, *, priority: Priority) -> None:
    """Post an answer to a person's own chat, wherever the question came from."""
    assert user.telegram_id is not None, "someone who spoke has a chat"
    world.outbox.post(
        Message(
            chat_id=user.telegram_id,
            html=view.html,
            keyboard=view.keyboard,
            priority=priority,
        )
    )


async def ask(
    world: World,
    user: UserRow,
    question: Html,
    verbs: tuple[Verb, ...],
    subject: str,
    *,
    card_id: str = "",
) -> View:  # fmt: skip
    """A question with one-use buttons; `subject` comes back with the tap."""
    data = await world.tokens.issue(
        user,
        verbs,
        card_id=card_id,
        subject=subject,
        expires_ms=world.clock.now_ms() + round(QUESTION_LIFE_MS * max(1.0, world.clock.speed)),
    )
    look = await world.look(user)
    return View(html=question, keyboard=keyboard(look.words, (verbs,), data))


def rewrite(world: World, tap: Tap, html: Html) -> None:
    """Make a question that was answered say what became of it, without its buttons."""
    assert tap.user.telegram_id is not None, "someone who taps has a chat"
    slot = f"question:{tap.user.telegram_id}:{tap.message_id}"
    world.outbox.remember(slot, tap.message_id)
    world.outbox.post(
        Message(
            chat_id=tap.user.telegram_id, html=html, slot=slot, priority=Priority.NOW
        )
    )  # fmt: skip


def no_such_bot(look: Look, world: World, wanted: str) -> View:
    """The answer to a name that is no bot's."""
    known = ", ".join(world.desk_of().bots) or "-"
    return View(
        html=look.words.say(
            "There is no bot {wanted}. Bots: {known}",
            wanted=wanted[:ARGUMENT_LENGTH_MAX],
            known=known,
        )
    )
