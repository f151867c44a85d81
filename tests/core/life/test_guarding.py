"""A stop covers what is held, in either form; each refusal is answered as the exchange means it."""

from decimal import Decimal
from typing import Any

import pytest

from bot.core.guard import StopForm
from bot.core.messages import AskPosition, CancelOrder, Level, Tell
from bot.core.timing import Timing
from bot.core.trade import Order, OrderState, Phase, Role
from data.model import ExitReason, OrderKind, OrderStatus
from tests.core.build import Case, config, desk, instrument

TIMING = Timing()
FORMS = list(StopForm)
BY_QUANTITY = StopForm.QUANTITY


def bare(form: StopForm, **rules: Any) -> Case:
    """The entry is filled; stop and target are on their way."""
    return Case(desk(config(**rules), stop_form=form)).to_bare()


def partly(case: Case, quantity: str, sum_: str) -> Case:
    """The limit entry fills a little more."""
    entry = case.latest(Role.ENTRY)
    case.fill(entry, quantity).report(
        entry,
        OrderStatus.PARTIALLY_FILLED,
        filled_quantity=Decimal(sum_),
        conditional=False,
        venue_order_id=1,
    )
    return case.see(sum_)


def resting(form: StopForm = BY_QUANTITY, **filters: Any) -> Case:
    """A limit entry of which one unit is filled, stop and target confirmed."""
    bot = config(entry_kind=OrderKind.LIMIT, entry_timeout_ms=600_000)
    case = Case(desk(bot, stop_form=form), listing=instrument(**filters)).to_pending()
    partly(case, "1", "1")
    return case.report(stop_of(case)).report(case.latest(Role.TARGET))


def stop_of(case: Case) -> Order:
    """The newest stop."""
    return case.latest(Role.STOP)


def kinds(case: Case) -> list[str]:
    """Every notice ever told."""
    return [c.kind for c in case.all_said if isinstance(c, Tell)]


# ------------------------------------------------------------------------- what is held


@pytest.mark.parametrize("form", FORMS)
def test_the_form_is_the_desks(form: StopForm) -> None:
    """Closing the position has no quantity and no reduce-only; a quantity has both."""
    case = bare(form)
    entry = case.latest(Role.ENTRY)
    for order in (stop_of(case), case.latest(Role.TARGET)):
        whole = form is StopForm.CLOSE_POSITION
        assert (order.close_position, order.reduce_only) == (whole, not whole)
        assert order.quantity == (0 if whole else entry.quantity)


def test_more_is_filled_and_the_stop_grows_without_a_bare_moment() -> None:
    """One unit is covered, three are held: a stop of three, then the one of one goes."""
    case = resting()
    small = stop_of(case)
    assert small.quantity == 1
    partly(case, "2", "3")
    assert case.phase is Phase.POSITION_UNPROTECTED, "two units are bare, and a clock runs"
    large = stop_of(case)
    assert large.quantity == 3
    assert not case.of(CancelOrder)
    case.report(large)
    assert case.phase is Phase.POSITION_ACTIVE
    assert small.order_id in [c.order_id for c in case.of(CancelOrder)]
    assert case.latest(Role.TARGET).quantity == 3


def test_a_burst_of_fills_waits_for_the_stop_on_its_way() -> None:
    """One stop at a time: what is filled meanwhile is covered by the next."""
    case = resting()
    partly(case, "1", "2")
    partly(case, "1", "3")
    assert len(case.ever_placed(Role.STOP)) == 2
    case.report(stop_of(case))
    assert stop_of(case).quantity == 3
    case.report(stop_of(case))
    assert case.phase is Phase.POSITION_ACTIVE


def test_a_closing_stop_covers_more_by_itself() -> None:
    """The exchange sizes it when it fires: nothing is sent for a further fill."""
    case = resting(StopForm.CLOSE_POSITION)
    partly(case, "2", "3")
    assert case.phase is Phase.POSITION_ACTIVE
    assert len(case.ever_placed(Role.STOP)) == 1


def test_less_is_held_and_the_stop_stays() -> None:
    """Reduce-only shrinks at the exchange: a part that was closed by hand needs no new stop."""
    case = bare(BY_QUANTITY)
    case.report(stop_of(case)).report(case.latest(Role.TARGET))
    case.wait(10).fill(None, "1").see(case.latest(Role.ENTRY).quantity - 1)
    assert case.phase is Phase.POSITION_ACTIVE
    assert len(case.ever_placed(Role.STOP)) == 1


def test_what_one_market_order_cannot_close_is_closed_whole() -> None:
    """A quantity has a largest size, closing the position has none: it takes over."""
    case = resting(market_quantity_max=Decimal(2))
    assert stop_of(case).quantity == 1
    partly(case, "2", "3")
    assert stop_of(case).close_position


def test_a_rest_that_cannot_be_covered_in_time_closes() -> None:
    """Two units bare for longer than the bound: out at market."""
    case = resting()
    partly(case, "2", "3")
    case.unknown(stop_of(case)).wait(TIMING.unprotected_max_ms)
    assert case.trade().exit_reason is ExitReason.EMERGENCY


# ------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("code", [-4509, -4129, -2022])
def test_no_position_is_looked_at_first(form: StopForm, code: int) -> None:
    """The exchange sees nothing to close: it is asked; flat ends the trade, held tries again."""
    case = bare(form)
    case.wait(10).refuse(stop_of(case), code)
    assert case.of(AskPosition)
    assert len(case.ever_placed(Role.STOP)) == 1
    case.wait(10).see(case.latest(Role.ENTRY).quantity)
    assert stop_of(case).attempt == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("code", [-2021, -4142])
def test_beyond_the_price_closes_at_market(form: StopForm, code: int) -> None:
    """It would fire at once: so it does, by a market order."""
    case = bare(form)
    case.refuse(stop_of(case), code)
    assert len(case.placed(Role.CLOSE)) == 1
    assert case.trade().exit_reason is ExitReason.EMERGENCY


@pytest.mark.parametrize("form", FORMS)
def test_too_many_stops_alarms_and_pauses(form: StopForm) -> None:
    """-4045: the owner can make room; meanwhile it is tried again with growing pauses."""
    case = bare(form)
    case.refuse(stop_of(case), -4045)
    (alarm,) = [t for t in case.of(Tell) if t.kind == "too_many_stops"]
    assert alarm.level is Level.ALARM
    assert len(case.ever_placed(Role.STOP)) == 1, "not at once"
    case.wait(TIMING.protect_again_ms)
    assert len(case.ever_placed(Role.STOP)) == 2
    case.report(stop_of(case))
    assert case.phase is Phase.POSITION_ACTIVE


def test_a_strangers_closing_stop_is_no_hindrance() -> None:
    """-4130 and none of ours is hidden: ours goes beside it, as a quantity."""
    case = bare(StopForm.CLOSE_POSITION)
    case.refuse(stop_of(case), -4130)
    assert stop_of(case).quantity == case.latest(Role.ENTRY).quantity
    case.report(stop_of(case))
    assert case.phase is Phase.POSITION_ACTIVE


@pytest.mark.parametrize("form", FORMS)
def test_a_stop_thought_absent_is_the_one_that_exists(form: StopForm) -> None:
    """-4130 after one was given up: that one must be it, and is asked about, not doubled."""
    case = bare(form)
    first = stop_of(case)
    case.unknown(first).wait(6_001).missing(first)
    case.refuse(stop_of(case), -4130)
    assert len([o for o in case.trade().of_role(Role.STOP) if not o.is_over]) <= 1


@pytest.mark.parametrize("code", [-4118, -2026, -1106])
def test_a_quantity_refused_for_its_form_is_sent_as_the_other(code: int) -> None:
    """Reduce-only conflicts: closing the whole position needs none of that."""
    case = bare(BY_QUANTITY)
    case.refuse(stop_of(case), code)
    assert stop_of(case).close_position
    case.report(stop_of(case))
    assert case.phase is Phase.POSITION_ACTIVE


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("code", [-1003, -1015, 429, 418, 503])
def test_a_rate_limit_is_given_growing_pauses_then_it_is_closed(form: StopForm, code: int) -> None:
    """Refused at 0, tried at 0.5, 1.5, 3.5 and 7.5 s; at 12 s bare it is closed at market."""
    case = bare(form)
    began_ms = case.now_ms
    tried: list[int] = []
    for _ in range(4):
        case.refuse(stop_of(case), code)
        sent = len(case.ever_placed(Role.STOP))
        while len(case.ever_placed(Role.STOP)) == sent:
            case.wait(100)
        tried.append(case.now_ms - began_ms)
    assert tried == [500, 1_500, 3_500, 7_500]
    case.refuse(stop_of(case), code).wait(TIMING.unprotected_max_ms)
    assert case.ever_placed(Role.CLOSE)
    assert case.trade().exit_reason is ExitReason.EMERGENCY
    assert case.trade().unprotected_ms == TIMING.unprotected_max_ms


def test_a_request_out_of_date_is_sent_again_at_once() -> None:
    """-1021 is no limit: the clock was set, the stop goes out again in the same moment."""
    case = bare(StopForm.CLOSE_POSITION)
    case.refuse(stop_of(case), -1021)
    assert stop_of(case).attempt == 1


def test_a_target_waits_too_and_hurts_nobody() -> None:
    """A target refused by a limit is sent again later; the stop is there, nothing closes."""
    case = bare(StopForm.CLOSE_POSITION)
    case.report(stop_of(case)).refuse(case.latest(Role.TARGET), -1015)
    assert len(case.ever_placed(Role.TARGET)) == 1
    case.wait(TIMING.protect_again_ms)
    assert len(case.ever_placed(Role.TARGET)) == 2
    assert case.phase is Phase.POSITION_ACTIVE


# ------------------------------------------------------------- the exchange's trailing stop


def test_a_trailing_stop_rests_beside_the_fixed_one() -> None:
    """Only once the fixed stop is confirmed, for what is held, from one risk beyond the entry."""
    case = bare(StopForm.CLOSE_POSITION, callback_pct=Decimal("0.5"))
    assert not case.ever_placed(Role.TRAIL)
    case.report(stop_of(case))
    (trail,) = case.placed(Role.TRAIL)
    assert trail.kind is OrderKind.TRAILING_STOP_MARKET
    assert (trail.callback_pct, trail.activation_price) == (Decimal("0.5"), Decimal(102))
    assert (trail.quantity, trail.reduce_only) == (case.latest(Role.ENTRY).quantity, True)
    assert case.trade().standing(Role.STOP) is not None
    case.report(trail, OrderStatus.TRIGGERED)
    assert case.phase is Phase.CLOSING


def test_a_trailing_stop_past_its_activation_starts_at_once() -> None:
    """-2021: the price is beyond the activation already, so it is sent without one."""
    case = bare(StopForm.CLOSE_POSITION, callback_pct=Decimal("0.5"))
    case.report(stop_of(case)).refuse(case.latest(Role.TRAIL), -2021)
    assert case.latest(Role.TRAIL).activation_price is None


def test_a_refused_trailing_stop_changes_nothing_else() -> None:
    """The fixed stop guards: nothing is closed, and it is not tried for ever."""
    case = bare(StopForm.CLOSE_POSITION, callback_pct=Decimal("0.5"))
    case.report(stop_of(case)).refuse(case.latest(Role.TRAIL), -4045).wait(120_000)
    assert case.phase is Phase.POSITION_ACTIVE
    assert len(case.ever_placed(Role.TRAIL)) <= 3


def test_a_fired_stop_takes_the_trailing_one_along() -> None:
    """Once flat, nothing of ours is left: the trailing stop is cancelled."""
    case = bare(StopForm.CLOSE_POSITION, callback_pct=Decimal("0.5"))
    case.report(stop_of(case)).report(case.latest(Role.TRAIL))
    trail = case.latest(Role.TRAIL)
    case.finish(stop_of(case), case.latest(Role.ENTRY).quantity).see(0)
    cancels = [c.order_id for c in case.all_said if isinstance(c, CancelOrder)]
    assert trail.order_id in cancels
    assert case.trade().order(trail.order_id) is not None
    assert stop_of(case).state is OrderState.FILLED
