"""The chat as the outbox sees it: what can be sent, and how sending can fail.

Must not know: any Telegram library; the adapter behind it is `ptb`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from bot.control.html import Html
from bot.control.views.look import NO_KEYBOARD, Keyboard
from bot.shell.errors import BotError, TheirWord


class Refusal(StrEnum):
    """Why Telegram did not do it; each kind has its own remedy."""

    SLOW = "slow"  # too many requests: wait
    NOT_MODIFIED = "not_modified"  # it already looks like that
    UNREADABLE = "unreadable"  # the markup is wrong: send it plain
    VANISHED = "vanished"  # the message to edit is gone: send a new one
    GONE = "gone"  # the person blocked the bot or the chat is no more
    OTHER = "other"


class ChatRefused(TheirWord):
    """Telegram surely did not do it."""

    def __init__(self, kind: Refusal, code: int, text: str, retry_after_s: float = 0.0) -> None:
        super().__init__(code, text)
        self.kind = kind
        self.retry_after_s = retry_after_s


class ChatUnreached(BotError):
    """The request surely never left this machine; it can be made again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a message shows. With `plain`, the markup is dropped and only its words are sent."""

    html: Html
    keyboard: Keyboard = NO_KEYBOARD
    plain: bool = False
    picture: bytes | None = None  # a PNG; the text is then its caption


class Chat(Protocol):
    """Sends. Every method raises ChatRefused, ChatUnreached, or Unknown when nobody can say."""

    async def send(
        self, chat_id: int, content: Content, *, reply_to: int | None, silent: bool
    ) -> int:
        """Send a new message; its id."""

    async def edit(self, chat_id: int, message_id: int, content: Content) -> None:
        """Replace a message's text and buttons."""

    async def answer(self, query_id: str, toast: str, *, alert: bool) -> None:
        """Answer a tap with a short text, "" for none."""
