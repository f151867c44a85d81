"""A hedge-mode account, over sockets: our side is traded and closed, the other is a stranger's."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bot.core.trade import Phase
from bot.shell.clock import SystemClock
from bot.venue.rest import Credentials, RestAddress, RestClient, open_session
from bot.venue.wire import HmacSigner, Method, Request, Security
from bot.venue.wire_errors import Answer
from bot.venue.wire_weight import WeightBudget
from tests.scenarios.stage import KEY, SECRET, SYMBOL, Stage, stage, trade_in


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage of its own for each story."""
    async with stage(tmp_path) as found:
        yield found


async def by_hand(scene: Stage, path: str, **params: str) -> None:
    """The owner does something at the exchange's own site."""
    session, clock = open_session(), SystemClock()
    try:
        rest = RestClient(
            address=RestAddress(base_url=scene.exchange.rest, sandbox_allowed=True),
            session=session,
            clock=clock,
            budget=WeightBudget(),
            dice=Random(1),
            credentials=Credentials(api_key=KEY, signer=HmacSigner(SECRET)),
        )
        assert await rest.sync_clock()
        request = Request(
            method=Method.POST, path=path, params=tuple(params.items()), security=Security.SIGNED
        )
        outcome = await rest.send(request)
        assert isinstance(outcome, Answer), outcome
    finally:
        await session.close()


def held(truth: dict[str, Any]) -> dict[str, Decimal]:
    """What is held, by side."""
    return {row["positionSide"]: Decimal(row["positionAmt"]) for row in truth["positions"]}


async def test_a_trade_ends_at_its_stop_beside_a_strangers_other_side(scene: Stage) -> None:
    """Entered, protected, killed, taken up again, stopped out; the other side is as it was."""
    await by_hand(scene, "/fapi/v1/positionSide/dual", dualSidePosition="true")
    part = scene.part(approval="auto")
    first = await scene.process(part)
    await first.ask("signal")
    await first.until_phase("position_active")
    order = {"side": "SELL", "positionSide": "SHORT", "type": "MARKET", "quantity": "0.05"}
    await by_hand(scene, "/fapi/v1/order", symbol=SYMBOL, **order)
    first.process.kill()
    await first.process.wait()
    async with scene.service(part) as service:
        (trade_id,) = service.engine.desk.trades
        trade = trade_in(service.engine.desk, trade_id)
        assert trade.phase is Phase.POSITION_ACTIVE
        assert not trade.adopted
        truth = await scene.truth()
        assert held(truth)["SHORT"] == Decimal("-0.05")
        assert {row["positionSide"] for row in truth["open_conditionals"]} == {"LONG"}
        assert trade.plan is not None
        await scene.price(trade.plan.stop_price - 100)
        await scene.until(lambda: bool(service.engine.desk.closed), "the stop closed it")
        truth = await scene.truth()
        assert held(truth) == {"SHORT": Decimal("-0.05")}
        assert not truth["open_conditionals"]
        assert len(truth["orders"]) == 3, "our entry and our stop's child, and the stranger's order"
