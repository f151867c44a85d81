"""Closed trades that memory tests begin with."""

from decimal import Decimal

from data.model import ClosedTrade, Direction, ExitReason
from data.money import ZERO
from memory.history import Result

HOUR_MS = 3_600_000


def result(closed_ms: int, pnl: str, *, symbol: str = "BTCUSDT") -> Result:
    """A result that closed then, with that profit."""
    return Result(
        symbol=symbol,
        model="continuation",
        closed_ms=closed_ms,
        pnl_usdt=Decimal(pnl),
        equity_usdt=Decimal(1000),
    )


def closed_trade(closed_ms: int, pnl: str) -> ClosedTrade:
    """The same as the core keeps it."""
    return ClosedTrade(
        trade_id=f"t{closed_ms}",
        user_id="u1",
        account_id="a1",
        bot_id="b",
        symbol="BTCUSDT",
        model="continuation",
        direction=Direction.LONG,
        quantity=Decimal(1),
        entry_price=Decimal(100),
        exit_price=Decimal(101),
        opened_ms=closed_ms - 1,
        closed_ms=closed_ms,
        exit_reason=ExitReason.STOP_LOSS,
        realized_usdt=Decimal(pnl),
        fees_usdt=ZERO,
        funding_usdt=ZERO,
        pnl_usdt=Decimal(pnl),
        equity_usdt=Decimal(1000),
    )
