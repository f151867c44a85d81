"""Where an isolated position would be liquidated, and the leverage that keeps away from it.

An estimate on the safe side: the bracket's maintenance ratio without the amount it deducts, and no
margin but the position's own. A crossed position has the whole wallet behind it, so the same
estimate holds it to no more. Source: reference sheet, section 8 point 21. Must not know: orders.
"""

from decimal import Decimal
from typing import Final

from bot.core.supervisor import Levels
from data.model import Direction, Instrument
from data.money import ONE

WAY_MAX: Final = Decimal("0.8")  # of the way from the entry to liquidation a stop may lie
RATIO_UNKNOWN: Final = Decimal("0.02")  # of a symbol whose brackets were not told


def maintenance_ratio(instrument: Instrument, notional_usdt: Decimal) -> Decimal:
    """The share of its notional that a position of that size must keep as margin."""
    ratios = [b.maintenance_ratio for b in instrument.brackets if b.notional_floor <= notional_usdt]
    return max(ratios, default=RATIO_UNKNOWN)


def liquidation_price(
    direction: Direction, entry_price: Decimal, leverage: int, ratio: Decimal
) -> Decimal:
    """Where margin is used up to the maintenance `ratio`; never below zero for a long."""
    sign = direction.sign
    price = entry_price * (ONE - sign * ONE / leverage) / (ONE - sign * ratio)
    return max(Decimal(0), price)


def safe_leverage(levels: Levels, leverage_max: int, ratio: Decimal) -> int:
    """The highest leverage up to `leverage_max` whose liquidation lies well beyond the stop.

    0 when even an unlevered position would be liquidated too near.
    """
    stop_distance = abs(levels.entry_price - levels.stop_price)
    for leverage in range(leverage_max, 0, -1):
        price = liquidation_price(levels.direction, levels.entry_price, leverage, ratio)
        away = (levels.entry_price - price) * levels.direction.sign
        if away > 0 and stop_distance <= away * WAY_MAX:
            return leverage
    return 0
