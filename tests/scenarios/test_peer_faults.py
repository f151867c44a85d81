"""The five faults that cost the best-known peer money or knowledge, on our service over sockets.

Measured there: eight entries for one lost reply, five stops for one lost reply, seconds without a
stop, a second entry beside a position it did not know, a filled trade deleted for a "-2013".
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.app.service import Service
from bot.core.trade import UNHEARD, OrderState, Phase, Role
from bot.sandbox.exchange_records import OrderRequest
from data.model import OrderKind, Side
from tests.scenarios.actor import signal_of
from tests.scenarios.stage import SYMBOL, Stage, stage, trade_in

BARE_MS_MAX = 500  # on a busy machine; a quiet one needs a few milliseconds
YOUNG_MS = 4_000


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage of its own for each story."""
    async with stage(tmp_path) as found:
        yield found


async def until_active(scene: Stage, service: Service, trade_id: str) -> None:
    """Wait until its stop and its target are confirmed."""

    def covered() -> bool:
        trade = trade_in(service.engine.desk, trade_id)
        exits = [o for o in trade.orders if o.role in (Role.STOP, Role.TARGET)]
        live = [o for o in exits if o.state is OrderState.LIVE]
        return trade.phase is Phase.POSITION_ACTIVE and len(live) == 2

    await scene.until(covered, "stop and target are live")


def stops(truth: dict[str, Any]) -> list[dict[str, Any]]:
    """Every stop the exchange ever accepted."""
    return [row for row in truth["conditionals"] if row["orderType"] == "STOP_MARKET"]


@pytest.mark.parametrize("stream", ["heard", "silent"])
async def test_a_lost_reply_to_a_filled_entry_leaves_one_fill_protected(
    scene: Stage, stream: str
) -> None:
    """The entry is filled, its reply is lost (and the stream's word too): one entry, one stop."""
    async with scene.service(scene.part(approval="auto")) as service:
        await scene.inject("lost_answer", method="POST", path="/fapi/v1/order")
        if stream == "silent":
            await scene.inject("ws_drop", event="ORDER_TRADE_UPDATE", count=2)
            await scene.inject("ws_drop", event="ACCOUNT_UPDATE", count=1)
        trade_id = await scene.raise_signal(service)
        await until_active(scene, service, trade_id)
        truth = await scene.truth()
        assert [row["status"] for row in truth["orders"]] == ["FILLED"]
        assert len(stops(truth)) == 1


async def test_an_unknown_position_at_the_start_is_told_and_never_added_to(scene: Stage) -> None:
    """Somebody's position without our orders: warned of, and no signal enters beside it."""
    request = OrderRequest(
        symbol=SYMBOL, side=Side.BUY, kind=OrderKind.MARKET, quantity=Decimal("0.01")
    )
    scene.exchange.floor.exchange.place(request, scene.exchange.now_ms())
    async with scene.service(scene.part(approval="auto")) as service:
        await scene.until(lambda: SYMBOL in service.engine.desk.foreign, "the position is shown")
        seq = service.engine.seq
        service.engine.post(signal_of(service, SYMBOL))
        await scene.until(lambda: service.engine.seq > seq, "the signal was judged")
        await scene.until(lambda: not service.engine.desk.working(), "nothing is at work")
        truth = await scene.truth()
        assert len(truth["orders"]) == 1, "only the stranger's own"
        assert not truth["conditionals"], "it is theirs to protect"


@pytest.mark.parametrize("stream", ["heard", "silent"])
async def test_a_lost_reply_to_an_accepted_stop_leaves_one_stop(scene: Stage, stream: str) -> None:
    """The stop is accepted, its reply is lost (and the stream's word too): no second stop."""
    async with scene.service(scene.part(approval="auto")) as service:
        await scene.inject("lost_answer", method="POST", path="/fapi/v1/algoOrder")
        if stream == "silent":
            await scene.inject("ws_drop", event="ALGO_UPDATE", count=1)
        trade_id = await scene.raise_signal(service)
        await until_active(scene, service, trade_id)
        truth = await scene.truth()
        assert len(stops(truth)) == 1
        assert len(truth["orders"]) == 1, "nothing was closed for it"


async def test_a_normal_entry_is_bare_for_one_round_trip(scene: Stage) -> None:
    """By the exchange's clock the stop follows the fill at once; no request goes before it."""
    async with scene.service(scene.part(approval="auto")) as service:
        trade_id = await scene.raise_signal(service)
        await until_active(scene, service, trade_id)
        truth = await scene.truth()
        filled_ms = min(int(fill["time"]) for fill in truth["fills"])
        (stop,) = stops(truth)
        assert 0 <= int(stop["createTime"]) - filled_ms <= BARE_MS_MAX
        sent = [row for row in scene.exchange.received if row["method"] == "POST"]
        paths = [row["path"] for row in sent if row["path"].endswith(("order", "algoOrder"))]
        assert paths[0] == "/fapi/v1/order"
        assert paths[1:] == ["/fapi/v1/algoOrder"] * 2
        received = scene.exchange.received
        places = [i for i, row in enumerate(received) if row["path"] in set(paths)]
        between = [row["path"] for row in received[places[0] + 1 : places[1]]]
        assert not between, "the stop is the very next request"


async def test_a_young_order_not_found_stays_unknown_until_it_shows(scene: Stage) -> None:
    """An order the exchange does not show yet is neither given up nor sent again."""
    async with scene.service(scene.part(approval="auto")) as service:
        await scene._post(scene.exchange.rest, "young", ms=YOUNG_MS)
        await scene.inject("lost_answer", method="POST", path="/fapi/v1/order")
        await scene.inject("ws_drop", event="ORDER_TRADE_UPDATE", count=2)
        await scene.inject("ws_drop", event="ACCOUNT_UPDATE", count=1)
        trade_id = await scene.raise_signal(service)
        seen: list[OrderState] = []

        def asked_in_vain() -> bool:
            entry = trade_in(service.engine.desk, trade_id).latest(Role.ENTRY)
            if entry is not None:
                seen.append(entry.state)
            return entry is not None and entry.asks >= 1 and entry.state is OrderState.UNKNOWN

        await scene.until(asked_in_vain, "it was asked about")
        assert set(seen) <= UNHEARD
        await until_active(scene, service, trade_id)
        truth = await scene.truth()
        assert [row["status"] for row in truth["orders"]] == ["FILLED"]
        assert len(stops(truth)) == 1
