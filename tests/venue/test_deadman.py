"""The countdown runs while an entry of ours rests, and only then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest

from bot.core.messages import OrderRefused, OrderReported, SnapshotTaken
from bot.core.trade import Order, Role, order_id_of
from bot.venue import deadman
from bot.venue.deadman import DeadMan
from data.model import OrderKind, OrderReport, OrderStatus, Side
from data.money import ZERO
from tests.venue.fake import NOW_MS, Handler, Script, client, exchange, no, ok, wait_for

COUNTDOWN = "/fapi/v1/countdownCancelAll"
RESTING = Order(
    order_id="e1",
    role=Role.ENTRY,
    attempt=0,
    symbol="BTCUSDT",
    side=Side.BUY,
    kind=OrderKind.LIMIT,
    quantity=Decimal(1),
    price=Decimal(90),
)


def _report(status: OrderStatus) -> OrderReported:
    return OrderReported(
        report=OrderReport(
            order_id="e1",
            symbol="BTCUSDT",
            status=status,
            filled_quantity=ZERO,
            average_price=None,
            conditional=False,
            event_ms=NOW_MS,
        )
    )


@asynccontextmanager
async def _running(
    answer: Handler | None = None, account_id: str = ""
) -> AsyncIterator[tuple[Script, DeadMan]]:
    script = Script()
    script.on("POST", COUNTDOWN, answer or ok({"symbol": "BTCUSDT", "countdownTime": "120000"}))
    async with exchange(script) as url, client(url) as rest:
        switch = DeadMan(rest, account_id=account_id)
        task = asyncio.create_task(switch.run())
        try:
            yield script, switch
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def _told(script: Script) -> list[tuple[str, str]]:
    asked = script.asked("POST", COUNTDOWN)
    return [(heard.params["symbol"], heard.params["countdownTime"]) for heard in asked]


async def test_a_resting_entry_is_wound_up_and_called_off() -> None:
    """Armed as it leaves, kept through a partial fill, called off when it is over."""
    async with _running() as (script, switch):
        switch.note_sent(RESTING)
        await wait_for(lambda: switch.armed == {"BTCUSDT"})
        switch.note(_report(OrderStatus.PARTIALLY_FILLED))
        switch.note(_report(OrderStatus.FILLED))
        await wait_for(lambda: not switch.armed)
        assert _told(script) == [("BTCUSDT", "120000"), ("BTCUSDT", "0")]


async def test_it_beats_while_the_entry_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """The countdown is wound up again long before it runs out."""
    monkeypatch.setattr(deadman, "HEARTBEAT_MS", 20)
    monkeypatch.setattr(deadman, "HEARTBEAT_S_MIN", 0.01)
    monkeypatch.setattr(deadman, "SETTLE_S", 0.0)
    async with _running() as (script, switch):
        switch.note_sent(RESTING)
        await wait_for(lambda: len(_told(script)) >= 4)
        assert set(_told(script)) == {("BTCUSDT", "120000")}


async def test_forty_entries_one_after_the_other_wind_up_forty_countdowns() -> None:
    """A countdown weighs ten of the minute's 2,400: a new entry winds up its own symbol only."""
    symbols = [f"S{number:02}USDT" for number in range(40)]
    async with _running() as (script, switch):
        for symbol in symbols:
            switch.note_sent(replace(RESTING, order_id=f"e-{symbol}", symbol=symbol))
            await wait_for(lambda symbol=symbol: symbol in switch.armed)
        assert [symbol for symbol, _ in _told(script)] == symbols


async def test_other_orders_are_left_alone() -> None:
    """Market entries do not rest, and exits must stand whatever becomes of us."""
    async with _running() as (script, switch):
        switch.note_sent(replace(RESTING, kind=OrderKind.MARKET))
        switch.note_sent(replace(RESTING, role=Role.TARGET))
        await asyncio.sleep(0.02)
        assert not _told(script)


@pytest.mark.parametrize("how", ["refused", "snapshot"])
async def test_an_entry_that_does_not_rest_is_forgotten(how: str) -> None:
    """Refused, or not among the open orders of a reading that began after it left."""
    async with _running() as (script, switch):
        switch.note_sent(RESTING)
        await wait_for(lambda: bool(switch.armed))
        if how == "refused":
            switch.note(OrderRefused(order_id="e1", code=-2019, text=""))
        else:
            for asked_ms in (NOW_MS - 1, NOW_MS + 60_000):
                assert switch.armed
                switch.note(
                    SnapshotTaken(asked_ms=asked_ms, wallet_usdt=ZERO, positions=(), open_orders=())
                )
        await wait_for(lambda: not switch.armed)
        assert _told(script)[-1] == ("BTCUSDT", "0")


async def test_a_countdown_that_was_not_set_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is tried again with the next beat, also when nothing else is wound up."""
    monkeypatch.setattr(deadman, "HEARTBEAT_MS", 20)
    monkeypatch.setattr(deadman, "HEARTBEAT_S_MIN", 0.01)
    async with _running(no(404, None, "")) as (script, switch):
        switch.note_sent(RESTING)
        await wait_for(lambda: len(_told(script)) >= 2)
        assert not switch.armed


async def test_an_entry_of_an_older_life_is_wound_up_too() -> None:
    """A reading shows an entry of ours that nobody here sent; a stranger's order is left alone."""
    ours = order_id_of("main", "bot", "abcdefghij", Role.ENTRY, 0)
    theirs = order_id_of("other", "bot", "abcdefghij", Role.ENTRY, 0)
    shown = _report(OrderStatus.NEW).report
    reading = SnapshotTaken(
        asked_ms=NOW_MS,
        wallet_usdt=ZERO,
        positions=(),
        open_orders=(
            replace(shown, order_id=ours),
            replace(shown, order_id=theirs, symbol="ETHUSDT"),
        ),
    )
    async with _running(account_id="main") as (script, switch):
        switch.note(reading)
        await wait_for(lambda: switch.armed == {"BTCUSDT"})
        switch.note(replace(reading, asked_ms=NOW_MS + 1, open_orders=()))
        await wait_for(lambda: not switch.armed)
        assert _told(script) == [("BTCUSDT", "120000"), ("BTCUSDT", "0")]
