"""Abstentions in a row pause a bot's entries; skips and the rules' silence do not."""

from dataclasses import replace

import pytest

from bot.core.advice import IN_A_ROW_MAX, PAUSE_MS, Advice, after
from bot.core.messages import AskAdvisor, BotSwitched, Level, PlaceOrder, Tell
from bot.core.trade import Outcome, Phase, Role
from data.model import Action, Decision
from tests.core.build import BOT, Case, config, decision, desk, signal


def doubt(why: str = "timeout: no answer", *, skipped: bool = False) -> Decision:
    """A model that would not say."""
    return decision(
        Action.ABSTAIN, abstained=why, confidence=None, advisor="gemini", skipped=skipped
    )


def asked(case: Case, name: str) -> Case:
    """One more signal."""
    return case.raise_signal(signal(name))


def abstaining(times: int) -> Case:
    """A desk whose model abstained so often, on one signal after the other."""
    case = Case()
    for number in range(times):
        asked(case, f"s{number}").decide(doubt(), name=f"s{number}")
    return case


def test_three_abstentions_in_a_row_pause_the_bots_entries_and_alarm() -> None:
    """The third one: no fourth question is asked, and a person hears of it."""
    case = abstaining(IN_A_ROW_MAX)
    (told,) = [one for one in case.of(Tell) if one.kind == "ai_paused"]
    assert told.level is Level.ALARM
    advice = case.desk.advice[BOT]
    assert (advice.in_a_row, advice.abstained) == (3, 3)
    assert advice.paused_until_ms == case.now_ms + PAUSE_MS
    assert not asked(case, "next").of(AskAdvisor)
    ended = case.trade("next")
    assert (ended.outcome, ended.phase) == (Outcome.BLOCKED, Phase.IDLE)
    assert "ai_paused" in ended.note


def test_two_abstentions_pause_nothing_and_an_answer_breaks_the_row() -> None:
    """Doubt, doubt, an answer, doubt, doubt: never three in a row."""
    advice = Advice()
    answer = replace(decision(Action.DO_NOTHING), advisor="gemini")
    for one in (doubt(), doubt(), answer, doubt(), doubt()):
        advice = after(advice, one, 1_000)
    assert (advice.in_a_row, advice.abstained, advice.paused_until_ms) == (2, 4, None)


def test_what_was_skipped_is_no_doubt() -> None:
    """A skipped question neither lengthens nor breaks the row."""
    advice = Advice(in_a_row=2, abstained=2)
    advice = after(advice, doubt("asked 3 s ago", skipped=True), 1_000)
    assert (advice.in_a_row, advice.skipped, advice.paused_until_ms) == (2, 1, None)


def test_the_rules_silence_pauses_nothing() -> None:
    """Without a model there is no model to distrust."""
    rules = decision(Action.ABSTAIN, abstained="no fresh market data")
    assert after(Advice(), rules, 1_000) == Advice()


def test_a_person_ends_the_pause_by_starting_the_bot_again() -> None:
    """After /resume the next signal asks at once, and the row begins anew."""
    case = abstaining(IN_A_ROW_MAX)
    case.feed(BotSwitched(bot_id=BOT, running=True, by="u1"))
    assert asked(case, "next").of(AskAdvisor)
    assert case.desk.advice[BOT].in_a_row == 0


def test_after_the_pause_one_question_is_let_through_and_one_doubt_pauses_again() -> None:
    """An hour later to the millisecond; the row was not forgotten."""
    case = abstaining(IN_A_ROW_MAX)
    until_ms = case.desk.advice[BOT].paused_until_ms
    assert until_ms is not None
    case.now_ms = until_ms - 1
    assert not asked(case, "early").of(AskAdvisor)
    case.now_ms = until_ms
    assert asked(case, "on time").of(AskAdvisor)
    case.decide(doubt(), name="on time")
    assert case.desk.advice[BOT].is_paused(case.now_ms)


def test_a_doubt_that_comes_too_late_for_its_trade_counts_once() -> None:
    """A model that hangs: the trade gave up, its word comes after, and is kept and counted."""
    case = Case().raise_signal()
    case.wait(case.desk.timing.decide_within_ms)
    assert case.trade().outcome is Outcome.ABSTAINED
    assert BOT not in case.desk.advice
    case.decide(doubt())
    assert case.desk.advice[BOT].abstained == 1
    kept = case.trade().decision
    assert kept is not None
    assert kept.abstained == "timeout: no answer"
    assert not case.ever_placed(Role.ENTRY)


def test_the_advisers_deadline_lies_before_the_trades() -> None:
    """So that the record says why: the adviser's own word comes first."""
    case = Case().raise_signal()
    (question,) = case.of(AskAdvisor)
    decide_by_ms = case.trade().decide_by_ms
    assert decide_by_ms is not None
    assert question.deadline_ms < decide_by_ms


def test_a_skipped_signal_ends_so_and_gives_its_place_of_the_day_back() -> None:
    """Nobody looked at it: it is told as skipped and does not use the day's signals up."""
    case = asked(Case(desk(config(signals_per_day_max=1))), "a")
    case.decide(doubt("asked 3 s ago", skipped=True), name="a")
    assert case.trade("a").outcome is Outcome.SKIPPED
    assert case.desk.day.signals[BOT] == 0
    assert asked(case, "b").of(AskAdvisor)


@pytest.mark.parametrize("symbol", ["ETHUSDT", ""])
def test_an_answer_about_something_else_is_a_doubt_too(symbol: str) -> None:
    """It opens nothing and it counts."""
    case = Case().raise_signal()
    case.decide(replace(decision(), advisor="gemini", symbol=symbol))
    assert case.trade().outcome is Outcome.ABSTAINED
    assert case.desk.advice[BOT].in_a_row == 1
    assert not case.of(PlaceOrder)


def test_a_pause_is_of_one_bot() -> None:
    """Another bot's signals are looked at as before."""
    case = Case(desk(config(), config(bot_id="other")))
    advice = Advice(in_a_row=3, paused_until_ms=case.now_ms + PAUSE_MS)
    case.desk = replace(case.desk, advice={BOT: advice})
    assert not asked(case, "a").of(AskAdvisor)
    case.raise_signal(signal("b", symbol="ETHUSDT", bot_id="other"))
    assert case.of(AskAdvisor)
