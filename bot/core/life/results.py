"""What a trade made, from its fills and payments: profit, fees, funding, average prices.

Must not know: how they became known (`facts`).
"""

from decimal import Decimal

from bot.core.trade import Trade
from data.money import ZERO


def realized_usdt(trade: Trade) -> Decimal:
    """Realised profit before fees and funding, as the exchange computed it fill by fill."""
    return sum((f.realized_pnl_usdt for f in trade.fills), ZERO)


def fees_usdt(trade: Trade) -> Decimal:
    """Fees paid in USDT (a fee in another asset is kept on its fill, not converted)."""
    return sum((f.fee for f in trade.fills if f.fee_asset == "USDT"), ZERO)


def funding_usdt(trade: Trade) -> Decimal:
    """Funding received (positive) or paid (negative)."""
    return sum((f.amount_usdt for f in trade.funding), ZERO)


def average_price(trade: Trade, *, entry: bool) -> Decimal:
    """Volume-weighted price of the fills that opened (or closed) it; ZERO without any."""
    direction = trade.direction
    if direction is None:
        return ZERO
    side = direction.entry_side if entry else direction.exit_side
    quantity = sum((f.quantity for f in trade.fills if f.side is side), ZERO)
    if quantity == ZERO:
        return ZERO
    return sum((f.quantity * f.price for f in trade.fills if f.side is side), ZERO) / quantity
