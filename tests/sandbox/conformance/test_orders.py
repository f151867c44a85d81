"""Cases 5 to 15: what plain orders are accepted, refused and answered as."""

import pytest

from tests.sandbox.conformance.world import BTC, Ear, Sdk, limit_words

ACK = {
    "clientOrderId",
    "cumQty",
    "executedQty",
    "orderId",
    "origQty",
    "price",
    "reduceOnly",
    "side",
    "positionSide",
    "status",
    "stopPrice",
    "closePosition",
    "symbol",
    "timeInForce",
    "type",
    "origType",
    "updateTime",
    "workingType",
    "priceProtect",
    "priceMatch",
    "selfTradePreventionMode",
    "goodTillDate",
}


async def test_case_05_resting_limit(sdk: Sdk, ear: Ear) -> None:
    """22 fields, NEW, no average price; one order event and no account event."""
    status, ack = await sdk.raw.order("BUY", "0.1", price="9000")
    assert (status, set(ack), ack["status"]) == (200, ACK, "NEW")
    assert (await sdk.ask("new_order", **limit_words(9000)))["status"] == "NEW"
    await ear.until(2)
    assert ear.words == ["ORDER NEW/NEW", "ORDER NEW/NEW"]


async def test_case_06_market_result(sdk: Sdk, ear: Ear) -> None:
    """RESULT shows the fill but no average price; events in the real order; the query has it."""
    told = await sdk.buy(new_order_resp_type="RESULT", new_client_order_id="result")
    assert (told["status"], told["cumQty"], told["executedQty"]) == ("FILLED", "0.1", "0.1")
    assert not {"avgPrice", "cumQuote"} & set(told)
    await ear.until(4)
    assert ear.words == ["ORDER NEW/NEW", "TradeLite", "ACCOUNT ORDER", "ORDER TRADE/FILLED"]
    order = await sdk.ask("query_order", symbol=BTC, orig_client_order_id="result")
    assert (order["avgPrice"], order["cumQuote"]) == ("10001", "1000.1")


async def test_case_07_market_ack(sdk: Sdk, ear: Ear) -> None:
    """ACK is NEW with nothing filled; the fill is told by the stream and the query alone."""
    told = await sdk.buy(new_client_order_id="ack")
    assert (told["status"], told["executedQty"]) == ("NEW", "0")
    frames = await ear.until(4)
    assert (frames[-1]["o"]["X"], frames[-1]["o"]["ap"]) == ("FILLED", "10001")
    order = await sdk.ask("query_order", symbol=BTC, order_id=told["orderId"])
    assert order["status"] == "FILLED"


async def test_case_08_client_ids_are_unique_among_open_orders_only(sdk: Sdk) -> None:
    """-4116 while the first is open; a new order once it is filled."""
    await sdk.ask("new_order", **limit_words(9900, new_client_order_id="same"))
    again = limit_words(9800, new_client_order_id="same")
    assert await sdk.refused("new_order", **again) == -4116
    await sdk.turn("price", symbol=BTC, price="9900")
    first = await sdk.ask("query_order", symbol=BTC, orig_client_order_id="same")
    assert first["status"] == "FILLED"
    second = await sdk.ask("new_order", **again)
    assert second["orderId"] != first["orderId"]


async def test_case_09_form_of_client_ids(sdk: Sdk) -> None:
    """36 characters pass, 37 and a space do not."""
    assert await sdk.ask("new_order", **limit_words(9000, new_client_order_id="x" * 36))
    for wrong in ("x" * 37, "a b"):
        words = limit_words(9000, new_client_order_id=wrong)
        assert await sdk.refused("new_order", **words) == -4015


@pytest.mark.parametrize(
    ("price", "quantity", "code"),
    [(9_000.05, 0.1, -4014), (9_000, 0.1005, -4023), (9_000.001, 0.1, -1111)],
)
async def test_case_10_grids(sdk: Sdk, price: float, quantity: float, code: int) -> None:
    """Off the tick, off the step, too many decimals."""
    assert await sdk.refused("new_order", **limit_words(price, quantity=quantity)) == code


async def test_case_11_smallest_order(sdk: Sdk) -> None:
    """Below the notional filter: -4164, unless it reduces a position."""
    small = {"symbol": BTC, "type": "MARKET", "quantity": 0.004}
    assert await sdk.refused("new_order", side="BUY", **small) == -4164
    await sdk.buy()
    assert await sdk.ask("new_order", side="SELL", reduce_only="true", **small)


async def test_case_12_price_band_is_one_sided(sdk: Sdk) -> None:
    """A BUY has a ceiling at mark x 1.05 and no floor."""
    assert await sdk.refused("new_order", **limit_words(10_600)) == -4016
    assert (await sdk.ask("new_order", **limit_words(5_000)))["status"] == "NEW"


async def test_case_13_impatient_orders(sdk: Sdk, ear: Ear) -> None:
    """GTX that crosses -5022, FOK without depth -5021, an IOC's rest expires with its fill kept."""
    crossing = limit_words(10_100, quantity=0.3)
    assert await sdk.refused("new_order", **{**crossing, "time_in_force": "GTX"}) == -5022
    await sdk.turn("price", symbol=BTC, price="10000", liquidity="0.2")
    assert await sdk.refused("new_order", **{**crossing, "time_in_force": "FOK"}) == -5021
    words = {**crossing, "time_in_force": "IOC", "new_order_resp_type": "RESULT"}
    told = await sdk.ask("new_order", **words)
    assert (told["status"], told["executedQty"]) == ("EXPIRED", "0.2")
    frames = await ear.until(5)
    assert ear.words[-1] == "ORDER EXPIRED/EXPIRED"
    assert frames[-1]["o"]["er"] == "2"
    resting = await sdk.ask("new_order", **{**limit_words(9_000), "time_in_force": "GTX"})
    assert resting["timeInForce"] == "GTX"


async def test_case_14_reduce_only_never_turns_a_position(sdk: Sdk) -> None:
    """-2022 when flat; more than the position fills only the position."""
    close = {"symbol": BTC, "side": "SELL", "type": "MARKET", "reduce_only": "true"}
    assert await sdk.refused("new_order", quantity=0.1, **close) == -2022
    await sdk.buy(0.1)
    await sdk.ask("new_order", quantity=0.5, **close)
    assert await sdk.ask("position_information_v3", symbol=BTC) == []


@pytest.mark.filterwarnings(
    # The SDK opens its WebSocket API with a form of the timeout that aiohttp has given up.
    "ignore:parameter 'timeout' of type 'float' is deprecated:DeprecationWarning"
)
async def test_case_15_conditional_types_have_moved(sdk: Sdk) -> None:
    """-4120 on the order endpoint, in a batch (one element of a 200) and on the WebSocket API."""
    stop = {"symbol": BTC, "side": "BUY", "type": "STOP_MARKET", "quantity": "1"}
    assert await sdk.refused("new_order", **{**stop, "quantity": 1}) == -4120
    good = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": "0.1"}
    batch = await sdk.ask("place_multiple_orders", batch_orders=[stop, good])
    assert batch[0]["code"] == -4120
    assert batch[1]["status"] == "NEW"
    api = sdk.whole.websocket_api
    await api.create_connection()
    try:
        answer = await api.new_order(symbol=BTC, side="BUY", type="MARKET", quantity=0.1)
        assert answer.data().result.status == "NEW"
        answer = await api.new_order(symbol=BTC, side="BUY", type="STOP_MARKET", quantity=0.1)
        assert answer.data()["error"]["code"] == -4120
    finally:
        await api.close_connection(close_session=True)
