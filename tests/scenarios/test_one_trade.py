"""One trade's story through the whole service, over real sockets: from a signal to its result."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.app.service import Service
from bot.core.trade import Outcome, Phase
from data.model import ExitReason
from tests.scenarios.stage import Stage, stage, trade_in


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage of its own for each story."""
    async with stage(tmp_path) as found:
        yield found


async def until_phase(scene: Stage, service: Service, trade_id: str, phase: Phase) -> None:
    """Wait until the trade is in that phase."""
    await scene.until(
        lambda: trade_in(service.engine.desk, trade_id).phase is phase, f"trade is {phase}"
    )


def agrees(service: Service, truth: dict[str, Any]) -> bool:
    """Nothing is held or open, and our result is the exchange's income to the last digit."""
    ours = sum((c.pnl_usdt for c in service.engine.desk.closed), Decimal(0))
    empty = not (truth["positions"] or truth["open_orders"] or truth["open_conditionals"])
    return empty and ours == Decimal(truth["income_total"])


async def test_an_approved_trade_is_protected_and_ends_at_its_target(scene: Stage) -> None:
    """Signal, card, tap, fill, stop and target, target hit, sibling gone, result told and exact."""
    async with scene.service(scene.part()) as service:
        trade_id = await scene.raise_signal(service)
        await scene.tap("Approve")
        await until_phase(scene, service, trade_id, Phase.POSITION_ACTIVE)
        truth = await scene.truth()
        assert len(truth["open_conditionals"]) == 2
        assert len(truth["fills"]) >= 1
        target = trade_in(service.engine.desk, trade_id).plan
        assert target is not None
        await scene.price(target.target_price + 50)
        await until_phase(scene, service, trade_id, Phase.IDLE)
        trade = trade_in(service.engine.desk, trade_id)
        assert trade.exit_reason is ExitReason.TAKE_PROFIT
        assert agrees(service, await scene.truth())
        await scene.chat_says("target reached")


async def test_a_rejected_card_orders_nothing(scene: Stage) -> None:
    """Reject ends the trade before anything was sent to the exchange."""
    async with scene.service(scene.part()) as service:
        trade_id = await scene.raise_signal(service)
        await scene.tap("Reject")
        await until_phase(scene, service, trade_id, Phase.IDLE)
        assert trade_in(service.engine.desk, trade_id).outcome is Outcome.REJECTED
        assert not (await scene.truth())["orders"]


async def test_a_card_nobody_answers_expires(scene: Stage) -> None:
    """Silence is no approval: the card expires by itself and nothing is ordered."""
    async with scene.service(scene.part(ttl_ms=1_000)) as service:
        trade_id = await scene.raise_signal(service)
        await until_phase(scene, service, trade_id, Phase.IDLE)
        assert trade_in(service.engine.desk, trade_id).outcome is Outcome.EXPIRED
        assert not (await scene.truth())["orders"]


async def test_panic_closes_what_is_open(scene: Stage) -> None:
    """The owner's /panic closes the position at market and leaves no order behind."""
    async with scene.service(scene.part(approval="auto")) as service:
        trade_id = await scene.raise_signal(service)
        await until_phase(scene, service, trade_id, Phase.POSITION_ACTIVE)
        await scene.say("/panic")
        await scene.tap("Yes, close everything")
        await until_phase(scene, service, trade_id, Phase.IDLE)
        assert agrees(service, await scene.truth())
        assert "panic" in service.engine.desk.halts


async def test_an_entry_whose_answer_is_lost_is_entered_once(scene: Stage) -> None:
    """The reply to the entry never comes: it is found out, protected, and not sent again."""
    async with scene.service(scene.part(approval="auto")) as service:
        await scene.inject("lost_answer", method="POST", path="/fapi/v1/order", count=1)
        trade_id = await scene.raise_signal(service)
        await until_phase(scene, service, trade_id, Phase.POSITION_ACTIVE)
        truth = await scene.truth()
        assert len(truth["orders"]) == 1
        assert len(truth["open_conditionals"]) == 2


async def test_a_position_closed_by_hand_is_noticed(scene: Stage) -> None:
    """Closed on the exchange's own site: noticed, siblings cancelled, booked as external."""
    async with scene.service(scene.part(approval="auto")) as service:
        trade_id = await scene.raise_signal(service)
        await until_phase(scene, service, trade_id, Phase.POSITION_ACTIVE)
        await scene._post(scene.exchange.rest, "close", symbol="BTCUSDT")
        await until_phase(scene, service, trade_id, Phase.IDLE)
        assert trade_in(service.engine.desk, trade_id).exit_reason is ExitReason.EXTERNAL
        assert agrees(service, await scene.truth())
