"""The board: what is recent counts by its age, once, and nothing is known before its moment."""

import json
from pathlib import Path

import pytest

from bot.news.board import AGE_MS_MAX, HALF_LIFE_MS, ITEMS_MAX, NewsBoard
from bot.news.feed import Item
from bot.news.recorded import RecordedNews

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000


def item(text: str, age_ms: int | None = 0, key: str = "") -> Item:
    """A piece of news of that age."""
    published_ms = None if age_ms is None else NOW_MS - age_ms
    return Item(key=key or text, text=text, published_ms=published_ms)


def test_the_score_is_the_mean_by_age() -> None:
    """Good now (2/3), bad a half-life ago (-2/3 at half weight): 2/3 x (1 - 0.5) / 1.5."""
    board = NewsBoard()
    board.add([item("BTC rallies to a record"), item("BTC hacked", HALF_LIFE_MS)], NOW_MS)
    assert board.score_of("BTC", NOW_MS) == pytest.approx(2 / 3 * 0.5 / 1.5)
    assert board.score_of("ETH", NOW_MS) is None


def test_no_news_is_none_and_neutral_news_is_zero() -> None:
    """Silence and a shrug are different answers."""
    board = NewsBoard()
    assert board.score_of("BTC", NOW_MS) is None
    board.add([item("BTC is a coin")], NOW_MS)
    assert board.score_of("BTC", NOW_MS) == 0.0


def test_the_same_news_counts_once() -> None:
    """A feed that repeats itself adds nothing."""
    board = NewsBoard()
    assert board.add([item("BTC hacked", key="1"), item("BTC hacked", key="1")], NOW_MS) == 1
    assert board.add([item("BTC hacked", key="1")], NOW_MS + 1) == 0


def test_old_and_future_news_do_not_count() -> None:
    """A day old is the end; far ahead is nonsense; a little ahead waits for its moment."""
    board = NewsBoard()
    assert board.add([item("BTC hacked", AGE_MS_MAX + 1), item("BTC gains", -HOUR_MS)], NOW_MS) == 0
    assert board.add([item("BTC hacked", -60_000)], NOW_MS) == 1
    assert board.score_of("BTC", NOW_MS) is None
    assert board.score_of("BTC", NOW_MS + 60_000) == pytest.approx(-2 / 3)
    assert board.score_of("BTC", NOW_MS + 60_001 + AGE_MS_MAX) is None


def test_undated_news_counts_from_when_it_was_read() -> None:
    """A feed without dates is as old as our first sight of it."""
    board = NewsBoard()
    board.add([item("BTC hacked", None)], NOW_MS)
    assert board.score_of("BTC", NOW_MS) is not None


def test_the_board_is_bounded() -> None:
    """The newest ITEMS_MAX stay; what is too old leaves by itself."""
    board = NewsBoard()
    board.add((item("BTC gains", key=str(n)) for n in range(ITEMS_MAX + 50)), NOW_MS)
    assert len(board) == ITEMS_MAX
    board.add([], NOW_MS + AGE_MS_MAX + 1)
    assert len(board) == 0


def test_recorded_news_says_what_the_live_board_would_have(tmp_path: Path) -> None:
    """At each moment only what was published by then, in whatever order the file has it."""
    file = tmp_path / "news.jsonl"
    rows = [
        {"published_ms": NOW_MS, "title": "BTC hacked"},
        {"published_ms": NOW_MS - HOUR_MS, "title": "BTC rallies", "text": "A record"},
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    news = RecordedNews(file)
    assert news.score_of("BTC", NOW_MS - HOUR_MS - 1) is None
    assert news.score_of("BTC", NOW_MS - 1) == pytest.approx(2 / 3)
    live = NewsBoard()
    live.add([item("BTC rallies. A record", HOUR_MS), item("BTC hacked")], NOW_MS)
    assert news.score_of("BTC", NOW_MS) == live.score_of("BTC", NOW_MS)


@pytest.mark.parametrize("line", ["{}", "no", '{"title": "x"}', '{"title":"x","published_ms":"y"}'])
def test_a_line_that_is_no_news_is_named(tmp_path: Path, line: str) -> None:
    """The file's fault is said with its line."""
    file = tmp_path / "news.jsonl"
    file.write_text(f'{{"title":"ok","published_ms":1}}\n{line}\n')
    with pytest.raises(ValueError, match="line 2 is no news"):
        RecordedNews(file)
