"""A service on the scenarios' stage: made for this process, or run as one of its own.

As a process (`python -m tests.scenarios.actor JSON`) it prints {"ready": true}, then answers each
line of stdin: `signal` hands a signal in, `trades` tells the phases. SIGTERM stops it as it stops
the service.
"""

import asyncio
import json
import signal
import sys
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from bot.advisor.offline import RulesAdvisor
from bot.app.people import OWNER
from bot.app.service import AdvisorMaker, Hired, Makers, Service, ServiceOptions
from bot.app.worlds import ExchangeWorld, PaperWorld, World, WorldOptions
from bot.control.telegram import ControlSettings
from bot.core.guard import StopForm
from bot.core.messages import SignalRaised
from bot.core.presets import ApprovalMode, BotConfig
from bot.core.universe import Rules
from bot.shell import log as logs
from bot.shell.clock import Clock, SystemClock
from bot.shell.ports import BarSink, EventSink
from data.model import Direction, Signal
from data.money import round_to
from data.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one service is told."""

    rest: str
    ws: str
    telegram: str
    token: str
    api_key: str
    api_secret: str
    database: str
    symbol: str
    approval: str = "approve"
    ttl_ms: int = 60_000
    paper: bool = False  # real prices, orders on the pretend exchange inside the service

    def as_json(self) -> str:
        """For the command line of a process."""
        return json.dumps(asdict(self))


def service_of(
    part: Part,
    bot: BotConfig | None = None,
    symbols: tuple[str, ...] = (),
    universe: Rules | None = None,
    stop_form: StopForm = StopForm.CLOSE_POSITION,
    advisor: AdvisorMaker | None = None,
) -> Service:
    """The real service with real adapters on the stage's addresses; by default the story's bot."""

    def make_world(
        *,
        clock: SystemClock,
        store: Store,
        sink: EventSink,
        bar_sink: BarSink,
        exposed: tuple[str, ...],
    ) -> World:
        options = WorldOptions(
            rest_url=part.rest,
            ws_url=part.ws,
            symbols=symbols or (part.symbol,),
            timeframes=("1m",),
            held=exposed,
            sandbox_allowed=True,
        )
        if part.paper:
            return PaperWorld(
                options,
                wallet_usdt=Decimal(10_000),
                clock=clock,
                sink=sink,
                bar_sink=bar_sink,
                load=lambda: store.note("paper:story"),
                save=lambda text: store.set_note("paper:story", text, user_id=OWNER),
            )
        return ExchangeWorld(
            options,
            api_key=part.api_key,
            api_secret=part.api_secret,
            clock=clock,
            sink=sink,
            bar_sink=bar_sink,
        )

    def hire(clock: Clock, store: Store) -> Hired:
        if advisor is not None:
            return advisor(clock, store)
        return Hired(advisor=RulesAdvisor(clock=clock))

    control = ControlSettings(
        token=part.token,
        base_url=f"{part.telegram}/bot",
        mode_badge="TEST",
        pace=50.0,
        charts=False,
        poll_s=1,
    )
    bot = bot or BotConfig(
        bot_id="story",
        user_id=OWNER,
        account_id="main",
        timeframe="1m",
        approval_mode=ApprovalMode(part.approval),
        approval_ttl_ms=part.ttl_ms,
        score_threshold=99.5,  # only the story's own signals
        drift_bps_max=Decimal(500),
        confirm_bps=Decimal(500),
    )
    options = ServiceOptions(
        database_url=f"sqlite+aiosqlite:///{part.database}",
        venue_name="demo",
        bots=(bot,),
        universe=universe,
        stop_form=stop_form,
    )
    return Service(options, Makers(world=make_world, advisor=hire, control=control))


def signal_of(service: Service, symbol: str, name: str = "1", **parts: Any) -> SignalRaised:
    """A long signal at the present mark: stop 1 % below, target 2 % above."""
    assert service.world is not None
    market, now_ms = service.world.market, service.clock.now_ms()
    instrument, mark = market.instrument(symbol), market.mark_price(symbol)
    assert instrument is not None
    assert mark is not None
    tick, price = instrument.tick_size, mark[0]
    values: dict[str, Any] = {
        "signal_id": f"story-{name}",
        "bot_id": "story",
        "strategy": "continuation",
        "model": "continuation",
        "symbol": symbol,
        "timeframe": "1m",
        "bar_open_ms": now_ms - now_ms % 60_000,
        "raised_ms": now_ms,
        "direction": Direction.LONG,
        "entry_price": round_to(price, tick),
        "stop_price": round_to(price * Decimal("0.99"), tick),
        "target_price": round_to(price * Decimal("1.02"), tick),
        "score": 100.0,
    }
    return SignalRaised(
        signal=Signal(**{**values, **parts}),
        instrument=instrument,
        mark_price=price,
        mark_ms=mark[1],
    )


def _answer(service: Service, word: str, symbol: str) -> dict[str, Any]:
    desk = service.engine.desk
    if word == "signal":
        service.engine.post(signal_of(service, symbol))
        return {"ok": True}
    return {
        "phases": [trade.phase.value for trade in desk.trades.values()],
        "ids": list(desk.trades),
        "adopted": [trade.adopted for trade in desk.trades.values()],
        "entries": [len(trade.of_role(_entry())) for trade in desk.trades.values()],
        "bare_ms": [trade.unprotected_ms for trade in desk.trades.values()],
    }


def _entry() -> Any:
    from bot.core.trade import Role

    return Role.ENTRY


async def _serve(part: Part) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    service = service_of(part)
    running = asyncio.create_task(service.run(stop))
    ready = asyncio.create_task(service.ready.wait())
    await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        ready.cancel()
        running.result()
    print(json.dumps({"ready": True}), flush=True)  # noqa: T201 - this is its answer

    def hear() -> None:
        word = sys.stdin.readline().strip()
        if not word:
            loop.remove_reader(sys.stdin.fileno())
            return
        print(json.dumps(_answer(service, word, part.symbol)), flush=True)  # noqa: T201 - its answer

    loop.add_reader(sys.stdin.fileno(), hear)
    await running


if __name__ == "__main__":
    part = Part(**json.loads(sys.argv[1]))
    logs.configure(json_lines=True, secrets=(part.token, part.api_key, part.api_secret))
    asyncio.run(_serve(part))
