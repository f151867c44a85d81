"""Every open shadow, by the candles it waits for; a bar costs what happens in it, not what is open.

Each shadow names a band of prices within which nothing can happen to it. A bar of its symbol and
timeframe that stays inside all bands is one comparison, however many shadows are open; otherwise
those it leaves are found in arrays and looked at one by one. Must not know: where bars come from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from data.candles import timeframe_ms
from data.model import Candle
from memory.shadow import Costs, Course, Idea, ShadowEnd, ShadowResult, band_of, begun, passed

_NEVER_MS: Final = 2**62

Ended = tuple[Idea, ShadowResult]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one bar did: what ended, and whose candles have a hole (they must be followed anew)."""

    ended: tuple[Ended, ...] = ()
    gapped: tuple[Idea, ...] = ()


NOTHING: Final = Heard()


class ShadowBook:
    """Open shadows. All of one symbol and timeframe have seen the same bars, up to the newest."""

    def __init__(self, costs: Costs) -> None:
        self.costs = costs
        self._series: dict[tuple[str, str], _Series] = {}
        self._places: dict[str, tuple[str, str]] = {}

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
        series.add(idea, course)
        self._places[idea.shadow_id] = key
        return None

    def drop(self, shadow_id: str) -> None:
        """Follow it no more."""
        key = self._places.pop(shadow_id, None)
        if key is None:
            return
        series = self._series[key]
        series.remove([series.places[shadow_id]])
        if not series.ideas:
            del self._series[key]

    def hear(self, candle: Candle) -> Heard:
        """A bar has closed. Repeats are ignored; after a hole the whole series is handed back."""
        key = (candle.symbol, candle.timeframe)
        series = self._series.get(key)
        if series is None or candle.open_ms < series.next_ms:
            return NOTHING
        if candle.open_ms > series.next_ms:
            del self._series[key]
            self._forget(series.ideas)
            return Heard(gapped=tuple(series.ideas))
        series.next_ms += series.step_ms
        if series.is_quiet(candle):
            return NOTHING
        ended = series.look(candle, self.costs)
        self._forget(idea for idea, _ in ended)
        if not series.ideas:
            del self._series[key]
        return Heard(ended=tuple(ended)) if ended else NOTHING

    def _forget(self, ideas: Iterable[Idea]) -> None:
        for idea in ideas:
            del self._places[idea.shadow_id]


def unknown(moment_ms: int) -> ShadowResult:
    """The result nobody can know; `moment_ms`: the open of the first candle that is missing."""
    return ShadowResult(end=ShadowEnd.UNKNOWN, ended_ms=moment_ms)


class _Series:
    """The shadows of one symbol and timeframe with their bands as arrays (prices, not signed)."""

    def __init__(self, *, next_ms: int, step_ms: int) -> None:
        self.next_ms = next_ms
        self.step_ms = step_ms
        self.ideas: list[Idea] = []
        self.places: dict[str, int] = {}
        self._courses: list[Course] = []
        self._low = np.zeros(8)
        self._high = np.zeros(8)
        self._due = np.zeros(8, dtype=np.int64)
        self._edges: tuple[float, float, int] = (float("-inf"), float("inf"), _NEVER_MS)

    def add(self, idea: Idea, course: Course) -> None:
        """One more."""
        place = len(self.ideas)
        if place == len(self._low):
            self._low = np.resize(self._low, 2 * place)
            self._high = np.resize(self._high, 2 * place)
            self._due = np.resize(self._due, 2 * place)
        self.ideas.append(idea)
        self._courses.append(course)
        self.places[idea.shadow_id] = place
        self._put(place, course)
        self._find_edges()

    def is_quiet(self, candle: Candle) -> bool:
        """Whether the bar stays inside every band."""
        low, high, due_ms = self._edges
        return candle.low > low and candle.high < high and candle.open_ms < due_ms

    def look(self, candle: Candle, costs: Costs) -> list[Ended]:
        """Everything that the bar touches, one by one."""
        count, ended, over = len(self.ideas), [], []
        touched = (
            (self._low[:count] >= candle.low)
            | (self._high[:count] <= candle.high)
            | (self._due[:count] <= candle.open_ms)
        )
        for place in np.flatnonzero(touched).tolist():
            idea = self.ideas[place]
            course, result = passed(idea, self._courses[place], candle, costs)
            if result is None:
                self._courses[place] = course
                self._put(place, course)
            else:
                ended.append((idea, result))
                over.append(place)
        self.remove(over)
        return ended

    def remove(self, places: Sequence[int]) -> None:
        """Take these out; the last ones fill the holes."""
        for place in sorted(places, reverse=True):
            last = len(self.ideas) - 1
            del self.places[self.ideas[place].shadow_id]
            if place != last:
                self.ideas[place] = self.ideas[last]
                self._courses[place] = self._courses[last]
                self.places[self.ideas[place].shadow_id] = place
                for column in (self._low, self._high, self._due):
                    column[place] = column[last]
            self.ideas.pop()
            self._courses.pop()
        self._find_edges()

    def _put(self, place: int, course: Course) -> None:
        band = band_of(self.ideas[place], course)
        self._low[place], self._high[place], self._due[place] = band.low, band.high, band.due_ms

    def _find_edges(self) -> None:
        count = len(self.ideas)
        if count:
            self._edges = (
                float(self._low[:count].max()),
                float(self._high[:count].min()),
                int(self._due[:count].min()),
            )
