"""Prices for all desks: instruments, warm windows of closed bars, mark prices.

Must not know: accounts, orders, strategies. Bars come from the streams; history and whatever was
missed comes over REST, only the missing part, under the weight budget. A window that is not
known to be complete and fresh is not shown. Network patience is wall time.
Source: reference sheet sections 3.1 and 5.2 (2026-11).
"""

import random
from asyncio import TaskGroup, timeout
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

import structlog

from bot.shell.clock import wall_monotonic_s
from bot.shell.ports import BarSink, Window
from bot.venue.aside import Aside
from bot.venue.feed import Feed
from bot.venue.filling import Filler, SeriesKey, WarmUp
from bot.venue.listing import load_instruments
from bot.venue.marks import FUTURE_S, Marks
from bot.venue.rest import RestClient
from bot.venue.series import Heard, Series
from bot.venue.shard import SILENCE_S, patience_of
from bot.venue.shards import STALE_S, ShardOptions, Shards
from bot.venue.streams import Oddities
from bot.venue.wire_answers import Malformed
from bot.venue.wire_market import (
    LISTINGS,
    MARK,
    OPEN,
    ContractSeen,
    ControlReply,
    MarkSeen,
    NotOurs,
    kline_channel,
    read_kline,
    read_market_frame,
    stream_name,
)
from data.candles import CandleWindow
from data.model import Candle, Instrument

log = structlog.get_logger(__name__)

HISTORY_BARS: Final = 498  # with the open bar 499 rows: the last size that costs 2, not 5
STREAMS_PER_CONNECTION: Final = 200  # 1024 are allowed; fewer lose less when one breaks
OVERDUE_S: Final = 5.0  # wall; a bar this late is fetched
DOUBT_EVERY_S: Final = 60.0  # our own clock, when the exchange seems to live in the future
GONE_MAX: Final = 2_000  # symbols remembered whose last frames may still be on their way
TRADING: Final = "TRADING"


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketOptions:
    """How much is kept and how it is spread over connections."""

    history_bars: int = HISTORY_BARS
    streams_per_connection: int = STREAMS_PER_CONNECTION
    silence_s: float = SILENCE_S
    stale_s: float = STALE_S
    overdue_s: float = OVERDUE_S
    patience: Callable[[str], float] = patience_of  # wall seconds a stream may be silent


class LiveMarket:
    """Everything watched, kept warm. `bar_sink` gets every closed bar once, in order.

    Bars missed during an outage are delivered too when they are fetched, oldest first: who acts
    on bars must look at how old one is. `exposed` says which symbols hold a position or an order:
    their bars are read first. `on_listing` hears of contracts listed, delisted and changed.
    """

    def __init__(  # noqa: PLR0913 - plain parts, each needed once
        self,
        *,
        rest: RestClient,
        ws_url: str,
        dice: random.Random,
        make_window: Callable[[str, str], CandleWindow],
        bar_sink: BarSink,
        options: MarketOptions | None = None,
        on_listing: Callable[[ContractSeen], None] | None = None,
        exposed: Callable[[], Container[str]] = tuple,
    ) -> None:
        self._rest = rest
        self._clock = rest.clock
        self._make_window = make_window
        self._bar_sink = bar_sink
        self._options = options or MarketOptions()
        self._on_listing = on_listing
        self._instruments: dict[str, Instrument] = {}
        self._feeds: dict[SeriesKey, Feed] = {}
        self._by_stream: dict[bytes, Feed] = {}
        self._watched: dict[str, None] = {}  # symbols, ordered
        self._gone: dict[str, None] = {}  # not watched any more
        self._doubted_s = -DOUBT_EVERY_S
        self._aside = Aside()
        self.oddities = Oddities()
        self._marks = Marks(rest=rest, watched=self._watched.keys(), oddities=self.oddities)
        self._filler = Filler(
            rest=rest,
            feeds=self._feeds,
            history_bars=self._options.history_bars,
            overdue_s=self._options.overdue_s,
            exposed=exposed,
            listed_ms=self._listed_ms,
            aside=self._aside,
            oddities=self.oddities,
        )
        self._shards = Shards(
            ws_url=ws_url,
            dice=dice,
            hear=self.hear,
            told=self._stream_told,
            options=ShardOptions(
                room=self._options.streams_per_connection,
                silence_s=self._options.silence_s,
                stale_s=self._options.stale_s,
                patience=self._options.patience,
            ),
        )
        if on_listing is not None:
            self._shards.carry([LISTINGS])

    # ------------------------------------------------------------------------ the Market port

    def instrument(self, symbol: str) -> Instrument | None:
        """The symbol's filters; None when it is not tradable."""
        found = self._instruments.get(symbol)
        return found if found is not None and found.tradable else None

    def mark_price(self, symbol: str) -> tuple[Decimal, int] | None:
        """(mark price, its moment in ms); None when none is known."""
        return self._marks.get(symbol)

    def window(self, symbol: str, timeframe: str) -> Window | None:
        """Closed bars; None while warming up, gapped, stale or set aside."""
        feed = self._feeds.get((symbol, timeframe))
        if feed is None or feed.series.is_gapped or symbol in self._aside:
            return None
        late_ms = round(self._options.stale_s * 1000 * self._clock.speed)
        if feed.series.overdue_ms(self._clock.now_ms()) > late_ms:
            return None
        return None if self._shards.is_stale(feed.stream) else feed.series.window

    def provisional(self, symbol: str, timeframe: str) -> Candle | None:
        """The bar still open, as last told; None when unknown. Its numbers are not final."""
        feed = self._feeds.get((symbol, timeframe))
        return None if feed is None or self._shards.is_stale(feed.stream) else feed.provisional

    # ------------------------------------------------------------------------- what is watched

    @property
    def instruments(self) -> dict[str, Instrument]:
        """All known instruments by symbol, untradable ones too."""
        return self._instruments

    def adopt_instruments(self, instruments: dict[str, Instrument]) -> None:
        """Use these, as the gateway loaded them with their brackets."""
        self._instruments = instruments
        for symbol, known in instruments.items():
            if known.tradable:
                self._aside.clear(symbol, LISTINGS)

    async def load_instruments(self) -> None:
        """Load them over REST, brackets only with a key; raises TheirWord or Unknown."""
        self.adopt_instruments(await load_instruments(self._rest))

    def watch(self, symbol: str, timeframes: Iterable[str]) -> None:
        """Keep bars of these timeframes and the mark price of a symbol, from now on."""
        self._watched[symbol] = None
        self._gone.pop(symbol, None)
        names = [stream_name(symbol, MARK)]
        for timeframe in timeframes:
            if (symbol, timeframe) in self._feeds:
                continue
            series = Series(
                symbol=symbol,
                timeframe=timeframe,
                make_window=self._make_window,
                deliver=self._bar_sink,
            )
            feed = Feed(series, stream_name(symbol, kline_channel(timeframe)))
            names.append(feed.stream)
            self._feeds[symbol, timeframe] = self._by_stream[feed.stream.encode()] = feed
            self._filler.want(feed)
        self._shards.carry(names)

    def unwatch(self, symbol: str) -> None:
        """Forget a symbol's bars, mark price and streams."""
        if self._watched.pop(symbol, self) is self:
            return
        names = [stream_name(symbol, MARK)]
        for key in [key for key in self._feeds if key[0] == symbol]:
            feed = self._feeds.pop(key)
            del self._by_stream[feed.stream.encode()]
            names.append(feed.stream)
        self._shards.drop(names)
        self._marks.forget(symbol)
        self._aside.forget(symbol)
        self._gone[symbol] = None
        if len(self._gone) > GONE_MAX:
            del self._gone[next(iter(self._gone))]

    def set_aside(self) -> Mapping[str, str]:
        """Watched symbols that are not to be traded on now, each with the reason in words."""
        return self._aside.reasons()

    def warmup(self) -> WarmUp:
        """How far the reading of history is, and how long it will take."""
        return self._filler.progress()

    async def ready(self, timeout_s: float) -> bool:
        """Wait in wall time until everything watched is warm; False when it is not by then."""
        try:
            async with timeout(timeout_s):
                if self._feeds:
                    await self._filler.all_warm.wait()
        except TimeoutError:
            return False
        return True

    async def read_mark(self, symbol: str) -> tuple[Decimal, int] | None:
        """Ask for a symbol's mark price now; None when it cannot be had."""
        return await self._marks.read(symbol)

    async def run(self) -> None:
        """Streams, fills, watch; forever. Ends only by cancellation."""
        async with TaskGroup() as group:
            group.create_task(self._shards.run())
            group.create_task(self._filler.run())
            group.create_task(self._marks.run())

    # --------------------------------------------------------------------------------- frames

    def hear(self, stream: bytes, frame: bytes) -> None:
        """Take one market frame; what is malformed, foreign or old is counted and dropped.

        The open bar we expect is recognised without decoding: it is by far the most that comes.
        """
        feed = self._by_stream.get(stream)
        if feed is not None and feed.due in frame and OPEN in frame:
            feed.latest = frame
            return
        try:
            told = read_market_frame(frame) if feed is None else read_kline(frame)
        except Malformed as fault:
            self.oddities.note("malformed_market_frame", str(fault))
            return
        match told:
            case Candle():
                self._hear_bar(told)
            case MarkSeen():
                self._hear_mark(told)
            case ContractSeen():
                self._hear_contract(told)
            case ControlReply(error=error):
                if error:
                    self.oddities.note("subscription_refused", error)
            case NotOurs():
                self.oddities.note(f"market_frame_{told.kind}")

    def _hear_bar(self, candle: Candle) -> None:
        feed = self._feeds.get((candle.symbol, candle.timeframe))
        if feed is None:
            self._note_foreign("bar_of_foreign_symbol", candle.symbol)
            return
        told_ms = candle.open_ms + feed.series.step_ms if candle.closed else candle.open_ms
        if told_ms > self._clock.now_ms() + round(FUTURE_S * 1000 * self._clock.speed):
            self.oddities.note("bar_from_the_future", candle.symbol)
            self._doubt_clock()
            return
        heard = feed.series.hear(candle)
        feed.look()
        match heard:
            case Heard.GAP | Heard.WAITING:
                self._filler.want(feed)
            case Heard.LATE:
                self.oddities.note("bar_late", candle.symbol)
            case Heard.REPEATED:
                if not self._shards.echoing:
                    self.oddities.note("bar_repeated", candle.symbol)
            case Heard.OFF_GRID:
                self.oddities.note("bar_off_grid", candle.symbol)

    def _hear_mark(self, mark: MarkSeen) -> None:
        if mark.symbol in self._watched:
            self._marks.hear(mark, quiet=self._shards.echoing)
        else:
            self._note_foreign("mark_of_foreign_symbol", mark.symbol)

    def _hear_contract(self, told: ContractSeen) -> None:
        known = self._instruments.get(told.symbol)
        trading = told.status in ("", TRADING)
        if known is not None and known.tradable and not trading:
            self._instruments[told.symbol] = replace(known, tradable=False)
        if trading:
            self._aside.clear(told.symbol, LISTINGS)
        elif told.symbol in self._watched:
            self._aside.put(told.symbol, LISTINGS, f"the exchange says it is {told.status[:40]}")
        if self._on_listing is not None:
            self._on_listing(told)

    def _note_foreign(self, kind: str, symbol: str) -> None:
        if symbol not in self._gone:  # its last frames were on their way
            self.oddities.note(kind, symbol)

    def _doubt_clock(self) -> None:
        # A machine that slept is behind: then the future is the present, and it is us.
        now_s = wall_monotonic_s()
        if now_s - self._doubted_s >= DOUBT_EVERY_S:
            self._doubted_s = now_s
            self._rest.doubt_clock()

    def _stream_told(self, stream: str, why: str) -> None:
        symbol = self._symbol_of(stream)
        if symbol and why:
            self._aside.put(symbol, stream, why)
        elif symbol:
            self._aside.clear(symbol, stream)

    def _symbol_of(self, stream: str) -> str:
        feed = self._by_stream.get(stream.encode())
        if feed is not None:
            return feed.series.symbol
        return next((s for s in self._watched if stream_name(s, MARK) == stream), "")

    def _listed_ms(self, symbol: str) -> int:
        known = self._instruments.get(symbol)
        return self._clock.now_ms() if known is None else known.onboard_ms
