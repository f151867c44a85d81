"""Markup by construction: nothing untrusted becomes a tag, and no cut breaks one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.control.html import (
    Html,
    bold,
    code,
    cut,
    fill,
    folded,
    join,
    length,
    moment,
    plain_text,
    split,
    text,
    untrusted,
)
from bot.sandbox.telegram_html import parse_html

HOSTILE = st.text(alphabet=st.sampled_from("<>&\"'/b a😀\n{}@."), max_size=120)


@given(value=HOSTILE)
def test_whatever_is_written_comes_back_as_the_same_words(value: str) -> None:
    """Any text, put into a template, is read back letter by letter and is never a tag."""
    html = fill("<b>{value}</b>", value=value)
    assert plain_text(html) == value
    assert html.markup.count("<") == 2


@given(parts=st.lists(HOSTILE, min_size=1, max_size=8), limit=st.integers(2, 60))
def test_parts_are_valid_and_lose_nothing_but_line_ends(parts: list[str], limit: int) -> None:
    """Every part fits and every tag in it is closed; together they are the whole text."""
    html = join([folded(bold(text(p) + Html("\n") + code(p))) for p in parts])
    pieces = split(html, limit)
    for piece in pieces:
        assert length(piece) <= limit
        _assert_balanced(piece)
    glued = "".join(plain_text(piece) for piece in pieces)
    assert glued.replace("\n", "") == plain_text(html).replace("\n", "")


@given(value=HOSTILE, limit=st.integers(2, 80))
def test_a_cut_is_valid_and_fits(value: str, limit: int) -> None:
    """A cut text fits, is balanced and says that something was left off."""
    html = cut(bold(value), limit)
    assert length(html) <= limit
    _assert_balanced(html)
    assert (plain_text(html) == value) or plain_text(html).endswith("…")


def test_telegrams_own_parser_takes_our_markup() -> None:
    """Every tag we make is one Telegram reads, with attributes as it wants them."""
    html = join([bold("a<b"), code("&"), folded("x"), moment(1_790_000_000_000, "r", "soon")])
    assert parse_html(html.markup).text == "a<b\n&\nx\nsoon"


def test_emoji_count_as_telegram_counts_them() -> None:
    """Lengths are UTF-16 units: an emoji beyond the basic plane is two."""
    assert length(text("a😀")) == 3
    assert length(Html("<b>&lt;</b>")) == 1


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("buy http://evil.example/x now", "buy […] now"),
        ("join t.me/pump", "join […]"),
        ("ask @admin", "ask admin"),
        ("tap /panic please", "tap /\u200bpanic please"),
        ("evil.com", "evil.\u200bcom"),
        ("two\nlines\u202e", "two lines"),
        ("1.5 % at 64000.0, 24/7", "1.5 % at 64000.0, 24/7"),
        ("x" * 500, "x" * 399 + "…"),
    ],
)
def test_a_strangers_text_links_nowhere(raw: str, shown: str) -> None:
    """Links, mentions, commands, line breaks and direction marks do nothing; numbers stay."""
    assert untrusted(raw) == shown


def _assert_balanced(html: Html) -> None:
    # Telegram refuses an unclosed or crossed tag, so its own parser is the judge.
    parse_html(html.markup)
