"""Scores: what each no was worth, and when nothing can be said."""

from decimal import Decimal
from statistics import fmean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.calibration import Outcome, calibrations_of
from memory.scores import ENOUGH, Finding, Judge, Miss, Report, as_json, interval, scores_of
from memory.shadow import ShadowEnd

PERSON = (Judge.PERSON, "an")
RULE = (Judge.MEMORY, "loss_streak_pause")
LIMIT = (Judge.LIMIT, "daily_loss")
STRATEGY = (Judge.STRATEGY, "continuation")


def missed(
    *values: float, judges: tuple[tuple[Judge, str], ...] = (PERSON, STRATEGY)
) -> list[Miss]:
    """Shadows that made so many risks each, ten USDT a risk."""
    return [
        Miss(
            judges=judges,
            end=ShadowEnd.TARGET if value > 0 else ShadowEnd.STOP,
            risk_multiple=value,
            pnl_usdt=Decimal(str(value)) * 10,
        )
        for value in values
    ]


def test_below_twenty_there_is_too_little_to_say() -> None:
    """Nineteen losses in a row say nothing, the twentieth says that keeping them out has saved."""
    few = scores_of(missed(*[-1.0] * (ENOUGH - 1)))[0]
    assert (few.finding, few.low_r, few.sum_r) == (Finding.TOO_FEW, None, -19.0)
    enough = scores_of(missed(*[-1.0] * ENOUGH))[0]
    assert (enough.finding, enough.low_r, enough.high_r) == (Finding.SAVED, -1.0, -1.0)
    assert enough.pnl_usdt == Decimal(-200)


def test_saved_cost_or_unclear_by_the_whole_interval() -> None:
    """Only an interval that lies on one side of zero has something to say."""
    assert scores_of(missed(*[2.0, 1.0] * 10))[0].finding is Finding.COST
    assert scores_of(missed(*[2.0, -1.9] * 10))[0].finding is Finding.UNCLEAR


def test_a_signal_counts_for_everybody_who_kept_it_out() -> None:
    """Two rules blocked one and one blocked the other: both count, alone only once."""
    both = missed(-1.0, judges=(RULE, LIMIT, STRATEGY))
    alone = missed(2.0, judges=(LIMIT, STRATEGY))
    found = {(s.judge, s.name): s for s in scores_of(both + alone)}
    assert {key: (s.signals, s.alone, s.sum_r) for key, s in found.items()} == {
        RULE: (1, 0, -1.0),
        LIMIT: (2, 1, 1.0),
        STRATEGY: (2, 1, 1.0),
    }


def test_what_nobody_knows_is_counted_apart() -> None:
    """Missing candles and entries that were not reached are no results, a missing size is."""
    odd = [
        Miss(judges=(PERSON,), end=ShadowEnd.UNKNOWN),
        Miss(judges=(PERSON,), end=ShadowEnd.UNFILLED),
        Miss(judges=(PERSON,), end=ShadowEnd.TARGET, risk_multiple=2.0),
    ]
    score = scores_of(odd)[0]
    assert (score.signals, score.scored, score.unknown, score.unfilled) == (3, 1, 1, 1)
    assert (score.sized, score.pnl_usdt, score.mean_r) == (0, Decimal(0), 2.0)


@pytest.mark.parametrize(
    ("count", "student"), [(20, 2.0930), (30, 2.0452), (61, 2.0003), (121, 1.9799)]
)
def test_the_interval_is_students(count: int, student: float) -> None:
    """Mean and t(0.975) standard errors; the quantiles are those of the printed tables."""
    values = [float(number % 7) for number in range(count)]
    low, high = interval(values)
    half = student * stdev(values) / count**0.5
    assert low == pytest.approx(fmean(values) - half, abs=2e-4)
    assert high == pytest.approx(fmean(values) + half, abs=2e-4)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=40))
def test_groups_hold_every_signal_once(values: list[float]) -> None:
    """Scored, unfilled and unknown add up; the mean lies within its interval."""
    for score in scores_of(missed(*values)):
        assert score.scored + score.unfilled + score.unknown == score.signals == len(values)
        assert score.mean_r is not None
        if score.low_r is not None and score.high_r is not None:
            assert score.low_r - 1e-9 <= score.mean_r <= score.high_r + 1e-9


def test_the_report_as_json_has_stable_names() -> None:
    """Scripts rely on them; nothing is said where nothing can be said."""
    report = Report(
        since_ms=5,
        followed=3,
        ended=1,
        scores=scores_of(missed(-1.0)),
        calibrations=calibrations_of([Outcome(model="gemini m", confidence=80.0, won=False)]),
    )
    told = as_json(report)
    assert (told["since_ms"], told["open"], told["ended"]) == (5, 3, 1)
    assert told["scores"][0] == {
        "by": "person",
        "name": "an",
        "finding": "too_few",
        "signals": 1,
        "scored": 1,
        "alone": 0,
        "won": 0,
        "unfilled": 0,
        "unknown": 0,
        "sum_r": -1.0,
        "mean_r": -1.0,
        "low_r": None,
        "high_r": None,
        "sized": 1,
        "pnl_usdt": "-10",
        "saved_usdt": "10",
    }
    assert told["calibration"][0]["brier"] == 0.64  # (0.8 - 0)^2
    assert told["calibration"][0]["bins"] == [
        {"low": 80, "high": 90, "count": 1, "said_pct": 80.0, "won_pct": 0.0}
    ]
