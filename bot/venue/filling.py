"""Bars over REST: history before the first, and afterwards only what was missed.

The weight budget is shared with trading, which goes first: warm-up may use a part of each minute
and waits for the next when that is gone, holding nobody up. Order by need: symbols with exposure
and gaps first, then the shortest timeframes. What is ready is shown at once.

Must not know: sockets.
"""

from asyncio import Event as Flag
from asyncio import TaskGroup
from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count
from typing import Final

import structlog

from bot.shell.clock import wall_monotonic_s, wall_sleep_s
from bot.venue.aside import Aside
from bot.venue.feed import Feed
from bot.venue.rest import RestClient
from bot.venue.streams import Oddities
from bot.venue.wire import Priority, Request
from bot.venue.wire_answers import Malformed, closed_candles
from bot.venue.wire_errors import Answer, Refused
from bot.venue.wire_requests import KLINES_LIMIT_MAX, klines_request

log = structlog.get_logger(__name__)

URGENT_FILLERS: Final = 2  # readings at once of gaps and of symbols with exposure
WARM_FILLERS: Final = 4
CLOSED_MARGIN_MS: Final = 2_000  # wall; a last row counts as closed only when this much older
WATCH_EVERY_S: Final = 0.5
SAY_EVERY_S: Final = 5.0  # progress, in the log
RETRY_S: Final = 2.0
RETRY_S_MAX: Final = 60.0
SHORT_AGAIN_S: Final = 60.0
TRIES_MAX: Final = 5  # in a row; then the symbol is set aside until one succeeds
INVALID_SYMBOL: Final = -1121
TOOK_S_FIRST: Final = 0.05  # a reading, before one was measured

SeriesKey = tuple[str, str]  # symbol, timeframe


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """How far warm-up is: windows ready, windows watched, seconds of the wall that are left."""

    done: int
    total: int
    eta_s: float
    plan: str = ""  # the same in a sentence


class Filler:
    """Fills the feeds it is told of. `feeds` is a live view of its owner's."""

    def __init__(  # noqa: PLR0913 - plain parts of one owner, each needed
        self,
        *,
        rest: RestClient,
        feeds: dict[SeriesKey, Feed],
        history_bars: int,
        overdue_s: float,
        exposed: Callable[[], Container[str]],
        listed_ms: Callable[[str], int],
        aside: Aside,
        oddities: Oddities,
    ) -> None:
        assert 0 < history_bars < KLINES_LIMIT_MAX, "history does not fit one page"
        self._rest = rest
        self._feeds = feeds
        self._history_bars = history_bars
        self._overdue_s = overdue_s
        self._exposed = exposed
        self._listed_ms = listed_ms
        self._aside = aside
        self._oddities = oddities
        self._number = count()
        self._urgent: list[tuple[int, int, Feed]] = []  # heaps: step, number, feed
        self._warming: list[tuple[int, int, Feed]] = []
        self._more = Flag()
        self._took_s = TOOK_S_FIRST
        self._said = (-1, -1)
        self._said_s = 0.0
        self.all_warm = Flag()

    def want(self, feed: Feed) -> None:
        """Read what this feed lacks, as soon as its turn comes."""
        if feed.queued:
            return
        feed.queued = True
        self.all_warm.clear()
        urgent = feed.series.window is not None or feed.series.symbol in self._exposed()
        lane = self._urgent if urgent else self._warming
        heappush(lane, (feed.series.step_ms, next(self._number), feed))
        self._more.set()

    def progress(self) -> WarmUp:
        """How far it is, and what is left to do under the weight budget."""
        total, done = len(self._feeds), sum(feed.warm for feed in self._feeds.values())
        left = [f for f in self._feeds.values() if not f.warm and f.tries < TRIES_MAX]
        if not left:
            plan = f"{done} of {total} windows are ready"
            return WarmUp(done=done, total=total, eta_s=0.0, plan=plan)
        budget, weight = self._rest.budget, self._page().weight
        now_ms = self._rest.clock.now_ms()
        wait_ms = budget.room_ms(
            priority=Priority.WARMING, weight=weight * len(left), now_ms=now_ms
        )
        wait_s = wait_ms / 1000 / self._rest.clock.speed
        eta_s = round(max(wait_s, self._took_s * len(left) / WARM_FILLERS), 1)
        frames = sorted({feed.series.step_ms: feed.series.timeframe for feed in left}.items())
        plan = (
            f"{done} of {total} windows are ready; {len(left)} to read, weight"
            f" {weight * len(left)} at {budget.share(Priority.WARMING)} a minute at most, about"
            f" {eta_s:.0f} s; symbols with exposure first, then {', '.join(f for _, f in frames)}"
        )
        return WarmUp(done=done, total=total, eta_s=eta_s, plan=plan)

    async def run(self) -> None:
        """Read what is wanted, and want what is late; forever."""
        async with TaskGroup() as group:
            for _ in range(URGENT_FILLERS):
                group.create_task(self._work(warming=False))
            for _ in range(WARM_FILLERS):
                group.create_task(self._work(warming=True))
            group.create_task(self._watch())

    # ----------------------------------------------------------------------------------- work

    async def _work(self, *, warming: bool) -> None:
        while True:
            feed = await self._next(warming=warming)
            key = (feed.series.symbol, feed.series.timeframe)
            # One that fails waits outside the queue: it must not hold up the others.
            if self._feeds.get(key) is feed and feed.not_before_s <= wall_monotonic_s():
                await self._attend(feed)
            feed.queued = False
            if self._urgent or self._warming:
                continue
            if all(not one.series.is_gapped for one in self._feeds.values()):
                self.all_warm.set()

    async def _next(self, *, warming: bool) -> Feed:
        while True:
            if self._urgent:
                return heappop(self._urgent)[-1]
            if warming and self._warming:
                wait_ms = self._rest.budget.room_ms(
                    priority=Priority.WARMING,
                    weight=self._page().weight,
                    now_ms=self._rest.clock.now_ms(),
                )
                if not wait_ms:
                    return heappop(self._warming)[-1]
                wait_s = wait_ms / 1000 / self._rest.clock.speed
                await wall_sleep_s(min(wait_s, WATCH_EVERY_S))
                continue
            self._more.clear()
            await self._more.wait()

    async def _attend(self, feed: Feed) -> None:
        began_s = wall_monotonic_s()
        fault = await self._fill(feed)
        feed.look()
        now_s = wall_monotonic_s()
        symbol, cause = feed.series.symbol, f"bars {feed.series.timeframe}"
        if not fault:
            self._took_s += 0.2 * (now_s - began_s - self._took_s)
            feed.tries, feed.not_before_s, feed.warm = 0, 0.0, True
            self._aside.clear(symbol, cause)
            return
        feed.tries += 1
        pause_s = min(RETRY_S * 2 ** min(feed.tries, 10), RETRY_S_MAX)
        feed.not_before_s = now_s + pause_s
        log.warning("bars_not_read", symbol=symbol, timeframe=feed.series.timeframe, why=fault)
        if feed.tries >= TRIES_MAX or fault == _GONE:
            self._aside.put(symbol, cause, f"its {feed.series.timeframe} bars: {fault}")

    async def _fill(self, feed: Feed) -> str:
        """Read once and join; why it came to nothing, or ""."""
        series, asked_ms = feed.series, self._rest.clock.now_ms()
        request = self._page(feed, asked_ms)
        outcome = await self._rest.read(request)
        if isinstance(outcome, Refused) and outcome.code == INVALID_SYMBOL:
            return _GONE
        if not isinstance(outcome, Answer):
            return str(outcome)[:200]
        try:
            candles = closed_candles(
                outcome.body,
                symbol=series.symbol,
                timeframe=series.timeframe,
                asked_ms=asked_ms,
                margin_ms=self._wall_ms(CLOSED_MARGIN_MS / 1000),
            )
        except Malformed as fault:
            self._oddities.note("malformed_klines", str(fault))
            return f"unreadable: {fault}"[:200]
        self._mind_length(feed, len(candles), asked_ms)
        if not series.fill(candles):
            return "they do not reach back to the missing one"
        if series.window is None:
            return "not one has closed yet"
        if series.is_gapped:
            return "one is still missing"
        late = series.overdue_ms(asked_ms) > self._wall_ms(max(self._overdue_s, 1.0))
        return "the newest ones are not told yet" if late else ""

    def _page(self, feed: Feed | None = None, asked_ms: int = 0) -> Request:
        limit = self._history_bars + 1
        if feed is None:
            return klines_request("", "1m", limit=limit)
        series, start_ms = feed.series, feed.series.missing_from_ms
        if start_ms is not None:
            missing = max(0, asked_ms - start_ms) // series.step_ms + 2  # and the open bar
            if missing > limit:
                series.forget()
                start_ms = None
            else:
                limit = missing
        request = klines_request(series.symbol, series.timeframe, limit=limit, start_ms=start_ms)
        if start_ms is None and series.symbol not in self._exposed():
            return request
        return replace(request, priority=Priority.READING)

    def _mind_length(self, feed: Feed, bars: int, asked_ms: int) -> None:
        # A first page shorter than the symbol's age explains is used, and read once more later.
        age_ms = max(0, asked_ms - self._listed_ms(feed.series.symbol))
        expected = min(self._history_bars, age_ms // feed.series.step_ms - 1)
        if feed.series.window is None and feed.again_s is None and bars < expected:
            self._oddities.note("klines_page_short", feed.series.symbol)
            feed.again_s = wall_monotonic_s() + SHORT_AGAIN_S

    # ---------------------------------------------------------------------------------- watch

    async def _watch(self) -> None:
        while True:
            await wall_sleep_s(WATCH_EVERY_S)
            now_ms, now_s = self._rest.clock.now_ms(), wall_monotonic_s()
            late_ms = self._wall_ms(self._overdue_s)
            for feed in self._feeds.values():
                if feed.again_s is not None and 0 < feed.again_s <= now_s:
                    feed.again_s = 0.0
                    feed.series.forget()
                wanting = feed.series.is_gapped or feed.series.overdue_ms(now_ms) > late_ms
                if wanting and now_s >= feed.not_before_s:
                    self.want(feed)
            if now_s - self._said_s >= SAY_EVERY_S:
                self._said_s = now_s
                self._say(self.progress())

    def _say(self, told: WarmUp) -> None:
        if (told.done, told.total) != self._said and told.total:
            self._said = (told.done, told.total)
            log.info("warm_up", done=told.done, total=told.total, plan=told.plan)

    def _wall_ms(self, wall_s: float) -> int:
        return round(wall_s * 1000 * self._rest.clock.speed)


_GONE: Final = f"the exchange does not know the symbol ({INVALID_SYMBOL})"
