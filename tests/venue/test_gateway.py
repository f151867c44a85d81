"""Three outcomes of an order, against a scripted exchange: accepted, refused, unknown."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from bot.core.messages import (
    AskOrder,
    CancelOrder,
    EntriesHalted,
    Event,
    OrderMissing,
    OrderRefused,
    OrderReported,
    OrderUnknown,
    PlaceOrder,
    StreamLost,
    StreamRestored,
    TakeSnapshot,
    WalletSeen,
)
from bot.core.trade import Order, Role
from bot.shell.errors import SettingFault
from bot.venue.gateway import Gateway, GatewayOptions
from bot.venue.wire_frames import UserNews
from data.model import MarginType, OrderKind, OrderStatus, Side
from tests.venue.fake import NOW_MS, Handler, Script, client, cut, exchange, no, ok, wait_for

ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
ENTRY = Order(
    order_id="tb-e1",
    role=Role.ENTRY,
    attempt=1,
    symbol="BTCUSDT",
    side=Side.BUY,
    kind=OrderKind.MARKET,
    quantity=Decimal("0.5"),
)
STOP = replace(
    ENTRY,
    order_id="tb-s1",
    role=Role.STOP,
    side=Side.SELL,
    kind=OrderKind.STOP_MARKET,
    quantity=Decimal(0),
    trigger_price=Decimal(90),
    close_position=True,
)
PLACE_ENTRY, PLACE_STOP = PlaceOrder(order=ENTRY), PlaceOrder(order=STOP)
ASK_ENTRY = AskOrder(order_id="tb-e1", symbol="BTCUSDT", conditional=False)
ASK_STOP = AskOrder(order_id="tb-s1", symbol="BTCUSDT", conditional=True)
CANCEL_ENTRY = CancelOrder(order_id="tb-e1", symbol="BTCUSDT", conditional=False)
CANCEL_STOP = CancelOrder(order_id="tb-s1", symbol="BTCUSDT", conditional=True)
GONE = no(400, -2013, "Order does not exist.")


def _row(order_id: str = "tb-e1", status: str = "NEW", filled: str = "0", number: int = 42) -> Any:
    return {
        "clientOrderId": order_id,
        "orderId": number,
        "symbol": "BTCUSDT",
        "status": status,
        "executedQty": filled,
        "updateTime": NOW_MS,
    }


def _algo(status: str = "NEW", child: str = "", order_id: str = "tb-s1") -> Any:
    return {
        "algoId": 4000001910701524,
        "clientAlgoId": order_id,
        "symbol": "BTCUSDT",
        "algoStatus": status,
        "actualOrderId": child,
        "icebergQuantity": "null",
        "updateTime": NOW_MS,
    }


@asynccontextmanager
async def _gateway(
    script: Script, timeout_s: float = 5.0, told: list[Event] | None = None, **options: Any
) -> AsyncIterator[Gateway]:
    async with exchange(script) as url, client(url, timeout_s=timeout_s) as rest:
        yield Gateway(
            rest=rest,
            ws_url="ws://127.0.0.1:1",
            dice=Random(1),
            sink=(told if told is not None else []).append,
            options=GatewayOptions(**options),
        )


async def _place(command: PlaceOrder, *handlers: Handler, **others: Handler) -> Sequence[Event]:
    script = Script()
    script.on("POST", ALGO if command.order.conditional else ORDER, *handlers)
    _script_reads(script, others)
    async with _gateway(script) as gateway:
        return await gateway.perform(command)


def _script_reads(script: Script, others: dict[str, Handler]) -> None:
    paths = {
        "order": ORDER,
        "algo": ALGO,
        "open_algos": "/fapi/v1/openAlgoOrders",
        "all_algos": "/fapi/v1/allAlgoOrders",
    }
    for name, path in paths.items():
        script.on("GET", path, others.get(name, GONE))


def _report(event: Event) -> tuple[OrderStatus, Decimal, bool, int | None]:
    assert isinstance(event, OrderReported)
    report = event.report
    return report.status, report.filled_quantity, report.conditional, report.venue_order_id


# ------------------------------------------------------------------------------------ placing


async def test_an_accepted_entry_reports_what_was_filled() -> None:
    """The RESULT answer's own status and quantity, nothing assumed."""
    (event,) = await _place(PLACE_ENTRY, ok(_row(status="FILLED", filled="0.5")))
    assert _report(event) == (OrderStatus.FILLED, Decimal("0.5"), False, 42)


async def test_an_accepted_stop_is_reported_as_conditional() -> None:
    """Its answer has other names and no fill."""
    (event,) = await _place(PLACE_STOP, ok(_algo()))
    assert _report(event) == (OrderStatus.NEW, Decimal(0), True, None)


@pytest.mark.parametrize(
    "handler",
    [
        cut,
        no(503, None, "Unknown error, please check your request or try again later."),
        no(503, -1000, ""),
        no(500, None, "Request occur unknown error."),
        no(408, -1007, "Timeout waiting for response from backend server."),
        no(400, -1007, "Timeout"),
        no(400, None, "<html>what</html>"),
        ok({"nonsense": True}),
        ok([]),
        ok(_row(order_id="somebody-elses")),
        ok(_row(status="BRAND_NEW")),
    ],
)
async def test_no_usable_answer_is_unknown(handler: Handler) -> None:
    """A cut, a 5xx, an unreadable or a foreign answer: nobody can say."""
    for command in (PLACE_ENTRY, PLACE_STOP):
        (event,) = await _place(command, handler)
        assert isinstance(event, OrderUnknown)
        assert (event.order_id, event.action) == (command.order.order_id, "place")


async def test_a_timeout_after_sending_is_unknown_and_sent_once() -> None:
    """The classic mistake is to take it as a refusal and send again."""
    script = Script(held_paths={ORDER})
    script.on("POST", ORDER, ok(_row()))
    async with _gateway(script, timeout_s=0.1) as gateway:
        (event,) = await gateway.perform(PLACE_ENTRY)
    assert isinstance(event, OrderUnknown)
    assert len(script.asked("POST", ORDER)) == 1


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (no(400, -2019, "Margin is insufficient."), -2019),
        (no(400, -2021, "Order would immediately trigger."), -2021),
        (no(400, -1021, "Timestamp outside of the recvWindow."), -1021),
        (no(503, None, "Service Unavailable."), 503),
        (no(503, -1008, "throttled"), -1008),
        (no(429, -1015, "Too many new orders"), -1015),
        (no(401, -2015, "Invalid API-key"), -2015),
        (no(403, None, "<html>"), 403),
    ],
)
async def test_a_definite_refusal_is_told_with_its_code(handler: Handler, code: int) -> None:
    """Surely not placed: code and text are kept for the core to decide on."""
    (event,) = await _place(PLACE_ENTRY, handler)
    assert isinstance(event, OrderRefused)
    assert (event.code, event.action) == (code, "place")
    assert event.refused_ms > 0


async def test_an_order_that_never_left_is_refused() -> None:
    """Nobody listens at all: surely not placed."""
    async with client("http://127.0.0.1:1") as rest:
        gateway = Gateway(
            rest=rest, ws_url="ws://127.0.0.1:1", dice=Random(1), sink=lambda _event: None
        )
        (event,) = await gateway.perform(PLACE_ENTRY)
    assert isinstance(event, OrderRefused)
    assert event.text.startswith("not sent")


async def test_a_failure_to_verify_is_verified_by_asking() -> None:
    """ "Unable to process" is a failure the documents want confirmed by one query."""
    unable = no(503, -1001, "Internal error; unable to process your request. Please try again.")
    (event,) = await _place(PLACE_ENTRY, unable)
    assert isinstance(event, OrderRefused)
    (event,) = await _place(PLACE_ENTRY, unable, order=ok(_row()))
    assert _report(event)[0] is OrderStatus.NEW
    (event,) = await _place(PLACE_ENTRY, unable, order=no(503, None, ""))
    assert isinstance(event, OrderUnknown)


async def test_a_duplicate_id_is_looked_up() -> None:
    """-4116: an open order has this id: ours, placed before. When it cannot be found: unknown."""
    duplicate = no(400, -4116, "ClientOrderId is duplicated.")
    (event,) = await _place(PLACE_ENTRY, duplicate, order=ok(_row(number=7)))
    assert _report(event) == (OrderStatus.NEW, Decimal(0), False, 7)
    (event,) = await _place(PLACE_ENTRY, duplicate)
    assert isinstance(event, OrderUnknown)
    assert event.action == "place"


async def test_an_existing_stop_is_ours_or_a_refusal() -> None:
    """-4130: ours under the same id is the order itself; another one is in the way."""
    exists = no(400, -4130, "An open stop or take profit order is existing.")
    (event,) = await _place(PLACE_STOP, exists, open_algos=ok([_algo()]))
    assert _report(event) == (OrderStatus.NEW, Decimal(0), True, None)
    (event,) = await _place(PLACE_STOP, exists, open_algos=ok([_algo(order_id="other")]))
    assert isinstance(event, OrderRefused)
    assert event.code == -4130
    (event,) = await _place(PLACE_STOP, exists, open_algos=no(500, None, ""))
    assert isinstance(event, OrderUnknown)


# --------------------------------------------------------------------------- entry's settings

ENTRY_20 = PlaceOrder(order=ENTRY, leverage=20, margin_type=MarginType.ISOLATED)


CONFIG = {"symbol": "BTCUSDT", "marginType": "ISOLATED", "leverage": 20}


def _settings(script: Script, margin: Handler, leverage: Handler) -> None:
    script.on("GET", "/fapi/v1/symbolConfig", ok([CONFIG]))
    script.on("POST", "/fapi/v1/marginType", margin)
    script.on("POST", "/fapi/v1/leverage", leverage)
    script.on("POST", ORDER, ok(_row()))


async def test_an_entry_sets_leverage_and_margin_type_once() -> None:
    """Before the first entry of a symbol; the second finds them as they must be."""
    script = Script()
    _settings(script, no(400, -4046, "No need to change margin type."), ok({"leverage": 20}))
    async with _gateway(script) as gateway:
        for _ in range(2):
            (event,) = await gateway.perform(ENTRY_20)
            assert isinstance(event, OrderReported)
    paths = [heard.path for heard in script.heard]
    checked = "/fapi/v1/symbolConfig"
    assert paths == ["/fapi/v1/marginType", "/fapi/v1/leverage", checked, ORDER, ORDER]
    assert script.heard[1].params["leverage"] == "20"


@pytest.mark.parametrize(
    ("margin", "leverage", "code"),
    [
        (ok({}), no(400, -4028, "Leverage is not valid."), -4028),
        (ok({}), no(503, None, "Unknown error, please check your request"), 0),
        (ok({}), cut, 0),
        (no(400, -4048, "Margin type cannot be changed if there exists position."), ok({}), -4048),
    ],
)
async def test_settings_that_fail_refuse_the_entry(
    margin: Handler, leverage: Handler, code: int
) -> None:
    """Whatever became of the setting, the order was surely not placed."""
    script = Script()
    _settings(script, margin, leverage)
    async with _gateway(script) as gateway:
        (event,) = await gateway.perform(ENTRY_20)
    assert isinstance(event, OrderRefused)
    assert event.code == code
    assert not script.asked("POST", ORDER)


async def test_settings_changed_by_somebody_are_set_again() -> None:
    """A change told by the stream, or a time without a stream, ends what we believed."""
    script = Script()
    _settings(script, ok({}), ok({"leverage": 20}))
    async with _gateway(script) as gateway:
        await gateway.perform(ENTRY_20)
        gateway._note_news(UserNews(kind="ACCOUNT_CONFIG_UPDATE", leverage=("BTCUSDT", 5)))
        await gateway.perform(ENTRY_20)
        assert len(script.asked("POST", "/fapi/v1/leverage")) == 2
        gateway._from_stream(StreamLost(reason="test"))
        await gateway.perform(ENTRY_20)
        assert len(script.asked("POST", "/fapi/v1/leverage")) == 3
        assert len(script.asked("POST", "/fapi/v1/marginType")) == 2


async def test_a_setting_that_was_not_really_made_refuses_the_entry() -> None:
    """What symbolConfig says counts, not the answer to setting it."""
    script = Script()
    _settings(script, ok({}), ok({"leverage": 20}))
    script.on("GET", "/fapi/v1/symbolConfig", ok([{**CONFIG, "leverage": 5}]), no(500, None, ""))
    async with _gateway(script) as gateway:
        (event,) = await gateway.perform(ENTRY_20)
        assert isinstance(event, OrderRefused)
        assert "leverage was set to 20, but symbolConfig says 5" in event.text
        (event,) = await gateway.perform(ENTRY_20)
        assert isinstance(event, OrderRefused)
    assert not script.asked("POST", ORDER)


async def test_isolated_margin_is_refused_in_multi_assets_mode() -> None:
    """The exchange would say -4168: so do we, in words, and nothing is sent."""
    script = Script()
    _prepared(script, multi_assets=True)
    async with _gateway(script) as gateway:
        await gateway.prepare()
        (event,) = await gateway.perform(ENTRY_20)
    assert isinstance(event, OrderRefused)
    assert event.code == -4168
    assert "multi-assets" in event.text
    assert not script.asked("POST", "/fapi/v1/marginType")


def _prepared(script: Script, *, hedge: bool = False, multi_assets: bool = False) -> None:
    modes = {"dualSidePosition": hedge, "multiAssetsMargin": multi_assets}
    script.on("GET", "/fapi/v1/accountConfig", ok(modes))
    script.on("GET", "/fapi/v1/leverageBracket", ok([]))
    script.on("GET", "/fapi/v1/exchangeInfo", ok({"symbols": []}))
    script.on("GET", "/fapi/v1/symbolConfig", ok([]))
    script.on("POST", ORDER, ok(_row()))
    script.on("POST", ALGO, ok(_algo()))


async def test_in_hedge_mode_orders_name_the_side_of_the_position() -> None:
    """An entry opens its own side, its stop closes the same one; reduceOnly is not sent."""
    script = Script()
    _prepared(script, hedge=True)
    close = replace(ENTRY, role=Role.CLOSE, side=Side.SELL, reduce_only=True)
    async with _gateway(script) as gateway:
        await gateway.prepare()
        for order in (ENTRY, close, STOP):
            await gateway.perform(PlaceOrder(order=order))
    sent = [heard.params for heard in script.heard if heard.method == "POST"]
    assert [params["positionSide"] for params in sent] == ["LONG"] * 3
    assert not any("reduceOnly" in params for params in sent)
    assert sent[2]["closePosition"] == "true"


async def test_a_changed_position_mode_halts_entries_and_is_adopted() -> None:
    """-4061: the next stop goes out in the mode the account is in now."""
    script = Script()
    _prepared(script, hedge=True)
    script.on("POST", ORDER, no(400, -4061, "Order's position side does not match."))
    told: list[Event] = []
    async with _gateway(script, told=told) as gateway:
        (event,) = await gateway.perform(PLACE_ENTRY)
        assert isinstance(event, OrderRefused)
        await gateway.perform(PLACE_STOP)
    assert [type(one) for one in told] == [EntriesHalted]
    assert script.asked("POST", ALGO)[0].params["positionSide"] == "LONG"


async def test_a_refused_account_halts_entries_through_the_sink() -> None:
    """The desk hears it beside the order's own refusal."""
    script = Script()
    script.on("POST", ORDER, no(401, -2015, "Invalid API-key"))
    told: list[Event] = []
    async with _gateway(script, told=told) as gateway:
        await gateway.perform(PLACE_ENTRY)
        await gateway.perform(PLACE_ENTRY)
    assert [type(one) for one in told] == [EntriesHalted]


async def test_live_refuses_a_dangerous_key_before_anything_else() -> None:
    """A key that may withdraw never trades real money."""
    script = Script()
    script.on("GET", "/sapi/v1/account/apiRestrictions", ok({"enableWithdrawals": True}))
    async with exchange(script) as url, client(url) as rest:
        options = GatewayOptions(live=True, permissions=rest)
        gateway = Gateway(
            rest=rest, ws_url="ws://x", dice=Random(1), sink=lambda _: None, options=options
        )
        with pytest.raises(SettingFault, match="withdrawals"):
            await gateway.prepare()
    assert not script.asked("GET", "/fapi/v1/accountConfig")


# ------------------------------------------------------------------------- asking, cancelling


async def _ask(command: AskOrder, **reads: Handler) -> Sequence[Event]:
    script = Script()
    _script_reads(script, reads)
    async with _gateway(script) as gateway:
        return await gateway.perform(command)


async def test_asking_for_a_plain_order() -> None:
    """Found, missing with the moment of asking, or no answer: three different words."""
    (event,) = await _ask(ASK_ENTRY, order=ok(_row(status="EXPIRED", filled="0.1")))
    assert _report(event) == (OrderStatus.EXPIRED, Decimal("0.1"), False, 42)
    (event,) = await _ask(ASK_ENTRY)
    assert isinstance(event, OrderMissing)
    assert 0 <= event.asked_ms - NOW_MS < 5_000
    for handler in (cut, no(503, None, ""), no(400, -2015, "key"), ok({"odd": 1})):
        (event,) = await _ask(ASK_ENTRY, order=handler)
        assert isinstance(event, OrderUnknown)
        assert event.action == "ask"


async def test_an_untriggered_stop_is_found_in_any_of_three_places() -> None:
    """One endpoint was seen to deny an order that the lists still had."""
    for place, answer in (
        ("algo", _algo()),
        ("open_algos", [_algo(order_id="other"), _algo()]),
        ("all_algos", [_algo("CANCELED")]),
    ):
        others = {"open_algos": ok([]), "all_algos": ok([])} | {place: ok(answer)}
        (event,) = await _ask(ASK_STOP, **others)
        assert _report(event)[2] is True


async def test_a_triggered_stop_is_reported_with_its_child() -> None:
    """FINISHED says nothing of the fill: the child order does."""
    for status in ("TRIGGERED", "FINISHED"):
        first, second = await _ask(
            ASK_STOP, algo=ok(_algo(status, "88")), order=ok(_row("tb-s1", "FILLED", "0.5", 88))
        )
        assert _report(first) == (OrderStatus.TRIGGERED, Decimal(0), True, 88)
        assert _report(second) == (OrderStatus.FILLED, Decimal("0.5"), False, 88)


async def test_a_stop_is_missing_only_when_it_is_nowhere() -> None:
    """The algo record, both lists and the plain orders were asked."""
    nowhere = {"open_algos": ok([]), "all_algos": ok([])}
    (event,) = await _ask(ASK_STOP, **nowhere)
    assert isinstance(event, OrderMissing)
    (event,) = await _ask(ASK_STOP, **nowhere, order=ok(_row("tb-s1", "FILLED", "0.5", 88)))
    assert _report(event) == (OrderStatus.FILLED, Decimal("0.5"), False, 88)
    for silent in ("open_algos", "all_algos", "algo", "order"):
        (event,) = await _ask(ASK_STOP, **(nowhere | {silent: no(500, None, "")}))
        assert isinstance(event, OrderUnknown)


async def _cancel(command: CancelOrder, handler: Handler, **reads: Handler) -> Sequence[Event]:
    script = Script()
    script.on("DELETE", ALGO if command.conditional else ORDER, handler)
    _script_reads(script, reads)
    async with _gateway(script) as gateway:
        return await gateway.perform(command)


async def test_cancelling_reports_what_the_answer_says() -> None:
    """A plain order keeps what it filled; a conditional one had nothing."""
    (event,) = await _cancel(CANCEL_ENTRY, ok(_row(status="CANCELED", filled="0.2")))
    assert _report(event) == (OrderStatus.CANCELED, Decimal("0.2"), False, 42)
    done = ok({"algoId": 1, "clientAlgoId": "tb-s1", "code": "200", "msg": "success"})
    (event,) = await _cancel(CANCEL_STOP, done)
    assert _report(event) == (OrderStatus.CANCELED, Decimal(0), True, None)


async def test_a_cancel_that_finds_nothing_asks_what_happened() -> None:
    """-2011 is filled, cancelled or triggered: only a query tells."""
    unknown = no(400, -2011, "Unknown order sent.")
    (event,) = await _cancel(CANCEL_ENTRY, unknown, order=ok(_row(status="FILLED", filled="0.5")))
    assert _report(event)[0] is OrderStatus.FILLED
    events = await _cancel(
        CANCEL_STOP,
        unknown,
        algo=ok(_algo("TRIGGERED", "88")),
        order=ok(_row("tb-s1", "NEW", "0", 88)),
    )
    assert [_report(event)[0] for event in events] == [OrderStatus.TRIGGERED, OrderStatus.NEW]


async def test_a_cancel_without_an_answer_is_unknown() -> None:
    """A refused one is refused; silence is neither done nor refused."""
    for command in (CANCEL_ENTRY, CANCEL_STOP):
        (event,) = await _cancel(command, no(503, None, "Unknown error, please check"))
        assert isinstance(event, OrderUnknown)
        assert event.action == "cancel"
        (event,) = await _cancel(command, no(429, -1003, "Too many requests"))
        assert isinstance(event, OrderRefused)
        assert (event.code, event.action) == (-1003, "cancel")


# ------------------------------------------------------------------------------------- start


async def test_preparing_loads_filters_brackets_and_settings() -> None:
    """Settings that are as they must be cost the first entry no request."""
    script = Script()
    script.on("GET", "/fapi/v1/accountConfig", ok({"dualSidePosition": False}))
    script.on("GET", "/fapi/v1/leverageBracket", ok([]))
    script.on("GET", "/fapi/v1/exchangeInfo", ok({"symbols": []}))
    script.on("GET", "/fapi/v1/symbolConfig", ok([CONFIG]))
    script.on("POST", ORDER, ok(_row()))
    async with _gateway(script) as gateway:
        assert await gateway.prepare() == {}
        await gateway.perform(ENTRY_20)
    assert script.heard[-1].path == ORDER
    assert not script.asked("POST", "/fapi/v1/leverage")


async def test_startup_checks_say_what_is_wrong_line_by_line() -> None:
    """A refused key fails its own lines only, with the exchange's words."""
    script = Script()
    script.on("GET", "/fapi/v1/exchangeInfo", ok({"symbols": []}))
    script.on("GET", "/fapi/v3/balance", no(401, -2015, "Invalid API-key."))
    script.on("GET", "/fapi/v1/accountConfig", ok({"dualSidePosition": False}))
    script.on("POST", "/fapi/v1/listenKey", ok({"listenKey": "k"}))
    async with _gateway(script) as gateway:
        checks = {check.name: check for check in await gateway.startup_checks()}
    assert [name for name, check in checks.items() if not check.ok] == ["instruments", "key"]
    assert "-2015" in checks["key"].text


async def test_the_hook_tells_when_an_order_leaves() -> None:
    """The benchmark's far end: the command, and the wall's nanoseconds."""
    sent: list[tuple[PlaceOrder, int]] = []
    script = Script()
    script.on("POST", ALGO, ok(_algo()))
    async with _gateway(script, on_sent=lambda command, ns: sent.append((command, ns))) as gateway:
        await gateway.perform(PLACE_STOP)
    assert [command for command, _ in sent] == [PLACE_STOP]
    assert sent[0][1] > 0


async def test_a_snapshot_goes_through_the_gateway() -> None:
    """A read that fails is AskFailed, never an empty account."""
    script = Script()
    script.on("GET", "/fapi/v1/openAlgoOrders", no(500, None, ""))
    async with _gateway(script) as gateway:
        (event,) = await gateway.perform(TakeSnapshot())
    assert type(event).__name__ == "AskFailed"


async def test_news_of_the_stream_comes_right_behind_the_snapshot() -> None:
    """While the account is read nothing overtakes the reading; then everything follows in order."""
    script = Script()
    for path in ("openAlgoOrders", "openOrders"):
        script.on("GET", f"/fapi/v1/{path}", ok([]))
    for path in ("positionRisk", "balance"):
        script.on("GET", f"/fapi/v3/{path}", ok([]))
    told: list[Event] = []
    async with _gateway(script, told=told) as gateway:
        news = [WalletSeen(wallet_usdt=Decimal(n), seen_ms=n) for n in range(3)]
        gateway._from_stream(StreamRestored())
        gateway._from_stream(news[0])
        gateway._from_stream(news[1])
        events = await gateway.perform(TakeSnapshot())
        gateway._from_stream(news[2])
    assert [type(event).__name__ for event in events] == [
        "SnapshotTaken",
        "WalletSeen",
        "WalletSeen",
    ]
    assert list(events[1:]) == news[:2]
    assert told == [StreamRestored(), news[2]]


async def test_a_question_being_asked_is_not_asked_beside_itself() -> None:
    """An exchange slower than the core's pauses is asked once at a time; afterwards again."""
    script = Script(held_paths={ORDER})
    script.on("GET", ORDER, ok(_row()))
    async with _gateway(script) as gateway:
        first = asyncio.create_task(gateway.perform(ASK_ENTRY))
        await wait_for(lambda: len(script.asked("GET", ORDER)) == 1)
        assert await gateway.perform(ASK_ENTRY) == ()
        script.hold.set()
        assert isinstance((await first)[0], OrderReported)
        assert isinstance((await gateway.perform(ASK_ENTRY))[0], OrderReported)
    assert len(script.asked("GET", ORDER)) == 2
