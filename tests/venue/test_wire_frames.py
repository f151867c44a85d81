"""Stream frames: real ones decode to the right facts, garbage to nothing at all."""

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.messages import Filled, OrderReported, PositionSeen, WalletSeen
from bot.venue.wire_answers import Malformed
from bot.venue.wire_frames import (
    UserNews,
    cause_of,
    read_user_frame,
)
from bot.venue.wire_market import read_market_frame
from data.model import Direction, Fill, FillCause, OrderReport, OrderStatus, Side
from tests.house import ROOT

FIXTURES = ROOT.parent / "shared/fixtures"
USER_SAMPLES = sorted(FIXTURES.glob("nautilus/ws-user/*.json"))
no_fixtures = pytest.mark.skipif(
    not FIXTURES.exists(), reason="the shared fixtures are not beside this checkout"
)

ORDER: dict[str, Any] = {
    "s": "BTCUSDT",
    "c": "tbabcd-bot1-xyz-e1",
    "S": "BUY",
    "o": "MARKET",
    "X": "PARTIALLY_FILLED",
    "x": "TRADE",
    "i": 42,
    "T": 1000,
    "q": "3",
    "l": "1",
    "z": "2",
    "L": "100.5",
    "ap": "100.25",
    "n": "0.05",
    "N": "USDT",
    "t": 7,
    "m": False,
    "rp": "0",
    "er": "0",
}


def _order(**changes: Any) -> bytes:
    frame = {"e": "ORDER_TRADE_UPDATE", "T": 1001, "E": 1002, "o": {**ORDER, **changes}}
    return json.dumps(frame).encode()


def _algo(status: str, **changes: Any) -> bytes:
    body = {"caid": "tbabcd-bot1-xyz-s1", "s": "BTCUSDT", "X": status, "ai": "", **changes}
    return json.dumps({"e": "ALGO_UPDATE", "T": 5, "E": 6, "o": body}).encode()


def _lines(name: str) -> list[bytes]:
    return (FIXTURES / "captured-frames" / name).read_bytes().splitlines()


def _report(news: UserNews) -> OrderReport:
    event = news.events[-1]
    assert isinstance(event, OrderReported)
    return event.report


def _fill(news: UserNews) -> Fill:
    event = news.events[0]
    assert isinstance(event, Filled)
    return event.fill


def test_a_fill_comes_before_its_report() -> None:
    """One TRADE frame is a Fill and a report, in that order, with fee and cumulative quantity."""
    news = read_user_frame(_order())
    assert _fill(news) == Fill(
        fill_id=7,
        symbol="BTCUSDT",
        order_id=ORDER["c"],
        venue_order_id=42,
        side=Side.BUY,
        quantity=Decimal(1),
        price=Decimal("100.5"),
        fee=Decimal("0.05"),
        fee_asset="USDT",
        realized_pnl_usdt=Decimal(0),
        filled_ms=1000,
    )
    report = _report(news)
    assert (report.status, report.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, Decimal(2))
    assert (report.event_ms, report.venue_order_id, report.conditional) == (1001, 42, False)


def test_a_wrapped_frame_says_the_same() -> None:
    """Combined mode wraps the payload; what it says does not change."""
    raw = _order()
    wrapped = b'{"stream":"some-listen-key","data":' + raw + b"}"
    assert read_user_frame(wrapped) == read_user_frame(raw)


@pytest.mark.parametrize("execution", ["NEW", "CANCELED", "EXPIRED", "AMENDMENT"])
def test_only_trades_are_fills(execution: str) -> None:
    """Without a trade id, or in another kind of execution, there is no fill."""
    assert len(read_user_frame(_order(x=execution)).events) == 1
    assert len(read_user_frame(_order(t=0)).events) == 1


def test_fee_fields_may_be_missing() -> None:
    """n and N are absent on some frames: the fee is then zero, never an error."""
    fill = _fill(read_user_frame(_order(n=None, N=None, rp=None)))
    assert (fill.fee, fill.fee_asset) == (Decimal(0), "")


def test_an_expired_order_keeps_what_it_filled() -> None:
    """EXPIRED is not zero fill: the cumulative quantity and the reason are kept."""
    report = _report(read_user_frame(_order(x="EXPIRED", X="EXPIRED", t=0, er="9")))
    assert (report.status, report.filled_quantity) == (OrderStatus.EXPIRED, Decimal(2))
    assert report.reason == "er=9"


def test_a_fill_counts_even_with_a_status_nobody_knows() -> None:
    """A new status is odd, but the trade happened."""
    news = read_user_frame(_order(X="SOMETHING_NEW"))
    assert [type(event) for event in news.events] == [Filled]
    assert news.odd


@pytest.mark.parametrize(
    ("order_id", "cause"),
    [
        ("tbabcd-bot1-xyz-e1", FillCause.ORDER),
        ("autoclose-123", FillCause.LIQUIDATION),
        ("adl_autoclose", FillCause.ADL),
        ("adl_autoclose_12345", FillCause.ADL),
        ("settlement_autoclose-1", FillCause.SETTLEMENT),
        ("delivery_autoclose-1", FillCause.SETTLEMENT),
    ],
)
def test_the_client_id_tells_who_made_the_fill(order_id: str, cause: FillCause) -> None:
    """Liquidation, deleveraging and settlement name themselves in the id."""
    assert cause_of(order_id) is cause
    assert _fill(read_user_frame(_order(c=order_id, x="CALCULATED", X="NEW"))).cause is cause


@pytest.mark.parametrize(
    ("told", "status"),
    [
        ("NEW", OrderStatus.NEW),
        ("CANCELED", OrderStatus.CANCELED),
        ("EXPIRED", OrderStatus.EXPIRED),
        ("REJECTED", OrderStatus.REJECTED),
        ("TRIGGERING", OrderStatus.TRIGGERED),
        ("TRIGGERED", OrderStatus.TRIGGERED),
        ("FINISHED", OrderStatus.TRIGGERED),
    ],
)
def test_a_conditional_order_reports_itself(told: str, status: OrderStatus) -> None:
    """From the trigger on the child decides: TRIGGERED is the last the algo record says of it."""
    report = _report(read_user_frame(_algo(told, ai="99", rm="why")))
    assert (report.status, report.conditional) == (status, True)
    assert (report.venue_order_id, report.reason) == (99, "why")
    assert _report(read_user_frame(_algo(told))).venue_order_id is None


def test_account_update_tells_positions_and_wallet() -> None:
    """The row of the side that is held, and the USDT wallet; other assets are not ours."""
    frame = {
        "e": "ACCOUNT_UPDATE",
        "T": 9,
        "a": {
            "m": "FUNDING_FEE",
            "B": [{"a": "USDT", "wb": "10.5", "bc": "-1"}, {"a": "BNB", "wb": "3"}],
            "P": [
                {"s": "BTCUSDT", "pa": "-0.5", "ep": "100", "ps": "BOTH"},
                {"s": "BTCUSDT", "pa": "0", "ep": "0", "ps": "LONG"},
            ],
        },
    }
    assert read_user_frame(json.dumps(frame).encode()).events == (
        PositionSeen(
            symbol="BTCUSDT", quantity=Decimal("-0.5"), entry_price=Decimal(100), seen_ms=9
        ),
        WalletSeen(wallet_usdt=Decimal("10.5"), seen_ms=9),
    )


@pytest.mark.parametrize(
    ("held", "told"),
    [
        ({"LONG": "1", "SHORT": "0"}, {Direction.LONG: 1, Direction.SHORT: 0}),
        ({"SHORT": "2"}, {Direction.SHORT: -2}),
        ({"LONG": "1", "SHORT": "-1"}, {Direction.LONG: 1, Direction.SHORT: -1}),
        ({"BOTH": "0", "LONG": "20", "SHORT": "-10"}, {Direction.LONG: 20, Direction.SHORT: -10}),
        ({"BOTH": "-3", "LONG": "0", "SHORT": "0"}, {None: -3}),
        ({"BOTH": "0", "LONG": "0", "SHORT": "0"}, {None: 0}),
    ],
)
def test_each_side_of_hedge_mode_is_a_position(
    held: dict[str, str], told: dict[Direction | None, int]
) -> None:
    """Signed whatever the wire's sign; the empty rows of the mode the account is not in count for
    nothing."""
    rows = [{"s": "X", "pa": amount, "ep": "1", "ps": side} for side, amount in held.items()]
    frame = {"e": "ACCOUNT_UPDATE", "T": 9, "a": {"m": "ORDER", "P": rows}}
    events = read_user_frame(json.dumps(frame).encode()).events
    seen = [event for event in events if isinstance(event, PositionSeen)]
    assert {event.side: event.quantity for event in seen} == told


def test_numbers_may_come_as_text_and_text_fields_may_be_missing() -> None:
    """Integers and decimals are read either way; optional fields may be absent or new ones come."""
    body = {"s": "X", "c": "id", "S": "BUY", "X": "NEW", "x": "NEW", "i": "7", "T": "5"}
    frame = {"e": "ORDER_TRADE_UPDATE", "T": "9", "o": body | {"z": 0, "q": 1.5, "new": [1]}}
    report = _report(read_user_frame(json.dumps(frame).encode()))
    assert (report.venue_order_id, report.event_ms) == (7, 9)


def test_the_other_kinds() -> None:
    """Expired key, changed leverage, changed margin type, and what is ignored."""
    assert read_user_frame(b'{"e":"listenKeyExpired","E":1,"listenKey":"k"}').key_expired
    config = b'{"e":"ACCOUNT_CONFIG_UPDATE","E":1,"T":1,"ac":{"s":"BTCUSDT","l":20}}'
    assert read_user_frame(config).leverage == ("BTCUSDT", 20)
    multi = b'{"e":"ACCOUNT_CONFIG_UPDATE","E":1,"T":1,"ai":{"j":true}}'
    assert read_user_frame(multi).leverage is None
    margin = (
        b'{"e":"ACCOUNT_UPDATE","T":1,'
        b'"a":{"m":"MARGIN_TYPE_CHANGE","P":[{"s":"X","pa":"0","ep":"0"}]}}'
    )
    assert read_user_frame(margin).margin_changed == ("X",)
    assert read_user_frame(b'{"e":"GRID_UPDATE"}') == UserNews(kind="GRID_UPDATE")
    assert read_user_frame(b'{"e":"BRAND_NEW"}').odd == "kind BRAND_NEW"


def test_trade_lite_is_no_fill() -> None:
    """The early word of a fill has no fee: ignored, or on request a report of that much."""
    frame = (
        b'{"e":"TRADE_LITE","T":1,"s":"X","q":"3","p":"0","c":"id",'
        b'"S":"BUY","L":"5","l":"1","t":8,"i":4}'
    )
    assert read_user_frame(frame).events == ()
    report = _report(read_user_frame(frame, trade_lite=True))
    assert (report.status, report.filled_quantity) == (OrderStatus.PARTIALLY_FILLED, Decimal(1))


@pytest.mark.parametrize(
    "changes",
    [
        {"l": "NaN"},
        {"l": "-1"},
        {"l": "0"},
        {"L": "Infinity"},
        {"L": "0"},
        {"z": "1E+99999"},
        {"z": "-1"},
        {"S": "HOLD"},
        {"i": "x"},
        {"c": None},
        {"T": "soon"},
    ],
)
def test_an_order_frame_with_an_impossible_field_is_malformed(changes: dict[str, Any]) -> None:
    """Nothing is concluded from a frame one number of which cannot be."""
    with pytest.raises(Malformed):
        read_user_frame(_order(**changes))


# ------------------------------------------------------------------------------- real frames


@no_fixtures
def test_captured_fills_decode() -> None:
    """Frames captured live: two fills of one order, with their fees and cumulative quantity."""
    lite, first, last, _reply = _lines("user_fills_and_wsapi_2025-07.jsonl")
    assert read_user_frame(lite).events == ()
    assert _fill(read_user_frame(first)).fee == Decimal("0.1178901")
    report = _report(read_user_frame(last))
    assert (report.status, report.filled_quantity) == (OrderStatus.FILLED, Decimal("0.022"))


@no_fixtures
def test_captured_market_order_decodes() -> None:
    """A captured entry: NEW, then the position and the wallet."""
    events = [
        event
        for line in _lines("user_market_order_2026-02-23.jsonl")
        for event in read_user_frame(line).events
    ]
    assert [type(event) for event in events] == [OrderReported, PositionSeen, WalletSeen]


@no_fixtures
@pytest.mark.parametrize("path", USER_SAMPLES, ids=lambda path: path.stem)
def test_every_recorded_user_frame_decodes(path: Any) -> None:
    """Each sample is understood: none malformed, none odd but one symbol held both ways."""
    news = read_user_frame(path.read_bytes())
    assert news.odd in ("", "symbol held long and short")
    assert news.events or news.kind == "TRADE_LITE"


# ----------------------------------------------------------------------------------- garbage

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
KINDS = ["ORDER_TRADE_UPDATE", "ACCOUNT_UPDATE", "ALGO_UPDATE", "ACCOUNT_CONFIG_UPDATE", "kline"]


def _survives(frame: bytes) -> None:
    for read in (read_user_frame, read_market_frame):
        try:
            told = read(frame)
        except Malformed:
            continue
        if isinstance(told, UserNews):
            assert all(_is_usable(event) for event in told.events)


def _is_usable(event: object) -> bool:
    if isinstance(event, Filled):
        return event.fill.quantity > 0 and event.fill.price > 0
    return True


@given(frame=st.binary(max_size=300))
def test_bytes_never_crash_the_decoder(frame: bytes) -> None:
    """Any bytes are an event, nothing, or Malformed: no other exception."""
    _survives(frame)


@given(kind=st.sampled_from(KINDS), body=JSON, wrapped=st.booleans())
def test_json_of_a_known_kind_never_crashes_the_decoder(
    kind: str, body: Any, wrapped: bool
) -> None:
    """A known kind with any content is an event, nothing, or Malformed."""
    frame: dict[str, Any] = {"e": kind, "T": 1, "s": "X", "o": body, "a": body, "k": body}
    whole = {"stream": "x", "data": frame} if wrapped else frame
    _survives(msgspec.json.encode(whole))


@given(
    field=st.sampled_from(sorted(ORDER)),
    value=JSON | st.sampled_from(["1E+400", "-0", "NaN", "0.0000001", ""]),
)
def test_one_spoiled_field_never_makes_an_unusable_fill(field: str, value: Any) -> None:
    """Whatever stands in one field, a fill that comes out has a positive size and price."""
    _survives(msgspec.json.encode(json.loads(_order()) | {"o": {**ORDER, field: value}}))


def test_a_bomb_of_brackets_is_malformed() -> None:
    """Nesting beyond the decoder's depth is dropped like any other garbage."""
    bomb = b'{"e":"ORDER_TRADE_UPDATE","T":1,"o":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    with pytest.raises(Malformed):
        read_user_frame(bomb)
