"""Tuning: every number of every rule has bounds within which the rule still only tightens."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.journal import decode_as, encode_as
from memory.history import Result
from memory.limits import Limits, combine
from memory.rules import verdicts_of
from memory.tuning import BOUNDS, SHEET, Tuning, changes_of, faults_of, tuned, values_of
from memory.verdict import RULE_IDS
from tests.memory.shapes import HOUR_MS, results
from tests.memory.test_limits import is_tighter

NUMBERS = list(values_of(SHEET))


@st.composite
def tunings(draw: st.DrawFn) -> Tuning:
    """Any tuning within the bounds."""
    tuning = SHEET
    for rule, name, value in NUMBERS:
        low, high = BOUNDS[name]
        drawn: int | Decimal = (
            draw(st.integers(int(low), int(high)))
            if isinstance(value, int)
            else draw(st.decimals(low, high, places=2))
        )
        tuning = replace(tuning, **{rule: replace(getattr(tuning, rule), **{name: drawn})})
    return tuning


def test_the_sheets_own_values_are_sound() -> None:
    """The defaults are within the bounds, and nothing differs from them."""
    assert faults_of(SHEET) == ()
    assert changes_of(SHEET) == ()
    assert {rule for rule, _, _ in NUMBERS} == set(RULE_IDS)


@given(st.lists(results, max_size=40), tunings(), st.integers(0, 450))
def test_a_tuned_rule_still_only_tightens(rows: list[Result], tuning: Tuning, now_h: int) -> None:
    """Whatever the numbers: more verdicts than none never allow more, and each asks for less."""
    verdicts = verdicts_of(rows, now_h * HOUR_MS, tuning=tuning)
    for count in range(len(verdicts) + 1):
        some = combine(verdicts[:count], now_h * HOUR_MS)
        assert is_tighter(some, Limits())
        assert is_tighter(combine(verdicts, now_h * HOUR_MS), some)
    for verdict in verdicts:
        effect = verdict.effect
        assert effect.threshold_add is None or effect.threshold_add > 0
        assert effect.pause_entries in (None, True)
        assert effect.risk_pct_max is None or effect.risk_pct_max > 0


@pytest.mark.parametrize(("rule", "name", "value"), NUMBERS)
def test_each_number_is_refused_just_outside_its_bounds(rule: str, name: str, value: float) -> None:
    """With field, value and range in one sentence; both ends are allowed."""
    del value
    low, high = BOUNDS[name]
    for number, sound in ((low, True), (high, True), (low - 1, False), (high + 1, False)):
        given_tuning = with_number(rule, name, number)
        faults = [f for f in faults_of(given_tuning) if f.startswith(f"{rule}.{name} is {number};")]
        assert bool(faults) is not sound
        if not sound:
            assert f"allowed is {low} to {high}." in faults[0]


def with_number(rule: str, name: str, number: Decimal) -> Tuning:
    """The sheet's values but for one."""
    one = getattr(SHEET, rule)
    kind = type(getattr(one, name))
    changes: dict[str, Any] = {name: kind(number)}
    if name in ("window", "trades_min") and hasattr(one, "window"):
        changes = {"window": 100, "trades_min": 3} | changes
    return replace(SHEET, **{rule: replace(one, **changes)})


def test_a_window_holds_the_trades_it_needs() -> None:
    """Thirty trades at least of the last twenty cannot be."""
    changed = replace(SHEET, model_off=replace(SHEET.model_off, trades_min=30))
    (fault,) = faults_of(changed)
    assert fault == (
        "model_off.trades_min is 30; it must not be above model_off.window, which is 20."
    )


def test_a_typed_number_is_taken_or_refused_in_words() -> None:
    """What a person typed, with the field, the value and the range when it will not do."""
    changed = tuned(SHEET, "drawdown_risk", "risk_pct_max", " 0.25 ")
    assert changes_of(changed) == (("drawdown_risk", "risk_pct_max", Decimal("0.25")),)
    assert tuned(SHEET, "model_off", "off_hours", "72").model_off.off_hours == 72
    for rule, name, text, words in (
        ("loss_streak_pause", "losses_min", "0", "losses_min is 0; allowed is 1 to 20"),
        ("loss_streak_pause", "losses_min", "2.5", "allowed is a whole number from 1 to 20"),
        ("loss_streak_pause", "losses_min", "nan", "losses_min is 'nan'"),
        ("loss_streak_pause", "hours", "1", "it has losses_min, pause_hours"),
        ("streaks", "hours", "1", "'streaks' is no rule of memory"),
        ("symbol_threshold", "trades_min", "11", "must not be above symbol_threshold.window"),
    ):
        with pytest.raises(ValueError, match=words):
            tuned(SHEET, rule, name, text)


def test_a_tuning_comes_back_from_its_record() -> None:
    """Kept with the bot, also one that was kept before a number was added."""
    changed = tuned(SHEET, "drawdown_risk", "risk_pct_max", "0.25")
    assert decode_as(Tuning, encode_as(changed)) == changed
    assert decode_as(Tuning, '{"symbol_cooldown":{"losses_min":4}}').model_off == SHEET.model_off
