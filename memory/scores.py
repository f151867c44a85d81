"""What each no was worth: shadows summed up by who said it.

A signal that was kept out counts for everybody who kept it out, so the groups overlap and are not
to be added up. What a group saved is what its shadows would have lost. Pure; must not know: trades,
or how a shadow ended where it did.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from math import sqrt
from statistics import NormalDist, fmean, stdev
from typing import Any, Final

from data.money import ZERO, plain
from memory.calibration import Calibration
from memory.shadow import SCORED, ShadowEnd

ENOUGH: Final = 20  # below it a mean is chance
SURE: Final = 0.95  # of the interval


class Judge(StrEnum):
    """What kind of no it was."""

    PERSON = "person"
    ADVISER = "adviser"
    MEMORY = "memory"
    LIMIT = "limit"
    MODE = "mode"  # nobody said no: the bot only tells
    STRATEGY = "strategy"  # whose signal it was


_BLOCKING: Final = frozenset({Judge.MEMORY, Judge.LIMIT})


class Finding(StrEnum):
    """What can be said of a group."""

    TOO_FEW = "too_few"
    SAVED = "saved"
    COST = "cost"
    UNCLEAR = "unclear"  # the interval holds both


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """One signal that was kept out, by whom, and how it would have ended."""

    judges: tuple[tuple[Judge, str], ...]
    end: ShadowEnd
    risk_multiple: float | None = None
    pnl_usdt: Decimal | None = None  # None: its size could not have been ordered


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One group. Results are the shadows': below zero is what keeping them out has saved.

    `mean_r` with its interval is in risks (entry to stop) a signal, after fees and slippage.
    """

    judge: Judge
    name: str
    signals: int  # all of them; `scored` + `unfilled` + `unknown`
    scored: int
    alone: int  # kept out by nothing else, of those that limits and memory blocked
    won: int
    unfilled: int
    unknown: int
    sized: int  # of the scored, those with a result in USDT
    pnl_usdt: Decimal
    sum_r: float
    mean_r: float | None
    low_r: float | None  # None below `ENOUGH`
    high_r: float | None

    @property
    def finding(self) -> Finding:
        """Saved or cost, when the whole interval says so."""
        if self.low_r is None or self.high_r is None:
            return Finding.TOO_FEW
        if self.high_r < 0:
            return Finding.SAVED
        return Finding.COST if self.low_r > 0 else Finding.UNCLEAR


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All groups and the models' calibration, of shadows that ended from `since_ms` on."""

    since_ms: int
    followed: int = 0  # open now
    ended: int = 0
    scores: tuple[Score, ...] = ()
    calibrations: tuple[Calibration, ...] = ()


def scores_of(misses: Iterable[Miss]) -> tuple[Score, ...]:
    """One score a judge and name, in the order of the judges, the most frequent first."""
    groups: dict[tuple[Judge, str], list[Miss]] = {}
    for miss in misses:
        for key in miss.judges:
            groups.setdefault(key, []).append(miss)
    scores = [_score(judge, name, group) for (judge, name), group in groups.items()]
    order = list(Judge)
    return tuple(sorted(scores, key=lambda s: (order.index(s.judge), -s.signals, s.name)))


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Student's interval of the mean, for at least two values.

    Chosen over a bootstrap because it needs no chance; for skewed results of few trades it is the
    wider of the two. It takes results as independent, which signals of one hour are not.
    """
    mean, count = fmean(values), len(values)
    half = _student(count - 1) * stdev(values) / sqrt(count)
    return mean - half, mean + half


def as_json(report: Report) -> dict[str, Any]:
    """The report with stable names; decimals as text, None where nothing can be said."""
    return {
        "since_ms": report.since_ms,
        "open": report.followed,
        "ended": report.ended,
        "scores": [
            {
                "by": score.judge.value,
                "name": score.name,
                "finding": score.finding.value,
                "signals": score.signals,
                "scored": score.scored,
                "alone": score.alone,
                "won": score.won,
                "unfilled": score.unfilled,
                "unknown": score.unknown,
                "sum_r": round(score.sum_r, 4),
                "mean_r": _rounded(score.mean_r),
                "low_r": _rounded(score.low_r),
                "high_r": _rounded(score.high_r),
                "sized": score.sized,
                "pnl_usdt": plain(score.pnl_usdt),
                "saved_usdt": plain(-score.pnl_usdt),
            }
            for score in report.scores
        ],
        "calibration": [
            {
                "model": one.model,
                "count": one.count,
                "enough": one.is_enough,
                "brier": round(one.brier, 4),
                "base_brier": round(one.base_brier, 4),
                "bins": [
                    {
                        "low": found.low,
                        "high": found.high,
                        "count": found.count,
                        "said_pct": round(found.said_pct, 2),
                        "won_pct": round(found.won_pct, 2),
                    }
                    for found in one.bins
                ],
            }
            for one in report.calibrations
        ],
    }


def _score(judge: Judge, name: str, group: Sequence[Miss]) -> Score:
    scored = [miss for miss in group if miss.end in SCORED and miss.risk_multiple is not None]
    values = [miss.risk_multiple for miss in scored if miss.risk_multiple is not None]
    low, high = interval(values) if len(values) >= ENOUGH else (None, None)
    sized = [miss.pnl_usdt for miss in scored if miss.pnl_usdt is not None]
    return Score(
        judge=judge,
        name=name,
        signals=len(group),
        scored=len(scored),
        alone=sum(sum(kind in _BLOCKING for kind, _ in miss.judges) == 1 for miss in group),
        won=sum(value > 0 for value in values),
        unfilled=sum(miss.end is ShadowEnd.UNFILLED for miss in group),
        unknown=sum(miss.end is ShadowEnd.UNKNOWN for miss in group),
        sized=len(sized),
        pnl_usdt=sum(sized, ZERO),
        sum_r=sum(values),
        mean_r=fmean(values) if values else None,
        low_r=low,
        high_r=high,
    )


def _student(freedom: int) -> float:
    # Cornish and Fisher's expansion (Abramowitz and Stegun 26.7.5): to 0.001 from 10 on.
    z = NormalDist().inv_cdf((1 + SURE) / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / freedom + second / freedom**2 + third / freedom**3


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
