"""Histories: any order, one at a time or all at once, and files read with care."""

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.history import Result, Streak, in_order, newest_streak, read_csv, streak_of
from tests.memory.shapes import closed_trade, result

pnls = st.lists(st.sampled_from(["-1", "0", "0.00", "2.5", "-0.01"]), max_size=25)


def numbered(profits: list[str]) -> list[Result]:
    """Results at moments 1, 2, 3, ... with these profits."""
    return [result(n, pnl) for n, pnl in enumerate(profits, start=1)]


@pytest.mark.parametrize(
    ("profits", "losses"),
    [
        ([], 0),
        (["-1"], 1),
        (["-1", "-1", "-1"], 3),
        (["-1", "-1", "2.5"], 0),
        (["-1", "2.5", "-1"], 1),
        (["-1", "0", "-1"], 2),  # a zero neither lengthens nor breaks
        (["-1", "-1", "0"], 2),
        (["0", "0"], 0),
    ],
)
def test_streaks_by_hand(profits: list[str], losses: int) -> None:
    """A win ends a streak, a loss lengthens it, a zero does neither."""
    assert streak_of(numbered(profits)).losses == losses


@given(pnls, st.integers(0, 25))
def test_folding_one_by_one_equals_folding_all(profits: list[str], cut: int) -> None:
    """A streak carried on from the middle is the streak of the whole."""
    results = numbered(profits)
    carried = streak_of(results[:cut])
    for one in results[cut:]:
        carried = carried.after(one)
    assert carried == streak_of(results)


@given(pnls, st.integers(1, 4), st.integers(0, 26))
def test_the_newest_streak_is_that_of_the_folds(
    profits: list[str], losses_min: int, after_ms: int
) -> None:
    """The one pass finds what looking at the fold after each trade finds."""
    results = numbered(profits)
    expected = None
    for count, one in enumerate(results, start=1):
        streak = streak_of(results[:count])
        if one.pnl_usdt < 0 and streak.losses >= losses_min and one.closed_ms > after_ms:
            expected = streak
    assert newest_streak(results, losses_min=losses_min, after_ms=after_ms) == expected


@given(st.lists(st.integers(1, 1_000), unique=True, max_size=20), st.integers(0, 99))
def test_rows_may_come_in_any_order(moments: list[int], seed: int) -> None:
    """Sorting makes one history of every order of the same rows."""
    rows = [result(moment, "-1" if moment % 3 else "1") for moment in moments]
    mixed = rows.copy()
    random.Random(seed).shuffle(mixed)
    assert in_order(mixed) == in_order(rows) == sorted(rows, key=lambda r: r.closed_ms)


def test_equal_moments_keep_their_order() -> None:
    """Two trades of the same millisecond stay as they came: the desk knows which ended first."""
    rows = [result(5, "1"), result(5, "-1"), result(4, "0")]
    assert [r.pnl_usdt for r in in_order(rows)] == [0, 1, -1]


def test_the_cores_trades_are_read_as_they_are() -> None:
    """A ClosedTrade has all that memory reads."""
    assert streak_of([closed_trade(7, "-1")]) == Streak(losses=1, last_loss_ms=7)


HEADER = "symbol,model,closed_ms,pnl_usdt,equity_usdt\n"


def test_a_file_is_read_row_by_row() -> None:
    """Columns in any order, a byte-order mark and blank lines are no trouble."""
    text = (
        "\ufeffclosed_ms,symbol,model,equity_usdt,pnl_usdt\r\n\r\n5, BTCUSDT ,reversal,99.5,-0.5\n"
    )
    assert read_csv(text) == (
        Result(
            symbol="BTCUSDT",
            model="reversal",
            closed_ms=5,
            pnl_usdt=Decimal("-0.5"),
            equity_usdt=Decimal("99.5"),
        ),
    )
    assert read_csv(HEADER) == ()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the header lacks symbol, model, closed_ms"),
        ("symbol,model,closed_ms,pnl_usdt\n", "the header lacks equity_usdt"),
        (HEADER + "B,m,1,2,3\nB,m,x,2,3\n", "row 3: closed_ms is 'x'"),
        (HEADER + "\nB,m,x,2,3\n", "row 3: closed_ms is 'x'"),
        (HEADER + "B,m,1.5,2,3\n", "row 2: closed_ms is 1.5"),
        (HEADER + "B,m,-1,2,3\n", "row 2: closed_ms is -1"),
        (HEADER + "B,m,1,nan,3\n", "row 2: pnl_usdt is 'nan'"),
        (HEADER + "B,m,1,2,inf\n", "row 2: equity_usdt is 'inf'"),
        (HEADER + "B,m,1\n", "row 2: pnl_usdt is ''"),
        (HEADER + ",m,1,2,3\n", "row 2: symbol is empty"),
    ],
)
def test_a_bad_row_is_named_by_its_number(text: str, words: str) -> None:
    """The refusal names the line as an editor counts it, the column and what stood there."""
    with pytest.raises(ValueError, match=words):
        read_csv(text)
