"""Telegram's HTML as a type: markup is only ever made here, everything else is escaped.

For: texts that cannot break, or be broken by, what strangers and models write. Pure.
Must not know: what a message says, who reads it, how it is sent.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from html import escape, unescape
from typing import Final

from data.money import plain
from data.untrusted import tidy

TEXT_LENGTH_MAX: Final = 4096  # Telegram's limit for a message, counted after the tags are read
CAPTION_LENGTH_MAX: Final = 1024
TOAST_LENGTH_MAX: Final = 200
UNTRUSTED_LENGTH_MAX: Final = 400  # enough of a stranger's text for a card

_ATOM: Final = re.compile(r"<[^<>]*>|&[a-zA-Z0-9#]{1,10};|.", re.DOTALL)
_LINK: Final = re.compile(r"(?i)\b(?:[a-z][a-z0-9+.-]*://|www\.|tg:|t\.me/)\S+")
_DOMAIN_DOT: Final = re.compile(r"(?<=[^\W\d_])\.(?=[^\W\d_]{2})")
_MENTION: Final = re.compile(r"@(?=\w)")
_COMMAND: Final = re.compile(r"(?<![\w/])/(?=[A-Za-z])")
_ZERO_WIDTH: Final = "\u200b"  # stops a client from making a link of what follows a dot or slash


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that is safe to send as it stands. Make one with the functions of this module."""

    markup: str

    def __add__(self, other: "Html") -> "Html":
        return Html(self.markup + other.markup)

    def __bool__(self) -> bool:
        return bool(self.markup)


Value = Html | str | int | Decimal
NOTHING: Final = Html("")
LINE: Final = Html("\n")


def text(value: Value) -> Html:
    """Escape a value; what is Html already stays as it is."""
    if isinstance(value, Html):
        return value
    written = plain(value) if isinstance(value, Decimal) else str(value)
    return Html(escape(written, quote=False))


def fill(template: str, **values: Value) -> Html:
    """Put escaped values into a template of ours: the template is markup, the values are not."""
    return Html(template.format(**{name: text(value).markup for name, value in values.items()}))


def join(parts: Iterable[Value], separator: str = "\n") -> Html:
    """All non-empty parts with a separator (text, escaped) between them."""
    between = escape(separator, quote=False)
    return Html(between.join(t.markup for t in map(text, parts) if t))


def bold(value: Value) -> Html:
    """Bold."""
    return _tagged("b", value)


def italic(value: Value) -> Html:
    """Italic."""
    return _tagged("i", value)


def code(value: Value) -> Html:
    """Monospaced, one tap copies it."""
    return _tagged("code", value)


def pre(value: Value) -> Html:
    """A monospaced block: tables."""
    return _tagged("pre", value)


def folded(value: Value) -> Html:
    """A quotation the reader unfolds with a tap."""
    return fill("<blockquote expandable>{inner}</blockquote>", inner=value)


def moment(unix_ms: int, style: str, fallback: str) -> Html:
    """A moment in the reader's own time zone; `style` is Telegram's ("r" relative, "T" time)."""
    opening = f'<tg-time unix="{unix_ms // 1000}" format="{escape(style)}">'
    return Html(opening) + text(fallback) + Html("</tg-time>")


def untrusted(value: str, limit: int = UNTRUSTED_LENGTH_MAX) -> str:
    """A stranger's or a model's text: one line, cut, without links, mentions or commands."""
    plain_line = tidy(value, limit + 1)  # one more than is shown says that there was more
    plain_line = _LINK.sub("[…]", plain_line)
    plain_line = _MENTION.sub("", plain_line)
    plain_line = _DOMAIN_DOT.sub("." + _ZERO_WIDTH, plain_line)
    plain_line = _COMMAND.sub("/" + _ZERO_WIDTH, plain_line)
    return plain_line if len(plain_line) <= limit else plain_line[: limit - 1].rstrip() + "…"


def plain_text(html: Html) -> str:
    """The same words without any tag: what is sent when Telegram cannot read the markup."""
    return unescape("".join(a for a in _ATOM.findall(html.markup) if not _is_tag(a)))


def length(html: Html) -> int:
    """Visible length in UTF-16 units, Telegram's own count."""
    return sum(_width(atom) for atom in _ATOM.findall(html.markup))


def split(html: Html, limit: int = TEXT_LENGTH_MAX) -> list[Html]:
    """Parts of at most `limit`, broken at line ends where possible; tags close and open again."""
    parts = []
    rest = html.markup
    while rest:
        head, rest = _take(rest, limit)
        parts.append(Html(head))
    return parts


def cut(html: Html, limit: int = TEXT_LENGTH_MAX) -> Html:
    """The first `limit` of it, with an ellipsis when something was left off."""
    if length(html) <= limit:
        return html
    head, _ = _take(html.markup, limit - 1)
    return Html(head + "…")


def _tagged(name: str, value: Value) -> Html:
    return Html(f"<{name}>{text(value).markup}</{name}>")


def _is_tag(atom: str) -> bool:
    return len(atom) > 1 and atom[0] == "<"


def _width(atom: str) -> int:
    if _is_tag(atom):
        return 0
    return 2 if len(atom) == 1 and ord(atom) > 0xFFFF else 1


def _take(markup: str, limit: int) -> tuple[str, str]:
    # Walks visible characters; remembers the last line end and the tags open there.
    open_tags: list[str] = []
    width = at = 0
    line_end: tuple[int, tuple[str, ...]] | None = None
    for match in _ATOM.finditer(markup):
        atom = match.group()
        if width + _width(atom) > limit:
            at = match.start()
            break
        width += _width(atom)
        if _is_tag(atom):
            _follow(open_tags, atom)
        elif atom == "\n":
            line_end = (match.start(), tuple(open_tags))
    else:
        return markup, ""
    skip = 0
    tags: tuple[str, ...] = tuple(open_tags)
    if line_end is not None and line_end[0] > 0:
        at, tags = line_end
        skip = 1  # the line end itself becomes the border
    closing = "".join(f"</{_name(tag)}>" for tag in reversed(tags))
    return markup[:at] + closing, "".join(tags) + markup[at + skip :]


def _follow(open_tags: list[str], tag: str) -> None:
    if tag.startswith("</"):
        assert open_tags, f"closing tag without its opening one: {tag}"
        open_tags.pop()
    else:
        open_tags.append(tag)


def _name(tag: str) -> str:
    return tag.strip("<>").split()[0]
