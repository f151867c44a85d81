"""Orders and positions of ours that no record knows: taken up again, never doubled or flattened."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.core.life import facts, results
from bot.core.life.draft import FORGOTTEN_ATTEMPTS
from bot.core.messages import CancelOrder, OrderReported, SnapshotTaken, Tell
from bot.core.trade import OrderState, Phase, Role, order_id_of, trade_id_of
from data.model import Direction, Fill, OrderReport, OrderStatus, Position, Side
from tests.core.build import ACCOUNT, BOT, PRICE, SYMBOL, Case, report

LOST = trade_id_of(ACCOUNT, BOT, "s1")
ENTRY_ID = order_id_of(ACCOUNT, BOT, LOST, Role.ENTRY, 0)
STOP_ID = order_id_of(ACCOUNT, BOT, LOST, Role.STOP, 0)


def read(
    case: Case, *fills: Fill, position: Decimal | str, orders: tuple[OrderReport, ...] = ()
) -> Case:
    """The whole account is read, with the fills of what is held, named by their orders."""
    held = Position(
        symbol=SYMBOL, quantity=Decimal(position), entry_price=PRICE, updated_ms=case.now_ms
    )
    return case.feed(
        SnapshotTaken(
            asked_ms=case.now_ms,
            wallet_usdt=case.desk.wallet_usdt,
            positions=(held,) if held.quantity else (),
            open_orders=orders,
            recent_fills=fills,
            instruments=(case.listing,),
        )
    )


def entry_fill(case: Case, quantity: str = "0.5", side: Side = Side.BUY) -> Fill:
    """A fill of the lost trade's entry."""
    return case.make_fill(None, quantity, order_id=ENTRY_ID, side=side, fee=Decimal("0.02"))


def test_a_position_whose_fills_are_ours_is_adopted_with_its_whole_book() -> None:
    """Entry fills and a resting stop: ACTIVE at once, and the entry's fee is in the result."""
    case = Case()
    read(case, entry_fill(case), position="0.5", orders=(report(STOP_ID, conditional=True),))
    trade = case.trade()
    assert trade.phase is Phase.POSITION_ACTIVE
    assert facts.booked(trade) == Decimal("0.5")
    assert results.fees_usdt(trade) == Decimal("0.02")
    assert "adopted" in case.told()
    assert not case.desk.foreign
    assert not case.ever_placed(Role.CLOSE)


@pytest.mark.parametrize("direction", list(Direction))
def test_an_adopted_book_knows_its_direction(direction: Direction) -> None:
    """The entry's side says which way it is held."""
    case = Case()
    fill = entry_fill(case, side=direction.entry_side)
    stop = report(STOP_ID, conditional=True)
    read(case, fill, position=Decimal("0.5") * direction.sign, orders=(stop,))
    assert case.trade().direction is direction
    assert facts.booked(case.trade()) == Decimal("0.5")


def test_a_bare_adopted_position_waits_for_the_stop_that_was_on_its_way() -> None:
    """Not flattened because we restarted: the stop that arrives late makes it ACTIVE."""
    case = Case()
    read(case, entry_fill(case), position="0.5")
    phases = [case.phase]
    case.wait(1_000)
    read(case, entry_fill(case), position="0.5", orders=(report(STOP_ID, conditional=True),))
    assert [*phases, case.phase] == [Phase.POSITION_UNPROTECTED, Phase.POSITION_ACTIVE]
    assert not case.ever_placed(Role.CLOSE)


def test_a_bare_adopted_position_gets_a_stop_at_a_default_distance_at_once() -> None:
    """Nobody knows its levels: two percent away, under an alarm; closing is for a person (2)."""
    case = Case()
    read(case, entry_fill(case), position="0.5")
    (stop,) = case.ever_placed(Role.STOP)
    assert stop.trigger_price == PRICE * Decimal("0.98")
    assert (stop.close_position, stop.side) == (True, Side.SELL)
    assert stop.attempt >= FORGOTTEN_ATTEMPTS
    (told,) = (c for c in case.all_said if isinstance(c, Tell) and c.kind == "adopted")
    assert dict(told.fields)["price"] == format(stop.trigger_price, "f")
    case.report(stop).wait(60_000)
    assert case.phase is Phase.POSITION_ACTIVE
    assert not case.ever_placed(Role.CLOSE)
    assert not case.ever_placed(Role.TARGET)


def test_a_bare_adopted_position_whose_default_stop_is_refused_is_closed() -> None:
    """The price is beyond it already: out at market (2)."""
    case = Case()
    read(case, entry_fill(case), position="0.5")
    case.refuse(case.latest(Role.STOP), -2021)
    assert case.phase is Phase.CLOSING
    assert case.ever_placed(Role.CLOSE)


def test_a_bare_adopted_position_whose_default_stop_nobody_answers_for_is_closed() -> None:
    """No stop is confirmed in time: out at market, under an alarm (2)."""
    case = Case()
    read(case, entry_fill(case), position="0.5").wait(4_000).wait(9_000)
    assert case.phase is Phase.CLOSING
    assert case.ever_placed(Role.CLOSE)


def test_an_adopted_stop_that_is_taken_away_is_placed_again_where_it_was() -> None:
    """Its level is known from the order that was found."""
    case = Case()
    resting = report(STOP_ID, conditional=True, trigger_price=PRICE - 7)
    read(case, entry_fill(case), position="0.5", orders=(resting,))
    case.report(case.latest(Role.STOP), OrderStatus.CANCELED)
    again = case.latest(Role.STOP)
    assert again.order_id != STOP_ID
    assert again.trigger_price == PRICE - 7


def test_an_adopted_stop_that_closes_too_little_gets_one_that_closes_all() -> None:
    """Of a quantity, for the first of two fills: the next closes the position, then it goes."""
    case = Case()
    small = report(
        STOP_ID, conditional=True, trigger_price=PRICE - 7, order_quantity=Decimal("0.2")
    )
    read(case, entry_fill(case), position="0.5", orders=(small,))
    whole = case.latest(Role.STOP)
    assert whole.close_position
    case.report(whole)
    assert case.phase is Phase.POSITION_ACTIVE
    assert STOP_ID in {c.order_id for c in case.of(CancelOrder)}


def test_fills_that_add_up_to_nothing_do_not_make_a_position_ours() -> None:
    """We were out; who came after us is somebody else."""
    case = Case()
    out = case.make_fill(
        None, "0.5", order_id=order_id_of(ACCOUNT, BOT, LOST, Role.CLOSE, 0), side=Side.SELL
    )
    read(case, entry_fill(case), out, position="0.7")
    assert not case.desk.trades
    assert SYMBOL in case.desk.foreign


def test_a_position_opened_after_ours_was_closed_by_hand_is_not_ours() -> None:
    """Bought by us, sold by hand to nothing, bought by hand again: the sum fits, the owner not."""
    case = Case()
    ours = entry_fill(case)
    sold = case.make_fill(None, "0.5", side=Side.SELL, filled_ms=case.now_ms + 1)
    again = case.make_fill(None, "0.2", side=Side.BUY, filled_ms=case.now_ms + 2)
    read(case, ours, sold, again, position="0.2")
    assert not case.desk.trades
    assert SYMBOL in case.desk.foreign


def test_a_position_that_our_resting_entry_opened_again_is_ours() -> None:
    """A part filled, its stop fired, and the rest of the entry filled while nobody was here."""
    case = Case()
    first = entry_fill(case, "0.2")
    stopped = case.make_fill(
        None, "0.2", order_id=STOP_ID, side=Side.SELL, filled_ms=case.now_ms + 1
    )
    rest = replace(entry_fill(case, "0.3"), filled_ms=case.now_ms + 2)
    read(case, first, stopped, rest, position="0.3")
    assert case.phase is Phase.CLOSING
    assert facts.booked(case.trade()) == Decimal("0.3")
    assert not case.desk.foreign
    case.feed(
        OrderReported(report=report(STOP_ID, OrderStatus.FILLED, filled_quantity=stopped.quantity))
    )
    assert case.ever_placed(Role.CLOSE)


def test_a_position_on_the_other_side_of_our_fills_is_not_ours() -> None:
    """Bought by us, short now: turned by somebody."""
    case = Case()
    read(case, entry_fill(case), position="-0.5")
    assert not case.desk.trades
    assert SYMBOL in case.desk.foreign


def test_what_cannot_be_adopted_yet_is_read_again_soon() -> None:
    """Marks of ours without a listing: the account is read again, not in five minutes."""
    case = Case().snapshot(position="0.5", orders=[report(STOP_ID, conditional=True)], listed=False)
    due_ms = case.desk.snapshot_at_ms
    assert due_ms is not None
    assert due_ms - case.now_ms <= case.desk.timing.snapshot_again_ms


def test_a_position_without_listing_and_fills_is_read_again_with_growing_pauses() -> None:
    """Half a reading cannot say whose it is: again soon, at last as often as the whole account."""
    case, pauses = Case(), []
    for _ in range(8):
        case.snapshot(position="0.5", listed=False)
        due_ms = case.desk.snapshot_at_ms
        assert due_ms is not None
        pauses.append(due_ms - case.now_ms)
    again_ms, audit_ms = case.desk.timing.snapshot_again_ms, case.desk.timing.audit_every_ms
    assert pauses[:3] == [again_ms, 2 * again_ms, 4 * again_ms]
    assert pauses[-1] == audit_ms


def test_a_position_first_read_without_its_fills_is_adopted_by_the_next_reading() -> None:
    """Shown as somebody else's for a moment, then its fills say that it is ours (7)."""
    case = Case().snapshot(position="0.5", listed=False)
    assert SYMBOL in case.desk.foreign
    case.wait(3_000)
    read(case, entry_fill(case), position="0.5", orders=(report(STOP_ID, conditional=True),))
    assert case.trade().phase is Phase.POSITION_ACTIVE
    assert not case.desk.foreign


def test_an_order_younger_than_the_record_is_given_back_to_its_trade() -> None:
    """An old record knows the entry only: the resting stop is its own, not placed a second time."""
    case = Case().to_pending()
    trade = case.trade()
    entry = case.latest(Role.ENTRY)
    held = entry.quantity
    stop_id = order_id_of(ACCOUNT, trade.bot_id, trade.trade_id, Role.STOP, 0)
    fill = case.make_fill(entry, held)
    case.wait(60_000)
    sign = 1 if entry.side is Side.BUY else -1
    read(case, fill, position=held * sign, orders=(report(stop_id, conditional=True),))
    stop = case.trade().order(stop_id)
    assert stop is not None
    assert stop.state is OrderState.LIVE
    assert not case.ever_placed(Role.STOP)
    assert "adopted" in case.told()


def test_an_old_record_that_was_never_entered_keeps_its_plan_when_adopted() -> None:
    """The record stopped at the card; the plan is still good for placing the missing stop."""
    case = Case().to_bare()
    trade = case.trade()
    entry = case.latest(Role.ENTRY)
    unentered = replace(trade, phase=Phase.IDLE, orders=(), fills=(), closed_ms=case.now_ms)
    case.desk = replace(case.desk, trades={trade.trade_id: unentered})
    case.wait(1_000)
    sign = 1 if entry.side is Side.BUY else -1
    fill = case.make_fill(entry, entry.quantity)
    read(case, fill, position=entry.quantity * sign)
    adopted = case.trade()
    assert adopted.plan == trade.plan
    assert adopted.phase is Phase.POSITION_UNPROTECTED
    assert adopted.latest(Role.STOP) is not None


def test_an_adopted_entry_is_asked_for_its_last_word() -> None:
    """What it filled is known, whether it is over is not: a report ends it."""
    case = Case()
    read(case, entry_fill(case), position="0.5", orders=(report(STOP_ID, conditional=True),))
    entry = case.latest(Role.ENTRY)
    case.report(entry, OrderStatus.FILLED, filled_quantity=Decimal("0.5"))
    states = [entry.state, case.latest(Role.ENTRY).state]
    assert states == [OrderState.LIVE, OrderState.FILLED]
    assert case.phase is Phase.POSITION_ACTIVE


def test_an_adopted_trade_never_uses_a_client_id_twice() -> None:
    """What came to nothing is in no listing: a life without a record has numbers of its own."""
    case = Case()
    closes = [order_id_of(ACCOUNT, BOT, LOST, Role.CLOSE, n) for n in (0, 2)]
    sold = [case.make_fill(None, "0.1", order_id=one, side=Side.SELL) for one in closes]
    read(case, entry_fill(case), *sold, position="0.3").wait(4_000).wait(9_000)
    for order_id in closes:
        close = case.trade().order(order_id)
        assert close is not None
        case.report(close, OrderStatus.EXPIRED, filled_quantity=Decimal("0.1"))
    case.wait(1_000)
    (placed,) = case.ever_placed(Role.CLOSE)
    assert placed.order_id == order_id_of(ACCOUNT, BOT, LOST, Role.CLOSE, FORGOTTEN_ATTEMPTS)
    assert len({order.order_id for order in case.trade().orders}) == len(case.trade().orders)


@pytest.mark.parametrize("theirs", [Side.SELL, Side.BUY])
def test_what_others_did_to_our_position_since_is_part_of_its_book(theirs: Side) -> None:
    """Half sold, or more bought, by hand: still ours, with a stranger's fill in its book."""
    case = Case()
    entry = entry_fill(case)
    by_hand = case.make_fill(None, "0.2", side=theirs)
    left = "0.3" if theirs is Side.SELL else "0.7"
    read(case, entry, by_hand, position=left)
    assert facts.booked(case.trade()) == Decimal(left)
    assert len(case.trade().fills) == 2
    assert not case.desk.foreign


def test_a_later_trade_of_ours_takes_over_from_one_an_old_record_still_believes_in() -> None:
    """The record stopped before the first one's stop fired; the next one keeps its own stop (2)."""
    case = Case().to_active()
    first = case.trade()
    held = case.latest(Role.ENTRY).quantity
    bought, sold = first.fills[0], case.make_fill(case.latest(Role.STOP), held)
    case.wait(60_000)
    later = trade_id_of(ACCOUNT, BOT, "s2")
    entry_id, stop_id = (
        order_id_of(ACCOUNT, BOT, later, role, 0) for role in (Role.ENTRY, Role.STOP)
    )
    lost = case.make_fill(None, "0.5", order_id=entry_id, side=Side.SELL)
    stop = report(stop_id, conditional=True)
    read(case, bought, sold, lost, position="-0.5", orders=(stop,))
    assert case.phase is Phase.CLOSING
    assert facts.booked(case.trade()) == 0
    assert stop_id not in {c.order_id for c in case.of(CancelOrder)}
    for role in (Role.STOP, Role.TARGET):
        case.report(case.latest(role), OrderStatus.EXPIRED)
    case.wait(3_000)
    assert case.phase is Phase.IDLE
    read(case, bought, sold, lost, position="-0.5", orders=(stop,))
    heir = case.desk.trades[later]
    assert (heir.phase, facts.booked(heir)) == (Phase.POSITION_ACTIVE, Decimal("0.5"))
