"""Calibration: whether a model that says 70 % is right seven times in ten.

Pure arithmetic over (stated confidence, won or not). Must not know: where outcomes come from; real
and shadow trades count alike, and are told apart by the caller.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

BINS: Final = 10  # of ten points each; the last one holds 100 too
ENOUGH: Final = 20  # below it a score is chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One answer that came to an end. `confidence` is 0 to 100, as the model said it."""

    model: str
    confidence: float
    won: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Answers of like confidence: `low` <= confidence < `high` (the last bin: <= 100)."""

    low: int
    high: int
    count: int
    said_pct: float  # mean confidence
    won_pct: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """A model's score. `brier` is 0 for a prophet, 0.25 for always saying 50 %."""

    model: str
    count: int
    brier: float
    base_brier: float  # of always saying the rate at which it won: below it, it knows something
    bins: tuple[Bin, ...]

    @property
    def is_enough(self) -> bool:
        """Whether there are enough answers to say anything."""
        return self.count >= ENOUGH


def calibrations_of(outcomes: Iterable[Outcome]) -> tuple[Calibration, ...]:
    """One calibration a model, by name; answers outside 0..100 are not confidences."""
    by_model: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if 0 <= outcome.confidence <= 100:
            by_model.setdefault(outcome.model, []).append(outcome)
    return tuple(_calibration(model, found) for model, found in sorted(by_model.items()))


def _calibration(model: str, found: Sequence[Outcome]) -> Calibration:
    count = len(found)
    rate = sum(o.won for o in found) / count
    return Calibration(
        model=model,
        count=count,
        brier=sum((o.confidence / 100 - o.won) ** 2 for o in found) / count,
        base_brier=rate * (1 - rate),
        bins=tuple(
            _bin(number, inside)
            for number in range(BINS)
            if (inside := [o for o in found if _number_of(o.confidence) == number])
        ),
    )


def _number_of(confidence: float) -> int:
    return min(BINS - 1, int(confidence * BINS // 100))


def _bin(number: int, inside: Sequence[Outcome]) -> Bin:
    width = 100 // BINS
    return Bin(
        low=number * width,
        high=(number + 1) * width,
        count=len(inside),
        said_pct=sum(o.confidence for o in inside) / len(inside),
        won_pct=100 * sum(o.won for o in inside) / len(inside),
    )
