"""Small builders for tests of the pure core: records with sane defaults, and a desk on rails.

`Case` holds one desk and a virtual moment; each method tells it one event and keeps what it said.
All tests use one plain instrument (tick 0.1, step 0.001, price 100) so sums are easy to follow.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, TypeVar

from bot.core import desk as desk_room
from bot.core.desk_state import Desk
from bot.core.messages import (
    AskFailed,
    CardAnswered,
    CardVerb,
    CloseRequested,
    Command,
    DecisionArrived,
    Event,
    Filled,
    FillsListed,
    OrderMissing,
    OrderRefused,
    OrderReported,
    OrderUnknown,
    PlaceOrder,
    PositionSeen,
    SignalRaised,
    SnapshotTaken,
    Tell,
    Woke,
)
from bot.core.presets import ApprovalMode, BotConfig
from bot.core.timing import Timing
from bot.core.trade import Order, OrderState, Phase, Role, Trade, trade_id_of
from data.model import (
    Action,
    Bracket,
    ClosedTrade,
    Decision,
    Direction,
    ExitReason,
    Fill,
    FillCause,
    Instrument,
    MarginType,
    OrderKind,
    OrderReport,
    OrderStatus,
    Position,
    Side,
    Signal,
)
from memory.recall import remember

NOW_MS = 1_760_000_040_000  # 54 minutes after a full hour: no funding in a short trade
ACCOUNT = "acc"
USER = "u1"
BOT = "bot"
SYMBOL = "BTCUSDT"
PRICE = Decimal(100)
TIMING = Timing()
C = TypeVar("C")


def instrument(**changes: Any) -> Instrument:
    """A plain symbol with round filters."""
    plain = Instrument(
        symbol=SYMBOL,
        base_asset="BTC",
        quote_asset="USDT",
        tradable=True,
        tick_size=Decimal("0.1"),
        step_size=Decimal("0.001"),
        market_step_size=Decimal("0.001"),
        quantity_min=Decimal("0.001"),
        quantity_max=Decimal(1000),
        market_quantity_max=Decimal(1000),
        notional_min=Decimal(5),
        price_up_ratio=Decimal("1.5"),
        price_down_ratio=Decimal("0.5"),
        brackets=(
            Bracket(
                leverage_max=50,
                notional_floor=Decimal(0),
                notional_cap=Decimal(10**9),
                maintenance_ratio=Decimal("0.004"),
                maintenance_amount=Decimal(0),
            ),
        ),
    )
    return replace(plain, **changes)


def config(**changes: Any) -> BotConfig:
    """A bot that enters at market without asking anybody, with few limits."""
    plain = BotConfig(
        bot_id=BOT,
        user_id=USER,
        account_id=ACCOUNT,
        approval_mode=ApprovalMode.AUTO,
        drift_bps_max=Decimal(100),
        confirm_bps=Decimal(20),
        reward_risk_min=Decimal(0),
        signals_per_day_max=0,
        trades_per_day_max=0,
        daily_loss_pct_max=Decimal(0),
    )
    return replace(plain, **changes)


def signal(name: str = "s1", *, symbol: str = SYMBOL, **changes: Any) -> Signal:
    """A long at 100 with its stop at 98 and its target at 104."""
    plain = Signal(
        signal_id=name,
        bot_id=BOT,
        strategy="continuation",
        model="continuation",
        symbol=symbol,
        timeframe="30m",
        bar_open_ms=NOW_MS - 1_800_000,
        raised_ms=NOW_MS,
        direction=Direction.LONG,
        entry_price=PRICE,
        stop_price=Decimal(98),
        target_price=Decimal(104),
        score=90.0,
    )
    return replace(plain, **changes)


def decision(action: Action = Action.OPEN_POSITION, **changes: Any) -> Decision:
    """An adviser that says what it is told to, 80 % sure."""
    plain = Decision(
        advisor="rules",
        model_version="",
        bot_id=BOT,
        symbol=SYMBOL,
        snapshot_id="s",
        action=action,
        confidence=80.0,
    )
    return replace(plain, **changes)


def desk(*bots: BotConfig, wallet: Decimal | int = 1000, **changes: Any) -> Desk:
    """A desk that was read from the exchange and runs its bots (one plain bot by default)."""
    named = {b.bot_id: b for b in bots or (config(),)}
    plain = Desk(
        account_id=ACCOUNT,
        user_id=USER,
        ready=True,
        bots=named,
        running=tuple(sorted(named)),
        wallet_usdt=Decimal(wallet),
        wallet_peak_usdt=Decimal(wallet),
        memory=remember(changes.get("closed", ())),
    )
    return replace(plain, **changes)


def closed_trade(number: int, pnl: Decimal | int, closed_ms: int, **changes: Any) -> ClosedTrade:
    """A closed trade as memory sees it."""
    plain = ClosedTrade(
        trade_id=f"old{number}",
        user_id=USER,
        account_id=ACCOUNT,
        bot_id=BOT,
        symbol="OLDUSDT",
        model="continuation",
        direction=Direction.LONG,
        quantity=Decimal(1),
        entry_price=PRICE,
        exit_price=PRICE,
        opened_ms=closed_ms - 60_000,
        closed_ms=closed_ms,
        exit_reason=ExitReason.STOP_LOSS,
        realized_usdt=Decimal(pnl),
        fees_usdt=Decimal(0),
        funding_usdt=Decimal(0),
        pnl_usdt=Decimal(pnl),
        equity_usdt=Decimal(1000),
    )
    return replace(plain, **changes)


def report(
    order_id: str, status: OrderStatus = OrderStatus.NEW, at_ms: int = NOW_MS, **changes: Any
) -> OrderReport:
    """The exchange's word on one order of ours; nothing filled by default."""
    plain = OrderReport(
        order_id=order_id,
        symbol=SYMBOL,
        status=status,
        filled_quantity=Decimal(0),
        average_price=None,
        conditional=False,
        event_ms=at_ms,
    )
    return replace(plain, **changes)


class Case:
    """One desk, one moment, everything it has said, and short ways to tell it things."""

    def __init__(self, begun: Desk | None = None, *, listing: Instrument | None = None) -> None:
        self.desk = begun or desk()
        self.now_ms = NOW_MS
        self.said: list[Command] = []  # by the last event
        self.all_said: list[Command] = []
        self.listing = listing or instrument()
        self._fills = 0

    # ------------------------------------------------------------------ time and events

    def feed(self, event: Event) -> "Case":
        """Tell the desk one event at this moment."""
        done = desk_room.step(self.desk, event, self.now_ms)
        self.desk, self.said = done.desk, list(done.commands)
        self.all_said += self.said
        return self

    def wait(self, ms: int) -> "Case":
        """Let time pass, waking the desk whenever it asked for it."""
        said: list[Command] = []
        end_ms = self.now_ms + ms
        for _ in range(10_000):
            due_ms = desk_room.wake_ms(self.desk)
            if due_ms is None or due_ms > end_ms:
                break
            self.now_ms = max(self.now_ms, due_ms)
            said += self.feed(Woke()).said
            again_ms = desk_room.wake_ms(self.desk)
            assert again_ms is None or again_ms > self.now_ms, f"woken at {self.now_ms} in vain"
        self.now_ms, self.said = end_ms, said
        return self

    # ------------------------------------------------------------------ what was said

    def of(self, kind: type[C]) -> list[C]:
        """The last event's commands of one kind."""
        return [c for c in self.said if isinstance(c, kind)]

    def placed(self, role: Role) -> list[Order]:
        """Orders of one role that the last event sent."""
        return [c.order for c in self.of(PlaceOrder) if c.order.role is role]

    def ever_placed(self, role: Role) -> list[Order]:
        """Orders of one role ever sent."""
        placed = (c.order for c in self.all_said if isinstance(c, PlaceOrder))
        return [o for o in placed if o.role is role]

    def told(self) -> list[str]:
        """Kinds of the last event's notices."""
        return [c.kind for c in self.of(Tell)]

    # ------------------------------------------------------------------ the trade

    def trade(self, name: str = "s1", bot_id: str = BOT) -> Trade:
        """The trade that came of a signal."""
        return self.desk.trades[trade_id_of(ACCOUNT, bot_id, name)]

    @property
    def phase(self) -> Phase:
        """The first signal's trade's phase."""
        return self.trade().phase

    def latest(self, role: Role) -> Order:
        """The newest order of that role."""
        order = self.trade().latest(role)
        assert order is not None, f"no {role.name}"
        return order

    # ------------------------------------------------------------------ people and the market

    def raise_signal(self, given: Signal | None = None) -> "Case":
        """A strategy proposes."""
        given = given or signal()
        listing = replace(self.listing, symbol=given.symbol)
        mark = given.entry_price
        return self.feed(
            SignalRaised(signal=given, instrument=listing, mark_price=mark, mark_ms=self.now_ms)
        )

    def decide(
        self,
        given: Decision | None = None,
        *,
        name: str = "s1",
        bot_id: str = BOT,
        mark: Decimal = PRICE,
        mark_ms: int | None = None,
    ) -> "Case":
        """The adviser answers."""
        trade = self.trade(name, bot_id)
        given = given or decision(bot_id=trade.bot_id, symbol=trade.symbol)
        mark_ms = self.now_ms if mark_ms is None else mark_ms
        return self.feed(
            DecisionArrived(
                trade_id=trade.trade_id, decision=given, mark_price=mark, mark_ms=mark_ms
            )
        )

    def tap(
        self, verb: CardVerb, *, mark: Decimal | None = PRICE, name: str = "s1", **changes: Any
    ) -> "Case":
        """A person taps a card, with a price read just now."""
        tapped = CardAnswered(
            trade_id=self.trade(name).trade_id,
            verb=verb,
            user_id=USER,
            mark_price=mark,
            mark_ms=self.now_ms,
        )
        return self.feed(replace(tapped, **changes))

    def ask_close(self, reason: ExitReason = ExitReason.MANUAL) -> "Case":
        """Somebody wants the position closed."""
        return self.feed(CloseRequested(trade_id=self.trade().trade_id, reason=reason, by=USER))

    # ------------------------------------------------------------------ the exchange

    def report(self, order: Order, status: OrderStatus = OrderStatus.NEW, **changes: Any) -> "Case":
        """The exchange says what an order is."""
        told = report(order.order_id, status, self.now_ms, conditional=order.conditional)
        return self.feed(OrderReported(report=replace(told, **changes)))

    def unknown(self, order: Order, action: str = "place") -> "Case":
        """A request got no usable answer."""
        return self.feed(OrderUnknown(order_id=order.order_id, reason="timeout", action=action))

    def refuse(self, order: Order, code: int, action: str = "place") -> "Case":
        """The exchange refuses a request."""
        given = OrderRefused(order_id=order.order_id, code=code, text="no", action=action)
        return self.feed(given)

    def missing(self, order: Order) -> "Case":
        """A query sent just now did not find the order."""
        return self.feed(OrderMissing(order_id=order.order_id, asked_ms=self.now_ms))

    def make_fill(self, order: Order | None, quantity: Decimal | str, **changes: Any) -> Fill:
        """A fill of ours, or somebody else's sale when `order` is None."""
        self._fills += 1
        plain = Fill(
            fill_id=self._fills,
            symbol=SYMBOL,
            order_id=order.order_id if order else "web_1",
            venue_order_id=number_of(order),
            side=order.side if order else Side.SELL,
            quantity=Decimal(quantity),
            price=PRICE,
            fee=Decimal(0),
            fee_asset="USDT",
            realized_pnl_usdt=Decimal(0),
            filled_ms=self.now_ms,
            cause=FillCause.ORDER,
        )
        return replace(plain, **changes)

    def fill(
        self, order: Order | None, quantity: Decimal | str | None = None, **changes: Any
    ) -> "Case":
        """The stream tells one fill (the whole order by default) and nothing else."""
        if quantity is None:
            assert order is not None
            quantity = order.quantity
        return self.feed(Filled(fill=self.make_fill(order, quantity, **changes)))

    def finish(self, order: Order, quantity: Decimal | None = None) -> "Case":
        """An order is filled whole: the fill, then the report, as the stream tells them."""
        quantity = order.quantity if quantity is None else quantity
        self.fill(order, quantity)
        said = self.said
        self.report(
            order,
            OrderStatus.FILLED,
            filled_quantity=quantity,
            conditional=False,
            venue_order_id=number_of(order),
        )
        self.said = said + self.said
        return self

    def list_fills(self, *fills: Fill) -> "Case":
        """A listing answers; its rows do not name client ids."""
        rows = tuple(replace(f, order_id="") for f in fills)
        return self.feed(FillsListed(symbol=SYMBOL, since_ms=0, asked_ms=self.now_ms, fills=rows))

    def see(self, quantity: Decimal | str | int) -> "Case":
        """The exchange says what the position is."""
        return self.feed(
            PositionSeen(
                symbol=SYMBOL, quantity=Decimal(quantity), entry_price=PRICE, seen_ms=self.now_ms
            )
        )

    def snapshot(
        self,
        *,
        position: Decimal | str | int = 0,
        orders: Sequence[OrderReport] = (),
        asked_ms: int | None = None,
        listed: bool = True,
    ) -> "Case":
        """The whole account is read: one symbol's position and these open orders."""
        asked_ms = self.now_ms if asked_ms is None else asked_ms
        held = Position(
            symbol=SYMBOL, quantity=Decimal(position), entry_price=PRICE, updated_ms=asked_ms
        )
        return self.feed(
            SnapshotTaken(
                asked_ms=asked_ms,
                wallet_usdt=self.desk.wallet_usdt,
                positions=(held,) if held.quantity else (),
                open_orders=tuple(orders),
                instruments=(self.listing,) if listed else (),
            )
        )

    def fail_ask(self, what: str = "fills") -> "Case":
        """A question gets no answer."""
        return self.feed(AskFailed(what=what, symbol=SYMBOL, reason="timeout"))

    # ------------------------------------------------------------------ usual stretches of road

    def to_pending(self) -> "Case":
        """A signal, decided and (in AUTO) ordered."""
        return self.raise_signal().decide()

    def to_bare(self) -> "Case":
        """The entry is filled whole and seen as a position; stop and target are on their way."""
        self.to_pending()
        entry = self.latest(Role.ENTRY)
        self.finish(entry)
        self.see(entry.quantity * (1 if entry.side is Side.BUY else -1))
        return self

    def to_active(self) -> "Case":
        """Stop and target are confirmed."""
        self.to_bare()
        self.report(self.latest(Role.STOP))
        return self.report(self.latest(Role.TARGET))

    def exit_by(self, role: Role) -> "Case":
        """The stop or the target triggers and its child closes the position; the other expires."""
        order, held = self.latest(role), self.latest(Role.ENTRY).filled
        self.see(0)
        self.finish(order, held)
        other = self.latest(Role.TARGET if role is Role.STOP else Role.STOP)
        return self.report(other, OrderStatus.EXPIRED)


def number_of(order: Order | None) -> int:
    """The exchange's number of an order: any function of its id will do."""
    return sum(order.order_id.encode()) if order else 999_999


def limit_config(**changes: Any) -> BotConfig:
    """The same bot with limit entries."""
    return config(entry_kind=OrderKind.LIMIT, **changes)


def order_state(case: Case, order: Order) -> OrderState:
    """What the record says of an order now."""
    found = case.trade().order(order.order_id)
    assert found is not None
    return found.state


__all__ = [
    "ACCOUNT",
    "BOT",
    "NOW_MS",
    "PRICE",
    "SYMBOL",
    "TIMING",
    "USER",
    "Case",
    "MarginType",
    "closed_trade",
    "config",
    "decision",
    "desk",
    "instrument",
    "limit_config",
    "number_of",
    "order_state",
    "report",
    "signal",
]
