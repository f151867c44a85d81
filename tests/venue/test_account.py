"""Reads of the account: complete, or said to have failed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from aiohttp import web

from bot.core.messages import AskFailed, FillsListed, FundingListed, PositionSeen, SnapshotTaken
from bot.venue.account import AccountReader
from bot.venue.reads import WEEK_MS
from bot.venue.wire_answers import Unheard
from data.model import Direction, OrderStatus
from tests.venue.fake import NOW_MS, Handler, Heard, Script, client, exchange, no, ok

ORDERS = "/fapi/v1/allOrders"
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
        ok([{**_position("1"), "updateTime": NOW_MS + 2 * 86_400_000}]),
    ],
)
async def test_no_usable_answer_is_never_flat(handler: Handler) -> None:
    """Unreadable, refused, or of a day to come: the read failed."""
    event = await _seen(handler)
    assert isinstance(event, AskFailed)
    assert (event.what, event.symbol) == ("position", "BTCUSDT")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([_position("1", "LONG"), _position("0", "SHORT")], (1, 0)),
        ([_position("0", "LONG"), _position("-1", "SHORT")], (0, -1)),
        ([_position("1", "SHORT")], (0, -1)),
        ([_position("1", "LONG"), _position("-2", "SHORT")], (1, -2)),
    ],
)
async def test_in_hedge_mode_both_sides_are_told(
    rows: list[dict[str, Any]], told: tuple[int, int]
) -> None:
    """A side that is left out is flat; one held by somebody else hides ours as little as theirs."""
    script = Script()
    script.on("GET", POSITIONS, ok(rows))
    async with _reader(script) as reader:
        events = await reader.position("BTCUSDT")
    seen = {e.side: e.quantity for e in events if isinstance(e, PositionSeen)}
    assert seen == {Direction.LONG: told[0], Direction.SHORT: told[1]}


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
    script.on("GET", TRADES, ok([{**_trade(3, NOW_MS), "orderId": 5}]))
    script.on("GET", ORDERS, ok([_order("tb-e1")]))
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
    "path",
    [
        "/fapi/v1/openAlgoOrders",
        "/fapi/v1/openOrders",
        POSITIONS,
        "/fapi/v3/balance",
        TRADES,
        ORDERS,
    ],
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


async def test_a_held_symbols_fills_are_named_by_their_orders() -> None:
    """userTrades names the number, allOrders the client id: together whose a position is."""
    script = Script()
    _account(script)
    async with _reader(script) as reader:
        (event,) = await reader.snapshot()
    assert isinstance(event, SnapshotTaken)
    assert [(fill.fill_id, fill.order_id) for fill in event.recent_fills] == [(3, "tb-e1")]
    assert [heard.params["symbol"] for heard in script.asked("GET", TRADES)] == ["BTCUSDT"]


async def test_the_week_read_ends_with_what_moved_the_position_last() -> None:
    """An old position's fills are weeks back: that week is read, one page of each list."""
    moved_ms = NOW_MS - 30 * 86_400_000
    script = Script()
    _account(script)
    script.on("GET", POSITIONS, ok([{**_position("2"), "updateTime": moved_ms}]))
    async with _reader(script) as reader:
        await reader.snapshot()
    for path in (TRADES, ORDERS):
        (heard,) = script.asked("GET", path)
        start_ms, end_ms = int(heard.params["startTime"]), int(heard.params["endTime"])
        assert start_ms < moved_ms <= end_ms
        assert end_ms - start_ms < WEEK_MS


async def test_a_flat_account_reads_no_history() -> None:
    """Weight is spent on what is held only."""
    script = Script()
    _account(script)
    script.on("GET", POSITIONS, ok([]))
    async with _reader(script) as reader:
        (event,) = await reader.snapshot()
    assert isinstance(event, SnapshotTaken)
    assert not script.asked("GET", TRADES)


async def test_a_symbol_held_both_ways_is_two_positions() -> None:
    """In hedge mode the rest of the account is told all the same."""
    script = Script()
    _account(script)
    rows = [_position("1", "LONG"), _position("-2", "SHORT"), _position("3", "LONG", "ETHUSDT")]
    script.on("GET", POSITIONS, ok(rows))
    async with _reader(script) as reader:
        (event,) = await reader.snapshot()
    assert isinstance(event, SnapshotTaken)
    held = [(position.symbol, position.side, position.quantity) for position in event.positions]
    assert held == [
        ("BTCUSDT", Direction.LONG, 1),
        ("BTCUSDT", Direction.SHORT, -2),
        ("ETHUSDT", Direction.LONG, 3),
    ]


async def test_an_open_order_in_a_new_state_is_left_out_and_counted() -> None:
    """A status nobody knows costs only its own row: the rest of the account is read."""
    script = Script()
    _account(script)
    script.on("GET", "/fapi/v1/openOrders", ok([{**_order("tb-e1"), "status": "BRAND_NEW"}]))
    said: list[object] = []
    async with exchange(script) as url, client(url) as rest:
        rest.watch_rejected(lambda where, fault: said.append((where, type(fault))))
        (event,) = await AccountReader(rest).snapshot()
    assert isinstance(event, SnapshotTaken)
    assert [report.order_id for report in event.open_orders] == ["tb-s1", "tb-t1"]
    assert said == [("open orders", Unheard)]
