"""Cases 23, 27, 29, 31 and 32: modes, truncation, foreign fills, countdowns, and amendments."""

import pytest

from tests.sandbox.conformance.world import BTC, Ear, Sdk, limit_words


async def test_case_23_modes_and_what_blocks_them(sdk: Sdk) -> None:
    """What is so already is said so; an open order, then a position, block the position mode."""
    assert await sdk.refused("change_margin_type", symbol=BTC, margin_type="CROSSED") == -4046
    assert await sdk.refused("change_position_mode", dual_side_position="false") == -4059
    await sdk.ask("new_order", **limit_words(9_000))
    assert await sdk.refused("change_position_mode", dual_side_position="true") == -4067
    await sdk.ask("cancel_all_open_orders", symbol=BTC)
    await sdk.buy()
    assert await sdk.refused("change_position_mode", dual_side_position="true") == -4068


async def test_case_27_truncation_keeps_opposite_ends(sdk: Sdk) -> None:
    """With a limit, userTrades keeps the oldest rows and allOrders the newest."""
    placed = [(await sdk.buy())["orderId"] for _ in range(3)]
    trades = await sdk.ask("account_trade_list", symbol=BTC, limit=2)
    assert [row["orderId"] for row in trades] == placed[:2]
    orders = await sdk.ask("all_orders", symbol=BTC, limit=2)
    assert [row["orderId"] for row in orders] == placed[1:]


@pytest.mark.parametrize(
    ("route", "prefix"),
    [("liquidate", "autoclose-"), ("adl", "adl_autoclose"), ("settle", "settlement_autoclose-")],
)
async def test_case_29_fills_the_exchange_makes_itself(
    sdk: Sdk, ear: Ear, route: str, prefix: str
) -> None:
    """They come with a foreign client id and an unknown number, and take the position away."""
    await sdk.buy()
    await ear.until(4)
    await sdk.turn(route, symbol=BTC)
    frames = await ear.until(8)
    told = frames[7]["o"]
    assert told["c"].startswith(prefix)
    assert (told["x"], told["X"], told["o"]) == ("CALCULATED", "FILLED", "LIQUIDATION")
    assert frames[6]["a"]["P"][0]["pa"] == "0"
    assert await sdk.ask("position_information_v3", symbol=BTC) == []


async def test_case_31_hedge_mode_needs_a_side(sdk: Sdk, ear: Ear) -> None:
    """-4061 without one; two books that do not net; closing by side; reduceOnly is unwanted."""
    await sdk.ask("change_position_mode", dual_side_position="true")
    assert (await sdk.ask("get_current_position_mode"))["dualSidePosition"] is True
    words = {"symbol": BTC, "type": "MARKET", "quantity": 0.1}
    assert await sdk.refused("new_order", side="BUY", **words) == -4061
    await sdk.ask("new_order", side="BUY", position_side="LONG", **words)
    await sdk.ask("new_order", side="SELL", position_side="SHORT", **{**words, "quantity": 0.2})
    rows = await sdk.ask("position_information_v3", symbol=BTC)
    held = {row["positionSide"]: row["positionAmt"] for row in rows}
    assert held == {"LONG": "0.1", "SHORT": "-0.2"}
    frames = await ear.until(8)
    assert frames[6]["a"]["P"][0]["ps"] == "SHORT"
    named = {**words, "side": "SELL", "position_side": "LONG"}
    assert await sdk.refused("new_order", reduce_only="true", **named) == -1106
    assert await sdk.refused("new_order", **{**named, "quantity": 0.3}) == -2022
    stop = await sdk.algo(position_side="LONG")
    assert (stop["positionSide"], stop["closePosition"]) == ("LONG", True)
    assert await sdk.algo_refused("STOP_MARKET", 9_900, position_side="SHORT") == -4509
    await sdk.turn("price", symbol=BTC, price="9899")
    rows = await sdk.ask("position_information_v3", symbol=BTC)
    assert [row["positionSide"] for row in rows] == ["SHORT"]
    trades = await sdk.ask("account_trade_list", symbol=BTC)
    assert [row["positionSide"] for row in trades] == ["LONG", "SHORT", "LONG"]
    assert await sdk.refused("change_position_mode", dual_side_position="false") == -4068


async def test_case_32_the_countdown_takes_orders_and_leaves_stops(sdk: Sdk) -> None:
    """Renewed it waits, left alone it cancels the symbol's orders; conditional ones stay."""
    await sdk.buy()
    await sdk.algo()
    await sdk.ask("new_order", **limit_words(9_000))
    words = {"symbol": BTC, "countdown_time": 5_000}
    told = await sdk.ask("auto_cancel_all_open_orders", **words)
    assert told == {"symbol": BTC, "countdownTime": "5000"}
    await sdk.turn("advance", ms=4_000)
    await sdk.ask("auto_cancel_all_open_orders", **words)
    await sdk.turn("advance", ms=4_000)
    assert len(await sdk.ask("current_all_open_orders")) == 1
    await sdk.turn("advance", ms=1_000)
    assert await sdk.ask("current_all_open_orders") == []
    assert len(await sdk.ask("current_all_algo_open_orders")) == 1


async def test_amendments_have_their_rules(sdk: Sdk, ear: Ear) -> None:
    """-5027 for no change, -5047 for a reduce-only claim, AMENDMENT with its id, GTX cancelled."""
    placed = await sdk.ask("new_order", **limit_words(9_000))
    words = {"symbol": BTC, "side": "BUY", "quantity": 0.1, "order_id": placed["orderId"]}
    assert await sdk.refused("modify_order", price=9_000, **words) == -5027
    assert await sdk.refused("modify_order", price=9_100, reduce_only="true", **words) == -5047
    told = await sdk.ask("modify_order", price=9_100, modify_id=7, **words)
    assert (told["orderId"], told["price"]) == (placed["orderId"], "9100")
    frames = await ear.until(2)
    assert (ear.words[-1], frames[-1]["o"]["M"]) == ("ORDER AMENDMENT/NEW", "7")
    maker = await sdk.ask("new_order", **{**limit_words(9_200), "time_in_force": "GTX"})
    words["order_id"] = maker["orderId"]
    told = await sdk.ask("modify_order", price=10_100, **words)
    assert told["status"] == "CANCELED"
    assert await sdk.refused("modify_order", price=10_000, **words) == -2013
    market = await sdk.ask(
        "modify_multiple_orders",
        batch_orders=[
            {
                "symbol": BTC,
                "side": "BUY",
                "quantity": "0.1",
                "price": "9300",
                "orderId": placed["orderId"],
            },
            {"symbol": BTC, "side": "BUY", "quantity": "0.1", "price": "9300", "orderId": 1},
        ],
    )
    assert market[0]["price"] == "9300"
    assert market[1]["code"] == -2013


async def test_batches_dates_and_rehearsals(sdk: Sdk, ear: Ear) -> None:
    """DELETE of several answers each; a GTD order ends at its second; order/test places nothing."""
    placed = [(await sdk.ask("new_order", **limit_words(9_000)))["orderId"] for _ in range(2)]
    answers = await sdk.ask("cancel_multiple_orders", symbol=BTC, order_id_list=[*placed, 1])
    assert [row.get("status", row.get("code")) for row in answers] == [
        "CANCELED",
        "CANCELED",
        -2011,
    ]
    now_ms = sdk.raw.sandbox.now_ms()
    dated = {**limit_words(9_000), "time_in_force": "GTD"}
    assert await sdk.refused("new_order", **dated, good_till_date=now_ms + 500_000) == -5040
    order = await sdk.ask("new_order", **dated, good_till_date=now_ms + 700_499)
    assert order["goodTillDate"] == now_ms + 700_000
    await sdk.turn("advance", ms=700_000)
    order = await sdk.ask("query_order", symbol=BTC, order_id=order["orderId"])
    assert order["status"] == "EXPIRED"
    before = len(await sdk.ask("all_orders", symbol=BTC))
    assert (await sdk.ask("test_order", **limit_words(9_000)))["orderId"] == 0
    assert await sdk.refused("test_order", **limit_words(9_000.05)) == -4014
    assert len(await sdk.ask("all_orders", symbol=BTC)) == before


async def test_funding_is_paid_and_told(sdk: Sdk, ear: Ear) -> None:
    """A crossed long pays mark x quantity x rate; the event names balance and symbol only."""
    await sdk.turn("funding", symbol=BTC, rate="0.001", interval_ms=60_000)
    await sdk.buy()
    await ear.until(4)
    await sdk.turn("advance", ms=60_000)
    frames = await ear.until(5)
    assert ear.words[4] == "ACCOUNT FUNDING_FEE"
    assert frames[4]["a"]["P"] == []
    rows = await sdk.ask("get_income_history", income_type="FUNDING_FEE")
    # 0.1 x about 10,000 x 0.001 = about 1
    assert -1.01 < float(rows[0]["income"]) < -0.99
