"""Caution after bad results is enforced on a model's confidence, and both numbers are kept."""

from dataclasses import replace

import pytest

from bot.core.messages import CardVerb
from bot.core.presets import ApprovalMode
from bot.core.trade import Outcome, Phase, Role
from data.model import ExitReason
from tests.core.build import NOW_MS, Case, closed_trade, config, decision, desk

HOUR_MS = 3_600_000
RULES_OF_MEMORY = (
    "winrate_threshold",
    "loss_streak_pause",
    "drawdown_signals",
    "drawdown_risk",
    "symbol_cooldown",
    "symbol_threshold",
    "model_off",
    "model_preferred",
)


def after(results: str, reason: ExitReason = ExitReason.MANUAL, **changes: object) -> Case:
    """A desk after these results ("w" and "l", oldest first), with memory's rules off."""
    closed = tuple(
        replace(
            closed_trade(n, 1 if kind == "w" else -1, NOW_MS - (len(results) - n) * HOUR_MS),
            exit_reason=reason,
        )
        for n, kind in enumerate(results)
    )
    bot = config(memory_off=RULES_OF_MEMORY, **changes)
    return Case(desk(bot, closed=closed))


def said(case: Case, confidence: float, advisor: str = "gemini") -> Case:
    """A signal, and a model that is so sure of it."""
    return case.raise_signal().decide(decision(confidence=confidence, advisor=advisor))


@pytest.mark.parametrize(
    ("results", "confidence", "entered"),
    [
        ("llwwl" * 2 + "wllll"[:2], 85.0, True),  # 5 of 12 won, 41.7 %: no demand
        ("llwlw" * 2 + "lllww", 85.0, True),  # 6 of 15 won, 40 %: not under
        ("llwlw" * 2 + "llwll", 85.0, False),  # 5 of 15, 33 %: 85 is not more than 85
        ("llwlw" * 2 + "llwll", 86.0, True),
        ("wwwlll", 74.0, False),  # three losses: 74 - 15 = 59 < 60
        ("wwwlll", 75.0, True),  # 60 is enough
        ("wwwwllllll"[:9], 79.9, False),  # five losses: 20 off
        ("wwwwlllll", 80.0, True),
        ("lll", 60.0, True),  # fewer than five trades say too little
    ],
)
def test_bad_results_ask_for_more_confidence(
    results: str, confidence: float, entered: bool
) -> None:
    """Exactly at the edges of product sheet C."""
    case = said(after(results), confidence)
    assert bool(case.placed(Role.ENTRY)) is entered, case.trade().note


def test_the_record_shows_what_the_model_said_and_what_was_left() -> None:
    """Both numbers, and the checks by name with limit and input."""
    case = said(after("wwwlll"), 74.0)
    trade = case.trade()
    assert trade.outcome is Outcome.BLOCKED
    assert trade.decision is not None
    assert (trade.decision.confidence, trade.decision.adjusted_confidence) == (74.0, 59.0)
    (check,) = [one for one in trade.checks if one.rule == "caution:points"]
    assert (check.passed, check.limit, check.value) == (False, ">= 60", "59 of 74")
    assert "3 losses in a row" in trade.note


def test_a_demand_is_named_too() -> None:
    """The rule, its limit, its input."""
    case = said(after("lwlllwlllwllwll"), 80.0)
    (check,) = [one for one in case.trade().checks if one.rule == "caution:demand"]
    assert (check.passed, check.limit, check.value) == (False, "> 85", "80")


def test_stops_that_ended_most_trades_take_five_points() -> None:
    """Six of six by the stop: 64 - 5 is under 60."""
    case = after("wwlwwl", ExitReason.STOP_LOSS)
    assert not said(case, 64.9).placed(Role.ENTRY)
    case = after("wwlwwl", ExitReason.STOP_LOSS)
    assert said(case, 65.0).placed(Role.ENTRY)


def test_a_confident_model_without_results_is_left_alone() -> None:
    """The first trades are judged by the bot's own least confidence."""
    case = said(after(""), 60.0)
    decided = case.trade().decision
    assert decided is not None
    assert decided.adjusted_confidence == 60.0
    assert case.placed(Role.ENTRY)


def test_the_rules_score_is_no_confidence_of_a_model() -> None:
    """Memory watches the rules' results; caution is the model's."""
    assert said(after("lllllll"), 65.0, advisor="rules").placed(Role.ENTRY)


def test_another_bots_losses_ask_nothing_of_this_one() -> None:
    """Each bot answers for itself."""
    case = after("lllllll")
    others = tuple(replace(one, bot_id="other") for one in case.desk.closed)
    case.desk = replace(case.desk, closed=others)
    assert said(case, 65.0).placed(Role.ENTRY)


def test_a_tap_is_judged_by_the_results_until_then() -> None:
    """Three losses between card and tap: the approval is refused, by name."""
    case = said(after("wwwww", approval_mode=ApprovalMode.APPROVE), 70.0)
    assert case.phase is Phase.AWAITING_APPROVAL
    lost = tuple(closed_trade(90 + n, -1, NOW_MS + n) for n in range(3))
    case.desk = replace(case.desk, closed=(*case.desk.closed, *lost))
    case.tap(CardVerb.APPROVE)
    assert case.trade().outcome is Outcome.BLOCKED
    assert "caution:points" in case.trade().note
    assert not case.ever_placed(Role.ENTRY)
