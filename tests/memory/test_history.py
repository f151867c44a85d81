"""Histories: any order, one at a time or all at once, and files read with care."""

from decimal import Decimal
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.history import (
    KEPT_BEFORE,
    History,
    Result,
    Track,
    fold,
    in_order,
    losses_in_a_row,
    read_csv,
    result_of,
)
from memory.tuning import WINDOW_MAX
from tests.memory.shapes import HOUR_MS, closed_trade, result, results

histories = st.lists(results, max_size=40)


def numbered(profits: list[str]) -> list[Result]:
    """Results at moments 1, 2, 3, ... with these profits."""
    return [result(n, pnl) for n, pnl in enumerate(profits, start=1)]


def one_by_one(given_results: list[Result]) -> History:
    """The history that grew trade by trade."""
    grown = History()
    for one in given_results:
        grown = grown.after(one)
    return grown


@pytest.mark.parametrize(
    ("profits", "losses", "wins"),
    [
        (["-1"], 1, 0),
        (["-1", "-1", "-1"], 3, 0),
        (["-1", "-1", "2.5"], 0, 1),
        (["-1", "2.5", "-1"], 1, 1),
        (["-1", "0", "-1"], 2, 0),  # a zero neither lengthens nor breaks
        (["-1", "-1", "0"], 2, 0),
        (["0", "0"], 0, 0),
        (["1", "-0.00000001", "0.00000001"], 0, 2),
    ],
)
def test_streaks_and_wins_by_hand(profits: list[str], losses: int, wins: int) -> None:
    """A win ends a streak, a loss lengthens it, a zero does neither and is no win."""
    newest = fold(numbered(profits)).overall.marks[-1]
    assert (newest.losses, newest.wins) == (losses, wins)


def test_a_window_counts_the_last_trades_only() -> None:
    """Of W L W L L: the last three have one win, the last two as they were two ago, one."""
    track = fold(numbered(["1", "-1", "1", "-1", "-1"])).overall
    assert track.won(3) == (1, 3)
    assert track.won(2, 2) == (1, 2)
    assert track.won(20) == (2, 5)
    assert track.won(20, 4) == (1, 1)
    assert Track().won(5) == (0, 0)


def test_the_peak_is_the_highest_equity_so_far() -> None:
    """1,000, 1,200, 900: the peak stays 1,200."""
    rows = [result(n, "1", equity=e) for n, e in enumerate(("1000", "1200", "900"))]
    newest = fold(rows).overall.marks[-1]
    assert (newest.equity_usdt, newest.peak_usdt) == (900, 1200)


@given(histories, st.randoms(use_true_random=False))
def test_folding_equals_incremental_in_any_order(rows: list[Result], dice: Random) -> None:
    """One by one, all at once, shuffled, with many closing in the same millisecond: one value."""
    mixed = rows.copy()
    dice.shuffle(mixed)
    assert one_by_one(mixed) == one_by_one(rows) == fold(mixed) == fold(rows)


@given(histories, results)
def test_a_trade_taken_back_leaves_no_trace(rows: list[Result], extra: Result) -> None:
    """A result that is booked anew is first taken out as if it had never been in."""
    assert fold([*rows, extra]).without(extra) == fold(rows)


def test_what_was_never_added_cannot_be_taken_back() -> None:
    """That would be a bug of ours."""
    with pytest.raises(AssertionError, match="never added"):
        fold(numbered(["1", "-1"])).without(result(2, "1"))


def test_a_long_history_is_kept_short_and_still_counts() -> None:
    """Of 1,000 hourly trades the marks of a week and before it some are kept; counts are of all."""
    rows = [result(n * HOUR_MS, "-1" if n % 2 else "1") for n in range(1_000)]
    track = fold(rows).overall
    assert len(track.marks) == KEPT_BEFORE + 168
    assert (track.count, track.marks[-1].wins) == (1_000, 500)
    assert track.won(WINDOW_MAX, 168) == (50, 100)
    assert one_by_one(rows) == fold(rows)


@given(st.integers(0, 400), st.sampled_from(["-1", "0", "1"]))
def test_a_late_trade_finds_its_place_in_a_long_history(hour: int, pnl: str) -> None:
    """Booked last, closed long ago: the newest marks are as if it had come in its turn."""
    rows = [result(n * HOUR_MS, "-1" if n % 3 else "1") for n in range(400)]
    late = result(hour * HOUR_MS + 1, pnl)
    grown, whole = fold(rows).after(late).overall, fold([*rows, late]).overall
    assert grown.count == whole.count
    assert grown.marks[-200:] == whole.marks[-200:]


@given(histories)
def test_losses_in_a_row_are_those_of_the_fold(rows: list[Result]) -> None:
    """Counted from the end they are what counting from the start finds."""
    marks = fold(rows).overall.marks
    assert losses_in_a_row(in_order(rows)) == (marks[-1].losses if marks else 0)


@given(histories)
def test_what_was_earned_is_the_sum(rows: list[Result]) -> None:
    """To the smallest unit."""
    assert fold(rows).earned_usdt == sum((r.pnl_usdt for r in rows), Decimal(0))


def test_of_one_millisecond_the_losses_come_last() -> None:
    """The strict reading, whatever order they came in: win, zero, loss, the lower equity last."""
    rows = [
        result(5, "-1", equity="90"),
        result(5, "-1", equity="80"),
        result(5, "0"),
        result(5, "1"),
        result(4, "-1"),
    ]
    assert in_order(rows) == [rows[4], rows[3], rows[2], rows[0], rows[1]]


def test_the_cores_trades_are_read_as_they_are() -> None:
    """A ClosedTrade has all that memory reads."""
    newest = fold([closed_trade(7, "-1")]).overall.marks[-1]
    assert (newest.closed_ms, newest.losses) == (7, 1)
    assert result_of(closed_trade(7, "-1")) == result(7, "-1", bot="b")


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
