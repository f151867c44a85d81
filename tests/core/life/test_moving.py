"""A stop is moved by break-even, trailing or a person: tighter only, never two, never none."""

from decimal import Decimal
from typing import Any

import pytest

from bot.core.guard import StopForm
from bot.core.life import moving
from bot.core.messages import (
    AskOrder,
    CancelOrder,
    Level,
    PriceReached,
    StopMoveRequested,
    Tell,
)
from bot.core.timing import Timing
from bot.core.trade import Order, OrderState, Phase, Role
from data.model import Action, Direction, ExitReason, OrderReport, OrderStatus
from tests.core.build import Case, config, decision, desk, report, signal

TIMING = Timing()
EVEN: dict[str, Any] = {"break_even_risks": Decimal(1), "break_even_bps": Decimal(10)}
TRAIL: dict[str, Any] = {"trail_pct": Decimal(1), "trail_from_risks": Decimal(0)}
FORMS = list(StopForm)


def guarded(form: StopForm = StopForm.CLOSE_POSITION, **rules: Any) -> Case:
    """A long from 100 with its stop at 98: protected, and watched by these rules."""
    return Case(desk(config(**rules), stop_form=form)).to_active()


def price(case: Case, mark: Decimal | str | int) -> Case:
    """The mark price is there: told only when the record asked for it, as a shell does."""
    trades = case.desk.trades.values()
    case.said = []
    for told in moving.reached(trades, case.trade().symbol, Decimal(mark), case.now_ms):
        case.feed(told)
    return case


def move(case: Case, level: Decimal | str | int, mark: Decimal | str | int = 103) -> Case:
    """A person moves the stop."""
    return case.feed(
        StopMoveRequested(
            trade_id=case.trade().trade_id, level=Decimal(level), by="u1", mark_price=Decimal(mark)
        )
    )


def cancelled(case: Case, stop: Order) -> Case:
    """The exchange confirms a cancel."""
    return case.wait(20).report(stop, OrderStatus.CANCELED)


def stop_of(case: Case) -> Order:
    """The newest stop."""
    return case.latest(Role.STOP)


# ------------------------------------------------------------------- when, and where to


def test_break_even_waits_for_one_risk_and_covers_the_fees() -> None:
    """Entry 100, risk 2: at 102 the stop goes to 100.1, the entry and 10 bps; not before."""
    case = guarded(**EVEN)
    assert case.trade().watch_price == Decimal(102)
    price(case, "101.9")
    assert not case.said
    price(case, 102)
    assert case.trade().stop_level == Decimal("100.1")
    assert [c.order_id for c in case.of(CancelOrder)] == [stop_of(case).order_id]


def test_a_short_is_moved_downwards() -> None:
    """Entry 100, stop 102, risk 2: at 98 the stop goes to 99.9."""
    short = signal(direction=Direction.SHORT, stop_price=Decimal(102), target_price=Decimal(96))
    case = Case(desk(config(**EVEN))).raise_signal(short).decide(decision())
    entry = case.latest(Role.ENTRY)
    case.finish(entry).see(-entry.quantity).report(stop_of(case)).report(case.latest(Role.TARGET))
    assert case.trade().watch_price == Decimal(98)
    price(case, 98)
    assert case.trade().stop_level == Decimal("99.9")


def test_trailing_follows_in_fifths_of_its_distance() -> None:
    """1 % of 100 is 1, a fifth 0.2. It begins at the entry.

    At 101 it goes to 101 - 1.01 = 99.99, on the tick 100; the next one to at least 100.2.
    """
    case = guarded(**TRAIL)
    assert case.trade().watch_price == Decimal(100)
    price(case, 101)
    assert case.trade().stop_level == Decimal("100.0")
    cancelled(case, stop_of(case)).report(stop_of(case)).wait(TIMING.move_again_ms)
    assert case.trade().watch_price == Decimal("100.2") / Decimal("0.99")


def test_trailing_by_atr_keeps_the_distance_of_the_entry() -> None:
    """Two ATRs of 0.6 are 1.2: at 103 the stop goes to 101.8."""
    case = Case(desk(config(trail_atr=Decimal(2), trail_from_risks=Decimal(1))))
    case.raise_signal(signal(atr=Decimal("0.6"))).decide()
    entry = case.latest(Role.ENTRY)
    case.finish(entry).see(entry.quantity).report(stop_of(case)).report(case.latest(Role.TARGET))
    assert case.trade().watch_price == Decimal(102), "it begins one risk beyond the entry"
    price(case, 103)
    assert case.trade().stop_level == Decimal("101.8")


def test_no_rule_watches_no_price() -> None:
    """By default nothing moves: no price is asked for, and none is acted upon."""
    case = guarded()
    assert case.trade().watch_price is None
    told = PriceReached(
        trade_id=case.trade().trade_id, mark_price=Decimal(200), mark_ms=case.now_ms
    )
    assert not case.feed(told).said


@pytest.mark.parametrize(
    ("level", "mark"), [("97.9", 103), ("98", 103), ("102.99", 103), ("NaN", 103), ("0", 103)]
)
def test_a_person_may_only_tighten_and_not_fire_it(level: str, mark: int) -> None:
    """Looser, equal, too near to the price, or no price: refused in words, nothing is sent."""
    case = move(guarded(), level, mark)
    assert case.told() == ["stop_not_moved"]
    assert not case.of(CancelOrder)
    assert case.trade().stop_level is None


def test_a_person_without_a_fresh_price_moves_nothing() -> None:
    """Where the price is, nobody knows: a stop could fire at once."""
    case = guarded()
    asked = StopMoveRequested(trade_id=case.trade().trade_id, level=Decimal(99), by="u1")
    assert case.feed(asked).told() == ["stop_not_moved"]


def test_a_move_of_nothing_is_refused() -> None:
    """A trade that is not protected has no stop to move."""
    case = move(Case().to_pending(), 99)
    assert case.told() == ["stop_not_moved"]


# ------------------------------------------------------- closing the position: one of a kind


def test_a_closing_stop_is_cancelled_then_placed() -> None:
    """Never two: the new one goes out in the step that hears of the cancel; bare only between."""
    case = move(guarded(), 99)
    old = stop_of(case)
    assert not case.placed(Role.STOP)
    assert case.phase is Phase.POSITION_ACTIVE
    assert case.trade().unprotected_since_ms == case.now_ms
    cancelled(case, old)
    (new,) = case.placed(Role.STOP)
    assert (new.trigger_price, new.close_position) == (Decimal(99), True)
    assert case.phase is Phase.POSITION_UNPROTECTED
    case.wait(20).report(new)
    assert case.phase is Phase.POSITION_ACTIVE
    assert case.told() == ["stop_moved"]
    assert case.trade().unprotected_since_ms is None
    assert case.trade().unprotected_ms == 40


def test_a_hold_in_the_middle_of_a_move_does_not_close() -> None:
    """Bare by our own will for a round trip is no reason to force a close."""
    case = move(guarded(), 99)
    cancelled(case, stop_of(case))
    case.decide(decision(Action.HOLD_POSITION))
    assert not case.ever_placed(Role.CLOSE)


def test_a_refused_new_stop_goes_back_to_the_old_level() -> None:
    """The level from before is restored at once, with words; no second move for a while."""
    case = move(guarded(), 99)
    cancelled(case, stop_of(case))
    case.refuse(stop_of(case), -2010)
    (back,) = case.placed(Role.STOP)
    assert back.trigger_price == Decimal(98)
    assert "stop_not_moved" in case.told()
    case.report(back)
    assert case.phase is Phase.POSITION_ACTIVE
    assert case.trade().move_after_ms is not None


def test_refused_at_both_levels_closes() -> None:
    """Neither the new level nor the old one: out at market."""
    case = move(guarded(), 99)
    cancelled(case, stop_of(case))
    case.refuse(stop_of(case), -2010).refuse(stop_of(case), -2010)
    assert len(case.placed(Role.CLOSE)) == 1
    assert case.trade().exit_reason is ExitReason.EMERGENCY


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("code", [-2021, -4142])
def test_a_moved_stop_that_would_fire_at_once_closes(form: StopForm, code: int) -> None:
    """The price is back behind the new level: that is where the stop wanted out."""
    case = move(guarded(form), 99)
    if form is StopForm.CLOSE_POSITION:
        cancelled(case, stop_of(case))
    case.refuse(stop_of(case), code)
    assert len(case.placed(Role.CLOSE)) == 1
    assert case.trade().exit_reason is ExitReason.STOP_LOSS


def test_an_unknown_cancel_is_asked_about_and_never_doubled() -> None:
    """No answer to the cancel: the stop is asked about, none is placed, the clock runs."""
    case = move(guarded(), 99)
    old = stop_of(case)
    case.unknown(old, action="cancel")
    assert [a.order_id for a in case.of(AskOrder)] == [old.order_id]
    assert not case.ever_placed(Role.STOP)[1:]
    case.wait(TIMING.unprotected_alarm_ms)
    assert "unprotected" in case.told()
    case.wait(TIMING.unprotected_max_ms)
    assert case.ever_placed(Role.CLOSE), "in bounded time it is out"


def test_a_cancel_that_was_done_unheard_goes_on_where_it_was() -> None:
    """The query says that it is gone: the new stop follows."""
    case = move(guarded(), 99)
    old = stop_of(case)
    case.unknown(old, action="cancel").report(old, OrderStatus.CANCELED)
    (new,) = case.placed(Role.STOP)
    assert new.trigger_price == Decimal(99)


def test_a_refused_cancel_leaves_the_stop_where_it_is() -> None:
    """It surely was not taken: the stop stands at its old level, no clock runs, nothing closes."""
    case = move(guarded(), 99)
    case.refuse(stop_of(case), -1015, action="cancel")
    assert "stop_not_moved" in case.told()
    assert case.trade().stop_level == Decimal(98)
    case.report(stop_of(case)).wait(60_000)
    assert case.phase is Phase.POSITION_ACTIVE
    assert case.trade().unprotected_since_ms is None
    assert len(case.ever_placed(Role.STOP)) == 1


def test_a_stop_that_fires_while_it_is_moved_closes() -> None:
    """The cancel came too late: the stop did its work."""
    case = move(guarded(), 99)
    case.report(stop_of(case), OrderStatus.TRIGGERED)
    assert case.phase is Phase.CLOSING
    assert case.trade().exit_reason is ExitReason.STOP_LOSS


# ------------------------------------------------------------- by quantity: never bare


def test_a_quantity_stop_is_placed_first_then_the_old_one_cancelled() -> None:
    """No bare time: the old one goes when the new one is confirmed."""
    case = guarded(StopForm.QUANTITY)
    old = stop_of(case)
    move(case, 99)
    (new,) = case.placed(Role.STOP)
    assert (new.trigger_price, new.quantity, new.reduce_only) == (99, old.quantity, True)
    assert not case.of(CancelOrder)
    assert case.phase is Phase.POSITION_ACTIVE
    case.report(new)
    assert [c.order_id for c in case.of(CancelOrder)] == [old.order_id]
    assert "stop_moved" in case.told()
    assert case.trade().unprotected_ms == 0
    case.report(old, OrderStatus.CANCELED)
    assert case.phase is Phase.POSITION_ACTIVE


@pytest.mark.parametrize("code", [-2010, -4045, -1015, -2022])
def test_a_refused_quantity_move_leaves_the_old_stop(code: int) -> None:
    """The old stop still rests: the wish is dropped, nothing is sent again, nothing closes."""
    case = guarded(StopForm.QUANTITY)
    old = stop_of(case)
    move(case, 99)
    case.refuse(stop_of(case), code).wait(30_000)
    assert case.phase is Phase.POSITION_ACTIVE
    assert case.trade().stop_level == Decimal(98)
    assert case.trade().standing(Role.STOP) == case.trade().order(old.order_id)
    assert len(case.ever_placed(Role.STOP)) == 2


def test_the_older_of_two_stops_may_fire() -> None:
    """While both rest, either one closes the position."""
    case = guarded(StopForm.QUANTITY)
    old = stop_of(case)
    move(case, 99).report(old, OrderStatus.TRIGGERED)
    assert case.phase is Phase.CLOSING


# ---------------------------------------------------------------------------- an old record


def test_a_tighter_stop_found_at_the_exchange_is_kept() -> None:
    """A record from before a move finds the moved stop: it is taken over, never loosened."""
    case = guarded(StopForm.QUANTITY)
    before = case.desk
    move(case, 99)
    case.report(stop_of(case))
    new = stop_of(case)
    older = Case(before)
    found = case.trade().order(new.order_id)
    assert found is not None
    older.snapshot(position=new.quantity, orders=[shown(older, found)])
    first = older.trade().of_role(Role.STOP)[0]
    older.report(first, OrderStatus.CANCELED)
    assert older.phase is Phase.POSITION_ACTIVE
    assert older.trade().stop_level == Decimal(99)
    assert len(older.ever_placed(Role.STOP)) == 0


def shown(case: Case, order: Order) -> OrderReport:
    """What a reading shows of a resting conditional order."""
    return report(
        order.order_id,
        OrderStatus.NEW,
        case.now_ms,
        conditional=True,
        trigger_price=order.trigger_price,
        order_quantity=order.quantity,
    )


def test_a_long_trend_is_told_once() -> None:
    """Each fifth of a trailing distance is a move; only the first one is news."""
    case = guarded(StopForm.QUANTITY, **TRAIL)
    kinds: list[str] = []
    for mark in (100, 101, 102, 103):
        price(case, mark)
        case.report(stop_of(case))
        kinds += case.told()
        for order in case.trade().of_role(Role.STOP)[:-1]:
            case.report(order, OrderStatus.CANCELED)
        case.wait(TIMING.move_again_ms)
    assert case.trade().moves == 4
    assert kinds.count("stop_moved") == 1
    assert stop_of(case).state is OrderState.LIVE


def test_the_owner_hears_once_of_an_order_unknown_for_long() -> None:
    """Thirty seconds without a word: one alarm for that order, with its age."""
    case = Case().to_pending()
    case.unknown(case.latest(Role.ENTRY))
    case.wait(TIMING.unknown_alarm_ms - 1)
    assert "unknown_for_long" not in [t.kind for t in case.of(Tell)]
    case.wait(1)
    (alarm,) = [t for t in case.of(Tell) if t.kind == "unknown_for_long"]
    assert (alarm.level, dict(alarm.fields)["age_ms"]) == (Level.ALARM, "30000")
    case.wait(300_000)
    assert "unknown_for_long" not in case.told()
