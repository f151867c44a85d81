"""Market frames decode to bars, mark prices and listings, or to nothing; never to a guess."""

import json
from decimal import Decimal
from typing import Any

import pytest

from bot.venue.wire_answers import Malformed
from bot.venue.wire_market import (
    ContractSeen,
    ControlReply,
    MarkSeen,
    NotOurs,
    read_kline,
    read_market_frame,
    stream_name,
    stream_of,
)
from data.model import Candle
from tests.house import ROOT

FIXTURES = ROOT.parent / "shared/fixtures"
no_fixtures = pytest.mark.skipif(
    not FIXTURES.exists(), reason="the shared fixtures are not beside this checkout"
)


def _lines(name: str) -> list[bytes]:
    return (FIXTURES / "captured-frames" / name).read_bytes().splitlines()


@no_fixtures
def test_captured_market_frames_decode() -> None:
    """Mark price and kline are told; the kinds we do not subscribe are recognised as not ours."""
    told = [read_market_frame(line) for line in _lines("market_combined_2026-02-16.jsonl")]
    assert told[0] == MarkSeen(
        symbol="BTCUSDT", price=Decimal("68005.80802899"), event_ms=1771263510000
    )
    assert all(isinstance(item, NotOurs) for item in told[1:])
    bar = read_market_frame(_lines("kline_open_2026-08-01.jsonl")[0])
    assert isinstance(bar, Candle)
    assert (bar.open_ms, bar.close, bar.closed) == (1785617880000, 62631.8, False)


def _kline(**changes: Any) -> bytes:
    bar = {
        "t": 60_000,
        "i": "1m",
        "o": "10",
        "h": "12",
        "l": "9",
        "c": "11",
        "v": "5",
        "x": True,
        **changes,
    }
    return json.dumps({"e": "kline", "s": "BTCUSDT", "k": bar}).encode()


def test_a_closed_kline_is_a_closed_candle() -> None:
    """Prices come as text and leave as floats; `x` says whether the bar is final."""
    assert read_market_frame(_kline()) == Candle(
        symbol="BTCUSDT",
        timeframe="1m",
        open_ms=60_000,
        open=10.0,
        high=12.0,
        low=9.0,
        close=11.0,
        volume=5.0,
    )


@pytest.mark.parametrize(
    "changes",
    [{"c": "nan"}, {"h": "inf"}, {"l": "0"}, {"h": "10.5"}, {"l": "10.5"}, {"v": "-1"}, {"t": -1}],
)
def test_an_impossible_bar_is_malformed(changes: dict[str, Any]) -> None:
    """Not a number, not positive, or outside its own range: dropped."""
    with pytest.raises(Malformed):
        read_market_frame(_kline(**changes))


def test_coin_margined_rows_are_not_ours() -> None:
    """`st` 2 marks the other market, which shares the host."""
    mark = b'{"e":"markPriceUpdate","E":1,"s":"BTCUSD_PERP","p":"5","st":2}'
    assert read_market_frame(mark) == NotOurs(kind="foreign_market")


def test_control_replies_are_told_apart() -> None:
    """An acknowledgement has no error; a refused subscription has one."""
    assert read_market_frame(b'{"result":null,"id":3}') == ControlReply(reply_id="3", error="")
    refused = read_market_frame(b'{"error":{"code":2,"msg":"Invalid request"},"id":4}')
    assert isinstance(refused, ControlReply)
    assert "Invalid request" in refused.error


def test_stream_names_lower_ascii_only() -> None:
    """Letters of other scripts stay as they are."""
    assert stream_name("BTCUSDT", "kline_1m") == "btcusdt@kline_1m"
    assert stream_name("测İUSDT", "markPrice@1s") == "测İusdt@markPrice@1s"


def test_a_wrapped_kline_is_read_in_one_pass() -> None:
    """The short way and the long way say the same, and refuse the same."""
    frame = b'{"stream":"btcusdt@kline_1m","data":%b}' % _kline(t=60_000)
    assert read_kline(frame) == read_market_frame(frame)
    with pytest.raises(Malformed):
        read_kline(b'{"stream":"btcusdt@kline_1m","data":{"e":"kline"}}')
    foreign = json.dumps({"data": {**json.loads(_kline()), "st": 2}}).encode()
    assert read_kline(foreign) == NotOurs(kind="foreign_market")


@pytest.mark.parametrize(
    ("frame", "name"),
    [
        (b'{"stream":"btcusdt@kline_1m","data":{}}', b"btcusdt@kline_1m"),
        (b'{"data": {}, "stream": "\\u6d4busdt@kline_1m"}', "测usdt@kline_1m".encode()),
        (b'{"result":null,"id":1}', b""),
        (b'{"stream":"\\ud800"}', b""),
        (b"garbage", b""),
    ],
)
def test_the_stream_of_a_frame(frame: bytes, name: bytes) -> None:
    """A name is found wherever it stands and however it is escaped; none is no name."""
    assert stream_of(frame) == name


def test_a_listing_is_told_with_its_moments() -> None:
    """`!contractInfo` names symbol, status and kind; what is missing or odd is left blank."""
    frame = {"e": "contractInfo", "E": 5, "s": "新USDT", "cs": "TRADING", "ct": "PERPETUAL"}
    told = read_market_frame(json.dumps({**frame, "ot": 7, "dt": "8", "bks": [1]}).encode())
    assert told == ContractSeen(
        symbol="新USDT",
        status="TRADING",
        contract_type="PERPETUAL",
        event_ms=5,
        onboard_ms=7,
        delivery_ms=8,
    )
    bare = read_market_frame(b'{"e":"contractInfo","s":"X","dt":"soon","st":1}')
    assert bare == ContractSeen(symbol="X", status="", contract_type="", event_ms=0)


def test_a_coin_margined_listing_is_not_ours() -> None:
    """The stream is shared with the other market."""
    assert read_market_frame(b'{"e":"contractInfo","s":"BTCUSD_PERP","st":2}') == NotOurs(
        kind="foreign_market"
    )
    with pytest.raises(Malformed):
        read_market_frame(b'{"e":"contractInfo","s":""}')
