"""Worlds: a market and an account to trade on, put together and kept alive as one thing.

- `ExchangeWorld`: prices and orders at the exchange that the addresses name (testnet, live, or the
  demo's sandbox).
- `PaperWorld`: prices of that exchange without a key, orders on the pretend exchange in here.

Must not know: people, the journal, or which strategy runs.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Container, Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, Protocol

import structlog

from bot.app.odd import input_counts, watch_input
from bot.core.messages import StreamRestored
from bot.core.universe import Contract
from bot.sandbox.exchange import Exchange
from bot.sandbox.paper import PaperVenue
from bot.sandbox.paper_state import PaperStateUnreadable, symbols_in, thaw
from bot.sandbox.tape_instruments import instrument_of
from bot.shell.clock import SystemClock, wall_monotonic_s, wall_sleep_s
from bot.shell.errors import SettingFault
from bot.shell.ports import BarSink, EventSink, Venue
from bot.shell.watchlist import Feed
from bot.venue.gateway import Gateway, GatewayOptions
from bot.venue.listing import load_listing
from bot.venue.market import LiveMarket, MarketOptions
from bot.venue.odd_input import OddInput
from bot.venue.rest import Credentials, RestAddress, RestClient, open_session
from bot.venue.signers import signer_of
from bot.venue.tickers import load_volumes
from bot.venue.wire_instruments import KINDS, TRADING, contract_state
from bot.venue.wire_market import ContractSeen
from bot.venue.wire_weight import WeightBudget
from data.candles import CandleWindow
from data.model import Instrument
from data.store.errors import StoreError

WINDOW_BARS: Final = 500
FEED_EVERY_S: Final = 0.25  # wall; marks come once a second, two looks are enough to miss none
READY_S: Final = 60.0
LOOK_S: Final = 0.02

log = structlog.get_logger(__name__)

Task = Coroutine[Any, Any, None]
ContractSink = Callable[[Contract], None]
Exposed = Callable[[], Container[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldOptions:
    """Addresses and what is watched; plain values."""

    rest_url: str
    ws_url: str
    symbols: tuple[str, ...]  # from the start on, each must be listed
    timeframes: tuple[str, ...]
    held: tuple[str, ...] = ()  # with a trade at work: watched whatever the exchange lists now
    sandbox_allowed: bool = False  # the other side is a sandbox on this machine
    sapi_url: str = ""  # the wallet service, which tells a key's permissions; "" without one
    live: bool = False  # real money: a key that may move it out is refused
    streams_per_connection: int = 50
    seed: int = 0  # of the jitter between retries
    resync_every_s: float = 0.0  # wall; a sandbox that stalls lets the clock run ahead of it


class World(Protocol):
    """What the service needs of a world."""

    clock: SystemClock
    market: LiveMarket

    contract_sink: ContractSink | None  # hears what contracts become, once somebody listens
    exposed: Exposed  # which symbols' bars are read first

    @property
    def feed(self) -> Feed:
        """What the watchlist steers."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is watched."""

    @property
    def weight_used(self) -> int:
        """Request weight spent in this clock minute."""

    @property
    def input_counts(self) -> tuple[int, int]:
        """What was said that cannot be, and what was merely odd, since the start."""

    @property
    def venue(self) -> Venue:
        """Where orders go; after `prepare`."""

    async def prepare(self) -> None:
        """Set the clock and read what can be traded. Raises SettingFault, TheirWord, Unknown."""

    def tasks(self) -> list[Task]:
        """What must run for as long as the world does."""

    async def ready(self) -> bool:
        """Wait (bounded) until prices are warm and the account is heard."""

    async def close(self) -> None:
        """Let go of connections, after the tasks have ended."""


class _Base:
    """What both worlds share; itself the feed that the watchlist steers."""

    market: LiveMarket

    def __init__(
        self, options: WorldOptions, *, clock: SystemClock, sink: EventSink, bar_sink: BarSink
    ) -> None:
        self.clock = clock
        self.odd_input = OddInput(sink)
        self.contract_sink: ContractSink | None = None
        self.exposed: Exposed = lambda: options.held
        self._watched: dict[str, tuple[str, ...]] = {}
        self._options = options
        self._dice = random.Random(options.seed)
        self._session = open_session()
        self._budget = WeightBudget()
        self._rest = self._client(None)
        self._bar_sink = bar_sink

    @property
    def feed(self) -> Feed:
        """What the watchlist steers."""
        return self

    @property
    def symbols(self) -> tuple[str, ...]:
        """What is watched."""
        return tuple(self._watched)

    @property
    def weight_used(self) -> int:
        """Request weight spent in this clock minute."""
        return self._budget.used

    @property
    def input_counts(self) -> tuple[int, int]:
        """What was said that cannot be, and what was merely odd, since the start."""
        return input_counts(self.market, self.odd_input)

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """All known instruments by symbol."""
        return self.market.instruments

    @property
    def watched(self) -> Mapping[str, tuple[str, ...]]:
        """Timeframes by symbol."""
        return self._watched

    def watch(self, symbol: str, timeframes: Iterable[str]) -> None:
        """Watch these timeframes of a symbol, besides those watched already."""
        self._watched[symbol] = tuple(dict.fromkeys((*self._watched.get(symbol, ()), *timeframes)))
        self.market.watch(symbol, timeframes)

    def unwatch(self, symbol: str) -> None:
        """Watch a symbol no longer; its windows are freed."""
        self._watched.pop(symbol, None)
        self.market.unwatch(symbol)

    def set_aside(self) -> Mapping[str, str]:
        """Watched symbols that are not to be traded on, with the reason in words."""
        return self.market.set_aside()

    def is_warm(self, symbol: str) -> bool:
        """Whether all bars of a watched symbol are there, and its price."""
        return self.market.mark_price(symbol) is not None and all(
            self.market.window(symbol, timeframe) is not None
            for timeframe in self._watched.get(symbol, ())
        )

    async def read_listing(self) -> Mapping[str, Contract]:
        """Read anew what is listed, and use its filters. Raises TheirWord or Unknown."""
        listing = await load_listing(self._rest)
        # One dict, which the gateway looks at as well.
        known = self.market.instruments
        known.clear()
        known.update(listing.instruments)
        self.market.adopt_instruments(known)
        return listing.contracts

    async def read_volumes(self) -> Mapping[str, Decimal]:
        """Quote volume of 24 hours by symbol. Raises TheirWord or Unknown."""
        return await load_volumes(self._rest)

    def _hear_contract(self, seen: ContractSeen) -> None:
        if seen.contract_type in KINDS and self.contract_sink is not None:
            tradable = seen.status in ("", TRADING)
            self.contract_sink(
                contract_state(seen.symbol, seen.status, seen.delivery_ms, tradable=tradable)
            )

    def _client(self, credentials: Credentials | None) -> RestClient:
        address = RestAddress(
            base_url=self._options.rest_url, sandbox_allowed=self._options.sandbox_allowed
        )
        return RestClient(
            address=address,
            session=self._session,
            clock=self.clock,
            budget=self._budget,
            dice=self._dice,
            credentials=credentials,
        )

    def _wallet_client(self, credentials: Credentials) -> RestClient | None:
        if not self._options.sapi_url:
            return None
        return RestClient(
            address=RestAddress(base_url=self._options.sapi_url),
            session=self._session,
            clock=self.clock,
            budget=WeightBudget(),  # another service, with limits of its own
            dice=self._dice,
            credentials=credentials,
        )

    def _market(self, rest: RestClient) -> LiveMarket:
        return LiveMarket(
            rest=rest,
            ws_url=self._options.ws_url,
            dice=self._dice,
            make_window=_make_window,
            bar_sink=self._bar_sink,
            on_listing=self._hear_contract,
            exposed=lambda: self.exposed(),
            options=MarketOptions(streams_per_connection=self._options.streams_per_connection),
        )

    def _watch(self, market: LiveMarket) -> None:
        unknown = [s for s in self._options.symbols if s not in market.instruments]
        if unknown:
            raise SettingFault(
                f"FIXED_SYMBOLS has {', '.join(unknown)}, which the exchange does not trade;"
                " allowed are its perpetuals in USDT"
            )
        traded = [s for s in self._options.symbols if market.instrument(s) is not None]
        for symbol in dict.fromkeys((*self._options.held, *traded)):
            self.watch(symbol, self._options.timeframes)

    async def _warm(self, market: LiveMarket) -> bool:
        # Each window must have been seen once: at high speed all at the same moment is too much.
        cold = {
            (symbol, timeframe)
            for symbol, timeframes in self._watched.items()
            for timeframe in timeframes
            if market.instrument(symbol) is not None
        }
        until_s = wall_monotonic_s() + READY_S
        while cold and wall_monotonic_s() < until_s:
            cold = {
                (symbol, timeframe)
                for symbol, timeframe in cold
                if symbol in self._watched
                and (market.window(symbol, timeframe) is None or market.mark_price(symbol) is None)
            }
            await wall_sleep_s(LOOK_S)
        return not cold

    def _tasks(self) -> list[Task]:
        watch = watch_input(self.market, self.odd_input)
        tasks = [self.market.run(), self._rest.keep_clock(), watch]
        return [*tasks, self._resync()] if self._options.resync_every_s else tasks

    async def _resync(self) -> None:
        while True:
            await wall_sleep_s(self._options.resync_every_s)
            await self._rest.sync_clock()

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()


class ExchangeWorld(_Base):
    """The account at the exchange, with its user stream."""

    def __init__(  # noqa: PLR0913 - the two keys are told apart by name
        self,
        options: WorldOptions,
        *,
        api_key: str,
        api_secret: str,
        clock: SystemClock,
        sink: EventSink,
        bar_sink: BarSink,
        gateway_options: GatewayOptions | None = None,
    ) -> None:
        super().__init__(options, clock=clock, sink=sink, bar_sink=bar_sink)
        credentials = Credentials(api_key=api_key, signer=signer_of(api_secret))
        self._rest = self._client(credentials)
        self.market = self._market(self._rest)
        self._gateway = Gateway(
            rest=self._rest,
            ws_url=options.ws_url,
            dice=self._dice,
            sink=sink,
            options=replace(
                gateway_options or GatewayOptions(),
                live=options.live,
                permissions=self._wallet_client(credentials),
            ),
        )
        self.odd_input = self._gateway.odd_input

    @property
    def venue(self) -> Venue:
        """The gateway."""
        return self._gateway

    async def prepare(self) -> None:
        """Clock, position mode, instruments with their brackets."""
        self.market.adopt_instruments(await self._gateway.prepare())
        self._watch(self.market)

    def tasks(self) -> list[Task]:
        """User stream, prices, clock."""
        return [self._gateway.run(), *self._tasks()]

    async def ready(self) -> bool:
        """Prices are warm and the user stream runs."""
        warm, heard = await asyncio.gather(self._warm(self.market), self._gateway.ready(READY_S))
        return warm and heard


class PaperWorld(_Base):
    """Real prices, pretend orders. `load` and `save` keep the pretend account."""

    def __init__(  # noqa: PLR0913 - plain parts, each needed once
        self,
        options: WorldOptions,
        *,
        wallet_usdt: Decimal,
        clock: SystemClock,
        sink: EventSink,
        bar_sink: BarSink,
        load: Callable[[], Awaitable[str | None]],
        save: Callable[[str], Awaitable[None]],
    ) -> None:
        super().__init__(options, clock=clock, sink=sink, bar_sink=bar_sink)
        self._rest.watch_rejected(self.odd_input.note)
        self.market = self._market(self._rest)
        self._wallet_usdt = wallet_usdt
        self._sink = sink
        self._load = load
        self._save = save
        self._exchange: Exchange | None = None
        self._venue: PaperVenue | None = None

    @property
    def venue(self) -> Venue:
        """The pretend account."""
        assert self._venue is not None, "prepare comes first"
        return self._venue

    async def prepare(self) -> None:
        """Clock, instruments, and the pretend account as it was left."""
        await self._rest.sync_clock()
        await self.market.load_instruments()
        self._watch(self.market)
        exchange = Exchange([], wallet_usdt=self._wallet_usdt)
        self._exchange = exchange
        self._list(*self._watched)
        kept = await self._load()
        if kept is not None:
            try:
                self._list(*symbols_in(kept))
                thaw(exchange, kept)
            except PaperStateUnreadable as fault:
                raise SettingFault(
                    f"DATABASE_URL holds a paper account that cannot be read ({fault}); allowed is"
                    " one written by this version: name another database to start anew"
                ) from None
        self._venue = PaperVenue(
            exchange,
            clock=self.clock,
            sink=self._sink,
            save=self._save_or_say,
            price_of=self._price_of,
        )

    def tasks(self) -> list[Task]:
        """Prices, clock, and the prices' way to the pretend exchange."""
        return [self._feed(), *self._tasks()]

    async def ready(self) -> bool:
        """Prices are warm."""
        return await self._warm(self.market)

    async def _feed(self) -> None:
        seen: dict[str, int] = {}
        assert self._venue is not None, "prepare comes first"
        self._sink(StreamRestored())  # Nothing stands between us and this account.
        while True:
            for symbol in self.symbols:
                mark = self.market.mark_price(symbol)
                if mark is not None and mark[1] != seen.get(symbol):
                    seen[symbol] = mark[1]
                    await self._venue.feed(symbol, mark[0])
            await wall_sleep_s(FEED_EVERY_S)

    def watch(self, symbol: str, timeframes: Iterable[str]) -> None:
        """The same; the pretend exchange trades what is watched, and goes on listing it."""
        super().watch(symbol, timeframes)
        self._list(symbol)

    def _list(self, *symbols: str) -> None:
        if self._exchange is None:
            return
        for symbol in symbols:
            known = self.market.instruments.get(symbol)
            # Leverage brackets are told to a key only: on paper those of a like symbol stand in,
            # and for a symbol that is gone the whole of it.
            like = instrument_of(symbol, 1.0)
            if known is not None:
                like = known if known.brackets else replace(known, brackets=like.brackets)
            self._exchange.list_instrument(like)

    def _price_of(self, symbol: str) -> Decimal | None:
        mark = self.market.mark_price(symbol)
        return mark[0] if mark is not None else None

    async def _save_or_say(self, text: str) -> None:
        try:
            await self._save(text)
        except StoreError as fault:  # the next change is kept again; the engine raises the alarm
            log.exception("paper_account_not_kept", reason=str(fault))


def _make_window(symbol: str, timeframe: str) -> CandleWindow:
    return CandleWindow(symbol, timeframe, capacity=WINDOW_BARS)
