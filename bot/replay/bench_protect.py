"""How long a position is bare because of us: the first fill on the socket to the stop's bytes.

The real engine, journal and gateway against the pretend exchange over loopback; the adviser says
yes at once and nobody is asked. Must not know: how the result is shown.
"""

import asyncio
import json
import random
import statistics
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from bot.core.desk_state import Desk
from bot.core.messages import (
    AskAdvisor,
    BotConfigured,
    BotSwitched,
    CloseRequested,
    PlaceOrder,
    Question,
    ShowCard,
    SignalRaised,
    Tell,
)
from bot.core.presets import ApprovalMode, BotConfig
from bot.core.trade import Phase, Role, Trade
from bot.shell.clock import SystemClock, wall_monotonic_s, wall_sleep_s
from bot.shell.engine import Engine
from bot.shell.process import settle
from bot.shell.recorder import Recorder
from bot.shell.steps import Ports
from bot.venue.gateway import Gateway, GatewayOptions
from bot.venue.rest import Credentials, RestAddress, RestClient, open_session
from bot.venue.wire import HmacSigner
from bot.venue.wire_errors import Answer
from bot.venue.wire_requests import premium_index_request
from bot.venue.wire_weight import WeightBudget
from data.model import Action, Decision, Direction, ExitReason, Instrument, Signal
from data.money import round_to
from data.store.rows import AccountRow, JournalRow, StepRow, UserRole, UserRow
from data.store.store import Store
from memory.verdict import RULE_IDS

ROUNDS: Final = 25
WARM_UP: Final = 3  # first rounds pay for connections and caches
SYMBOL: Final = "BTCUSDT"
USER: Final = "owner"
ACCOUNT: Final = "bench"
WAIT_S: Final = 20.0


class Yes:
    """An adviser that opens whatever it is asked about."""

    name = "rules"

    async def decide(self, question: Question, deadline_ms: int) -> Decision:
        """Open, at once."""
        return Decision(
            advisor="rules",
            model_version="",
            bot_id=question.bot_id,
            symbol=question.symbol,
            snapshot_id="",
            action=Action.OPEN_POSITION,
        )


class Nobody:
    """Nobody to show anything to."""

    def show_card(self, command: ShowCard, trade: Trade, desk: Desk) -> None: ...
    def tell(self, command: Tell, trade: Trade | None, desk: Desk) -> None: ...
    def trade_changed(self, trade: Trade, desk: Desk) -> None: ...


class _Stopwatch:
    """Marks the first frame that tells of an entry's fill, and the stop that answers it."""

    def __init__(self) -> None:
        self.took_ms: list[float] = []
        self._fill_ns: int | None = None

    def frame(self, frame: str | bytes, heard_ns: int) -> None:
        text = frame if isinstance(frame, str) else frame.decode()
        if self._fill_ns is None and '"TRADE_LITE"' in text and "-e0" in text:
            self._fill_ns = heard_ns

    def sent(self, command: PlaceOrder, sent_ns: int) -> None:
        if command.order.role is Role.STOP and self._fill_ns is not None:
            self.took_ms.append((sent_ns - self._fill_ns) / 1e6)
            self._fill_ns = None


async def measure(ready: dict[str, Any]) -> tuple[float, float]:
    """(median, floor) in milliseconds against a pretend exchange that runs already."""
    settle()
    watch = _Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        store = await Store.open(f"sqlite+aiosqlite:///{Path(folder) / 'bench.db'}")
        try:
            await add_people(store)
            await _trade(ready, store, watch)
            floor_ms = await _commit_ms(store)
        finally:
            await store.close()
    return statistics.median(watch.took_ms[WARM_UP:]), floor_ms


async def _trade(ready: dict[str, Any], store: Store, watch: _Stopwatch) -> None:
    clock = SystemClock()
    engines: list[Engine] = []
    prices: list[Decimal] = []
    async with open_session() as session:
        credentials = Credentials(api_key=ready["api_key"], signer=HmacSigner(ready["api_secret"]))
        rest = RestClient(
            address=RestAddress(base_url=ready["rest"], sandbox_allowed=True),
            session=session,
            clock=clock,
            budget=WeightBudget(),
            dice=random.Random(1),
            credentials=credentials,
        )
        gateway = Gateway(
            rest=rest,
            ws_url=ready["ws"],
            dice=random.Random(1),
            sink=lambda event: engines[0].post(event),
            options=GatewayOptions(on_sent=watch.sent, on_frame=watch.frame),
        )
        instruments = await gateway.prepare()
        engine = Engine(
            Desk(account_id=ACCOUNT, user_id=USER),
            ports=Ports(
                journal=Recorder(store),
                venue=gateway,
                advisor=Yes(),
                notifier=Nobody(),
                question_of=question_of,
                mark_price=lambda _symbol: (prices[-1], clock.now_ms()),
            ),
            clock=clock,
        )
        engines.append(engine)
        async with asyncio.TaskGroup() as group:
            group.create_task(engine.run())
            stream = group.create_task(gateway.run())
            engine.post(BotConfigured(config=_config(), by=USER))
            engine.post(BotSwitched(bot_id="", running=True, by=USER))
            await gateway.ready(WAIT_S)
            for number in range(ROUNDS):
                await _until(lambda: engine.desk.ready and not engine.desk.working())
                prices.append(await _mark_price(rest))
                await _round(engine, instruments[SYMBOL], prices[-1], number)
            await engine.stop()
            stream.cancel()


async def _round(engine: Engine, instrument: Instrument, price: Decimal, number: int) -> None:
    """One trade from signal to idle."""
    signal = _signal(instrument, price, number)
    engine.post(
        SignalRaised(
            signal=signal, instrument=instrument, mark_price=price, mark_ms=signal.raised_ms
        )
    )
    active = Phase.POSITION_ACTIVE
    await _until(lambda: any(t.phase is active for t in engine.desk.working()))
    for trade in engine.desk.working():
        asked = CloseRequested(trade_id=trade.trade_id, reason=ExitReason.MANUAL, by=USER)
        engine.post(asked)
    await _until(lambda: not engine.desk.working())


async def _until(done: Callable[[], bool]) -> None:
    deadline_s = wall_monotonic_s() + WAIT_S
    while not done():
        assert wall_monotonic_s() < deadline_s, "the benchmark's trade got stuck"
        await wall_sleep_s(0.005)


async def _mark_price(rest: RestClient) -> Decimal:
    outcome = await rest.read(premium_index_request(SYMBOL), tries=3)
    assert isinstance(outcome, Answer), f"no mark price: {outcome}"
    return Decimal(json.loads(outcome.body)["markPrice"])


def _signal(instrument: Instrument, price: Decimal, number: int) -> Signal:
    price = round_to(price, instrument.tick_size)
    return Signal(
        signal_id=f"bench-{number}",
        bot_id="bench",
        strategy="continuation",
        model="continuation",
        symbol=SYMBOL,
        timeframe="1m",
        bar_open_ms=number,
        raised_ms=0,
        direction=Direction.LONG,
        entry_price=price,
        stop_price=round_to(price * Decimal("0.97"), instrument.tick_size),
        target_price=round_to(price * Decimal("1.06"), instrument.tick_size),
        score=99.0,
    )


def question_of(desk: Desk, command: AskAdvisor) -> Question:
    """A question without facts: `Yes` reads none."""
    return Question(
        version=1,
        trade_id=command.trade_id,
        bot_id=command.bot_id,
        symbol=command.symbol,
        purpose=command.purpose,
        asked_ms=0,
        mark_price=Decimal(1),
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


def _config() -> BotConfig:
    return BotConfig(
        bot_id="bench",
        user_id=USER,
        account_id=ACCOUNT,
        approval_mode=ApprovalMode.AUTO,
        signals_per_day_max=0,
        trades_per_day_max=0,
        daily_loss_pct_max=Decimal(0),
        risk_pct=Decimal("0.1"),
        drift_bps_max=Decimal(500),
        memory_off=RULE_IDS,
    )


async def add_people(store: Store) -> None:
    """The owner and the two accounts that a benchmark writes for."""
    await store.add_user(
        UserRow(
            user_id=USER,
            telegram_id=None,
            role=UserRole.OWNER,
            name="owner",
            language="en",
            created_ms=0,
        )
    )
    for account in (ACCOUNT, "floor"):
        await store.put_account(
            AccountRow(
                account_id=account, user_id=USER, label=account, venue="sandbox", created_ms=0
            )
        )


async def _commit_ms(store: Store) -> float:
    """One durable commit of a step's size, alone: what the disk takes whatever we do."""
    took = []
    body = "x" * 4_000
    for seq in range(1, 31):
        row = JournalRow(
            account_id="floor",
            seq=seq,
            user_id=USER,
            at_ms=0,
            kind="Filled",
            trade_id=None,
            event=body,
            commands="[]",
        )
        began_s = wall_monotonic_s()
        await store.commit_step(StepRow(journal=row, desk_body=body))
        took.append((wall_monotonic_s() - began_s) * 1e3)
    return statistics.median(took)
