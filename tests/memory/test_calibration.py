"""Calibration: scores worked out by hand, one model apart from another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.calibration import ENOUGH, Bin, Outcome, calibrations_of


def said(confidence: float, *won: bool, model: str = "m") -> list[Outcome]:
    """Answers of one confidence, and how each ended."""
    return [Outcome(model=model, confidence=confidence, won=end) for end in won]


def test_brier_score_and_bins_by_hand() -> None:
    """(0.3^2 + 0.7^2) / 2 = 0.29 for 70 % said, once right and once wrong."""
    (found,) = calibrations_of(said(70, True, False))
    assert found.brier == pytest.approx((0.09 + 0.49) / 2)
    assert found.base_brier == pytest.approx(0.25)
    assert found.bins == (Bin(low=70, high=80, count=2, said_pct=70.0, won_pct=50.0),)


def test_a_bin_holds_its_lower_edge_and_the_last_one_a_hundred() -> None:
    """79.9 is in 70-80, 80 in 80-90, 100 in 90-100."""
    (found,) = calibrations_of([*said(79.9, True), *said(80, True), *said(100, False)])
    assert [(b.low, b.count) for b in found.bins] == [(70, 1), (80, 1), (90, 1)]


def test_models_are_told_apart_and_few_answers_are_too_few() -> None:
    """Below twenty answers a score is not called one."""
    few, many = calibrations_of(
        [*said(60, True, model="few"), *said(60, *[True] * ENOUGH, model="many")]
    )
    assert (few.model, few.is_enough) == ("few", False)
    assert (many.model, many.is_enough) == ("many", True)


def test_what_is_no_confidence_is_left_out() -> None:
    """NaN and numbers beyond 0 to 100 are not counted."""
    assert calibrations_of([*said(float("nan"), True), *said(101, True), *said(-1, True)]) == ()


@given(
    st.lists(
        st.builds(Outcome, model=st.just("m"), confidence=st.floats(0, 100), won=st.booleans()),
        min_size=1,
        max_size=60,
    )
)
def test_bins_hold_every_answer_once(outcomes: list[Outcome]) -> None:
    """Counts add up, and a score is between 0 and 1."""
    (found,) = calibrations_of(outcomes)
    assert sum(b.count for b in found.bins) == found.count == len(outcomes)
    assert 0 <= found.brier <= 1
