"""A stop moved to break-even over sockets, in both forms: what the exchange's own books say of it.

Closing the position: cancel, then place, and nothing in between. A quantity: place, then cancel. A
new stop that is refused leaves the old level in force.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.app.people import OWNER
from bot.app.service import Service
from bot.core.guard import StopForm
from bot.core.presets import ApprovalMode, BotConfig
from bot.core.trade import OrderState, Phase, Role, Trade
from tests.scenarios.stage import Stage, stage, trade_in

ALGO = "/fapi/v1/algoOrder"
BARE_MS_MAX = 500  # one round trip on a busy machine; a quiet one needs a few milliseconds
BOT = BotConfig(
    bot_id="story",
    user_id=OWNER,
    account_id="main",
    timeframe="1m",
    approval_mode=ApprovalMode.AUTO,
    score_threshold=99.5,  # only the story's own signals
    drift_bps_max=Decimal(500),
    confirm_bps=Decimal(500),
    break_even_risks=Decimal("0.5"),
)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage of its own for each story."""
    async with stage(tmp_path) as found:
        yield found


@asynccontextmanager
async def service_in(scene: Stage, form: StopForm) -> AsyncIterator[Service]:
    """A service whose bot moves stops to break-even, with stops of that form."""
    async with scene.service(scene.part(), bot=BOT, stop_form=form) as service:
        yield service


async def protected(scene: Stage, service: Service) -> Trade:
    """A trade whose stop and target are confirmed."""
    trade_id = await scene.raise_signal(service)

    def covered() -> bool:
        trade = trade_in(service.engine.desk, trade_id)
        live = [o for o in trade.orders if o.state is OrderState.LIVE]
        return trade.phase is Phase.POSITION_ACTIVE and len(live) == 2

    await scene.until(covered, "stop and target are live")
    return trade_in(service.engine.desk, trade_id)


async def gain(scene: Stage, trade: Trade) -> None:
    """The price goes three quarters of a risk in the trade's favour."""
    assert trade.plan is not None
    risk = trade.plan.entry_price - trade.plan.stop_price
    await scene.price(trade.plan.entry_price + risk * 3 / 4)


def stops(truth: dict[str, Any]) -> list[dict[str, Any]]:
    """Every stop the exchange ever accepted, oldest first."""
    return [row for row in truth["conditionals"] if row["orderType"] == "STOP_MARKET"]


def level(row: dict[str, Any]) -> Decimal:
    """Where a stop rests."""
    return Decimal(str(row["triggerPrice"]))


async def test_break_even_bares_the_position_for_one_round_trip(scene: Stage) -> None:
    """The new stop's request is the very next one after the cancel; by its books a moment later."""
    async with service_in(scene, StopForm.CLOSE_POSITION) as service:
        trade = await protected(scene, service)
        await gain(scene, trade)
        await scene.until(
            lambda: trade_in(service.engine.desk, trade.trade_id).moves == 1, "the stop was moved"
        )
        old, new = stops(await scene.truth())
        assert (old["algoStatus"], new["algoStatus"]) == ("CANCELED", "NEW")
        assert trade.plan is not None
        assert level(old) == trade.plan.stop_price
        assert level(new) > trade.plan.entry_price, "the fees are covered as well"
        assert 0 <= int(new["createTime"]) - int(old["updateTime"]) <= BARE_MS_MAX
        sent = [(r["method"], r["path"]) for r in scene.exchange.received]
        gone = sent.index(("DELETE", ALGO))
        asked = [one for one in sent[gone + 1 :] if "/sandbox/" not in one[1]]
        assert asked[0] == ("POST", ALGO)
        assert sent.count(("DELETE", ALGO)) == 1


async def test_a_refused_new_stop_puts_the_old_level_back(scene: Stage) -> None:
    """Cancelled, the new one refused: the old level rests again, the position is not closed."""
    async with service_in(scene, StopForm.CLOSE_POSITION) as service:
        trade = await protected(scene, service)
        await scene.inject("refuse", method="POST", path=ALGO, code=-2010, text="no", count=1)
        await gain(scene, trade)

        def back() -> bool:
            now = trade_in(service.engine.desk, trade.trade_id)
            again = now.phase is Phase.POSITION_ACTIVE and now.stop_level_before is None
            return again and len(now.of_role(Role.STOP)) == 3

        await scene.until(back, "the old level is restored")
        truth = await scene.truth()
        old, again = stops(truth)
        assert (old["algoStatus"], again["algoStatus"]) == ("CANCELED", "NEW")
        assert level(old) == level(again)
        assert 0 <= int(again["createTime"]) - int(old["updateTime"]) <= 2 * BARE_MS_MAX
        assert [row["status"] for row in truth["orders"]] == ["FILLED"], "only the entry"


async def test_a_stop_of_a_quantity_moves_without_a_bare_moment(scene: Stage) -> None:
    """The new one rests before the old one is cancelled."""
    async with service_in(scene, StopForm.QUANTITY) as service:
        trade = await protected(scene, service)
        await gain(scene, trade)

        async def moved() -> bool:
            return [r["algoStatus"] for r in stops(await scene.truth())] == ["CANCELED", "NEW"]

        await scene.until_async(moved, "the old one is gone")
        old, new = stops(await scene.truth())
        assert int(new["createTime"]) <= int(old["updateTime"])
        assert old["quantity"] == new["quantity"] != "0"
        assert trade_in(service.engine.desk, trade.trade_id).unprotected_ms <= BARE_MS_MAX


async def test_the_exchanges_trailing_stop_rests_beside_the_fixed_one(scene: Stage) -> None:
    """Over the wire: both rest, the trailing one with its rate."""
    bot = replace(BOT, callback_pct=Decimal("0.5"), callback_from_risks=Decimal(0))
    async with scene.service(scene.part(), bot=bot) as service:
        await scene.raise_signal(service)

        async def both() -> bool:
            kinds = {r["orderType"] for r in (await scene.truth())["open_conditionals"]}
            return {"STOP_MARKET", "TRAILING_STOP_MARKET"} <= kinds

        await scene.until_async(both, "both rest")
