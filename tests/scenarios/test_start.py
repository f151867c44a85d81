"""Start is recovery, over sockets: what is held is protected first, whatever else is missing."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.app.service import Service
from bot.core.trade import OrderState, Phase, Role
from bot.shell.clock import wall_monotonic_s
from tests.scenarios import actor
from tests.scenarios.stage import PATIENCE_S, Stage, stage

ALGO = {"method": "POST", "path": "/fapi/v1/algoOrder"}


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage of its own for each story."""
    async with stage(tmp_path) as found:
        yield found


@asynccontextmanager
async def starting(part: actor.Part) -> AsyncIterator[Service]:
    """A service in this process of which nothing is awaited; stopped afterwards."""
    service, stop = actor.service_of(part), asyncio.Event()
    task = asyncio.create_task(service.run(stop))
    try:
        yield service
    finally:
        stop.set()
        await task


async def leave_bare(scene: Stage, fault: str = "lost_request") -> None:
    """A position is filled; the process dies over its stop and target, which never arrive."""
    first = await scene.process(scene.part(approval="auto"))
    await scene.inject(fault, **ALGO, count=2, delay_ms=60_000)
    await first.ask("signal")
    deadline_s = wall_monotonic_s() + PATIENCE_S
    while not any(row["path"] == ALGO["path"] for row in scene.exchange.received):
        assert wall_monotonic_s() < deadline_s, "no stop was ever sent"
        await asyncio.sleep(0.001)
    first.process.kill()
    await first.process.wait()
    await scene.heal()
    truth = await scene.truth()
    assert len(truth["positions"]) == 1
    assert not truth["conditionals"]


async def until_protected(scene: Stage) -> None:
    """Wait until exactly one stop and one target rest."""

    async def look() -> bool:
        rows = (await scene.truth())["open_conditionals"]
        return sorted(row["orderType"] for row in rows) == ["STOP_MARKET", "TAKE_PROFIT_MARKET"]

    await scene.until_async(look, "one stop and one target")


async def test_a_stop_that_never_left_is_placed_by_the_next_life(scene: Stage) -> None:
    """Killed between keeping the stop and its arrival: another, at once; one entry, no close."""
    await leave_bare(scene, "delay_request")
    async with scene.service(scene.part(approval="auto")) as service:
        await until_protected(scene)
        (trade,) = service.engine.desk.trades.values()
        await scene.until(lambda: _phase(service) is Phase.POSITION_ACTIVE, "active")
        first, second = service.engine.desk.trades[trade.trade_id].of_role(Role.STOP)
        assert first.state is not OrderState.LIVE
        assert second.state is OrderState.LIVE
        truth = await scene.truth()
        assert len(truth["orders"]) == 1
        assert len(truth["conditionals"]) == 2


async def test_protection_waits_neither_for_prices_nor_for_chat(scene: Stage) -> None:
    """Candles do not come and Telegram is away: the account is read and the stop placed."""
    await leave_bare(scene)
    await scene.inject("503_internal", method="GET", path="/fapi/v1/klines", count=10_000)
    nowhere = "http://127.0.0.1:9"
    async with starting(scene.part(approval="auto", telegram=nowhere)) as service:
        await until_protected(scene)
        await scene.until(service.recovered.is_set, "the account was read")
        await scene.until(lambda: _phase(service) is Phase.POSITION_ACTIVE, "active")
        assert not service.ready.is_set()


async def test_protection_does_not_wait_for_the_user_stream(scene: Stage) -> None:
    """No listen key is given out: the account is read all the same, and entries stay barred."""
    await leave_bare(scene)
    await scene.inject("503_internal", method="POST", path="/fapi/v1/listenKey", count=10_000)
    async with starting(scene.part(approval="auto")) as service:
        await until_protected(scene)
        await scene.until(service.recovered.is_set, "the account was read")
        assert not service.engine.desk.stream_ok
        await scene.heal()
        await scene.until(lambda: service.engine.desk.stream_ok, "the stream opened")


async def test_a_cold_start_adopts_alarms_and_leaves_the_protection_alone(scene: Stage) -> None:
    """The database is gone: position and orders are ours by their ids, and nothing is done."""
    first = await scene.process(scene.part(approval="auto"))
    await first.ask("signal")
    await first.until_phase("position_active")
    first.process.kill()
    await first.process.wait()
    before = await scene.truth()
    for path in scene.folder.glob("bot.db*"):
        path.unlink()
    async with scene.service(scene.part(approval="auto")) as service:
        await scene.until(lambda: _phase(service) is Phase.POSITION_ACTIVE, "adopted, protected")
        await scene.chat_says("without a record was found and taken over")
        (trade,) = service.engine.desk.working()
        assert trade.adopted
        await _nothing_was_done(scene, before)


async def test_a_stale_start_adopts_what_came_after_the_copy(scene: Stage) -> None:
    """The database is from before the trade: the same state as with the newest one, alarmed."""
    part = scene.part(approval="auto")
    async with scene.service(part):
        pass
    shutil.copy(scene.folder / "bot.db", scene.folder / "old.db")
    first = await scene.process(part)
    await first.ask("signal")
    told = await first.until_phase("position_active")
    first.process.kill()
    await first.process.wait()
    before = await scene.truth()
    for path in scene.folder.glob("bot.db*"):
        path.unlink()
    shutil.copy(scene.folder / "old.db", scene.folder / "bot.db")
    async with scene.service(part) as service:
        await scene.until(lambda: _phase(service) is Phase.POSITION_ACTIVE, "adopted, protected")
        await scene.chat_says("without a record was found and taken over")
        (trade,) = service.engine.desk.working()
        assert [trade.trade_id] == told["ids"]
        await _nothing_was_done(scene, before)


async def _nothing_was_done(scene: Stage, before: dict[str, Any]) -> None:
    assert _done(await scene.truth()) == _done(before)


def _done(truth: dict[str, Any]) -> list[list[tuple[str, str]]]:
    """What was ordered and is held; prices move on."""
    return [
        [(row["clientOrderId"], row["status"]) for row in truth["orders"]],
        [(row["clientAlgoId"], row["algoStatus"]) for row in truth["conditionals"]],
        [(row["symbol"], row["positionAmt"]) for row in truth["positions"]],
    ]


def _phase(service: Service) -> Phase | None:
    working = service.engine.desk.working() if service.recovered.is_set() else ()
    return working[0].phase if working else None


async def test_a_stop_is_heard_while_the_exchange_does_not_answer(scene: Stage) -> None:
    """Nobody waits a minute and a half for an exchange that he has given up on."""
    async with asyncio.timeout(PATIENCE_S):
        async with starting(scene.part(rest="http://127.0.0.1:1")) as service:
            await scene.until(lambda: service.world is not None, "it has begun to ask")
