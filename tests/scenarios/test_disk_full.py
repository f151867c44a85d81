"""The disk fills up while a trade is open: real engine, real store, pretend exchange."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

from bot.core.desk_state import Desk
from bot.core.messages import (
    AskAdvisor,
    BotConfigured,
    BotSwitched,
    Question,
    ShowCard,
    SignalRaised,
    StreamRestored,
    Tell,
)
from bot.core.trade import Outcome, Phase, Trade
from bot.sandbox.exchange import Exchange
from bot.sandbox.paper import PaperVenue
from bot.shell.clock import SystemClock, wall_monotonic_s, wall_sleep_s
from bot.shell.engine import DISK_FULL, Engine
from bot.shell.recorder import Recorder, load_desk
from bot.shell.steps import Ports
from data.model import Decision, ExitReason
from data.store.rows import AccountRow, UserRole, UserRow
from data.store.store import Store
from tests.core import build

WAIT_S = 8.0


class Yes:
    """An adviser that opens whatever it is asked about."""

    name = "rules"

    async def decide(self, question: Question, deadline_ms: int) -> Decision:
        """Open."""
        del deadline_ms
        return build.decision(symbol=question.symbol)


class Ears:
    """Everything people were told."""

    def __init__(self) -> None:
        self.kinds: list[str] = []

    def show_card(self, command: ShowCard, trade: Trade, desk: Desk) -> None:
        """Not in this story."""

    def tell(self, command: Tell, trade: Trade | None, desk: Desk) -> None:
        """Remember the kind."""
        del trade, desk
        self.kinds.append(command.kind)

    def trade_changed(self, trade: Trade, desk: Desk) -> None:
        """Not in this story."""


class Stage:
    """One engine over a store that can be told how large it may grow."""

    def __init__(self, store: Store, desk: Desk, seq: int) -> None:
        self.store = store
        self.clock = SystemClock(start_ms=build.NOW_MS)
        self.exchange = Exchange([build.instrument(), build.instrument(symbol="ETHUSDT")])
        self.ears = Ears()
        self.venue = PaperVenue(
            self.exchange,
            clock=self.clock,
            sink=lambda event: self.engine.post(event),
            save=_forget,
        )
        self.engine = Engine(
            desk,
            ports=Ports(
                journal=Recorder(store),
                venue=self.venue,
                advisor=Yes(),
                notifier=self.ears,
                question_of=_question_of,
                mark_price=lambda _symbol: (build.PRICE, self.clock.now_ms()),
            ),
            clock=self.clock,
            seq=seq,
        )

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait, bounded."""
        deadline_s = wall_monotonic_s() + WAIT_S
        while not done():
            assert wall_monotonic_s() < deadline_s, f"waited in vain; told {self.ears.kinds}"
            await wall_sleep_s(0.01)

    def signal(self, name: str, symbol: str) -> None:
        """A strategy proposes."""
        raised = SignalRaised(
            signal=build.signal(name, symbol=symbol),
            instrument=build.instrument(symbol=symbol),
            mark_price=build.PRICE,
            mark_ms=self.clock.now_ms(),
        )
        self.engine.post(raised)

    def phase_is(self, phase: Phase) -> bool:
        """Whether any trade stands there."""
        return any(t.phase is phase for t in self.engine.desk.trades.values())


async def _forget(text: str) -> None:
    del text


def _question_of(desk: Desk, command: AskAdvisor) -> Question:
    return Question(
        version=1,
        trade_id=command.trade_id,
        bot_id=command.bot_id,
        symbol=command.symbol,
        purpose=command.purpose,
        asked_ms=build.NOW_MS,
        mark_price=build.PRICE,
        signal=None,
        candles=(),
        indicators=(),
        wallet_usdt=desk.wallet_usdt,
        open_positions=0,
        position_quantity=Decimal(0),
        position_entry_price=None,
        unrealized_usdt=Decimal(0),
        recent_trades=(),
        lessons=(),
        limits=(),
    )


@asynccontextmanager
async def on_stage(path: Path) -> AsyncIterator[Stage]:
    """An engine that has read its account and may trade two symbols."""
    store = await Store.open(f"sqlite+aiosqlite:///{path}")
    await store.add_user(
        UserRow(
            user_id=build.USER,
            telegram_id=None,
            role=UserRole.OWNER,
            name="owner",
            language="en",
            created_ms=0,
        )
    )
    await store.put_account(
        AccountRow(
            account_id=build.ACCOUNT, user_id=build.USER, label="", venue="paper", created_ms=0
        )
    )
    desk, seq = await load_desk(store, build.ACCOUNT, build.USER)
    stage = Stage(store, desk, seq)
    for symbol in (build.SYMBOL, "ETHUSDT"):
        stage.exchange.advance(symbol, build.PRICE, build.NOW_MS)
    running = asyncio.create_task(stage.engine.run())
    try:
        stage.engine.post(BotConfigured(config=build.config(open_trades_max=3), by="test"))
        stage.engine.post(BotSwitched(bot_id="", running=True, by="test"))
        stage.engine.post(StreamRestored())
        await stage.until(lambda: stage.engine.desk.ready)
        yield stage
    finally:
        await stage.engine.stop()
        await running
        await store.close()


async def test_a_full_disk_bars_entries_and_open_trades_are_still_looked_after(
    tmp_path: Path,
) -> None:
    """No entry is sent, the owner is alarmed, a stop that fires is settled, and it all is kept."""
    path = tmp_path / "bot.db"
    async with on_stage(path) as stage:
        stage.signal("first", build.SYMBOL)
        await stage.until(lambda: stage.phase_is(Phase.POSITION_ACTIVE))

        await stage.store.limit_size(1)
        stage.signal("second", "ETHUSDT")
        await stage.until(lambda: DISK_FULL in stage.engine.desk.halts)
        assert stage.exchange.quantity("ETHUSDT") == 0
        assert "storage_full" in stage.ears.kinds or "halted" in stage.ears.kinds

        await stage.venue.feed(build.SYMBOL, Decimal(97))
        await stage.until(lambda: not stage.engine.desk.working())
        assert stage.exchange.quantity(build.SYMBOL) == 0
        first = stage.engine.desk.closed[-1]
        assert first.exit_reason is ExitReason.STOP_LOSS

        await stage.store.limit_size(None)
        await stage.until(lambda: DISK_FULL not in stage.engine.desk.halts)

    store = await Store.open(f"sqlite+aiosqlite:///{path}")
    try:
        kept, _ = await load_desk(store, build.ACCOUNT, build.USER)
    finally:
        await store.close()
    assert [c.trade_id for c in kept.closed] == [first.trade_id]
    outcomes = {t.outcome for t in kept.trades.values()}
    assert Outcome.CLOSED in outcomes
