"""What an owner may change of a rule: typed records with the product sheet's values as defaults.

Every bound keeps the rule a tightening one: a threshold is only ever added to, a pause only lasts,
a limit is only ever a limit. Must not know: how a rule looks at trades.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation
from typing import Final

from memory.verdict import RULE_IDS

HOUR_MS: Final = 3_600_000
WINDOW_MAX: Final = 100  # trades; a history keeps at least this many of every kind
HOURS_MAX: Final = 168  # a week; a history keeps what closed within it


@dataclass(frozen=True, slots=True, kw_only=True)
class LowWinRate:
    """Under `win_rate_pct` of the last `window` trades (at least `trades_min`): more score."""

    win_rate_pct: int = 55
    window: int = 20
    trades_min: int = 10
    threshold_add: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class LossStreak:
    """So many losses in a row or more: no entries for so long after each of them."""

    losses_min: int = 3
    pause_hours: int = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawdownSignals:
    """Further than `drawdown_pct` below the peak equity: only so many signals a day."""

    drawdown_pct: Decimal = Decimal(5)
    signals_per_day_max: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawdownRisk:
    """Further than `drawdown_pct` below the peak equity: only so much risk a trade."""

    drawdown_pct: Decimal = Decimal(8)
    risk_pct_max: Decimal = Decimal("0.5")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOff:
    """A close that leaves the reversal model under `win_rate_pct`: off for so long."""

    win_rate_pct: int = 45
    window: int = 20
    trades_min: int = 10
    off_hours: int = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPreferred:
    """The continuation model over `win_rate_pct`: it goes first."""

    win_rate_pct: int = 65
    window: int = 20
    trades_min: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """All eight rules, each under its id."""

    winrate_threshold: LowWinRate = field(default_factory=LowWinRate)
    loss_streak_pause: LossStreak = field(default_factory=LossStreak)
    drawdown_signals: DrawdownSignals = field(default_factory=DrawdownSignals)
    drawdown_risk: DrawdownRisk = field(default_factory=DrawdownRisk)
    symbol_cooldown: LossStreak = field(
        default_factory=lambda: LossStreak(losses_min=2, pause_hours=24)
    )
    symbol_threshold: LowWinRate = field(
        default_factory=lambda: LowWinRate(win_rate_pct=50, window=10, trades_min=5)
    )
    model_off: ModelOff = field(default_factory=ModelOff)
    model_preferred: ModelPreferred = field(default_factory=ModelPreferred)


SHEET: Final = Tuning()  # the product sheet's own values
assert tuple(one.name for one in fields(Tuning)) == RULE_IDS, "a field for each rule"

# Both ends allowed. The same number means the same in every rule that has it.
BOUNDS: Final[dict[str, tuple[Decimal, Decimal]]] = {
    name: (Decimal(low), Decimal(high))
    for name, low, high in (
        ("win_rate_pct", "1", "99"),
        ("window", "5", str(WINDOW_MAX)),
        ("trades_min", "3", str(WINDOW_MAX)),
        ("threshold_add", "1", "50"),
        ("losses_min", "1", "20"),
        ("pause_hours", "1", str(HOURS_MAX)),
        ("off_hours", "1", str(HOURS_MAX)),
        ("drawdown_pct", "0.1", "90"),
        ("signals_per_day_max", "1", "100"),
        ("risk_pct_max", "0.01", "10"),
    )
}


def faults_of(tuning: Tuning) -> tuple[str, ...]:
    """Everything out of bounds, each as one sentence naming rule and field, value and range."""
    found = []
    for rule, name, value in values_of(tuning):
        low, high = BOUNDS[name]
        if not low <= value <= high:
            found.append(f"{rule}.{name} is {value}; allowed is {low} to {high}.")
    for rule in RULE_IDS:
        one = getattr(tuning, rule)
        if isinstance(one, LowWinRate | ModelOff | ModelPreferred) and one.trades_min > one.window:
            found.append(
                f"{rule}.trades_min is {one.trades_min}; "
                f"it must not be above {rule}.window, which is {one.window}."
            )
    return tuple(found)


def values_of(tuning: Tuning) -> Iterator[tuple[str, str, int | Decimal]]:
    """Every number as (rule, name, value), in the order of the rules."""
    for rule in RULE_IDS:
        one = getattr(tuning, rule)
        for each in fields(one):
            yield rule, each.name, getattr(one, each.name)


def changes_of(tuning: Tuning) -> tuple[tuple[str, str, int | Decimal], ...]:
    """What differs from the product sheet, as (rule, name, value)."""
    return tuple(one for one, sheet in zip(values_of(tuning), values_of(SHEET), strict=True)
                 if one != sheet)  # fmt: skip


def tuned(tuning: Tuning, rule: str, name: str, text: str) -> Tuning:
    """The tuning with one number replaced by what a person typed.

    Raises ValueError with one sentence that names the field, its value and what is allowed.
    """
    if rule not in RULE_IDS:
        raise ValueError(f"{rule!r} is no rule of memory; there are {', '.join(RULE_IDS)}.")
    one = getattr(tuning, rule)
    names = [each.name for each in fields(one)]
    if name not in names:
        raise ValueError(f"{rule} has no {name!r}; it has {', '.join(names)}.")
    low, high = BOUNDS[name]
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("nan")
    whole = isinstance(getattr(one, name), int)
    if not number.is_finite() or (whole and number != number.to_integral_value()):
        kind = "a whole number from " if whole else ""
        raise ValueError(f"{rule}.{name} is {text!r}; allowed is {kind}{low} to {high}.")
    changed = replace(tuning, **{rule: replace(one, **{name: int(number) if whole else number})})
    for fault in faults_of(changed):
        raise ValueError(fault)
    return changed
