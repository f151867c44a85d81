"""Feeds: RSS, Atom and JSON become items; bombs, nonsense and endless ones are refused in words."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.news.feed import BYTES_MAX, ITEMS_MAX, FeedUnreadable, parse

RSS = b"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Channel</title>
<item><title>Bitcoin gains</title><link>https://a.example/1</link><guid>g1</guid>
<description><![CDATA[<p>A <b>record</b> inflow</p>]]></description>
<pubDate>Sat, 21 Nov 2026 07:00:00 GMT</pubDate></item>
<item><title>Undated</title></item>
<item><description></description></item>
</channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>a1</id><title>ETH upgrade</title>
<link href="https://a.example/2"/><updated>2026-11-21T07:00:00Z</updated></entry></feed>"""
SEVEN_MS = 1_795_244_400_000  # 2026-11-21 07:00 UTC

BOMB = b"""<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">
<!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]>
<rss><channel><item><title>&lol2;</title></item></channel></rss>"""
OUTSIDE = b"""<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>
<rss><item><title>&x;</title></item></rss>"""


def test_rss_is_read() -> None:
    """Title and description make the text, markup gone; entries without words are none."""
    first, second = parse(RSS)
    assert (first.key, first.text, first.published_ms) == (
        "g1",
        "Bitcoin gains. A record inflow",
        SEVEN_MS,
    )
    assert (second.key, second.text, second.published_ms) == ("Undated", "Undated", None)


def test_atom_is_read() -> None:
    """Entries, their ids and ISO dates."""
    (item,) = parse(ATOM)
    assert (item.key, item.text, item.published_ms) == ("a1", "ETH upgrade", SEVEN_MS)


@pytest.mark.parametrize(
    "row",
    [
        {"id": "j1", "title": "SOL soars", "date_published": "2026-11-21T07:00:00+00:00"},
        {"url": "j1", "headline": "SOL soars", "publishedAt": "2026-11-21T07:00:00"},
        {"id": "j1", "title": "SOL soars", "published_at": SEVEN_MS},
        {"id": "j1", "body": "SOL soars", "date": SEVEN_MS // 1000},
    ],
)
def test_json_is_read(row: dict[str, object]) -> None:
    """JSON Feed and what most news services answer, with dates in words or numbers."""
    for body in ({"items": [row]}, {"data": [row, "odd", None]}, [row]):
        (item,) = parse(json.dumps(body).encode())
        assert (item.key, item.text, item.published_ms) == ("j1", "SOL soars", SEVEN_MS)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (BOMB, "document type"),
        (OUTSIDE, "document type"),
        (b"<rss><item>", "no XML"),
        (b"not a feed at all", "no XML"),
        (b"", "no XML"),
        (b"<a>" * 40, "nested deeper than 32"),
        (b'<?xml version="1.0" encoding="klingon"?><rss/>', "no XML"),
        (b'{"items": 7}', "no list"),
        (b"[" * 100_000, "no JSON"),
        (b'{"items": [', "no JSON"),
        (b"\xff\xfe\x00", "no XML"),
        (b" " * (BYTES_MAX + 1), "longer than"),
    ],
    ids=range(12),
)
def test_what_is_no_feed_is_refused_in_words(body: bytes, why: str) -> None:
    """Entities are never expanded, nothing outside is ever opened, depth and size are bounded."""
    with pytest.raises(FeedUnreadable, match=why):
        parse(body)


def test_an_endless_feed_is_cut() -> None:
    """No more than ITEMS_MAX items, and no more than a few hundred letters of each."""
    entry = b"<item><title>" + b"gain " * 2_000 + b"</title></item>"
    items = parse(b"<rss>" + entry * 90 + b"<item><title>x</title></item>" * 30 + b"</rss>")
    assert len(items) == ITEMS_MAX
    assert all(len(item.text) <= 600 for item in items)
    rows = [{"title": "gain"}] * 500
    assert len(parse(json.dumps(rows).encode())) == ITEMS_MAX


@given(st.binary(max_size=400))
def test_any_bytes_are_items_or_refused(body: bytes) -> None:
    """Whatever a server sends: items, or one kind of error."""
    with suppress(FeedUnreadable):
        assert isinstance(parse(body), tuple)


@given(st.recursive(st.none() | st.floats() | st.text(), st.lists, max_leaves=20))
def test_any_json_is_items_or_refused(value: object) -> None:
    """Fields of any type are read as text or left out."""
    rows = [{"title": value, "pubDate": value, "id": value}]
    assert len(parse(json.dumps(rows).encode())) <= 1
