"""The same verdicts as plain sentences, for a prompt and for the log. Chat has its own catalogue.

Must not know: who reads them.
"""

from collections.abc import Iterable

from memory.verdict import Effect, Verdict


def sentences_of(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    """One English sentence a verdict: what it asks, why, and whether it runs out."""
    return tuple(_sentence(verdict) for verdict in verdicts)


def _sentence(verdict: Verdict) -> str:
    about = verdict.scope.symbol or verdict.scope.model
    subject = f" for {about}" if about else ""
    ending = " until it expires" if verdict.until_ms is not None else " while this holds"
    return f"{_demand(verdict.effect)}{subject}{ending}: {verdict.reason}."


def _demand(effect: Effect) -> str:
    if effect.pause_entries:
        return "No entries"
    if effect.threshold_add is not None:
        return f"Demand {effect.threshold_add} more points of score"
    if effect.signals_per_day_max is not None:
        return f"At most {effect.signals_per_day_max} signals a day"
    if effect.risk_pct_max is not None:
        return f"Risk at most {effect.risk_pct_max} %"
    if effect.model_off:
        return f"The {effect.model_off} model is off"
    return f"Prefer the {effect.model_preferred} model"
