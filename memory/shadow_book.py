"""Every open shadow, by the candles it waits for; a bar costs what happens in it, not what is open.

Each shadow names a band of prices within which nothing can happen to it. A bar of its symbol and
timeframe that stays inside all bands is three comparisons, however many shadows are open; otherwise
those it leaves come off the top of a heap and are noted. They are looked at afterwards, a hundred
at a time, so that a crash that ends them all holds nothing up. Must not know: where bars come from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Any, Final

from data.candles import timeframe_ms
from data.model import Candle
from memory.shadow import Costs, Course, Idea, ShadowEnd, ShadowResult, band_of, begun, passed

LOOK_MAX: Final = 100  # shadows looked at in one go: a few milliseconds

Ended = tuple[Idea, ShadowResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What bars did: what ended, and whose candles have a hole (they must be followed anew)."""

    ended: tuple[Ended, ...] = ()
    gapped: tuple[Idea, ...] = ()
    more: bool = False


class ShadowBook:
    """Open shadows. All of one symbol and timeframe have seen the same bars, up to the newest."""

    def __init__(self, costs: Costs) -> None:
        self.costs = costs
        self._series: dict[tuple[str, str], _Series] = {}
        self._places: dict[str, tuple[str, str]] = {}
        self._noted: dict[tuple[str, str], None] = {}  # series with something to look at
        self._ended: list[Ended] = []  # since the last look
        self._gapped: list[Idea] = []

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, shadow_id: str) -> bool:
        return shadow_id in self._places

    def ideas(self) -> tuple[Idea, ...]:
        """Everything that is followed."""
        return tuple(idea for series in self._series.values() for idea in series.ideas)

    def next_ms(self, symbol: str, timeframe: str) -> int | None:
        """The open of the bar that the shadows of a series wait for; None without any."""
        series = self._series.get((symbol, timeframe))
        return None if series is None else series.next_ms

    def take(self, idea: Idea, candles: Sequence[Candle]) -> ShadowResult | None:
        """Follow an idea over the closed bars there are, oldest first, and from then on.

        Returns its result when it has one already; UNKNOWN when the bars do not reach back to its
        own or have a hole, and when the others of its series have not seen the same newest bar.
        """
        assert idea.shadow_id not in self._places, f"{idea.shadow_id} is followed already"
        step_ms = timeframe_ms(idea.timeframe)
        course, next_ms = begun(idea, self.costs), idea.after_ms + step_ms
        for candle in candles:
            if candle.open_ms < next_ms:
                continue
            if candle.open_ms > next_ms:
                return unknown(next_ms)
            course, result = passed(idea, course, candle, self.costs)
            if result is not None:
                return result
            next_ms += step_ms
        key = (idea.symbol, idea.timeframe)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series(next_ms=next_ms, step_ms=step_ms)
        elif series.next_ms != next_ms:
            return unknown(next_ms)
        series.put(idea, course)
        self._places[idea.shadow_id] = key
        return None

    def drop(self, shadow_id: str) -> None:
        """Follow it no more."""
        key = self._places.pop(shadow_id, None)
        if key is None:
            return
        series = self._series[key]
        series.remove(shadow_id)
        if not series:
            del self._series[key]

    def hear(self, candle: Candle) -> bool:
        """A bar has closed: note whose bands it leaves. True when there is something to look at.

        Repeats are ignored. What an earlier bar of the series left to look at is done first.
        """
        key = (candle.symbol, candle.timeframe)
        series = self._series.get(key)
        if series is None or candle.open_ms < series.next_ms:
            return False
        if series.touched:
            self._look_at(key, series, len(series.touched))
        if candle.open_ms > series.next_ms:
            gapped = self._series.pop(key, series).ideas
            self._forget(gapped)
            self._gapped += gapped
            return True
        series.next_ms += series.step_ms
        if series.note(candle):
            self._noted[key] = None
            return True
        return False

    def look(self, most: int = LOOK_MAX) -> Heard:
        """Look at up to `most` shadows that bars have touched; `more` when others are left."""
        while self._noted and most > 0:
            key = next(iter(self._noted))
            series = self._series.get(key)
            if series is None:
                del self._noted[key]
                continue
            most -= self._look_at(key, series, most)
        heard = Heard(ended=tuple(self._ended), gapped=tuple(self._gapped), more=bool(self._noted))
        self._ended.clear()
        self._gapped.clear()
        return heard

    def _look_at(self, key: tuple[str, str], series: "_Series", most: int) -> int:
        looked = min(most, len(series.touched))
        ended = series.look(looked, self.costs)
        self._forget(idea for idea, _ in ended)
        self._ended += ended
        if not series.touched:
            self._noted.pop(key, None)
        if not series:
            del self._series[key]
            self._noted.pop(key, None)
        return looked

    def _forget(self, ideas: Iterable[Idea]) -> None:
        for idea in ideas:
            del self._places[idea.shadow_id]


def unknown(moment_ms: int) -> ShadowResult:
    """The result nobody can know; `moment_ms`: the open of the first candle that is missing."""
    return ShadowResult(end=ShadowEnd.UNKNOWN, ended_ms=moment_ms)


class _Series:
    """The shadows of one symbol and timeframe, with the edges of their bands in heaps.

    A heap keeps an entry until it comes to the top; one whose number is not its shadow's any more
    is out of date and dropped there. Prices as they are, not signed.
    """

    def __init__(self, *, next_ms: int, step_ms: int) -> None:
        self.next_ms = next_ms
        self.step_ms = step_ms
        self._live: dict[str, tuple[int, Idea, Course]] = {}
        self._numbers = 0
        self._lows: list[tuple[float, int, str]] = []  # negated: the highest comes first
        self._highs: list[tuple[float, int, str]] = []
        self._dues: list[tuple[int, int, str]] = []
        self.touched: list[tuple[int, str]] = []  # by `_candle`, and not looked at yet
        self._candle: Candle | None = None

    def __len__(self) -> int:
        return len(self._live)

    @property
    def ideas(self) -> tuple[Idea, ...]:
        """All of them, in no order that matters."""
        return tuple(idea for _, idea, _ in self._live.values())

    def put(self, idea: Idea, course: Course) -> None:
        """One more, or one that has moved on."""
        self._numbers = number = self._numbers + 1
        shadow_id = idea.shadow_id
        low, high, due_ms = band_of(idea, course)
        self._live[shadow_id] = (number, idea, course)
        heappush(self._lows, (-low, number, shadow_id))
        heappush(self._highs, (high, number, shadow_id))
        heappush(self._dues, (due_ms, number, shadow_id))
        if len(self._lows) + len(self._highs) + len(self._dues) > 12 * len(self._live) + 48:
            self._tidy()

    def remove(self, shadow_id: str) -> None:
        """Follow it no more."""
        del self._live[shadow_id]

    def note(self, candle: Candle) -> bool:
        """Take what the bar touches off the heaps; True when there is anything."""
        low, high, open_ms = -candle.low, candle.high, candle.open_ms
        lows, highs, dues = self._lows, self._highs, self._dues
        found: list[tuple[int, str]] = []
        while lows and lows[0][0] <= low:
            found.append(heappop(lows)[1:])
        while highs and highs[0][0] <= high:
            found.append(heappop(highs)[1:])
        while dues and dues[0][0] <= open_ms:
            found.append(heappop(dues)[1:])
        if found:
            self.touched, self._candle = found, candle
        return bool(found)

    def look(self, most: int, costs: Costs) -> list[Ended]:
        """Play the noted bar on so many of those that it touched."""
        assert self._candle is not None, "touched by a bar"
        ended: list[Ended] = []
        for number, shadow_id in self.touched[:most]:
            found = self._live.get(shadow_id)
            if found is None or found[0] != number:
                continue  # out of date, or touched on both sides
            _, idea, course = found
            course, result = passed(idea, course, self._candle, costs)
            if result is None:
                self.put(idea, course)
            else:
                del self._live[shadow_id]
                ended.append((idea, result))
        del self.touched[:most]
        return ended

    def _tidy(self) -> None:
        numbers = {number for number, _, _ in self._live.values()}
        heaps: tuple[list[Any], ...] = (self._lows, self._highs, self._dues)
        for heap in heaps:
            heap[:] = [entry for entry in heap if entry[1] in numbers]
            heapify(heap)
