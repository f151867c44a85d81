"""Steps kept in a real store, and a desk brought back as it was."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bot.app.service import ensure_people
from bot.core.desk import Desk
from bot.core.messages import PanicPressed, Tell
from bot.core.trade import Phase, Trade
from bot.sandbox.tape_instruments import instrument_of
from bot.shell.ports import Kept
from bot.shell.recorder import Recorder, load_desk
from data.store.errors import SequenceBroken
from data.store.store import Store

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
