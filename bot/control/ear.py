"""What people do in the chat, turned from the library's updates into our own records.

Only known people are heard, in whatever chat they write; answers always go to their private one.
Forwarded, anonymous and bots' messages have no effect.
Must not know: what a command or a button does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import structlog
from telegram import CallbackQuery, Message, Update, User

from bot.control import editor, handlers
from bot.control.approvals import Cards, Tap
from bot.control.catalog import language_of, words
from bot.control.chat import Chat, ChatRefused, ChatUnreached
from bot.control.gate import Gate
from bot.control.html import TOAST_LENGTH_MAX
from bot.control.outbox import Outbox, Priority
from bot.control.pictures import Pictures
from bot.control.spoken import Said, World, reply
from bot.control.tokens import Tokens
from bot.control.views.look import View
from bot.control.views.terms import Verb
from bot.shell.errors import Unknown
from data.store.rows import TokenRow, UserRow
from data.untrusted import tidy

ANSWER_S_MAX: Final = 3.0  # a tap's answer may not hold up the decision any longer
TYPED_LENGTH_MAX: Final = 640  # of a command line: a directive's notes, and some
QUESTION_VERBS: Final = editor.VERBS | {Verb.PANIC_SURE, Verb.RESUME_SURE, Verb.DISMISS}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ears:
    """What hearing stands on."""

    chat: Chat
    gate: Gate
    tokens: Tokens
    cards: Cards
    outbox: Outbox
    commands: World
    pictures: Pictures | None
    paired: Callable[[], Awaitable[None]]


class Ear:
    """Hears one update at a time; several may be heard at once."""

    def __init__(self, ears: Ears) -> None:
        self._on = ears

    async def may_speak(self, update: Update) -> bool:
        """Whether a known person did it (or someone who pairs right now)."""
        user = _speaker(update)
        if user is None:
            return False
        person = await self._on.gate.person(user.id) if not _is_pairing(update) else None
        if person is not None:
            if self._on.outbox.revive(user.id):
                await self._on.outbox.recover(self._on.gate.chat_of)
            return True
        return _is_pairing(update)

    async def hear(self, update: Update) -> None:
        """Obey a command or a tap."""
        user = _speaker(update)
        if user is None:
            return
        if update.message is not None:
            await self._typed(update.message, user)
        elif update.callback_query is not None:
            await self._tapped(update.callback_query, user)

    async def _typed(self, message: Message, user: User) -> None:
        name, _, argument = (message.text or "")[:TYPED_LENGTH_MAX].strip().partition(" ")
        if not name.startswith("/"):
            return
        command = name[1:].split("@")[0].lower()
        language = language_of(user.language_code)
        if command == "start" and argument:
            await self._pair(argument, user, language)
            return
        person = await self._on.gate.person(user.id)
        if person is None:
            return
        heard = Said(
            user=await self._on.gate.speaks(person, language),
            command=command,
            argument=tidy(argument, TYPED_LENGTH_MAX),
            sent_ms=round(message.date.timestamp() * 1000),
            message_id=message.message_id,
        )
        await handlers.obey(self._on.commands, heard)

    async def _pair(self, code: str, user: User, language: str) -> None:
        owner = await self._on.gate.pair(code, user.id, user.full_name, language)
        if owner is None:
            return  # silence: a stranger learns nothing, the log says why
        view = View(
            html=words(language).say(
                "Welcome {name}. You are the owner of this bot now. /help shows what you can say.",
                name=owner.name,
            )
        )
        reply(self._on.commands, owner, view, priority=Priority.NOW)
        await self._on.paired()

    async def _tapped(self, query: CallbackQuery, user: User) -> None:
        person = await self._on.gate.person(user.id)
        if person is None:
            return
        person = await self._on.gate.speaks(person, language_of(user.language_code))
        tap = Tap(
            user=person,
            data=query.data or "",
            message_id=query.message.message_id if query.message is not None else 0,
            answer=self._answer_of(query),
        )
        token = await self._on.tokens.look(tap.data, person)
        if token is None:
            await tap.answer(words(person.language).label("This button is no longer valid."), False)
            return
        await self._press(tap, token, person)

    async def _press(self, tap: Tap, token: TokenRow, person: UserRow) -> None:
        verb = Verb(token.verb)
        if verb in QUESTION_VERBS:
            await handlers.answered(self._on.commands, tap, token)
            return
        if verb is not Verb.CHART:
            await self._on.cards.tapped(tap, token)
            if verb is Verb.CLOSE_SURE and token.subject != token.card_id:
                handlers.settle(self._on.commands, tap)
            return
        trade = self._on.commands.desk_of().trades.get(token.card_id or "")
        asked = (
            trade is not None
            and self._on.pictures is not None
            and self._on.pictures.ask(trade, person.telegram_id or 0)
        )
        say = words(person.language).label
        await tap.answer(say("Drawing…") if asked else say("There is no chart now."), False)

    def _answer_of(self, query: CallbackQuery) -> Callable[[str, bool], Awaitable[bool]]:
        async def answer(toast: str, alert: bool) -> bool:
            # True unless Telegram said that the tap is old; a lost answer proves nothing.
            try:
                async with asyncio.timeout(ANSWER_S_MAX):
                    await self._on.chat.answer(query.id, toast[:TOAST_LENGTH_MAX], alert=alert)
            except ChatRefused as refusal:
                if "too old" in refusal.text:
                    return False
                log.warning("toast_refused", text=refusal.text)
            except (ChatUnreached, Unknown, TimeoutError) as error:
                log.warning("toast_lost", reason=type(error).__name__)
            return True

        return answer


def _speaker(update: Update) -> User | None:
    message, query = update.message, update.callback_query
    if query is not None:
        return None if query.from_user.is_bot else query.from_user
    if message is None or message.from_user is None or message.from_user.is_bot:
        return None
    borrowed = message.forward_origin or message.via_bot or message.sender_chat
    return None if borrowed else message.from_user


def _is_pairing(update: Update) -> bool:
    message = update.message
    if message is None or message.chat.type != "private":
        return False
    name, _, code = (message.text or "").strip().partition(" ")
    return name == "/start" and bool(code)
