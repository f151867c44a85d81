"""A desk being changed within one step, and what the step yields. Never seen outside a step.

Must not know: what an event means. It moves trades through their machines and keeps the books
that follow from it: closed trades, the day's counts, the wallet.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from bot.core import machine
from bot.core.desk_state import DayCount, Desk
from bot.core.life import results
from bot.core.messages import Command, Level, PlaceOrder, Tell
from bot.core.trade import HOLDING, Outcome, Phase, Role, Trade, read_order_id
from data.model import ClosedTrade, Direction, ExitReason
from data.money import ZERO
from data.records import revised
from memory.verdict import Verdict

DAY_MS: Final = 86_400_000
ENDED_KEPT_MAX: Final = 60  # ended trades kept at hand for late fills and repeated signals
CLOSED_KEPT_MAX: Final = 200  # for reports and a late fill; memory is folded from every one


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskStep:
    """What one event did: the new state, the wishes, and the trades whose record changed."""

    desk: Desk
    commands: tuple[Command, ...] = ()
    changed: tuple[Trade, ...] = ()


class DeskDraft:
    """The desk, the moment, the commands collected and the trades touched so far."""

    __slots__ = ("_changed", "commands", "desk", "now_ms")

    def __init__(self, desk: Desk, now_ms: int) -> None:
        day = now_ms // DAY_MS
        self.desk = desk if desk.day.day == day else replace(desk, day=DayCount(day=day))
        self.now_ms = now_ms
        self.commands: list[Command] = []
        self._changed: dict[str, None] = {}

    def set(self, **changes: Any) -> None:
        """Change fields of the desk."""
        self.desk = revised(self.desk, **changes)

    def say(self, *commands: Command) -> None:
        """Add commands."""
        self.commands.extend(commands)

    def tell(self, kind: str, level: Level = Level.INFO, trade_id: str = "", **fields: str) -> None:
        """Add a notice."""
        self.say(Tell(kind=kind, level=level, trade_id=trade_id, fields=tuple(fields.items())))

    def put(self, trade: Trade) -> None:
        """Add or replace a trade's record."""
        self._changed[trade.trade_id] = None
        self.set(trades={**self.desk.trades, trade.trade_id: trade})

    def advance(self, trade_id: str, given: machine.Input) -> None:
        """Move one trade through its machine and book what follows."""
        before = self.desk.trades[trade_id]
        done = machine.advance(before, given, self.now_ms, self.desk.timing)
        if done.trade is not before and done.trade != before:
            self.put(done.trade)
        for command in done.commands:
            if isinstance(command, PlaceOrder) and command.order.role is Role.ENTRY:
                self._count_entry(done.trade.bot_id)
            self.say(command)
        ended = done.trade.phase is Phase.IDLE and before.phase is not Phase.IDLE
        if ended and done.trade.outcome is Outcome.CLOSED:
            self._book(done.trade)

    def owner_of(self, order_id: str) -> str | None:
        """The trade whose record holds that order; None when no record does."""
        name = read_order_id(self.desk.account_id, order_id)
        if name is None:
            return None
        trade = self.desk.trades.get(name.trade_id)
        return name.trade_id if trade is not None and trade.order(order_id) else None

    def holder_of(self, symbol: str) -> str | None:
        """The trade that has (or may have) a position or orders in a symbol."""
        for trade in self.desk.trades.values():
            if trade.symbol == symbol and (trade.phase in HOLDING or trade.phase is Phase.HALTED):
                return trade.trade_id
        return None

    def see_wallet(self, wallet_usdt: Decimal, seen_ms: int) -> None:
        """Believe the newest word on the wallet."""
        if seen_ms >= self.desk.wallet_ms:
            peak = max(self.desk.wallet_peak_usdt, wallet_usdt)
            self.set(wallet_usdt=wallet_usdt, wallet_ms=seen_ms, wallet_peak_usdt=peak)

    def count_signal(self, bot_id: str, times: int = 1) -> None:
        """One more signal was taken up today; -1 takes one back."""
        day = self.desk.day
        signals = {**day.signals, bot_id: max(0, day.signals.get(bot_id, 0) + times)}
        self.set(day=replace(day, signals=signals))

    def done(self) -> DeskStep:
        """The finished step; long-ended trades leave the record (the store keeps them)."""
        changed = tuple(self.desk.trades[trade_id] for trade_id in self._changed)
        ended = [t for t in self.desk.trades.values() if t.phase is Phase.IDLE]
        if len(ended) > ENDED_KEPT_MAX:
            ended.sort(key=lambda t: (t.closed_ms or 0, t.trade_id))
            gone = {t.trade_id for t in ended[: len(ended) - ENDED_KEPT_MAX]}
            self.set(trades={k: t for k, t in self.desk.trades.items() if k not in gone})
        return DeskStep(desk=self.desk, commands=tuple(self.commands), changed=changed)

    def _count_entry(self, bot_id: str) -> None:
        day = self.desk.day
        entries = {**day.entries, bot_id: day.entries.get(bot_id, 0) + 1}
        self.set(day=replace(day, entries=entries))

    def _book(self, trade: Trade) -> None:
        trade = replace(trade, wallet_after_usdt=self.desk.wallet_usdt)
        self.put(trade)
        closed = closed_trade_of(trade)
        before = next((c for c in self.desk.closed if c.trade_id == closed.trade_id), None)
        kept = tuple(c for c in self.desk.closed if c is not before)
        # A trade that a late fill opened again is booked anew: day and memory gain the difference.
        memory = self.desk.memory if before is None else self.desk.memory.without(before)
        gained_usdt = closed.pnl_usdt - (before.pnl_usdt if before is not None else ZERO)
        day = self.desk.day
        known = {(v.rule, v.scope) for v in self._verdicts(trade.bot_id)}
        self.set(
            closed=(*kept, closed)[-CLOSED_KEPT_MAX:],
            memory=memory.after(closed),
            day=replace(day, realized_usdt=day.realized_usdt + gained_usdt),
        )
        for verdict in self._verdicts(trade.bot_id):
            if (verdict.rule, verdict.scope) not in known:
                self._tell_verdict(trade.bot_id, verdict)

    def _verdicts(self, bot_id: str) -> tuple[Verdict, ...]:
        config = self.desk.bots.get(bot_id)
        if config is None:
            return self.desk.memory.verdicts(bot_id, self.now_ms)
        off = frozenset(config.memory_off)
        tuning = config.memory_tuning
        return self.desk.memory.verdicts(bot_id, self.now_ms, off=off, tuning=tuning)

    def _tell_verdict(self, bot_id: str, verdict: Verdict) -> None:
        about = {"symbol": verdict.scope.symbol, "model": verdict.scope.model}
        self.tell(
            "memory_verdict",
            Level.WARNING,
            rule=verdict.rule,
            bot=bot_id,
            **{name: text for name, text in about.items() if text},
            reason=verdict.reason,
            until_ms=str(verdict.until_ms or ""),
        )


def closed_trade_of(trade: Trade) -> ClosedTrade:
    """The result of a trade whose every fill, fee and funding payment is booked.

    A function of the trade's record alone: kept trades are the only truth about results.
    """
    realized, fees = results.realized_usdt(trade), results.fees_usdt(trade)
    funding = results.funding_usdt(trade)
    direction = trade.direction or Direction.LONG
    side = direction.entry_side
    return ClosedTrade(
        trade_id=trade.trade_id,
        user_id=trade.user_id,
        account_id=trade.account_id,
        bot_id=trade.bot_id,
        symbol=trade.symbol,
        model=trade.signal.model if trade.signal else "",
        direction=direction,
        quantity=sum((f.quantity for f in trade.fills if f.side is side), Decimal(0)),
        entry_price=results.average_price(trade, entry=True),
        exit_price=results.average_price(trade, entry=False),
        opened_ms=min(f.filled_ms for f in trade.fills),
        closed_ms=trade.moved_ms,
        exit_reason=trade.exit_reason or ExitReason.EXTERNAL,
        realized_usdt=realized,
        fees_usdt=fees,
        funding_usdt=funding,
        pnl_usdt=realized - fees + funding,
        equity_usdt=trade.wallet_after_usdt or ZERO,
    )
