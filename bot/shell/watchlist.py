"""Keeps what is watched as it should be: the universe's rotation, listings, bots edited in chat.

What should be watched is decided in `bot.core`; here it is found out when to ask, done, and kept.
Jobs call `tick`, the engine calls `observe`, the feed calls `heard`: each only says "look again".
Slots and refreshes are market time; how soon a failed read is tried again is wall time.

Must not know: how anything is watched or read, or what a notice says.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final, Protocol

import structlog

from bot.core.desk import Desk
from bot.core.directions import BotRemoved
from bot.core.messages import BotConfigured, BotSwitched, ContractChanged
from bot.core.universe import (
    Contract,
    Ranking,
    Rules,
    UniverseState,
    missed,
    ranked,
    refresh_at_ms,
)
from bot.core.watching import UniverseView, Watching, changes_of, view_of, watching
from bot.shell.clock import Clock, wall_monotonic_s, wall_sleep_s
from bot.shell.errors import TheirWord, Unknown
from bot.shell.ports import EventSink
from bot.shell.steps import StepRecord
from data.journal import Codec, JournalFault
from data.model import Instrument

RETRY_S: Final = 60.0  # wall; a failed read of volumes costs as much as a good one
REREAD_S: Final = (
    2.0  # wall; after news of a contract: its neighbours' news come in the same second
)
TOLD_WINS_S: Final = 300.0  # wall; what was told live counts more than a list read just after it
PAUSE_S: Final = 0.05  # wall; a burst of news is one look
CODEC: Final = Codec((UniverseState,))

log = structlog.get_logger(__name__)


class Feed(Protocol):
    """What carries prices: told what to watch, asked what there is."""

    @property
    def instruments(self) -> Mapping[str, Instrument]:
        """All known instruments by symbol."""

    @property
    def watched(self) -> Mapping[str, tuple[str, ...]]:
        """What is watched now: timeframes by symbol."""

    def watch(self, symbol: str, timeframes: Iterable[str]) -> None:
        """Watch these timeframes of a symbol, besides those watched already."""

    def unwatch(self, symbol: str) -> None:
        """Watch a symbol no longer, and free what it bound."""

    def set_aside(self) -> Mapping[str, str]:
        """Watched symbols that are not to be traded on, with the reason in words."""

    def is_warm(self, symbol: str) -> bool:
        """Whether all bars of a watched symbol are there."""

    async def read_listing(self) -> Mapping[str, Contract]:
        """Read anew what is listed, and use its filters. Raises TheirWord or Unknown."""

    async def read_volumes(self) -> Mapping[str, Decimal]:
        """Quote volume of 24 hours by symbol. Raises TheirWord or Unknown."""


class Watchlist:
    """One per service. Order: make it, `run` as a task; `tick` now and then."""

    def __init__(  # noqa: PLR0913 - plain parts, each needed once
        self,
        rules: Rules,
        *,
        feed: Feed,
        clock: Clock,
        desk_of: Callable[[], Desk],
        sink: EventSink,
        load: Callable[[], Awaitable[str | None]],
        save: Callable[[str], Awaitable[None]],
    ) -> None:
        self._rules = rules
        self._feed = feed
        self._clock = clock
        self._desk_of = desk_of
        self._sink = sink
        self._load = load
        self._save = save
        self._state = UniverseState()
        self._kept = UniverseState()
        self._contracts: dict[str, Contract] = {}
        self._told: dict[str, tuple[Contract, float]] = {}  # live words, and when (wall)
        self._reread_at_s: float | None = 0.0
        self._found: Watching | None = None
        self._news = asyncio.Event()
        self._due = asyncio.Event()

    # ------------------------------------------------------------------------- who says "look"

    async def tick(self) -> None:
        """Time has passed: a slot may be over, a reading due."""
        self._news.set()
        self._due.set()

    def observe(self, record: StepRecord) -> None:
        """The desk made a step: a bot or a trade may have changed."""
        if record.changed or isinstance(
            record.event, BotConfigured | BotSwitched | BotRemoved | ContractChanged
        ):
            self._news.set()

    def heard(self, contract: Contract) -> None:
        """The exchange says live what a contract is now; what it was before is known here."""
        known = self._contracts.get(contract.symbol)
        if known is not None and known.tradable and contract.tradable:
            return  # a bracket or a margin changed: the next reading brings it
        if known == contract:
            return
        log.info(
            "contract_told",
            symbol=contract.symbol[:40],
            status=contract.status,
            delivery_ms=contract.delivery_ms,
        )
        now_s = wall_monotonic_s()
        if contract.tradable:
            self._told.pop(contract.symbol, None)  # its filters come with the next reading
        elif known is not None:
            self._contracts[contract.symbol] = contract
            self._told[contract.symbol] = (contract, now_s)
            if known.tradable:
                self._sink(ContractChanged(contract=contract))
        self._reread_at_s = now_s + REREAD_S

    def view(self) -> UniverseView:
        """What /universe shows at this moment."""
        found = self._found or self._look()
        cold = tuple(s for s in found.watches if not self._feed.is_warm(s))
        return view_of(
            found,
            self._state.ranking,
            self._rules,
            self._retry_ms(),
            feed=self._feed.set_aside(),
            warming=cold,
        )

    # -------------------------------------------------------------------------------- the loop

    async def run(self) -> None:
        """Look whenever something changed; forever. Ends only by cancellation."""
        await self._restore()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read_forever())
            while True:
                self._settle()
                await self._keep()
                await self._news.wait()
                await wall_sleep_s(PAUSE_S)
                self._news.clear()

    def _look(self) -> Watching:
        return watching(
            self._state,
            self._rules,
            self._desk_of(),
            self._feed.instruments,
            self._clock.now_ms(),
        )

    def _settle(self) -> None:
        found = self._look()
        before = self._feed.watched
        gone = [symbol for symbol in before if symbol not in found.watches]
        new = [symbol for symbol in found.watches if symbol not in before]
        for symbol in gone:
            self._feed.unwatch(symbol)
        for symbol, wanted in found.watches.items():
            if symbol in new or set(wanted.timeframes) - set(before[symbol]):
                self._feed.watch(symbol, wanted.timeframes)
        if gone or new:
            log.info("universe_changed", watched=len(found.watches), new=new, gone=gone)
        self._found = found
        self._state = replace(self._state, rotation=found.rotation)

    def _retry_ms(self) -> int:
        return round(RETRY_S * 1000 * self._clock.speed)

    # ---------------------------------------------------------------------------------- reading

    async def _read_forever(self) -> None:
        while True:
            refresh = self._clock.now_ms() >= self._refresh_at_ms()
            again_s = self._reread_at_s
            if refresh or (again_s is not None and wall_monotonic_s() >= again_s):
                await self._read_listing()
            if refresh:
                await self._read_volumes()
            await self._due.wait()
            self._due.clear()

    def _refresh_at_ms(self) -> int:
        return refresh_at_ms(self._state.ranking, self._rules, self._retry_ms())

    async def _read_listing(self) -> None:
        try:
            contracts = dict(await self._feed.read_listing())
        except (TheirWord, Unknown) as fault:
            log.warning("listing_not_read", reason=str(fault)[:200])
            self._reread_at_s = wall_monotonic_s() + RETRY_S
            return
        now_s = wall_monotonic_s()
        self._told = {s: t for s, t in self._told.items() if now_s - t[1] < TOLD_WINS_S}
        for symbol, (contract, _) in self._told.items():
            contracts[symbol] = contract
        self._reread_at_s = now_s + TOLD_WINS_S if self._told else None
        before, self._contracts = self._contracts, contracts
        for contract, listed in changes_of(self._desk_of(), before, contracts):
            log.info(
                "contract_changed", symbol=contract.symbol, status=contract.status, listed=listed
            )
            self._sink(ContractChanged(contract=contract, listed=listed))
        self._news.set()

    async def _read_volumes(self) -> None:
        if not self._rules.top:
            now_ms = self._clock.now_ms()
            self._state = replace(self._state, ranking=Ranking(ranked_ms=now_ms, tried_ms=now_ms))
            return
        try:
            volumes = await self._feed.read_volumes()
        except (TheirWord, Unknown) as fault:
            ranking = missed(self._state.ranking, str(fault)[:200], self._clock.now_ms())
        else:
            ranking = ranked(
                self._state.ranking,
                self._rules,
                self._feed.instruments,
                volumes,
                self._clock.now_ms(),
            )
        if ranking.fault:
            log.warning("universe_not_ranked", reason=ranking.fault)
        else:
            log.info(
                "universe_ranked",
                candidates=len(ranking.symbols),
                set_aside=len(ranking.set_aside),
            )
        self._state = replace(self._state, ranking=ranking)
        self._news.set()

    # ---------------------------------------------------------------------------------- keeping

    async def _restore(self) -> None:
        text = await self._load()
        if text is None:
            return
        try:
            kept = CODEC.decode(text)
        except JournalFault as fault:
            log.warning("universe_not_restored", reason=str(fault)[:200])
            return
        assert isinstance(kept, UniverseState), "the codec knows no other record"
        if kept.ranking.ranked_ms > self._clock.now_ms():  # another exchange's time
            kept = replace(kept, ranking=replace(kept.ranking, ranked_ms=0, tried_ms=0))
        self._state = self._kept = kept

    async def _keep(self) -> None:
        if self._state == self._kept:
            return
        kept = self._state
        await self._save(CODEC.encode(kept))
        self._kept = kept
