"""What was written lately, and how it sounds for one asset: the news port, over kept items.

An item counts by its age: half as much every `HALF_LIFE_MS`, nothing after `AGE_MS_MAX`. Pure; the
moment is an argument. Must not know: where items come from.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bot.news.feed import Item
from bot.news.words import asset_of, mentions, score

HOUR_MS: Final = 3_600_000
HALF_LIFE_MS: Final = 6 * HOUR_MS
AGE_MS_MAX: Final = 24 * HOUR_MS
AHEAD_MS_MAX: Final = HOUR_MS // 6  # of clocks that go wrong; later dates are nonsense
ITEMS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    text: str
    published_ms: int
    score: float


class NewsBoard:
    """At most ITEMS_MAX items, the newest; each known once by its key."""

    def __init__(self) -> None:
        self._items: OrderedDict[str, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def add(self, items: Iterable[Item], now_ms: int) -> int:
        """Keep what is new and recent; how many that were. Undated items count from now on."""
        added = 0
        for item in items:
            published_ms = now_ms if item.published_ms is None else item.published_ms
            if item.key in self._items or not -AHEAD_MS_MAX <= now_ms - published_ms <= AGE_MS_MAX:
                continue
            kept = _Kept(text=item.text, published_ms=published_ms, score=score(item.text))
            self._items[item.key] = kept
            added += 1
        for key in [k for k, i in self._items.items() if now_ms - i.published_ms > AGE_MS_MAX]:
            del self._items[key]
        while len(self._items) > ITEMS_MAX:
            self._items.popitem(last=False)
        return added

    def score_of(self, base_asset: str, now_ms: int) -> float | None:
        """The mean of all recent items that name this asset, newer ones weighing more."""
        asset = asset_of(base_asset)
        total = weights = 0.0
        for item in self._items.values():
            age_ms = now_ms - item.published_ms
            # What is dated later than now is not known yet: a replay must not look ahead.
            if not 0 <= age_ms <= AGE_MS_MAX or not mentions(item.text, asset):
                continue
            weight = 0.5 ** (age_ms / HALF_LIFE_MS)
            total += weight * item.score
            weights += weight
        return total / weights if weights else None
