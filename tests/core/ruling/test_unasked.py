"""auto-below: by itself within every bound that is set, beyond one of them a person is asked."""

from decimal import Decimal
from typing import Any

import pytest

from bot.core.messages import CardVerb, ShowCard
from bot.core.presets import ApprovalMode, Sizing, faults_of
from bot.core.trade import Phase, Role
from tests.core.build import Case, config, desk

# The plan in all of these: 4.764 units at 100 are 476.40 USDT, and lose 10.00 at the stop, which
# is 1 % of the wallet of 1,000 (4.764 x 2.099 = 9.9996).


def bot_of(**bounds: Any) -> Any:
    """A bot in auto-below with these bounds."""
    return config(approval_mode=ApprovalMode.AUTO_BELOW, **bounds)


@pytest.mark.parametrize(
    ("bounds", "asks"),
    [
        ({"auto_notional_usdt_max": "476.4"}, False),
        ({"auto_notional_usdt_max": "476.39"}, True),
        ({"auto_risk_usdt_max": "10"}, False),
        ({"auto_risk_usdt_max": "9.99"}, True),
        ({"auto_risk_pct_max": "1"}, False),
        ({"auto_risk_pct_max": "0.99"}, True),
        ({"auto_notional_usdt_max": "500", "auto_risk_usdt_max": "10"}, False),
        ({"auto_notional_usdt_max": "500", "auto_risk_usdt_max": "5"}, True),
        ({"auto_notional_usdt_max": "100", "auto_risk_pct_max": "2"}, True),
    ],
)
def test_every_bound_that_is_set_must_hold(bounds: dict[str, str], *, asks: bool) -> None:
    """Exactly at a bound nobody is asked; a bound of 0 is none."""
    bot = bot_of(**{name: Decimal(value) for name, value in bounds.items()})
    case = Case(desk(bot)).to_pending()
    assert bool(case.of(ShowCard)) is asks
    assert bool(case.placed(Role.ENTRY)) is not asks
    checks = case.trade().auto_checks
    assert len(checks) == len(bounds)
    assert any(not check.passed for check in checks) is asks


def test_the_record_says_that_nobody_was_asked_and_under_which_bound() -> None:
    """Approval "auto", and the bound with its input beside it."""
    trade = Case(desk(bot_of(auto_notional_usdt_max=Decimal(500)))).to_pending().trade()
    assert trade.approval is not None
    assert trade.approval.verb == "auto"
    (check,) = trade.auto_checks
    assert (check.rule, check.limit, check.value) == (
        "auto_notional",
        "<= 500 USDT",
        "476.4 USDT",
    )


def test_beyond_the_bound_a_yes_orders_what_the_card_showed() -> None:
    """The bound is about asking: it does not block the tap, and is no reason of a refusal."""
    case = Case(desk(bot_of(auto_notional_usdt_max=Decimal(100)))).to_pending()
    assert case.phase is Phase.AWAITING_APPROVAL
    case.tap(CardVerb.APPROVE)
    assert case.placed(Role.ENTRY)[0].quantity == Decimal("4.764")


def test_a_bound_in_per_cent_follows_the_wallet() -> None:
    """2 units lose 4.198: within 0.45 % of 1,000 (4.50), beyond 0.45 % of 900 (4.05)."""
    bot = bot_of(auto_risk_pct_max=Decimal("0.45"), sizing=Sizing.AMOUNT, amount_usdt=Decimal(200))
    assert Case(desk(bot, wallet=1000)).to_pending().placed(Role.ENTRY)
    assert Case(desk(bot, wallet=900)).to_pending().of(ShowCard)


def test_the_mode_without_a_bound_is_no_configuration() -> None:
    """Refused in words that name the fields; one bound is enough."""
    (fault,) = faults_of(bot_of())
    assert "auto-below" in fault
    assert "auto_notional_usdt_max, auto_risk_usdt_max, auto_risk_pct_max" in fault
    assert not faults_of(bot_of(auto_risk_usdt_max=Decimal(5)))
    (fault,) = faults_of(bot_of(auto_risk_pct_max=Decimal(11)))
    assert fault == "auto_risk_pct_max is 11; allowed is 0 to 10."
