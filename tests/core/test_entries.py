"""Signals let in, decisions supervised, taps judged anew: nothing stale ever opens a trade."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.core.messages import AskAdvisor, CardVerb, EntriesHalted, PlaceOrder, ShowCard
from bot.core.presets import AiMode, ApprovalMode, Exits, Sizing
from bot.core.trade import Outcome, Phase, Role
from data.model import Action, Direction, ExitReason
from tests.core.build import (
    NOW_MS,
    Case,
    closed_trade,
    config,
    decision,
    desk,
    instrument,
    signal,
)


def asking(**changes: object) -> Case:
    """A desk whose one bot shows cards, with a card before a person."""
    bot = config(approval_mode=ApprovalMode.APPROVE, **changes)
    return Case(desk(bot)).raise_signal().decide()


def test_a_signal_asks_the_adviser_and_nobody_else() -> None:
    """A signal orders nothing by itself."""
    case = Case().raise_signal()
    (question,) = case.of(AskAdvisor)
    assert (question.purpose, case.phase) == ("open", Phase.EVALUATING)
    assert not case.of(PlaceOrder)


def test_a_repeated_signal_is_ignored() -> None:
    """The same bar's signal is taken up once."""
    case = Case().raise_signal().raise_signal()
    assert not case.said
    assert len(case.desk.trades) == 1


def test_a_signal_of_a_paused_bot_is_ignored() -> None:
    """A bot that does not run takes nothing up."""
    case = Case(desk(running=())).raise_signal()
    assert not case.desk.trades


def test_the_card_carries_the_whole_plan_before_anything_is_ordered() -> None:
    """In approval mode a decision leads to a card; its plan is in the record."""
    case = asking()
    assert case.of(ShowCard)
    assert case.phase is Phase.AWAITING_APPROVAL
    assert case.trade().plan is not None
    assert not case.ever_placed(Role.ENTRY)


def test_one_tap_opens_one_trade() -> None:
    """The second tap on the same card is refused."""
    case = asking().tap(CardVerb.APPROVE)
    assert len(case.placed(Role.ENTRY)) == 1
    case.tap(CardVerb.APPROVE)
    assert not case.of(PlaceOrder)
    assert case.told() == ["card_refused"]


def test_stale_approve_opens_nothing() -> None:
    """A tap at the very moment the card expires is too late, even before the desk was woken."""
    case = asking(approval_ttl_ms=8_000)
    case.now_ms += 8_000
    case.tap(CardVerb.APPROVE)
    assert (case.phase, case.trade().outcome) == (Phase.IDLE, Outcome.EXPIRED)
    assert not case.ever_placed(Role.ENTRY)


def test_a_tap_a_millisecond_before_expiry_counts() -> None:
    """Until then it is valid."""
    case = asking(approval_ttl_ms=8_000)
    case.now_ms += 7_999
    case.tap(CardVerb.APPROVE)
    assert case.placed(Role.ENTRY)


def test_a_late_reject_is_honoured() -> None:
    """A no counts after the expiry, too."""
    case = asking(approval_ttl_ms=8_000)
    case.now_ms += 9_000
    case.tap(CardVerb.REJECT, mark=None)
    assert case.trade().outcome is Outcome.REJECTED


@pytest.mark.parametrize("mark", [None, Decimal(100)])
def test_a_tap_without_a_fresh_price_opens_nothing(mark: Decimal | None) -> None:
    """No price, or one more than ten seconds old: the card stays, nothing is ordered."""
    case = asking()
    case.now_ms += 20_000
    case.tap(CardVerb.APPROVE, mark=mark, mark_ms=case.now_ms - 10_001)
    assert case.phase is Phase.AWAITING_APPROVAL
    assert case.told() == ["card_refused"]


def test_a_decision_on_a_stale_price_opens_nothing() -> None:
    """Without anybody to ask, an old price would be traded on: the signal is blocked instead."""
    case = Case().raise_signal()
    case.decide(mark_ms=case.now_ms - 10_001)
    assert case.trade().outcome is Outcome.BLOCKED
    assert case.trade().note == "no fresh price"
    assert Case().raise_signal().decide(mark_ms=0).trade().outcome is Outcome.BLOCKED


def test_moved_price_asks_then_refuses() -> None:
    """Beyond 20 bps a tap asks "anyway?"; confirmed it opens; beyond 100 bps it is refused."""
    case = asking().tap(CardVerb.APPROVE, mark=Decimal("100.2"))  # 20 bps: not beyond
    assert case.placed(Role.ENTRY)
    case = asking().tap(CardVerb.APPROVE, mark=Decimal("100.3"))
    assert case.told() == ["card_moved"]
    assert case.phase is Phase.AWAITING_APPROVAL
    case.tap(CardVerb.APPROVE, mark=Decimal("100.3"), confirmed=True)
    assert case.placed(Role.ENTRY)
    case = asking().tap(CardVerb.APPROVE, mark=Decimal("101.1"), confirmed=True)
    assert case.trade().outcome is Outcome.BLOCKED
    assert "price_drift" in case.trade().note
    assert not case.ever_placed(Role.ENTRY)


def test_half_size() -> None:
    """HALF orders half of what the card showed, rounded down to the step.

    1 % of 1,000 is 10 USDT; a unit loses 2 + 0.0005 x 198 = 2.099: 4.764; half of it is 2.382.
    """
    case = asking()
    plan = case.trade().plan
    assert plan is not None
    assert plan.quantity == Decimal("4.764")
    case.tap(CardVerb.HALF)
    (entry,) = case.placed(Role.ENTRY)
    assert entry.quantity == Decimal("2.382")
    kept = case.trade().plan
    assert kept is not None
    assert kept.risk_usdt == Decimal("2.382") * Decimal("2.099")


def test_half_of_the_smallest_trade_is_refused_and_not_sent_as_nothing() -> None:
    """Half of what the filters just allow is below them, however rich the wallet has become."""
    bot = config(
        approval_mode=ApprovalMode.APPROVE, wallet_usdt_min=Decimal(1), notional_usdt_min=Decimal(0)
    )
    case = Case(
        desk(bot, wallet="1.5"),
        listing=instrument(quantity_min=Decimal("0.007"), notional_min=Decimal("0.1")),
    )
    case.raise_signal().decide()
    plan = case.trade().plan
    assert plan is not None
    assert plan.quantity == Decimal("0.007")
    case.desk = replace(case.desk, wallet_usdt=Decimal(1000))
    case.tap(CardVerb.HALF)
    assert case.trade().outcome is Outcome.BLOCKED
    assert not case.ever_placed(Role.ENTRY)


def test_an_approved_size_is_never_more_than_the_card_showed() -> None:
    """The wallet grew since: the card's quantity is the limit."""
    case = asking()
    shown = case.trade().plan
    case.desk = replace(case.desk, wallet_usdt=Decimal(5000))
    case.tap(CardVerb.APPROVE)
    assert shown is not None
    assert case.placed(Role.ENTRY)[0].quantity == shown.quantity


def test_limits_are_asked_again_at_the_tap() -> None:
    """Entries were halted while the card was shown: the tap is blocked and says why."""
    case = asking().feed(EntriesHalted(reason="disk full")).tap(CardVerb.APPROVE)
    assert case.trade().outcome is Outcome.BLOCKED
    assert "disk full" in case.trade().note


def test_two_signals_cannot_both_take_the_last_slot() -> None:
    """One slot: while the first is only being thought about, the second is kept out."""
    case = Case().raise_signal().raise_signal(signal("s2", symbol="ETHUSDT"))
    assert case.trade("s2").outcome is Outcome.BLOCKED
    assert "open_trades" in case.trade("s2").note


def test_two_cards_cannot_both_take_the_last_entry_of_the_day() -> None:
    """Both were let in; the first tap takes the day's last entry, the second is refused."""
    bot = config(approval_mode=ApprovalMode.APPROVE, open_trades_max=2, trades_per_day_max=1)
    case = Case(desk(bot)).raise_signal().raise_signal(signal("s2", symbol="ETHUSDT"))
    case.decide().decide(name="s2")
    case.tap(CardVerb.APPROVE).tap(CardVerb.APPROVE, name="s2")
    assert len(case.ever_placed(Role.ENTRY)) == 1
    assert "trades_per_day" in case.trade("s2").note


def test_a_symbol_belongs_to_one_trade_at_a_time() -> None:
    """Another bot's signal on a symbol in use is kept out."""
    other = config(bot_id="two")
    case = Case(desk(config(), other)).to_active()
    case.raise_signal(signal("s2", bot_id="two"))
    assert "BTCUSDT is taken" in case.trade("s2", "two").note


def test_an_abstention_is_never_an_approval() -> None:
    """Doubt ends the trade, whatever action the answer also names."""
    case = Case().raise_signal().decide(decision(abstained="the answer was cut off"))
    assert case.trade().outcome is Outcome.ABSTAINED
    case = Case().raise_signal().decide(decision(Action.ABSTAIN))
    assert case.trade().outcome is Outcome.ABSTAINED


def test_an_answer_about_another_symbol_is_an_abstention() -> None:
    """Text cannot choose symbols: neither to open nor to close."""
    case = Case().raise_signal().decide(decision(symbol="DOGEUSDT"))
    assert case.trade().outcome is Outcome.ABSTAINED
    case = Case().to_active().decide(decision(Action.CLOSE_POSITION, symbol="DOGEUSDT"))
    assert case.phase is Phase.POSITION_ACTIVE


@pytest.mark.parametrize(
    ("action", "closes"),
    [
        (Action.CLOSE_POSITION, True),
        (Action.HOLD_POSITION, False),
        (Action.OPEN_POSITION, False),
        (Action.DO_NOTHING, False),
        (Action.ABSTAIN, False),
    ],
)
def test_the_adviser_can_only_close_an_open_position(action: Action, *, closes: bool) -> None:
    """OPEN becomes HOLD; only CLOSE changes anything."""
    case = Case().to_active().decide(decision(action))
    assert bool(case.placed(Role.CLOSE)) is closes
    if closes:
        assert case.trade().exit_reason is ExitReason.AI


def test_a_decision_while_bare_closes() -> None:
    """UNPROTECTED forces CLOSE, and says who overruled."""
    case = Case().to_bare().decide(decision(Action.HOLD_POSITION))
    assert case.placed(Role.CLOSE)
    assert case.trade().note == "close asked by supervisor"


def test_a_late_decision_does_not_touch_a_pending_or_ended_trade() -> None:
    """While the entry is out, or all is over, an answer changes nothing."""
    case = Case().to_pending()
    before = case.trade()
    case.decide(decision(Action.CLOSE_POSITION))
    assert case.trade() == before
    case = Case().to_active().exit_by(Role.TARGET)
    before = case.trade()
    case.decide()
    assert case.trade() == before


def test_signal_only_tells_and_never_trades() -> None:
    """The plan is advice: no card, no order."""
    case = Case(desk(config(approval_mode=ApprovalMode.SIGNAL_ONLY))).to_pending()
    assert case.trade().outcome is Outcome.ADVISED
    assert case.told() == ["signal_advice"]
    assert case.trade().plan is not None


@pytest.mark.parametrize("price", ["NaN", "Infinity", "-1", "1E-9"])
def test_senseless_numbers_of_the_adviser_are_refused(price: str) -> None:
    """A stop that is no price blocks the trade."""
    case = Case().raise_signal().decide(decision(stop_price=Decimal(price)))
    assert case.trade().outcome is Outcome.BLOCKED
    assert not case.ever_placed(Role.ENTRY)


def test_a_direction_against_the_levels_is_refused() -> None:
    """SHORT with a long's stop and target: on the wrong side of entry and mark."""
    case = Case().raise_signal().decide(decision(direction=Direction.SHORT))
    assert "stop_side" in case.trade().note
    assert "target_side" in case.trade().note


def test_too_little_confidence_is_refused() -> None:
    """59.9 of 60 is too little; 60 is enough; no number counts as none asked."""
    case = Case().raise_signal().decide(decision(confidence=59.9))
    assert "confidence" in case.trade().note
    assert Case().raise_signal().decide(decision(confidence=60.0)).placed(Role.ENTRY)
    assert not Case().raise_signal().decide(decision(confidence=float("nan"))).placed(Role.ENTRY)


def test_an_advisers_quantity_counts_where_the_bot_asks_for_it() -> None:
    """1.5 units suggested, 4.764 allowed; a bot whose mode is not to ask does not listen."""
    advice = decision(quantity=Decimal("1.5"))
    for mode, quantity in ((AiMode.TACTICAL, "1.5"), (AiMode.EXECUTOR, "4.764")):
        case = Case(desk(config(ai_mode=mode))).raise_signal().decide(advice)
        plan = case.trade().plan
        assert plan is not None
        assert plan.quantity == Decimal(quantity)


def test_compounding_counts_what_this_bot_earned_and_no_other() -> None:
    """It made 20 of its 100 USDT, another bot lost 50: the next position is worth 120."""
    bot = config(sizing=Sizing.AMOUNT, amount_usdt=Decimal(100), compounding=True)
    closed = (
        closed_trade(1, 20, NOW_MS - 1_000),
        closed_trade(2, -50, NOW_MS - 500, bot_id="other"),
    )
    case = Case(desk(bot, closed=closed)).to_pending()
    plan = case.trade().plan
    assert plan is not None
    assert plan.notional_usdt == 120


def test_percent_exits_are_laid_on_the_price_of_the_tap() -> None:
    """2 % under and 5 % over 100.1, where the market order will be filled."""
    case = asking(exits=Exits.PERCENT, stop_pct=Decimal(2), target_pct=Decimal(5))
    case.tap(CardVerb.APPROVE, mark=Decimal("100.1"))
    plan = case.trade().plan
    assert plan is not None
    assert (plan.stop_price, plan.target_price) == (Decimal("98.1"), Decimal("105.1"))
