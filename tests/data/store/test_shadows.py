"""Shadows in the store: what is open is derived, what ended stays."""

from dataclasses import replace

import pytest
from sqlalchemy.exc import IntegrityError

from data.store.rows import ShadowRow
from data.store.store import Store
from tests.data.store.shapes import step_row, trade_row

NO = ("blocked", "rejected")
END = ShadowRow(
    trade_id="t1",
    user_id="u1",
    account_id="a1",
    end="stop",
    ended_ms=500,
    entry_price="100",
    exit_price="95",
    risk_multiple="-1.05",
    pnl_usdt="-5.25",
    fees_usdt="0.25",
    fee_bps="5",
    slippage_bps="2",
)


async def with_trades(store: Store) -> None:
    """Two that were kept out, one that was made, one that works."""
    await store.commit_step(
        step_row(
            1,
            trade_row("t1", outcome="blocked"),
            trade_row("t2", outcome="rejected"),
            trade_row("t3", outcome="closed"),
            trade_row("t4"),
        )
    )


async def test_what_has_no_end_is_still_to_be_followed(store: Store) -> None:
    """By outcome, page by page; an end takes it off the list."""
    await with_trades(store)
    assert [row.trade_id for row in await store.unfollowed("a1", NO)] == ["t1", "t2"]
    assert [row.trade_id for row in await store.unfollowed("a1", NO, after_id="t1")] == ["t2"]
    assert [row.trade_id for row in await store.unfollowed("a1", NO, limit=1)] == ["t1"]
    assert await store.unfollowed("a2", NO) == ()
    assert await store.count_unfollowed("a1", NO) == 2
    await store.put_shadows([END])
    assert [row.trade_id for row in await store.unfollowed("a1", NO)] == ["t2"]
    assert await store.shadow("t1") == END
    assert await store.shadow("t2") is None


async def test_an_end_that_is_known_stays(store: Store) -> None:
    """Written twice, as after a crash, the first word counts."""
    await with_trades(store)
    await store.put_shadows([END])
    await store.put_shadows([replace(END, end="target", pnl_usdt="9"), replace(END, trade_id="t2")])
    assert await store.shadow("t1") == END
    assert await store.shadow("t2") is not None


async def test_ends_come_with_their_trades(store: Store) -> None:
    """From a moment on, page by page, with the trade's own text."""
    await with_trades(store)
    await store.put_shadows([END, replace(END, trade_id="t2", ended_ms=900)])
    found = await store.scored("a1")
    assert [(row.trade_id, row.body, row.pnl_usdt) for row in found] == [
        ("t1", "{}", "-5.25"),
        ("t2", "{}", "-5.25"),
    ]
    assert [row.trade_id for row in await store.scored("a1", since_ms=501)] == ["t2"]
    assert [row.trade_id for row in await store.scored("a1", after_id="t1", limit=5)] == ["t2"]


async def test_a_shadow_without_its_trade_cannot_be(store: Store) -> None:
    """The trade's row is the only truth about what was kept out."""
    with pytest.raises(IntegrityError):
        await store.put_shadows([END])
