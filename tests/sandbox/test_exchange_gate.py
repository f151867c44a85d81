"""The door's pure half: signatures over raw bytes, the clock, weights and listen keys."""

import pytest

from bot.sandbox.exchange_gate import (
    LISTEN_KEY_LIFE_MS,
    ListenKeys,
    Meter,
    check_signed,
    parse_params,
)
from bot.sandbox.exchange_keys import HmacVerifier, sign
from bot.sandbox.exchange_records import Refusal

SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
MOMENT_MS = 1_591_702_613_943
VECTORS = [
    (
        b"symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
        b"&recvWindow=5000&timestamp=1591702613943",
        b"",
        "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9",
    ),
    (
        b"symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC",
        b"quantity=1&price=9000&recvWindow=5000&timestamp=1591702613943",
        "30baaf0fab549bbeda7f5ef201898b34122da25fd23c646cac2c529aebe670a4",
    ),
    (
        b"symbol=%E6%B5%8B%E8%AF%95USDT&side=BUY&type=MARKET&quantity=1"
        b"&newClientOrderId=a%3Ab%2Fc&recvWindow=5000&timestamp=1591702613943",
        b"",
        "3b9974741b166c272589a3421c6ba08050ec52c95a506e9daa778b36a2ab81b6",
    ),
]


def check(query: bytes, body: bytes = b"", *, now_ms: int = MOMENT_MS, speed: float = 1.0) -> int:
    """The refusal's code, or 0."""
    refusal = check_signed(query, body, verifier=HmacVerifier(SECRET), now_ms=now_ms, speed=speed)
    return refusal.code if isinstance(refusal, Refusal) else 0


@pytest.mark.parametrize(("query", "body", "signature"), VECTORS)
def test_published_vectors_pass_and_one_changed_digit_fails(
    query: bytes, body: bytes, signature: str
) -> None:
    """The sheet's three vectors, in query or body, in either case of hex, and none other."""
    assert sign(SECRET, query + body) == signature
    ending = b"&signature=" + signature.encode()
    wrong = ending[:-1] + (b"0" if ending[-1:] != b"0" else b"1")
    if body:
        assert check(query, body + ending) == 0
        assert check(query, body + wrong) == -1022
    assert check(query + ending, body) == 0
    assert check(query + ending.upper().replace(b"SIGNATURE", b"signature"), body) == 0
    assert check(query + wrong, body) == -1022


def test_signature_over_decoded_text_is_refused() -> None:
    """What was signed must be the bytes on the wire."""
    query = VECTORS[2][0]
    decoded = query.replace(b"%3A", b":").replace(b"%2F", b"/")
    signature = sign(SECRET, decoded)
    assert check(query + b"&signature=" + signature.encode()) == -1022


def test_signature_must_be_the_last_parameter() -> None:
    """A parameter after the signature is not covered by it."""
    query, _, signature = VECTORS[0]
    assert check(query + b"&signature=" + signature.encode() + b"&reduceOnly=true") == -1022


def signed(query: bytes) -> bytes:
    """The query with its signature."""
    return query + b"&signature=" + sign(SECRET, query).encode()


@pytest.mark.parametrize(
    ("query", "speed", "expected"),
    [
        (b"symbol=BTCUSDT", 1, -1102),
        (b"timestamp=abc", 1, -1102),
        (b"timestamp=1591702608943", 1, 0),  # 5000 ms old
        (b"timestamp=1591702608942", 1, -1021),
        (b"timestamp=1591702614942", 1, 0),  # 999 ms ahead
        (b"timestamp=1591702614943", 1, -1021),
        (b"timestamp=1591702603943&recvWindow=10000", 1, 0),
        (b"timestamp=1591702613943&recvWindow=60001", 1, -1131),
        (b"timestamp=1591702607943", 10, 0),  # 6 s old: within 5 s x 10
        (b"timestamp=1591702563942", 10, -1021),
        (b"timestamp=1591702623942", 10, 0),  # 9.999 s ahead: within 1 s x 10
    ],
)
def test_moment_must_lie_in_the_window(query: bytes, speed: float, expected: int) -> None:
    """-1102 without a timestamp; -1021 outside the window; tolerances grow with the speed."""
    assert check(signed(query), speed=speed) == expected


def test_unsigned_request_lacks_its_timestamp_first() -> None:
    """Nothing at all misses the timestamp; a timestamp alone misses the signature."""
    assert check(b"") == -1102
    refusal = check_signed(b"timestamp=1", b"", verifier=HmacVerifier(SECRET), now_ms=1, speed=1)
    assert isinstance(refusal, Refusal)
    assert "'signature'" in refusal.text


def test_query_wins_over_body() -> None:
    """On duplicates the query's value counts."""
    assert parse_params(b"a=1&b=2", b"a=9&c=3") == {"a": "1", "b": "2", "c": "3"}


def test_weights_follow_the_clock_minute() -> None:
    """2,400 a minute, then 429; a new UTC minute starts at zero."""
    meter = Meter()
    assert meter.charge(60_000, 2_400, 0) is None
    refusal = meter.charge(60_001, 1, 0)
    assert refusal is not None
    assert refusal.http_status == 429
    assert meter.headers(0) == {"X-MBX-USED-WEIGHT-1M": "2401"}
    assert meter.charge(120_000, 1, 0) is None


def test_ignoring_the_limit_is_a_ban_that_grows() -> None:
    """Two minutes of 418 for going on, told as a moment and as seconds; four the next time."""
    meter = Meter()
    meter.charge(60_000, 2_400, 0)
    answers = [meter.charge(119_000, 1, 0) for _ in range(51)]
    assert [one.http_status for one in answers if one] == [429] * 50 + [418]
    assert answers[-1] is not None
    assert "IP banned until 239000" in answers[-1].text
    assert meter.retry_after_s(119_000) == 120
    banned = meter.charge(238_999, 1, 0)
    assert banned is not None
    assert banned.http_status == 418
    assert meter.charge(239_000, 2_400, 0) is None
    for _ in range(51):
        meter.charge(239_000, 1, 0)
    assert meter.banned_until_ms == 239_000 + 240_000


def test_orders_are_limited_in_ten_seconds_and_a_minute() -> None:
    """300 in ten seconds; 1,200 in a minute; both told in headers."""
    meter = Meter()
    for _ in range(300):
        assert meter.charge(0, 0, 1) is None
    refusal = meter.charge(9_999, 0, 1)
    assert refusal is not None
    assert refusal.code == -1015
    assert meter.charge(10_000, 0, 1) is None
    assert meter.headers(1)["X-MBX-ORDER-COUNT-10S"] == "1"
    assert meter.headers(1)["X-MBX-ORDER-COUNT-1M"] == "302"


def test_listen_key_lives_an_hour_from_its_last_word() -> None:
    """One key an account; asking again gives the same one and another hour; then it is gone."""
    keys = ListenKeys(seed=1, speed=1.0)
    key = keys.issue("main", 0)
    assert len(key) == 64
    assert keys.issue("main", 1_000) == key
    assert keys.expire(LISTEN_KEY_LIFE_MS) == []
    assert keys.extend("main", 2_000) == key
    assert keys.account_of(key) == "main"
    assert keys.expire(LISTEN_KEY_LIFE_MS + 2_000) == [key]
    assert keys.account_of(key) is None
    assert isinstance(keys.extend("main", 0), Refusal)
    assert keys.issue("main", 0) != key
