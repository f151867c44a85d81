"""Steps: all of one or nothing of it, in order, whatever the disk and the caller do."""

import asyncio
from dataclasses import replace

import pytest

from data.store.errors import AmbiguousPrefix, SequenceBroken, StorageFull
from data.store.store import Store
from tests.data.store.shapes import step_row, trade_row


async def test_a_step_is_read_back_as_it_was_written(store: Store) -> None:
    """Desk, journal and trades of a step come back field by field."""
    first, second = step_row(1, trade_row()), step_row(2, trade_row(), desk_body='{"n":2}')
    await store.commit_step(first)
    await store.commit_step(second)
    desk = await store.load_desk("a1")
    assert desk is not None
    assert (desk.seq, desk.body, desk.updated_ms, desk.user_id) == (2, '{"n":2}', 1_002, "u1")
    assert await store.journal_rows("a1") == (first.journal, second.journal)
    assert await store.load_trades("a1") == (trade_row(),)


async def test_no_desk_before_the_first_step(store: Store) -> None:
    """An account that never stepped has no desk, no trades and no journal."""
    assert await store.load_desk("a1") is None
    assert await store.load_trades("a1") == ()
    assert await store.journal_rows("a1") == ()


@pytest.mark.parametrize("seq", [0, 1, 2, 4, 9])
async def test_a_gap_or_a_repeat_is_refused_whole(store: Store, seq: int) -> None:
    """After step 2 only step 3 is taken; any other leaves desk, journal and trades untouched."""
    await store.commit_step(step_row(1))
    await store.commit_step(step_row(2, desk_body="two"))
    with pytest.raises(SequenceBroken, match=f"is at 2, not before {seq}"):
        await store.commit_step(step_row(seq, trade_row(), desk_body="wrong"))
    desk = await store.load_desk("a1")
    assert desk is not None
    assert (desk.seq, desk.body) == (2, "two")
    assert len(await store.journal_rows("a1")) == 2
    assert await store.load_trades("a1") == ()


async def test_the_first_step_is_number_one(store: Store) -> None:
    """A journal cannot begin in the middle."""
    with pytest.raises(SequenceBroken, match="is at 0, not before 2"):
        await store.commit_step(step_row(2))
    assert await store.load_desk("a1") is None


async def test_a_step_for_anothers_account_is_refused_whole(store: Store) -> None:
    """A row cannot carry an account together with somebody else's user id."""
    stolen = replace(step_row(1), journal=replace(step_row(1).journal, user_id="u2"))
    with pytest.raises(Exception, match="FOREIGN KEY"):
        await store.commit_step(stolen)
    assert await store.load_desk("a1") is None


async def test_a_full_disk_keeps_nothing_of_the_step_and_heals(store: Store) -> None:
    """StorageFull leaves the last step standing; with room again the same step is taken."""
    await store.commit_step(step_row(1, desk_body="one"))
    await store.limit_size(1)
    big = step_row(2, trade_row(), desk_body="x" * 400_000)
    with pytest.raises(StorageFull):
        await store.commit_step(big)
    desk = await store.load_desk("a1")
    assert desk is not None
    assert (desk.seq, desk.body) == (1, "one")
    assert len(await store.journal_rows("a1")) == 1
    assert await store.load_trades("a1") == ()
    await store.limit_size(None)
    await store.commit_step(big)
    desk = await store.load_desk("a1")
    assert desk is not None
    assert desk.seq == 2


async def test_a_full_disk_is_told_by_every_write(store: Store) -> None:
    """The slower paths raise StorageFull too, and the store still reads."""
    await store.limit_size(1)
    with pytest.raises(StorageFull):
        await store.put_document(user_id="u1", kind="prompt", body="y" * 400_000, now_ms=1)
    assert await store.user("u1") is not None


async def test_a_cancelled_caller_leaves_a_whole_step(store: Store) -> None:
    """Cancelling the engine in the middle of a commit never keeps half: here it is kept whole."""
    task = asyncio.create_task(store.commit_step(step_row(1, trade_row())))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.set_note("after", "the turn was given back")
    desk = await store.load_desk("a1")
    assert desk is not None
    assert desk.seq == 1
    assert len(await store.journal_rows("a1")) == 1
    assert await store.load_trades("a1") == (trade_row(),)


async def test_closing_waits_for_the_step_being_written(store: Store, url: str) -> None:
    """A step under way when the store is closed is on the disk afterwards."""
    task = asyncio.create_task(store.commit_step(step_row(1)))
    await asyncio.sleep(0)
    await asyncio.gather(task, store.close())
    again = await Store.open(url)
    desk = await again.load_desk("a1")
    await again.close()
    assert desk is not None
    assert desk.seq == 1


async def test_steps_of_several_tasks_do_not_mix(store: Store) -> None:
    """Concurrent writers take turns: each transaction is its own."""
    tasks = [store.set_note(f"k{n}", "v" * n) for n in range(20)]
    steps = [store.commit_step(step_row(1))]
    await asyncio.gather(*tasks, *steps)
    assert [await store.note(f"k{n}") for n in range(20)] == ["v" * n for n in range(20)]


async def test_working_trades_are_those_without_an_outcome(store: Store) -> None:
    """`working_only` leaves out every trade that has ended, however it ended."""
    ended = trade_row("ended00000", outcome="rejected")
    working = trade_row("working000")
    await store.commit_step(step_row(1, ended, working))
    assert await store.load_trades("a1", working_only=True) == (working,)
    assert set(await store.load_trades("a1")) == {ended, working}


async def test_a_trade_is_found_by_its_beginning(store: Store) -> None:
    """An id, or a beginning that only one id has; pattern signs are letters like any other."""
    one, two = trade_row("abc1"), trade_row("abd2")
    await store.commit_step(step_row(1, one, two, trade_row("abc")))
    assert await store.trade("abd") == two
    assert await store.trade("abc") == trade_row("abc")
    assert await store.trade("abc1") == one
    assert await store.trade("%") is None
    assert await store.trade("") is None
    assert await store.trade("abd", user_id="u2") is None
    with pytest.raises(AmbiguousPrefix, match="abc, abc1, abd2"):
        await store.trade("ab")


async def test_recent_trades_come_newest_first(store: Store) -> None:
    """The newest of a user's trades, or only those that had a position; nobody else's."""
    rows = [replace(trade_row(f"t{n}", outcome="closed"), opened_ms=n) for n in range(5)]
    blocked = replace(trade_row("t9", outcome="blocked"), opened_ms=9)
    await store.commit_step(step_row(1, *rows, blocked))
    assert [r.trade_id for r in await store.recent_trades("u1", 3)] == ["t9", "t4", "t3"]
    closed = await store.recent_trades("u1", 2, closed_only=True)
    assert [r.trade_id for r in closed] == ["t4", "t3"]
    assert await store.recent_trades("u2", 3) == ()


async def test_the_journal_is_read_in_pages_and_by_trade(store: Store) -> None:
    """`after_seq` and `limit` page; a trade's rows are only its own."""
    for seq in range(1, 7):
        await store.commit_step(step_row(seq, trade_row("odd" if seq % 2 else "even")))
    page = await store.journal_rows("a1", after_seq=2, limit=3)
    assert [r.seq for r in page] == [3, 4, 5]
    assert [r.seq for r in await store.journal_rows("a1", trade_id="even")] == [2, 4, 6]


async def test_a_batch_is_kept_whole_or_not_at_all(store: Store) -> None:
    """Steps of one batch share a transaction: the last desk stands, a gap inside keeps nothing."""
    await store.commit_step(step_row(1), step_row(2, trade_row()), step_row(3, desk_body="three"))
    desk = await store.load_desk("a1")
    assert desk is not None
    assert (desk.seq, desk.body) == (3, "three")
    assert [row.seq for row in await store.journal_rows("a1")] == [1, 2, 3]
    with pytest.raises(SequenceBroken, match="step 6 does not follow 4"):
        await store.commit_step(step_row(4), step_row(6))
    assert len(await store.journal_rows("a1")) == 3
