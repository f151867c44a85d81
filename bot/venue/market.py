"""Prices for all desks: instruments, warm windows of closed bars, mark prices.

Must not know: accounts, orders, strategies. Bars come from the streams; history and whatever was
missed comes over REST, only the missing part, under the weight budget. A window that is not
known to be complete and fresh is not shown. Network patience is wall time.
Source: reference sheet sections 3.1 and 5.2 (2026-11).
"""

import random
from asyncio import Event as Flag
from asyncio import Queue, Task, TaskGroup, timeout
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import structlog

from bot.shell.clock import wall_monotonic_s, wall_sleep_s
from bot.shell.ports import BarSink, Window
from bot.venue.listing import load_instruments
from bot.venue.rest import RestClient
from bot.venue.series import Heard, Series
from bot.venue.streams import SILENCE_S, MarketStream, Oddities
from bot.venue.wire_answers import Malformed, MarkRow, closed_candles, decode
from bot.venue.wire_errors import Answer
from bot.venue.wire_frames import ControlReply, MarkSeen, read_market_frame, stream_name
from bot.venue.wire_requests import KLINES_LIMIT_MAX, klines_request, premium_index_request
from data.candles import CandleWindow
from data.model import Candle, Instrument

log = structlog.get_logger(__name__)

HISTORY_BARS: Final = 498  # with the open bar 499 rows: the last size that costs 2, not 5
STREAMS_PER_CONNECTION: Final = 200  # 1024 are allowed; fewer lose less when one breaks
FILLERS: Final = 4  # fetches of bars at once
CLOSED_MARGIN_MS: Final = 2_000  # wall; a last row counts as closed only when this much older
OVERDUE_S: Final = 5.0  # wall; a bar this late is fetched
STALE_S: Final = 15.0  # wall; a window this late is not shown
MARK_STALE_S: Final = 10.0  # wall; a mark price this old is fetched
ALL_MARKS_FROM: Final = 10  # one request for all marks costs as much as ten single ones
WATCH_EVERY_S: Final = 0.5
RETRY_S: Final = 2.0
RETRY_S_MAX: Final = 60.0

SeriesKey = tuple[str, str]  # symbol, timeframe


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketOptions:
    """How much is kept and how it is spread over connections."""

    history_bars: int = HISTORY_BARS
    streams_per_connection: int = STREAMS_PER_CONNECTION
    silence_s: float = SILENCE_S
    overdue_s: float = OVERDUE_S


@dataclass(slots=True)
class _Fetching:
    series: Series
    queued: bool = False
    tries: int = 0
    not_before_s: float = 0.0


class LiveMarket:
    """Everything watched, kept warm. `bar_sink` gets every closed bar once, in order.

    Bars missed during an outage are delivered too when they are fetched, oldest first: who acts
    on bars must look at how old one is.
    """

    def __init__(
        self,
        *,
        rest: RestClient,
        ws_url: str,
        dice: random.Random,
        make_window: Callable[[str, str], CandleWindow],
        bar_sink: BarSink,
        options: MarketOptions | None = None,
    ) -> None:
        self._rest = rest
        self._clock = rest.clock
        self._ws_url = ws_url
        self._dice = dice
        self._make_window = make_window
        self._bar_sink = bar_sink
        self._options = options or MarketOptions()
        assert 0 < self._options.history_bars < KLINES_LIMIT_MAX, "history does not fit one page"
        self._instruments: dict[str, Instrument] = {}
        self._series: dict[SeriesKey, _Fetching] = {}
        self._watched: dict[str, None] = {}  # symbols, ordered
        self._marks: dict[str, tuple[Decimal, int]] = {}
        self._mark_asked_s: dict[str, float] = {}
        self._shards: list[MarketStream] = []
        self._jobs: Queue[SeriesKey] = Queue()  # bounded by `queued`: a key is in it once
        self._group: TaskGroup | None = None
        self._tasks: list[Task[None]] = []
        self._warm = Flag()
        self.oddities = Oddities()

    # ------------------------------------------------------------------------ the Market port

    def instrument(self, symbol: str) -> Instrument | None:
        """The symbol's filters; None when it is not tradable."""
        found = self._instruments.get(symbol)
        return found if found is not None and found.tradable else None

    def mark_price(self, symbol: str) -> tuple[Decimal, int] | None:
        """(mark price, its moment in ms); None when none is known."""
        return self._marks.get(symbol)

    def window(self, symbol: str, timeframe: str) -> Window | None:
        """Closed bars; None while warming up, gapped or stale."""
        entry = self._series.get((symbol, timeframe))
        if entry is None or entry.series.is_gapped:
            return None
        if entry.series.overdue_ms(self._clock.now_ms()) > self._wall_ms(STALE_S):
            return None
        return entry.series.window

    # ------------------------------------------------------------------------- what is watched

    @property
    def instruments(self) -> dict[str, Instrument]:
        """All known instruments by symbol, untradable ones too."""
        return self._instruments

    def adopt_instruments(self, instruments: dict[str, Instrument]) -> None:
        """Use these, as the gateway loaded them with their brackets."""
        self._instruments = instruments

    async def load_instruments(self) -> None:
        """Load them over REST, brackets only with a key; raises TheirWord or Unknown."""
        self._instruments = await load_instruments(self._rest)

    def watch(self, symbol: str, timeframes: Iterable[str]) -> None:
        """Keep bars of these timeframes and the mark price of a symbol, from now on."""
        names = [stream_name(symbol, "markPrice@1s")]
        self._watched[symbol] = None
        for timeframe in timeframes:
            key = (symbol, timeframe)
            if key in self._series:
                continue
            names.append(stream_name(symbol, f"kline_{timeframe}"))
            series = Series(
                symbol=symbol,
                timeframe=timeframe,
                make_window=self._make_window,
                deliver=self._bar_sink,
            )
            self._series[key] = _Fetching(series)
            self._warm.clear()
            self._want_bars(key)
        carried = {name for shard in self._shards for name in shard.names}
        self._carry([name for name in names if name not in carried])

    def unwatch(self, symbol: str) -> None:
        """Forget a symbol's bars, mark price and streams."""
        for key in [key for key in self._series if key[0] == symbol]:
            del self._series[key]
        self._watched.pop(symbol, None)
        self._marks.pop(symbol, None)
        self._mark_asked_s.pop(symbol, None)
        start = stream_name(symbol, "")
        for shard in self._shards:
            shard.drop([name for name in shard.names if name.startswith(start)])

    async def ready(self, timeout_s: float) -> bool:
        """Wait in wall time until everything watched is warm; False when it is not by then."""
        try:
            async with timeout(timeout_s):
                if self._series:
                    await self._warm.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Streams, fills, watch; forever. Ends only by cancellation."""
        async with TaskGroup() as group:
            self._group = group
            for shard in self._shards:
                group.create_task(shard.run())
            for _ in range(FILLERS):
                group.create_task(self._fill_forever())
            group.create_task(self._watch_forever())
            group.create_task(self._watch_marks_forever())

    # ------------------------------------------------------------------------------- streams

    def _carry(self, names: list[str]) -> None:
        room = self._options.streams_per_connection
        while names:
            shard = next((s for s in self._shards if len(s.names) < room), None)
            shard = shard or self._open_shard()
            taken = names[: room - len(shard.names)]
            shard.want(taken)
            names = names[len(taken) :]

    def _open_shard(self) -> MarketStream:
        shard = MarketStream(
            ws_url=self._ws_url,
            dice=self._dice,
            hear=self.hear,
            changed=self._stream_changed,
            silence_s=self._options.silence_s,
        )
        self._shards.append(shard)
        if self._group is not None:
            self._tasks.append(self._group.create_task(shard.run()))
        return shard

    def _stream_changed(self, up: bool) -> None:
        # What was missed shows itself: the next open bar of each series leaves a gap behind.
        log.info("market_stream_changed", up=up)

    def hear(self, frame: bytes) -> None:
        """Take one market frame; what is malformed, foreign or old is counted and dropped."""
        try:
            told = read_market_frame(frame)
        except Malformed as fault:
            self.oddities.note("malformed_market_frame", str(fault))
            return
        match told:
            case Candle():
                self._hear_bar(told)
            case MarkSeen():
                self._hear_mark(told)
            case ControlReply(error=error):
                if error:
                    self.oddities.note("subscription_refused", error)
            case _:
                self.oddities.note(f"market_frame_{told.kind}")

    def _hear_bar(self, candle: Candle) -> None:
        key = (candle.symbol, candle.timeframe)
        entry = self._series.get(key)
        if entry is None:
            self.oddities.note("bar_of_foreign_symbol", candle.symbol)
            return
        match entry.series.hear(candle):
            case Heard.GAP | Heard.WAITING:
                self._want_bars(key)
            case Heard.LATE:
                self.oddities.note("bar_late", candle.symbol)
            case Heard.REPEATED:
                self.oddities.note("bar_repeated", candle.symbol)
            case Heard.OFF_GRID:
                self.oddities.note("bar_off_grid", candle.symbol)

    def _hear_mark(self, mark: MarkSeen) -> None:
        known = self._marks.get(mark.symbol)
        if mark.symbol not in self._watched:
            self.oddities.note("mark_of_foreign_symbol", mark.symbol)
        elif known is not None and mark.event_ms < known[1]:
            self.oddities.note("mark_out_of_order", mark.symbol)
        else:
            self._marks[mark.symbol] = (mark.price, mark.event_ms)

    # --------------------------------------------------------------------------------- fills

    def _want_bars(self, key: SeriesKey) -> None:
        entry = self._series[key]
        if not entry.queued:
            entry.queued = True
            self._jobs.put_nowait(key)

    async def _fill_forever(self) -> None:
        while True:
            key = await self._jobs.get()
            entry = self._series.get(key)
            if entry is None:
                continue
            pause_s = entry.not_before_s - wall_monotonic_s()
            if pause_s > 0:
                # Left to the watch: a failing series must not hold up the others.
                entry.queued = False
                continue
            done = await self._fill(entry.series)
            entry.queued = False
            entry.tries = 0 if done else entry.tries + 1
            wait_s = min(RETRY_S * 2 ** min(entry.tries, 10), RETRY_S_MAX)
            entry.not_before_s = wall_monotonic_s() + (0.0 if done else wait_s)
            if all(not other.series.is_gapped for other in self._series.values()):
                self._warm.set()

    async def _fill(self, series: Series) -> bool:
        asked_ms = self._clock.now_ms()
        start_ms = series.missing_from_ms
        limit = self._options.history_bars + 1
        if start_ms is not None:
            missing = max(0, asked_ms - start_ms) // series.step_ms + 2  # and the open bar
            if missing > limit:
                series.forget()
                start_ms = None
            else:
                limit = missing
        outcome = await self._rest.read(
            klines_request(series.symbol, series.timeframe, limit=limit, start_ms=start_ms)
        )
        if not isinstance(outcome, Answer):
            log.warning("bars_not_read", symbol=series.symbol, outcome=str(outcome)[:200])
            return False
        try:
            candles = closed_candles(
                outcome.body,
                symbol=series.symbol,
                timeframe=series.timeframe,
                asked_ms=asked_ms,
                margin_ms=self._wall_ms(CLOSED_MARGIN_MS / 1000),
            )
        except Malformed as fault:
            self.oddities.note("malformed_klines", str(fault))
            return False
        return series.fill(candles) and not series.is_gapped

    async def _watch_forever(self) -> None:
        while True:
            await wall_sleep_s(WATCH_EVERY_S)
            now_ms, now_s = self._clock.now_ms(), wall_monotonic_s()
            late_ms = self._wall_ms(self._options.overdue_s)
            for key, entry in self._series.items():
                series = entry.series
                wanting = series.is_gapped or series.overdue_ms(now_ms) > late_ms
                if wanting and now_s >= entry.not_before_s:
                    self._want_bars(key)

    # --------------------------------------------------------------------------------- marks

    async def _watch_marks_forever(self) -> None:
        while True:
            await wall_sleep_s(WATCH_EVERY_S)
            await self._refresh_marks(self._clock.now_ms(), wall_monotonic_s())

    async def _refresh_marks(self, now_ms: int, now_s: float) -> None:
        old_ms = now_ms - self._wall_ms(MARK_STALE_S)
        stale = [
            symbol
            for symbol in self._watched
            if self._marks.get(symbol, (Decimal(0), 0))[1] < old_ms
            and now_s - self._mark_asked_s.get(symbol, -MARK_STALE_S) >= MARK_STALE_S
        ]
        self._mark_asked_s.update(dict.fromkeys(stale, now_s))
        if len(stale) >= ALL_MARKS_FROM:
            await self._read_marks("")
        else:
            for symbol in stale:
                await self._read_marks(symbol)

    async def read_mark(self, symbol: str) -> tuple[Decimal, int] | None:
        """Ask for a symbol's mark price now; None when it cannot be had."""
        asked_ms = self._clock.now_ms()
        await self._read_marks(symbol)
        mark = self._marks.get(symbol)
        return mark if mark is not None and mark[1] >= asked_ms - self._wall_ms(3.0) else None

    async def _read_marks(self, symbol: str) -> None:
        outcome = await self._rest.read(premium_index_request(symbol), tries=1)
        if not isinstance(outcome, Answer):
            return
        try:
            if symbol:
                rows = [decode(outcome.body, MarkRow)]
            else:
                rows = decode(outcome.body, list[MarkRow])
        except Malformed as fault:
            self.oddities.note("malformed_premium_index", str(fault))
            return
        for row in rows:
            if row.symbol in self._watched and row.mark_price > 0:
                self._hear_mark(
                    MarkSeen(symbol=row.symbol, price=row.mark_price, event_ms=row.time)
                )

    def _wall_ms(self, wall_s: float) -> int:
        return round(wall_s * 1000 * self._clock.speed)
