"""The pretend exchange over real sockets, spoken to in plain aiohttp: Binance's dialect."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.sandbox.exchange_server import ExchangeSandbox, serve_exchange
from bot.sandbox.faults import FaultPlan, FaultRates
from bot.sandbox.tape_instruments import instruments_for
from bot.sandbox.tape_walk import WalkTape
from bot.shell.clock import SystemClock, VirtualClock
from tests.sandbox.exchange_client import START_MS, Client, flat_tape, hear, hear_all, running

WARM_MS = START_MS + 20 * 60_000


def words(frames: list[Any]) -> list[str]:
    """Each user frame in one word."""
    told = []
    for frame in frames:
        name = frame["e"]
        if name == "ORDER_TRADE_UPDATE":
            name += f" {frame['o']['x']}"
        elif name == "ALGO_UPDATE":
            name += f" {frame['o']['caid']} {frame['o']['X']}"
        elif name == "ACCOUNT_UPDATE":
            name += f" {frame['a']['m']}"
        told.append(name)
    return told


async def test_door_checks_key_moment_and_signature(tmp_path: Path) -> None:
    """401 without or with a wrong key, -1102 without timestamp, -1021 when late, -1022 when off."""
    async with running(flat_tape(tmp_path)) as client:
        path = "/fapi/v3/balance"
        status, answer = await client.call("GET", path, key=False)
        assert (status, answer["code"]) == (401, -2014)
        client.sandbox.api_key, right = "other", client.sandbox.api_key
        status, answer = await client.call("GET", path)
        assert (status, answer["code"]) == (401, -2015)
        client.sandbox.api_key = right
        assert (await client.raw("GET", path, ""))[1]["code"] == -1102
        assert (await client.call("GET", path, timestamp=WARM_MS - 6000))[1]["code"] == -1021
        assert (await client.call("GET", path, timestamp=WARM_MS + 1500))[1]["code"] == -1021
        wrong = f"timestamp={WARM_MS}&signature={'0' * 64}"
        assert (await client.raw("GET", path, wrong))[1]["code"] == -1022
        status, answer = await client.call("GET", path)
        assert (status, answer[0]["balance"]) == (200, "10000")
        assert client.headers["X-Sandbox-Speed"] == "1"


async def test_signed_form_body_is_read(tmp_path: Path) -> None:
    """A POST may carry its parameters in the body; the signature covers query and body."""
    from bot.sandbox.exchange_keys import sign

    async with running(flat_tape(tmp_path)) as client:
        query = "symbol=BTCUSDT&side=BUY&type=MARKET"
        body = f"quantity=0.1&timestamp={WARM_MS}"
        signature = sign(client.sandbox.api_secret, (query + body).encode())
        status, answer = await client.raw(
            "POST", "/fapi/v1/order", query, body=f"{body}&signature={signature}".encode()
        )
        assert status == 200, answer


async def test_weight_and_order_headers_are_told(tmp_path: Path) -> None:
    """Each answer says what this clock minute has used; refused requests cost too."""
    async with running(flat_tape(tmp_path)) as client:
        await client.call("GET", "/fapi/v1/openOrders")
        assert client.headers["X-MBX-USED-WEIGHT-1M"] == "40"
        await client.call("GET", "/fapi/v1/klines", signed=False, symbol="NOPE", interval="1m")
        assert client.headers["X-MBX-USED-WEIGHT-1M"] == "45"
        await client.order("BUY", "0.1")
        assert client.headers["X-MBX-ORDER-COUNT-10S"] == "1"
        await client.turn("advance", ms=60_000)
        await client.call("GET", "/fapi/v1/ping", signed=False)
        assert client.headers["X-MBX-USED-WEIGHT-1M"] == "1"


async def test_market_order_acknowledges_before_it_shows_fills(tmp_path: Path) -> None:
    """ACK: 22 fields, NEW, no avgPrice; events in the real order; GET shows avgPrice."""
    async with running(flat_tape(tmp_path)) as client:
        stream = await client.user_stream()
        _, ack = await client.order("BUY", "0.1", newClientOrderId="entry-1")
        assert len(ack) == 22
        assert (ack["status"], ack["executedQty"], ack["cumQty"]) == ("NEW", "0", "0")
        assert not {"avgPrice", "cumQuote", "time"} & set(ack)
        frames = await hear_all(stream)
        assert words(frames) == [
            "ORDER_TRADE_UPDATE NEW",
            "TRADE_LITE",
            "ACCOUNT_UPDATE ORDER",
            "ORDER_TRADE_UPDATE TRADE",
        ]
        assert len({frame["T"] for frame in frames}) == 1
        trade = frames[-1]["o"]
        assert (trade["X"], trade["ap"], trade["n"]) == ("FILLED", "10001", "0.50005")
        assert frames[2]["a"]["B"][0]["wb"] == "9999.49995"
        named = {"symbol": "BTCUSDT", "origClientOrderId": "entry-1"}
        _, order = await client.call("GET", "/fapi/v1/order", **named)
        assert (order["avgPrice"], order["cumQuote"]) == ("10001", "1000.1")
        _, result = await client.order("SELL", "0.1", reduceOnly="true", newOrderRespType="RESULT")
        assert (result["status"], result["executedQty"]) == ("FILLED", "0.1")
        assert "avgPrice" not in result


async def test_books_agree_to_the_last_digit(tmp_path: Path) -> None:
    """Stream rp and n, userTrades, income and the wallet tell one sum."""
    async with running(flat_tape(tmp_path)) as client:
        stream = await client.user_stream()
        await client.order("BUY", "0.037")
        await client.turn("price", symbol="BTCUSDT", price="10107.3")
        await client.order("SELL", "0.014", reduceOnly="true")
        await client.turn("price", symbol="BTCUSDT", price="9888.8")
        await client.order("SELL", "0.023", reduceOnly="true")
        told = [f["o"] for f in await hear_all(stream) if f["e"] == "ORDER_TRADE_UPDATE"]
        from decimal import Decimal

        realised = sum(Decimal(o["rp"]) for o in told)
        fees = sum(Decimal(o["n"]) for o in told)
        # 0.014 x 10107.3 + 0.023 x 9888.8 - 0.037 x 10001
        assert realised == Decimal("-1.0924")
        _, trades = await client.call("GET", "/fapi/v1/userTrades", symbol="BTCUSDT")
        assert sum(Decimal(t["realizedPnl"]) for t in trades) == realised
        assert sum(Decimal(t["commission"]) for t in trades) == fees
        _, income = await client.call("GET", "/fapi/v1/income")
        assert sum(Decimal(row["income"]) for row in income) == realised - fees
        _, balance = await client.call("GET", "/fapi/v3/balance")
        assert Decimal(balance[0]["balance"]) == 10000 + realised - fees


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"symbol": "NOPEUSDT"}, -1121),
        ({"side": "HOLD"}, -1117),
        ({"type": "ICEBERG"}, -1116),
        ({"type": "STOP_MARKET", "stopPrice": "9000"}, -4120),
        ({"type": "LIMIT", "price": "9900"}, -1102),
        ({"type": "LIMIT", "price": "9900", "timeInForce": "NOW"}, -1115),
        ({"type": "LIMIT", "timeInForce": "GTC"}, -1102),
        ({"price": "9900"}, -1106),
        ({"quantity": "1e-1"}, -1100),
        ({"quantity": ""}, -1102),
        ({"quantity": "0"}, -4003),
        ({"quantity": "0.0015"}, -4023),
        ({"quantity": "0.004"}, -4164),
        ({"positionSide": "LONG"}, -4061),
        ({"reduceOnly": "true"}, -2022),
        ({"reduceOnly": "maybe"}, -1130),
        ({"newClientOrderId": "a b"}, -4015),
        ({"newClientOrderId": "x" * 37}, -4015),
        ({"quantity": "100"}, -2019),
    ],
)
async def test_bad_orders_have_their_real_codes(
    tmp_path: Path, params: dict[str, str], expected: int
) -> None:
    """HTTP 400 with the code, and nothing done."""
    async with running(flat_tape(tmp_path)) as client:
        named = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1", **params}
        status, answer = await client.call("POST", "/fapi/v1/order", **named)
        assert (status, answer["code"]) == (400, expected)
        assert (await client.look("truth"))["orders"] == []


async def test_client_ids_are_forgotten_once_filled(tmp_path: Path) -> None:
    """-4116 while open; two MARKET orders with one id are both filled."""
    async with running(flat_tape(tmp_path)) as client:
        await client.order("BUY", "0.1", price="9900", newClientOrderId="x" * 36)
        status, answer = await client.order("BUY", "0.1", newClientOrderId="x" * 36)
        assert (status, answer["code"]) == (400, -4116)
        for _ in range(2):
            assert (await client.order("BUY", "0.1", newClientOrderId="twice"))[0] == 200
        _, risk = await client.call("GET", "/fapi/v3/positionRisk", symbol="btcusdt")
        assert risk[0]["positionAmt"] == "0.2"
        assert "leverage" not in risk[0]
        _, old = await client.call("GET", "/fapi/v2/positionRisk", symbol="BTCUSDT")
        assert (old[0]["leverage"], old[0]["marginType"]) == ("20", "cross")
        gone = {"symbol": "BTCUSDT", "origClientOrderId": "twice"}
        assert (await client.call("DELETE", "/fapi/v1/order", **gone))[1]["code"] == -2011
        gone["origClientOrderId"] = "never"
        assert (await client.call("GET", "/fapi/v1/order", **gone))[1]["code"] == -2013


async def test_stop_lives_in_its_own_store_until_it_fires(tmp_path: Path) -> None:
    """The whole algo life cycle with its answers, its lists, its events and its sibling's end."""
    async with running(flat_tape(tmp_path)) as client:
        assert (await client.algo("STOP_MARKET", "9900"))[1]["code"] == -4509
        await client.order("BUY", "0.1")
        stream = await client.user_stream()
        _, stop = await client.algo("STOP_MARKET", "9900", clientAlgoId="sl")
        assert (stop["algoStatus"], stop["orderType"]) == ("NEW", "STOP_MARKET")
        assert (stop["timeInForce"], stop["quantity"]) == ("GTE_GTC", "0")
        assert (await client.algo("STOP_MARKET", "9800"))[1]["code"] == -4130
        assert (await client.algo("STOP_MARKET", "10100", quantity="0.1"))[1]["code"] == -2021
        await client.algo("TAKE_PROFIT_MARKET", "10300", clientAlgoId="tp")
        assert (await client.call("GET", "/fapi/v1/openOrders"))[1] == []
        waiting = (await client.call("GET", "/fapi/v1/openAlgoOrders"))[1]
        assert [row["clientAlgoId"] for row in waiting] == ["sl", "tp"]
        assert waiting[0]["actualOrderId"] == ""
        await hear_all(stream)
        await client.turn("price", symbol="BTCUSDT", price="9899.5")
        frames = await hear_all(stream)
        assert words(frames) == [
            "ALGO_UPDATE sl TRIGGERING",
            "ORDER_TRADE_UPDATE NEW",
            "ALGO_UPDATE sl TRIGGERED",
            "TRADE_LITE",
            "ACCOUNT_UPDATE ORDER",
            "ORDER_TRADE_UPDATE TRADE",
            "ALGO_UPDATE sl FINISHED",
            "ALGO_UPDATE tp EXPIRED",
        ]
        child = frames[1]["o"]
        assert (child["c"], child["o"]) == ("sl", "MARKET")
        assert frames[2]["o"]["ai"] == str(child["i"])
        record = (await client.call("GET", "/fapi/v1/algoOrder", clientAlgoId="sl"))[1]
        assert (record["algoStatus"], record["actualPrice"]) == ("FINISHED", "9899.5")
        assert (await client.call("GET", "/fapi/v1/openAlgoOrders"))[1] == []
        late = await client.call("DELETE", "/fapi/v1/algoOrder", clientAlgoId="sl")
        assert late[1]["code"] == -2011
        unknown = await client.call("GET", "/fapi/v1/algoOrder", clientAlgoId="never")
        assert unknown[1]["code"] == -2013
        history = (await client.call("GET", "/fapi/v1/allAlgoOrders", symbol="BTCUSDT"))[1]
        assert [row["algoStatus"] for row in history] == ["FINISHED", "EXPIRED"]


async def test_cancels_answer_in_their_own_ways(tmp_path: Path) -> None:
    """algoOrder says code "200" as text; cancel-all calls leave the other store alone."""
    async with running(flat_tape(tmp_path)) as client:
        await client.order("BUY", "0.1")
        await client.order("BUY", "0.1", price="9900", newClientOrderId="rest")
        await client.algo("STOP_MARKET", "9800", clientAlgoId="sl")
        answer = (await client.call("DELETE", "/fapi/v1/allOpenOrders", symbol="BTCUSDT"))[1]
        assert answer["code"] == 200
        assert len((await client.call("GET", "/fapi/v1/openAlgoOrders"))[1]) == 1
        answer = (await client.call("DELETE", "/fapi/v1/algoOrder", clientAlgoId="sl"))[1]
        assert answer["code"] == "200"
        await client.algo("STOP_MARKET", "9800", clientAlgoId="sl")
        answer = (await client.call("DELETE", "/fapi/v1/algoOpenOrders", symbol="BTCUSDT"))[1]
        assert answer["code"] == 200
        statuses = [row["status"] for row in (await client.call("GET", "/fapi/v1/allOrders"))[1]]
        assert statuses == ["FILLED", "CANCELED"]


async def test_settings_of_the_account_have_their_codes(tmp_path: Path) -> None:
    """Leverage, margin type and position mode: what is already so is said so."""
    async with running(flat_tape(tmp_path)) as client:
        stream = await client.user_stream()
        named = {"symbol": "BTCUSDT", "leverage": 50}
        _, answer = await client.call("POST", "/fapi/v1/leverage", **named)
        assert (answer["leverage"], answer["maxNotionalValue"]) == (50, "12000000")
        assert (await hear(stream))["ac"] == {"s": "BTCUSDT", "l": 50}
        named["leverage"] = 126
        assert (await client.call("POST", "/fapi/v1/leverage", **named))[1]["code"] == -4028
        same = {"symbol": "BTCUSDT", "marginType": "CROSSED"}
        assert (await client.call("POST", "/fapi/v1/marginType", **same))[1]["code"] == -4046
        same["marginType"] = "ISOLATED"
        assert (await client.call("POST", "/fapi/v1/marginType", **same))[1]["code"] == 200
        _, rows = await client.call("GET", "/fapi/v1/symbolConfig", symbol="BTCUSDT")
        assert (rows[0]["leverage"], rows[0]["marginType"]) == (50, "ISOLATED")
        dual = "/fapi/v1/positionSide/dual"
        assert (await client.call("POST", dual, dualSidePosition="false"))[1]["code"] == -4059
        _, keys = await client.call("GET", "/sapi/v1/account/apiRestrictions")
        assert (keys["enableFutures"], keys["enableWithdrawals"]) == (True, False)


async def test_klines_reach_up_to_the_open_bar(tmp_path: Path) -> None:
    """History, aggregated timeframes and the moving bar; wrong intervals and limits are refused."""
    async with running(flat_tape(tmp_path)) as client:
        named = {"symbol": "BTCUSDT", "interval": "1m", "limit": 3}
        _, rows = await client.call("GET", "/fapi/v1/klines", signed=False, **named)
        assert [row[0] for row in rows] == [WARM_MS - 60_000 * i for i in (3, 2, 1)]
        await client.turn("advance", ms=30_000)
        _, rows = await client.call("GET", "/fapi/v1/klines", signed=False, **named)
        assert (rows[-1][0], rows[-1][4]) == (WARM_MS, "9999.0")
        assert len(rows[-1]) == 12
        for wrong, code in (({"interval": "1s"}, -1120), ({"limit": 1501}, -1130)):
            answer = await client.call("GET", "/fapi/v1/klines", signed=False, **{**named, **wrong})
            assert answer[1]["code"] == code
        _, info = await client.call("GET", "/fapi/v1/exchangeInfo", signed=False)
        kinds = [one["filterType"] for one in info["symbols"][0]["filters"]]
        assert "MIN_NOTIONAL" in kinds
        assert "MAX_NUM_ALGO_ORDERS" not in kinds
        status, _ = await client.call("GET", "/fapi/v1/nothing", signed=False)
        assert status == 404


async def test_market_streams_are_routed_and_the_unrouted_one_is_silent(tmp_path: Path) -> None:
    """Every SUBSCRIBE is acknowledged; only the right route delivers; un-routed is public only."""
    async with running(flat_tape(tmp_path)) as client:
        names = ["btcusdt@kline_1m", "BTCUSDT@kline_1m", "btcusdt@bookTicker"]
        sockets = {}
        for path in ("/market/ws", "/public/ws", "/ws", "/market/stream"):
            sockets[path] = await client.listen(path)
            await sockets[path].send_json({"method": "SUBSCRIBE", "params": names, "id": 1})
            assert await hear(sockets[path]) == {"result": None, "id": 1}
        await client.turn("advance", ms=60_000 - 1)
        market = await hear_all(sockets["/market/ws"])
        assert [(f["e"], f["k"]["x"]) for f in market] == [("kline", False)] * 3 + [("kline", True)]
        assert market[-1]["E"] == WARM_MS + 59_999
        wrapped = await hear_all(sockets["/market/stream"])
        assert {f["stream"] for f in wrapped} == {"btcusdt@kline_1m"}
        for path in ("/public/ws", "/ws"):
            assert {f["e"] for f in await hear_all(sockets[path])} == {"bookTicker"}
        await sockets["/market/ws"].send_json({"method": "UNSUBSCRIBE", "params": names, "id": 2})
        await client.turn("advance", ms=60_000)
        assert await hear_all(sockets["/market/ws"]) == [{"result": None, "id": 2}]


async def test_orders_are_matched_before_the_price_is_shown(tmp_path: Path) -> None:
    """At the kline frame that shows the price, the order it fills is already filled."""
    async with running(flat_tape(tmp_path)) as client:
        await client.order("BUY", "0.1", price="9999", newClientOrderId="dip")
        market = await client.listen("/market/ws/btcusdt@kline_1m")
        await client.turn("advance", ms=20_000)
        frames = await hear_all(market)
        assert frames[-1]["k"]["c"] == "9999.0"
        truth = await client.look("truth")
        assert truth["fills"][0]["time"] == frames[-1]["E"]


async def test_control_frames_answer_and_refuse(tmp_path: Path) -> None:
    """Properties, lists, errors; the eleventh frame in a second closes the socket with 1008."""
    async with running(flat_tape(tmp_path)) as client:
        ws = await client.listen("/market/ws")
        for command, expected in (
            ({"method": "LIST_SUBSCRIPTIONS", "id": "ab"}, {"result": [], "id": "ab"}),
            (
                {"method": "SET_PROPERTY", "params": ["combined", True], "id": 1},
                {"result": None, "id": 1},
            ),
            (
                {"method": "GET_PROPERTY", "params": ["combined"], "id": 2},
                {"result": True, "id": 2},
            ),
        ):
            await ws.send_json(command)
            assert await hear(ws) == expected
        for bad in ("{", "[]", '{"method": "SUBSCRIBE"}', '{"method": "DANCE", "id": 1}'):
            await ws.send_str(bad)
            assert "error" in await hear(ws)
        for number in range(10):
            await ws.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
        while (message := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
            pass
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert message.data == 1008


async def test_listen_key_expires_and_the_socket_goes_mute(tmp_path: Path) -> None:
    """listenKeyExpired, then silence on an open socket; PUT on the dead key is -1125."""
    async with running(flat_tape(tmp_path)) as client:
        status, _ = await client.call("POST", "/fapi/v1/listenKey", signed=False, key=False)
        assert status == 401
        stream = await client.user_stream()
        bogus = await client.listen("/private/ws?listenKey=nonsense")
        await client.turn("advance", ms=60 * 60_000)
        assert (await hear(stream))["e"] == "listenKeyExpired"
        await client.order("BUY", "0.1")
        assert await hear_all(stream) == []
        assert await hear_all(bogus) == []
        dead = await client.call("PUT", "/fapi/v1/listenKey", signed=False)
        assert dead[1]["code"] == -1125


async def test_private_stream_takes_event_filters_and_the_wrapped_form(tmp_path: Path) -> None:
    """`events=` chooses; `/private/stream` wraps with the key; SUBSCRIBE [key] works too."""
    async with running(flat_tape(tmp_path)) as client:
        key = (await client.call("POST", "/fapi/v1/listenKey", signed=False))[1]["listenKey"]
        chosen = await client.listen(f"/private/ws?listenKey={key}&events=TRADE_LITE")
        wrapped = await client.listen("/private/stream")
        await wrapped.send_json({"method": "SUBSCRIBE", "params": [key], "id": 7})
        assert (await hear(wrapped))["id"] == 7
        await client.order("BUY", "0.1")
        assert words(await hear_all(chosen)) == ["TRADE_LITE"]
        frames = await hear_all(wrapped)
        assert {f["stream"] for f in frames} == {key}
        assert len(frames) == 4


async def test_what_is_done_to_a_trader_shows_on_the_stream(tmp_path: Path) -> None:
    """A hand, a deleveraging and a liquidation arrive as foreign fills."""
    async with running(flat_tape(tmp_path)) as client:
        await client.order("BUY", "0.3")
        stream = await client.user_stream()
        await client.turn("close", symbol="BTCUSDT", quantity="0.1")
        await client.turn("adl", symbol="BTCUSDT", quantity="0.1")
        await client.turn("liquidate", symbol="BTCUSDT")
        frames = await hear_all(stream)
        fills = [f["o"] for f in frames if f["e"] == "ORDER_TRADE_UPDATE" and f["o"]["t"]]
        assert [o["x"] for o in fills] == ["TRADE", "CALCULATED", "CALCULATED"]
        assert fills[0]["c"].startswith("web_")
        assert (fills[1]["c"], fills[1]["o"]) == ("adl_autoclose", "LIQUIDATION")
        assert fills[2]["c"].startswith("autoclose-")
        assert (await client.look("truth"))["positions"] == []


async def expect_cut(client: Client, **order: Any) -> None:
    """The connection ends without an answer."""
    with pytest.raises(aiohttp.ClientError):
        await client.order("BUY", "0.1", **order)


async def test_injected_faults_do_what_they_say(tmp_path: Path) -> None:
    """Each one-shot fault: the answer, and whether the order exists afterwards."""
    async with running(flat_tape(tmp_path)) as client:
        cases = [
            ({"fault": "503_unknown", "executed": True}, 503, -1000, True),
            ({"fault": "503_unknown", "executed": False}, 503, -1000, False),
            ({"fault": "503_unavailable"}, 503, -1000, False),
            ({"fault": "503_internal"}, 503, -1001, False),
            ({"fault": "throttle"}, 503, -1008, False),
            ({"fault": "-1007", "executed": True}, 408, -1007, True),
            ({"fault": "429", "retry_after_s": 7}, 429, -1003, False),
            ({"fault": "418"}, 418, -1003, False),
            ({"fault": "refuse", "code": -2019, "text": "no"}, 400, -2019, False),
        ]
        for number, (fault, status, code, exists) in enumerate(cases):
            await client.turn("inject", path="/fapi/v1/order", method="POST", **fault)
            name = f"case{number}"
            got, answer = await client.order("BUY", "0.1", newClientOrderId=name)
            assert (got, answer["code"]) == (status, code), fault
            if status == 429:
                assert client.headers["Retry-After"] == "7"
            named = {"symbol": "BTCUSDT", "origClientOrderId": name}
            found, _ = await client.call("GET", "/fapi/v1/order", **named)
            assert (found == 200) is exists, fault
        await client.turn("inject", fault="throttle")
        assert (await client.order("SELL", "0.1", reduceOnly="true"))[0] == 200
        await client.turn("inject", fault="lost_answer")
        await expect_cut(client, newClientOrderId="done")
        await client.turn("inject", fault="lost_request")
        await expect_cut(client, newClientOrderId="undone")
        ids = [o["clientOrderId"] for o in (await client.look("truth"))["orders"]]
        assert "done" in ids
        assert "undone" not in ids
        asked = await client.look("received", path="/fapi/v1/order", method="POST")
        assert asked[-1]["params"]["newClientOrderId"] == "undone"


async def test_unanswered_request_is_executed_and_silent(tmp_path: Path) -> None:
    """A timeout holds the line; the order exists all the same."""
    async with running(flat_tape(tmp_path)) as client:
        await client.turn("inject", fault="timeout", executed=True)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.order("BUY", "0.1"), 0.2)
        assert len((await client.look("truth"))["orders"]) == 1


async def test_stream_faults_drop_double_delay_and_cut(tmp_path: Path) -> None:
    """One event lost, one twice, one late, and the socket gone."""
    async with running(flat_tape(tmp_path)) as client:
        stream = await client.user_stream()
        await client.turn("inject", fault="ws_drop", event="TRADE_LITE")
        await client.turn("inject", fault="ws_duplicate", event="ACCOUNT_UPDATE")
        await client.order("BUY", "0.1")
        names = [f["e"] for f in await hear_all(stream)]
        assert names.count("TRADE_LITE") == 0
        assert names.count("ACCOUNT_UPDATE") == 2
        await client.turn("inject", fault="ws_delay", event="TRADE_LITE", delay_ms=30)
        await client.order("BUY", "0.1")
        assert "TRADE_LITE" not in [f["e"] for f in await hear_all(stream)]
        assert (await hear(stream))["e"] == "TRADE_LITE"
        assert (await client.turn("inject", fault="ws_cut", route="private"))["cut"] == 1
        assert (await stream.receive()).type in (
            aiohttp.WSMsgType.CLOSED,
            aiohttp.WSMsgType.ERROR,
            aiohttp.WSMsgType.CLOSE,
        )


async def test_unknown_controls_are_refused_with_words(tmp_path: Path) -> None:
    """A wrong fault, symbol or route says what is allowed."""
    async with running(flat_tape(tmp_path)) as client:
        base = f"{client.sandbox.rest}/sandbox"
        for path, body in (
            ("inject", {"fault": "meteor"}),
            ("inject", {"fault": "refuse", "code": "x"}),
            ("price", {"symbol": "NOPE", "price": "1"}),
            ("price", {"symbol": "BTCUSDT", "price": "nan"}),
            ("price", {"symbol": "BTCUSDT", "price": "0"}),
            ("adl", {"symbol": "BTCUSDT", "quantity": "-1"}),
            ("funding", {"symbol": "BTCUSDT", "rate": "0.01", "interval_ms": 0}),
            ("advance", {"ms": -1}),
        ):
            async with client.session.post(f"{base}/{path}", json=body) as answer:
                assert answer.status == 400, path
                assert (await answer.json())["error"]
        async with client.session.post(f"{base}/nothing") as answer:
            assert answer.status == 404


async def test_only_this_machine_may_ask(tmp_path: Path) -> None:
    """A foreign Host or Origin is turned away: a page elsewhere cannot drive the sandbox."""
    async with running(flat_tape(tmp_path)) as client:
        url = f"{client.sandbox.rest}/sandbox/state"
        for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
            async with client.session.get(url, headers=headers) as answer:
                assert answer.status == 403
        async with client.session.get(url, headers={"Origin": "http://localhost:1"}) as answer:
            assert answer.status == 200


async def test_tape_ends_and_the_exchange_goes_on(tmp_path: Path) -> None:
    """After the last bar prices stand; orders are still taken and the state says so."""
    async with running(flat_tape(tmp_path, minutes=22)) as client:
        await client.turn("advance", ms=10 * 60_000)
        state = await client.look("state")
        assert (state["ended"], state["rows_played"]) == (True, 22)
        assert state["now_ms"] == WARM_MS + 10 * 60_000
        assert (await client.order("BUY", "0.1"))[0] == 200


async def test_tape_runs_by_itself_at_speed() -> None:
    """With a real clock market time moves `speed` times the wall's, and closed bars arrive."""
    clock = SystemClock()
    async with running(WalkTape(1, ("BTCUSDT",)), clock=clock, speed=2000.0) as client:
        ws = await client.listen("/market/ws/btcusdt@kline_1m")
        closed = []
        while len(closed) < 5:
            frame = await hear(ws)
            if frame["k"]["x"]:
                closed.append(frame["k"]["t"])
        assert [b - a for a, b in pairwise(closed)] == [60_000] * 4
        status, _ = await client.call("GET", "/fapi/v3/balance", timestamp=clock.now_ms())
        assert status == 200
        assert client.headers["X-Sandbox-Speed"] == "2000"


async def test_fault_plan_troubles_requests_until_healed(tmp_path: Path) -> None:
    """Every answer lost, until `/sandbox/heal`; what was asked was done."""
    plan = FaultPlan(1, FaultRates(lose_answer=1.0))
    async with running(flat_tape(tmp_path), clock=VirtualClock(), faults=plan) as client:
        await expect_cut(client, newClientOrderId="lost")
        await client.turn("heal")
        assert (await client.order("SELL", "0.1", reduceOnly="true"))[0] == 200
        assert len((await client.look("truth"))["orders"]) == 2


async def test_rubbish_is_answered_and_does_no_harm(tmp_path: Path) -> None:
    """Bytes that are no text, no numbers or no parameters: an error code, never a broken server."""
    async with running(flat_tape(tmp_path)) as client:
        await client.order("BUY", "0.1")
        for query in (
            "symbol=%FF%FE&side=BUY",
            "&&&===&&",
            "symbol=" + "A" * 5000,
            "timestamp=99999999999999999999&signature=%00",
            "limit=-9999999999999999999&symbol=BTCUSDT&interval=1m",
        ):
            for method, path in (
                ("POST", "/fapi/v1/order"),
                ("GET", "/fapi/v1/klines"),
                ("GET", "/fapi/v1/userTrades"),
            ):
                status, answer = await client.raw(method, path, query)
                assert 400 <= status < 500, (query, path)
                assert answer["code"] < 0
        named = {"symbol": "BTCUSDT", "interval": "1d", "startTime": 10**18, "limit": 5}
        assert (await client.call("GET", "/fapi/v1/klines", signed=False, **named))[1] == []
        huge = {"quantity": "9" * 20 + "." + "9" * 20, "price": "0." + "0" * 19 + "1"}
        assert (await client.order("BUY", **huge))[1]["code"] == -4005
        assert (await client.call("GET", "/fapi/v3/balance"))[0] == 200


async def test_serving_ends_in_order_when_cancelled(tmp_path: Path) -> None:
    """`serve_exchange` runs until cancelled and leaves nothing open."""
    tape = flat_tape(tmp_path)
    sandbox = ExchangeSandbox(
        tape=tape,
        instruments=instruments_for(tape.first_prices),
        clock=SystemClock(),
        speed=100.0,
        history_bars=20,
    )
    task = asyncio.create_task(serve_exchange(sandbox))
    while not sandbox.rest:
        await asyncio.sleep(0.01)
    url = f"{sandbox.rest}/fapi/v1/time"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
