"""Records and fakes the control room's tests share: one desk, one bot, one trade in any phase."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

import numpy as np

from bot.control.catalog import words
from bot.control.views.look import Look
from bot.core.desk import Desk
from bot.core.messages import Event
from bot.core.presets import from_preset
from bot.core.trade import Approval, Order, OrderState, Outcome, Phase, Plan, Role, Trade
from data.model import (
    Action,
    ClosedTrade,
    Decision,
    Direction,
    ExitReason,
    Fill,
    Instrument,
    MarginType,
    OrderKind,
    Side,
    Signal,
)
from data.store.rows import AccountRow, UserRole, UserRow
from data.store.store import Store

NOW_MS = 1_790_000_000_000
OWNER_CHAT = 1001
USER = "owner"
ACCOUNT = "main"

INSTRUMENT = Instrument(
    symbol="BTCUSDT",
    base_asset="BTC",
    quote_asset="USDT",
    tradable=True,
    tick_size=Decimal("0.10"),
    step_size=Decimal("0.001"),
    market_step_size=Decimal("0.001"),
    quantity_min=Decimal("0.001"),
    quantity_max=Decimal(1000),
    market_quantity_max=Decimal(120),
    notional_min=Decimal(50),
    price_up_ratio=Decimal("1.05"),
    price_down_ratio=Decimal("0.95"),
)
SIGNAL = Signal(
    signal_id="s1",
    bot_id="signals",
    strategy="continuation",
    model="continuation",
    symbol="BTCUSDT",
    timeframe="30m",
    bar_open_ms=NOW_MS - 1_800_000,
    raised_ms=NOW_MS,
    direction=Direction.LONG,
    entry_price=Decimal("64000.0"),
    stop_price=Decimal("63232.0"),
    target_price=Decimal("65536.0"),
    score=82.0,
    parts=(("trend", 40.0), ("momentum", 42.0)),
    reasons=("SMA 20 above SMA 50", "momentum rising"),
)
DECISION = Decision(
    advisor="rules",
    model_version="",
    bot_id="signals",
    symbol="BTCUSDT",
    snapshot_id="a" * 64,
    action=Action.OPEN_POSITION,
    direction=Direction.LONG,
    confidence=78.0,
    reasons=("score 82 is above 75",),
)
PLAN = Plan(
    direction=Direction.LONG,
    entry_kind=OrderKind.MARKET,
    quantity=Decimal("0.012"),
    entry_price=Decimal("64000.0"),
    stop_price=Decimal("63232.0"),
    target_price=Decimal("65536.0"),
    leverage=5,
    margin_type=MarginType.ISOLATED,
    risk_usdt=Decimal("9.83"),
    notional_usdt=Decimal("768.00"),
    reward_risk=Decimal("2.0"),
    entry_timeout_ms=60_000,
    hold_ms_max=0,
)
WAITING = Trade(
    trade_id="abcdefghij",
    user_id=USER,
    account_id=ACCOUNT,
    bot_id="signals",
    symbol="BTCUSDT",
    phase=Phase.AWAITING_APPROVAL,
    opened_ms=NOW_MS,
    instrument=INSTRUMENT,
    signal=SIGNAL,
    decision=DECISION,
    plan=PLAN,
    card_expires_ms=NOW_MS + 300_000,
)
APPROVED = replace(
    WAITING,
    phase=Phase.ORDER_PENDING,
    approval=Approval(
        verb="approve", user_id=USER, answered_ms=NOW_MS + 9_000, shown_ms=NOW_MS + 1_000
    ),
    card_expires_ms=None,
)


def order(role: Role, kind: OrderKind, state: OrderState, **fields: object) -> Order:
    """One order of the sample trade."""
    base = Order(
        order_id=f"tbabcd-signals-abcdefghij-{role.value}0",
        role=role,
        attempt=0,
        symbol="BTCUSDT",
        side=Side.BUY if role is Role.ENTRY else Side.SELL,
        kind=kind,
        quantity=Decimal("0.012"),
        state=state,
        sent_ms=NOW_MS + 9_100,
    )
    return replace(base, **fields)  # type: ignore[arg-type]


ENTRY = order(
    Role.ENTRY,
    OrderKind.MARKET,
    OrderState.FILLED,
    filled=Decimal("0.012"),
    average_price=Decimal("64012.8"),
)
STOP = order(Role.STOP, OrderKind.STOP_MARKET, OrderState.LIVE, trigger_price=Decimal("63232.0"))
TARGET = order(
    Role.TARGET, OrderKind.TAKE_PROFIT_MARKET, OrderState.LIVE, trigger_price=Decimal("65536.0")
)
FILL = Fill(
    fill_id=1,
    symbol="BTCUSDT",
    order_id=ENTRY.order_id,
    venue_order_id=7,
    side=Side.BUY,
    quantity=Decimal("0.012"),
    price=Decimal("64012.8"),
    fee=Decimal("0.38407680"),
    fee_asset="USDT",
    realized_pnl_usdt=Decimal(0),
    filled_ms=NOW_MS + 9_200,
)
BARE = replace(
    APPROVED,
    phase=Phase.POSITION_UNPROTECTED,
    orders=(ENTRY,),
    fills=(FILL,),
    unprotected_since_ms=NOW_MS + 9_200,
)
OPEN = replace(BARE, phase=Phase.POSITION_ACTIVE, orders=(ENTRY, STOP, TARGET))
CLOSING = replace(OPEN, phase=Phase.CLOSING, exit_reason=ExitReason.MANUAL)
CLOSED = replace(
    OPEN,
    phase=Phase.IDLE,
    outcome=Outcome.CLOSED,
    exit_reason=ExitReason.TAKE_PROFIT,
    closed_ms=NOW_MS + 600_000,
)
CLOSED_TRADE = ClosedTrade(
    trade_id="abcdefghij",
    user_id=USER,
    account_id=ACCOUNT,
    bot_id="signals",
    symbol="BTCUSDT",
    model="continuation",
    direction=Direction.LONG,
    quantity=Decimal("0.012"),
    entry_price=Decimal("64012.8"),
    exit_price=Decimal("65536.0"),
    opened_ms=NOW_MS,
    closed_ms=NOW_MS + 600_000,
    exit_reason=ExitReason.TAKE_PROFIT,
    realized_usdt=Decimal("18.2784"),
    fees_usdt=Decimal("0.77"),
    funding_usdt=Decimal("-0.05"),
    pnl_usdt=Decimal("17.4584"),
    equity_usdt=Decimal("1017.4584"),
)


def desk(*trades: Trade, **fields: object) -> Desk:
    """A ready desk with one running bot and these trades."""
    base = Desk(
        account_id=ACCOUNT,
        user_id=USER,
        ready=True,
        bots={
            "signals": from_preset("signals", bot_id="signals", user_id=USER, account_id=ACCOUNT)
        },
        running=("signals",),
        trades={trade.trade_id: trade for trade in trades},
        wallet_usdt=Decimal(1000),
    )
    return replace(base, **fields)  # type: ignore[arg-type]


def look(language: str = "en", now_ms: int = NOW_MS + 10_000) -> Look:
    """A reader of that language in paper mode."""
    return Look(words=words(language), badge="PAPER", now_ms=now_ms, names={USER: "Lan <b>&"})


class Window:
    """Eight closed bars."""

    open_ms = np.arange(8, dtype=np.int64) * 1_800_000 + NOW_MS
    open = np.linspace(64_000, 64_700, 8)
    high = open + 150
    low = open - 120
    close = open + 80
    volume = np.ones(8)


class FakeMarket:
    """One symbol with a price that a test sets."""

    def __init__(self) -> None:
        self.price: Decimal | None = Decimal("64010.0")
        self.window_of: Window | None = Window()

    def instrument(self, symbol: str) -> Instrument | None:
        """The one instrument."""
        return INSTRUMENT if symbol == "BTCUSDT" else None

    def mark_price(self, symbol: str) -> tuple[Decimal, int] | None:
        """The price as set."""
        del symbol
        return None if self.price is None else (self.price, NOW_MS)

    def window(self, symbol: str, timeframe: str) -> Window | None:
        """The eight bars, or none when a test took them away."""
        del symbol, timeframe
        return self.window_of


class Stage:
    """What a control room stands on: a desk that tests replace, and the events it sent."""

    def __init__(self, state: Desk) -> None:
        self.desk = state
        self.events: list[Event] = []
        self.market = FakeMarket()
        self.rng = Random(7)

    def desk_of(self) -> Desk:
        """The desk as it is now."""
        return self.desk

    def sink(self, event: Event) -> None:
        """Where events go."""
        self.events.append(event)

    def put(self, *trades: Trade) -> None:
        """Replace the desk's trades."""
        self.desk = replace(self.desk, trades={t.trade_id: t for t in trades})

    def of_kind(self, kind: type) -> Sequence[Event]:
        """Events of one class, in order."""
        return [event for event in self.events if isinstance(event, kind)]


async def open_store(folder: Path, *, paired: bool = True, language: str = "en") -> Store:
    """A real store with the owner and the account in it."""
    store = await Store.open(f"sqlite+aiosqlite:///{folder / 'test.db'}")
    if await store.owner() is None:
        await store.add_user(
            UserRow(
                user_id=USER,
                telegram_id=OWNER_CHAT if paired else None,
                role=UserRole.OWNER,
                name="Lan",
                language=language,
                created_ms=NOW_MS,
            )
        )
        await store.put_account(
            AccountRow(
                account_id=ACCOUNT, user_id=USER, label="main", venue="paper", created_ms=NOW_MS
            )
        )
    return store
