"""A lost journal over sockets: whose a position is, when no stop of ours rests any more."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from bot.core.trade import Phase
from bot.sandbox.exchange_records import OrderRequest
from data.model import OrderKind, Side
from tests.scenarios.stage import SYMBOL, Stage, stage, trade_in


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage of its own for each story."""
    async with stage(tmp_path) as found:
        yield found


async def _lose_the_journal(scene: Stage) -> None:
    """A trade is opened and protected, the service killed, stop and target cancelled by hand."""
    first = await scene.process(scene.part(approval="auto"))
    await first.ask("signal")
    await first.until_phase("position_active")
    first.process.kill()
    await first.process.wait()
    exchange = scene.exchange.floor.exchange
    for one in exchange.open_conditionals():
        exchange.cancel_conditional(one.client_id, scene.exchange.now_ms())
    assert not (await scene.truth())["open_conditionals"]


async def test_a_bare_position_without_record_or_stop_is_ours_by_its_fills(scene: Stage) -> None:
    """Adopted with its whole book, told, and given a stop, since nobody knows its levels any more.

    Nothing is entered, nothing is left behind, and the result equals the exchange's income.
    """
    await _lose_the_journal(scene)
    other = scene.part(approval="auto", database=str(scene.folder / "new.db"))
    async with scene.service(other) as service:
        await scene.until(lambda: bool(service.engine.desk.trades), "the position was adopted")
        (trade_id,) = service.engine.desk.trades
        assert trade_in(service.engine.desk, trade_id).adopted
        assert not service.engine.desk.foreign
        await scene.chat_says("without a record was found and taken over")

        def covered() -> bool:
            return trade_in(service.engine.desk, trade_id).phase is Phase.POSITION_ACTIVE

        await scene.until(covered, "it has a stop")
        (stop,) = (await scene.truth())["open_conditionals"]
        assert stop["orderType"] == "STOP_MARKET"
        await scene.price(Decimal(stop["triggerPrice"]) - 100)
        await scene.until(lambda: bool(service.engine.desk.closed), "the stop closed it")
        truth = await scene.truth()
        assert not truth["positions"]
        assert not truth["open_conditionals"]
        assert len(truth["orders"]) == 2, "the entry and the stop's child"
        result = service.engine.desk.closed[-1]
        assert result.pnl_usdt == sum(Decimal(row["income"]) for row in truth["income"])


async def test_a_strangers_position_in_a_symbol_we_traded_stays_theirs(scene: Stage) -> None:
    """Our fills add up to nothing: what is held now was opened by hand, and is only shown."""
    await _lose_the_journal(scene)
    exchange = scene.exchange.floor.exchange
    held = exchange.quantity(SYMBOL)
    for side, quantity in ((Side.SELL, held), (Side.BUY, Decimal("0.02"))):
        by_hand = OrderRequest(symbol=SYMBOL, side=side, kind=OrderKind.MARKET, quantity=quantity)
        exchange.place(by_hand, scene.exchange.now_ms())
    other = scene.part(approval="auto", database=str(scene.folder / "new.db"))
    async with scene.service(other) as service:
        await scene.until(lambda: SYMBOL in service.engine.desk.foreign, "it is shown")
        await scene.say("/status")
        await scene.chat_says(f"Not ours: {SYMBOL} +0.02")
        assert not service.engine.desk.trades
        assert not (await scene.truth())["open_conditionals"]
