"""Signals let in, decisions supervised, taps judged anew: nothing stale ever opens a trade."""

from decimal import Decimal

import pytest

from bot.core.messages import AskAdvisor, PlaceOrder, ShowCard
from bot.core.presets import AiMode, ApprovalMode, Sizing
from bot.core.trade import Outcome, Phase, Role
from data.model import Action, Direction, ExitReason
from tests.core.build import (
    NOW_MS,
    Case,
    closed_trade,
    config,
    decision,
    desk,
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


def test_a_decision_on_a_stale_price_opens_nothing() -> None:
    """Without anybody to ask, an old price would be traded on: the signal is blocked instead."""
    case = Case().raise_signal()
    case.decide(mark_ms=case.now_ms - 10_001)
    assert case.trade().outcome is Outcome.BLOCKED
    assert case.trade().note == "no fresh price"
    assert Case().raise_signal().decide(mark_ms=0).trade().outcome is Outcome.BLOCKED


def test_two_signals_cannot_both_take_the_last_slot() -> None:
    """One slot: while the first is only being thought about, the second is kept out."""
    case = Case().raise_signal().raise_signal(signal("s2", symbol="ETHUSDT"))
    assert case.trade("s2").outcome is Outcome.BLOCKED
    assert "open_trades" in case.trade("s2").note


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
