"""The last look before an entry leaves: what no longer holds at the live price is not sent."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.core.ruling.gates import failed
from bot.core.ruling.submitting import RISK_SLACK, check_submit
from bot.core.trade import Role
from bot.shell.steps import why_not_sent
from data.model import OrderKind
from tests.core.build import PRICE, Case, config, desk, instrument


def sent(kind: OrderKind = OrderKind.MARKET) -> Case:
    """An entry on its way: long at 100, stop 98, target 104."""
    bot = config(entry_kind=kind, reward_risk_min=Decimal(1), drift_bps_max=Decimal(100))
    return Case(desk(bot)).raise_signal().decide()


def refused(case: Case, mark: str | None, age_ms: int = 0) -> set[str]:
    """The rules that would not let it leave at that price."""
    told = None if mark is None else (Decimal(mark), case.now_ms - age_ms)
    checks = check_submit(case.desk, case.latest(Role.ENTRY).order_id, told, case.now_ms)
    return {check.rule for check in failed(checks)}


@pytest.mark.parametrize(
    ("mark", "rules"),
    [
        ("100", set()),
        ("100.1", set()),
        ("99.5", set()),
        ("100.3", {"risk"}),  # 2.3 and fees instead of 2 and fees: 14 % more
        ("101.1", {"price_drift", "reward_risk", "risk"}),
        ("98", {"stop_vs_mark", "stop_distance", "price_drift", "reward_risk"}),
        ("104", {"target_vs_mark", "price_drift", "reward_risk", "risk"}),
        ("NaN", {"finite_prices"}),
        ("0", {"finite_prices"}),
    ],
)
def test_an_entry_is_looked_at_again_at_the_price_of_the_moment(mark: str, rules: set[str]) -> None:
    """The same rules as when it was decided, each by name."""
    assert refused(sent(), mark) == rules


@pytest.mark.parametrize(("mark", "age_ms"), [(None, 0), ("100", 10_001)])
def test_without_a_fresh_price_nothing_leaves(mark: str | None, age_ms: int) -> None:
    """None at all, or one older than ten seconds."""
    assert refused(sent(), mark, age_ms) == {"fresh_price"}
    assert refused(sent(), "100", 10_000) == set()


def test_a_limit_orders_risk_is_that_of_its_own_price() -> None:
    """The mark may move; it is filled at 100 or better."""
    assert refused(sent(OrderKind.LIMIT), "100.5") == set()


def test_risk_may_be_passed_by_a_tenth_and_no_more() -> None:
    """A plan uses its whole risk, and a price never stands still."""
    case = sent()
    plan = case.trade().plan
    assert plan is not None
    told = (PRICE, case.now_ms)
    order_id = case.latest(Role.ENTRY).order_id
    for more, passes in ((RISK_SLACK, True), (RISK_SLACK + Decimal("0.001"), False)):
        grown = replace(plan, risk_usdt=plan.risk_usdt / more)
        trade = replace(case.trade(), plan=grown)
        desk_then = replace(case.desk, trades={trade.trade_id: trade})
        checks = check_submit(desk_then, order_id, told, case.now_ms)
        assert bool(failed(checks)) is not passes, more


def test_what_is_held_back_says_why_and_stops_never_are() -> None:
    """In words, with the rule, its input and its limit; protection leaves whatever the price."""
    case = sent()
    entry = case.latest(Role.ENTRY)
    why = why_not_sent(entry, case.desk, (), lambda _: (Decimal(102), case.now_ms), case.now_ms)
    assert why.startswith("not sent: price_drift: 200.0 bps (<= 100 bps)")
    assert why_not_sent(entry, case.desk, {"disk full"}, lambda _: None, 0) == "not sent: disk full"
    stop = replace(entry, role=Role.STOP)
    assert why_not_sent(stop, case.desk, {"disk full"}, lambda _: None, 0) == ""


def test_an_order_of_nobodys_plan_is_not_judged() -> None:
    """There is nothing to judge it by."""
    case = sent()
    assert check_submit(case.desk, "web_1", (PRICE, case.now_ms), case.now_ms) == ()
    assert instrument().symbol == case.trade().symbol
