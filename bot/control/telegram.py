"""Telegram as the control plane: the notifier the engine speaks to, and the ear that listens.

The library runs inside our loop (no `run_polling`). Whatever fails here is cosmetic for a trade:
the engine's calls only note a wish and return; one scribe carries the wishes out in order.

Must not know: how an event is handled, or any other adapter.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog
from telegram import BotCommand, BotCommandScopeChat, Update
from telegram.error import Conflict, InvalidToken, TelegramError
from telegram.ext import Application, ApplicationHandlerStop, TypeHandler

from bot.control import digests, editor, handlers
from bot.control.approvals import Cards, CardStore, CardWorld, slot_of
from bot.control.catalog import LANGUAGES, words
from bot.control.chat import Chat
from bot.control.ear import Ear, Ears
from bot.control.gate import Gate, PeopleStore
from bot.control.outbox import Message as Post
from bot.control.outbox import Outbox, OutboxStore, Priority
from bot.control.pictures import Pictures
from bot.control.ptb import PoliteRequest, PtbChat, SiftingRequest
from bot.control.readers import Readers, ReaderStore
from bot.control.spoken import TradeStore, World
from bot.control.tokens import Tokens
from bot.control.views.notices import ON_CARD, notice
from bot.control.views.status import Light
from bot.core.desk import Desk
from bot.core.messages import Level, ShowCard, Tell
from bot.core.trade import Trade
from bot.core.watching import UniverseView
from bot.shell.clock import Clock
from bot.shell.errors import SettingFault
from bot.shell.hush import Hush
from bot.shell.ports import EventSink, Market

WISHES_MAX: Final = 2_000
POLL_S: Final = 25
UNSAID: Final = frozenset(
    {"trade_blocked", "directives_ignored"}
)  # at forty symbols it would drown the rest
START_S_MAX: Final = (
    2.0  # stops wait for nobody: what is not reached by then is tried again in `run`
)
RETRY_S: Final = 5.0
DRAIN_S: Final = 3.0
DEAF_S_MAX: Final = 5.0
READ_TIMEOUT_S: Final = 20.0  # a short one makes sent messages look lost
HANDLED_AT_ONCE: Final = 16
ALLOWED_UPDATES: Final = ["message", "callback_query", "my_chat_member"]
LOUD: Final = frozenset({"trade_opened", "trade_closed", "card_refused", "directives_changed"})

OPENS: Final = frozenset({"trade_opened", "adopted"})
App = Application[Any, Any, Any, Any, Any, Any]
log = structlog.get_logger()


class ControlStore(CardStore, PeopleStore, ReaderStore, OutboxStore, TradeStore, Protocol):
    """All this room asks of the store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlSettings:
    """Plain values. `base_url` without the token, e.g. "https://.../bot"; `pace` 1 for Telegram."""

    token: str
    base_url: str
    mode_badge: str  # PAPER, TESTNET, LIVE or DEMO
    pace: float = 1.0
    owner_name: str = ""
    charts: bool = True
    poll_s: int = POLL_S


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlWorld:
    """What the room stands on. `read_trade`: a stored trade's text -> the trade."""

    store: ControlStore
    sink: EventSink
    market: Market
    desk_of: Callable[[], Desk]
    clock: Clock
    random_bytes: Callable[[int], bytes]
    read_trade: Callable[[str], Trade]
    lights: Callable[[], Sequence[Light]] = tuple
    universe: Callable[[], UniverseView | None] = lambda: None
    cost_of: Callable[[int], str] = lambda _day: ""


class TelegramControl:
    """Implements the engine's Notifier. Order: `start`, `run` as a task, `stop`."""

    def __init__(self, settings: ControlSettings, world: ControlWorld) -> None:
        # The library logs each request's address at INFO, and the address holds the token.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self._settings = settings
        self._world = world
        self.pairing_code: str | None = None
        self._sifter = SiftingRequest(connection_pool_size=2, read_timeout=settings.poll_s + 10.0)
        self._sifter.on_answer = self._polled
        self._app = _build(settings, self._sifter)
        self._chat: Chat = PtbChat(self._app.bot)
        self.outbox = Outbox(self._chat, world.store, clock=world.clock, pace=settings.pace)
        self.outbox.on_shown = self._shown
        self._gate = Gate(
            world.store,
            clock=world.clock,
            random_bytes=world.random_bytes,
            owner_name=settings.owner_name,
        )
        self._readers = Readers(world.store, clock=world.clock, badge=settings.mode_badge)
        self._tokens = Tokens(world.store, world.random_bytes)
        self.cards = Cards(self._card_world())
        self._commands = self._command_world()
        self._pictures = Pictures(self.outbox, world.market) if settings.charts else None
        self._ear = Ear(
            Ears(
                chat=self._chat,
                gate=self._gate,
                tokens=self._tokens,
                cards=self.cards,
                outbox=self.outbox,
                commands=self._commands,
                pictures=self._pictures,
                paired=self._paired,
            )
        )
        self._wishes: deque[Callable[[], Awaitable[None]]] = deque()
        self._redraw: dict[str, Trade] = {}
        self._news = asyncio.Event()
        self._ending = asyncio.Event()
        self._hush = Hush()
        self._heard_ok = False
        self._trouble = "starting"

    # ------------------------------------------------------------ the engine's side: Notifier

    def show_card(self, command: ShowCard, trade: Trade, desk: Desk) -> None:
        """Put a plan before a person."""
        del desk
        self._wish(lambda: self.cards.show(trade, command.expires_ms))

    def tell(self, command: Tell, trade: Trade | None, desk: Desk) -> None:
        """Say something. What limits kept out is in the log and in /why, not in the chat."""
        if command.kind in UNSAID:
            log.info(command.kind, trade_id=command.trade_id, **dict(command.fields))
            return
        self._wish(lambda: self._tell(command, trade, desk))

    def trade_changed(self, trade: Trade, desk: Desk) -> None:
        """A trade's record changed: its card, if it has one, is redrawn; the newest state wins."""
        del desk
        known = trade.trade_id in self._redraw
        self._redraw[trade.trade_id] = trade
        if not known:
            self._wish(lambda: self._redraw_newest(trade.trade_id))

    async def tell_day(self, day: int) -> bool:
        """Post a UTC day's digest to every reader; False when nobody has a chat."""
        return await digests.tell(self._commands, self._readers, day)

    # ------------------------------------------------------------------------------ life

    async def start(self) -> None:
        """Check the token, open the pairing. Raises SettingFault on a token Telegram refuses."""
        self.pairing_code = await self._gate.open_pairing()
        if self.pairing_code is not None:
            log.warning("owner_not_paired", say=f"/start {self.pairing_code}", valid_hours=24)
        try:
            async with asyncio.timeout(START_S_MAX):
                await self._app.initialize()
        except InvalidToken:
            raise SettingFault(
                "TELEGRAM_BOT_TOKEN is refused by Telegram; it must be the token BotFather gave."
            ) from None
        except (TelegramError, TimeoutError) as error:
            log.warning("telegram_unreached", reason=type(error).__name__)
        await self.cards.heal()
        await self.outbox.recover(self._gate.chat_of)

    async def run(self) -> None:
        """Listen, draw and send until `stop` is called or the task is cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._scribe(), name="control-scribe"),
                    group.create_task(self.outbox.run(), name="control-outbox"),
                ]
                if self._pictures is not None:
                    tasks.append(group.create_task(self._pictures.run(), name="control-pictures"))
                listening = group.create_task(self._listen(), name="control-listen")
                await self._ending.wait()
                # Deaf first: what was still heard is answered below.
                await asyncio.wait({listening}, timeout=DEAF_S_MAX)
                await self._quiet()
                await self.outbox.drain(DRAIN_S)
                for task in (*tasks, listening):
                    task.cancel()
        finally:
            await self._app.shutdown()
            await self.close()

    async def stop(self) -> None:
        """Hear no more, send what waits (for seconds at most), let `run` return."""
        self._ending.set()
        self._news.set()

    async def close(self) -> None:
        """Let the connections go where `run` never was; a second call does nothing."""
        await self._app.bot.shutdown()

    def light(self) -> Light:
        """Whether Telegram is reached, for /status and metrics."""
        return Light(name="Telegram", ok=self._heard_ok, detail=self._trouble)

    @property
    def malformed(self) -> int:
        """Updates dropped because they could not be read."""
        return self._sifter.malformed

    # --------------------------------------------------------------------------- drawing

    def _wish(self, work: Callable[[], Awaitable[None]]) -> None:
        if len(self._wishes) >= WISHES_MAX:
            if times := self._hush.count("wishes_full"):
                log.error("notices_dropped", times=times)
            return
        self._wishes.append(work)
        self._news.set()

    async def _scribe(self) -> None:
        while True:
            while self._wishes:
                await self._guarded(self._wishes.popleft())
            self._news.clear()
            await self._news.wait()

    async def _quiet(self) -> None:
        while self._wishes:
            await self._guarded(self._wishes.popleft())

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:
            # Drawing is cosmetic: whatever failed, the next wish and every trade go on.
            if times := self._hush.count(f"drawing {type(error).__name__}"):
                log.exception("drawing_failed", times=times)

    async def _redraw_newest(self, trade_id: str) -> None:
        trade = self._redraw.pop(trade_id, None)
        if trade is not None:
            await self.cards.redraw(trade)

    async def _tell(self, command: Tell, trade: Trade | None, desk: Desk) -> None:
        carded = trade is not None and await self.cards.has(trade.trade_id)
        if trade is not None and command.kind == "card_moved":
            await self.cards.moved(trade, dict(command.fields))
        if trade is not None and command.kind == "card_refused":
            await self.cards.reopen(trade)
        if trade is not None and not carded and command.kind in OPENS:
            # Nobody was asked about this one: it gets its live card (and Close button) now.
            await self.cards.show(trade, 0)
            carded = await self.cards.has(trade.trade_id)
        if carded and command.kind in ON_CARD:
            return
        reader = await self._readers.first(desk.user_id)
        loud = command.level is not Level.INFO or command.kind in LOUD
        message = Post(
            chat_id=reader.telegram_id or 0 if reader is not None else 0,
            html=notice(await self._readers.look(reader), command, trade, desk),
            keyboard=await editor.revert_button(self._commands, reader, command),
            priority=Priority.NOW if loud else Priority.STATUS,
            reply_slot=slot_of(trade.trade_id) if trade is not None and carded else "",
            silent=not loud,
        )
        unheard = command.level is Level.WARNING and not message.chat_id  # nobody is paired yet
        if reader is not None and (command.level is Level.ALARM or unheard):
            await self.outbox.post_kept(message, reader.user_id)
        elif message.chat_id:
            self.outbox.post(message)
        if command.kind == "trade_closed" and trade is not None and self._pictures is not None:
            self._pictures.ask(trade, message.chat_id)

    async def _shown(self, slot: str, message_id: int) -> None:
        kind, _, card_id = slot.partition(":")
        if kind == "card":
            await self._world.store.set_card_message(card_id, message_id)

    def _card_world(self) -> CardWorld:
        world = self._world
        return CardWorld(
            store=world.store,
            outbox=self.outbox,
            tokens=self._tokens,
            sink=world.sink,
            market=world.market,
            desk_of=world.desk_of,
            clock=world.clock,
            readers=self._readers,
        )

    def _command_world(self) -> World:
        world = self._world
        return World(
            store=world.store,
            outbox=self.outbox,
            tokens=self._tokens,
            sink=world.sink,
            market=world.market,
            desk_of=world.desk_of,
            clock=world.clock,
            lights=lambda: [*world.lights(), self.light()],
            look=self._readers.look,
            read_trade=world.read_trade,
            universe=world.universe,
            cost_of=world.cost_of,
        )

    # -------------------------------------------------------------------------- listening

    async def _listen(self) -> None:
        app = self._app
        app.add_handler(TypeHandler(Update, self._authorise), group=-1)
        app.add_handler(TypeHandler(Update, self._hear), group=0)
        if not await self._reached():
            return
        await app.start()
        assert app.updater is not None, "built with an updater"
        try:
            await self._introduce()
            await app.updater.start_polling(
                timeout=self._settings.poll_s,
                allowed_updates=ALLOWED_UPDATES,
                bootstrap_retries=-1,
                error_callback=self._poll_failed,
            )
            self._heard_ok, self._trouble = True, ""
            await self._ending.wait()
        finally:
            if app.updater.running:
                await app.updater.stop()
            await app.stop()

    async def _reached(self) -> bool:
        while not self._ending.is_set():
            try:
                await self._app.initialize()  # does nothing the second time
            except InvalidToken:
                log.exception("telegram_token_refused")
                self._trouble = "token refused"
                return False
            except TelegramError as error:
                self._trouble = type(error).__name__
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ending.wait(), RETRY_S)
            else:
                return True
        return False

    async def _authorise(self, update: Update, context: object) -> None:
        """Nothing of a stranger's update goes further than this."""
        del context
        try:
            if await self._ear.may_speak(update):
                return
        except Exception as error:
            # In doubt about who it is: nobody.
            if times := self._hush.count(f"update {type(error).__name__}"):
                log.exception("update_dropped", times=times)
        raise ApplicationHandlerStop

    async def _hear(self, update: Update, context: object) -> None:
        del context
        try:
            await self._ear.hear(update)
        except Exception as error:
            # One update that cannot be handled is dropped; the next one is heard.
            if times := self._hush.count(f"update {type(error).__name__}"):
                log.exception("update_dropped", times=times)

    async def _paired(self) -> None:
        self.pairing_code = None
        await self._introduce()
        await self.cards.heal()
        await self.outbox.recover(self._gate.chat_of)

    async def _introduce(self) -> None:
        """The command menu: little for everyone, all of it for the owner, in each language."""
        owner_chat = await self._gate.owner_chat()
        try:
            for language in LANGUAGES:
                code = "" if language == "en" else language
                say = words(language).label
                menu = [BotCommand(c.name, say(c.help_text)) for c in handlers.COMMANDS]
                few = [command for command in menu if command.command in {"start", "help"}]
                await self._app.bot.set_my_commands(few, language_code=code or None)
                if owner_chat:
                    scope = BotCommandScopeChat(owner_chat)
                    await self._app.bot.set_my_commands(
                        menu, scope=scope, language_code=code or None
                    )
        except TelegramError as error:
            log.warning("menu_not_set", reason=type(error).__name__)

    def _poll_failed(self, error: TelegramError) -> None:
        self._heard_ok, self._trouble = False, type(error).__name__
        if isinstance(error, Conflict):
            self._trouble = "another instance runs"
        if isinstance(error, InvalidToken):
            self._trouble = "token refused"
        if times := self._hush.count(f"poll {self._trouble}"):
            log.error("telegram_not_heard", reason=self._trouble, times=times)

    def _polled(self) -> None:
        self._heard_ok, self._trouble = True, ""


def _build(settings: ControlSettings, sifter: SiftingRequest) -> App:
    return (
        Application.builder()
        .token(settings.token)
        .base_url(settings.base_url)
        .get_updates_request(sifter)
        .request(PoliteRequest(read_timeout=READ_TIMEOUT_S, write_timeout=READ_TIMEOUT_S))
        .job_queue(None)
        .concurrent_updates(HANDLED_AT_ONCE)
        .build()
    )
