"""The adviser without a model: score opens, newest bars close, both by documented rules."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.advisor.offline import RulesAdvisor
from bot.advisor.prompt import snapshot_id_of
from bot.advisor.rules import decide_by_rules
from bot.core.messages import Question
from bot.shell.clock import VirtualClock
from data.model import Action, Direction
from tests.advisor.cases import MANAGING, NOW_MS, OPENING, SIGNAL, candles

RISING = [100.0 + i for i in range(20)]


@pytest.mark.parametrize(
    ("score", "action"),
    [
        (74.9, Action.DO_NOTHING),
        (75.0, Action.OPEN_POSITION),
        (float("nan"), Action.DO_NOTHING),
    ],
)
def test_the_score_alone_opens(score: float, action: Action) -> None:
    """At the threshold a signal is taken, below it not; a score that is no number never."""
    question = replace(OPENING, signal=replace(SIGNAL, score=score))
    assert decide_by_rules(question, now_ms=NOW_MS).action is action


def test_an_opening_is_the_signal_itself() -> None:
    """Direction and prices are the strategy's, the confidence is the score."""
    decision = decide_by_rules(OPENING, now_ms=NOW_MS)
    assert decision.direction is Direction.LONG
    assert decision.entry_price == SIGNAL.entry_price
    assert decision.stop_price == SIGNAL.stop_price
    assert decision.target_price == SIGNAL.target_price
    assert decision.confidence == 81.5
    assert decision.snapshot_id == snapshot_id_of(OPENING)
    assert (decision.advisor, decision.cost_usd) == ("rules", 0)


def test_the_questions_own_threshold_goes_first() -> None:
    """Memory may have raised the threshold; the rules obey it."""
    question = replace(OPENING, limits=(("score_threshold", "85"),))
    assert decide_by_rules(question, now_ms=NOW_MS).action is Action.DO_NOTHING


def test_without_a_signal_the_rules_open_nothing() -> None:
    """There is nothing to judge, and nothing is made up: no doubt, and no trade."""
    decision = decide_by_rules(replace(OPENING, signal=None), now_ms=NOW_MS)
    assert (decision.action, decision.abstained) == (Action.DO_NOTHING, "")


def test_a_question_that_asks_for_nothing_known_is_an_abstention() -> None:
    """A newer question before older rules."""
    decision = decide_by_rules(replace(OPENING, purpose="dance"), now_ms=NOW_MS)
    assert decision.action is Action.ABSTAIN


def managed(closes: list[float], quantity: str = "1") -> Question:
    """A position under review after these closes."""
    return replace(MANAGING, candles=candles(closes), position_quantity=Decimal(quantity))


@pytest.mark.parametrize(
    ("question", "action"),
    [
        (managed(RISING), Action.HOLD_POSITION),
        # The mean of the twenty is 108.0: both last closes are below it, the newest the lower.
        (managed([*RISING[:18], 100.0, 99.0]), Action.CLOSE_POSITION),
        (managed([*RISING[:18], 99.0, 100.0]), Action.HOLD_POSITION),
        (managed([*RISING[:18], 118.0, 99.0]), Action.HOLD_POSITION),
        (managed(RISING, "-1"), Action.CLOSE_POSITION),
        (managed(RISING[:19], "-1"), Action.HOLD_POSITION),
        (managed(RISING, "0"), Action.DO_NOTHING),
    ],
    ids=["with", "against", "recovering", "one bar", "short against", "too few bars", "flat"],
)
def test_the_newest_bars_alone_close(question: Question, action: Action) -> None:
    """Two closes beyond the mean against the position, the newest the worse, end it."""
    assert decide_by_rules(question, now_ms=NOW_MS).action is action


async def test_the_port_answers_at_once_and_by_its_clock() -> None:
    """Even a deadline already past gets an answer: nothing here can be late."""
    advisor = RulesAdvisor(clock=VirtualClock(NOW_MS))
    decision = await advisor.decide(OPENING, deadline_ms=0)
    assert (decision.action, decision.decided_ms) == (Action.OPEN_POSITION, NOW_MS)
    assert advisor.name == "rules"
