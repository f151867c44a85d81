"""Exits: the adviser's, the strategy's or percents, as the bot's configuration says."""

from decimal import Decimal

import pytest

from bot.core.presets import BotConfig, Exits
from bot.core.ruling.exits import levels_for
from bot.core.supervisor import Levels, check_levels
from data.model import Direction, OrderKind
from data.money import plain
from tests.core.build import config, decision, instrument, signal

ADVICE = decision(direction=Direction.LONG, stop_price=Decimal(99), target_price=Decimal(103))


def levels(bot: BotConfig, given: object = ADVICE, mark: str = "100") -> tuple[str, ...]:
    """Entry, stop and target for a long from 100 with its stop at 98 and its target at 104."""
    found = levels_for(bot, signal(), given, instrument(), Decimal(mark))  # type: ignore[arg-type]
    return tuple(plain(p) for p in (found.entry_price, found.stop_price, found.target_price))


def test_the_advisers_levels_count_where_it_names_them() -> None:
    """Its stop and target; the signal's when it names none."""
    assert levels(config()) == ("100", "99", "103")
    assert levels(config(), decision()) == ("100", "98", "104")


def test_the_strategys_levels_stand_whatever_the_adviser_says() -> None:
    """Only where the configuration says so."""
    assert levels(config(exits=Exits.STRATEGY)) == ("100", "98", "104")


@pytest.mark.parametrize(
    ("kind", "mark", "expected"),
    [
        (OrderKind.MARKET, "100", ("99.5", "100.3")),
        (OrderKind.MARKET, "200", ("199", "200.6")),  # measured from where it will be filled
        (OrderKind.LIMIT, "200", ("99.5", "100.3")),
    ],
)
def test_percent_exits_are_measured_from_the_real_entry(
    kind: OrderKind, mark: str, expected: tuple[str, str]
) -> None:
    """0.5 % below and 0.3 % above the mark of a market entry, or a limit entry's own price."""
    bot = config(
        exits=Exits.PERCENT,
        stop_pct=Decimal("0.5"),
        target_pct=Decimal("0.3"),
        entry_kind=kind,
    )
    assert levels(bot, mark=mark)[1:] == expected


def test_percent_exits_of_a_short_are_mirrored() -> None:
    """2 % above and 5 % below."""
    bot = config(exits=Exits.PERCENT, stop_pct=Decimal(2), target_pct=Decimal(5))
    short = signal(direction=Direction.SHORT)
    found = levels_for(bot, short, None, instrument(), Decimal(100))
    assert (found.stop_price, found.target_price) == (Decimal(102), Decimal(95))


def test_an_adviser_that_turns_a_signal_round_is_refused_under_the_strategys_exits() -> None:
    """A short with the long's stop below it: a check says so."""
    bot = config(exits=Exits.STRATEGY)
    turned = decision(direction=Direction.SHORT)
    found = levels_for(bot, signal(), turned, instrument(), Decimal(100))
    assert isinstance(found, Levels)
    failed = [c.rule for c in check_levels(bot, found, Decimal(100)) if not c.passed]
    assert "stop_side" in failed


def test_a_price_that_is_no_number_is_left_to_the_checks() -> None:
    """Nothing is measured from it."""
    bot = config(exits=Exits.PERCENT, stop_pct=Decimal(2), target_pct=Decimal(5))
    found = levels_for(bot, signal(), None, instrument(), Decimal("NaN"))
    assert [c.rule for c in check_levels(bot, found, Decimal("NaN"))] == ["finite_prices"]
