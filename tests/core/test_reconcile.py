"""The whole account against our belief: adopt, cancel what nobody wants, ask about the rest."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.life import facts
from bot.core.messages import AskOrder, CancelOrder
from bot.core.trade import Order, OrderState, Phase, Role, order_id_of
from data.model import Direction, ExitReason, OrderReport, OrderStatus, Side
from tests.core.build import (
    ACCOUNT,
    NOW_MS,
    SYMBOL,
    Case,
    desk,
    limit_config,
    number_of,
    order_state,
    report,
)

STOP_ID = order_id_of(ACCOUNT, "bot", "lostlostxx", Role.STOP, 0)
TARGET_ID = order_id_of(ACCOUNT, "bot", "lostlostxx", Role.TARGET, 0)
ENTRY_ID = order_id_of(ACCOUNT, "bot", "lostlostxx", Role.ENTRY, 0)


def cancelled(case: Case) -> list[str]:
    """Client ids the last event wanted gone."""
    return [c.order_id for c in case.of(CancelOrder)]


def test_a_position_with_our_stop_and_no_record_is_adopted() -> None:
    """After a lost journal our own position is taken up again, under an alarm."""
    case = Case().snapshot(position="0.5", orders=[report(STOP_ID, conditional=True)])
    (trade,) = case.desk.trades.values()
    assert trade.adopted
    assert trade.phase is Phase.POSITION_ACTIVE
    assert facts.held(trade) == Decimal("0.5")
    assert "adopted" in case.told()
    assert not cancelled(case)
    assert not case.desk.foreign


def test_a_stop_that_guards_a_position_is_never_cancelled_as_a_stray() -> None:
    """A position that cannot be adopted (its symbol is not listed) keeps its stop."""
    orders = [report(STOP_ID, conditional=True), report(TARGET_ID, conditional=True)]
    case = Case().snapshot(position="0.5", orders=orders, listed=False)
    assert not case.desk.trades
    assert not cancelled(case)
    assert SYMBOL in case.desk.foreign


def test_an_order_of_ours_that_no_record_wants_is_cancelled() -> None:
    """A resting entry of a trade nobody knows is cancelled under an alarm."""
    case = Case().snapshot(orders=[report(ENTRY_ID)])
    assert cancelled(case) == [ENTRY_ID]
    assert "orphan_order" in case.told()


def test_an_order_an_ended_trade_left_behind_is_cancelled() -> None:
    """A limit entry given up as absent does rest at the exchange: reading the account finds it."""
    case = Case(desk(limit_config())).to_pending()
    entry = case.latest(Role.ENTRY)
    case.unknown(entry)
    for _ in range(3):
        case.wait(8_000).see(0).list_fills().missing(entry)
    case.wait(60_000)
    assert case.phase is Phase.IDLE
    case.snapshot(orders=[report(entry.order_id)])
    assert entry.order_id in cancelled(case)
    case.report(entry, OrderStatus.CANCELED).see(0)
    assert case.phase is Phase.IDLE


def test_orders_that_were_not_listed_are_asked_about() -> None:
    """Each open order of ours that the reading did not show is asked about at once."""
    case = Case().to_active()
    stop, target = case.latest(Role.STOP), case.latest(Role.TARGET)
    held = case.latest(Role.ENTRY).filled
    case.wait(1_000).snapshot(position=held, orders=[report(stop.order_id, conditional=True)])
    assert [c.order_id for c in case.of(AskOrder)] == [target.order_id]


def test_a_young_order_is_not_doubted_by_an_older_reading() -> None:
    """A reading begun before an order was sent says nothing about it."""
    case = Case().to_pending()
    case.snapshot(asked_ms=case.now_ms - 10)
    assert not case.of(AskOrder)
    assert case.phase is Phase.ORDER_PENDING


def test_a_foreign_position_is_shown_and_never_touched() -> None:
    """A position that is not ours blocks its symbol and gets no order."""
    case = Case().snapshot(position=-3)
    assert case.told()[0] == "foreign_position"
    assert not case.of(CancelOrder)
    case.raise_signal()
    assert case.phase is Phase.IDLE


def test_a_reading_older_than_the_end_of_a_trade_does_not_make_its_position_foreign() -> None:
    """The account was read while we held it; by now it is flat, and we know."""
    case = Case().to_active()
    held, asked_ms = case.latest(Role.ENTRY).filled, case.now_ms
    case.wait(100).exit_by(Role.TARGET)
    assert case.phase is Phase.IDLE
    case.snapshot(position=held, asked_ms=asked_ms)
    assert not case.desk.foreign
    assert "foreign_position" not in case.told()


@pytest.mark.parametrize("direction", list(Direction))
def test_an_adopted_trade_is_booked_in_its_own_direction(direction: Direction) -> None:
    """After an adopted position is gone, its record still says which way it earned."""
    case = Case().snapshot(
        position=Decimal("0.5") * direction.sign, orders=[report(STOP_ID, conditional=True)]
    )
    (trade,) = case.desk.trades.values()
    (stop,) = trade.orders
    case.wait(1_000).report(stop, OrderStatus.TRIGGERED).see(0)
    case.finish(stop, Decimal("0.5"))
    (closed,) = case.desk.closed
    assert closed.direction is direction
    assert closed.exit_price == Decimal(100)
    assert closed.exit_reason is ExitReason.STOP_LOSS


def test_an_adopted_position_turned_round_by_hand_halts() -> None:
    """An adopted long that is a short now is no longer ours."""
    case = Case().snapshot(position="0.5", orders=[report(STOP_ID, conditional=True)])
    case.wait(1_000).see("-0.5").wait(1_000)
    (trade,) = case.desk.trades.values()
    assert trade.phase is Phase.HALTED
    assert not case.ever_placed(Role.CLOSE)


def answers(case: Case) -> None:
    """The exchange's own truth: entry filled, stop filled, target expired, flat. Told in full."""
    trade = case.trade()
    entry, stop = trade.latest(Role.ENTRY), trade.latest(Role.STOP)
    assert entry is not None
    case.report(
        entry,
        OrderStatus.FILLED,
        filled_quantity=entry.quantity,
        venue_order_id=number_of(entry),
    )
    fills = [case.make_fill(entry, entry.quantity, fill_id=1)]
    for order in case.trade().orders:
        if order.role is Role.STOP and stop is not None and order.order_id == stop.order_id:
            case.report(
                order,
                OrderStatus.FILLED,
                filled_quantity=entry.quantity,
                conditional=False,
                venue_order_id=number_of(order),
            )
            fills.append(case.make_fill(order, entry.quantity, fill_id=2))
        elif not order.is_over:
            case.report(order, OrderStatus.EXPIRED)
    case.see(0).list_fills(*fills)
    for order in case.trade().orders:
        if order.role in (Role.CLOSE, Role.TARGET) and not order.is_over:
            case.refuse(order, -2022)
            case.report(order, OrderStatus.EXPIRED)


def stream(case: Case, entry: Order, name: str) -> None:
    """One of the things the user stream tells in a trade that its stop ends."""
    stop, quantity = case.trade().latest(Role.STOP), entry.quantity
    match name:
        case "entry filled":
            case.fill(entry, quantity, fill_id=1)
        case "entry done":
            case.report(entry, OrderStatus.FILLED, filled_quantity=quantity)
        case "seen":
            case.see(quantity)
        case "stop live" if stop is not None:
            case.report(stop)
        case "stop triggered" if stop is not None:
            case.report(stop, OrderStatus.TRIGGERED)
        case "stop filled" if stop is not None:
            case.fill(stop, quantity, fill_id=2)
        case _:
            pass


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_events_lost_then_a_reading_and_answers_converge(data: Any) -> None:
    """Any part of the stream is lost or reordered; a reading and answers end the same way (3)."""
    case = Case().to_pending()
    entry = case.latest(Role.ENTRY)
    case.wait(20).report(entry)
    names = ("entry filled", "entry done", "seen", "stop live", "stop triggered", "stop filled")
    for name in data.draw(st.lists(st.sampled_from(names), max_size=8), label="told"):
        case.wait(10)
        stream(case, entry, name)
    case.wait(30_000).snapshot()
    for _ in range(6):
        if case.phase is Phase.IDLE:
            break
        case.wait(3_000)
        answers(case)
    trade = case.trade()
    assert trade.phase is Phase.IDLE
    assert facts.booked(trade) == 0
    assert not facts.fills_missing(trade)
    assert len({f.fill_id for f in trade.fills}) == len(trade.fills)


def test_an_entry_report_names_its_side() -> None:
    """The builder's own sanity: a long's entry buys."""
    case = Case().to_pending()
    assert case.latest(Role.ENTRY).side is Side.BUY
    assert order_state(case, case.latest(Role.ENTRY)) is OrderState.SENT
    assert case.now_ms == NOW_MS
    assert isinstance(report("x"), OrderReport)
