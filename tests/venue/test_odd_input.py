"""Bad input: what is new is counted, what cannot be is dropped, counted and told to the owner.

Each row of a table goes over a socket: as an answer to an order, as a reading of the account, or
as a frame of the user stream.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.app import odd
from bot.core.messages import (
    AskFailed,
    AskFills,
    AskFunding,
    AskPosition,
    Event,
    InputRejected,
    OrderReported,
    OrderUnknown,
    PlaceOrder,
    VenueCommand,
)
from bot.core.trade import Order, Role
from bot.shell import hush
from bot.venue.gateway import Gateway
from bot.venue.market import LiveMarket
from bot.venue.odd_input import ALERT_EVERY_S_MAX, OddInput
from bot.venue.streams import Oddities
from bot.venue.wire_answers import Malformed, Unheard
from data.model import OrderKind, Side
from tests.venue.fake import NOW_MS, Script, client, exchange, ok, stream_host, wait_for

DAY_MS = 86_400_000
ORDER = Order(
    order_id="tb-e1",
    role=Role.ENTRY,
    attempt=0,
    symbol="BTCUSDT",
    side=Side.BUY,
    kind=OrderKind.MARKET,
    quantity=Decimal(1),
)
ROW: dict[str, Any] = {
    "clientOrderId": "tb-e1",
    "orderId": 42,
    "symbol": "BTCUSDT",
    "status": "FILLED",
    "executedQty": "1",
    "updateTime": NOW_MS,
}
POSITION: dict[str, Any] = {"symbol": "BTCUSDT", "positionAmt": "1", "entryPrice": "100"}
TRADE: dict[str, Any] = {
    "id": 1,
    "symbol": "BTCUSDT",
    "orderId": 9,
    "side": "BUY",
    "price": "10",
    "qty": "1",
    "realizedPnl": "0",
    "commission": "0.1",
    "commissionAsset": "USDT",
    "time": NOW_MS,
}
INCOME: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "incomeType": "FUNDING_FEE",
    "income": "-0.01",
    "asset": "USDT",
    "time": NOW_MS,
    "tranId": 1,
}
UPDATE: dict[str, Any] = {
    "s": "BTCUSDT",
    "c": "tb-e1",
    "S": "BUY",
    "X": "FILLED",
    "x": "TRADE",
    "i": 42,
    "T": NOW_MS,
    "t": 7,
    "z": "1",
    "q": "1",
    "l": "1",
    "L": "100",
}


@asynccontextmanager
async def _gateway(script: Script, ws_url: str = "ws://127.0.0.1:1") -> AsyncIterator[Any]:
    told: list[Event] = []
    async with exchange(script) as url, client(url) as rest:
        yield Gateway(rest=rest, ws_url=ws_url, dice=Random(1), sink=told.append), told


def _rejected(told: list[Event]) -> list[str]:
    return [event.where for event in told if isinstance(event, InputRejected)]


@pytest.mark.parametrize(
    "changes",
    [
        {"executedQty": "NaN"},
        {"executedQty": "-1"},
        {"executedQty": "1e999"},
        {"avgPrice": "-5"},
        {"updateTime": NOW_MS + 2 * DAY_MS},
        {"orderId": "many"},
    ],
)
async def test_an_impossible_answer_to_an_order_is_unknown_and_told(changes: Any) -> None:
    """Never filled, never refused: nobody can say, the core asks, and the owner hears of it."""
    script = Script()
    script.on("POST", "/fapi/v1/order", ok(ROW | changes))
    async with _gateway(script) as (gateway, told):
        (event,) = await gateway.perform(PlaceOrder(order=ORDER))
        assert isinstance(event, OrderUnknown)
        assert _rejected(told) == ["placing an order"]


@pytest.mark.parametrize(
    "changes",
    [
        {"executedQty": 1, "orderId": "42", "updateTime": str(NOW_MS)},
        {"executedQty": "1.0", "brandNew": {"a": [1]}, "avgPrice": None},
        {"updateTime": 0},
    ],
)
async def test_an_answer_in_another_dress_is_read(changes: Any) -> None:
    """Numbers as text or as numbers, fields too many, optional ones missing: all the same."""
    script = Script()
    script.on("POST", "/fapi/v1/order", ok(ROW | changes))
    async with _gateway(script) as (gateway, told):
        (event,) = await gateway.perform(PlaceOrder(order=ORDER))
        assert isinstance(event, OrderReported)
        assert event.report.filled_quantity == 1
        assert not told


async def test_a_status_nobody_knows_is_unknown_and_counted_without_an_alarm() -> None:
    """A new word is no lie: nothing is concluded, the core asks again, nobody is woken."""
    script = Script()
    script.on("POST", "/fapi/v1/order", ok(ROW | {"status": "BRAND_NEW"}))
    async with _gateway(script) as (gateway, told):
        (event,) = await gateway.perform(PlaceOrder(order=ORDER))
        assert isinstance(event, OrderUnknown)
        assert gateway.odd_input.unheard == {"placing an order": 1}
        assert not told


@pytest.mark.parametrize(
    ("path", "row", "changes", "command"),
    [
        ("v3/positionRisk", POSITION, {"positionAmt": "NaN"}, AskPosition(symbol="BTCUSDT")),
        ("v3/positionRisk", POSITION, {"entryPrice": "-1"}, AskPosition(symbol="BTCUSDT")),
        (
            "v3/positionRisk",
            POSITION,
            {"updateTime": NOW_MS + 2 * DAY_MS},
            AskPosition(symbol="BTCUSDT"),
        ),
        ("v1/userTrades", TRADE, {"qty": "-1"}, AskFills(symbol="BTCUSDT", since_ms=NOW_MS)),
        ("v1/userTrades", TRADE, {"price": "NaN"}, AskFills(symbol="BTCUSDT", since_ms=NOW_MS)),
        (
            "v1/userTrades",
            TRADE,
            {"time": NOW_MS + 2 * DAY_MS},
            AskFills(symbol="BTCUSDT", since_ms=NOW_MS),
        ),
        ("v1/income", INCOME, {"income": "Infinity"}, AskFunding(symbol="BTCUSDT", since_ms=1)),
        (
            "v1/income",
            INCOME,
            {"time": NOW_MS + 2 * DAY_MS},
            AskFunding(symbol="BTCUSDT", since_ms=1),
        ),
    ],
)
async def test_an_impossible_reading_fails_and_is_told(
    path: str, row: dict[str, Any], changes: dict[str, Any], command: VenueCommand
) -> None:
    """No position, fill or payment is made of it."""
    script = Script()
    script.on("GET", f"/fapi/{path}", ok([row | changes]))
    async with _gateway(script) as (gateway, told):
        (event,) = await gateway.perform(command)
        assert isinstance(event, AskFailed)
        assert len(_rejected(told)) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"l": "NaN"},
        {"l": "-1"},
        {"z": "-1"},
        {"L": "0"},
        {"ap": "-1"},
        {"S": "SIDEWAYS"},
        {"T": NOW_MS + 2 * DAY_MS},
    ],
)
async def test_an_impossible_frame_is_dropped_and_told_once_a_minute(changes: Any) -> None:
    """Ten of them: none reaches the desk as news, one alert does, all are counted."""
    script = Script()
    script.on("POST", "/fapi/v1/listenKey", ok({"listenKey": "k1"}))
    frame = {"e": "ORDER_TRADE_UPDATE", "T": NOW_MS, "E": NOW_MS, "o": UPDATE | changes}
    if "T" in changes:
        frame["T"] = changes["T"]
    async with stream_host() as sockets, _gateway(script, sockets.url) as (gateway, told):
        task = asyncio.create_task(gateway.run())
        try:
            await sockets.until(1)
            for _ in range(10):
                await sockets.tell(frame)
            await wait_for(lambda: gateway.odd_input.rejected.get("user stream") == 10)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert _rejected(told) == ["user stream"]
        assert not [event for event in told if type(event).__name__ in ("Filled", "OrderReported")]


def _sink() -> tuple[list[Event], Callable[[Event], None]]:
    told: list[Event] = []
    return told, told.append


def test_each_place_has_an_alert_of_its_own_and_the_next_says_how_many() -> None:
    """Within a minute a place is told once; another place is not kept quiet by it."""
    told, sink = _sink()
    noted = OddInput(sink)
    now_s = [100.0]
    noted._hush = hush.Hush(now_s=lambda: now_s[0])
    for _ in range(3):
        noted.note("a", Malformed("NaN"))
    noted.note("b", Malformed("NaN"))
    noted.note("b", Unheard("a new word"))
    now_s[0] += 61
    noted.note("a", Malformed("NaN"))
    said = [(e.where, e.times) for e in told if isinstance(e, InputRejected)]
    assert said == [("a", 1), ("b", 1), ("a", 3)]
    assert (noted.rejected, noted.unheard) == ({"a": 4, "b": 1}, {"b": 1})


def test_nonsense_that_goes_on_for_a_day_is_told_thirty_times_not_a_thousand() -> None:
    """Each place's alert comes after one minute, two, four, then hourly; after a rest, at once."""
    told, sink = _sink()
    noted = OddInput(sink)
    now_s = [100.0]
    noted._hush = hush.Hush(now_s=lambda: now_s[0], longest_s=ALERT_EVERY_S_MAX)
    for _ in range(24 * 360):
        noted.note("a", Malformed("NaN"))
        now_s[0] += 10
    assert 24 <= len(told) <= 32
    now_s[0] += 3 * ALERT_EVERY_S_MAX
    before = len(told)
    for _ in range(7):
        noted.note("a", Malformed("NaN"))
        now_s[0] += 10
    assert len(told) == before + 2


async def test_what_the_market_cannot_mean_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Impossible bars and prices alarm; late and foreign ones are only counted."""
    monkeypatch.setattr(odd, "LOOK_S", 0.005)
    market = cast(LiveMarket, SimpleNamespace(oddities=Oddities()))
    told, sink = _sink()
    noted = OddInput(sink)
    task = asyncio.create_task(odd.watch_input(market, noted))
    market.oddities.note("bar_late")
    market.oddities.note("bar_from_the_future")
    market.oddities.note("malformed_market_frame")
    await wait_for(lambda: len(noted.rejected) == 1 and noted.rejected["market data"] == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert _rejected(told) == ["market data"]
    assert odd.input_counts(market, noted) == (2, 1)
