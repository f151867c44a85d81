"""The first seconds of a new life: nothing stays bare for a request that may never have left."""

from dataclasses import replace
from decimal import Decimal

from bot.core.messages import AskOrder, StreamRestored, TakeSnapshot, Woke
from bot.core.trade import OrderState, Phase, Role
from data.model import ExitReason, OrderStatus
from tests.core.build import TIMING, Case, order_state

DOWN_MS = 2_000  # a restart


def killed(case: Case, down_ms: int = DOWN_MS) -> Case:
    """The process dies, its record stays; the next one begins `down_ms` later."""
    case.desk = replace(case.desk, ready=False, stream_ok=False)
    case.now_ms += down_ms
    return case


def quantity_of(case: Case) -> Decimal:
    """What the entry bought."""
    return case.latest(Role.ENTRY).quantity


def test_a_stop_that_never_left_is_placed_anew_by_the_first_reading() -> None:
    """Killed between commit and send: the next life does not wait until the request expired."""
    case = killed(Case().to_bare())
    first = case.latest(Role.STOP)
    case.snapshot(position=quantity_of(case))
    (second,) = case.placed(Role.STOP)
    assert second.attempt == 1
    assert len(case.placed(Role.TARGET)) == 1
    assert first.order_id in {asked.order_id for asked in case.of(AskOrder)}
    case.report(second)
    assert case.phase is Phase.POSITION_ACTIVE
    assert order_state(case, first) is OrderState.UNKNOWN
    case.wait(8_000).missing(first)
    assert order_state(case, first) is OrderState.ABSENT
    assert len(case.ever_placed(Role.STOP)) == 2


def test_a_stop_that_arrives_after_all_is_the_only_one() -> None:
    """The lost request was only slow: the second is refused, and the first is asked about."""
    case = killed(Case().to_bare())
    first = case.latest(Role.STOP)
    case.snapshot(position=quantity_of(case))
    second = case.latest(Role.STOP)
    case.wait(30).refuse(second, -4130)
    assert first.order_id in {asked.order_id for asked in case.of(AskOrder)}
    assert not case.placed(Role.STOP)
    case.report(first)
    assert case.phase is Phase.POSITION_ACTIVE
    assert len(case.ever_placed(Role.STOP)) == 2
    assert not case.ever_placed(Role.CLOSE)


def test_of_two_live_stops_the_older_is_cancelled() -> None:
    """Where the exchange keeps both, we do not: also when the older one turns up late."""
    case = killed(Case().to_bare())
    first = case.latest(Role.STOP)
    case.snapshot(position=quantity_of(case))
    second = case.latest(Role.STOP)
    case.report(second).report(first)
    assert case.phase is Phase.POSITION_ACTIVE
    canceled = next(o for o in case.trade().orders if o.order_id == first.order_id)
    assert canceled.cancel_at_ms is not None
    case.report(first, OrderStatus.CANCELED)
    assert case.phase is Phase.POSITION_ACTIVE
    assert case.trade().standing(Role.STOP) == case.trade().order(second.order_id)


def test_the_older_of_two_stops_may_fire() -> None:
    """Whichever closed the position, it was a stop."""
    case = killed(Case().to_bare())
    first = case.latest(Role.STOP)
    case.snapshot(position=quantity_of(case))
    case.report(case.latest(Role.STOP)).report(first, OrderStatus.TRIGGERED)
    assert case.phase is Phase.CLOSING
    assert case.trade().exit_reason is ExitReason.STOP_LOSS


def test_a_reading_too_soon_is_followed_by_a_look_in_time() -> None:
    """A request of a moment ago may be on its way: looked for again when it should be there."""
    case = killed(Case().to_bare(), down_ms=100)
    first = case.latest(Role.STOP)
    case.snapshot(position=quantity_of(case))
    assert not case.placed(Role.STOP)
    case.wait(50).missing(first)
    assert len(case.ever_placed(Role.STOP)) == 1
    case.wait(TIMING.ask_after_ms - 150)
    assert first.order_id in {asked.order_id for asked in case.of(AskOrder)}
    case.missing(first)
    assert len(case.ever_placed(Role.STOP)) == 2


def test_an_unheard_stop_that_is_not_found_gets_company_in_life_too() -> None:
    """A lost request costs its answer's patience, not the whole of the receive window."""
    case = Case().to_bare()
    first = case.latest(Role.STOP)
    case.wait(TIMING.ask_after_ms).missing(first)
    assert len(case.ever_placed(Role.STOP)) == 2
    case.wait(200).missing(first)
    assert len(case.ever_placed(Role.STOP)) == 2  # one beside it, not one for each look


def test_company_refused_for_the_price_closes_at_once() -> None:
    """Beyond the level already and nothing confirmed: out at market."""
    case = Case().to_bare()
    case.wait(TIMING.ask_after_ms).missing(case.latest(Role.STOP))
    case.refuse(case.latest(Role.STOP), -2021)
    assert case.placed(Role.CLOSE)


def test_a_lost_stop_with_an_unknown_one_beside_it_is_bare() -> None:
    """ACTIVE rests on a stop the exchange has, not on one that may exist."""
    case = killed(Case().to_bare())
    case.snapshot(position=quantity_of(case))
    second = case.latest(Role.STOP)
    case.report(second).report(second, OrderStatus.CANCELED)
    assert case.phase is Phase.POSITION_UNPROTECTED
    assert case.latest(Role.STOP).attempt == 2


def test_deadlines_that_ran_out_while_dead_wait_for_the_first_reading() -> None:
    """Nothing is closed because we restarted: the account is read, then protection is tried."""
    case = killed(Case().to_bare(), down_ms=TIMING.unprotected_max_ms * 5)
    case.feed(Woke())
    assert not case.ever_placed(Role.CLOSE)
    case.feed(StreamRestored())
    assert case.of(TakeSnapshot)
    case.snapshot(position=quantity_of(case))
    assert not case.ever_placed(Role.CLOSE)
    case.report(case.latest(Role.STOP))
    assert case.phase is Phase.POSITION_ACTIVE
    assert case.trade().unprotected_ms == TIMING.unprotected_max_ms * 5


def test_a_new_life_asks_with_short_pauses_again() -> None:
    """Pauses that grew in an earlier life do not keep an order unknown in this one."""
    case = Case().to_pending()
    entry = case.latest(Role.ENTRY)
    case.wait(60_000)
    killed(case).snapshot().wait(5)
    case.missing(entry).wait(TIMING.ask_after_ms)
    assert [asked.order_id for asked in case.of(AskOrder)] == [entry.order_id]
    case.list_fills().missing(entry)
    assert order_state(case, entry) is OrderState.ABSENT


def test_what_cannot_be_protected_after_a_restart_is_closed_in_bounded_time() -> None:
    """The clock that begins anew is as long as the first."""
    case = killed(Case().to_bare(), down_ms=TIMING.unprotected_max_ms * 5)
    case.snapshot(position=quantity_of(case)).wait(TIMING.unprotected_alarm_ms)
    assert "unprotected" in case.told()
    case.wait(TIMING.unprotected_max_ms - TIMING.unprotected_alarm_ms)
    assert case.trade().exit_reason is ExitReason.EMERGENCY
    assert case.ever_placed(Role.CLOSE)


def test_the_stream_that_opens_at_a_start_did_not_come_back() -> None:
    """People hear of a stream that was lost, not of one that opens."""
    case = killed(Case())
    case.feed(StreamRestored())
    assert "stream_restored" not in case.told()
    assert case.desk.stream_ok


def test_a_close_that_never_left_gets_a_second_beside_it() -> None:
    """Beyond its stop, closed at market, killed before that left: it is not held for six seconds.

    One more is enough while nobody knows of the first, and the trade waits for the word on both.
    """
    case = Case().to_bare()
    case.refuse(case.latest(Role.STOP), -2021)
    first = case.latest(Role.CLOSE)
    assert case.phase is Phase.CLOSING
    killed(case).snapshot(position=quantity_of(case))
    (second,) = case.placed(Role.CLOSE)
    assert (second.attempt, second.reduce_only) == (1, True)
    case.wait(TIMING.ask_after_ms).missing(first).missing(second)
    assert not case.placed(Role.CLOSE), "two that may be on their way are enough"
    case.finish(second).see(0)
    assert case.phase is Phase.CLOSING
    assert order_state(case, first) is OrderState.UNKNOWN
    assert len(case.ever_placed(Role.CLOSE)) == 2


def test_a_close_refused_beside_a_silent_one_waits_for_that_one() -> None:
    """The first was only slow and closed everything: the second finds nothing to reduce."""
    case = Case().to_bare()
    case.refuse(case.latest(Role.STOP), -2021)
    first = case.latest(Role.CLOSE)
    killed(case).snapshot(position=quantity_of(case))
    case.refuse(case.latest(Role.CLOSE), -2022)
    assert not case.placed(Role.CLOSE)
    case.finish(first).see(0)
    assert len(case.ever_placed(Role.CLOSE)) == 2
