"""Steps kept in a real store, and a desk brought back as it was."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bot.app.people import ensure_people
from bot.core.desk import Desk
from bot.core.desk_draft import CLOSED_KEPT_MAX, closed_trade_of
from bot.core.messages import PanicPressed, Tell
from bot.core.trade import Phase, Role, Trade
from bot.sandbox.tape_instruments import instrument_of
from bot.shell.ports import Kept
from bot.shell.recorder import Recorder, load_desk
from data.store.errors import SequenceBroken
from data.store.store import Store
from memory.recall import remember
from tests.core import build
from tests.core.build import Case

BTC = instrument_of("BTCUSDT", 100_000.0)
TRADE = Trade(
    trade_id="abcdefghij",
    user_id="owner",
    account_id="main",
    bot_id="b",
    symbol="BTCUSDT",
    phase=Phase.POSITION_ACTIVE,
    opened_ms=5,
    instrument=BTC,
)


async def test_a_desk_comes_back_as_its_last_step_left_it(tmp_path: Path) -> None:
    """Wallet, halts and trades are equal after the database was closed and opened again."""
    url = f"sqlite+aiosqlite:///{tmp_path}/bot.db"
    desk = replace(
        Desk(account_id="main", user_id="owner", wallet_usdt=Decimal("9999.12345678")),
        halts=("panic",),
        trades={TRADE.trade_id: TRADE},
    )
    store = await Store.open(url)
    try:
        await ensure_people(store, "main", "demo", 1)
        assert await load_desk(store, "main", "owner") == (
            Desk(account_id="main", user_id="owner"),
            0,
        )
        event, told = PanicPressed(by="owner"), Tell(kind="panic")
        keep = Recorder(store).commit
        step = Kept(seq=1, now_ms=7, event=event, commands=(told,), desk=desk, changed=(TRADE,))
        await keep([step])
        with pytest.raises(SequenceBroken):
            await keep([replace(step, seq=3, now_ms=8, commands=(), changed=())])
        (row,) = await store.journal_rows("main")
        assert (row.kind, row.trade_id, row.at_ms) == ("PanicPressed", TRADE.trade_id, 7)
    finally:
        await store.close()
    again = await Store.open(url)
    try:
        assert await load_desk(again, "main", "owner") == (desk, 1)
    finally:
        await again.close()


async def test_memory_comes_back_from_the_trades_alone(tmp_path: Path) -> None:
    """Of 230 closed trades the newest 200 are at hand, and what follows from all 230 as before."""
    case = Case(build.desk()).to_active()
    case.exit_by(Role.STOP)
    ended = case.trade()
    trades = [
        replace(
            ended,
            trade_id=f"old{n:03}",
            user_id="owner",
            account_id="main",
            bot_id=("one", "two")[n % 2],
            moved_ms=ended.moved_ms + n * 1_000,
            wallet_after_usdt=Decimal(1000 - n),
            fills=(replace(ended.fills[0], fee=Decimal(n % 3)), *ended.fills[1:]),
        )
        for n in range(230)
    ]
    results = [closed_trade_of(trade) for trade in trades]
    desk = replace(
        Desk(account_id="main", user_id="owner"),
        closed=tuple(results[-CLOSED_KEPT_MAX:]),
        memory=remember(results),
    )
    store = await Store.open(f"sqlite+aiosqlite:///{tmp_path}/bot.db")
    try:
        await ensure_people(store, "main", "demo", 1)
        whole = replace(desk, closed=tuple(results))
        event = PanicPressed(by="owner")
        changed = tuple(trades)
        await Recorder(store).commit(
            [Kept(seq=1, now_ms=7, event=event, commands=(), desk=whole, changed=changed)]
        )
        loaded, _ = await load_desk(store, "main", "owner")
    finally:
        await store.close()
    assert loaded == desk
    assert loaded.memory.account.overall.count == 230
