"""Feeds as bytes -> items: RSS, Atom and JSON, bounded in size, count, depth and length.

A document type is refused before anything of it is read, and with it every entity, so no few bytes
can grow into many. Pure. Must not know: where bytes come from, the clock.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from xml.parsers import expat

from bot.news.words import clean

BYTES_MAX: Final = 1_000_000
ITEMS_MAX: Final = 100
DEPTH_MAX: Final = 32
FIELD_LENGTH_MAX: Final = 4_000
KEY_LENGTH_MAX: Final = 300

_ENTRIES: Final = frozenset({"item", "entry"})
_TITLES: Final = ("title", "headline")
_TEXTS: Final = ("description", "summary", "content_text", "body", "text")
_DATES: Final = ("pubdate", "published", "updated", "date", "date_published", "published_at")
_KEYS: Final = ("guid", "id", "link", "url")
_LISTS: Final = ("items", "articles", "results", "data")


class FeedUnreadable(ValueError):
    """The bytes are no feed we read: why, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One piece of news, cleaned. `published_ms` is None when it does not say."""

    key: str  # the same news again has the same key
    text: str
    published_ms: int | None


def parse(body: bytes) -> tuple[Item, ...]:
    """The items of a feed, as it orders them, at most ITEMS_MAX. Raises FeedUnreadable."""
    if len(body) > BYTES_MAX:
        raise FeedUnreadable(f"it is longer than {BYTES_MAX} bytes")
    start = body[:200].lstrip(b"\xef\xbb\xbf \t\r\n")
    rows = _of_json(body) if start[:1] in (b"{", b"[") else _of_xml(body)
    return tuple(item for item in map(_item, rows) if item.text)


class _Reader:
    """Collects the text of the elements inside each entry."""

    def __init__(self) -> None:
        self.rows: list[dict[str, str]] = []
        self._row: dict[str, str] | None = None
        self._name = ""
        self._depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise FeedUnreadable(f"it is nested deeper than {DEPTH_MAX}")
        local = name.rpartition(":")[2].lower()
        if local in _ENTRIES and self._row is None:
            self._row = {}
        elif self._row is not None:
            self._name = local
            if local == "link" and "href" in attributes:
                self._row["link"] = attributes["href"][:FIELD_LENGTH_MAX]

    def text(self, data: str) -> None:
        if self._row is not None and self._name:
            known = self._row.get(self._name, "")
            if len(known) < FIELD_LENGTH_MAX:
                self._row[self._name] = (known + data)[:FIELD_LENGTH_MAX]

    def end(self, name: str) -> None:
        self._depth -= 1
        local = name.rpartition(":")[2].lower()
        self._name = ""
        if local in _ENTRIES and self._row is not None:
            if len(self.rows) < ITEMS_MAX:
                self.rows.append(self._row)
            self._row = None


def _of_xml(body: bytes) -> list[dict[str, str]]:
    reader = _Reader()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.CharacterDataHandler = reader.text
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError, UnicodeError) as fault:
        raise FeedUnreadable(f"it is no XML: {fault}") from None
    return reader.rows


def _refuse_doctype(*details: object) -> None:
    del details
    raise FeedUnreadable("it declares a document type, which could hold entities")


def _of_json(body: bytes) -> list[dict[str, str]]:
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise FeedUnreadable(f"it is no JSON: {fault}") from None
    found: Any = told
    if isinstance(told, dict):
        found = next((told[name] for name in _LISTS if isinstance(told.get(name), list)), None)
    if not isinstance(found, list):
        raise FeedUnreadable(f"it holds no list under {', '.join(_LISTS)}")
    return [
        {
            str(name).lower(): str(value)[:FIELD_LENGTH_MAX]
            for name, value in row.items()
            if isinstance(value, str | int | float) and not isinstance(value, bool)
        }
        for row in found[:ITEMS_MAX]
        if isinstance(row, dict)
    ]


def _item(row: dict[str, str]) -> Item:
    # "publishedAt" and "published_at" are one field.
    row = {
        **{name.replace("at", "_at"): v for name, v in row.items() if name == "publishedat"},
        **row,
    }
    title, text = _first(row, _TITLES), _first(row, _TEXTS)
    words = clean(f"{title}. {text}" if title and text else title or text)
    return Item(
        key=(_first(row, _KEYS) or words)[:KEY_LENGTH_MAX],
        text=words,
        published_ms=_moment(_first(row, _DATES)),
    )


def _first(row: dict[str, str], names: Iterable[str]) -> str:
    return next((row[name].strip() for name in names if row.get(name, "").strip()), "")


def _moment(text: str) -> int | None:
    try:
        number = float(text)
    except ValueError:
        return _moment_of_words(text)
    ms = number if number > 1e11 else number * 1000
    return int(ms) if 0 < ms < 1e14 else None


def _moment_of_words(text: str) -> int | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(text)
        except (ValueError, TypeError, OverflowError):
            continue
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return int(aware.timestamp() * 1000)
    return None
