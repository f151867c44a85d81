"""Ends and beginnings: SIGTERM, kill -9, restart, and what the log may not show."""

import json
import signal
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.scenarios.stage import KEY, SECRET, TOKEN, Stage, stage


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage of its own for each story."""
    async with stage(tmp_path) as found:
        yield found


async def test_sigterm_leaves_stop_and_target_at_the_exchange(scene: Stage) -> None:
    """A stopped service exits 0, closes nothing, and leaves both protective orders live."""
    actor = await scene.process(scene.part(approval="auto"))
    await actor.ask("signal")
    await actor.until_phase("position_active")
    actor.process.send_signal(signal.SIGTERM)
    assert await actor.process.wait() == 0
    truth = await scene.truth()
    assert len(truth["positions"]) == 1
    assert len(truth["open_conditionals"]) == 2


async def test_a_killed_service_takes_its_trade_up_again(scene: Stage) -> None:
    """After kill -9 the next start knows its trade, enters nothing twice, sees it to its end."""
    part = scene.part(approval="auto")
    first = await scene.process(part)
    await first.ask("signal")
    await first.until_phase("position_active")
    first.process.kill()
    await first.process.wait()
    async with scene.service(part) as service:
        desk = service.engine.desk
        (trade,) = desk.trades.values()
        assert trade.phase == "position_active"
        assert not trade.adopted
        truth = await scene.truth()
        assert len(truth["orders"]) == 1
        assert len(truth["open_conditionals"]) == 2
        assert trade.plan is not None
        await scene.price(trade.plan.stop_price - 100)
        await scene.until(lambda: bool(service.engine.desk.closed), "the stop closed it")
        truth = await scene.truth()
        result = service.engine.desk.closed[-1]
        assert str(result.exit_reason) == "stop_loss"
        assert result.pnl_usdt == sum(_amounts(truth["income"]))


async def test_a_position_without_a_record_is_adopted(scene: Stage) -> None:
    """With the database lost, our position is found by its orders' ids and looked after."""
    first = await scene.process(scene.part(approval="auto"))
    await first.ask("signal")
    await first.until_phase("position_active")
    first.process.kill()
    await first.process.wait()
    other = scene.part(approval="auto", database=str(scene.folder / "new.db"))
    async with scene.service(other) as service:
        await scene.until(lambda: bool(service.engine.desk.working()), "the position was adopted")
        (trade,) = service.engine.desk.working()
        assert trade.adopted
        assert len((await scene.truth())["orders"]) == 1


async def test_no_secret_reaches_the_log(scene: Stage) -> None:
    """A whole trade's log, at its fullest, holds neither key nor secret nor token."""
    actor = await scene.process(scene.part(approval="auto"))
    await scene.inject("lost_answer", method="POST", path="/fapi/v1/algoOrder", count=1)
    await actor.ask("signal")
    await actor.until_phase("position_active")
    actor.process.send_signal(signal.SIGTERM)
    await actor.process.wait()
    text = (scene.folder / "actor.log").read_text()
    assert "service_ready" in text
    assert all(json.loads(line)["event"] for line in text.splitlines())
    for secret in (KEY, SECRET, TOKEN, TOKEN.partition(":")[2]):
        assert secret not in text


def _amounts(rows: list[dict[str, str]]) -> list[Decimal]:
    return [Decimal(row["income"]) for row in rows]
