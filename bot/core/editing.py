"""A bot's configuration changed one field at a time, from what a person typed.

Whatever is refused is refused in words: the field, its value, what is allowed. Must not know: chat,
settings files, or who may edit.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, Final, get_type_hints

from bot.core.hours import DAYS
from bot.core.presets import BOUNDS, PRESETS, BotConfig, faults_of, from_preset
from bot.core.strategies.registry import STRATEGIES
from memory.tuning import tuned
from memory.verdict import RULE_IDS

MEMORY: Final = "memory."
SYMBOL: Final = re.compile(r"[A-Z0-9]{2,30}")
SYMBOLS_MAX: Final = 100
UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_TYPES: Final[dict[str, Any]] = get_type_hints(BotConfig)
_FIXED: Final = frozenset(
    {
        "bot_id",
        "user_id",
        "account_id",
        "strategy_params",
        "memory_off",  # by memory.RULE
        "memory_tuning",  # by memory.RULE.NUMBER
        "from_settings",
    }
)
FIELDS: Final = tuple(name for name in _TYPES if name not in _FIXED)


def edited(config: BotConfig, field: str, text: str) -> BotConfig:
    """The configuration with one field as a person typed it.

    `field` is one of FIELDS; `memory.RULE` with on or off; or `memory.RULE.NUMBER`. Raises
    ValueError with one sentence a fault, each naming field, value and what is allowed.
    """
    if field.startswith(MEMORY):
        changed = _remembering(config, field.removeprefix(MEMORY), text)
    elif field == "preset":
        changed = _like(config, text)
    elif field in FIELDS:
        changed = replace(config, **{field: _read(field, text.strip())})
    else:
        known = ", ".join((*FIELDS, f"{MEMORY}RULE", f"{MEMORY}RULE.NUMBER"))
        raise ValueError(f"{field!r} is no field of a bot; there are {known}.")
    if faults := faults_of(changed):
        raise ValueError(" ".join(faults))
    return changed


def renewed(kept: BotConfig | None, wanted: BotConfig) -> BotConfig:
    """What a start makes of a bot: as a person left it, but for settings changed since then.

    A configuration that does not say what came `from_settings` stands as it is.
    """
    if kept is None or not wanted.from_settings:
        return wanted
    before = dict(kept.from_settings)
    changed = [name for name, text in wanted.from_settings if before.get(name) != text]
    if "preset" in changed:
        return wanted
    changes: dict[str, Any] = {name: getattr(wanted, name) for name in changed}
    return replace(kept, from_settings=wanted.from_settings, **changes)


def _remembering(config: BotConfig, name: str, text: str) -> BotConfig:
    rule, _, number = name.partition(".")
    if number:
        return replace(config, memory_tuning=tuned(config.memory_tuning, rule, number, text))
    if rule not in RULE_IDS:
        raise ValueError(f"{rule!r} is no rule of memory; there are {', '.join(RULE_IDS)}.")
    switch = text.strip().lower()
    if switch not in ("on", "off"):
        raise ValueError(f"{MEMORY}{rule} is {text!r}; allowed is on or off.")
    left = tuple(one for one in config.memory_off if one != rule)
    return replace(config, memory_off=left if switch == "on" else (*left, rule))


def _like(config: BotConfig, text: str) -> BotConfig:
    name = text.strip()
    if name not in PRESETS:
        raise ValueError(f"preset is {text!r}; allowed is {', '.join(PRESETS)}.")
    made = from_preset(
        name, bot_id=config.bot_id, user_id=config.user_id, account_id=config.account_id
    )
    return replace(made, symbols=config.symbols, from_settings=config.from_settings)


def _read(field: str, text: str) -> Any:
    if field == "symbols":
        return _symbols(text)
    if field == "trading_weekdays":
        return _weekdays(text)
    if field == "strategy" and text not in STRATEGIES:
        raise ValueError(f"strategy is {text!r}; allowed is {', '.join(STRATEGIES)}.")
    kind = _TYPES[field]
    if field.endswith("_ms"):
        return _duration_ms(field, text)
    if kind is bool:
        return _one_of(
            field, text.lower(), {"on": True, "true": True, "off": False, "false": False}
        )
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _one_of(field, text.lower(), {one.value: one for one in kind})
    if kind is str:
        return "" if text == "-" else text
    return _number(field, text, kind)


def _one_of(field: str, text: str, values: dict[str, Any]) -> Any:
    if text not in values:
        raise ValueError(f"{field} is {text!r}; allowed is {', '.join(values)}.")
    return values[text]


def _number(field: str, text: str, kind: Callable[[Any], Any]) -> Any:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    whole = kind is int
    if not number.is_finite() or (whole and number != number.to_integral_value()):
        bounds = BOUNDS.get(field)
        span = "" if bounds is None else f" from {bounds[0]} to {bounds[1]}"
        raise ValueError(
            f"{field} is {text!r}; allowed is a {'whole ' if whole else ''}number{span}."
        )
    return kind(number)


def _duration_ms(field: str, text: str) -> int:
    found = re.fullmatch(r"(\d{1,12})(ms|s|m|h|d)?", text)
    if found is None:
        raise ValueError(f"{field} is {text!r}; allowed is a time such as 30s, 30m or 12h.")
    return int(found[1]) * UNITS_MS[found[2] or "ms"]


def _symbols(text: str) -> tuple[str, ...]:
    # Some letters become ASCII when they are made capitals: those are no symbols' letters.
    names = tuple(dict.fromkeys(text.upper().replace(",", " ").split())) if text.isascii() else ()
    if names == ("ALL",):
        return ()
    wrong = [name for name in names if not SYMBOL.fullmatch(name)]
    if wrong or not names or len(names) > SYMBOLS_MAX:
        shown = wrong[0] if wrong else f"{len(names)} names" if names else text
        raise ValueError(
            f"symbols is {shown!r}; allowed is all, or 1 to {SYMBOLS_MAX} such as BTCUSDT,ETHUSDT."
        )
    return names


def _weekdays(text: str) -> tuple[int, ...]:
    names = [name[:3].title() for name in text.replace(",", " ").split()]
    if names == ["All"]:
        return ()
    if not names or not set(names) <= set(DAYS):
        raise ValueError(f"trading_weekdays is {text!r}; allowed is all, or {' '.join(DAYS)}.")
    return tuple(sorted({DAYS.index(name) for name in names}))
