"""Verdicts combined into limits: the strictest wins, and nothing ever loosens.

Must not know: why a verdict was given.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from memory.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What memory allows. The defaults allow everything."""

    pause_until_ms: int | None = None  # no entries before this moment
    symbol_pause_until_ms: tuple[tuple[str, int], ...] = ()
    threshold_add: int = 0
    symbol_threshold_add: tuple[tuple[str, int], ...] = ()
    signals_per_day_max: int | None = None
    risk_pct_max: Decimal | None = None
    models_off: frozenset[str] = frozenset()
    models_preferred: frozenset[str] = frozenset()


def combine(verdicts: Iterable[Verdict], now_ms: int) -> Limits:
    """The strictest of every verdict in force; expired ones say nothing."""
    held = [v for v in verdicts if v.holds_at(now_ms)]
    pauses = [v for v in held if v.effect.pause_entries]
    overall = [v.until_ms for v in pauses if not v.scope.symbol and v.until_ms is not None]
    return Limits(
        pause_until_ms=max(overall, default=None),
        symbol_pause_until_ms=_by_symbol(
            (v.scope.symbol, v.until_ms) for v in pauses if v.until_ms is not None
        ),
        threshold_add=max(
            (v.effect.threshold_add or 0 for v in held if not v.scope.symbol), default=0
        ),
        symbol_threshold_add=_by_symbol(
            (v.scope.symbol, v.effect.threshold_add) for v in held if v.effect.threshold_add
        ),
        signals_per_day_max=min(
            (n for v in held if (n := v.effect.signals_per_day_max) is not None), default=None
        ),
        risk_pct_max=min(
            (p for v in held if (p := v.effect.risk_pct_max) is not None), default=None
        ),
        models_off=frozenset(v.effect.model_off for v in held if v.effect.model_off),
        models_preferred=frozenset(
            v.effect.model_preferred for v in held if v.effect.model_preferred
        ),
    )


def _by_symbol(pairs: Iterable[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    strictest: dict[str, int] = {}
    for symbol, value in pairs:
        if symbol:
            strictest[symbol] = max(value, strictest.get(symbol, value))
    return tuple(sorted(strictest.items()))
