"""Telegram's HTML subset, pure: markup in, text and entities out, or Telegram's refusal.

Follows TDLib's own parser (MessageEntity.cpp, parse_html): the same tags and the same refusals
with byte offsets. It must not know HTTP, chats or time.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.sandbox.telegram_text import (
    Entity,
    Formatted,
    ParseRefused,
    date_time,
    finish,
    safe_url,
    utf16_length,
    whole_number,
)

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
_SPECIAL = {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"'}
_REFERENCE = re.compile(r"&(?:#(?P<dec>[0-9]{1,7})|#x(?P<hex>[0-9a-fA-F]{1,6}));?")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    tag: str
    attributes: Mapping[str, str]
    offset: int
    chunk: int


def parse_html(source: str) -> Formatted:
    """Read Telegram's HTML subset; raises ParseRefused with Telegram's words."""
    return _HtmlReader(source.replace("\0", " ")).read()


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
        return finish("".join(self._chunks), self._entities)

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
            if whole_number(emoji) not in range(1, 2**63):
                raise ParseRefused("Invalid custom emoji identifier specified")
            return replace(entity, custom_emoji_id=emoji)
        case "date_time":
            return date_time(entity, attributes)
    return entity


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
