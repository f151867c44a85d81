"""Telegram's formatted text, pure: text and its entities, counted in UTF-16 units.

It must not know HTTP, chats or time. The chat page draws only what this file lets through, so a
link with an unknown scheme ends here. `telegram_html` reads the markup a bot sends.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from html import escape
from urllib.parse import urlsplit

ENTITIES_MAX = 100  # Telegram ignores what comes after the hundredth
_HTML_TAGS: dict[str, str] = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "spoiler": "tg-spoiler",
    "code": "code",
}
# What a client may name in `entities`; the last two Telegram finds by itself.
ENTITY_KINDS = frozenset(
    {
        *_HTML_TAGS,
        "text_link",
        "pre",
        "blockquote",
        "expandable_blockquote",
        "custom_emoji",
        "date_time",
        "bot_command",
        "url",
    }
)
_BLOCKS = {"blockquote": 0, "expandable_blockquote": 0, "pre": 1}  # go around inline styles
_TIME_FORMAT = re.compile(r"r|w?[dD]?[tT]?")
_FOUND = re.compile(
    r"(?P<url>https?://[^\s<>\"]+[^\s<>\".,;:!?)\]])"
    r"|(?<![\w/<>])(?P<bot_command>/[A-Za-z0-9_]{1,32}(?:@[A-Za-z0-9_]{3,32})?)(?![\w/])"
)


class ParseRefused(Exception):
    """The formatting is wrong; the text is Telegram's own, without its 'Bad Request' prefix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A styled stretch of text; `offset` and `length` count UTF-16 units."""

    kind: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None
    custom_emoji_id: str | None = None
    unix_time: int | None = None
    date_time_format: str | None = None

    def wire(self) -> dict[str, object]:
        """The Bot API's MessageEntity object."""
        found: dict[str, object] = {"type": self.kind, "offset": self.offset, "length": self.length}
        for name in ("url", "language", "custom_emoji_id", "unix_time", "date_time_format"):
            value = getattr(self, name)
            if value is not None:
                found[name] = value
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Formatted:
    """Text as a person sees it, and its entities, outermost first."""

    text: str
    entities: tuple[Entity, ...] = ()


def utf16_length(text: str) -> int:
    """Length in UTF-16 units, as Telegram counts offsets."""
    return len(text) + sum(character > "\uffff" for character in text)


def plain(text: str) -> Formatted:
    """Text without formatting, trimmed and with the commands and links Telegram finds itself."""
    return finish(text, [])


def with_entities(text: str, given: Iterable[object]) -> Formatted:
    """Text with entities given by the client; raises ParseRefused when one is not well formed."""
    entities = [_given_entity(item, utf16_length(text)) for item in given]
    return finish(text, [entity for entity in entities if entity.length > 0])


def to_html(formatted: Formatted) -> str:
    """Canonical HTML of a text: what a test compares; found links and commands stay bare."""
    units = formatted.text.encode("utf-16-le", "surrogatepass")
    return _render(units, 0, len(units) // 2, list(formatted.entities))


def whole_number(text: str) -> int:
    """A number in plain digits, at most 64 bits of it; -1 for anything else."""
    return int(text) if len(text) <= 20 and text.isascii() and text.isdigit() else -1


def safe_url(url: str) -> str | None:
    """The address if Telegram takes it as a link: http, https or tg, with a host; else None."""
    try:
        parts = urlsplit(url if "://" in url else "http://" + url)
    except ValueError:
        return None
    if parts.scheme == "tg":
        return url
    if parts.scheme not in {"http", "https"} or "." not in (parts.hostname or ""):
        return None
    return parts.geturl()


def date_time(entity: Entity, attributes: Mapping[str, str]) -> Entity:
    """The entity with its moment (Unix seconds) and format; raises ParseRefused."""
    moment = whole_number(attributes.get("unix", ""))
    if moment not in range(1, 2**31):
        raise ParseRefused("Invalid date specified")
    style = attributes.get("format", "")
    if _TIME_FORMAT.fullmatch(style) is None:
        raise ParseRefused("Invalid date format specified")
    return replace(entity, unix_time=moment, date_time_format=style or None)


def finish(text: str, entities: list[Entity]) -> Formatted:
    """Trim as Telegram does, keep the first hundred entities, find commands and links."""
    entities = sorted(entities, key=_outermost_first)
    first = entities[0].offset if entities else utf16_length(text)
    lead = min(len(text) - len(text.lstrip(" \n\t\r")), first)
    trimmed = text[lead:].rstrip()
    end = utf16_length(trimmed)
    kept = []
    for entity in entities:
        offset = entity.offset - lead
        length = min(entity.length, end - offset)
        if length > 0:
            kept.append(replace(entity, offset=offset, length=length))
    kept = kept[:ENTITIES_MAX]
    kept += _found(trimmed, kept)[: ENTITIES_MAX - len(kept)]
    kept.sort(key=_outermost_first)
    return Formatted(text=trimmed, entities=tuple(kept))


def _outermost_first(entity: Entity) -> tuple[int, int, int]:
    return entity.offset, -entity.length, _BLOCKS.get(entity.kind, 2)


def _found(text: str, entities: list[Entity]) -> list[Entity]:
    closed = [item for item in entities if item.kind in {"code", "pre", "text_link", "date_time"}]
    found = []
    for hit in _FOUND.finditer(text):
        offset = utf16_length(text[: hit.start()])
        end = offset + utf16_length(hit.group())
        if any(item.offset < end and offset < item.offset + item.length for item in closed):
            continue
        found.append(Entity(kind=str(hit.lastgroup), offset=offset, length=end - offset))
    return found


def _given_entity(item: object, length_max: int) -> Entity:
    if not isinstance(item, Mapping):
        raise ParseRefused("Expected an Object as a MessageEntity")
    kind, offset, length = item.get("type"), item.get("offset"), item.get("length")
    if kind not in ENTITY_KINDS:
        raise ParseRefused("Unsupported type specified")
    if not isinstance(offset, int) or not isinstance(length, int):
        raise ParseRefused("Field must be an integer")
    if offset < 0 or length < 0 or offset + length > length_max:
        raise ParseRefused(f"Entity beginning at UTF-16 offset {offset} ends beyond the text")
    entity = Entity(kind=str(kind), offset=offset, length=length)
    match kind:
        case "text_link":
            url = safe_url(str(item.get("url", "")))
            return replace(entity, length=0) if url is None else replace(entity, url=url)
        case "pre":
            language = item.get("language")
            return replace(entity, language=None if language is None else str(language))
        case "custom_emoji":
            return replace(entity, custom_emoji_id=str(item.get("custom_emoji_id", "")))
        case "date_time":
            attributes = {"unix": item.get("unix_time"), "format": item.get("date_time_format")}
            return date_time(entity, {k: str(v) for k, v in attributes.items() if v is not None})
    return entity


def _render(units: bytes, begin: int, end: int, entities: list[Entity]) -> str:
    pieces: list[str] = []
    at = begin
    while entities:
        outer = entities.pop(0)
        start = max(outer.offset, at)
        stop = min(outer.offset + outer.length, end)
        if stop <= start:
            continue
        inner: list[Entity] = []
        while entities and entities[0].offset < stop:
            inner.append(entities.pop(0))
        pieces.append(_slice(units, at, start))
        before, after = _tags(outer)
        pieces.append(before + _render(units, start, stop, inner) + after)
        at = stop
    pieces.append(_slice(units, at, end))
    return "".join(pieces)


def _slice(units: bytes, begin: int, end: int) -> str:
    text = units[2 * begin : 2 * end].decode("utf-16-le", "replace")
    return escape(text, quote=False)


def _tags(entity: Entity) -> tuple[str, str]:
    match entity.kind:
        case "text_link":
            return f'<a href="{escape(entity.url or "")}">', "</a>"
        case "pre" if entity.language:
            return f'<pre><code class="language-{escape(entity.language)}">', "</code></pre>"
        case "pre" | "blockquote":
            return f"<{entity.kind}>", f"</{entity.kind}>"
        case "expandable_blockquote":
            return "<blockquote expandable>", "</blockquote>"
        case "custom_emoji":
            return f'<tg-emoji emoji-id="{escape(entity.custom_emoji_id or "")}">', "</tg-emoji>"
        case "date_time":
            style = f' format="{entity.date_time_format}"' if entity.date_time_format else ""
            return f'<tg-time unix="{entity.unix_time}"{style}>', "</tg-time>"
        case "url" | "bot_command":
            return "", ""
    tag = _HTML_TAGS[entity.kind]
    return f"<{tag}>", f"</{tag}>"
