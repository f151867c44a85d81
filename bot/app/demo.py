"""The demo: the real service against pretend servers in a child process, and its report.

With a person, it prints the chat page's address and goes on until Ctrl-C. Headless, a scripted
person answers the cards for so many seconds; then no signal is taken, what is open is closed, and
our books are compared with the exchange's own, read past our client.

Must not know: how the service works.
"""

import asyncio
import json
import signal
import subprocess
import sys
import urllib.request
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import structlog

from bot.advisor.gemini import GeminiConfig
from bot.app.advisers import ModelPlan, hire_model, hire_rules
from bot.app.people import OWNER
from bot.app.report import Tally, report_of
from bot.app.service import Hired, Makers, Service, ServiceOptions
from bot.app.worlds import ExchangeWorld, World, WorldOptions
from bot.control.telegram import ControlSettings
from bot.core.messages import BotSwitched, CloseRequested
from bot.core.presets import MINUTE_MS, BotConfig, faults_of
from bot.core.trade import HOLDING
from bot.sandbox.person import Person
from bot.shell import log as logs
from bot.shell.clock import Clock, SystemClock, wall_monotonic_s, wall_sleep_s
from bot.shell.errors import SettingFault
from bot.shell.ports import BarSink, EventSink
from data.model import ExitReason
from data.store.store import Store

FOLDER: Final = Path("var/demo")
CHILD_READY_S: Final = 30.0
CHILD_STOP_S: Final = 5.0
READY_S: Final = 30.0
CLOSE_S: Final = 15.0
AGREE_S: Final = 5.0
TTL_S: Final = 60.0  # for a person to read a card
SCRIPTED_TTL_S: Final = 3.0
PROGRESS_S: Final = 10.0
BARS_EVERY_S: Final = 0.2
DEMO_USD: Final = Decimal(10)  # pretend money for the pretend model
TIMEFRAME: Final = "3m"  # a bar every six seconds at speed 30: a signal or two a minute
SCRIPTED_TIMEFRAME: Final = "5m"
RESYNC_S: Final = 2.0  # a sandbox that stalls lets our clock run ahead

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """The command line's options. `seconds` 0: until Ctrl-C."""

    tape: Path | None = None
    speed: float = 30.0
    port: int = 0
    headless: bool = False
    seconds: int = 0
    report: Path | None = None
    seed: int = 1
    advisor: str = "rules"
    folder: Path = FOLDER


def main(options: DemoOptions) -> int:
    """0: all agreed; 1: belief, orders or PnL differ from the exchange's; 2: a wrong argument."""
    options.folder.mkdir(parents=True, exist_ok=True)
    with (options.folder / "demo.log").open("w", encoding="utf-8") as lines:
        logs.configure(level="info", json_lines=True, stream=lines)
        try:
            return asyncio.run(_demo(options))
        except* SettingFault as faults:
            sys.stderr.write("\n".join(_words(faults)) + "\n")
    return 2


async def _demo(options: DemoOptions) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with _pretend_world(options) as world:
        await asyncio.to_thread(_fresh_database, options.folder)
        tally = Tally()
        service = _service(options, world, tally)
        person = Person(world["telegram"]["base_url"])
        try:
            async with asyncio.TaskGroup() as group:
                ending = asyncio.Event()
                running = group.create_task(service.run(ending))
                sys.stdout.write(f"Chat page: {world['telegram']['chat']}\n")
                sys.stdout.flush()
                telling = group.create_task(_tell_bars(service, person))
                try:
                    await _until_ready(service, running)
                    await _play(options, service, person, stop)
                    report = await _settle(options, service, tally, world)
                finally:
                    telling.cancel()
                    ending.set()
        finally:
            await person.close()
    if report is None:
        return 0
    text = json.dumps(report, indent=2) + "\n"
    if options.report is not None:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    agrees = report["our_pnl_usdt"] == report["exchange_income_usdt"]
    return 0 if report["belief_equals_exchange"] and not report["orphan_orders"] and agrees else 1


async def _play(
    options: DemoOptions, service: Service, person: Person, stop: asyncio.Event
) -> None:
    began_s = wall_monotonic_s()
    market = "seeded walk" if options.tape is None else str(options.tape)
    assert service.control is not None, "it is ready"
    await person.say(f"/start {service.control.pairing_code}")
    await person.show({"speed": f"{options.speed:g}x", "market": market})
    async with asyncio.TaskGroup() as group:
        if options.headless:
            group.create_task(person.run())
        told_s = began_s
        while not stop.is_set():
            now_s = wall_monotonic_s()
            if options.seconds and now_s - began_s >= options.seconds:
                break
            if options.headless and now_s - told_s >= PROGRESS_S:
                told_s = now_s
                _progress(now_s - began_s, service, person)
            await _wait(stop, 0.2)
        person.stop()


async def _tell_bars(service: Service, person: Person) -> None:
    """Keep the page's header at how far the reading of history is."""
    told = ""
    while True:
        so_far = service.world.market.warmup() if service.world is not None else None
        bars = f"{so_far.done} of {so_far.total} windows" if so_far is not None else "starting"
        if bars != told:
            told = bars
            await person.show({"bars": bars})
        await wall_sleep_s(BARS_EVERY_S)


def _progress(after_s: float, service: Service, person: Person) -> None:
    working = len(service.engine.desk.working())
    closed = len(service.engine.desk.closed)
    sys.stderr.write(
        f"{after_s:4.0f} s: {person.cards} cards, {working} trades at work, {closed} closed\n"
    )


async def _settle(
    options: DemoOptions, service: Service, tally: Tally, world: Any
) -> dict[str, object] | None:
    if not options.headless and options.report is None:
        return None
    engine = service.engine
    engine.post(BotSwitched(bot_id="", running=False, by="demo"))
    asked: set[str] = set()
    deadline_s = wall_monotonic_s() + CLOSE_S
    while engine.desk.working() and wall_monotonic_s() < deadline_s:
        for trade in engine.desk.working():
            if trade.phase in HOLDING and trade.trade_id not in asked:
                asked.add(trade.trade_id)
                reason = ExitReason.MANUAL
                engine.post(CloseRequested(trade_id=trade.trade_id, reason=reason, by="demo"))
        await wall_sleep_s(0.1)
    deadline_s = wall_monotonic_s() + AGREE_S
    while True:
        truth = await asyncio.to_thread(_truth, world["rest"])
        agrees = Decimal(truth["wallet"]) == engine.desk.wallet_usdt
        if (agrees and not engine.desk.working()) or wall_monotonic_s() >= deadline_s:
            break
        await wall_sleep_s(0.2)
    return report_of(
        tally, engine.desk, truth, speed=options.speed, advisor=options.advisor, seq=engine.seq
    )


def _fresh_database(folder: Path) -> None:
    for left in folder.glob("demo.db*"):
        left.unlink()
    # Migrations are made in a process of their own, as the unit does before the service starts:
    # loading them costs 11 MB that are never used again.
    done = subprocess.run(  # noqa: S603 - our own command, our own path
        [sys.executable, "-m", "bot", "db", "upgrade", "--url", _database_url(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SettingFault(f"the demo's database cannot be made: {done.stderr.strip()}")


def _database_url(folder: Path) -> str:
    return f"sqlite+aiosqlite:///{folder}/demo.db"


def _service(options: DemoOptions, world: Any, tally: Tally) -> Service:
    def make_world(
        *,
        clock: SystemClock,
        store: Store,
        sink: EventSink,
        bar_sink: BarSink,
        exposed: tuple[str, ...],
    ) -> World:
        del store, exposed  # a demo starts afresh
        return ExchangeWorld(
            WorldOptions(
                rest_url=world["rest"],
                ws_url=world["ws"],
                symbols=tuple(world["symbols"]),
                timeframes=(_timeframe(headless=options.headless),),
                sandbox_allowed=True,
                seed=options.seed,
                resync_every_s=RESYNC_S,
            ),
            api_key=world["api_key"],
            api_secret=world["api_secret"],
            clock=clock,
            sink=sink,
            bar_sink=bar_sink,
        )

    def hire(clock: Clock, store: Store) -> Hired:
        if options.advisor == "rules":
            return hire_rules(clock, store)
        config = GeminiConfig(
            api_key=world["gemini"]["api_key"], base_url=world["gemini"]["base_url"]
        )
        plan = ModelPlan(gemini=config, service_usd=DEMO_USD, user_usd=DEMO_USD)
        return hire_model(plan, clock, store)

    makers = Makers(
        world=make_world,
        advisor=hire,
        control=ControlSettings(
            token=world["telegram"]["token"],
            base_url=f"{world['telegram']['base_url']}/bot",
            mode_badge="DEMO",
            pace=max(1.0, options.speed / 10),
            charts=not options.headless,
        ),
        observers=[tally.observe],
    )
    return Service(
        ServiceOptions(
            database_url=_database_url(options.folder),
            venue_name="demo",
            bots=(demo_bot(options.speed, headless=options.headless),),
        ),
        makers,
    )


def demo_bot(speed: float, *, headless: bool) -> BotConfig:
    """A bot without daily limits, whose cards live long enough in wall time."""
    ttl_s = SCRIPTED_TTL_S if headless else TTL_S
    config = BotConfig(
        bot_id="demo",
        user_id=OWNER,
        account_id="main",
        timeframe=_timeframe(headless=headless),
        strategy_params=(("stop_atr", 3.0 if headless else 4.0), ("score_min", 50.0)),
        approval_ttl_ms=max(1_000, min(round(ttl_s * 1000 * speed), 24 * 60 * MINUTE_MS)),
        position_timeout_ms=180 * MINUTE_MS,
        leverage=5,
        notional_pct_max=Decimal(60),
        reward_risk_min=Decimal("0.3"),
        drift_bps_max=Decimal(1000 if headless else 300),
        confirm_bps=Decimal(1000 if headless else 100),
        score_threshold=70.0 if headless else 60.0,
        signals_per_day_max=0,
        trades_per_day_max=0,
        open_trades_max=5,
        daily_loss_pct_max=Decimal(0),
        # Twelve market hours without an entry are half an hour of watching nothing.
        memory_off=("loss_streak_pause",),
    )
    assert not faults_of(config), faults_of(config)
    return config


def _timeframe(*, headless: bool) -> str:
    return SCRIPTED_TIMEFRAME if headless else TIMEFRAME


@asynccontextmanager
async def _pretend_world(options: DemoOptions) -> AsyncIterator[Any]:
    arguments = ["--port", str(options.port), "--speed", str(options.speed)]
    arguments += ["--seed", str(options.seed)]
    if options.tape is not None:
        arguments += ["--tape", str(options.tape)]
    # A session of its own: Ctrl-C is for the service, which still has to close its books.
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "sandbox",
        "world",
        *arguments,
        stdout=PIPE,
        stderr=PIPE,
        start_new_session=True,
    )
    try:
        yield await _ready_line(child)
    finally:
        if child.returncode is None:
            child.terminate()
        try:
            async with asyncio.timeout(CHILD_STOP_S):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()


async def _ready_line(child: Process) -> Any:
    assert child.stdout is not None, "a pipe was asked for"
    assert child.stderr is not None, "a pipe was asked for"
    try:
        async with asyncio.timeout(CHILD_READY_S):
            line = await child.stdout.readline()
            if not line:
                words = (await child.stderr.read()).decode("utf-8", "replace").strip()
                raise SettingFault(words or "the pretend world did not start")
    except TimeoutError:
        raise SettingFault("the pretend world did not start in time") from None
    return json.loads(line)


async def _until_ready(service: Service, running: asyncio.Task[None]) -> None:
    deadline_s = wall_monotonic_s() + READY_S
    while not service.ready.is_set() and not running.done():
        if wall_monotonic_s() >= deadline_s:
            raise SettingFault("the service was not ready in time; see the log in var/demo")
        await wall_sleep_s(0.02)


def _truth(rest_url: str) -> Any:
    assert rest_url.startswith("http://127.0.0.1:"), rest_url
    with urllib.request.urlopen(f"{rest_url}/sandbox/truth", timeout=10) as answer:  # noqa: S310 - it is loopback: the line above made sure
        return json.load(answer)


async def _wait(stop: asyncio.Event, wall_s: float) -> None:
    try:
        async with asyncio.timeout(wall_s):
            await stop.wait()
    except TimeoutError:
        return


def _words(faults: BaseExceptionGroup[SettingFault]) -> list[str]:
    found: list[str] = []
    for fault in faults.exceptions:
        found += _words(fault) if isinstance(fault, BaseExceptionGroup) else [str(fault)]
    return found
