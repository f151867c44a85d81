"""Silence is judged by what goes on, and proved by a wallet that moved unheard."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from bot.core.messages import OrderReported, PositionSeen, SnapshotTaken, WalletSeen
from bot.venue import watch
from bot.venue.watch import BUSY_S, IDLE_S, OWED_S, SilenceWatch
from data.model import OrderReport, OrderStatus
from data.money import ZERO
from tests.venue.fake import Handler, Script, client, exchange, no, ok

KEY, BALANCE = "/fapi/v1/listenKey", "/fapi/v3/balance"


def _order(status: OrderStatus) -> OrderReported:
    report = OrderReport(
        order_id="a",
        symbol="X",
        status=status,
        filled_quantity=ZERO,
        average_price=None,
        conditional=False,
        event_ms=1,
    )
    return OrderReported(report=report)


@asynccontextmanager
async def _watch(balance: Handler, key: Handler | None = None) -> AsyncIterator[SilenceWatch]:
    script = Script()
    script.on("PUT", KEY, key or ok({"listenKey": "k"}))
    script.on("GET", BALANCE, balance)
    async with exchange(script) as url, client(url) as rest:
        yield SilenceWatch(rest)


def _wallets(usdt: str, bnb: str = "1") -> Handler:
    return ok([{"asset": "USDT", "balance": usdt}, {"asset": "BNB", "balance": bnb}])


async def test_patience_depends_on_what_is_going_on() -> None:
    """Nothing open: long; an order or a position: a minute; an accepted order untold: seconds."""
    async with _watch(_wallets("1")) as account:
        assert account.patience_s == IDLE_S
        account.note(_order(OrderStatus.NEW))
        assert account.patience_s == BUSY_S
        account.note(_order(OrderStatus.FILLED))
        assert account.patience_s == IDLE_S
        account.note(PositionSeen(symbol="X", quantity=Decimal(1), entry_price=ZERO, seen_ms=1))
        assert account.patience_s == BUSY_S
        account.accepted(account.frames)
        assert account.patience_s == OWED_S
        account.heard()
        account.note(PositionSeen(symbol="X", quantity=ZERO, entry_price=ZERO, seen_ms=1))
        assert account.patience_s == IDLE_S


async def test_an_accepted_order_nobody_tells_of_is_proof() -> None:
    """No look is needed: the answer itself says that a frame was due."""
    async with _watch(no(500, None, "")) as account:
        before = account.frames
        account.heard()
        account.accepted(before)  # the frame came before the answer: nothing is owed
        assert account.patience_s == IDLE_S
        account.accepted(account.frames)
        assert await account.look(OWED_S - 1) == ""
        assert "accepted" in await account.look(OWED_S + 1)


async def test_a_wallet_that_moved_unheard_is_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compared with the stream's last word or the snapshot, then with the last look."""
    monkeypatch.setattr(watch, "GRACE_S", 0.0)
    async with _watch(_wallets("10.50")) as account:
        account.note(
            SnapshotTaken(asked_ms=1, wallet_usdt=Decimal("10.5"), positions=(), open_orders=())
        )
        assert await account.look(IDLE_S + 1) == ""
        account._next_look_s = 0.0
        account.note(WalletSeen(wallet_usdt=Decimal(11), seen_ms=2))
        assert "USDT moved" in await account.look(IDLE_S + 1)
    async with _watch(_wallets("10", "1")) as account:
        assert await account.look(IDLE_S + 1) == ""  # nothing to compare with yet
        account._wallets["BNB"] = Decimal(2)
        account._next_look_s = 0.0
        assert "BNB moved" in await account.look(IDLE_S + 1)


async def test_a_look_is_seldom_and_a_failed_one_proves_nothing() -> None:
    """Once in each patience; an unreadable or refused answer is no evidence."""
    for balance in (no(500, None, ""), ok({"odd": 1}), ok([{"asset": "USDT"}])):
        async with _watch(balance) as account:
            account.note(WalletSeen(wallet_usdt=Decimal(11), seen_ms=2))
            assert await account.look(IDLE_S + 1) == ""
    async with _watch(_wallets("10")) as account:
        assert await account.look(IDLE_S + 1) == ""
        account._wallets["USDT"] = Decimal(11)
        assert await account.look(IDLE_S + 1) == ""  # too soon after the last


async def test_a_dead_key_is_proof() -> None:
    """Its socket stays open and mute."""
    async with _watch(_wallets("1"), no(400, -1125, "This listenKey does not exist.")) as account:
        assert "listen key" in await account.look(IDLE_S + 1)
