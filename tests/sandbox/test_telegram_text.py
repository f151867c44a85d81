"""Telegram's HTML subset: what it means and what it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sandbox.telegram_html import parse_html
from bot.sandbox.telegram_text import ParseRefused, plain, to_html, utf16_length, with_entities


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<br>", 'Unsupported start tag "br" at byte offset 0'),
        ("a < b", 'Unsupported start tag "" at byte offset 2'),
        ("é <p>", 'Unsupported start tag "p" at byte offset 3'),
        ("x <b", "Unclosed start tag at byte offset 2"),
        ("<a href", 'Unclosed start tag "a" at byte offset 0'),
        ('<a href="x"', "Unclosed start tag at byte offset 0"),
        ('<a ="x">y</a>', 'Empty attribute name in the tag "a" at byte offset 0'),
        ("<a href=x/>y</a>", "Unexpected end of name token at byte offset 8"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        (
            "<b>x</i>",
            'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"',
        ),
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ('<tg-emoji emoji-id="x">y</tg-emoji>', "Invalid custom emoji identifier specified"),
        (
            f'<tg-emoji emoji-id="{"1" * 5000}">y</tg-emoji>',
            "Invalid custom emoji identifier specified",
        ),
        (f'<tg-time unix="{"1" * 5000}">y</tg-time>', "Invalid date specified"),
        ('<tg-time unix="soon">y</tg-time>', "Invalid date specified"),
        ('<tg-time unix="1" format="x">y</tg-time>', "Invalid date format specified"),
    ],
)
def test_wrong_markup_is_refused_with_telegrams_words(source: str, words: str) -> None:
    """Every way to break the markup gives the text a real bot would see, with byte offsets."""
    with pytest.raises(ParseRefused) as refused:
        parse_html(source)
    assert str(refused.value) == words


@pytest.mark.parametrize(
    ("source", "text", "entity"),
    [
        ("<strong>a</strong>", "a", {"type": "bold"}),
        ("<em>a</em>", "a", {"type": "italic"}),
        ("<ins>a</ins>", "a", {"type": "underline"}),
        ("<strike>a</strike>", "a", {"type": "strikethrough"}),
        ("<DEL>a</del>", "a", {"type": "strikethrough"}),
        ('<span class="tg-spoiler">a</span>', "a", {"type": "spoiler"}),
        ("<tg-spoiler>a</tg-spoiler>", "a", {"type": "spoiler"}),
        ("<code>a</code>", "a", {"type": "code"}),
        ('<pre><code class="language-py">a</code></pre>', "a", {"type": "pre", "language": "py"}),
        ("<blockquote>a</blockquote>", "a", {"type": "blockquote"}),
        ("<blockquote expandable>a</blockquote>", "a", {"type": "expandable_blockquote"}),
        (
            '<a href="https://x.y/?a=1&amp;b=2">a</a>',
            "a",
            {"type": "text_link", "url": "https://x.y/?a=1&b=2"},
        ),
        (
            '<tg-time unix="1700000000" format="wDT">a</tg-time>',
            "a",
            {"type": "date_time", "unix_time": 1_700_000_000, "date_time_format": "wDT"},
        ),
    ],
)
def test_each_tag_becomes_its_entity(source: str, text: str, entity: dict[str, object]) -> None:
    """Every supported tag gives one entity over its text, and canonical HTML reads back alike."""
    found = parse_html(source)
    assert found.text == text
    assert [item.wire() for item in found.entities] == [{"offset": 0, "length": 1, **entity}]
    assert parse_html(to_html(found)) == found


def test_offsets_count_utf16_units() -> None:
    """A rocket takes two units, so what follows it starts one later than in characters."""
    found = parse_html("🚀 <b>up</b>")
    assert [(item.offset, item.length) for item in found.entities] == [(3, 2)]
    assert utf16_length("🚀 up") == 5


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", "data:text/html,x", "x", "//h", "http:///"]
)
def test_a_link_with_a_strange_address_is_only_text(address: str) -> None:
    """Only http, https and tg links become entities, so a page never meets another scheme."""
    found = parse_html(f'<a href="{address}">go</a>')
    assert found.text == "go"
    assert found.entities == ()


def test_commands_and_links_are_found_but_not_inside_code() -> None:
    """A typed /start is a bot_command, as clients expect; code keeps its slashes."""
    found = plain("/start now, see https://x.y/z. not a/b")
    assert [(item.kind, item.offset, item.length) for item in found.entities] == [
        ("bot_command", 0, 6),
        ("url", 16, 13),
    ]
    assert [item.kind for item in parse_html("<code>/start</code>").entities] == ["code"]


def test_text_is_trimmed_and_entities_follow() -> None:
    """Space around a message goes away, as at Telegram, and offsets still fit."""
    found = parse_html("  x <b>y </b>\n")
    assert (found.text, found.entities[0].offset, found.entities[0].length) == ("x y", 2, 1)


def test_given_entities_must_fit_the_text() -> None:
    """An entity beyond the text is refused, not stored."""
    with pytest.raises(ParseRefused):
        with_entities("abc", [{"type": "bold", "offset": 2, "length": 5}])
    assert (
        to_html(with_entities("abc", [{"type": "bold", "offset": 1, "length": 1}])) == "a<b>b</b>c"
    )


@given(st.text(alphabet="<>/&;abi ='\"\n🚀#x3", max_size=60))
def test_any_text_is_read_or_refused_and_reads_back(source: str) -> None:
    """No input crashes the reader, and what it accepts survives its own canonical HTML."""
    try:
        found = parse_html(source)
    except ParseRefused:
        return
    assert parse_html(to_html(found)).text == found.text


@given(st.text(max_size=80))
def test_plain_text_shows_exactly_what_was_written(text: str) -> None:
    """Text without a parse mode is never markup: escaped, it reads back the same."""
    found = plain(text.encode("utf-8", "replace").decode().replace("\0", " "))
    assert parse_html(to_html(found)).text == found.text
