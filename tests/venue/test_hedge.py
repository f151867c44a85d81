"""The gateway against the pretend exchange in hedge mode: the real dialect, over sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from random import Random

from bot.core.messages import (
    AskPosition,
    CancelOrder,
    Event,
    OrderReported,
    PlaceOrder,
    PositionSeen,
    TakeSnapshot,
)
from bot.core.trade import Order, Role
from bot.replay.bench import exchange_sandbox
from bot.shell.clock import SystemClock
from bot.venue.gateway import Gateway
from bot.venue.rest import Credentials, RestAddress, RestClient, open_session
from bot.venue.signers import signer_of
from bot.venue.wire import Method, Request, Security
from bot.venue.wire_errors import Answer
from bot.venue.wire_requests import premium_index_request
from bot.venue.wire_weight import WeightBudget
from data.model import Direction, MarginType, OrderKind, OrderStatus, Side
from tests.venue.fake import wait_for

SYMBOL = "BTCUSDT"
HEDGE = Request(
    method=Method.POST,
    path="/fapi/v1/positionSide/dual",
    params=(("dualSidePosition", "true"),),
    security=Security.SIGNED,
)
SHORT = Order(
    order_id="h-e0",
    role=Role.ENTRY,
    attempt=0,
    symbol=SYMBOL,
    side=Side.SELL,
    kind=OrderKind.MARKET,
    quantity=Decimal("0.01"),
)


@asynccontextmanager
async def _hedged() -> AsyncIterator[tuple[Gateway, list[Event], Decimal]]:
    with exchange_sandbox() as ready:
        async with open_session() as session:
            rest = RestClient(
                address=RestAddress(base_url=ready["rest"], sandbox_allowed=True),
                session=session,
                clock=SystemClock(),
                budget=WeightBudget(),
                dice=Random(1),
                credentials=Credentials(
                    api_key=ready["api_key"], signer=signer_of(ready["api_secret"])
                ),
            )
            await rest.sync_clock()
            assert isinstance(await rest.send(HEDGE), Answer)
            told: list[Event] = []
            gateway = Gateway(rest=rest, ws_url=ready["ws"], dice=Random(1), sink=told.append)
            await gateway.prepare()
            task = asyncio.create_task(gateway.run())
            assert await gateway.ready(5)
            await gateway.perform(TakeSnapshot())
            asked = await rest.read(premium_index_request(SYMBOL))
            assert isinstance(asked, Answer)
            try:
                yield gateway, told, Decimal(json.loads(asked.body)["markPrice"])
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


async def _status(gateway: Gateway, command: PlaceOrder | CancelOrder) -> OrderStatus:
    (event,) = await gateway.perform(command)
    assert isinstance(event, OrderReported), event
    return event.report.status


async def _held(gateway: Gateway) -> Decimal:
    seen = [
        e for e in await gateway.perform(AskPosition(symbol=SYMBOL)) if isinstance(e, PositionSeen)
    ]
    return next((e.quantity for e in seen if e.side in (None, Direction.SHORT)), Decimal(0))


async def test_a_trade_in_hedge_mode_from_entry_to_flat() -> None:
    """Entry, both forms of stop and the close are taken, and the position is told signed."""
    async with _hedged() as (gateway, told, price):
        entry = PlaceOrder(order=SHORT, leverage=5, margin_type=MarginType.ISOLATED)
        assert await _status(gateway, entry) is OrderStatus.FILLED
        assert await _held(gateway) == Decimal("-0.01")
        stop = replace(
            SHORT,
            order_id="h-s0",
            role=Role.STOP,
            side=Side.BUY,
            kind=OrderKind.STOP_MARKET,
            quantity=Decimal(0),
            trigger_price=Decimal(int(price * Decimal("1.05"))),
            close_position=True,
        )
        part = replace(
            stop,
            order_id="h-s1",
            close_position=False,
            reduce_only=True,
            quantity=Decimal("0.01"),
        )
        assert await _status(gateway, PlaceOrder(order=stop)) is OrderStatus.NEW
        assert await _status(gateway, PlaceOrder(order=part)) is OrderStatus.NEW
        close = replace(SHORT, order_id="h-c0", role=Role.CLOSE, side=Side.BUY, reduce_only=True)
        assert await _status(gateway, PlaceOrder(order=close)) is OrderStatus.FILLED
        assert await _held(gateway) == 0
        await wait_for(lambda: sum(isinstance(event, PositionSeen) for event in told) >= 2)
        seen = [event.quantity for event in told if isinstance(event, PositionSeen)]
        assert seen == [Decimal("-0.01"), Decimal(0)]


async def test_a_resting_entry_is_under_the_dead_mans_switch() -> None:
    """The exchange takes the countdown while it rests, and its end when it is cancelled."""
    async with _hedged() as (gateway, _told, price):
        resting = replace(
            SHORT,
            order_id="h-e1",
            side=Side.BUY,
            kind=OrderKind.LIMIT,
            price=Decimal(int(price * Decimal("0.9"))),
        )
        assert await _status(gateway, PlaceOrder(order=resting)) is OrderStatus.NEW
        await wait_for(lambda: gateway._deadman.armed == {SYMBOL})
        cancel = CancelOrder(order_id="h-e1", symbol=SYMBOL, conditional=False)
        assert await _status(gateway, cancel) is OrderStatus.CANCELED
        await wait_for(lambda: not gateway._deadman.armed)
