"""The pretend market in motion: a tape plays into the exchange and its bars, and is told about.

Every moment of the tape is one step: prices move, orders are matched against them, user events go
out, and only then the market frames that show the prices. Synchronous and without I/O: whoever
owns the floor decides when the next moment comes, and listens through a `Listener`. Must not know:
sockets, signatures, requests.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from typing import Final, Protocol

from bot.sandbox.exchange import Exchange
from bot.sandbox.exchange_dialect import Json
from bot.sandbox.exchange_frames import (
    NEVER_MS,
    Style,
    book_frame,
    contract_frame,
    kline_frame,
    liquidation_frame,
    mark_frame,
    mini_ticker_frame,
    ticker_frame,
    trade_frame,
)
from bot.sandbox.exchange_history import Bar, History, bar_steps
from bot.sandbox.exchange_records import Execution, OrderEvent, UserEvent
from bot.sandbox.exchange_rules import decimals
from bot.sandbox.tape import TIMEFRAMES_MS, Row, Tape, bucket_start_ms, path_of, to_price
from data.model import FillCause, Instrument

ALL_SYMBOLS_STREAMS: Final = (
    "!miniTicker@arr",
    "!ticker@arr",
    "!markPrice@arr",
    "!markPrice@arr@1s",
)
COIN_MARGINED: Final = "BTCUSD_PERP"  # what every all-symbols stream carries beside ours


class Listener(Protocol):
    """Who is told what the market did."""

    def wanted(self, symbol: str) -> Mapping[str, object]:
        """The streams of a lower-case symbol somebody listens to, without the symbol's name."""

    def wants(self, stream: str) -> bool:
        """Whether somebody listens to this all-symbols stream."""

    def market(self, stream: str, payload: Json | list[Json]) -> None:
        """A market stream has something to say."""

    def user(self, events: list[UserEvent], now_ms: int) -> None:
        """The accounts' own events, in order."""


Step = tuple[str, Bar, bool]  # symbol, its bar so far, whether it closes here


class Floor:
    """Exchange, bars and tape together."""

    def __init__(
        self,
        *,
        tape: Tape,
        instruments: tuple[Instrument, ...],
        exchange: Exchange,
        listener: Listener,
        history_bars: int,
    ) -> None:
        self.exchange = exchange
        self.instruments = {one.symbol: one for one in instruments}
        missing = [symbol for symbol in tape.symbols if symbol not in self.instruments]
        assert not missing, f"the tape has symbols without an instrument: {missing}"
        self.history = History(tuple(self.instruments), tape.timeframe)
        self.styles = {
            one.symbol: Style(one.symbol, decimals(one.tick_size), decimals(one.step_size))
            for one in instruments
        }
        self.deliveries: dict[str, int] = {}  # of contracts that are to be settled
        self.rows_played = 0
        self.ended = False
        self._tape_interval_ms = TIMEFRAMES_MS[tape.timeframe]
        self._listener = listener
        self._rows: Iterator[Row] = tape.rows()
        self._pending: deque[tuple[int, list[Step]]] = deque()
        self.now_ms = tape.start_ms
        self._warm_up(history_bars)

    def next_moment_ms(self) -> int | None:
        """When the tape moves next; None after its end."""
        if not self._pending:
            self._read()
        return self._pending[0][0] if self._pending else None

    def play(self) -> None:
        """Carry out the next moment of the tape."""
        if self.next_moment_ms() is None:
            return
        moment_ms, steps = self._pending.popleft()
        self.now_ms = max(self.now_ms, moment_ms)
        for symbol, bar, closes in steps:
            if closes:
                self.history.close(symbol, bar)
            else:
                self.history.update(symbol, bar)
            price = to_price(bar.close, self.instruments[symbol].tick_size)
            self.exchange.advance(symbol, price, self.now_ms)
        self.tell_users()
        self._tell_market(steps)

    def set_price(
        self, symbol: str, price: Decimal, now_ms: int, liquidity: Decimal | None = None
    ) -> None:
        """Move one price by hand; it holds until the tape's next step of that symbol.

        `liquidity` (base units) caps what may trade at it.
        """
        self.now_ms = max(self.now_ms, now_ms)
        value = float(price)
        base = self.history.base
        bar = self.history.current(symbol, base)
        start_ms = bucket_start_ms(self.now_ms, base)
        if bar is None or bar.open_ms < start_ms:
            bar = Bar(start_ms, value, value, value, value, 0.0)
        bar = Bar(
            bar.open_ms, bar.open, max(bar.high, value), min(bar.low, value), value, bar.volume
        )
        self.history.update(symbol, bar)
        self.exchange.advance(symbol, price, self.now_ms, liquidity)
        self.tell_users()
        self._tell_market([(symbol, bar, False)])

    def pulse(self, *, marks: bool, part: int = 0, parts: int = 1) -> None:
        """Say again how each open bar stands (and each mark), as the real streams do all the time.

        Between two moments of the tape nothing moves, but a stream that is alive is heard. `part`
        of `parts` takes every so manieth symbol: the real ones do not speak in one breath.
        """
        for symbol in islice(self.instruments, part, None, parts):
            name, moving = symbol.lower(), self.history.current(symbol, self.history.base)
            for suffix in tuple(self._listener.wanted(name)):
                payload = None
                if suffix.startswith("markPrice"):
                    market = self.exchange.markets[symbol]
                    if marks and market.last is not None:
                        payload = mark_frame(market, self.now_ms)
                elif suffix.startswith("kline_") and moving is not None:
                    timeframe = suffix.removeprefix("kline_")
                    payload = self._kline(symbol, timeframe, moving, closes=False)
                if payload is not None:
                    self._listener.market(f"{name}@{suffix}", payload)

    def set_status(self, symbol: str, status: str, delivery_ms: int = NEVER_MS) -> None:
        """List or delist a contract; whoever listens to listings hears it. Prices go on."""
        known = replace(self.instruments[symbol], tradable=status == "TRADING")
        self.instruments[symbol] = known
        self.exchange.list_instrument(known)
        self.deliveries[symbol] = delivery_ms
        frame = contract_frame(known, status, self.now_ms, delivery_ms)
        self._listener.market("!contractInfo", frame)
        for row in _coin_margined([frame]):
            self._listener.market("!contractInfo", row)

    def tell_users(self) -> None:
        """Hand what the exchange has to tell its accounts to the listener."""
        events = self.exchange.drain_events()
        if events:
            self._listener.user(events, self.now_ms)
            for event in events:
                if isinstance(event, OrderEvent) and event.order.cause is FillCause.LIQUIDATION:
                    self._tell_liquidation(event)

    def pass_time(self, now_ms: int) -> None:
        """Let what was due by now happen: good-till dates and countdowns."""
        self.now_ms = max(self.now_ms, now_ms)
        self.exchange.pass_time(self.now_ms)
        self.tell_users()

    def _tell_liquidation(self, event: OrderEvent) -> None:
        if event.execution is not Execution.FORCED:
            return
        name = f"{event.order.symbol.lower()}@forceOrder"
        self._listener.market(name, liquidation_frame(event, wide=False))
        self._listener.market("!forceOrder@arr", liquidation_frame(event, wide=True))

    def _read(self) -> None:
        row = next(self._rows, None)
        if row is None:
            self.ended = True
            return
        self.rows_played += 1
        moments: dict[int, list[Step]] = {}
        for candle in row.candles:
            steps = bar_steps(candle, path_of(candle))
            for moment_ms, bar in steps:
                closes = moment_ms == steps[-1][0]
                moments.setdefault(moment_ms, []).append((candle.symbol, bar, closes))
        self._pending.extend(sorted(moments.items()))

    def _warm_up(self, bars: int) -> None:
        for row in islice(self._rows, bars):
            self.rows_played += 1
            self.now_ms = row.open_ms + self._tape_interval_ms
            for one in row.candles:
                bar = Bar(one.open_ms, one.open, one.high, one.low, one.close, one.volume)
                self.history.close(one.symbol, bar)
        for symbol, instrument in self.instruments.items():
            newest = self.history.newest_closed(symbol, self.history.base)
            if newest is not None:
                price = to_price(newest.close, instrument.tick_size)
                self.exchange.advance(symbol, price, self.now_ms)

    def _tell_market(self, steps: list[Step]) -> None:
        for symbol, bar, closes in steps:
            name = symbol.lower()
            for suffix in tuple(self._listener.wanted(name)):
                payload = self._payload(symbol, suffix, bar, closes=closes)
                if payload is not None:
                    self._listener.market(f"{name}@{suffix}", payload)
        for stream in ALL_SYMBOLS_STREAMS:
            if self._listener.wants(stream):
                suffix = stream[1:].split("@", 1)[0]
                rows = [self._payload(s, suffix, bar, closes=c) for s, bar, c in steps]
                told = [row for row in rows if row is not None]
                self._listener.market(stream, [*told, *_coin_margined(told)])
        if self._listener.wants("!bookTicker"):
            books = [book_frame(self.exchange.markets[s], self.now_ms) for s, _, _ in steps]
            for book in (*books, *_coin_margined(books)):
                self._listener.market("!bookTicker", book)

    def _payload(self, symbol: str, suffix: str, bar: Bar, *, closes: bool) -> Json | None:
        kind, _, detail = suffix.partition("_")
        if kind == "kline":
            return self._kline(symbol, detail, bar, closes=closes)
        market = self.exchange.markets[symbol]
        if suffix in ("markPrice", "markPrice@1s"):
            return mark_frame(market, self.now_ms)
        if suffix == "aggTrade":
            return trade_frame(market, self.now_ms)
        if suffix == "bookTicker":
            return book_frame(market, self.now_ms)
        ticker = {"miniTicker": mini_ticker_frame, "ticker": ticker_frame}.get(suffix)
        day = self.history.day(symbol, self.now_ms) if ticker is not None else None
        if ticker is None or day is None:
            return None
        return ticker(self.styles[symbol], day, self.now_ms)

    def _kline(self, symbol: str, timeframe: str, bar: Bar, *, closes: bool) -> Json | None:
        if timeframe not in self.history.timeframes:
            return None
        closed = closes
        shown: Bar | None = bar
        if timeframe != self.history.base:
            end_ms = bar.open_ms + self._tape_interval_ms
            bucket_ms = bucket_start_ms(bar.open_ms, timeframe)
            closed = closes and end_ms == bucket_ms + TIMEFRAMES_MS[timeframe]
            if closed:
                shown = self.history.newest_closed(symbol, timeframe)
            else:
                shown = self.history.current(symbol, timeframe)
        if shown is None:
            return None
        return kline_frame(self.styles[symbol], shown, timeframe, self.now_ms, closed=closed)


def _coin_margined(rows: list[Json]) -> list[Json]:
    """The first row again as the coin-margined contract's, which no client of ours may take."""
    return [{**rows[0], "s": COIN_MARGINED, "ps": "BTCUSD", "st": 2}] if rows else []
