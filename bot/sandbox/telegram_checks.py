"""Telegram's own checks, pure: lengths, buttons, commands, pictures, pace; each with its words.

Limits follow the Bot API documentation (10.0) and its server's texts; where Telegram publishes no
number (the burst a chat may take) the constant says so. It must not know HTTP or what is stored.
"""

import json
import math
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.telegram_html import parse_html
from bot.sandbox.telegram_text import Formatted, ParseRefused, plain, safe_url, with_entities

Json = dict[str, Any]  # one JSON object of the wire

TEXT_MAX = 4096
CAPTION_MAX = 1024
SOURCE_MAX = 65_536  # markup before parsing; nothing longer can become 4096 useful characters
CALLBACK_DATA_BYTES_MAX = 64
ANSWER_MAX = 200
BUTTONS_MAX = 100
COPY_TEXT_MAX = 256
COMMANDS_MAX = 100
COMMAND_DESCRIPTION_MAX = 256
PHOTO_BYTES_MAX = 10 * 1024 * 1024
DOCUMENT_BYTES_MAX = 50 * 1024 * 1024
PHOTO_SIDES_SUM_MAX = 10_000
PHOTO_SIDES_RATIO_MAX = 20
MESSAGES_PER_S = 30.0
CHAT_MESSAGES_PER_S = 1.0
CHAT_BURST = 5.0  # not published; short bursts pass, steady floods do not
GROUP_MESSAGES_PER_MINUTE = 20.0
CHATS_PACED_MAX = 1_000
_ROUNDING = 1e-6  # of a message: who waited exactly long enough is not refused by a float
_COMMAND = re.compile(r"[a-z0-9_]{1,32}")
_BUTTON_ACTIONS = (
    "callback_data",
    "url",
    "copy_text",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "callback_game",
    "pay",
)
_STYLES = frozenset({"danger", "success", "primary"})


class Refused(Exception):
    """Telegram says no: an error code, its text and perhaps parameters."""

    def __init__(self, code: int, text: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.retry_after_s = retry_after_s

    def wire(self) -> Json:
        """The Bot API's error answer."""
        answer: Json = {"ok": False, "error_code": self.code, "description": self.text}
        if self.retry_after_s is not None:
            answer["parameters"] = {"retry_after": self.retry_after_s}
        return answer


def bad_request(text: str) -> Refused:
    """A 400 with Telegram's prefix."""
    return Refused(400, f"Bad Request: {text}")


def too_many_requests(retry_after_s: int) -> Refused:
    """A 429 that says how many seconds to wait."""
    return Refused(
        429, f"Too Many Requests: retry after {retry_after_s}", retry_after_s=retry_after_s
    )


def formatted(source: str, *, parse_mode: str | None, entities: object) -> Formatted:
    """Parse text by its mode or entities; raises Refused with "can't parse entities"."""
    if len(source) > SOURCE_MAX:
        raise bad_request("message is too long")
    try:
        match (parse_mode or "").lower():
            case "html":
                return parse_html(source)
            case "":
                return (
                    with_entities(source, entities) if isinstance(entities, list) else plain(source)
                )
            case "markdown" | "markdownv2":
                raise bad_request("can't parse entities: this sandbox reads only HTML")
            case _:
                raise bad_request("unsupported parse_mode")
    except ParseRefused as error:
        raise bad_request(f"can't parse entities: {error}") from error


def check_text(found: Formatted) -> Formatted:
    """1-4096 characters after entities parsing."""
    if not found.text:
        raise bad_request("message text is empty")
    if len(found.text) > TEXT_MAX:
        raise bad_request("message is too long")
    return found


def check_caption(found: Formatted) -> Formatted:
    """0-1024 characters after entities parsing."""
    if len(found.text) > CAPTION_MAX:
        raise bad_request("message caption is too long")
    return found


def check_answer(text: str) -> str:
    """0-200 characters of a callback answer."""
    if len(text) > ANSWER_MAX:
        raise bad_request("MESSAGE_TOO_LONG")
    return text


def check_markup(markup: object, *, inline_only: bool = False) -> Json | None:
    """A reply markup as Telegram keeps it, None when absent or an empty inline keyboard."""
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    if "inline_keyboard" in markup:
        return _inline_keyboard(markup["inline_keyboard"])
    if inline_only:
        raise bad_request("inline keyboard expected")
    if "keyboard" in markup:
        return _reply_keyboard(markup)
    for name in ("remove_keyboard", "force_reply"):
        if markup.get(name):
            return {**markup, name: True}
    return None


def _rows(rows: object, name: str) -> list[list[Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request(
            f'can\'t parse reply markup JSON object: Field "{name}" must be an Array of Arrays'
        )
    if sum(len(row) for row in rows) > BUTTONS_MAX:
        raise bad_request("reply markup is too long")
    return [row for row in rows if row]


def _inline_keyboard(rows: object) -> Json | None:
    kept = [[_inline_button(button) for button in row] for row in _rows(rows, "inline_keyboard")]
    return {"inline_keyboard": kept} if kept else None


def _inline_button(button: object) -> Json:
    prefix = "can't parse inline keyboard button: "
    if not isinstance(button, dict):
        raise bad_request(prefix + "inline keyboard button must be an Object")
    text = button.get("text")
    if text is None:
        raise bad_request(prefix + 'Can\'t find field "text"')
    if not isinstance(text, str):
        raise bad_request(prefix + 'Field "text" must be of type String')
    if not text.strip():
        raise bad_request("inline keyboard button text must be non-empty")
    if button.get("style") is not None and button["style"] not in _STYLES:
        raise bad_request(prefix + "Invalid button style specified")
    action = next((name for name in _BUTTON_ACTIONS if button.get(name) not in (None, "")), None)
    if action is None:
        raise bad_request(prefix + "Text buttons are unallowed in the inline keyboard")
    _check_action(action, button[action])
    return dict(button)


def _check_action(action: str, value: object) -> None:
    match action:
        case "callback_data":
            data = str(value).encode("utf-8", "surrogatepass")
            if not isinstance(value, str) or len(data) > CALLBACK_DATA_BYTES_MAX:
                raise bad_request("BUTTON_DATA_INVALID")
        case "url":
            if safe_url(str(value)) is None:
                raise bad_request(
                    f"inline keyboard button URL '{value}' is invalid: Wrong HTTP URL"
                )
        case "web_app" | "login_url":
            url = str(value.get("url", "")) if isinstance(value, dict) else ""
            if not url.startswith("https://"):
                raise bad_request(
                    f"inline keyboard button Web App URL '{url}' is invalid:"
                    " Only HTTPS links are allowed"
                )
        case "copy_text":
            text = value.get("text") if isinstance(value, dict) else None
            if not isinstance(text, str) or not 1 <= len(text) <= COPY_TEXT_MAX:
                raise bad_request("BUTTON_COPY_TEXT_INVALID")


def _reply_keyboard(markup: Mapping[str, Any]) -> Json | None:
    rows = []
    for row in _rows(markup["keyboard"], "keyboard"):
        buttons = [{"text": item} if isinstance(item, str) else item for item in row]
        if not all(isinstance(item, dict) and str(item.get("text", "")) for item in buttons):
            raise bad_request("keyboard button text must be non-empty")
        rows.append(buttons)
    return {**markup, "keyboard": rows} if rows else None


def check_commands(commands: object) -> list[Json]:
    """At most 100 commands of 1-32 lowercase letters, digits and underscores."""
    if not isinstance(commands, list):
        raise bad_request("can't parse commands: Expected an Array of BotCommand")
    if len(commands) > COMMANDS_MAX:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    kept = []
    for item in commands:
        if not isinstance(item, dict):
            raise bad_request("can't parse BotCommand: Expected an Object as a BotCommand")
        name = str(item.get("command", "")).strip().removeprefix("/")
        description = str(item.get("description", "")).strip()
        if not name:
            raise bad_request("command must not be empty")
        if len(name) > 32:
            raise bad_request("command length must not exceed 32")
        if not description:
            raise bad_request("command description must not be empty")
        if len(description) > COMMAND_DESCRIPTION_MAX:
            raise bad_request("command description length must not exceed 256")
        if _COMMAND.fullmatch(name) is None:
            raise bad_request("BOT_COMMAND_INVALID")
        kept.append({"command": name, "description": description})
    return kept


def check_json(text: str, what: str) -> Any:
    """Decode a JSON argument; raises Refused naming what it was meant to be."""
    try:
        return json.loads(text)
    except ValueError:
        raise bad_request(f"can't parse {what} JSON object") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a picture's first bytes say."""

    content_type: str
    suffix: str
    width: int
    height: int


def check_photo(data: bytes) -> Picture:
    """A PNG or JPEG within Telegram's sizes, read from its header."""
    if len(data) > PHOTO_BYTES_MAX:
        raise bad_request(
            f"file of size {len(data)} bytes is too big for a photo;"
            f" the maximum size is {PHOTO_BYTES_MAX} bytes"
        )
    picture = _png(data) or _jpeg(data)
    if picture is None:
        raise bad_request("IMAGE_PROCESS_FAILED")
    sides = sorted((picture.width, picture.height))
    if (
        sides[0] < 1
        or sum(sides) > PHOTO_SIDES_SUM_MAX
        or sides[1] > PHOTO_SIDES_RATIO_MAX * sides[0]
    ):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    return picture


def _png(data: bytes) -> Picture | None:
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or len(data) < 24:
        return None
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    return Picture(content_type="image/png", suffix="png", width=width, height=height)


def _jpeg(data: bytes) -> Picture | None:
    if data[:3] != b"\xff\xd8\xff":
        return None
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        # SOF0..SOF15 hold the size; C4, C8 and CC in that range are tables.
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = (int.from_bytes(data[at + i : at + i + 2]) for i in (5, 7))
            return Picture(content_type="image/jpeg", suffix="jpg", width=width, height=height)
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_s: float


class Pace:
    """Telegram's flood limits: 30 a second overall, about one a second in a chat.

    `factor` multiplies every rate, so a demo of a fast market may send faster; `now_s` is wall
    time, because the network's pace does not follow the market's clock.
    """

    def __init__(self, *, factor: float, now_s: Callable[[], float]) -> None:
        assert factor > 0, factor
        self._factor = factor
        self._now_s = now_s
        self._buckets: OrderedDict[int | None, _Bucket] = OrderedDict()

    def take(self, chat_id: int) -> None:
        """Count one message to the chat; raises Refused (429) when it is too soon."""
        now_s = self._now_s()
        limits = [(None, MESSAGES_PER_S, MESSAGES_PER_S), (chat_id, *_chat_limit(chat_id))]
        waits = [self._wait_s(key, rate, burst, now_s) for key, rate, burst in limits]
        if max(waits) > 0:
            raise too_many_requests(max(1, math.ceil(max(waits))))
        for key, _, _ in limits:
            self._buckets[key].tokens -= 1

    def _wait_s(self, key: int | None, rate: float, burst: float, now_s: float) -> float:
        rate *= self._factor
        burst *= max(1.0, self._factor)
        bucket = self._buckets.setdefault(key, _Bucket(burst, now_s))
        self._buckets.move_to_end(key)
        if len(self._buckets) > CHATS_PACED_MAX:
            self._buckets.popitem(last=False)
        bucket.tokens = min(burst, bucket.tokens + (now_s - bucket.at_s) * rate)
        bucket.at_s = now_s
        return max(0.0, (1 - bucket.tokens - _ROUNDING) / rate)


def _chat_limit(chat_id: int) -> tuple[float, float]:
    if chat_id < 0:
        return GROUP_MESSAGES_PER_MINUTE / 60, GROUP_MESSAGES_PER_MINUTE
    return CHAT_MESSAGES_PER_S, CHAT_BURST
