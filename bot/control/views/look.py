"""What every view is drawn with: a language, the mode badge, the moment; and how numbers look.

Numbers: the instrument's own precision, a sign wherever a sign can matter, '.' before decimals
in every language because traders copy values.
Must not know: what is being shown, or where translations are kept.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from typing import Final

from bot.control.html import Html, Value, fill, moment
from data.money import HUNDRED, plain

SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Words:
    """One language: `translate` maps the English source text to it (or to itself)."""

    language: str
    translate: Callable[[str], str]

    def say(self, source: str, /, **values: Value) -> Html:
        """Translate a sentence that may carry markup, then put escaped values in."""
        return fill(self.translate(source), **values)

    def label(self, source: str, /, **values: str | int) -> str:
        """Translate a plain text without markup: buttons, toasts, table heads."""
        return self.translate(source).format(**values)


def mark(source: str) -> str:
    """Name a text that is translated later, so that the catalog's test finds it."""
    return source


class Style(StrEnum):
    """How a button looks; the values are Telegram's."""

    PLAIN = ""
    SUCCESS = "success"
    DANGER = "danger"
    PRIMARY = "primary"


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A tap on it brings `data` back (64 bytes at most), or opens `url`."""

    label: str
    data: str = ""
    url: str = ""
    style: Style = Style.PLAIN


Keyboard = tuple[tuple[Button, ...], ...]  # rows, top first
NO_KEYBOARD: Final[Keyboard] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A message as it will look."""

    html: Html
    keyboard: Keyboard = NO_KEYBOARD


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Everything about the reader and the moment a view depends on."""

    words: Words
    badge: str  # PAPER, TESTNET, LIVE or DEMO
    now_ms: int
    names: Mapping[str, str] = field(default_factory=dict)  # user id -> name to show

    def name_of(self, user_id: str) -> str:
        """A person's name, or the id when nobody told it."""
        return self.names.get(user_id) or user_id


def price(value: Decimal, tick: Decimal) -> str:
    """A price with the instrument's precision."""
    return _fixed(value, _places(tick))


def quantity(value: Decimal) -> str:
    """A quantity without needless zeros."""
    return plain(value)


def money(value: Decimal) -> str:
    """USDT without a sign: two decimals, four below one."""
    return _fixed(value, _money_places(value))


def signed_money(value: Decimal) -> str:
    """USDT with its sign, `+0.00` for nothing."""
    return _signed(money(value))


def percent(value: Decimal) -> str:
    """A change in per cent, always with its sign: `-1.20 %`."""
    return _signed(_fixed(value, 2)) + " %"


def distance(bps: Decimal) -> str:
    """How far, without saying in which direction: basis points as per cent."""
    return f"{_fixed(abs(bps) / HUNDRED, 2)} %"


def share(part: Decimal, whole: Decimal) -> str:
    """`part` of `whole` in per cent without a sign; a dash when there is no whole."""
    return f"{_fixed(part / whole * HUNDRED, 2)} %" if whole > 0 else "-"


def change(reference: Decimal, other: Decimal) -> str:
    """How far `other` is from `reference`, in per cent with its sign."""
    return percent((other - reference) / reference * HUNDRED) if reference > 0 else "-"


def ratio(value: Decimal) -> str:
    """Reward to risk, one decimal."""
    return _fixed(value, 1)


def duration(span_ms: int) -> str:
    """A span in its two largest units: `3h12m`, `45s`, `0.4s`."""
    span_ms = max(0, span_ms)
    if span_ms < 10 * SECOND_MS:
        return f"{span_ms / SECOND_MS:.1f}s"
    if span_ms < MINUTE_MS:
        return f"{span_ms // SECOND_MS}s"
    if span_ms < HOUR_MS:
        return f"{span_ms // MINUTE_MS}m{span_ms % MINUTE_MS // SECOND_MS:02}s"
    if span_ms < DAY_MS:
        return f"{span_ms // HOUR_MS}h{span_ms % HOUR_MS // MINUTE_MS:02}m"
    return f"{span_ms // DAY_MS}d{span_ms % DAY_MS // HOUR_MS:02}h"


def clock_time(unix_ms: int) -> Html:
    """A time of day in the reader's zone; clients that cannot show UTC."""
    return moment(unix_ms, "T", f"{_utc(unix_ms):%H:%M:%S} UTC")


def day_time(unix_ms: int) -> Html:
    """Date and time in the reader's zone; clients that cannot show UTC."""
    return moment(unix_ms, "dT", f"{_utc(unix_ms):%Y-%m-%d %H:%M:%S} UTC")


def from_now(unix_ms: int) -> Html:
    """A moment as a live countdown; clients that cannot show its UTC time."""
    return moment(unix_ms, "r", f"{_utc(unix_ms):%H:%M:%S} UTC")


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows with their cells aligned: the second column (numbers) right, the others left."""
    columns = max((len(row) for row in rows), default=0)
    widths = [max((len(r[c]) for r in rows if c < len(r)), default=0) for c in range(columns)]
    lines = []
    for row in rows:
        cells = [
            cell.rjust(widths[c]) if c == 1 else cell.ljust(widths[c]) for c, cell in enumerate(row)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _utc(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / SECOND_MS, UTC)


def _places(step: Decimal) -> int:
    exponent = step.normalize().as_tuple().exponent
    assert isinstance(exponent, int), f"no finite step: {step}"
    return max(0, -exponent)


def _money_places(value: Decimal) -> int:
    return 2 if value == 0 or abs(value) >= 1 else 4


def _fixed(value: Decimal, places: int) -> str:
    rounded = value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN)
    return format(abs(rounded) if rounded == 0 else rounded, "f")


def _signed(written: str) -> str:
    return written if written.startswith("-") else "+" + written
