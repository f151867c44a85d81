"""Closed trades that memory tests begin with."""

from decimal import Decimal

from hypothesis import strategies as st

from data.model import ClosedTrade, Direction, ExitReason
from data.money import ZERO
from memory.history import Result

HOUR_MS = 3_600_000


def result(
    closed_ms: int,
    pnl: str,
    *,
    symbol: str = "BTCUSDT",
    model: str = "continuation",
    equity: str = "1000",
    bot: str = "",
) -> Result:
    """A result that closed then, with that profit."""
    return Result(
        symbol=symbol,
        model=model,
        closed_ms=closed_ms,
        pnl_usdt=Decimal(pnl),
        equity_usdt=Decimal(equity),
        bot_id=bot,
    )


results = st.builds(
    result,
    st.integers(0, 400).map(lambda hours: hours * HOUR_MS),
    st.sampled_from(["-1", "-0.01", "0", "2.5", "1"]),
    symbol=st.sampled_from(["AUSDT", "BUSDT", "CUSDT"]),
    model=st.sampled_from(["continuation", "reversal", "volatile"]),
    equity=st.integers(850, 1100).map(str),
    bot=st.sampled_from(["one", "two"]),
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
