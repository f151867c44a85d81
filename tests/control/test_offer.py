"""What a card says before anything is ordered: why it asks, what memory did, why it was refused."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.control.html import plain_text
from bot.control.views.card import Shown, card
from bot.control.views.decided import decided
from bot.control.views.details import answers, details
from bot.control.views.stages import Stage
from bot.core.trade import Answer, Approval, Check, Effect, Outcome, Phase, Trade
from memory.verdict import Effect as Bound
from memory.verdict import Scope, Verdict
from tests.control.samples import DECISION, NOW_MS, USER, WAITING, look

SHRUNK = Verdict(
    rule="drawdown_risk",
    effect=Bound(risk_pct_max=Decimal("0.5")),
    scope=Scope(),
    reason="drawdown",
    evidence=(("drawdown_pct", "8.1"), ("peak_usdt", "1088"), ("trades_of", "account")),
    until_ms=None,
)


def said(trade: Trade, language: str = "en", *verdicts: Verdict) -> str:
    """The offer's words."""
    shown = Shown(stage=Stage.OFFER, wallet_usdt=Decimal(1000), data={}, verdicts=verdicts)
    return plain_text(card(look(language), trade, shown).html)


def test_an_adjusted_confidence_is_shown_beside_the_models() -> None:
    """Both numbers where they differ, one where they do not."""
    weighed = replace(DECISION, confidence=80.0, adjusted_confidence=62.0)
    assert "confidence 80, 62 after caution" in said(replace(WAITING, decision=weighed))
    assert "độ tin cậy 80, còn 62 sau thận trọng" in said(replace(WAITING, decision=weighed), "vi")
    same = replace(DECISION, confidence=80.0, adjusted_confidence=80.0)
    assert "confidence 80 (" in said(replace(WAITING, decision=same))


def test_memorys_verdicts_that_touched_it_are_on_the_card() -> None:
    """The rule as a sentence, in the reader's language."""
    assert "Memory: Risk at most 0.5 % a trade" in said(WAITING, "en", SHRUNK)
    assert "Bộ nhớ: Rủi ro tối đa 0.5 % mỗi lệnh" in said(WAITING, "vi", SHRUNK)
    many = said(WAITING, "en", *[SHRUNK] * 5)
    assert many.count("Memory:") == 3
    assert "… and 2 more" in many


def test_a_card_of_auto_below_says_which_bound_it_went_beyond() -> None:
    """Only the bound that failed; the others are in the details."""
    bounds = (
        Check(rule="auto_notional", passed=False, limit="<= 500 USDT", value="768 USDT"),
        Check(rule="auto_risk", passed=True, limit="<= 20 USDT", value="9.83 USDT"),
    )
    trade = replace(WAITING, auto_checks=bounds)
    assert "You are asked because of value: 768 USDT (<= 500 USDT)\n" in said(trade)
    assert "Phải hỏi bạn vì giá trị: 768 USDT" in said(trade, "vi")
    assert "✓ risk: 9.83 USDT (<= 20 USDT)" in plain_text(details(look(), trade))


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (
            Check(rule="price_drift", passed=False, limit="<= 50 bps", value="110.0 bps"),
            "• price moved: 110.0 bps (<= 50 bps)",
        ),
        (
            Check(rule="one_per_symbol", passed=False, limit="", value="", text="X is taken"),
            "one trade a symbol: X is taken",
        ),
    ],
)
def test_a_refused_tap_says_the_limit_and_its_input(check: Check, words: str) -> None:
    """With numbers where the rule has them, in words where not."""
    tapped = Approval(
        verb="approve", user_id=USER, answered_ms=NOW_MS + 9_000, shown_ms=NOW_MS, checks=(check,)
    )
    trade = replace(WAITING, phase=Phase.IDLE, outcome=Outcome.BLOCKED, approval=tapped)
    assert words in said(trade)


def test_every_answer_is_told_with_who_what_and_how_long() -> None:
    """Also those that decided nothing; a stranger's name cannot write markup."""
    kept = (
        Answer(
            verb="half",
            user_id=USER,
            answered_ms=NOW_MS + 4_000,
            shown_ms=NOW_MS,
            effect=Effect.ASKED_AGAIN,
        ),
        Answer(
            verb="approve",
            user_id="binh",
            answered_ms=NOW_MS + 65_000,
            shown_ms=NOW_MS,
            effect=Effect.ORDERED,
        ),
    )
    told = plain_text(answers(look(), replace(WAITING, answers=kept)))
    assert "Lan <b>&: half size after 4.0s, the price had moved, asked again" in told
    assert "binh: approve after 1m05s, ordered" in told
    for language in ("en", "vi"):
        for effect in Effect:
            one = replace(kept[0], effect=effect)
            assert answers(look(language), replace(WAITING, answers=(one,)))


def test_a_toast_knows_a_blocked_yes_from_one_that_ordered() -> None:
    """Both name the person and the moment; a card nobody answered says nothing."""
    yes = Approval(verb="approve", user_id=USER, answered_ms=NOW_MS, shown_ms=NOW_MS)
    trade = replace(WAITING, approval=yes)
    assert decided(look(), trade, {}) == "Already approved by Lan <b>& at 14:13:20 UTC."
    blocked = replace(trade, outcome=Outcome.BLOCKED)
    assert decided(look("vi"), blocked, {}).startswith("Lan <b>& đã trả lời lúc 14:13:20 UTC")
    auto = replace(trade, approval=replace(yes, verb="auto", user_id=""))
    assert "automatically at 14:13:20" in decided(look(), auto, {})
    assert not decided(look(), WAITING, {})
    kept = {"verb": "reject", "by": "x" * 300, "at_ms": NOW_MS}
    assert len(decided(look(), WAITING, kept)) < 200
