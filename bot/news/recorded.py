"""News from a file, for replay and tests: JSON lines with `published_ms`, `title`, `text`.

Must not know: the network. The board is filled once; the moment that is asked about decides what of
it counts, so nothing is known before it was published.
"""

import json
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Any, Final

from bot.news.board import AGE_MS_MAX, NewsBoard
from bot.news.feed import Item
from bot.news.words import clean

BYTES_MAX: Final = 50_000_000


class RecordedNews:
    """The news port over a file. Raises ValueError naming the line that is no item."""

    def __init__(self, path: Path) -> None:
        if path.stat().st_size > BYTES_MAX:
            raise ValueError(f"{path} is larger than {BYTES_MAX} bytes")
        lines = path.read_text(encoding="utf-8").splitlines()
        dated = [_item(line, n) for n, line in enumerate(lines, 1) if line.strip()]
        self._items = sorted(dated, key=lambda pair: (pair[0], pair[1].key))
        self._moments = [moment for moment, _ in self._items]

    def score_of(self, base_asset: str, now_ms: int) -> float | None:
        """As the live board would have said at that moment."""
        first = bisect_left(self._moments, now_ms - AGE_MS_MAX)
        last = bisect_right(self._moments, now_ms)
        board = NewsBoard()
        board.add((item for _, item in self._items[first:last]), now_ms)
        return board.score_of(base_asset, now_ms)


def _item(line: str, number: int) -> tuple[int, Item]:
    try:
        row: Any = json.loads(line)
        text = clean(f"{row['title']}. {row.get('text', '')}")
        moment = int(row["published_ms"])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(
            f"line {number} is no news; allowed is JSON with title and published_ms"
        ) from None
    return moment, Item(key=f"{moment}:{text}", text=text, published_ms=moment)
