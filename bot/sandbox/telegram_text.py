"""Telegram's formatted text, pure: HTML in, text and entities out, and back again.

Follows TDLib's own parser (MessageEntity.cpp, parse_html): the same tags, the same refusals with
byte offsets, entity offsets in UTF-16 units. It must not know HTTP, chats or time. The chat page
draws only what this file lets through, so a link with an unknown scheme ends here.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from html import escape
from urllib.parse import urlsplit

ENTITIES_MAX = 100  # Telegram ignores what comes after the hundredth
_SPACE = " \t\r\n\v\0"
_END = "\0"
_TAGS: dict[str, str] = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "span": "spoiler",
    "tg-spoiler": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
    "tg-time": "date_time",
}
_HTML_TAGS: dict[str, str] = {
    "bold": "b",
    "italic": "i",
    "underline": "u",
    "strikethrough": "s",
    "spoiler": "tg-spoiler",
    "code": "code",
}
# What a client may name in `entities`; those without a tag are found by Telegram itself.
ENTITY_KINDS = frozenset(_TAGS.values()) | {"expandable_blockquote", "bot_command", "url"}
_SPECIAL = {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"'}
_REFERENCE = re.compile(r"&(?:#(?P<dec>[0-9]{1,7})|#x(?P<hex>[0-9a-fA-F]{1,6}));?")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    tag: str
    attributes: Mapping[str, str]
    offset: int
    chunk: int


def utf16_length(text: str) -> int:
    """Length in UTF-16 units, as Telegram counts offsets."""
    return len(text) + sum(character > "\uffff" for character in text)


def parse_html(source: str) -> Formatted:
    """Read Telegram's HTML subset; raises ParseRefused with Telegram's words."""
    return _HtmlReader(source.replace("\0", " ")).read()


def plain(text: str) -> Formatted:
    """Text without formatting, trimmed and with the commands and links Telegram finds itself."""
    return _finish(text, [])


def with_entities(text: str, given: Iterable[object]) -> Formatted:
    """Text with entities given by the client; raises ParseRefused when one is not well formed."""
    entities = [_given_entity(item, utf16_length(text)) for item in given]
    return _finish(text, [entity for entity in entities if entity.length > 0])


def to_html(formatted: Formatted) -> str:
    """Canonical HTML of a text: what a test compares; found links and commands stay bare."""
    units = formatted.text.encode("utf-16-le", "surrogatepass")
    return _render(units, 0, len(units) // 2, list(formatted.entities))


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


class _HtmlReader:
    def __init__(self, source: str) -> None:
        self._source = source + _END
        self._at = 0
        self._chunks: list[str] = []
        self._utf16 = 0
        self._open: list[_Open] = []
        self._entities: list[Entity] = []

    def read(self) -> Formatted:
        while self._at < len(self._source) - 1:
            character = self._source[self._at]
            if character == "<" and self._source[self._at + 1] == "/":
                self._end_tag()
            elif character == "<":
                self._start_tag()
            else:
                self._emit(self._character())
        if self._open:
            tag = self._open[-1].tag
            raise ParseRefused(f'Can\'t find end tag corresponding to start tag "{tag}"')
        return _finish("".join(self._chunks), self._entities)

    def _byte(self, at: int) -> int:
        return len(self._source[:at].encode("utf-8", "surrogatepass"))

    def _emit(self, text: str) -> None:
        self._chunks.append(text)
        self._utf16 += utf16_length(text)

    def _character(self) -> str:
        character = self._source[self._at]
        if character == "&":
            decoded, width = _reference(self._source, self._at)
            if width:
                self._at += width
                return decoded
        self._at += 1
        return character

    def _skip_space(self) -> None:
        while self._source[self._at] != _END and self._source[self._at] in _SPACE:
            self._at += 1

    def _until(self, stops: str) -> str:
        begin = self._at
        while self._source[self._at] not in stops:
            self._at += 1
        return self._source[begin : self._at]

    def _start_tag(self) -> None:
        begin = self._at
        self._at += 1
        tag = self._until(_SPACE + ">").lower()
        if self._source[self._at] == _END:
            raise ParseRefused(f"Unclosed start tag at byte offset {self._byte(begin)}")
        if tag not in _TAGS:
            raise ParseRefused(f'Unsupported start tag "{tag}" at byte offset {self._byte(begin)}')
        attributes: dict[str, str] = {}
        while self._source[self._at] != ">":
            self._skip_space()
            if self._source[self._at] == ">":
                break
            name, value = self._attribute(tag, begin)
            attributes[name] = value
        self._at += 1
        if tag == "span" and attributes.get("class") != "tg-spoiler":
            raise ParseRefused(
                f'Tag "span" must have class "tg-spoiler" at byte offset {self._byte(begin)}'
            )
        self._open.append(
            _Open(tag=tag, attributes=attributes, offset=self._utf16, chunk=len(self._chunks))
        )

    def _attribute(self, tag: str, begin: int) -> tuple[str, str]:
        name = self._until(_SPACE + "=>/\"'").lower()
        if not name:
            raise ParseRefused(
                f'Empty attribute name in the tag "{tag}" at byte offset {self._byte(begin)}'
            )
        self._skip_space()
        unclosed = f'Unclosed start tag "{tag}" at byte offset {self._byte(begin)}'
        if self._source[self._at] != "=":
            if self._source[self._at] == _END:
                raise ParseRefused(unclosed)
            return name, ""
        self._at += 1
        self._skip_space()
        if self._source[self._at] == _END:
            raise ParseRefused(unclosed)
        value = self._value()
        if self._source[self._at] == _END:
            raise ParseRefused(f"Unclosed start tag at byte offset {self._byte(begin)}")
        return name, value

    def _value(self) -> str:
        begin = self._at
        quote = self._source[begin]
        if quote not in "'\"":
            while self._source[self._at].isascii() and (
                self._source[self._at].isalnum() or self._source[self._at] in ".-"
            ):
                self._at += 1
            if self._source[self._at] not in _SPACE + ">":
                raise ParseRefused(
                    f"Unexpected end of name token at byte offset {self._byte(begin)}"
                )
            return self._source[begin : self._at].lower()
        self._at += 1
        value: list[str] = []
        while self._source[self._at] not in (quote, _END):
            value.append(self._character())
        if self._source[self._at] == quote:
            self._at += 1
        return "".join(value)

    def _end_tag(self) -> None:
        begin = self._at
        offset = self._byte(begin)
        if not self._open:
            raise ParseRefused(f"Unexpected end tag at byte offset {offset}")
        self._at += 2
        tag = self._until(_SPACE + ">").lower()
        self._skip_space()
        if self._source[self._at] != ">":
            raise ParseRefused(f"Unclosed end tag at byte offset {offset}")
        self._at += 1
        opened = self._open.pop()
        if tag and tag != opened.tag:
            raise ParseRefused(
                f"Unmatched end tag at byte offset {offset},"
                f' expected "</{opened.tag}>", found "</{tag}>"'
            )
        if self._utf16 > opened.offset:
            self._close(opened)

    def _close(self, opened: _Open) -> None:
        entity = Entity(
            kind=_TAGS[opened.tag], offset=opened.offset, length=self._utf16 - opened.offset
        )
        content = "".join(self._chunks[opened.chunk :])
        built = _with_attributes(entity, opened.attributes, content)
        if built is None:
            return
        last = self._entities[-1] if self._entities else None
        if (
            built.kind == "pre"
            and last is not None
            and (last.kind, last.offset, last.length) == ("code", built.offset, built.length)
        ):
            # <pre><code class="language-x"> is one block that knows its language.
            self._entities.pop()
            built = replace(built, language=last.language)
        self._entities.append(built)


def _with_attributes(entity: Entity, attributes: Mapping[str, str], content: str) -> Entity | None:
    match entity.kind:
        case "text_link":
            url = safe_url(attributes.get("href") or content)
            return None if url is None else replace(entity, url=url)
        case "code":
            name = attributes.get("class", "")
            language = name.removeprefix("language-") if name.startswith("language-") else None
            return replace(entity, language=language)
        case "blockquote" if "expandable" in attributes:
            return replace(entity, kind="expandable_blockquote")
        case "custom_emoji":
            emoji = attributes.get("emoji-id", "")
            if not (emoji.isascii() and emoji.isdigit() and 0 < int(emoji) < 2**63):
                raise ParseRefused("Invalid custom emoji identifier specified")
            return replace(entity, custom_emoji_id=emoji)
        case "date_time":
            return _date_time(entity, attributes)
    return entity


def _date_time(entity: Entity, attributes: Mapping[str, str]) -> Entity:
    moment = attributes.get("unix", "")
    if not (moment.isascii() and moment.isdigit() and 0 < int(moment) < 2**31):
        raise ParseRefused("Invalid date specified")
    style = attributes.get("format", "")
    if _TIME_FORMAT.fullmatch(style) is None:
        raise ParseRefused("Invalid date format specified")
    return replace(entity, unix_time=int(moment), date_time_format=style or None)


def _reference(source: str, at: int) -> tuple[str, int]:
    for name, character in _SPECIAL.items():
        if source.startswith(name, at):
            return character, len(name)
        if source.startswith(name[:-1], at) and not source[at + len(name) - 1].isalpha():
            return character, len(name) - 1
    found = _REFERENCE.match(source, at)
    if found is None:
        return "", 0
    number = int(found["dec"]) if found["dec"] else int(found["hex"], 16)
    if not 0 < number < 0x110000 or 0xD800 <= number < 0xE000:
        return "", 0
    return chr(number), found.end() - at


def _finish(text: str, entities: list[Entity]) -> Formatted:
    entities = sorted(entities, key=lambda entity: (entity.offset, -entity.length))
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
    kept.sort(key=lambda entity: (entity.offset, -entity.length))
    return Formatted(text=trimmed, entities=tuple(kept))


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
            return _date_time(entity, {k: str(v) for k, v in attributes.items() if v is not None})
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
