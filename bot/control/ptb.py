"""python-telegram-bot behind the Chat port: its errors sorted, its updates sifted.

Must not know: what is sent or why. Every failure of the library becomes one of the port's.
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import structlog
from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    ReplyParameters,
    Update,
)
from telegram.constants import ParseMode
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
    TimedOut,
)
from telegram.request import HTTPXRequest

from bot.control.chat import ChatRefused, ChatUnreached, Content, Refusal
from bot.control.html import plain_text
from bot.control.views.look import Button, Keyboard
from bot.shell.errors import BotError, Unknown
from bot.shell.hush import Hush

WAIT_S_UNSAID: Final = 5.0
WAIT_S_MAX: Final = 3_600.0
UPDATE_BYTES_MAX: Final = 4_000_000  # a poll brings 100 updates; more than this is no poll answer

log = structlog.get_logger()


class PtbChat:
    """Sends through a PTB bot."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot

    async def send(
        self, chat_id: int, content: Content, *, reply_to: int | None, silent: bool
    ) -> int:
        """Send a new message; its id."""
        reply = (
            ReplyParameters(message_id=reply_to, allow_sending_without_reply=True)
            if reply_to is not None
            else None
        )
        text, mode = _written(content)
        markup = _markup(content.keyboard)
        try:
            if content.picture is not None:
                sent = await self._bot.send_photo(
                    chat_id,
                    content.picture,
                    caption=text,
                    parse_mode=mode,
                    reply_markup=markup,
                    reply_parameters=reply,
                    disable_notification=silent,
                )
            else:
                sent = await self._bot.send_message(
                    chat_id,
                    text,
                    parse_mode=mode,
                    reply_markup=markup,
                    reply_parameters=reply,
                    disable_notification=silent,
                    link_preview_options=LinkPreviewOptions(is_disabled=True),
                )
        except TelegramError as error:
            raise sorted_error(error) from error
        return sent.message_id

    async def edit(self, chat_id: int, message_id: int, content: Content) -> None:
        """Replace a message's text and buttons."""
        text, mode = _written(content)
        try:
            await self._bot.edit_message_text(
                text,
                chat_id=chat_id,
                message_id=message_id,
                parse_mode=mode,
                reply_markup=_markup(content.keyboard),
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )
        except TelegramError as error:
            raise sorted_error(error) from error

    async def answer(self, query_id: str, toast: str, *, alert: bool) -> None:
        """Answer a tap with a short text, "" for none."""
        try:
            await self._bot.answer_callback_query(query_id, text=toast or None, show_alert=alert)
        except TelegramError as error:
            raise sorted_error(error) from error


def sorted_error(error: TelegramError) -> BotError:
    """What a PTB error means for us. BadRequest is a NetworkError there, so it is asked first."""
    text = str(error.message)
    if isinstance(error, TooManyRequests):
        return ChatRefused(Refusal.SLOW, 429, text, error.wait_s)
    if isinstance(error, BadRequest):
        return ChatRefused(_kind_of(text.lower()), 400, text)
    if isinstance(error, Forbidden | ChatMigrated):
        return ChatRefused(Refusal.GONE, 403, text)
    if isinstance(error, InvalidToken):
        return ChatRefused(Refusal.OTHER, 401, text)
    if isinstance(error, Conflict):
        return ChatRefused(Refusal.OTHER, 409, text)
    if isinstance(error, TimedOut):
        # The pool's own timeout happens before anything is written; the others may be late.
        return ChatUnreached(text) if "pool" in text.lower() else Unknown(text)
    if isinstance(error, NetworkError) and ("ConnectError" in text or "ConnectTimeout" in text):
        return ChatUnreached(text)
    if isinstance(error, NetworkError):
        return Unknown(text)
    return ChatRefused(Refusal.OTHER, 0, text)


class TooManyRequests(TelegramError):
    """Telegram asks to wait so many seconds."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"Too Many Requests: retry after {wait_s:g}")
        self.wait_s = wait_s


class PoliteRequest(HTTPXRequest):
    """Reads 429 itself: the library's own attribute for the wait is deprecated both ways."""

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """As the library's; raises TooManyRequests on 429."""
        code, payload = await super().do_request(*args, **kwargs)
        if code == HTTPStatus.TOO_MANY_REQUESTS:
            raise TooManyRequests(wait_of(payload))
        return code, payload


def wait_of(payload: bytes) -> float:
    """Seconds a 429 asks for; a few when it does not say, never more than an hour."""
    try:
        wait_s = float(json.loads(payload)["parameters"]["retry_after"])
    except (KeyError, TypeError, ValueError):
        return WAIT_S_UNSAID
    return min(wait_s, WAIT_S_MAX) if wait_s >= 0 else WAIT_S_UNSAID  # NaN is not >= 0


class SiftingRequest(PoliteRequest):
    """The polling request: an update PTB cannot read must not block the ones behind it.

    A broken one is counted, logged once a minute and emptied; its number is kept, so that it is
    confirmed to Telegram like any other and never comes again.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.malformed = 0
        self.on_answer: Callable[[], None] | None = None  # Telegram answered a poll
        self._hush = Hush()

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """As the library's, with unreadable updates emptied."""
        code, payload = await super().do_request(*args, **kwargs)
        url = str(kwargs.get("url") or (args[0] if args else ""))
        if code != 200 or not url.endswith("/getUpdates"):
            return code, payload
        if self.on_answer is not None:
            self.on_answer()
        return code, self.sift(payload)

    def sift(self, payload: bytes) -> bytes:
        """The same answer with every unreadable update emptied (or left out without a number)."""
        if len(payload) > UPDATE_BYTES_MAX:
            return payload
        try:
            body = json.loads(payload)
        except ValueError:
            return payload  # PTB's own refusal: polled again
        if not isinstance(body, dict) or not isinstance(body.get("result"), list):
            return payload
        updates = body["result"]
        sifted = [update for update in map(self._sifted, updates) if update is not None]
        return payload if sifted == updates else json.dumps({**body, "result": sifted}).encode()

    def _sifted(self, update: object) -> object:
        try:
            if isinstance(update, dict) and Update.de_json(dict(update), None).update_id >= 0:
                return update
        except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError):
            pass  # whatever a parser may raise over a stranger's JSON
        self.malformed += 1
        if times := self._hush.count("malformed_update"):
            log.warning("update_malformed", times=times)
        number = update.get("update_id") if isinstance(update, dict) else None
        return {"update_id": number} if isinstance(number, int) and number > 0 else None


def _kind_of(text: str) -> Refusal:
    if "message is not modified" in text:
        return Refusal.NOT_MODIFIED
    if "can't parse entities" in text or "unsupported start tag" in text:
        return Refusal.UNREADABLE
    if "message to edit not found" in text or "message can't be edited" in text:
        return Refusal.VANISHED
    if "message_id_invalid" in text or "no text in the message to edit" in text:
        return Refusal.VANISHED
    if "chat not found" in text or "user is deactivated" in text:
        return Refusal.GONE
    return Refusal.OTHER


def _written(content: Content) -> tuple[str, str | None]:
    if content.plain:
        return plain_text(content.html), None
    return content.html.markup, ParseMode.HTML


def _markup(rows: Keyboard) -> InlineKeyboardMarkup | None:
    if not rows:
        return None
    return InlineKeyboardMarkup([[_button(button) for button in row] for row in rows])


def _button(button: Button) -> InlineKeyboardButton:
    return InlineKeyboardButton(
        button.label,
        callback_data=button.data or None,
        url=button.url or None,
        style=button.style.value or None,
    )
