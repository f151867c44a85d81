"""Rules: the edges of the product sheet, to the millisecond and the smallest loss."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.rules import LOSS_STREAK_PAUSE_MS, RULES, verdicts_of
from memory.verdict import RULE_IDS, Effect, Scope, Verdict, as_json
from tests.memory.shapes import HOUR_MS, closed_trade, result

T = 1_750_000_000_000


def pause(closed_ms: int, losses: int) -> Verdict:
    """The pause that a streak of that length, ended then, asks for."""
    return Verdict(
        rule="loss_streak_pause",
        scope=Scope(),
        effect=Effect(pause_entries=True),
        reason=f"{losses} losses in a row",
        evidence=(("losses", str(losses)), ("pause_hours", "12")),
        until_ms=closed_ms + 12 * HOUR_MS,
    )


LOSSES = [result(T + n, "-0.01") for n in range(3)]


@pytest.mark.parametrize(
    ("now_ms", "in_force"),
    [
        (T + 1, False),  # only two are known yet
        (T + 2, True),
        (T + 2 + 12 * HOUR_MS - 1, True),
        (T + 2 + 12 * HOUR_MS, False),
    ],
)
def test_three_losses_pause_for_twelve_hours_exactly(now_ms: int, *, in_force: bool) -> None:
    """From the third loss's close, included, to the same moment 12 h later, excluded."""
    assert verdicts_of(LOSSES, now_ms) == ((pause(T + 2, 3),) if in_force else ())


@pytest.mark.parametrize(
    ("profits", "firing"),
    [
        (["-1", "-1"], None),
        (["-1", "-1", "0"], None),
        (["-1", "-1", "1", "-1"], None),
        (["-1", "0", "-1", "-1"], (3, 3)),  # a zero does not break
        (["-1", "-1", "-1", "0"], (2, 3)),  # and does not lengthen or renew
        (["-1", "-1", "-1", "-1"], (3, 4)),  # each further loss begins the 12 h anew
        (["-1", "-1", "-1", "5"], (2, 3)),  # a win does not lift a pause that has begun
        (["-1", "-1", "-1", "5", "-1", "-1"], (2, 3)),
        (["-1", "-1", "-1", "5", "-1", "-1", "-1"], (6, 3)),
    ],
)
def test_what_makes_a_streak(profits: list[str], firing: tuple[int, int] | None) -> None:
    """The newest loss that makes its streak three or more decides: (its place, the streak)."""
    rows = [result(T + n, pnl) for n, pnl in enumerate(profits)]
    expected = () if firing is None else (pause(T + firing[0], firing[1]),)
    assert verdicts_of(rows, T + len(rows)) == expected


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["-1", "0", "1"])), max_size=15),
    st.integers(0, 60),
    st.integers(0, 99),
)
def test_the_pause_is_what_a_slow_reading_of_the_sheet_says(
    rows: list[tuple[int, str]], now_h: int, seed: int
) -> None:
    """In any order of rows: in force exactly while some loss of a streak is under 12 h old."""
    ordered = [result(h * HOUR_MS + n, pnl) for n, (h, pnl) in enumerate(sorted(rows))]
    now_ms = now_h * HOUR_MS
    until_ms, losses = None, 0
    for one in (r for r in ordered if r.closed_ms <= now_ms):
        losses = 0 if one.pnl_usdt > 0 else losses + (one.pnl_usdt < 0)
        if one.pnl_usdt < 0 and losses >= 3:
            until_ms = one.closed_ms + LOSS_STREAK_PAUSE_MS
    mixed = ordered.copy()
    random.Random(seed).shuffle(mixed)
    found = verdicts_of(mixed, now_ms)
    assert [v.until_ms for v in found] == ([until_ms] if until_ms and now_ms < until_ms else [])


def test_a_rule_can_be_switched_off() -> None:
    """A name in `off` is not asked."""
    assert verdicts_of(LOSSES, T + 2, off=frozenset({"loss_streak_pause"})) == ()


def test_the_cores_own_trades_are_judged() -> None:
    """Closed trades go in as the desk keeps them."""
    trades = tuple(closed_trade(T + n, "-1") for n in range(3))
    assert verdicts_of(trades, T + 2) == (pause(T + 2, 3),)


def test_no_history_says_nothing() -> None:
    """Without trades there are no verdicts."""
    assert verdicts_of((), T) == ()


def test_every_rule_has_a_name_of_the_sheet() -> None:
    """The table holds only the eight names, and each says its own."""
    assert set(RULES) <= set(RULE_IDS)
    assert len(set(RULE_IDS)) == 8


def test_verdicts_print_as_the_sheet_says() -> None:
    """Scope, effect and a null end are spelled as in the product sheet."""
    held = Verdict(
        rule="symbol_threshold",
        scope=Scope(symbol="ADAUSDT"),
        effect=Effect(threshold_add=5),
        reason="2 of 5 won",
        evidence=(("wins", "2"),),
        until_ms=None,
    )
    assert as_json((pause(0, 3), held)) == [
        {
            "rule": "loss_streak_pause",
            "scope": {},
            "effect": {"pause_entries": True},
            "reason": "3 losses in a row",
            "evidence": {"losses": "3", "pause_hours": "12"},
            "until_ms": 12 * HOUR_MS,
        },
        {
            "rule": "symbol_threshold",
            "scope": {"symbol": "ADAUSDT"},
            "effect": {"threshold_add": 5},
            "reason": "2 of 5 won",
            "evidence": {"wins": "2"},
            "until_ms": None,
        },
    ]
