"""REST answers: documented ones decode, impossible ones are malformed, garbage never crashes."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.venue.wire_answers import (
    AlgoCancelRow,
    AlgoRow,
    Malformed,
    OrderRow,
    PositionRow,
    TradeRow,
    algo_report,
    child_id,
    closed_candles,
    decode,
    fill_of,
    margin_type_of,
    order_report,
    position_of,
)
from data.model import MarginType, OrderStatus
from tests.house import ROOT
from tests.venue.fake import NOW_MS

FIXTURES = ROOT.parent / "shared/fixtures"
no_fixtures = pytest.mark.skipif(
    not FIXTURES.exists(), reason="the shared fixtures are not beside this checkout"
)
ORDER = {
    "clientOrderId": "tb-1",
    "orderId": 9,
    "symbol": "BTCUSDT",
    "status": "NEW",
    "executedQty": "0",
    "updateTime": 77,
}
TRADE = {
    "id": 5,
    "symbol": "BTCUSDT",
    "orderId": 9,
    "side": "SELL",
    "price": "10",
    "qty": "2",
    "realizedPnl": "-1.5",
    "commission": "0.01",
    "commissionAsset": "BNB",
    "time": 1,
    "maker": True,
    "extra": [1],
}


def _body(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_placement_answer_without_average_price() -> None:
    """Placement answers have no avgPrice since 2026-07: the report says None, not zero."""
    report = order_report(decode(_body(ORDER), OrderRow), now_ms=NOW_MS)
    assert (report.status, report.filled_quantity) == (OrderStatus.NEW, Decimal(0))
    assert (report.average_price, report.event_ms, report.venue_order_id) == (None, 77, 9)


def test_a_queried_order_has_its_average_price() -> None:
    """A query adds avgPrice; zero there means nothing was filled."""
    row = decode(_body({**ORDER, "avgPrice": "10.5", "executedQty": "2"}), OrderRow)
    assert order_report(row, now_ms=NOW_MS).average_price == Decimal("10.5")
    zero = decode(_body({**ORDER, "avgPrice": "0.00000"}), OrderRow)
    assert order_report(zero, now_ms=NOW_MS).average_price is None


def test_a_status_nobody_knows_is_malformed() -> None:
    """A new status must not be taken for any known one."""
    with pytest.raises(Malformed):
        order_report(decode(_body({**ORDER, "status": "ODD"}), OrderRow), now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("actual", "child"), [("", None), (None, None), ("0", None), (0, None), ("88", 88), (88, 88)]
)
def test_the_childs_number_may_be_text_or_number(actual: Any, child: int | None) -> None:
    """actualOrderId is "" or 0 before there is a child."""
    assert child_id(actual) == child


def test_cancel_code_may_be_text_or_number() -> None:
    """The cancel answer's code is a string here and a number elsewhere."""
    for code in ("200", 200):
        assert decode(_body({"algoId": 1, "clientAlgoId": "a", "code": code}), AlgoCancelRow)


def test_a_fill_as_listed() -> None:
    """userTrades rows name the order by its number; fee asset may be another one."""
    fill = fill_of(decode(_body(TRADE), TradeRow))
    assert (fill.order_id, fill.venue_order_id, fill.fee_asset) == ("", 9, "BNB")
    assert fill.realized_pnl_usdt == Decimal("-1.5")


@pytest.mark.parametrize(
    "changes", [{"qty": "0"}, {"price": "-1"}, {"qty": "NaN"}, {"side": "?"}, {"id": None}]
)
def test_an_impossible_fill_is_malformed(changes: dict[str, Any]) -> None:
    """A fill without size, price or side is no fill."""
    with pytest.raises(Malformed):
        fill_of(decode(_body({**TRADE, **changes}), TradeRow))


@no_fixtures
def test_recorded_answers_decode() -> None:
    """Samples of positions, orders and conditional orders, old and new fields alike."""
    rest = FIXTURES / "nautilus/rest"
    positions = decode((rest / "position_risk.json").read_bytes(), list[PositionRow])
    assert position_of(positions[0], now_ms=NOW_MS).quantity == Decimal("0.001")
    orders = decode((rest / "http_futures_account_orders.json").read_bytes(), list[OrderRow])
    assert orders[0].client_order_id == "abc"
    algos = decode((rest / "open_algo_orders.json").read_bytes(), list[AlgoRow])
    assert algo_report(algos[0], now_ms=NOW_MS).status is OrderStatus.NEW


def test_margin_types_in_every_spelling() -> None:
    """REST, streams and old answers spell it differently."""
    assert margin_type_of("cross") is margin_type_of("CROSSED") is MarginType.CROSSED
    assert margin_type_of("isolated") is MarginType.ISOLATED
    assert margin_type_of("new") is None


# ------------------------------------------------------------------------------------ klines


def _kline(open_ms: int, close: str = "11") -> list[Any]:
    return [open_ms, "10", "12", "9", close, "5", open_ms + 59_999, "55", 3, "1", "11", "0"]


def _closed(rows: list[Any], asked_ms: int, margin_ms: int = 2_000) -> list[int]:
    candles = closed_candles(
        _body(rows), symbol="X", timeframe="1m", asked_ms=asked_ms, margin_ms=margin_ms
    )
    return [candle.open_ms for candle in candles]


def test_the_open_bar_is_left_out() -> None:
    """The last row is the bar being built: its numbers are not final."""
    rows = [_kline(0), _kline(60_000), _kline(120_000)]
    assert _closed(rows, asked_ms=130_000) == [0, 60_000]


def test_a_last_row_counts_only_when_surely_over() -> None:
    """Our clock may be ahead: a bar that has just closed waits for the margin."""
    rows = [_kline(0), _kline(60_000)]
    assert _closed(rows, asked_ms=120_001) == [0]
    assert _closed(rows, asked_ms=122_000) == [0, 60_000]
    assert _closed([], asked_ms=1) == []


@pytest.mark.parametrize(
    "rows",
    [
        [_kline(60_000), _kline(0), _kline(120_000)],
        [_kline(0), _kline(0), _kline(60_000)],
        [_kline(0, "99"), _kline(60_000)],
        [_kline(0, "nan"), _kline(60_000)],
        [[1, 2], _kline(60_000)],
        {"code": 1},
    ],
)
def test_impossible_klines_are_malformed(rows: Any) -> None:
    """Out of order, repeated, outside its own range or cut short: none of it is used."""
    with pytest.raises(Malformed):
        _closed(rows, asked_ms=130_000)


@given(body=st.binary(max_size=200))
def test_bytes_never_crash_an_answers_decoder(body: bytes) -> None:
    """Any bytes decode or are Malformed."""
    for kind in (OrderRow, AlgoRow, TradeRow, PositionRow):
        try:
            decode(body, kind)
        except Malformed:
            continue


def test_a_conditional_order_says_what_it_closes_and_where() -> None:
    """Trigger and quantity; closing the position is a quantity of zero; oddities are not told."""
    row = {
        "clientAlgoId": "s0",
        "symbol": "BTCUSDT",
        "algoStatus": "NEW",
        "triggerPrice": "90.5",
        "quantity": "1.5",
        "closePosition": False,
    }
    told = algo_report(decode(json.dumps(row).encode(), AlgoRow), now_ms=NOW_MS)
    assert (told.trigger_price, told.order_quantity) == (Decimal("90.5"), Decimal("1.5"))
    whole = row | {"quantity": "0", "closePosition": True}
    told = algo_report(decode(json.dumps(whole).encode(), AlgoRow), now_ms=NOW_MS)
    assert told.order_quantity == 0
    odd = row | {"triggerPrice": "", "quantity": "NaN", "closePosition": None}
    told = algo_report(decode(json.dumps(odd).encode(), AlgoRow), now_ms=NOW_MS)
    assert (told.trigger_price, told.order_quantity) == (None, None)
