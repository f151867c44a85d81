"""Strategy directives: what an owner, or a model that may, tells a bot about how to trade.

Typed, bounded and versioned. A directive can only narrow what the bot's configuration allows:
`narrowed` takes the stricter of the two, so whoever writes directives never widens a bound of the
owner. Must not know: who may write them (the bot's mode), chat, prompts.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final

from bot.core.presets import BotConfig
from data.candles import timeframe_ms
from data.model import Direction
from data.money import ZERO, plain
from data.untrusted import tidy

VERSIONS_KEPT: Final = 20  # a revert reaches this far back; the journal has all of them
WORDS_MAX: Final = 12
WORD_LENGTH_MAX: Final = 40
LEVELS_MAX: Final = 10
TIMEFRAMES_MAX: Final = 6
NOTES_LENGTH_MAX: Final = 500
PRICE_MAX: Final = Decimal("1E+9")


FREE_TEXT: Final = ("entry_words", "exit_words", "notes")  # words, of a model too: never rules
# Directives that bound the configuration, and the field of it that each narrows.
BOUNDING: Final[dict[str, str]] = {
    "risk_pct_max": "risk_pct",
    "leverage_max": "leverage",
    "open_trades_max": "open_trades_max",
    "reward_risk_min": "reward_risk_min",
    "confidence_min": "confidence_min",
}


class Bias(StrEnum):
    """Which way trades may go: a bias forbids the other side, it never forces its own."""

    NEUTRAL = "neutral"
    LONG = "long"
    SHORT = "short"


@dataclass(frozen=True, slots=True, kw_only=True)
class Directives:
    """One version's content. None and () mean "nothing beyond the configuration"."""

    bias: Bias = Bias.NEUTRAL
    timeframes: tuple[str, ...] = ()  # shown to the model; bars come from the configuration
    support: tuple[Decimal, ...] = ()  # prices, rising
    resistance: tuple[Decimal, ...] = ()
    risk_pct_max: Decimal | None = None
    reward_risk_min: Decimal | None = None
    open_trades_max: int | None = None
    leverage_max: int | None = None
    confidence_min: float | None = None
    entry_words: tuple[str, ...] = ()
    exit_words: tuple[str, ...] = ()
    notes: str = ""


NOTHING_TOLD: Final = Directives()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One field's way from `before` to `after`, both as shown text ("-" for nothing)."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """Directives as they were set once. Numbers count from 1; 0 is "never set"."""

    number: int
    set_ms: int
    by: str  # "model", or a user's id
    directives: Directives
    reverts: int = 0  # the version whose content this one brings back


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """A bot's directives through time, oldest first, at most `VERSIONS_KEPT`."""

    kept: tuple[Version, ...] = ()
    owners: Directives = NOTHING_TOLD  # what people set: the bounds of a model

    @property
    def number(self) -> int:
        """The version in force; 0 when none was ever set."""
        return self.kept[-1].number if self.kept else 0

    @property
    def current(self) -> Directives:
        """What is in force."""
        return self.kept[-1].directives if self.kept else Directives()

    def at(self, number: int) -> Directives | None:
        """The content of that version (0: empty); None when it is no longer kept."""
        if number == 0:
            return Directives()
        return next((v.directives for v in self.kept if v.number == number), None)

    def with_next(
        self,
        directives: Directives,
        *,
        set_ms: int,
        by: str,
        reverts: int = 0,
        owners: Directives | None = None,
    ) -> "Versions":
        """The same with one more version in force; `owners` None: people's part stays."""
        version = Version(
            number=self.number + 1, set_ms=set_ms, by=by, directives=directives, reverts=reverts
        )
        kept = (*self.kept, version)[-VERSIONS_KEPT:]
        return Versions(kept=kept, owners=self.owners if owners is None else owners)


def edited(directives: Directives, field: str, value: object) -> Directives:
    """The directives with one field set from text, a number or a list; "" and None clear it.

    Raises ValueError with one sentence that names the field, the value and what is allowed.
    """
    reader = _READERS.get(field)
    if reader is None:
        raise ValueError(f"{_shown(field)} is no directive; known: {', '.join(_READERS)}.")
    if value is None or value in ("", []):
        nothing: Any = getattr(Directives(), field)
        return replace(directives, **{field: nothing})
    try:
        read: Any = reader(value)
    except (ValueError, TypeError, InvalidOperation):
        raise ValueError(f"{field} is {_shown(value)}; allowed is {ALLOWED[field]}.") from None
    return replace(directives, **{field: read})


def updated(
    directives: Directives, updates: Iterable[tuple[str, object]]
) -> tuple[Directives, tuple[str, ...]]:
    """Every update that is valid, applied in order; and one sentence for each that is not."""
    faults: list[str] = []
    for field, value in updates:
        try:
            directives = edited(directives, field, value)
        except ValueError as fault:
            faults.append(str(fault))
    return directives, tuple(faults)


def changes_between(before: Directives, after: Directives) -> tuple[Change, ...]:
    """What differs, in the order of the fields."""
    pairs = zip(as_pairs(before), as_pairs(after), strict=True)
    return tuple(
        Change(field=name, before=old or "-", after=new or "-")
        for (name, old), (_, new) in pairs
        if old != new
    )


def as_pairs(directives: Directives) -> tuple[tuple[str, str], ...]:
    """Every field with its value as text, "" for nothing; `edited` reads each text back."""
    return tuple((f.name, _text(getattr(directives, f.name))) for f in fields(Directives))


def said_pairs(directives: Directives) -> tuple[tuple[str, str], ...]:
    """The fields that say something, with their values as text."""
    nothing = dict(as_pairs(NOTHING_TOLD))
    return tuple((name, text) for name, text in as_pairs(directives) if text != nothing[name])


def allows(directives: Directives, direction: Direction) -> bool:
    """Whether the bias lets a trade go this way."""
    return directives.bias is Bias.NEUTRAL or directives.bias.value == direction.value


def narrowed(config: BotConfig, directives: Directives) -> BotConfig:
    """The configuration under these directives: of each bound the stricter one."""
    told = directives
    return replace(
        config,
        risk_pct=_least(config.risk_pct, told.risk_pct_max),
        leverage=_least(config.leverage, told.leverage_max),
        open_trades_max=_least(config.open_trades_max, told.open_trades_max),
        reward_risk_min=max(config.reward_risk_min, told.reward_risk_min or ZERO),
        confidence_min=max(config.confidence_min, told.confidence_min or 0.0),
    )


def _least(own: Any, told: Any) -> Any:
    return own if told is None else min(own, told)


# ------------------------------------------------------------------------- reading and showing


def _bias(value: object) -> Bias:
    return Bias(str(value).strip().lower())


def _number(low: str, high: str) -> Callable[[object], Decimal]:
    def read(value: object) -> Decimal:
        if isinstance(value, bool):
            raise ValueError("a truth value is no number")
        number = Decimal(str(value).strip())
        if not (number.is_finite() and Decimal(low) <= number <= Decimal(high)):
            raise ValueError("out of range")
        return number

    return read


def _whole(low: int, high: int) -> Callable[[object], int]:
    read_number = _number(str(low), str(high))

    def read(value: object) -> int:
        number = read_number(value)
        if number != number.to_integral_value():
            raise ValueError("not a whole number")
        return int(number)

    return read


def _list(value: object) -> list[object]:
    if isinstance(value, list | tuple):
        return list(value)
    return [part for part in str(value).replace(";", ",").split(",") if part.strip()]


def _levels(value: object) -> tuple[Decimal, ...]:
    read = _number("1E-12", str(PRICE_MAX))
    prices = sorted({read(part) for part in _list(value)})
    if len(prices) > LEVELS_MAX:
        raise ValueError("too many")
    return tuple(prices)


def _timeframes(value: object) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(str(part).strip() for part in _list(value)))
    if len(names) > TIMEFRAMES_MAX or not all(timeframe_ms(name) for name in names):
        raise ValueError("too many")
    return names


def _words(value: object) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(_line(str(part)) for part in _list(value)))
    if len(words) > WORDS_MAX or any(not 0 < len(word) <= WORD_LENGTH_MAX for word in words):
        raise ValueError("too many or too long")
    return words


def _notes(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    notes = _line(value)
    if len(notes) > NOTES_LENGTH_MAX:
        raise ValueError("too long")
    return notes


def _line(text: str) -> str:
    return tidy(text, NOTES_LENGTH_MAX + 1)  # one more than is taken: too long is refused, not cut


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ", ".join(_text(part) for part in value)
    if isinstance(value, Decimal):
        return plain(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _shown(value: object) -> str:
    return repr(_line(str(value))[:WORD_LENGTH_MAX])


_READERS: Final[dict[str, Callable[[object], object]]] = {
    "bias": _bias,
    "timeframes": _timeframes,
    "support": _levels,
    "resistance": _levels,
    "risk_pct_max": _number("0.01", "10"),
    "reward_risk_min": _number("0", "100"),
    "open_trades_max": _whole(1, 100),
    "leverage_max": _whole(1, 125),
    "confidence_min": lambda value: float(_number("0", "100")(value)),
    "entry_words": _words,
    "exit_words": _words,
    "notes": _notes,
}
_WORDS_ALLOWED: Final = f"at most {WORDS_MAX} of at most {WORD_LENGTH_MAX} characters each"
ALLOWED: Final[dict[str, str]] = {
    "bias": ", ".join(Bias),
    "timeframes": f"at most {TIMEFRAMES_MAX} of 1m to 1d, such as 1m, 30m, 4h",
    "support": f"at most {LEVELS_MAX} prices above 0",
    "resistance": f"at most {LEVELS_MAX} prices above 0",
    "risk_pct_max": "0.01 to 10",
    "reward_risk_min": "0 to 100",
    "open_trades_max": "a whole number from 1 to 100",
    "leverage_max": "a whole number from 1 to 125",
    "confidence_min": "0 to 100",
    "entry_words": _WORDS_ALLOWED,
    "exit_words": _WORDS_ALLOWED,
    "notes": f"a text of at most {NOTES_LENGTH_MAX} characters",
}

assert set(_READERS) == {f.name for f in fields(Directives)} == set(ALLOWED), "a field is unread"
