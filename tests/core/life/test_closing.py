"""CLOSING: flat, seen to be flat, nothing of ours left, everything booked; never a hot loop."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.core import desk as desk_room
from bot.core.guard import StopForm
from bot.core.messages import (
    AskFills,
    AskFunding,
    AskPosition,
    CancelOrder,
    FundingListed,
    Level,
    PanicPressed,
    Tell,
)
from bot.core.trade import Order, OrderState, Outcome, Phase, Role
from data.model import ExitReason, FillCause, Funding, OrderKind, OrderStatus, Side
from tests.core.build import (
    NOW_MS,
    SYMBOL,
    USER,
    Case,
    config,
    desk,
    instrument,
    limit_config,
    order_state,
)


def test_panic_closes_everything() -> None:
    """A panic gives cards up, closes what is held at market, and lets nothing in."""
    case = Case(desk(config(open_trades_max=3))).to_active()
    held = case.latest(Role.ENTRY).filled
    case.feed(PanicPressed(by=USER))
    (order,) = case.placed(Role.CLOSE)
    assert (order.side, order.quantity, order.reduce_only) == (Side.SELL, held, True)
    assert case.phase is Phase.CLOSING
    assert case.desk.halts == ("panic",)


def test_protection_stays_until_the_close_is_filled() -> None:
    """A lost close order leaves nothing bare: stop and target rest until the position is gone."""
    case = Case().to_active().ask_close()
    assert not case.of(CancelOrder)
    case.see(0).finish(case.latest(Role.CLOSE))
    wanted = {case.latest(Role.STOP).order_id, case.latest(Role.TARGET).order_id}
    assert {c.order_id for c in case.all_said if isinstance(c, CancelOrder)} == wanted


def test_a_trade_is_idle_only_when_the_exchange_shows_flat_too() -> None:
    """Our own book alone does not end a trade: the position is asked for."""
    case = Case().to_active().ask_close()
    case.wait(50).finish(case.latest(Role.CLOSE))
    for role in (Role.STOP, Role.TARGET):
        case.report(case.latest(role), OrderStatus.EXPIRED)
    assert case.phase is Phase.CLOSING
    assert any(isinstance(c, AskPosition) for c in case.all_said)
    case.see(0)
    assert case.phase is Phase.IDLE


def test_sibling_is_cancelled_before_idle() -> None:
    """The target filled: the trade ends only once the stop is surely gone."""
    case = Case().to_active()
    target, held = case.latest(Role.TARGET), case.latest(Role.ENTRY).filled
    case.see(0).finish(target, held)
    stop = case.latest(Role.STOP)
    cancelled = [c.order_id for c in case.all_said if isinstance(c, CancelOrder)]
    assert cancelled == [stop.order_id]
    assert case.phase is Phase.CLOSING
    case.report(stop, OrderStatus.CANCELED)
    assert case.phase is Phase.IDLE
    assert case.trade().exit_reason is ExitReason.TAKE_PROFIT


def test_a_refused_close_is_sent_again_after_looking() -> None:
    """A refusal is followed by questions and a pause, then by another close order."""
    case = Case().to_active().ask_close()
    first = case.latest(Role.CLOSE)
    case.refuse(first, -2022)
    assert case.of(AskPosition)
    assert case.of(AskFills)
    assert not case.placed(Role.CLOSE)
    case.see(first.quantity).wait(600)
    (second,) = case.placed(Role.CLOSE)
    assert second.attempt == 1


def test_a_close_refused_for_hours_neither_floods_the_chat_nor_swells_the_record() -> None:
    """A ban: it goes on being tried, is told ever more rarely and louder; old tries are dropped."""
    case = Case().to_active().ask_close()
    held, until_ms = case.latest(Role.ENTRY).filled, case.now_ms + 2 * 3_600_000
    while case.now_ms < until_ms:
        if case.latest(Role.CLOSE).state is OrderState.SENT:
            case.refuse(case.latest(Role.CLOSE), 0)
        case.see(held).wait(1_000)
    tried = len(case.ever_placed(Role.CLOSE))
    assert tried > 400
    assert len({order.order_id for order in case.ever_placed(Role.CLOSE)}) == tried
    told = [c for c in case.all_said if isinstance(c, Tell) and c.kind == "close_refused"]
    assert [c.level for c in told[:4]] == [*[Level.WARNING] * 2, *[Level.ALARM] * 2]
    assert len(told) == tried.bit_length()
    assert len(case.trade().orders) < 15
    case.finish(case.latest(Role.CLOSE), held).see(0)
    for role in (Role.STOP, Role.TARGET):
        case.report(case.latest(role), OrderStatus.EXPIRED)
    case.feed(FundingListed(symbol=SYMBOL, since_ms=0, asked_ms=case.now_ms, funding=()))
    assert case.phase is Phase.IDLE


def test_a_pause_that_is_no_longer_needed_wakes_nobody() -> None:
    """The stop closed what our refused close did not: the pause ends, and nothing spins."""
    case = Case().to_active().ask_close()
    case.refuse(case.latest(Role.CLOSE), -2022)
    held = case.latest(Role.ENTRY).filled
    case.wait(10).finish(case.latest(Role.STOP), held)  # the position is not yet seen to be flat
    case.wait(10_000)  # asserts after every wake that the next is later
    case.see(0).report(case.latest(Role.TARGET), OrderStatus.EXPIRED)
    assert case.phase is Phase.IDLE


def test_a_pause_is_forgotten_when_another_exit_works() -> None:
    """Our close was refused because the stop has triggered: its fill is awaited, nothing spins."""
    case = Case().to_active().ask_close()
    case.wait(10).refuse(case.latest(Role.CLOSE), -2022)
    case.report(case.latest(Role.STOP), OrderStatus.TRIGGERED)
    case.wait(10_000)
    assert len(case.ever_placed(Role.CLOSE)) == 1


def test_fills_that_stay_away_are_not_asked_for_at_the_speed_of_the_wire() -> None:
    """Listings that do not show the last fill yet are asked for at a pace, not at each answer."""
    case = Case().to_active().ask_close()
    close = case.latest(Role.CLOSE)
    case.see(0).report(close, OrderStatus.FILLED, filled_quantity=close.quantity)
    for role in (Role.STOP, Role.TARGET):
        case.report(case.latest(role), OrderStatus.EXPIRED)
    begun = len([c for c in case.all_said if isinstance(c, AskFills)])
    for _ in range(40):  # 40 answers of 50 ms are two seconds: one question more is due
        case.wait(50).list_fills()
    asked = len([c for c in case.all_said if isinstance(c, AskFills)]) - begun
    assert asked <= 2


def test_a_large_position_is_closed_in_allowed_pieces() -> None:
    """Market orders have their own largest size: 1.7 held, at most 1 a piece, is 1 and then 0.7."""
    listing = instrument(market_quantity_max=Decimal(1))
    case = Case(desk(limit_config(), wallet=340), listing=listing)
    # Risk 1 % of 340 is 3.4 USDT; a unit loses 2 + 0.0005 x (100 + 98) = 2.099: 1.619 units.
    case.to_active()
    held = case.latest(Role.ENTRY).filled
    assert held == Decimal("1.619")
    case.ask_close()
    first = case.latest(Role.CLOSE)
    assert first.quantity == Decimal(1)
    case.see("0.619").finish(first)
    assert case.latest(Role.CLOSE).quantity == Decimal("0.619")


def test_a_position_turned_round_by_hand_halts_the_trade() -> None:
    """Somebody sells twice what we hold: that short is not ours; an alarm, and nothing is sent."""
    case = Case().to_active()
    held = case.latest(Role.ENTRY).filled
    case.see(-held).fill(None, held * 2)
    assert case.phase is Phase.HALTED
    assert "halted" in case.told()
    assert not case.placed(Role.CLOSE)


@pytest.mark.parametrize("reason", [ExitReason.MANUAL, ExitReason.AI])
def test_a_position_turned_round_while_closing_halts_the_trade(reason: ExitReason) -> None:
    """A close by us and a sale by hand together turn the position round: halted, not spinning."""
    case = Case().to_active().ask_close(reason)
    close = case.latest(Role.CLOSE)
    case.see(-close.quantity).fill(None, close.quantity).finish(close)
    assert case.phase is Phase.HALTED
    case.feed(PanicPressed(by=USER))
    assert case.phase is Phase.HALTED  # it is still not ours to close


def test_a_halted_trade_ends_when_a_person_has_put_it_right() -> None:
    """The owner flattened by hand and asks to close: every fill is booked and the trade ends."""
    case = Case().to_active()
    held = case.latest(Role.ENTRY).filled
    case.see(-held).fill(None, held * 2)
    for role in (Role.STOP, Role.TARGET):
        case.report(case.latest(role), OrderStatus.EXPIRED)
    case.wait(60_000).see(0).fill(None, held, side=Side.BUY)
    assert case.phase is Phase.HALTED
    case.ask_close()
    assert case.phase is Phase.IDLE
    assert case.trade().outcome is Outcome.CLOSED


def test_an_entry_that_never_arrived_does_not_keep_a_trade_closing() -> None:
    """Somebody traded the symbol by hand and our entry was lost: the trade ends all the same."""
    case = Case().to_pending()
    entry = case.latest(Role.ENTRY)
    case.unknown(entry).fill(None, 1, side=Side.BUY).fill(None, 1).see(0)
    for role in (Role.STOP, Role.TARGET):
        case.refuse(case.latest(role), -4509)
    assert case.phase is Phase.CLOSING
    for _ in range(4):
        case.wait(8_000).missing(entry)
    assert order_state(case, entry) is OrderState.ABSENT
    assert case.phase is Phase.IDLE


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (FillCause.LIQUIDATION, ExitReason.LIQUIDATION),
        (FillCause.ADL, ExitReason.ADL),
        (FillCause.ORDER, ExitReason.EXTERNAL),
        (FillCause.SETTLEMENT, ExitReason.EXTERNAL),
    ],
)
def test_liquidation_adl_and_hand_close_are_booked(cause: FillCause, reason: ExitReason) -> None:
    """A fill that is not ours ends the position: its result is booked and its reason kept."""
    case = Case().to_active()
    held = case.latest(Role.ENTRY).filled
    case.see(0).fill(None, held, cause=cause, price=Decimal(97), realized_pnl_usdt=-held * 3)
    for role in (Role.STOP, Role.TARGET):
        case.report(case.latest(role), OrderStatus.EXPIRED)
    if cause is FillCause.LIQUIDATION:  # its fee is listed beside funding
        assert case.phase is Phase.CLOSING
        fee = Funding(funding_id="1", symbol=SYMBOL, amount_usdt=Decimal(-1), paid_ms=case.now_ms)
        case.feed(FundingListed(symbol=SYMBOL, since_ms=0, asked_ms=case.now_ms, funding=(fee,)))
    (closed,) = case.desk.closed
    fee_usdt = 1 if cause is FillCause.LIQUIDATION else 0
    assert closed.exit_reason is reason
    assert closed.pnl_usdt == -held * 3 - fee_usdt
    assert closed.exit_price == Decimal(97)


def test_funding_is_asked_for_only_across_a_full_hour() -> None:
    """A trade held over a full hour asks what was paid, and books it once."""
    case = Case().to_active()
    quick = Case().to_active()
    quick.exit_by(Role.TARGET)
    assert not any(isinstance(c, AskFunding) for c in quick.all_said)
    case.wait(3_600_000).exit_by(Role.TARGET)
    assert case.phase is Phase.CLOSING
    assert any(isinstance(c, AskFunding) for c in case.all_said)
    paid = Funding(
        funding_id="7", symbol=SYMBOL, amount_usdt=Decimal("-0.25"), paid_ms=NOW_MS + 1_800_000
    )
    early = replace(paid, funding_id="6", paid_ms=NOW_MS - 1)
    listed = FundingListed(
        symbol=SYMBOL, since_ms=0, asked_ms=case.now_ms, funding=(early, paid, paid)
    )
    case.feed(listed)
    assert case.desk.closed[-1].funding_usdt == Decimal("-0.25")


def test_an_answer_about_funding_from_before_the_last_fill_does_not_count() -> None:
    """A late answer to an older question (of the trade before) says nothing of this one."""
    case = Case().to_active().wait(3_600_000)
    older = FundingListed(symbol=SYMBOL, since_ms=0, asked_ms=case.now_ms - 1, funding=())
    case.feed(older).exit_by(Role.TARGET)
    assert case.phase is Phase.CLOSING
    assert any(isinstance(c, AskFunding) for c in case.all_said)
    case.feed(replace(older, asked_ms=case.now_ms))
    assert case.phase is Phase.IDLE


def test_a_quantity_left_behind_is_cancelled_before_its_fills_are_named() -> None:
    """Flat by the exchange's word: a resting quantity is not needed, and might own a fill."""
    case = Case(desk(config(), stop_form=StopForm.QUANTITY)).to_active().ask_close()
    stop = case.latest(Role.STOP)
    case.wait(10).see(0)
    cancels = [c.order_id for c in case.all_said if isinstance(c, CancelOrder)]
    assert stop.order_id in cancels


def unheard_while_closing(form: StopForm) -> tuple[Case, Order]:
    """Closed at once: the entry is out again, and its stop was never answered for."""
    case = Case(desk(config(), stop_form=form)).to_pending()
    case.fill(case.latest(Role.ENTRY))
    stop = case.latest(Role.STOP)
    case.unknown(stop).refuse(case.latest(Role.TARGET), -4509).ask_close()
    case.fill(case.latest(Role.CLOSE)).see(0)
    return case, stop


def test_one_look_in_vain_is_no_proof_against_a_stop_that_may_rest() -> None:
    """A quantity outlives its position: a query that does not show it yet must not end it (4)."""
    case, stop = unheard_while_closing(StopForm.QUANTITY)
    case.wait(8_500).missing(stop).wait(8_000).missing(stop)
    assert order_state(case, stop) is OrderState.UNKNOWN
    assert case.phase is Phase.CLOSING
    case.wait(30_000).missing(stop)
    assert order_state(case, stop) is OrderState.ABSENT


def test_a_reading_of_every_open_order_proves_a_stop_absent() -> None:
    """Looked for by its id and not listed either: it never came, and the trade ends."""
    case, stop = unheard_while_closing(StopForm.QUANTITY)
    case.wait(8_500).snapshot().missing(stop)
    assert order_state(case, stop) is OrderState.ABSENT


def test_a_closing_stop_is_absent_once_it_surely_expired() -> None:
    """The exchange ends it with the position: one look in vain is enough."""
    case, stop = unheard_while_closing(StopForm.CLOSE_POSITION)
    case.wait(8_500).missing(stop)
    assert order_state(case, stop) is OrderState.ABSENT


def test_a_trade_waits_for_nothing_once_it_is_idle() -> None:
    """IDLE has no deadline."""
    case = Case().to_active().exit_by(Role.STOP)
    assert case.phase is Phase.IDLE
    assert desk_room.wake_ms(case.desk) is None
    assert case.latest(Role.ENTRY).kind is OrderKind.MARKET


def test_fills_are_asked_for_with_a_margin_for_a_clock_that_was_ahead() -> None:
    """The exchange dates a fill up to a second before our order: it must be in the listing (9)."""
    case = Case().to_pending()
    entry = case.latest(Role.ENTRY)
    case.report(entry, OrderStatus.FILLED, filled_quantity=entry.quantity)
    case.ask_close().wait(50).see(0).wait(5_000)
    asked = [c for c in case.all_said if isinstance(c, AskFills)]
    assert asked
    margin_ms = case.desk.timing.settle_margin_ms
    assert {c.since_ms for c in asked} == {entry.sent_ms - margin_ms}
