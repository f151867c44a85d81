"""What a model's text means: only a whole answer is a decision, every doubt an abstention."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.advisor.answer import ANSWER_CHARS_MAX, Doubt, RawAnswer, Receipt, abstain, read_answer
from bot.core.messages import Question
from data.model import Action, Decision, Direction
from tests.advisor.cases import MANAGING, NOW_MS, OPENING, good_answer, text_of

RECEIPT = Receipt(
    now_ms=NOW_MS, model_version="gemini-x", cost_usd=Decimal("0.01"), answer_id="abc"
)


def read(text: str | None, question: Question = OPENING, **changes: Any) -> Decision:
    """Judge a text that came with a normal finish, or with the changes given."""
    raw = RawAnswer(text=text, **({"finish_reason": "STOP"} | changes))
    return read_answer(raw, question, RECEIPT)


def test_a_whole_answer_becomes_a_decision_word_for_word() -> None:
    """Prices arrive exactly, and the receipt says who, when, at what price and where."""
    assert read(text_of(good_answer(quantity="0.001", leverage=5))) == Decision(
        advisor="gemini",
        model_version="gemini-x",
        bot_id="b1",
        symbol="BTCUSDT",
        snapshot_id=good_answer()["snapshot_id"],
        action=Action.OPEN_POSITION,
        direction=Direction.LONG,
        entry_price=Decimal("64000.10"),
        stop_price=Decimal(63800),
        target_price=Decimal("64400.3"),
        quantity=Decimal("0.001"),
        leverage=5,
        confidence=78.0,
        reasons=("Trend and momentum agree.",),
        invalidation="A close under 63800.",
        decided_ms=NOW_MS,
        cost_usd=Decimal("0.01"),
        answer_id="abc",
    )


def test_prices_written_as_numbers_are_believed_too() -> None:
    """A model that forgets the quotes still says what it means."""
    assert read(text_of(good_answer(stop_price=63800.5))).stop_price == Decimal("63800.5")


def test_a_managing_answer_needs_no_prices() -> None:
    """Closing and holding are said by the action alone."""
    answer = good_answer(MANAGING, action="close_position", direction=None, stop_price=None)
    del answer["entry_price"], answer["target_price"], answer["invalidation"]
    assert read(text_of(answer), MANAGING).action is Action.CLOSE_POSITION


DOUBTFUL: list[tuple[str, dict[str, Any], str]] = [
    ("another bot", {"bot_id": "b2"}, "mismatch: the answer is about another bot_id"),
    ("another symbol", {"symbol": "ETHUSDT"}, "mismatch: the answer is about another symbol"),
    ("another snapshot", {"snapshot_id": "0" * 64}, "mismatch: the answer is about another snap"),
    ("an unknown action", {"action": "buy"}, "malformed: action"),
    ("an abstention of its own", {"action": "abstain"}, "malformed: action"),
    ("an unknown direction", {"direction": "up"}, "malformed: direction"),
    ("no direction", {"direction": None}, "malformed: open_position without direction"),
    ("no stop", {"stop_price": None}, "malformed: open_position without stop_price"),
    ("no target", {"target_price": None}, "malformed: open_position without target_price"),
    ("a stop that is no number", {"stop_price": "NaN"}, "malformed: stop_price"),
    ("an endless target", {"target_price": "Infinity"}, "malformed: target_price"),
    ("a price of zero", {"entry_price": "0"}, "malformed: entry_price"),
    ("a negative price", {"entry_price": "-1"}, "malformed: entry_price"),
    ("an absurd price", {"entry_price": "1E+999999"}, "malformed: entry_price"),
    ("words for a price", {"entry_price": "market"}, "malformed: entry_price"),
    ("too much confidence", {"confidence": 100.5}, "malformed: confidence"),
    ("negative confidence", {"confidence": -1}, "malformed: confidence"),
    ("confidence as text", {"confidence": "80"}, "malformed: confidence"),
    ("confidence that is no number", {"confidence": float("nan")}, "malformed: confidence"),
    ("leverage of zero", {"leverage": 0}, "malformed: leverage"),
    ("leverage of 126", {"leverage": 126}, "malformed: leverage"),
    ("half a leverage", {"leverage": 2.5}, "malformed: leverage"),
    ("a negative quantity", {"quantity": "-1"}, "malformed: quantity"),
    ("no reason", {"reasons": []}, "malformed: reasons"),
    ("five reasons", {"reasons": ["x"] * 5}, "malformed: reasons"),
    ("an endless reason", {"reasons": ["x" * 161]}, "malformed: reasons"),
    ("a field of its own", {"withdraw_to": "0xabc"}, "malformed: a field we did not ask for"),
]


@pytest.mark.parametrize(
    ("changes", "why"), [pytest.param(changes, why, id=name) for name, changes, why in DOUBTFUL]
)
def test_an_answer_out_of_bounds_is_an_abstention(changes: dict[str, Any], why: str) -> None:
    """One doubtful field spoils the whole answer, and its name is told."""
    decision = read(text_of(good_answer(**changes)))
    assert decision.action is Action.ABSTAIN
    assert decision.abstained.startswith(why), decision.abstained
    assert (decision.cost_usd, decision.answer_id) == (Decimal("0.01"), "abc")


UNFINISHED: list[tuple[dict[str, Any], str]] = [
    ({"finish_reason": "MAX_TOKENS"}, "truncated: "),
    ({"finish_reason": "SAFETY"}, "blocked: the answer was withheld (SAFETY)"),
    ({"finish_reason": "SOMETHING_NEW"}, "blocked: "),
    ({"finish_reason": None}, "malformed: the answer was empty"),
    ({"block_reason": "PROHIBITED_CONTENT"}, "blocked: the prompt was blocked"),
]


@pytest.mark.parametrize(("raw", "why"), UNFINISHED)
def test_a_good_text_with_a_bad_finish_is_an_abstention(raw: dict[str, Any], why: str) -> None:
    """However good the text looks, only STOP without a block is an end."""
    assert read(text_of(good_answer()), **raw).abstained.startswith(why)


@pytest.mark.parametrize("text", [None, "", "  ", "null", "[]", "42", '"open_position"', "{}"])
def test_a_text_without_an_answer_is_an_abstention(text: str | None) -> None:
    """Nothing, and things that are no answer, open nothing."""
    assert read(text).abstained.startswith("malformed: ")


def test_an_answer_cut_anywhere_is_an_abstention() -> None:
    """No prefix of a good answer is a good answer."""
    text = text_of(good_answer())
    assert all(read(text[:end]).action is Action.ABSTAIN for end in range(len(text)))


def test_an_answer_in_a_code_fence_is_an_abstention() -> None:
    """The text must be the object and nothing else."""
    assert read(f"```json\n{text_of(good_answer())}\n```").action is Action.ABSTAIN


def test_a_name_said_twice_is_an_abstention() -> None:
    """Two actions in one answer: which one was meant is a doubt."""
    text = text_of(good_answer()).replace('"action"', '"action": "do_nothing", "action"')
    assert read(text).abstained == "malformed: the answer is not one plain JSON object"


def test_an_answer_beyond_the_size_limit_is_not_parsed() -> None:
    """A flood is refused by its length."""
    assert "longer than" in read(" " * ANSWER_CHARS_MAX + text_of(good_answer())).abstained


def test_control_characters_do_not_reach_people() -> None:
    """A reason is one printable line whatever the model put into it."""
    decision = read(text_of(good_answer(reasons=["up\n\u202e\u0000 /panic\t now"])))
    assert decision.reasons == ("up /panic now",)


@given(st.text() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps))
def test_garbage_never_opens(text: str) -> None:
    """Whatever text comes, it is an abstention with a reason, and nothing is raised."""
    decision = read(text)
    assert decision.action is Action.ABSTAIN
    assert decision.abstained


@given(
    st.sampled_from(sorted(good_answer())),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text()),
)
def test_one_broken_field_never_changes_what_the_answer_is_about(field: str, value: Any) -> None:
    """With any value in any field, what is believed is in bounds and about the question."""
    decision = read(text_of(good_answer(**{field: value})))
    assert (decision.bot_id, decision.symbol) == (OPENING.bot_id, OPENING.symbol)
    assert decision.snapshot_id == good_answer()["snapshot_id"]
    if decision.action is Action.OPEN_POSITION:
        assert decision.stop_price is not None
        assert 0 < decision.stop_price <= Decimal("1E+12")
        assert decision.confidence is not None
        assert 0 <= decision.confidence <= 100


def test_an_abstention_names_its_doubt_first() -> None:
    """The word before the colon is what metrics count."""
    decision = abstain(OPENING, Doubt.TIMEOUT, "no answer", RECEIPT)
    assert decision.abstained == "timeout: no answer"
    assert decision.confidence is None
