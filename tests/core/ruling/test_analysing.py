"""A model that looks by the clock: asked where an entry is possible, its answer is the signal."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.core.advice import Advice
from bot.core.directions import AnalysisDue
from bot.core.messages import AskAdvisor, CardVerb, DecisionArrived, EntriesHalted, ShowCard
from bot.core.presets import AiTrigger, ApprovalMode
from bot.core.trade import Outcome, Phase, Role, Trade
from data.model import Action, Decision, Direction
from tests.core.build import BOT, PRICE, SYMBOL, Case, config, decision, desk, instrument


def timed(**changes: Any) -> Case:
    """A desk whose one bot is led by the clock."""
    return Case(desk(config(ai_trigger=AiTrigger.TIMER, **changes)))


def look(case: Case, symbol: str = SYMBOL) -> Case:
    """Its time has come."""
    due = AnalysisDue(
        bot_id=BOT,
        symbol=symbol,
        instrument=instrument(symbol=symbol),
        mark_price=PRICE,
        mark_ms=case.now_ms,
    )
    return case.feed(due)


def opening(**changes: Any) -> Decision:
    """A model that opens a short of its own."""
    plain = decision(
        advisor="gemini",
        direction=Direction.SHORT,
        entry_price=PRICE,
        stop_price=Decimal(102),
        target_price=Decimal(95),
        reasons=("Lower highs.",),
    )
    return replace(plain, **changes)


def only(case: Case) -> Trade:
    """The one trade there is."""
    (trade,) = case.desk.trades.values()
    return trade


def answer(case: Case, given: Decision) -> Case:
    """What the model says to the question that is open."""
    event = DecisionArrived(
        trade_id=only(case).trade_id, decision=given, mark_price=PRICE, mark_ms=case.now_ms
    )
    return case.feed(event)


def test_the_clock_asks_without_a_signal() -> None:
    """A trade in evaluation, one question, no signal, no place of the day's signals used."""
    case = look(timed())
    (question,) = case.of(AskAdvisor)
    assert (question.purpose, question.symbol) == ("open", SYMBOL)
    assert (only(case).phase, only(case).signal) == (Phase.EVALUATING, None)
    assert not case.desk.day.signals


def test_what_the_model_opens_is_its_own_signal() -> None:
    """Direction and levels are the decision's, the confidence is the score, the day counts it."""
    case = answer(look(timed()), opening())
    trade = only(case)
    assert case.placed(Role.ENTRY)
    assert trade.plan is not None
    assert trade.plan.direction is Direction.SHORT
    assert (trade.plan.stop_price, trade.plan.target_price) == (Decimal(102), Decimal(95))
    assert trade.signal is not None
    assert (trade.signal.strategy, trade.signal.model) == ("ai", "gemini")
    assert (trade.signal.score, trade.signal.reasons) == (80.0, ("Lower highs.",))
    assert case.desk.day.signals == {BOT: 1}


def test_a_card_of_such_a_trade_is_approved_like_any_other() -> None:
    """The plan stands before a person; the tap judges it anew."""
    case = answer(look(timed(approval_mode=ApprovalMode.APPROVE)), opening())
    (card,) = case.of(ShowCard)
    assert card.trade_id == only(case).trade_id
    name = f"{BOT}-{SYMBOL}-ai-{case.now_ms}"
    case.tap(CardVerb.APPROVE, name=name)
    assert case.placed(Role.ENTRY)


@pytest.mark.parametrize(
    "given",
    [
        opening(direction=None),
        opening(stop_price=None),
        opening(target_price=None),
    ],
    ids=["direction", "stop", "target"],
)
def test_an_opening_that_names_too_little_opens_nothing(given: Decision) -> None:
    """Nothing is made up for it."""
    case = answer(look(timed()), given)
    assert only(case).outcome is Outcome.BLOCKED
    assert not case.ever_placed(Role.ENTRY)


@pytest.mark.parametrize("action", [Action.DO_NOTHING, Action.HOLD_POSITION, Action.CLOSE_POSITION])
def test_anything_else_ends_as_declined(action: Action) -> None:
    """Without a position there is nothing to hold or to close."""
    case = answer(look(timed()), opening(action=action))
    assert only(case).outcome is Outcome.DECLINED


def test_a_wrong_side_is_refused_by_name() -> None:
    """The levels of a model are checked like a strategy's."""
    case = answer(look(timed()), opening(direction=Direction.LONG))
    assert only(case).outcome is Outcome.BLOCKED
    assert "stop_side" in only(case).note


def test_a_look_that_could_lead_to_nothing_asks_nobody() -> None:
    """Halted, paused, taken symbol, no money: no question, no trade; the turn goes on."""
    halted = timed().feed(EntriesHalted(reason="test"))
    paused = timed()
    advice = Advice(in_a_row=3, paused_until_ms=paused.now_ms + 1)
    paused.desk = replace(paused.desk, advice={BOT: advice})
    poor = Case(desk(config(ai_trigger=AiTrigger.TIMER), wallet=1))
    taken = look(timed())
    asleep = Case(desk(config(ai_trigger=AiTrigger.TIMER), running=()))
    for case in (halted, paused, poor, taken):
        before, turn = dict(case.desk.trades), case.desk.advice.get(BOT, Advice()).turn
        look(case)
        assert not case.of(AskAdvisor)
        assert case.desk.trades == before
        assert case.desk.advice[BOT].turn == turn + 1
    assert not look(asleep).said


def test_when_it_looked_is_in_the_record() -> None:
    """So a restart neither repeats nor forgets a look."""
    case = look(timed())
    assert case.desk.advice[BOT].asked_ms == case.now_ms


def test_a_skipped_look_takes_nothing_back_from_the_day() -> None:
    """It had not used a place."""
    case = timed()
    case.desk = replace(case.desk, day=replace(case.desk.day, signals={BOT: 2}))
    look(case)
    before = case.desk.day.signals
    answer(case, decision(Action.ABSTAIN, advisor="gemini", abstained="skipped: x", skipped=True))
    assert only(case).outcome is Outcome.SKIPPED
    assert case.desk.day.signals == before
