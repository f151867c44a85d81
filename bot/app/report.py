"""The demo's books: what the engine's steps add up to, beside what the exchange says itself.

Must not know: the service, or how the exchange was asked. Durations in the report are wall time.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import median
from typing import Any

from bot.core.desk import Desk
from bot.core.messages import ShowCard, SignalRaised
from bot.core.trade import ORDER_OVER, Outcome, Role, Trade
from bot.shell.process import rss_mb_peak
from bot.shell.steps import StepRecord
from data.model import ClosedTrade
from data.money import ZERO, plain


@dataclass(slots=True)
class Tally:
    """Counts steps; `observe` is an engine's observer."""

    signals: int = 0
    cards: int = 0
    trades: dict[str, Trade] = field(default_factory=dict)
    closed: dict[str, ClosedTrade] = field(default_factory=dict)

    def observe(self, record: StepRecord) -> None:
        """Take one step into account."""
        self.signals += isinstance(record.event, SignalRaised) and bool(record.changed)
        self.cards += sum(isinstance(command, ShowCard) for command in record.commands)
        for trade in record.changed:
            self.trades[trade.trade_id] = trade
        for result in reversed(record.desk.closed):
            if self.closed.get(result.trade_id) == result:
                break
            self.closed[result.trade_id] = result


def report_of(
    tally: Tally,
    desk: Desk,
    truth: Mapping[str, Any],
    *,
    speed: float,
    advisor: str,
    seq: int,
) -> dict[str, object]:
    """The report's keys and values, ready for JSON; money as exact decimal texts."""
    trades = list(tally.trades.values())
    opened = [trade for trade in trades if trade.fills]
    bare_ms = sorted(trade.unprotected_ms / speed for trade in opened)
    outcomes = Counter(trade.outcome for trade in trades)
    verbs = Counter(trade.approval.verb for trade in trades if trade.approval is not None)
    ours = sum((result.pnl_usdt for result in tally.closed.values()), ZERO)
    orphans = _orphans(desk, truth)
    return {
        "signals": tally.signals,
        "cards": tally.cards,
        "approved": verbs["approve"] + verbs["half"] + verbs["auto"],
        "rejected": outcomes[Outcome.REJECTED],
        "expired": outcomes[Outcome.EXPIRED],
        "trades_opened": len(opened),
        "trades_closed": len(tally.closed),
        "exits": dict(Counter(r.exit_reason.value for r in tally.closed.values())),
        "unprotected_ms_p50": round(median(bare_ms), 3) if bare_ms else None,
        "unprotected_ms_max": round(bare_ms[-1], 3) if bare_ms else None,
        "belief_equals_exchange": _agrees(desk, truth) and not orphans,
        "orphan_orders": len(orphans),
        "our_pnl_usdt": plain(ours),
        "exchange_income_usdt": plain(Decimal(truth["income_total"])),
        "journal_events": seq,
        "advisor": advisor,
        "rss_mb_peak": rss_mb_peak(),
    }


def _agrees(desk: Desk, truth: Mapping[str, Any]) -> bool:
    theirs = {p["symbol"]: Decimal(p["positionAmt"]) for p in truth["positions"]}
    theirs = {symbol: quantity for symbol, quantity in theirs.items() if quantity}
    believed: dict[str, Decimal] = {}
    for trade in desk.working():
        held = sum((f.quantity * (1 if f.side == "buy" else -1) for f in trade.fills), ZERO)
        if held:
            believed[trade.symbol] = believed.get(trade.symbol, ZERO) + held
    wallet = Decimal(truth["wallet"]) == desk.wallet_usdt
    return wallet and theirs == believed and _live(desk) <= _open_ids(truth)


def _orphans(desk: Desk, truth: Mapping[str, Any]) -> set[str]:
    return _open_ids(truth) - _live(desk)


def _live(desk: Desk) -> set[str]:
    return {
        order.order_id
        for trade in desk.working()
        for order in trade.orders
        if order.state not in ORDER_OVER and order.role is not Role.CLOSE
    }


def _open_ids(truth: Mapping[str, Any]) -> set[str]:
    plain_ids = {str(order["clientOrderId"]) for order in truth["open_orders"]}
    return plain_ids | {str(order["clientAlgoId"]) for order in truth["open_conditionals"]}
