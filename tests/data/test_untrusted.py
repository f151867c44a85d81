"""Strangers' text: one visible line of a bounded length, whatever it was."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.untrusted import tidy


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain  words\nand\tlines", "plain words and lines"),
        ("\u202eTDSU\u202c \u2066hidden\u2069", "TDSU hidden"),
        ("zero\u200bwidth\u200d\ufeff", "zerowidth"),
        ("\uff22\uff34\uff23\uff35\uff33\uff24\uff34", "BTCUSDT"),
        ("tags \U000e0041\U000e0042 gone", "tags gone"),
        ("b\u00e1n ngay l\u1eadp t\u1ee9c", "b\u00e1n ngay l\u1eadp t\u1ee9c"),
        (unicodedata.normalize("NFD", "l\u1ec7nh \u0111\u1eb7t"), "l\u1ec7nh \u0111\u1eb7t"),
        ("z" + "\u0301" * 40 + "algo", "\u017a\u0301algo"),
        ("a\u2028b\u2029c\u0085d\x00e", "a b c d e"),
        ("\ud800half", "half"),
        ("", ""),
    ],
)
def test_what_hides_is_gone_and_what_reads_is_kept(text: str, expected: str) -> None:
    """Bidi marks, zero widths, tags, controls and towers of marks go; Vietnamese stays."""
    assert tidy(text, 100) == expected


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    """Ten megabytes cost no more than a few lines."""
    assert tidy("x" * 10_000_000, 50) == "x" * 50
    assert tidy("\ufdfa" * 1_000_000, 50) == tidy("\ufdfa" * 10, 50), "one letter of eighteen"


@given(st.text(max_size=400), st.integers(1, 120))
def test_any_text_becomes_one_bounded_visible_line(text: str, length_max: int) -> None:
    """No control, no format character, no second line; and it is as tidy as it will be."""
    found = tidy(text, length_max)
    assert len(found) <= length_max
    assert found.isprintable()
    assert not {unicodedata.category(c) for c in found} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert tidy(found, length_max) == found
