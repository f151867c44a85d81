"""Cases 16 to 22: the life of conditional orders."""

from tests.sandbox.conformance.world import BTC, Ear, Sdk, limit_words


async def test_case_16_a_stop_lives_in_its_own_store(sdk: Sdk, ear: Ear) -> None:
    """NEW, GTE_GTC, quantity 0; told as ALGO_UPDATE; in openAlgoOrders and not in openOrders."""
    await sdk.buy()
    stop = await sdk.algo(client_algo_id="sl")
    assert (stop["algoStatus"], stop["timeInForce"], stop["quantity"]) == ("NEW", "GTE_GTC", "0")
    await ear.until(5)
    assert ear.words[-1] == "ALGO NEW"
    assert await sdk.ask("current_all_open_orders") == []
    waiting = await sdk.ask("current_all_algo_open_orders", symbol=BTC)
    assert [row["clientAlgoId"] for row in waiting] == ["sl"]


async def test_case_17_one_closing_stop_and_one_target(sdk: Sdk) -> None:
    """-4509 when flat; a second stop of the direction -4130; a target beside it is welcome."""
    assert await sdk.algo_refused("STOP_MARKET", 9_900) == -4509
    await sdk.buy()
    await sdk.algo()
    assert await sdk.algo_refused("STOP_MARKET", 9_800) == -4130
    assert (await sdk.algo("TAKE_PROFIT_MARKET", 10_300))["algoStatus"] == "NEW"


async def test_case_18_trigger_on_the_wrong_side(sdk: Sdk) -> None:
    """-2021, for stops, targets and the activation of a trailing stop."""
    await sdk.buy()
    assert await sdk.algo_refused("STOP_MARKET", 10_100) == -2021
    assert await sdk.algo_refused("TAKE_PROFIT_MARKET", 9_900) == -2021
    trailing = {
        "algo_type": "CONDITIONAL",
        "symbol": BTC,
        "side": "SELL",
        "type": "TRAILING_STOP_MARKET",
        "quantity": 0.1,
        "reduce_only": "true",
    }
    words = {**trailing, "callback_rate": 1, "activate_price": 9_900}
    assert await sdk.refused("new_algo_order", **words) == -2021


async def test_case_19_the_mark_fires_a_stop(sdk: Sdk, ear: Ear) -> None:
    """TRIGGERING, the child under the stop's own id, TRIGGERED, FINISHED; then it is gone."""
    await sdk.buy()
    await sdk.algo(client_algo_id="sl", working_type="MARK_PRICE")
    await ear.until(5)
    await sdk.turn("price", symbol=BTC, mark="9899")
    frames = await ear.until(12)
    assert ear.words[5:] == [
        "ALGO TRIGGERING",
        "ORDER NEW/NEW",
        "ALGO TRIGGERED",
        "TradeLite",
        "ACCOUNT ORDER",
        "ORDER TRADE/FILLED",
        "ALGO FINISHED",
    ]
    child = frames[6]["o"]
    assert child["c"] == "sl"
    assert frames[7]["o"]["ai"] == str(child["i"])
    assert child["i"] in [row["orderId"] for row in await sdk.ask("all_orders", symbol=BTC)]
    assert await sdk.ask("current_all_algo_open_orders", symbol=BTC) == []
    assert await sdk.refused("cancel_algo_order", client_algo_id="sl") == -2011
    record = await sdk.ask("query_algo_order", client_algo_id="sl")
    assert (record["algoStatus"], record["actualOrderId"]) == ("FINISHED", str(child["i"]))


async def test_case_20_a_closed_position_takes_its_stops_along(sdk: Sdk, ear: Ear) -> None:
    """Closing by other means expires the closePosition orders, each told."""
    await sdk.buy()
    await sdk.algo()
    await sdk.algo("TAKE_PROFIT_MARKET", 10_300)
    await sdk.ask("new_order", symbol=BTC, side="SELL", type="MARKET", quantity=0.1)
    await ear.until(12)
    assert ear.words[-2:] == ["ALGO EXPIRED", "ALGO EXPIRED"]
    history = await sdk.ask("query_all_algo_orders", symbol=BTC)
    assert [row["algoStatus"] for row in history] == ["EXPIRED", "EXPIRED"]


async def test_case_21_cancelling_a_conditional_order(sdk: Sdk) -> None:
    """The answer's code is the text "200"; an unknown one is -2011."""
    await sdk.buy()
    await sdk.algo(client_algo_id="sl")
    assert (await sdk.ask("cancel_algo_order", client_algo_id="sl"))["code"] == "200"
    assert await sdk.refused("cancel_algo_order", client_algo_id="never") == -2011


async def test_case_22_two_stores_two_ways_to_empty_them(sdk: Sdk) -> None:
    """allOpenOrders cancels the limit and leaves the stop; algoOpenOrders takes the stop."""
    await sdk.buy()
    await sdk.ask("new_order", **limit_words(9_000, new_client_order_id="rest"))
    await sdk.algo()
    assert (await sdk.ask("cancel_all_open_orders", symbol=BTC))["code"] == 200
    order = await sdk.ask("query_order", symbol=BTC, orig_client_order_id="rest")
    assert order["status"] == "CANCELED"
    assert len(await sdk.ask("current_all_algo_open_orders")) == 1
    await sdk.ask("cancel_all_algo_open_orders", symbol=BTC)
    assert await sdk.ask("current_all_algo_open_orders") == []


async def test_limit_and_trailing_variants(sdk: Sdk, ear: Ear) -> None:
    """A STOP's child is a LIMIT that may rest; a trailing stop follows the best price down."""
    await sdk.buy(0.2)
    words = {"quantity": 0.1, "reduce_only": "true"}
    await sdk.algo("STOP", 9_900, price=9_950, client_algo_id="limit", **words)
    trailing = {
        "algo_type": "CONDITIONAL",
        "symbol": BTC,
        "side": "SELL",
        "type": "TRAILING_STOP_MARKET",
        "callback_rate": 1,
        "activate_price": 10_100,
        "client_algo_id": "trail",
        **words,
    }
    await sdk.ask("new_algo_order", **trailing)
    # 10,200 x 0.99 = 10,098: 10,100 is not low enough, 10,097 is.
    for price in ("10050", "10150", "10200", "10100"):
        await sdk.turn("price", symbol=BTC, price=price)
    record = await sdk.ask("query_algo_order", client_algo_id="trail")
    assert record["algoStatus"] == "NEW"
    await sdk.turn("price", symbol=BTC, price="10097")
    record = await sdk.ask("query_algo_order", client_algo_id="trail")
    assert (record["algoStatus"], record["actualPrice"]) == ("FINISHED", "10097")
    await sdk.turn("price", symbol=BTC, price="9900")
    record = await sdk.ask("query_algo_order", client_algo_id="limit")
    assert (record["algoStatus"], record["actualType"]) == ("TRIGGERED", "LIMIT")
    resting = await sdk.ask("query_order", symbol=BTC, orig_client_order_id="limit")
    assert (resting["status"], resting["type"], resting["price"]) == ("NEW", "LIMIT", "9950")
    await sdk.turn("price", symbol=BTC, price="9950")
    record = await sdk.ask("query_algo_order", client_algo_id="limit")
    assert record["algoStatus"] == "FINISHED"
    activated = [f["o"]["ia"] for f in ear.frames if f["e"] == "AlgoUpdate"]
    assert activated[:3] == [False, False, True]
