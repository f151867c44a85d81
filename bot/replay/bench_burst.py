"""How fast ten entries leave when 120 bars close at once: from the last frame to the last bytes.

The real market, bar queue, strategy, engine, journal and gateway over sockets; the other side is a
peer in a process of its own. All bars are looked at; ten of them are made to signal, the adviser
says yes at once and nobody is asked. Must not know: how the result is shown.
"""

import asyncio
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import aiohttp

from bot.core.desk_state import Desk
from bot.core.messages import (
    BotConfigured,
    BotSwitched,
    CloseRequested,
    PlaceOrder,
)
from bot.core.presets import ApprovalMode, BotConfig
from bot.core.strategies.window import Bars, Context
from bot.core.trade import Role
from bot.replay.bench_child import child
from bot.replay.bench_protect import ACCOUNT, USER, Nobody, Yes, add_people, question_of
from bot.shell import process
from bot.shell.analyst import Analyst
from bot.shell.bar_queue import BarQueue
from bot.shell.clock import SystemClock, wall_monotonic_s, wall_sleep_s
from bot.shell.engine import Engine
from bot.shell.recorder import Recorder
from bot.shell.steps import Ports
from bot.shell.strategy_book import StrategyBook
from bot.venue.gateway import Gateway, GatewayOptions
from bot.venue.market import LiveMarket, MarketOptions
from bot.venue.rest import Credentials, RestAddress, RestClient, open_session
from bot.venue.wire import HmacSigner
from bot.venue.wire_weight import WeightBudget
from data.candles import CandleWindow
from data.model import Direction, ExitReason, OrderKind, Signal
from data.money import round_to
from data.store.rows import JournalRow, StepRow
from data.store.store import Store
from memory.verdict import RULE_IDS

BARS: Final = 120
ENTRIES: Final = 10
ROUNDS: Final = 60
WARM_UP: Final = 5  # first rounds pay for connections and caches
MINUTE_MS: Final = 60_000
WAIT_S: Final = 30.0
SECRET: Final = "bench"  # noqa: S105 - a pretend key for a peer that checks nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class BurstReport:
    """Milliseconds, one for each round, in order of time; and the floor of the same run."""

    took_ms: tuple[float, ...]
    floor_ms: tuple[float, ...]  # ten bare POSTs behind two durable commits of ten steps

    def percentile(self, share: float) -> float:
        """The value below which that share of the rounds lies."""
        return percentile_of(self.took_ms, share)

    def in_words(self) -> str:
        """The distribution on one line."""
        shares = (0.0, 0.1, 0.5, 0.9, 0.99, 1.0)
        told = [f"p{share * 100:g} {self.percentile(share):.2f}" for share in shares]
        floor = [f"p{s * 100:g} {percentile_of(self.floor_ms, s):.2f}" for s in (0.5, 0.99)]
        return f"react_burst ms: {', '.join(told)}; floor {', '.join(floor)}"


def percentile_of(values: tuple[float, ...], share: float) -> float:
    """The value below which that share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class _Market(LiveMarket):
    """Notes when the latest frame was heard."""

    heard_s = 0.0

    def hear(self, stream: bytes, frame: bytes) -> None:
        self.heard_s = wall_monotonic_s()
        super().hear(stream, frame)


class _Book(StrategyBook):
    """Asks the strategy for every bar, and signals where this round is meant to."""

    def __init__(self) -> None:
        super().__init__()
        self.meant: frozenset[str] = frozenset()

    def ask(self, config: BotConfig, bars: Bars, context: Context) -> Signal | None:
        super().ask(config, bars, context)
        symbol = context.instrument.symbol
        if symbol not in self.meant:
            return None
        tick, price = context.instrument.tick_size, Decimal("60000.1")
        return Signal(
            signal_id=f"{symbol}-{int(bars.open_ms[-1])}",
            bot_id=config.bot_id,
            strategy="continuation",
            model="continuation",
            symbol=symbol,
            timeframe=context.timeframe,
            bar_open_ms=int(bars.open_ms[-1]),
            raised_ms=context.now_ms,
            direction=Direction.LONG,
            entry_price=round_to(price, tick),
            stop_price=round_to(price * Decimal("0.97"), tick),
            target_price=round_to(price * Decimal("1.06"), tick),
            score=99.0,
        )


class _Bench:
    """One service's parts, put together as the service does."""

    def __init__(self, ready: dict[str, Any], store: Store, session: aiohttp.ClientSession) -> None:
        self.clock = SystemClock()
        self.sent_s: list[float] = []
        self.book = _Book()
        self._ready = ready
        self._session = session
        rest = RestClient(
            address=RestAddress(base_url=ready["rest"]),
            session=session,
            clock=self.clock,
            budget=WeightBudget(limit=1_000_000),
            dice=random.Random(1),
            credentials=Credentials(api_key=SECRET, signer=HmacSigner(SECRET)),
        )
        self.gateway = Gateway(
            rest=rest,
            ws_url=ready["ws"],
            dice=random.Random(1),
            sink=lambda event: self.engine.post(event),
            options=GatewayOptions(on_sent=self._sent, dead_man=False),
        )
        self.market = _Market(
            rest=rest,
            ws_url=ready["ws"],
            dice=random.Random(1),
            make_window=lambda symbol, timeframe: CandleWindow(symbol, timeframe, capacity=500),
            bar_sink=lambda candle: self.bars.hear(candle),
            options=MarketOptions(streams_per_connection=1_000, silence_s=600, stale_s=600),
        )
        self.engine = Engine(
            Desk(account_id=ACCOUNT, user_id=USER),
            ports=Ports(
                journal=Recorder(store),
                venue=self.gateway,
                advisor=Yes(),
                notifier=Nobody(),
                question_of=question_of,
                mark_price=self.market.mark_price,
            ),
            clock=self.clock,
        )
        analyst = Analyst(
            market=self.market,
            clock=self.clock,
            desk_of=lambda: self.engine.desk,
            sink=self.engine.post,
            book=self.book,
        )
        self.bars = BarQueue(analyst)

    async def run(self) -> list[float]:
        """All rounds; milliseconds of each."""
        self.market.adopt_instruments(await self.gateway.prepare())
        symbols = tuple(self.market.instruments)
        for symbol in symbols:
            self.market.watch(symbol, ("1m",))
        async with asyncio.TaskGroup() as group:
            tasks = [self.gateway.run(), self.market.run(), self.bars.run()]
            companions = [group.create_task(task) for task in tasks]
            group.create_task(self.engine.run())
            self.engine.post(BotConfigured(config=_config(), by=USER))
            self.engine.post(BotSwitched(bot_id="", running=True, by=USER))
            assert await self.gateway.ready(WAIT_S), "no user stream"
            assert await self.market.ready(WAIT_S), "the market is not warm"
            await _until(lambda: self.engine.desk.ready)
            at_ms = self.clock.now_ms() // MINUTE_MS * MINUTE_MS
            took_ms = []
            for number in range(ROUNDS + WARM_UP):
                at_ms += MINUTE_MS
                first = number * ENTRIES % len(symbols)
                self.book.meant = frozenset((symbols * 2)[first : first + ENTRIES])
                took_ms.append(await self._round(at_ms))
            await self.engine.stop()
            for companion in companions:
                companion.cancel()
        return took_ms[WARM_UP:]

    async def _round(self, at_ms: int) -> float:
        self.sent_s.clear()
        self.clock.set_now(at_ms)
        async with self._session.post(f"{self._ready['rest']}/burst?at_ms={at_ms}") as response:
            assert response.status == 200
        await _until(lambda: len(self.sent_s) == ENTRIES)
        took_ms = (self.sent_s[-1] - self.market.heard_s) * 1e3
        for trade in self.engine.desk.working():
            asked = CloseRequested(trade_id=trade.trade_id, reason=ExitReason.MANUAL, by=USER)
            self.engine.post(asked)
        await _until(lambda: not self.engine.desk.working())
        return took_ms

    def _sent(self, command: PlaceOrder, sent_ns: int) -> None:
        if command.order.role is Role.ENTRY:
            self.sent_s.append(sent_ns / 1e9)


async def measure() -> BurstReport:
    """Every round, and after it all the floor."""
    process.settle()
    with (
        tempfile.TemporaryDirectory() as folder,
        child("bot.sandbox.burst_peer", "--symbols", str(BARS)) as ready,
    ):
        store = await Store.open(f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}")
        try:
            await add_people(store)
            async with open_session() as session:
                took_ms = await _Bench(ready, store, session).run()
            floor_ms = await _floor_ms(store, ready["rest"])
        finally:
            await store.close()
    return BurstReport(took_ms=tuple(took_ms), floor_ms=tuple(floor_ms))


async def _floor_ms(store: Store, base_url: str) -> list[float]:
    """What disk and sockets take whatever we do: two commits of ten steps, then ten bare POSTs."""
    took, body, seq = [], "x" * 4_000, 0
    async with aiohttp.ClientSession() as session:
        for _ in range(ROUNDS + WARM_UP):
            began_s = wall_monotonic_s()
            for _ in range(2):
                rows = []
                for seq in range(seq + 1, seq + 1 + ENTRIES):  # noqa: B020 - it counts on
                    row = JournalRow(
                        account_id="floor",
                        seq=seq,
                        user_id=USER,
                        at_ms=0,
                        kind="SignalRaised",
                        trade_id=None,
                        event=body,
                        commands="[]",
                    )
                    rows.append(StepRow(journal=row, desk_body=body))
                await store.commit_step(*rows)
            await asyncio.gather(*(_post(session, base_url) for _ in range(ENTRIES)))
            took.append((wall_monotonic_s() - began_s) * 1e3)
    return took[WARM_UP:]


async def _post(session: aiohttp.ClientSession, base_url: str) -> None:
    async with session.post(f"{base_url}/bare") as response:
        assert response.status == 200
        await response.read()


async def _until(done: Callable[[], bool]) -> None:
    deadline_s = wall_monotonic_s() + WAIT_S
    while not done():
        assert wall_monotonic_s() < deadline_s, "the burst got stuck"
        await wall_sleep_s(0.002)


def _config() -> BotConfig:
    return BotConfig(
        bot_id="bench",
        user_id=USER,
        account_id=ACCOUNT,
        timeframe="1m",
        approval_mode=ApprovalMode.AUTO,
        entry_kind=OrderKind.LIMIT,
        signals_per_day_max=0,
        trades_per_day_max=0,
        open_trades_max=ENTRIES,
        daily_loss_pct_max=Decimal(0),
        risk_pct=Decimal("0.1"),
        drift_bps_max=Decimal(500),
        memory_off=RULE_IDS,
    )
