"""EVALUATING to ORDER_PENDING: one entry, whatever the wire does to its request and answers."""

from decimal import Decimal

import pytest

from bot.core.life import facts
from bot.core.messages import AskFills, AskOrder, AskPosition, CancelOrder, CardVerb
from bot.core.presets import ApprovalMode
from bot.core.trade import OrderState, Outcome, Phase, Role
from data.model import Action, ExitReason, FillCause, OrderStatus
from tests.core.build import (
    TIMING,
    Case,
    config,
    decision,
    desk,
    limit_config,
    order_state,
)

EXPIRED_MS = TIMING.receive_window_ms + TIMING.settle_margin_ms
SURELY_EXPIRED_MS = EXPIRED_MS + TIMING.reading_lag_ms


def test_silence_of_the_adviser_is_an_abstention() -> None:
    """Nobody decided in time: the trade ends ABSTAINED and nothing was ordered."""
    case = Case().raise_signal().wait(TIMING.decide_within_ms)
    assert (case.phase, case.trade().outcome) == (Phase.IDLE, Outcome.ABSTAINED)
    assert not case.ever_placed(Role.ENTRY)


def test_silence_of_the_person_is_an_expiry() -> None:
    """The card expires to the millisecond."""
    case = Case(desk(config(approval_mode=ApprovalMode.APPROVE, approval_ttl_ms=8_000)))
    case.raise_signal().decide().wait(7_999)
    assert case.phase is Phase.AWAITING_APPROVAL
    case.wait(1)
    assert (case.phase, case.trade().outcome) == (Phase.IDLE, Outcome.EXPIRED)


def test_timeout_on_entry_asks_instead_of_resending() -> None:
    """An unknown outcome is asked about, at growing intervals, and the entry is sent once."""
    case = Case().to_pending()
    case.unknown(case.latest(Role.ENTRY)).wait(30_000)
    assert len(case.ever_placed(Role.ENTRY)) == 1
    asked = [c for c in case.all_said if isinstance(c, AskOrder)]
    # Asked after 1.5 s, then 1.5, 3, 6 and 8 s apart: at 1.5, 3, 6, 12, 20 and 28 s.
    assert len(asked) == 6


def test_young_order_answered_missing_stays_unknown() -> None:
    """ "Does not exist" counts only when it was asked after the request had surely expired."""
    case = Case().to_pending()
    entry = case.latest(Role.ENTRY)
    case.unknown(entry).wait(EXPIRED_MS)
    for _ in range(5):
        case.missing(entry)
    assert order_state(case, entry) is OrderState.UNKNOWN
    assert case.latest(Role.ENTRY).missing == 0
    assert len(case.ever_placed(Role.ENTRY)) == 1


def test_a_market_entry_is_sent_again_only_by_the_three_part_rule() -> None:
    """Surely expired, twice not found, and a position read since then that has not moved."""
    case = Case().to_pending()
    first = case.latest(Role.ENTRY)
    case.unknown(first).see(0).wait(SURELY_EXPIRED_MS + 1).missing(first).missing(first)
    assert order_state(case, first) is OrderState.UNKNOWN  # the position was read too early
    assert any(isinstance(c, AskPosition) for c in case.all_said)
    case.see(0).list_fills()
    assert order_state(case, first) is OrderState.ABSENT
    second = case.latest(Role.ENTRY)
    assert (second.attempt, second.quantity) == (1, first.quantity)


def test_one_word_that_it_does_not_exist_is_not_enough() -> None:
    """Queries lag: with everything else in place a single "not found" gives nothing up."""
    case = Case().to_pending()
    entry = case.latest(Role.ENTRY)
    case.unknown(entry).wait(SURELY_EXPIRED_MS + 1).see(0).list_fills().missing(entry)
    assert order_state(case, entry) is OrderState.UNKNOWN
    case.missing(entry)
    assert case.latest(Role.ENTRY).attempt == 1


def test_a_moved_position_forbids_a_second_entry() -> None:
    """The query does not find the order but the position moved: it is held and protected."""
    case = Case().to_pending()
    entry = case.latest(Role.ENTRY)
    case.unknown(entry).wait(SURELY_EXPIRED_MS + 1).missing(entry).missing(entry)
    case.see(entry.quantity)
    assert case.phase is Phase.POSITION_UNPROTECTED
    assert len(case.ever_placed(Role.ENTRY)) == 1
    assert case.placed(Role.STOP)


def test_flat_again_is_not_unmoved() -> None:
    """It filled and was liquidated before anybody heard: the listing says so, not the position."""
    case = Case().to_pending()
    entry = case.latest(Role.ENTRY)
    bought = case.make_fill(entry, entry.quantity)
    sold = case.make_fill(None, entry.quantity, cause=FillCause.LIQUIDATION)
    case.unknown(entry).wait(SURELY_EXPIRED_MS + 1).missing(entry).missing(entry).see(0)
    assert case.of(AskFills)
    case.list_fills(bought, sold).missing(entry)
    assert len(case.ever_placed(Role.ENTRY)) == 1
    assert case.phase is Phase.ORDER_PENDING
    case.report(entry, OrderStatus.FILLED, filled_quantity=entry.quantity)
    assert len(case.ever_placed(Role.ENTRY)) == 1
    assert case.trade().was_held


def test_a_third_entry_is_never_sent() -> None:
    """Twice absent is enough: the trade ends unfilled."""
    case = Case(desk(config(entry_timeout_ms=600_000))).to_pending()
    for _ in range(3):
        entry = case.latest(Role.ENTRY)
        case.unknown(entry).wait(SURELY_EXPIRED_MS + 1).missing(entry).missing(entry).see(
            0
        ).list_fills()
    assert len(case.ever_placed(Role.ENTRY)) == 2
    assert (case.phase, case.trade().outcome) == (Phase.IDLE, Outcome.UNFILLED)


def test_a_limit_entry_is_never_sent_again_on_absence() -> None:
    """It may rest unseen: an unmoved position says nothing about it, so it is given up instead."""
    case = Case(desk(limit_config(entry_timeout_ms=600_000))).to_pending()
    entry = case.latest(Role.ENTRY)
    case.unknown(entry).wait(SURELY_EXPIRED_MS + 1).missing(entry).missing(entry).see(
        0
    ).list_fills()
    assert len(case.ever_placed(Role.ENTRY)) == 1
    assert case.trade().outcome is Outcome.UNFILLED


@pytest.mark.parametrize("code", [-1021, -1008, -1015])
def test_a_passing_refusal_is_tried_once_more(code: int) -> None:
    """Surely not executed, for a reason that passes: one new attempt, then it is refused."""
    case = Case().to_pending()
    case.refuse(case.latest(Role.ENTRY), code)
    assert case.latest(Role.ENTRY).attempt == 1
    case.refuse(case.latest(Role.ENTRY), code)
    assert (case.phase, case.trade().outcome) == (Phase.IDLE, Outcome.REFUSED)


def test_a_lasting_refusal_ends_the_trade() -> None:
    """No margin: refused once, not tried again, told with code and text."""
    case = Case().to_pending()
    case.refuse(case.latest(Role.ENTRY), -2019)
    assert (case.phase, case.trade().outcome) == (Phase.IDLE, Outcome.REFUSED)
    assert case.trade().note == "-2019: no"
    assert case.told() == ["entry_refused"]


def test_entry_filled_but_reply_lost_is_one_entry_and_protected() -> None:
    """The stream's fill is as good as the answer: protected at once, never sent again."""
    case = Case().to_pending()
    entry = case.latest(Role.ENTRY)
    case.unknown(entry).fill(entry)
    assert case.phase is Phase.POSITION_UNPROTECTED
    assert len(case.placed(Role.STOP)) == 1
    assert len(case.placed(Role.TARGET)) == 1
    case.see(entry.quantity).report(case.latest(Role.STOP)).report(case.latest(Role.TARGET))
    case.wait(20_000)
    assert len(case.ever_placed(Role.ENTRY)) == 1


def test_entry_timeout_cancels_the_rest() -> None:
    """A limit entry's time is up: it is cancelled, and again until it is gone; then it is over."""
    case = Case(desk(limit_config(entry_timeout_ms=5_000))).to_pending()
    entry = case.latest(Role.ENTRY)
    case.report(entry).wait(4_999)
    assert not case.of(CancelOrder)
    case.wait(1)
    assert [c.order_id for c in case.of(CancelOrder)] == [entry.order_id]
    case.wait(2_000)
    assert case.of(CancelOrder)
    case.report(entry, OrderStatus.CANCELED)
    assert (case.phase, case.trade().outcome) == (Phase.IDLE, Outcome.UNFILLED)


def test_entry_timeout_keeps_what_is_filled() -> None:
    """Partly filled when its time is up: the rest is cancelled, the part stays protected."""
    case = Case(desk(limit_config(entry_timeout_ms=5_000))).to_pending()
    entry = case.latest(Role.ENTRY)
    case.report(entry).fill(entry, "0.5").see("0.5").report(case.latest(Role.STOP))
    case.report(case.latest(Role.TARGET)).wait(5_000)
    assert entry.order_id in {c.order_id for c in case.of(CancelOrder)}
    case.report(entry, OrderStatus.CANCELED, filled_quantity=Decimal("0.5"))
    assert case.phase is Phase.POSITION_ACTIVE
    assert facts.held(case.trade()) == Decimal("0.5")


def test_reject_after_approve_cancels() -> None:
    """A late no still counts: the resting entry is cancelled."""
    case = Case(desk(limit_config(approval_mode=ApprovalMode.APPROVE)))
    case.raise_signal().decide().tap(CardVerb.APPROVE)
    entry = case.latest(Role.ENTRY)
    case.report(entry).tap(CardVerb.REJECT, mark=None)
    assert [c.order_id for c in case.of(CancelOrder)] == [entry.order_id]
    case.report(entry, OrderStatus.CANCELED)
    assert (case.phase, case.trade().outcome) == (Phase.IDLE, Outcome.UNFILLED)


def test_reject_that_crosses_the_fill_closes() -> None:
    """The no was tapped while the entry was pending and comes when it is filled: closed."""
    case = Case(desk(config(approval_mode=ApprovalMode.APPROVE)))
    case.raise_signal().decide().tap(CardVerb.APPROVE)
    entry = case.latest(Role.ENTRY)
    case.finish(entry).see(entry.quantity).tap(CardVerb.REJECT, mark=None)
    (close,) = case.placed(Role.CLOSE)
    assert close.quantity == entry.quantity
    assert case.trade().exit_reason is ExitReason.MANUAL


def test_late_fill_after_idle_is_looked_after() -> None:
    """An entry given up as unfilled was filled after all: protected, under an alarm."""
    case = Case(desk(limit_config())).to_pending()
    entry = case.latest(Role.ENTRY)
    case.report(entry, OrderStatus.CANCELED)
    assert case.phase is Phase.IDLE
    case.wait(60_000).fill(entry, "0.5")
    assert case.phase is Phase.POSITION_UNPROTECTED
    assert "late_fill" in case.told()
    assert case.placed(Role.STOP)


def test_what_rests_of_an_entry_after_a_late_fill_is_cancelled() -> None:
    """Its time is long up: no more of it is wanted."""
    case = Case(desk(limit_config(entry_timeout_ms=600_000))).to_pending()
    entry = case.latest(Role.ENTRY)
    case.unknown(entry).wait(SURELY_EXPIRED_MS + 1).missing(entry).missing(entry).see(
        0
    ).list_fills()
    case.wait(1_000).fill(entry, "0.5")
    assert entry.order_id in {c.order_id for c in case.of(CancelOrder)}


def test_a_late_fill_after_a_panic_is_closed() -> None:
    """Somebody wanted it gone before it was held: that still counts."""
    case = Case(desk(limit_config())).to_pending()
    entry = case.latest(Role.ENTRY)
    case.ask_close().report(entry, OrderStatus.CANCELED)
    assert case.phase is Phase.IDLE
    case.wait(1_000).fill(entry, "0.5")
    assert case.phase is Phase.CLOSING
    assert case.placed(Role.CLOSE)


def test_a_no_of_the_adviser_orders_nothing() -> None:
    """DO_NOTHING declines; so do CLOSE and HOLD without a position."""
    for action in (Action.DO_NOTHING, Action.CLOSE_POSITION, Action.HOLD_POSITION):
        case = Case().raise_signal().decide(decision(action))
        assert (case.phase, case.trade().outcome) == (Phase.IDLE, Outcome.DECLINED)
