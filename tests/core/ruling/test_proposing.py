"""The plan of a signal by itself: what shadows follow when somebody or something said no."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.core.messages import SignalRaised
from bot.core.presets import ApprovalMode, Exits
from bot.core.ruling.proposing import proposed_plan
from bot.core.trade import Outcome, Plan
from data.model import Direction, Signal
from tests.core.build import NOW_MS, PRICE, Case, config, desk, instrument, signal


def proposed(given: Signal, mark: Decimal = PRICE, wallet: str = "1000", **bot: object) -> Plan:
    """The plan of a signal on a desk with one bot."""
    bots = config(**bot)
    event = SignalRaised(signal=given, instrument=instrument(), mark_price=mark, mark_ms=NOW_MS)
    plan = proposed_plan(desk(bots, wallet=wallet), bots, event)
    assert plan is not None
    return plan


def test_it_is_what_the_bot_would_have_ordered() -> None:
    """Where nobody objects, the signal's own plan and the one that is ordered are the same."""
    trade = Case(desk(config(approval_mode=ApprovalMode.APPROVE))).raise_signal().decide().trade()
    assert trade.plan is not None
    assert trade.proposed == trade.plan


def test_a_blocked_signal_has_one_too() -> None:
    """The score keeps it out before anything was planned; its plan is kept all the same."""
    case = Case(desk(config(score_threshold=95.0))).raise_signal()
    trade = case.trade()
    assert trade.outcome is Outcome.BLOCKED
    assert trade.plan is None
    assert trade.proposed == proposed(signal())
    assert trade.proposed.quantity > 0


def test_percent_exits_are_the_bots_own() -> None:
    """Two percent below and five above the mark: what the bot does, not what the signal says."""
    plan = proposed(
        signal(),
        mark=Decimal(101),
        exits=Exits.PERCENT,
        stop_pct=Decimal(2),
        target_pct=Decimal(5),
    )
    assert (plan.entry_price, plan.stop_price, plan.target_price) == (
        Decimal("101.0"),
        Decimal("99.0"),  # 101 x 0.98, on the tick of 0.1
        Decimal("106.0"),  # 101 x 1.05
    )


def test_too_small_an_account_leaves_it_unsized() -> None:
    """It can be followed for its multiple of the risk, and has no result in USDT."""
    plan = proposed(signal(), wallet="0")
    assert (plan.quantity, plan.risk_usdt) == (Decimal(0), Decimal(0))
    assert plan.stop_price == Decimal(98)


@pytest.mark.parametrize(
    "changes",
    [
        {"stop_price": Decimal(101)},
        {"target_price": Decimal(99)},
        {"stop_price": Decimal("NaN")},
        {"entry_price": Decimal("Infinity")},
        {"target_price": Decimal(0)},
        {"direction": Direction.SHORT},
    ],
)
def test_levels_that_make_no_trade_have_no_plan(changes: dict[str, object]) -> None:
    """A stop or target on the wrong side, or a price that is none."""
    bot = config()
    event = SignalRaised(
        signal=signal(**changes), instrument=instrument(), mark_price=PRICE, mark_ms=NOW_MS
    )
    assert proposed_plan(desk(bot), bot, event) is None
    unknown = replace(event, signal=signal(), mark_price=Decimal("NaN"))
    assert proposed_plan(desk(bot), bot, unknown) is None
