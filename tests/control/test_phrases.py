"""Every sentence our own rooms write for people is recognised, and said again in Vietnamese."""

import ast
import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest

from bot.control.catalog import read_language, words
from bot.control.views.phrase_book import NAMES, PHRASES
from bot.control.views.phrases import is_ours, say_again
from memory.verdict import RULE_IDS

ROOT = Path(__file__).resolve().parents[2] / "bot"
VI = words("vi")
# Where sentences for people are written, and how: keyword arguments and positional ones by callee.
KEYWORDS = {"reasons", "note", "override", "detail", "invalidation"}
POSITIONS = {"close": 2, "end": 2, "_drop": 3, "_watch_clock": 1, "give_up_move": 1, "abstain": 2}
ROOMS = ("core", "advisor", "app")
STRANGERS = {"7: 7"}  # a refusal's code and text, as the exchange says it
ENGLISH = re.compile(r"\b(the|its|was|is|of|by|with|and|no|not|at|bars?|times|windows?)\b")


def written() -> Iterator[tuple[str, str]]:
    """(where, a sentence as it may come out), fields filled with plausible values."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            where = str(path.relative_to(ROOT))
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                for part in _parts(node, strategy="strategies/" in where):
                    for text in _spoken(part):
                        if " " in text and text not in STRANGERS:
                            yield f"{where}:{part.lineno}", text


def _parts(node: ast.AST, *, strategy: bool) -> Iterator[ast.expr]:
    if strategy and isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "said":
        yield node.value
    if strategy and isinstance(node, ast.FunctionDef) and node.name == "_reasons_of":
        yield from (
            one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value
        )
    if not isinstance(node, ast.Call):
        return
    yield from (one.value for one in node.keywords if one.arg in KEYWORDS)
    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
    at = POSITIONS.get(name)
    if at is not None and at < len(node.args):
        yield node.args[at]


def _spoken(node: ast.expr) -> list[str]:
    match node:
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return [text for part in parts for text in _spoken(part)]
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join(made) for made in product(*(_spoken(part) or ["7"] for part in parts))]
        case ast.FormattedValue(value=value):
            return _spoken(value) or ["7"]
        case ast.IfExp(body=body, orelse=other):
            return [*_spoken(body), *_spoken(other)]
        case ast.BoolOp(values=values):
            return [text for value in values for text in _spoken(value)]
    return []


def test_every_sentence_of_our_rooms_is_in_the_book() -> None:
    """What core, advisers, strategies and /status say has a pattern; a new one is missed here."""
    found = list(written())
    assert len(found) > 60, "the rooms are read"
    assert [(where, text) for where, text in found if not is_ours(text)] == []


def test_what_is_recognised_leaves_no_english_in_vietnamese() -> None:
    """No little English word is left of any sentence, whatever its values."""
    for where, text in written():
        told = say_again(VI, text)
        assert not ENGLISH.search(told.replace("JSON", "")), (where, text, told)


@pytest.mark.parametrize("rule", [f"memory:{rule}" for rule in RULE_IDS])
def test_every_rule_of_memory_has_a_name(rule: str) -> None:
    """A rule's id is said in words in both languages."""
    assert say_again(words("en"), rule) == NAMES[rule]
    assert say_again(VI, rule) != rule


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("score 82 is above 75", "score 82 is above 75"),
        ("", ""),
        ("Volume 1.3 times the usual.", "Khối lượng gấp 1.3 lần bình thường."),
        (
            "Price above its 20-bar average, which is below the 50-bar one.",
            "Giá nằm trên trung bình 20 nến, và trung bình này nằm dưới trung bình 50 nến.",
        ),
        ("timeout: no answer within the deadline", "hết giờ: không có câu trả lời trong thời hạn"),
        (
            "memory:symbol_cooldown BTCUSDT: no entries until 2026-01-02 10:00 UTC "
            "(2 losses in a row)",
            "ghi nhớ, chuỗi thua của mã BTCUSDT: không vào lệnh đến 2026-01-02 10:00 UTC "
            "(thua 2 lần liên tiếp)",
        ),
        (
            "open_trades: 1 (< 1); BTCUSDT is taken",
            "lệnh đang mở: 1 (< 1); BTCUSDT đã có lệnh",
        ),
        (
            "leverage is 200; allowed is 1 to 125. risk_pct is 50; allowed is 0.01 to 10.",
            "leverage là 200; được phép: 1 đến 125. risk_pct là 50; được phép: 0.01 đến 10.",
        ),
    ],
)  # fmt: skip
def test_a_sentence_is_said_again_with_its_values(text: str, told: str) -> None:
    """Values stay as they are; parts of a text are said again one by one; strangers' words stay."""
    assert say_again(VI, text) == told


def test_a_stranger_cannot_make_it_slow_or_raise() -> None:
    """Braces, huge texts and texts that nearly fit come back as they are."""
    for text in ("{0} {name} {", "a" * 100_000, "its 1m bars: " * 200, "; " * 600, "{} % over {}"):
        assert say_again(VI, text) == text or len(text) <= 1_000


def test_fields_of_a_phrase_are_the_translations() -> None:
    """A translation has its phrase's fields, so that filling it cannot fail."""
    catalog = read_language("vi")
    for phrase in (*PHRASES, *NAMES.values()):
        found = re.findall(r"\{\w+\}", phrase)
        assert sorted(found) == sorted(re.findall(r"\{\w+\}", catalog[phrase])), phrase
