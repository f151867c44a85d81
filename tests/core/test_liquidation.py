"""A stop lies well before liquidation: leverage is lowered until it does, or the trade refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.liquidation import WAY_MAX, liquidation_price, maintenance_ratio, safe_leverage
from bot.core.sizing import Funds, plan_of
from bot.core.supervisor import Levels
from data.model import Direction
from tests.core.build import config, instrument


def levels(direction: Direction, stop: Decimal | str) -> Levels:
    """In at 100, out at the stop."""
    target = Decimal(100 + 20 * direction.sign)
    return Levels(
        direction=direction,
        entry_price=Decimal(100),
        stop_price=Decimal(stop),
        target_price=target,
    )


def test_liquidation_by_hand() -> None:
    """100, ten times, 0.4 %: a long at 100 x 0.9 / 0.996, a short at 100 x 1.1 / 1.004."""
    ratio = Decimal("0.004")
    long = liquidation_price(Direction.LONG, Decimal(100), 10, ratio)
    short = liquidation_price(Direction.SHORT, Decimal(100), 10, ratio)
    assert (round(long, 4), round(short, 4)) == (Decimal("90.3614"), Decimal("109.5618"))


@pytest.mark.parametrize("direction", list(Direction))
def test_a_near_stop_keeps_the_leverage(direction: Direction) -> None:
    """2 % away with ten times: liquidation is 9.6 % away."""
    stop = Decimal(100 - 2 * direction.sign)
    assert safe_leverage(levels(direction, stop), 10, Decimal("0.004")) == 10


def test_a_far_stop_lowers_the_leverage() -> None:
    """10 % away: eight tenths of the way to liquidation must reach further, so 12.5 %: seven."""
    assert safe_leverage(levels(Direction.LONG, "90"), 50, Decimal("0.004")) == 7


def test_a_stop_beyond_everything_has_no_leverage() -> None:
    """90 % away is nearer to zero than eight tenths of the way."""
    assert safe_leverage(levels(Direction.LONG, "10"), 50, Decimal("0.004")) == 0


@given(
    direction=st.sampled_from(list(Direction)),
    distance=st.decimals("0.1", "60", places=1),
    leverage=st.integers(1, 125),
    ratio=st.decimals("0.004", "0.1", places=3),
)
def test_the_stop_is_always_before_liquidation(
    direction: Direction, distance: Decimal, leverage: int, ratio: Decimal
) -> None:
    """Whatever leverage is given back, the stop is reached first, with room."""
    given_levels = levels(direction, Decimal(100) - direction.sign * distance)
    found = safe_leverage(given_levels, leverage, ratio)
    assert found <= leverage
    if found:
        away = abs(100 - liquidation_price(direction, Decimal(100), found, ratio))
        assert distance <= away * WAY_MAX


def test_the_strictest_bracket_up_to_the_size_counts() -> None:
    """A symbol whose brackets were not told is taken to keep 2 %."""
    assert maintenance_ratio(instrument(), Decimal(1000)) == Decimal("0.004")
    assert maintenance_ratio(instrument(brackets=()), Decimal(1000)) == Decimal("0.02")


def test_the_plan_says_by_name_what_it_did() -> None:
    """The record holds the check; the plan has the lower leverage."""
    funds = Funds(wallet_usdt=Decimal(1000), free_usdt=Decimal(1000))
    given_levels = levels(Direction.LONG, "90")
    plan, checks = plan_of(config(leverage=50), given_levels, instrument(), funds)
    assert plan is not None
    assert plan.leverage == 7
    (check,) = [c for c in checks if c.rule == "liquidation"]
    assert (check.passed, check.value) == (True, "90")


def test_a_stop_out_of_reach_is_refused_in_words() -> None:
    """No leverage is low enough: the trade is refused, and the card says why."""
    funds = Funds(wallet_usdt=Decimal(1000), free_usdt=Decimal(1000))
    plan, checks = plan_of(config(leverage=1), levels(Direction.LONG, "10"), instrument(), funds)
    assert plan is None
    (check,) = [c for c in checks if not c.passed]
    assert check.rule == "liquidation"
    assert "too near to liquidation" in check.text
