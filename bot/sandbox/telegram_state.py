"""What the pretend Telegram remembers: persons, chats, messages, taps, files, the bot's profile.

One owner, one event loop; everything is bounded and forgets its oldest. It must not know HTTP.
`date` fields follow the given clock (the market's time); deadlines of the network (how old a tap
may be when answered) follow the wall, as they do in the world.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from bot.sandbox.telegram_checks import Json, Picture, Refused, bad_request
from bot.sandbox.telegram_feed import FaultList, Feed, UpdateQueue
from bot.sandbox.telegram_text import Formatted, plain, to_html
from bot.shell.clock import Clock

PERSON_ID = 1001
MESSAGES_MAX = 2_000
PERSONS_MAX = 1_000
QUERIES_MAX = 1_000
CALLS_MAX = 2_000
FILES_MAX = 500
FILES_BYTES_MAX = 64 * 1024 * 1024
QUERY_AGE_S_MAX = 15.0
PINS_MAX = 100
INFO_MAX = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """An uploaded picture or document."""

    file_id: str
    unique_id: str
    path: str
    name: str
    data: bytes
    picture: Picture | None = None

    def wire(self) -> Json:
        """The Bot API's PhotoSize or Document object."""
        found: Json = {
            "file_id": self.file_id,
            "file_unique_id": self.unique_id,
            "file_size": len(self.data),
        }
        if self.picture is not None:
            return {**found, "width": self.picture.width, "height": self.picture.height}
        return {**found, "file_name": self.name, "mime_type": "application/octet-stream"}


@dataclass(slots=True, kw_only=True)
class Message:
    """One message as it is now."""

    message_id: int
    chat: Json
    sender: Json
    date_ms: int
    body: Formatted
    kind: str = "text"  # text, photo or document; of the last two `body` is the caption
    file: StoredFile | None = None
    markup: Json | None = None
    replied: Json | None = None  # the quoted message as it was then; a chain must not hold all
    quote: Json | None = None
    extra: Json = field(default_factory=dict)  # has_media_spoiler, show_caption_above_media
    edited_ms: int | None = None
    edits: int = 0
    reaction: str | None = None

    @property
    def from_bot(self) -> bool:
        """Whether the bot wrote it."""
        return bool(self.sender["is_bot"])

    def wire(self, *, with_reply: bool = True) -> Json:
        """The Bot API's Message object; without its own reply when it is being quoted."""
        found: Json = {
            "message_id": self.message_id,
            "from": self.sender,
            "chat": self.chat,
            "date": self.date_ms // 1000,
            **self.extra,
        }
        if self.edited_ms is not None:
            found["edit_date"] = self.edited_ms // 1000
        if self.replied is not None and with_reply:
            found["reply_to_message"] = self.replied
        if self.file is not None:
            sizes = self.file.wire()
            found[self.kind] = [sizes] if self.kind == "photo" else sizes
        name, entities = ("text", "entities") if self.kind == "text" else _CAPTION
        if self.body.text:
            found[name] = self.body.text
        if self.body.entities:
            found[entities] = [entity.wire() for entity in self.body.entities]
        if self.markup is not None and "inline_keyboard" in self.markup:
            found["reply_markup"] = self.markup
        return found

    def view(self) -> Json:
        """The message as pages, tests and scripted persons see it."""
        found: Json = {
            "message_id": self.message_id,
            "chat_id": self.chat["id"],
            "from": "bot" if self.from_bot else "person",
            "user_id": self.sender["id"],
            "name": self.sender["first_name"],
            "date_ms": self.date_ms,
            "kind": self.kind,
            "text": self.body.text,
            "html": to_html(self.body),
            "entities": [entity.wire() for entity in self.body.entities],
            "reply_markup": self.markup,
            "reply_to": self.quote,
            "edits": self.edits,
            "edited_ms": self.edited_ms,
            "reaction": self.reaction,
            **self.extra,
        }
        if self.file is not None:
            found["file"] = {
                "url": f"/sandbox/file/{self.file.file_id}",
                "name": self.file.name,
                "size_bytes": len(self.file.data),
                **({} if self.kind == "document" else self.file.wire()),
            }
        return found


_CAPTION = ("caption", "caption_entities")


def _quote(message: Message) -> Json:
    text = message.body.text or message.kind
    return {
        "message_id": message.message_id,
        "name": message.sender["first_name"],
        "text": text.split("\n", 1)[0][:120],
    }


@dataclass(slots=True)
class Query:
    """A tap waiting for its answer."""

    query_id: str
    tapped_s: float
    message_id: int
    user_id: int
    answered: bool = False


class FileStore:
    """Uploads by id; the oldest go when there are too many or they weigh too much."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, StoredFile] = OrderedDict()
        self._count = 0
        self._bytes = 0

    def add(self, data: bytes, *, name: str, picture: Picture | None) -> StoredFile:
        """Keep an upload and give it Telegram-like ids."""
        digest = sha256(data).hexdigest()
        folder, prefix = ("photos", "AgACAgI") if picture is not None else ("documents", "BQACAgI")
        suffix = picture.suffix if picture is not None else "bin"
        stored = StoredFile(
            file_id=f"{prefix}AAxk{self._count:06d}{digest[:24]}",
            unique_id=f"AQAD{digest[:12]}",
            path=f"{folder}/file_{self._count}.{suffix}",
            name=name[:255],
            data=data,
            picture=picture,
        )
        self._count += 1
        self._files[stored.file_id] = stored
        self._bytes += len(data)
        while len(self._files) > FILES_MAX or self._bytes > FILES_BYTES_MAX:
            self._bytes -= len(self._files.popitem(last=False)[1].data)
        return stored

    def get(self, file_id: str) -> StoredFile | None:
        """A kept file by its id."""
        return self._files.get(file_id)

    def at_path(self, path: str) -> StoredFile | None:
        """A kept file by the path getFile told."""
        return next((item for item in self._files.values() if item.path == path), None)


class TelegramState:
    """All that the methods change and the pages show."""

    def __init__(self, *, token: str, clock: Clock, now_s: Callable[[], float]) -> None:
        self.clock = clock
        self.now_s = now_s
        self.bot: Json = {
            "id": int(token.split(":", 1)[0]),
            "is_bot": True,
            "first_name": "Trading bot",
            "username": "trading_sandbox_bot",
        }
        self.updates = UpdateQueue()
        self.feed = Feed()
        self.faults = FaultList()
        self.files = FileStore()
        self.persons: OrderedDict[int, Json] = OrderedDict()
        self.chats: OrderedDict[int, Json] = OrderedDict()
        self.messages: OrderedDict[int, Message] = OrderedDict()
        self.queries: OrderedDict[str, Query] = OrderedDict()
        self.pins: dict[int, list[int]] = {}
        self.blocked: set[int] = set()
        self.answers: deque[Json] = deque(maxlen=CALLS_MAX)
        self.calls: deque[Json] = deque(maxlen=CALLS_MAX)
        self.calls_count = 0
        self.commands: OrderedDict[tuple[str, str], list[Json]] = OrderedDict()
        self.texts: OrderedDict[tuple[str, str], str] = OrderedDict()
        self.menu_buttons: OrderedDict[int | None, Json] = OrderedDict()
        self.webhook: Json = {"url": ""}
        self.info: dict[str, str] = {}
        self._last_message_id = 0
        self._last_query_id = 0
        self.person(PERSON_ID)

    def person(self, user_id: int, **fields: Any) -> Json:
        """The person with this id, known from now on, with a private chat of the same id."""
        known = self.persons.get(user_id) or {
            "id": user_id,
            "is_bot": False,
            "first_name": "You" if user_id == PERSON_ID else f"Stranger {user_id}",
            "language_code": "en",
        }
        known = {**known, **{name: value for name, value in fields.items() if value is not None}}
        keep(self.persons, user_id, known, PERSONS_MAX)
        chat = {"id": user_id, "type": "private", "first_name": known["first_name"]}
        if "username" in known:
            chat["username"] = known["username"]
        keep(self.chats, user_id, chat, PERSONS_MAX)
        self.chats.move_to_end(PERSON_ID)  # a crowd of strangers must not push the owner out
        return known

    def chat(self, chat_id: int) -> Json:
        """The chat; raises Refused when the bot never met it or is blocked there."""
        if chat_id not in self.chats:
            raise bad_request("chat not found")
        if chat_id in self.blocked:
            raise Refused(403, "Forbidden: bot was blocked by the user")
        return self.chats[chat_id]

    def message(self, chat_id: int, message_id: int, missing: str) -> Message:
        """A kept message of that chat; raises Refused with the words given."""
        found = self.messages.get(message_id)
        if found is None or found.chat["id"] != chat_id:
            raise bad_request(missing)
        return found

    def add_message(
        self,
        *,
        chat: Json,
        sender: Json,
        body: Formatted,
        reply_to: Message | None = None,
        **fields: Any,
    ) -> Message:
        """Keep a new message and show it on the pages."""
        self._last_message_id += 1
        message = Message(
            message_id=self._last_message_id,
            chat=chat,
            sender=sender,
            date_ms=self.clock.now_ms(),
            body=body,
            **fields,
        )
        if reply_to is not None:
            message.replied = reply_to.wire(with_reply=False)
            message.quote = _quote(reply_to)
        keep(self.messages, message.message_id, message, MESSAGES_MAX)
        self.publish("message", message)
        return message

    def publish(self, kind: str, message: Message) -> None:
        """Tell the pages about a new or changed message."""
        self.emit(kind, chat_id=message.chat["id"], message=message.view())

    def emit(self, kind: str, **fields: Any) -> None:
        """Tell the pages anything; every event carries the clock, so they can keep time."""
        now = {"now_ms": self.clock.now_ms(), "speed": self.clock.speed}
        self.feed.publish({"event": kind, **now, **fields})

    def say(self, user_id: int, chat_id: int, text: str, reply_to: int | None = None) -> Message:
        """A person types; the bot gets a message update."""
        sender = self.person(user_id)
        chat = self.chats.get(chat_id)
        if chat is None:
            chat = {"id": chat_id, "type": "group", "title": f"Group {chat_id}"}
            keep(self.chats, chat_id, chat, PERSONS_MAX)
        quoted = None if reply_to is None else self.messages.get(reply_to)
        message = self.add_message(chat=chat, sender=sender, body=plain(text), reply_to=quoted)
        self.updates.put("message", message.wire())
        return message

    def tap(self, user_id: int, message: Message, data: str, age_s: float = 0.0) -> Query:
        """A person taps a button; the bot gets a callback query, `age_s` seconds old already."""
        sender = self.person(user_id)
        self._last_query_id += 1
        query_id = str(4_000_000_000_000 + self._last_query_id)
        query = Query(query_id, self.now_s() - age_s, message.message_id, user_id)
        keep(self.queries, query_id, query, QUERIES_MAX)
        self.updates.put(
            "callback_query",
            {
                "id": query_id,
                "from": sender,
                "message": message.wire(),
                "chat_instance": str(9_000_000_000 + message.chat["id"]),
                "data": data,
            },
        )
        self.emit(
            "tap",
            chat_id=message.chat["id"],
            query_id=query_id,
            message_id=message.message_id,
            user_id=user_id,
            data=data,
        )
        return query


def keep(items: OrderedDict[Any, Any], key: object, value: object, limit: int) -> None:
    """Remember `value` under `key`, forgetting the oldest beyond `limit`."""
    items[key] = value
    items.move_to_end(key)
    while len(items) > limit:
        items.popitem(last=False)
