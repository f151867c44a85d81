"""A default level for a position whose plan was lost: bounded, on its side, before liquidation."""

from decimal import Decimal

import pytest

from bot.core.sheltering import shelter_level
from data.model import Position
from tests.core.build import SYMBOL, instrument


def held(quantity: int, entry: int, mark: int, liquidated_at: Decimal | None = None) -> Position:
    """A position as a reading shows it: the mark price is told by its open profit."""
    return Position(
        symbol=SYMBOL,
        quantity=Decimal(quantity),
        entry_price=Decimal(entry),
        updated_ms=0,
        unrealized_pnl_usdt=Decimal(quantity * (mark - entry)),
        liquidation_price=liquidated_at,
    )


@pytest.mark.parametrize(
    ("position", "bps_max", "level"),
    [
        (held(2, 1000, 1000), None, "980"),  # 1000 x 0.98
        (held(-2, 1000, 1000), None, "1020"),
        (held(2, 1000, 1100), None, "980"),  # in profit: from the entry
        (held(2, 1000, 995), None, "980"),  # 15 below the mark is more than half of 19.9
        (held(2, 1000, 985), None, "965.3"),  # 5 is not: 985 x 0.98
        (held(-2, 1000, 1050), None, "1071"),  # beyond it already: 1050 x 1.02
        (held(2, 1000, 1000), Decimal(50), "995"),  # the bot allows half a percent
        (held(2, 1000, 1000), Decimal(1500), "980"),  # and never more than two
        (held(2, 1000, 1000, Decimal(990)), None, "992"),  # 1000 - 0.8 x 10
        (held(-2, 1000, 1000, Decimal(1010)), None, "1008"),
        (held(2, 1000, 1000, Decimal(900)), None, "980"),  # liquidation lies far beyond
        (held(2, 1000, 1000, Decimal(0)), None, "980"),  # none
    ],
)
def test_the_default_level_is_near_and_would_not_fire_at_once(
    position: Position, bps_max: Decimal | None, level: str
) -> None:
    """From the entry, or from the mark when that came too near; well before liquidation."""
    assert shelter_level(position, instrument(), bps_max) == Decimal(level)


def test_a_position_without_a_price_has_no_default_level() -> None:
    """Nothing is guessed: it is closed at market instead."""
    assert shelter_level(held(2, 0, 0), instrument(), None) is None
