"""Cases 24, 26 and 28: what goes wrong on purpose, limits by the clock, frames out of order."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.sandbox.conformance.world import BTC, Ear, Sdk, limit_words

ORDER = {"method": "POST", "path": "/fapi/v1/order"}


async def _fails(sdk: Sdk, parts: SimpleNamespace, **words: Any) -> Any:
    """The error the SDK raises for an order."""
    named = limit_words(9_000, **words)
    with pytest.raises(parts.errors.Error) as met:
        await sdk.ask("new_order", **named)
    return met.value


@pytest.mark.parametrize(
    ("fault", "executed", "status"),
    [
        ("503_unknown", True, 503),
        ("503_unknown", False, 503),
        ("-1007", True, 408),
        ("-1007", False, 408),
        ("503_unavailable", False, 503),
        ("503_internal", False, 503),
        ("throttle", False, 503),
    ],
)
async def test_case_24_failures_and_what_they_leave(
    sdk: Sdk, parts: SimpleNamespace, fault: str, executed: bool, status: int
) -> None:
    """The SDK sees an error; whether the order exists is as the fault was told."""
    await sdk.turn("inject", fault=fault, executed=executed, **ORDER)
    words = {"new_client_order_id": "fate"}
    await _fails(sdk, parts, **words)
    named = {"symbol": BTC, "orig_client_order_id": "fate"}
    if executed:
        assert (await sdk.ask("query_order", **named))["status"] == "NEW"
    else:
        assert await sdk.refused("query_order", **named) == -2013
    await sdk.turn("inject", fault=fault, executed=False, **ORDER)
    seen, answer = await sdk.raw.order("BUY", "0.1", price="9000")
    assert (seen, "code" in answer) == (status, True)
    assert "X-MBX-USED-WEIGHT-1M" in sdk.raw.headers


async def test_case_24_throttling_lets_exits_pass(sdk: Sdk) -> None:
    """-1008 for an entry; a reduce-only order and a cancel go through."""
    await sdk.buy()
    await sdk.turn("inject", fault="throttle", count=2, **ORDER)
    status, answer = await sdk.raw.order("BUY", "0.1")
    assert (status, answer["code"]) == (503, -1008)
    close = {"symbol": BTC, "side": "SELL", "type": "MARKET", "reduce_only": "true"}
    assert (await sdk.ask("new_order", quantity=0.1, **close))["status"] == "NEW"


async def test_case_24_limits_become_a_ban(sdk: Sdk, parts: SimpleNamespace) -> None:
    """429 with Retry-After; going on regardless is a 418 until a told moment, for reads too."""
    weight = 40
    for _ in range(2_400 // weight):
        await sdk.raw.call("GET", "/fapi/v1/openOrders")
    with pytest.raises(parts.errors.TooManyRequestsError) as met:
        await sdk.ask("check_server_time")
    assert 0 < met.value.retry_after <= 60
    for _ in range(50):
        await sdk.raw.call("GET", "/fapi/v1/openOrders")
    now_ms = sdk.raw.sandbox.now_ms()
    with pytest.raises(parts.errors.RateLimitBanError) as banned:
        await sdk.ask("check_server_time")
    assert banned.value.retry_after == 120
    assert f"banned until {now_ms + 120_000}" in banned.value.error_message
    await sdk.turn("advance", ms=119_999)
    with pytest.raises(parts.errors.RateLimitBanError):
        await sdk.ask("check_server_time")
    await sdk.turn("advance", ms=1)
    assert await sdk.ask("check_server_time")


async def test_case_26_weights_are_counted_by_the_clock_minute(
    sdk: Sdk, parts: SimpleNamespace
) -> None:
    """A refused request is charged; at the full minute the count starts again."""
    await sdk.turn("advance", ms=59_000)
    await sdk.ask("current_all_open_orders")
    assert await sdk.refused("kline_candlestick_data", symbol="NOPE", interval="1m") == -1121
    answer = sdk.rest.check_server_time
    first = await asyncio.to_thread(answer)
    assert [one.count for one in first.rate_limits] == [40 + 5 + 1]
    await sdk.turn("advance", ms=1_000)
    second = await asyncio.to_thread(answer)
    assert [one.count for one in second.rate_limits] == [1]


async def test_case_28_a_late_and_a_repeated_frame(sdk: Sdk, ear: Ear) -> None:
    """An ALGO NEW comes after the CANCELED of the same order; a fill is told twice."""
    await sdk.buy()
    await ear.until(4)
    await sdk.turn("inject", fault="ws_delay", event="ALGO_UPDATE", delay_ms=600)
    await sdk.algo(client_algo_id="sl")
    await sdk.ask("cancel_algo_order", client_algo_id="sl")
    await ear.until(6)
    assert ear.words[4:] == ["ALGO CANCELED", "ALGO NEW"]
    await sdk.turn("inject", fault="ws_duplicate", event="TRADE_LITE")
    await sdk.buy()
    frames = await ear.until(11)
    trades = [frame["t"] for frame in frames if frame["e"] == "TradeLite"]
    assert len(trades) == 3
    assert len(set(trades)) == 2


async def test_young_orders_are_not_found_yet(sdk: Sdk) -> None:
    """For a told while a new order answers -2013, though it is there; the same for algo orders."""
    await sdk.turn("young", ms=3_000)
    placed = await sdk.buy()
    stop = await sdk.algo()
    named = {"symbol": BTC, "order_id": placed["orderId"]}
    assert await sdk.refused("query_order", **named) == -2013
    assert await sdk.refused("query_algo_order", algo_id=stop["algoId"]) == -2013
    await sdk.turn("advance", ms=3_000)
    assert (await sdk.ask("query_order", **named))["status"] == "FILLED"
    assert (await sdk.ask("query_algo_order", algo_id=stop["algoId"]))["algoStatus"] == "NEW"


async def test_reads_lag_behind_the_stream(sdk: Sdk, ear: Ear) -> None:
    """While reads lag the stream tells of a position that REST does not show yet."""
    await sdk.turn("lag", ms=2_000)
    await sdk.buy()
    await ear.until(4)
    assert await sdk.ask("position_information_v3", symbol=BTC) == []
    await sdk.turn("advance", ms=2_000)
    assert len(await sdk.ask("position_information_v3", symbol=BTC)) == 1
