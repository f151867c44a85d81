"""Reads of the account: complete, or said to have failed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from bot.core.messages import AskFailed, FillsListed, FundingListed, PositionSeen, SnapshotTaken
from bot.venue.account import WEEK_MS, AccountReader
from data.model import OrderStatus
from tests.venue.fake import NOW_MS, Handler, Heard, Script, client, exchange, no, ok

POSITIONS, TRADES, INCOME = "/fapi/v3/positionRisk", "/fapi/v1/userTrades", "/fapi/v1/income"


@asynccontextmanager
async def _reader(script: Script) -> AsyncIterator[AccountReader]:
    async with exchange(script) as url, client(url) as rest:
        yield AccountReader(rest)


def _position(amount: str, side: str = "BOTH", symbol: str = "BTCUSDT") -> dict[str, Any]:
    return {
        "symbol": symbol,
        "positionAmt": amount,
        "entryPrice": "100",
        "positionSide": side,
        "unRealizedProfit": "1.5",
        "liquidationPrice": "0",
        "updateTime": 7,
    }


async def _seen(handler: Handler) -> object:
    script = Script()
    script.on("GET", POSITIONS, handler)
    async with _reader(script) as reader:
        (event,) = await reader.position("BTCUSDT")
    return event


async def test_a_position_is_seen_as_of_before_asking() -> None:
    """What happened while the answer travelled is newer than what it says."""
    event = await _seen(ok([_position("-0.5")]))
    assert isinstance(event, PositionSeen)
    assert (event.quantity, event.entry_price) == (Decimal("-0.5"), Decimal(100))
    assert 0 <= event.seen_ms - NOW_MS < 1_000


async def test_a_symbol_left_out_is_flat() -> None:
    """The v3 answer has only symbols with a position or orders."""
    event = await _seen(ok([]))
    assert isinstance(event, PositionSeen)
    assert event.quantity == 0


@pytest.mark.parametrize(
    "handler",
    [
        no(500, None, ""),
        no(401, -2015, "key"),
        ok({"code": 1}),
        ok([{"symbol": "BTCUSDT"}]),
        ok([_position("NaN")]),
        ok([_position("1", "LONG"), _position("-1", "SHORT")]),
    ],
)
async def test_no_usable_answer_is_never_flat(handler: Handler) -> None:
    """Unreadable, refused, or held both ways in hedge mode: the read failed."""
    event = await _seen(handler)
    assert isinstance(event, AskFailed)
    assert (event.what, event.symbol) == ("position", "BTCUSDT")


@pytest.mark.parametrize(
    ("rows", "quantity"),
    [
        ([_position("1", "LONG"), _position("0", "SHORT")], 1),
        ([_position("0", "LONG"), _position("-1", "SHORT")], -1),
        ([_position("1", "SHORT")], -1),
        ([_position("0", "LONG"), _position("0", "SHORT")], 0),
    ],
)
async def test_in_hedge_mode_the_side_that_is_held_counts(
    rows: list[dict[str, Any]], quantity: int
) -> None:
    """One side held is a position like any other, a short one negative."""
    event = await _seen(ok(rows))
    assert isinstance(event, PositionSeen)
    assert event.quantity == quantity


# ------------------------------------------------------------------------------------- fills


def _trade(number: int, time: int) -> dict[str, Any]:
    return {
        "id": number,
        "symbol": "BTCUSDT",
        "orderId": 9,
        "side": "BUY",
        "price": "10",
        "qty": "1",
        "realizedPnl": "0",
        "commission": "0.1",
        "commissionAsset": "USDT",
        "time": time,
        "maker": False,
    }


def _trade_host(trades: list[dict[str, Any]]) -> Handler:
    # As documented: a window of at most 7 days, oldest rows first, fromId excludes times.
    def answer(heard: Heard) -> web.Response:
        params = heard.params
        if "fromId" in params:
            assert "startTime" not in params
            rows = [t for t in trades if t["id"] >= int(params["fromId"])]
        else:
            start, end = int(params["startTime"]), int(params["endTime"])
            assert end - start < WEEK_MS
            rows = [t for t in trades if start <= t["time"] <= end]
        return web.json_response(rows[: int(params["limit"])])

    return answer


async def test_all_fills_are_listed_over_pages_and_weeks() -> None:
    """2,500 fills over 20 days: every one, once, oldest first."""
    since = NOW_MS - 20 * 86_400_000
    trades = [_trade(number, since + number * 600_000) for number in range(2_500)]
    script = Script()
    script.on("GET", TRADES, _trade_host(trades))
    async with _reader(script) as reader:
        (event,) = await reader.fills("BTCUSDT", since)
    assert isinstance(event, FillsListed)
    assert [fill.fill_id for fill in event.fills] == list(range(2_500))
    assert event.since_ms == since


async def test_quiet_weeks_are_stepped_over() -> None:
    """Nothing for two weeks, one fill in the third."""
    since = NOW_MS - 16 * 86_400_000
    script = Script()
    script.on("GET", TRADES, _trade_host([_trade(1, NOW_MS - 1000)]))
    async with _reader(script) as reader:
        (event,) = await reader.fills("BTCUSDT", since)
    assert isinstance(event, FillsListed)
    assert len(event.fills) == 1
    assert len(script.asked("GET", TRADES)) == 3


@pytest.mark.parametrize("spoiled", [{"price": "0"}, {"qty": "NaN"}, {"side": "?"}])
async def test_one_unreadable_fill_fails_the_list(spoiled: dict[str, str]) -> None:
    """A list with a hole would make a wrong result look right."""
    script = Script()
    script.on("GET", TRADES, _trade_host([_trade(1, NOW_MS), {**_trade(2, NOW_MS), **spoiled}]))
    async with _reader(script) as reader:
        (event,) = await reader.fills("BTCUSDT", NOW_MS - 5_000)
    assert isinstance(event, AskFailed)
    assert event.what == "fills"


# ----------------------------------------------------------------------------------- funding


def _income(number: int, time: int, **changes: str) -> dict[str, Any]:
    row = {
        "symbol": "BTCUSDT",
        "incomeType": "FUNDING_FEE",
        "income": "-0.01",
        "asset": "USDT",
        "time": time,
        "tranId": number,
        "tradeId": "",
    }
    return {**row, **changes}


async def test_funding_is_listed_over_pages_without_repeats() -> None:
    """Rows of one moment may be cut by the page: that moment is read again, ids are unique."""
    rows = [_income(number, NOW_MS - 100_000 + number // 3) for number in range(1_500)]

    def answer(heard: Heard) -> web.Response:
        start = int(heard.params["startTime"])
        kind = heard.params["incomeType"]
        found = [r for r in rows if r["time"] >= start and r["incomeType"] == kind]
        return web.json_response(found[:1_000])

    script = Script()
    script.on("GET", INCOME, answer)
    async with _reader(script) as reader:
        (event,) = await reader.funding("BTCUSDT", NOW_MS - 200_000)
    assert isinstance(event, FundingListed)
    assert sorted(int(f.funding_id) for f in event.funding) == list(range(1_500))


async def test_other_incomes_are_left_out() -> None:
    """Another symbol's, kind's or asset's income is not this; a liquidation's fee is."""
    rows = [
        _income(1, NOW_MS),
        _income(2, NOW_MS, symbol="ETHUSDT"),
        _income(3, NOW_MS, incomeType="COMMISSION"),
        _income(4, NOW_MS, asset="BNB"),
        _income(1, NOW_MS + 1, incomeType="INSURANCE_CLEAR", income="-3"),
    ]
    script = Script()
    script.on("GET", INCOME, ok(rows))
    async with _reader(script) as reader:
        (event,) = await reader.funding("BTCUSDT", NOW_MS - 1)
    assert isinstance(event, FundingListed)
    told = [(f.funding_id, f.amount_usdt) for f in event.funding]
    assert told == [("1", Decimal("-0.01")), ("INSURANCE_CLEAR-1", Decimal(-3))]


# ---------------------------------------------------------------------------------- snapshot


def _order(order_id: str) -> dict[str, Any]:
    return {
        "clientOrderId": order_id,
        "orderId": 5,
        "symbol": "BTCUSDT",
        "status": "NEW",
        "executedQty": "0",
    }


def _algo(order_id: str) -> dict[str, Any]:
    return {"clientAlgoId": order_id, "symbol": "BTCUSDT", "algoStatus": "NEW", "algoId": 1}


def _account(script: Script) -> None:
    script.on("GET", "/fapi/v1/openAlgoOrders", ok([_algo("tb-s1"), _algo("tb-t1")]))
    script.on("GET", "/fapi/v1/openOrders", ok([_order("tb-e1"), _order("tb-t1")]))
    script.on("GET", POSITIONS, ok([_position("2"), _position("0", symbol="ETHUSDT")]))
    balance = [{"asset": "BNB", "balance": "1"}, {"asset": "USDT", "balance": "1000.5"}]
    script.on("GET", "/fapi/v3/balance", ok(balance))


async def test_a_snapshot_is_the_whole_account() -> None:
    """Wallet, positions that are not zero, and every open order once."""
    script = Script()
    _account(script)
    async with _reader(script) as reader:
        (event,) = await reader.snapshot()
    assert isinstance(event, SnapshotTaken)
    assert event.wallet_usdt == Decimal("1000.5")
    assert [position.symbol for position in event.positions] == ["BTCUSDT"]
    assert event.positions[0].liquidation_price is None
    orders = [(report.order_id, report.conditional) for report in event.open_orders]
    assert orders == [("tb-e1", False), ("tb-t1", False), ("tb-s1", True)]
    assert all(report.status is OrderStatus.NEW for report in event.open_orders)


@pytest.mark.parametrize(
    "path", ["/fapi/v1/openAlgoOrders", "/fapi/v1/openOrders", POSITIONS, "/fapi/v3/balance"]
)
async def test_a_snapshot_with_a_part_missing_failed(path: str) -> None:
    """Half an account is not an account."""
    script = Script()
    _account(script)
    script.on("GET", path, no(500, None, ""))
    async with _reader(script) as reader:
        (event,) = await reader.snapshot()
    assert isinstance(event, AskFailed)
    assert event.what == "snapshot"
    assert path in event.reason
