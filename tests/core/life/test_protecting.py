"""Bare and active positions: one stop, at once, or out at market in bounded time."""

from decimal import Decimal

import pytest

from bot.core.messages import AskAdvisor, AskPosition, Level, PlaceOrder, Tell
from bot.core.trade import OrderState, Phase, Role
from data.model import Direction, ExitReason, OrderKind, OrderStatus, Side
from tests.core.build import TIMING, Case, config, desk, limit_config, order_state, signal


def test_partial_fill_is_protected_at_once() -> None:
    """The first fill, however small, puts stop and target out in the same step."""
    case = Case(desk(limit_config())).to_pending()
    entry = case.latest(Role.ENTRY)
    case.report(entry).fill(entry, "0.001")
    assert case.phase is Phase.POSITION_UNPROTECTED
    (stop,) = case.placed(Role.STOP)
    (target,) = case.placed(Role.TARGET)
    assert (stop.kind, stop.side, stop.trigger_price) == (
        OrderKind.STOP_MARKET,
        Side.SELL,
        Decimal(98),
    )
    assert (target.kind, target.trigger_price) == (OrderKind.TAKE_PROFIT_MARKET, Decimal(104))
    assert stop.close_position  # it covers what is filled later, too
    assert target.close_position


def test_a_short_is_protected_on_the_other_side() -> None:
    """A short's exits buy: stop above, target below."""
    short = signal(direction=Direction.SHORT, stop_price=Decimal(102), target_price=Decimal(96))
    case = Case().raise_signal(short).decide()
    case.fill(case.latest(Role.ENTRY))
    stop, target = case.latest(Role.STOP), case.latest(Role.TARGET)
    assert (stop.side, stop.trigger_price) == (Side.BUY, Decimal(102))
    assert (target.side, target.trigger_price) == (Side.BUY, Decimal(96))


def test_active_begins_with_the_confirmed_stop() -> None:
    """The target alone protects nothing."""
    case = Case().to_bare()
    case.report(case.latest(Role.TARGET))
    assert case.phase is Phase.POSITION_UNPROTECTED
    case.wait(40).report(case.latest(Role.STOP))
    assert case.phase is Phase.POSITION_ACTIVE
    assert case.trade().unprotected_ms == 40


def test_stop_accepted_but_reply_lost_is_one_stop() -> None:
    """An unheard stop is asked about, not placed again; the query's answer confirms it."""
    case = Case().to_bare()
    stop = case.latest(Role.STOP)
    case.unknown(stop).wait(3_000)
    assert len(case.ever_placed(Role.STOP)) == 1
    case.report(stop)
    assert case.phase is Phase.POSITION_ACTIVE


def test_a_stop_thought_absent_that_is_there_after_all_protects() -> None:
    """The second stop is refused because the first one rests: that one is asked about again."""
    case = Case().to_bare()
    first = case.latest(Role.STOP)
    case.unknown(first).wait(6_001).missing(first)
    assert order_state(case, first) is OrderState.ABSENT
    second = case.latest(Role.STOP)
    case.refuse(second, -4130)
    assert order_state(case, first) is OrderState.UNKNOWN
    assert len(case.ever_placed(Role.STOP)) == 2
    case.wait(2_000).report(first)
    assert case.phase is Phase.POSITION_ACTIVE
    assert len(case.ever_placed(Role.STOP)) == 2


def test_a_resurrected_first_stop_counts_when_it_fires() -> None:
    """The stop that protects need not be the newest one."""
    case = Case().to_bare()
    first = case.latest(Role.STOP)
    case.unknown(first).wait(6_001).missing(first).refuse(case.latest(Role.STOP), -4130)
    case.report(first).report(case.latest(Role.TARGET)).report(first, OrderStatus.TRIGGERED)
    assert case.phase is Phase.CLOSING
    assert case.trade().exit_reason is ExitReason.STOP_LOSS


def test_unprotected_too_long_alarms_and_closes_at_market() -> None:
    """No word of the stop: an alarm at 3 s, out at market at 12 s."""
    case = Case().to_bare()
    case.unknown(case.latest(Role.STOP)).wait(TIMING.unprotected_alarm_ms - 1)
    assert "unprotected" not in case.told()
    case.wait(1)
    assert "unprotected" in case.told()
    case.wait(TIMING.unprotected_max_ms - TIMING.unprotected_alarm_ms - 1)
    assert not case.ever_placed(Role.CLOSE)
    case.wait(1)
    assert len(case.placed(Role.CLOSE)) == 1
    assert case.trade().exit_reason is ExitReason.EMERGENCY
    assert case.trade().unprotected_ms == TIMING.unprotected_max_ms


@pytest.mark.parametrize("code", [-2021, -4142])
def test_a_stop_beyond_the_price_closes_at_once(code: int) -> None:
    """The price is through the level already: out at market, no second try."""
    case = Case().to_bare()
    case.refuse(case.latest(Role.STOP), code)
    assert len(case.placed(Role.CLOSE)) == 1
    assert case.trade().exit_reason is ExitReason.EMERGENCY
    alarm = next(t for t in case.of(Tell) if t.kind == "emergency_close")
    assert alarm.level is Level.ALARM


def test_a_stop_refused_again_and_again_closes() -> None:
    """Four tries, then out at market."""
    case = Case().to_bare()
    for _ in range(4):
        case.refuse(case.latest(Role.STOP), -2010)
    assert len(case.ever_placed(Role.STOP)) == 4
    assert case.placed(Role.CLOSE)


def test_a_stop_refused_for_want_of_a_position_looks_first() -> None:
    """The exchange sees no position yet: it is asked before the next try."""
    case = Case().to_bare()
    stop = case.latest(Role.STOP)
    case.wait(10).refuse(stop, -4509)
    assert case.of(AskPosition)
    assert len(case.ever_placed(Role.STOP)) == 1
    case.wait(10).see(case.latest(Role.ENTRY).quantity)
    assert case.latest(Role.STOP).attempt == 1


def test_a_stop_cancelled_by_hand_is_placed_again() -> None:
    """Somebody removed our stop: a new one, and ACTIVE only when that is confirmed."""
    case = Case().to_active().wait(60_000)
    case.report(case.latest(Role.STOP), OrderStatus.CANCELED)
    assert case.phase is Phase.POSITION_UNPROTECTED
    case.report(case.latest(Role.STOP))
    assert case.phase is Phase.POSITION_ACTIVE
    assert case.latest(Role.STOP).attempt == 1


def test_a_target_beyond_the_price_takes_the_profit() -> None:
    """The target would trigger at once: closed at market as a profit."""
    case = Case().to_bare()
    case.report(case.latest(Role.STOP)).refuse(case.latest(Role.TARGET), -2021)
    assert case.placed(Role.CLOSE)
    assert case.trade().exit_reason is ExitReason.TAKE_PROFIT


def test_position_timeout_closes() -> None:
    """Held for as long as allowed, counted from the first fill."""
    case = Case(desk(config(position_timeout_ms=30_000))).to_active()
    case.wait(29_999)
    assert not case.ever_placed(Role.CLOSE)
    case.wait(1)
    assert case.trade().exit_reason is ExitReason.TIMEOUT
    assert case.placed(Role.CLOSE)


def test_the_adviser_is_asked_again_at_its_interval() -> None:
    """An open position is reviewed every so often, and no more often."""
    case = Case(desk(config(review_every_ms=5_000))).to_active().wait(15_000)
    asked = [c for c in case.of(AskAdvisor) if c.purpose == "manage"]
    assert len(asked) == 3


def test_the_entry_makes_leverage_and_margin_what_they_must_be() -> None:
    """Only the entry carries leverage and margin type."""
    case = Case().to_bare()
    commands = [c for c in case.all_said if isinstance(c, PlaceOrder)]
    settled = {c.order.role: c.leverage for c in commands}
    assert settled == {Role.ENTRY: 5, Role.STOP: None, Role.TARGET: None}
