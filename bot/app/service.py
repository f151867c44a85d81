"""The service: one desk with its engine, a world to trade in, people to ask, in order.

Start: database, desk as it was left, world (clock, instruments), then everything runs at once. What
is held is protected first: the account is read, adopted and given its stops without waiting for
prices, chat or even the user stream (`recovered`, systemd's READY=1). `ready` follows once prices
are warm and people are heard; there are no entries before. Stop: the engine settles and commits,
people hear the last words, then connections and database close.

Must not know: settings; it is handed plain parts.
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

import structlog

from bot.app.analysis import Analysis, AnalysisPlan
from bot.app.digests import DIGEST_LOOK_S, DailyDigest
from bot.app.lights import lights_of
from bot.app.people import OWNER, ensure_people
from bot.app.preparing import READY_S, first, prepared
from bot.app.universe import look_every_s, make_watchlist
from bot.app.worlds import World
from bot.control.telegram import ControlSettings, ControlWorld, TelegramControl
from bot.control.views.status import Light
from bot.core.desk import Desk, reopened
from bot.core.directions import AnalysisDue
from bot.core.editing import renewed
from bot.core.guard import StopForm
from bot.core.messages import BotConfigured, BotSwitched, Event, SignalRaised, Tell
from bot.core.presets import BotConfig
from bot.core.timing import Timing
from bot.core.universe import Rules
from bot.shell.clock import Clock, SystemClock, wall_monotonic_s, wall_sleep_s
from bot.shell.engine import Engine
from bot.shell.errors import Unknown
from bot.shell.jobs import Jobs
from bot.shell.marks import MarkWatch
from bot.shell.metrics import Metrics, Page
from bot.shell.ports import Advisor, BarSink, EventSink, Notifier
from bot.shell.process import rss_mb_peak
from bot.shell.questions import Questions
from bot.shell.recorder import LineRecord, Recorder, load_desk
from bot.shell.rounds import Rounds
from bot.shell.shadows import ShadowLedger
from bot.shell.steps import Observer, Ports
from bot.shell.systemd import Systemd
from bot.shell.watchlist import Watchlist
from data.model import Candle
from data.store.store import Store
from memory.shadow import Costs

LOOK_S: Final = 0.02
PULSE_S: Final = 3_600.0
ROUNDS_S: Final = 1.0
ALIVE_EVERY_S: Final = 1.0

log = structlog.get_logger(__name__)


class WorldMaker(Protocol):
    """Builds a world around the engine's and the analyst's ears."""

    def __call__(
        self,
        *,
        clock: SystemClock,
        store: Store,
        sink: EventSink,
        bar_sink: BarSink,
        exposed: tuple[str, ...],
    ) -> World:
        """The world, not yet prepared; `exposed`: symbols with a trade at work."""


async def _nothing() -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Hired:
    """An adviser with what it needs before its first question and after its last."""

    advisor: Advisor
    warm_up: Callable[[], Coroutine[None, None, None]] = _nothing
    close: Callable[[], Coroutine[None, None, None]] = _nothing
    detail: Callable[[], str] | None = None  # what /status shows of it; None: its name
    listen: Callable[[Callable[[Tell], None]], None] | None = None  # where it tells people
    cost_of: Callable[[int], str] = lambda _day: ""  # what a UTC day's model cost, in words
    by_model: bool = False  # it can open without a strategy's signal


AdvisorMaker = Callable[[Clock, Store], Hired]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceOptions:
    """Plain values of one service."""

    database_url: str
    account_id: str = "main"
    venue_name: str = "paper"  # what the account's row says of where it trades
    bots: tuple[BotConfig, ...] = ()
    universe: Rules | None = None  # None: what the world watches at first, and what bots name
    stop_form: StopForm = StopForm.CLOSE_POSITION
    shadow_costs: Costs = field(default_factory=Costs)
    metrics_port: int = 0
    record: Path | None = None
    notify_address: str | None = None
    owner_chat: int | None = None  # the owner's Telegram id, when it is known beforehand


@dataclass(slots=True, kw_only=True)
class Makers:
    """What the composition root chose."""

    world: WorldMaker
    advisor: AdvisorMaker
    control: ControlSettings
    observers: list[Observer] = field(default_factory=list)
    analysis: AnalysisPlan = field(default_factory=AnalysisPlan)


class Service:
    """One running service. `run` returns after `stop` was set and all is put away."""

    def __init__(self, options: ServiceOptions, makers: Makers) -> None:
        self._options = options
        self._makers = makers
        self._clock = SystemClock()
        self._systemd = Systemd(options.notify_address)
        self._alive_s = 0.0
        self._engine: Engine | None = None
        self._early: list[Event] = []
        self._hired: Hired | None = None
        self._watchlist: Watchlist | None = None
        self._analysis: Analysis | None = None
        self._shadows: ShadowLedger | None = None
        self.control: TelegramControl | None = None
        self.world: World | None = None
        self.recovered = asyncio.Event()  # the desk has read its account
        self.ready = asyncio.Event()  # ... and prices are warm, people are heard
        self.ready_s = 0.0
        self._listening = asyncio.Event()

    @property
    def engine(self) -> Engine:
        """The engine; once `run` has made it."""
        assert self._engine is not None, "not started"
        return self._engine

    @property
    def watchlist(self) -> Watchlist:
        """What is watched; once `run` has made it."""
        assert self._watchlist is not None, "not started"
        return self._watchlist

    @property
    def clock(self) -> SystemClock:
        """Exchange time."""
        return self._clock

    async def run(self, stop: asyncio.Event) -> None:
        """Start, trade until `stop`, put everything away. Raises SettingFault and what is ours."""
        began_s = wall_monotonic_s()
        store = await Store.open(self._options.database_url)
        try:
            await self._trade(store, stop, began_s)
        finally:
            await store.close()
            log.info("service_stopped")

    async def _trade(self, store: Store, stop: asyncio.Event, began_s: float) -> None:
        options = self._options
        await ensure_people(
            store,
            options.account_id,
            options.venue_name,
            self._clock.now_ms(),
            options.owner_chat,
        )
        desk, seq = await load_desk(store, options.account_id, OWNER)
        analyst_ears: list[BarSink] = []
        world = self._makers.world(
            clock=self._clock,
            store=store,
            sink=self._post,
            bar_sink=lambda candle: _hand_on(analyst_ears, candle),
            exposed=tuple(trade.symbol for trade in desk.working()),
        )
        self.world = world
        hired = self._hired = self._makers.advisor(self._clock, store)
        try:
            if not await prepared(world, began_s, stop):
                return
            engine = self._make_engine(store, world, hired, desk, seq)
            self._analysis = Analysis(
                replace(self._makers.analysis, by_model=hired.by_model),
                market=world.market,
                clock=self._clock,
                desk_of=self._desk,
                sink=self._post,
                notifier=self._notifier(),
            )
            self._shadows = ShadowLedger(
                account_id=options.account_id,
                store=store,
                market=world.market,
                clock=self._clock,
                read_trade=Recorder.read_trade,
                costs=options.shadow_costs,
            )
            engine.watch(self._shadows.observe)
            analyst_ears += [self._analysis.hear, self._shadows.hear]
            await self._run_all(store, engine, world, hired, stop, began_s)
        finally:
            await hired.close()
            await world.close()

    def _make_engine(
        self, store: Store, world: World, hired: Hired, desk: Desk, seq: int
    ) -> Engine:
        options = self._options
        self.control = TelegramControl(
            self._makers.control,
            ControlWorld(
                store=store,
                sink=self._post,
                market=world.market,
                desk_of=self._desk,
                clock=self._clock,
                random_bytes=secrets.token_bytes,
                read_trade=Recorder.read_trade,
                lights=lambda: self._lights(world, hired),
                universe=lambda: self.watchlist.view(),
                cost_of=hired.cost_of,
            ),
        )
        desk = reopened(desk, Timing().at_speed(self._clock.speed), self._clock.now_ms())
        desk = replace(desk, stop_form=options.stop_form)
        questions = Questions(market=world.market, clock=self._clock)
        engine = Engine(
            desk,
            ports=Ports(
                journal=Recorder(store),
                venue=world.venue,
                advisor=hired.advisor,
                notifier=self._notifier(),
                question_of=questions.question_of,
                mark_price=world.market.mark_price,
            ),
            clock=self._clock,
            seq=seq,
            on_beat=self._beat,
        )
        if hired.listen is not None:
            hired.listen(lambda told: self._notifier().tell(told, None, self._desk()))
        for observer in self._makers.observers:
            engine.watch(observer)
        self._engine = engine
        self._watchlist = make_watchlist(
            options.universe,
            world=world,
            store=store,
            account_id=options.account_id,
            user_id=OWNER,
            desk_of=self._desk,
            sink=self._post,
        )
        engine.watch(self._watchlist.observe)
        for event in (*_wanted_bots(desk, options.bots), *self._early):
            engine.post(event)
        self._early.clear()
        log.info("desk_loaded", account=options.account_id, seq=seq, trades=len(desk.working()))
        return engine

    async def _run_all(
        self,
        store: Store,
        engine: Engine,
        world: World,
        hired: Hired,
        stop: asyncio.Event,
        began_s: float,
    ) -> None:
        assert self.control is not None, "made with the engine"
        page = self._metrics(engine)
        record = LineRecord(self._options.record) if self._options.record is not None else None
        if record is not None:
            engine.watch(record.write)
        jobs = self._make_jobs(world, hired)
        digests = DailyDigest(
            store, clock=self._clock, ready=lambda: self._desk().ready, tell=self.control.tell_day
        )
        jobs.every("digest", DIGEST_LOOK_S, digests.tick)
        try:
            async with asyncio.TaskGroup() as group:
                loop = group.create_task(engine.run(), name="engine")
                talk = group.create_task(self._talk(self.control), name="control")
                world_tasks = [group.create_task(task) for task in world.tasks()]
                world_tasks.append(group.create_task(self.watchlist.run(), name="watchlist"))
                assert self._analysis is not None, "made with the world"
                assert self._shadows is not None, "made with the world"
                world_tasks += [group.create_task(task) for task in self._analysis.tasks()]
                world_tasks.append(group.create_task(self._shadows.run(), name="shadows"))
                eye = MarkWatch(
                    desk_of=self._desk, mark_price=world.market.mark_price, sink=self._post
                )
                world_tasks.append(group.create_task(eye.run(), name="marks"))
                jobs.start()
                opening = group.create_task(self._open(world, began_s), name="opening")
                group.create_task(hired.warm_up(), name="warm-up")
                await first(stop, loop)
                opening.cancel()
                self._systemd.stopping()
                log.info("service_stopping", trades=len(engine.desk.working()))
                await engine.stop()
                await self.control.stop()
                await talk
                for task in world_tasks:
                    task.cancel()
        finally:
            jobs.stop()
            if page is not None:
                page.close()
            if record is not None:
                record.close()

    def _make_jobs(self, world: World, hired: Hired) -> Jobs:
        jobs = Jobs()
        jobs.every("pulse", PULSE_S, self._pulse)
        if hired.by_model:
            rounds = Rounds(
                market=world.market,
                clock=self._clock,
                desk_of=self._desk,
                symbols_of=lambda: world.symbols,
                sink=self._post,
            )
            jobs.every("rounds", ROUNDS_S, rounds.tick)
        look_s = look_every_s(self._options.universe, self._clock.speed)
        jobs.every("universe", look_s, self.watchlist.tick)
        return jobs

    async def _talk(self, control: TelegramControl) -> None:
        # Beside the engine: a stop waits neither for chat nor for what is to be said in it.
        try:
            await control.start()
        except BaseException:
            await control.close()
            raise
        self._listening.set()
        await control.run()

    async def _open(self, world: World, began_s: float) -> None:
        deadline_s = wall_monotonic_s() + READY_S
        while not self.engine.desk.ready:
            if wall_monotonic_s() >= deadline_s:
                raise Unknown("the exchange did not tell the account in time")
            await wall_sleep_s(LOOK_S)
        self.recovered.set()
        self._systemd.ready("the account was read; prices are warming up")
        log.info("account_recovered", after_s=round(wall_monotonic_s() - began_s, 2))
        if not await world.ready():
            log.warning("world_not_ready_yet", hint="prices or user stream are missing")
        await self._listening.wait()
        self.ready_s = wall_monotonic_s() - began_s
        self.ready.set()
        self._systemd.ready("trading")
        log.info("service_ready", after_s=round(self.ready_s, 2))

    def _post(self, event: Event) -> None:
        if self._engine is None:
            if not isinstance(event, SignalRaised | AnalysisDue):
                self._early.append(event)
            return
        self._engine.post(event)

    def _desk(self) -> Desk:
        return self.engine.desk

    def _notifier(self) -> Notifier:
        assert self.control is not None, "made before the engine"
        return self.control

    def _lights(self, world: World, hired: Hired) -> list[Light]:
        lights = lights_of(world, self._desk(), self._clock, _told_of(hired))
        return [*lights, *([self._analysis.light()] if self._analysis is not None else [])]

    def _beat(self) -> None:
        now_s = wall_monotonic_s()
        if now_s - self._alive_s >= ALIVE_EVERY_S:
            self._alive_s = now_s
            self._systemd.alive()

    def _metrics(self, engine: Engine) -> Page | None:
        if not self._options.metrics_port:
            return None
        metrics = Metrics()
        engine.watch(metrics.observe)
        return metrics.serve(self._options.metrics_port)

    async def _pulse(self) -> None:
        engine = self.engine
        log.info(
            "pulse",
            rss_mb_peak=rss_mb_peak(),
            trades=len(engine.desk.working()),
            waiting=engine.waiting,
            dropped=engine.dropped,
            seq=engine.seq,
            adviser=_told_of(self._hired),
        )


def _told_of(hired: Hired | None) -> str:
    if hired is None:
        return ""
    return hired.advisor.name if hired.detail is None else hired.detail()


def _hand_on(ears: Sequence[BarSink], candle: Candle) -> None:
    for ear in ears:
        ear(candle)


def _wanted_bots(desk: Desk, wanted: Sequence[BotConfig]) -> list[Event]:
    events: list[Event] = []
    for one in wanted:
        config = renewed(desk.bots.get(one.bot_id), one)
        if desk.bots.get(config.bot_id) != config:
            events.append(BotConfigured(config=config, by="settings"))
        if config.bot_id not in desk.bots:
            events.append(BotSwitched(bot_id=config.bot_id, running=True, by="settings"))
    return events
