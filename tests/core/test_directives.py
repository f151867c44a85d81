"""Directives: read from text, versioned, told apart, and only ever narrowing a configuration."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.directives import (
    VERSIONS_KEPT,
    Bias,
    Change,
    Directives,
    Versions,
    allows,
    as_pairs,
    changes_between,
    edited,
    narrowed,
    updated,
)
from bot.core.presets import BotConfig, faults_of
from data.model import Direction

CONFIG = BotConfig(bot_id="b", user_id="u", account_id="a")

VALID = (
    ("bias", "LONG", Bias.LONG),
    ("timeframes", "1m, 5m;15m", ("1m", "5m", "15m")),
    ("support", [64000, "63500.5"], (Decimal("63500.5"), Decimal(64000))),
    ("resistance", "70000", (Decimal(70000),)),
    ("risk_pct_max", 0.5, Decimal("0.5")),
    ("reward_risk_min", "3", Decimal(3)),
    ("open_trades_max", 2, 2),
    ("leverage_max", "3", 3),
    ("confidence_min", "85", 85.0),
    ("entry_words", ["momentum", "breakout"], ("momentum", "breakout")),
    ("exit_words", "stall", ("stall",)),
    ("notes", "wait  for\nclear signals", "wait for clear signals"),
)


@pytest.mark.parametrize(("field", "value", "expected"), VALID)
def test_each_field_is_read_from_text_numbers_and_lists(
    field: str, value: object, expected: object
) -> None:
    """What a person types and what a model sends as JSON mean the same."""
    directives = edited(Directives(), field, value)
    assert getattr(directives, field) == expected
    assert edited(directives, field, "") == Directives(), "an empty text clears it"
    shown = dict(as_pairs(directives))[field]
    assert edited(Directives(), field, shown) == directives, "its shown text reads back"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bias", "buy everything"),
        ("timeframes", "1m, soon"),
        ("timeframes", ["1m", "2m", "3m", "5m", "15m", "30m", "1h"]),
        ("support", "-1"),
        ("support", "NaN"),
        ("resistance", ["1e99"]),
        ("risk_pct_max", "11"),
        ("risk_pct_max", "Infinity"),
        ("risk_pct_max", True),
        ("leverage_max", "200"),
        ("leverage_max", "2.5"),
        ("open_trades_max", 0),
        ("confidence_min", {"a": 1}),
        ("entry_words", ["x" * 41]),
        ("entry_words", [str(n) for n in range(13)]),
        ("notes", "x" * 501),
        ("notes", 5),
    ],
)
def test_a_bad_value_is_refused_with_field_value_and_range(field: str, value: object) -> None:
    """One sentence tells a person, or the model's next prompt, what would have been allowed."""
    with pytest.raises(ValueError, match=rf"^{field} is .*; allowed is "):
        edited(Directives(), field, value)


def test_an_unknown_field_is_refused_with_the_known_ones() -> None:
    """Nothing but directives can be set: an account or a symbol is none."""
    with pytest.raises(ValueError, match="'symbol' is no directive; known: bias, timeframes"):
        edited(Directives(), "symbol", "DOGEUSDT")


def test_updates_are_taken_field_by_field() -> None:
    """A fault in one field does not take the others with it, and is told."""
    after, faults = updated(
        Directives(), (("bias", "short"), ("leverage_max", "999"), ("notes", "calm"))
    )
    assert after == Directives(bias=Bias.SHORT, notes="calm")
    assert faults == ("leverage_max is '999'; allowed is a whole number from 1 to 125.",)


def test_changes_name_field_before_and_after() -> None:
    """A diff holds exactly what differs."""
    before = Directives(leverage_max=5)
    after = Directives(leverage_max=3, support=(Decimal("1.50"),))
    assert changes_between(before, after) == (
        Change(field="support", before="-", after="1.5"),
        Change(field="leverage_max", before="5", after="3"),
    )
    assert changes_between(after, after) == ()


def test_a_bias_forbids_the_other_side_only() -> None:
    """Neutral allows both."""
    assert allows(Directives(), Direction.SHORT)
    assert allows(Directives(bias=Bias.LONG), Direction.LONG)
    assert not allows(Directives(bias=Bias.LONG), Direction.SHORT)


def test_versions_count_on_and_reach_back_a_bounded_way() -> None:
    """Every change is a version of its own; the oldest are let go, numbers never come twice."""
    versions = Versions()
    for number in range(1, VERSIONS_KEPT + 6):
        told = Directives(leverage_max=number)
        versions = versions.with_next(told, set_ms=number, by="model")
    assert versions.number == VERSIONS_KEPT + 5
    assert len(versions.kept) == VERSIONS_KEPT
    assert versions.at(5) is None
    assert versions.at(6) == Directives(leverage_max=6)
    assert versions.at(0) == Directives()
    back = versions.with_next(Directives(leverage_max=6), set_ms=99, by="u", reverts=6)
    assert (back.number, back.current) == (VERSIONS_KEPT + 6, Directives(leverage_max=6))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=60),
    st.lists(st.one_of(st.text(max_size=50), st.integers()), max_size=14),
)


@given(
    updates=st.lists(
        st.tuples(st.sampled_from([name for name, _ in as_pairs(Directives())]), VALUES),
        max_size=12,
    )
)
def test_no_update_widens_a_bound(updates: list[tuple[str, object]]) -> None:
    """Whatever a model sends, the owner's configuration is only ever narrowed, and stays valid."""
    directives, _ = updated(Directives(), updates)
    under = narrowed(CONFIG, directives)
    assert under.risk_pct <= CONFIG.risk_pct
    assert under.leverage <= CONFIG.leverage
    assert under.open_trades_max <= CONFIG.open_trades_max
    assert under.reward_risk_min >= CONFIG.reward_risk_min
    assert under.confidence_min >= CONFIG.confidence_min
    assert not faults_of(under)
