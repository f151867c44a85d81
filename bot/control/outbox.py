"""Everything that goes to people passes here: one worker, urgent first, at Telegram's pace.

A message may have a *slot*, a name for what it shows ("card:abc"). The first message of a slot is
sent, later ones edit it in place, and while one waits a newer one replaces it. Alarms are rows in
the store until they are sent. Wall time, whatever the speed of the market: the network is real.

Must not know: what is said, or any Telegram library.
"""

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final, Protocol

import structlog

from bot.control.chat import Chat, ChatRefused, ChatUnreached, Content, Refusal
from bot.control.html import CAPTION_LENGTH_MAX, TEXT_LENGTH_MAX, Html, cut, split
from bot.control.pace import Pace
from bot.control.views.look import NO_KEYBOARD, Keyboard
from bot.shell.clock import Clock, wall_monotonic_s, wall_sleep_s
from bot.shell.errors import Unknown
from data.store.errors import StoreError
from data.store.rows import OutboxRow

WAITING_MAX: Final = 1_000  # a chat that takes one a second is 17 minutes behind by then
SLOTS_MAX: Final = 5_000
UNSURE_SENDS_MAX: Final = 1  # a send that may have arrived is repeated at most once
UNSURE_ALARMS_MAX: Final = 3  # an alarm told twice is better than one never told
UNREACHED_MAX: Final = 60  # with the backoff below: about a quarter of an hour
BACKOFF_S_MAX: Final = 15.0
UNSURE_WAIT_S: Final = 2.0

log = structlog.get_logger()


class Priority(IntEnum):
    """Lower goes first."""

    NOW = 0  # fills, stops, errors
    CARD = 1
    STATUS = 2
    LATER = 3  # digests, charts


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message to one chat."""

    chat_id: int
    html: Html
    keyboard: Keyboard = NO_KEYBOARD
    priority: Priority = Priority.STATUS
    slot: str = ""
    reply_slot: str = ""  # shown as an answer to that slot's message
    silent: bool = False
    picture: bytes | None = None
    notice_id: int = 0  # of its row in the store; 0 for what may be lost


class OutboxStore(Protocol):
    """What the outbox asks of the store."""

    async def put_outbox(self, notice: OutboxRow) -> int:
        """Keep a notice until it is sent; its number."""

    async def pending_outbox(self, limit: int = 100) -> tuple[OutboxRow, ...]:
        """Notices not sent yet."""

    async def mark_sent(self, notice_id: int, now_ms: int) -> bool:
        """Note that it was sent."""

    async def mark_failed(self, notice_id: int) -> None:
        """Count an attempt that failed."""


@dataclass(slots=True)
class _Item:
    message: Message
    order: int
    due_s: float = 0.0
    unsure: int = 0
    unreached: int = 0
    plain: bool = False


@dataclass(slots=True)
class _Shown:
    message_id: int
    content: Content | None = None  # None: from before a restart, what it shows is not known


@dataclass(slots=True, kw_only=True)
class OutboxCount:
    """What became of messages so far."""

    sent: int = 0
    edited: int = 0
    coalesced: int = 0
    dropped: int = 0
    retried: int = 0
    by_refusal: dict[str, int] = field(default_factory=dict)


class Outbox:
    """The queue and its worker. `post` never waits; `run` sends until it is cancelled."""

    def __init__(
        self,
        chat: Chat,
        store: OutboxStore,
        *,
        clock: Clock,
        pace: float = 1.0,
        now_s: Callable[[], float] = wall_monotonic_s,
        sleep_s: Callable[[float], Awaitable[None]] = wall_sleep_s,
    ) -> None:  # fmt: skip
        self._chat = chat
        self._store = store
        self._clock = clock
        self._now_s = now_s
        self._sleep_s = sleep_s
        self._factor = pace
        self._pace = Pace(factor=pace, now_s=now_s)
        self._waiting: list[_Item] = []
        self._shown: OrderedDict[str, _Shown] = OrderedDict()
        self._dead: set[int] = set()
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._order = 0
        self.count = OutboxCount()
        self.on_shown: Callable[[str, int], Awaitable[None]] | None = None

    def post(self, message: Message) -> None:
        """Queue a message. Never waits, never raises; the least urgent one gives way when full."""
        if message.chat_id in self._dead:
            self.count.dropped += 1
            return
        if message.slot:
            limit = TEXT_LENGTH_MAX if message.picture is None else CAPTION_LENGTH_MAX
            self._put(replace(message, html=cut(message.html, limit)))
            return
        if message.picture is not None:
            self._put(replace(message, html=cut(message.html, CAPTION_LENGTH_MAX)))
            return
        parts = split(message.html)
        for number, part in enumerate(parts, start=1):
            last = number == len(parts)
            buttons = message.keyboard if last else NO_KEYBOARD
            notice_id = message.notice_id if last else 0
            self._put(replace(message, html=part, keyboard=buttons, notice_id=notice_id))

    async def post_kept(self, message: Message, user_id: str) -> None:
        """Queue a message that must survive a restart; kept first. A full disk only loses that."""
        body = json.dumps({"html": message.html.markup, "reply_slot": message.reply_slot})
        row = OutboxRow(
            user_id=user_id,
            chat_id=message.chat_id,
            priority=int(message.priority),
            kind="notice",
            body=body,
            created_ms=self._clock.now_ms(),
        )
        try:
            notice_id = await self._store.put_outbox(row)
        except StoreError:
            log.exception("notice_not_kept")
            notice_id = 0
        if message.chat_id:
            self.post(replace(message, notice_id=notice_id))

    async def recover(self, chat_of: Callable[[str], Awaitable[int]]) -> int:
        """Queue the kept notices nobody has seen yet; how many. Chat 0 means: ask `chat_of`."""
        queued = {item.message.notice_id for item in self._waiting}
        found = 0
        for row in await self._store.pending_outbox():
            chat_id = row.chat_id or await chat_of(row.user_id)
            if row.id in queued or not chat_id:
                continue
            body = json.loads(row.body)
            found += 1
            self.post(
                Message(
                    chat_id=chat_id,
                    html=Html(str(body["html"])),
                    reply_slot=str(body["reply_slot"]),
                    priority=Priority(row.priority),
                    silent=row.priority == Priority.LATER,
                    notice_id=row.id,
                )
            )
        return found

    def remember(self, slot: str, message_id: int) -> None:
        """A slot's message was sent before this process began."""
        if slot not in self._shown:
            self._keep_shown(slot, _Shown(message_id))

    def message_id(self, slot: str) -> int | None:
        """The message that shows a slot, if one was sent."""
        shown = self._shown.get(slot)
        return None if shown is None else shown.message_id

    def revive(self, chat_id: int) -> bool:
        """The person wrote again; True when the chat had been given up."""
        if chat_id not in self._dead:
            return False
        self._dead.discard(chat_id)
        return True

    @property
    def waiting(self) -> int:
        """How many messages wait."""
        return len(self._waiting)

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            item, wait_s = self._next()
            if item is None:
                await self._wait(wait_s)
                continue
            self._idle.clear()
            await self._deliver(item)

    async def drain(self, within_s: float) -> None:
        """Wait until nothing is left to send, or so long."""
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            log.warning("outbox_left_unsent", waiting=len(self._waiting))

    def _put(self, message: Message) -> None:
        self._idle.clear()
        self._news.set()
        if message.slot:
            for item in self._waiting:
                if item.message.slot == message.slot and item.message.chat_id == message.chat_id:
                    urgent = min(item.message.priority, message.priority)
                    item.message = replace(message, priority=urgent)
                    item.plain = False
                    self.count.coalesced += 1
                    return
        self._order += 1
        self._waiting.append(_Item(message, self._order))
        if len(self._waiting) > WAITING_MAX:
            worst = max(self._waiting, key=lambda i: (i.message.priority, -i.order))
            self._waiting.remove(worst)
            self.count.dropped += 1
            log.warning("outbox_full", dropped=self.count.dropped)

    def _next(self) -> tuple[_Item | None, float | None]:
        now_s, soonest_s = self._now_s(), None
        for item in sorted(self._waiting, key=lambda i: (i.message.priority, i.order)):
            ready_s = max(item.due_s, self._pace.ready_s(item.message.chat_id, now_s))
            if ready_s <= now_s:
                self._waiting.remove(item)
                self._pace.take(item.message.chat_id)
                return item, None
            soonest_s = ready_s if soonest_s is None else min(soonest_s, ready_s)
        return None, None if soonest_s is None else soonest_s - now_s

    async def _wait(self, wait_s: float | None) -> None:
        if wait_s is None:
            self._idle.set()
            await self._news.wait()
            self._news.clear()
            return
        news = asyncio.ensure_future(self._news.wait())
        pause = asyncio.ensure_future(self._sleep_s(wait_s))
        try:
            await asyncio.wait({news, pause}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (news, pause):
                task.cancel()
            await asyncio.gather(news, pause, return_exceptions=True)
        self._news.clear()

    async def _deliver(self, item: _Item) -> None:
        try:
            await self._send(item)
        except ChatRefused as refusal:
            await self._refused(item, refusal)
        except ChatUnreached:
            item.unreached += 1
            wait_s = min(BACKOFF_S_MAX, 0.5 * 2.0 ** min(item.unreached, 6))
            await self._again(item, wait_s, give_up=item.unreached > UNREACHED_MAX)
        except Unknown:
            item.unsure += 1
            harmless = bool(item.message.notice_id) or self._edits(item.message)
            most = UNSURE_ALARMS_MAX if harmless else UNSURE_SENDS_MAX
            await self._again(item, UNSURE_WAIT_S, give_up=item.unsure > most)
        except Exception as error:
            # Whatever is wrong with one message, the next one (and every trade) goes on.
            log.exception("message_dropped", kind=type(error).__name__)
            self.count.dropped += 1

    def _edits(self, message: Message) -> bool:
        return bool(message.slot) and message.slot in self._shown

    async def _send(self, item: _Item) -> None:
        message = item.message
        content = Content(
            html=message.html,
            keyboard=message.keyboard,
            plain=item.plain,
            picture=message.picture,
        )
        shown = self._shown.get(message.slot) if message.slot else None
        if shown is not None:
            if shown.content != content:
                await self._chat.edit(message.chat_id, shown.message_id, content)
                shown.content = content
                self.count.edited += 1
        else:
            reply_to = self.message_id(message.reply_slot) if message.reply_slot else None
            message_id = await self._chat.send(
                message.chat_id, content, reply_to=reply_to, silent=message.silent
            )
            self.count.sent += 1
            if message.slot:
                self._keep_shown(message.slot, _Shown(message_id, content))
                if self.on_shown is not None:
                    await self.on_shown(message.slot, message_id)
        await self._note(message, sent=True)

    async def _note(self, message: Message, *, sent: bool) -> None:
        if not message.notice_id:
            return
        try:
            if sent:
                await self._store.mark_sent(message.notice_id, self._clock.now_ms())
            else:
                await self._store.mark_failed(message.notice_id)
        except StoreError:
            log.exception("notice_not_noted", notice_id=message.notice_id)

    async def _refused(self, item: _Item, refusal: ChatRefused) -> None:
        self.count.by_refusal[refusal.kind] = self.count.by_refusal.get(refusal.kind, 0) + 1
        if refusal.kind is Refusal.SLOW:
            self._pace.pause(item.message.chat_id, refusal.retry_after_s)
            await self._again(item, refusal.retry_after_s, give_up=False)
        elif refusal.kind is Refusal.UNREADABLE and not item.plain:
            log.error("markup_refused", text=refusal.text)
            item.plain = True
            await self._again(item, 0.0, give_up=False)
        elif refusal.kind is Refusal.VANISHED and self._edits(item.message):
            del self._shown[item.message.slot]
            await self._again(item, 0.0, give_up=False)
        elif refusal.kind is Refusal.GONE:
            await self._give_up_chat(item, refusal)
        elif refusal.kind is not Refusal.NOT_MODIFIED:
            log.error("message_refused", code=refusal.code, text=refusal.text)
            await self._again(item, 0.0, give_up=True)

    async def _give_up_chat(self, item: _Item, refusal: ChatRefused) -> None:
        chat_id = item.message.chat_id
        log.error("chat_gone", text=refusal.text)
        self._dead.add(chat_id)
        kept = [other for other in self._waiting if other.message.chat_id != chat_id]
        self.count.dropped += len(self._waiting) - len(kept) + 1
        self._waiting = kept
        await self._note(item.message, sent=False)

    async def _again(self, item: _Item, wait_s: float, *, give_up: bool) -> None:
        if give_up:
            self.count.dropped += 1
            await self._note(item.message, sent=False)
            return
        slot = item.message.slot
        if slot and any(other.message.slot == slot for other in self._waiting):
            self.count.coalesced += 1  # something newer is on its way to the same place
            return
        self.count.retried += 1
        item.due_s = self._now_s() + wait_s / max(1.0, self._factor)
        self._waiting.append(item)

    def _keep_shown(self, slot: str, shown: _Shown) -> None:
        self._shown[slot] = shown
        self._shown.move_to_end(slot)
        while len(self._shown) > SLOTS_MAX:
            self._shown.popitem(last=False)
