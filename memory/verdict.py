"""A verdict: what one rule says now, on what evidence, until when. It can only tighten.

Must not know: any rule, or who obeys it.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

RULE_IDS: Final = (
    "winrate_threshold",
    "loss_streak_pause",
    "drawdown_signals",
    "drawdown_risk",
    "symbol_cooldown",
    "symbol_threshold",
    "model_off",
    "model_preferred",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a verdict asks for. Exactly one field is set; the rest say nothing."""

    threshold_add: int | None = None  # points on top of the score threshold
    pause_entries: bool | None = None
    signals_per_day_max: int | None = None
    risk_pct_max: Decimal | None = None
    model_off: str | None = None
    model_preferred: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """To what it applies: everything, one symbol or one model."""

    symbol: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One rule's word. `until_ms` is None while it holds as long as its condition does."""

    rule: str
    scope: Scope
    effect: Effect
    reason: str
    evidence: tuple[tuple[str, str], ...]
    until_ms: int | None

    def holds_at(self, now_ms: int) -> bool:
        """Whether it is in force: it expires at `until_ms` exactly."""
        return self.until_ms is None or now_ms < self.until_ms


def as_json(verdicts: tuple[Verdict, ...]) -> list[dict[str, object]]:
    """Verdicts as the command line prints them: only what is set, numbers as numbers."""
    rows: list[dict[str, object]] = []
    for verdict in verdicts:
        scope = {k: v for k in ("symbol", "model") if (v := getattr(verdict.scope, k))}
        effect = {
            name: float(value) if isinstance(value, Decimal) else value
            for name in Effect.__dataclass_fields__
            if (value := getattr(verdict.effect, name)) is not None
        }
        rows.append(
            {
                "rule": verdict.rule,
                "scope": scope,
                "effect": effect,
                "reason": verdict.reason,
                "evidence": dict(verdict.evidence),
                "until_ms": verdict.until_ms,
            }
        )
    return rows
