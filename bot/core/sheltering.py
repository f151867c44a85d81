"""Where the stop of a position goes whose plan was lost: a default, until a person decides.

After a cold start nobody knows the levels. A stop at a bounded distance is better than none, and
better than a position closed at market because we restarted. Must not know: orders.
"""

from decimal import Decimal
from typing import Final

from bot.core.liquidation import WAY_MAX
from data.model import Instrument, Position
from data.money import BPS, ONE, ZERO, round_to

DISTANCE_BPS_MAX: Final = Decimal(200)  # two percent; less where the bot allows stops only nearer


def shelter_level(
    position: Position, instrument: Instrument, bot_bps_max: Decimal | None
) -> Decimal | None:
    """The default level for a position as a reading shows it; None when it tells no price.

    The distance is measured from the entry, or from the mark price when that has come nearer to
    the stop than half of it; and well before liquidation. `bot_bps_max`: the bot's own bound.
    """
    entry, sign = position.entry_price, 1 if position.quantity > ZERO else -1
    mark = entry + position.unrealized_pnl_usdt / position.quantity
    if entry <= ZERO or mark <= ZERO:
        return None
    away = min(DISTANCE_BPS_MAX, bot_bps_max or DISTANCE_BPS_MAX) / BPS
    level = entry * (ONE - sign * away)
    if (mark - level) * sign < mark * away / 2:
        level = mark * (ONE - sign * away)
    liquidated_at = position.liquidation_price
    if liquidated_at is not None and liquidated_at > ZERO and (mark - liquidated_at) * sign > ZERO:
        last = mark + (liquidated_at - mark) * WAY_MAX
        level = max(level * sign, last * sign) * sign
    level = round_to(level, instrument.tick_size)
    return level if level > ZERO else None
