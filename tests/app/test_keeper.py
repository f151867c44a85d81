"""Documents: together in one transaction, told when durable, lost aloud."""

import asyncio
from collections.abc import Sequence
from typing import Any

from bot.app.keeper import WAITING_MAX, Keeper
from data.store.errors import StorageFull
from data.store.queries.keepsakes import digest_of
from data.store.rows import DocumentRow


class Shelf:
    """A store that notes each transaction; full while `full`."""

    def __init__(self) -> None:
        self.taken: list[list[str]] = []
        self.full = False

    async def put_documents(self, rows: Sequence[DocumentRow]) -> None:
        """One transaction."""
        await asyncio.sleep(0)
        if self.full:
            raise StorageFull("no room")
        self.taken.append([row.body for row in rows])


def keeper_on(shelf: Shelf) -> Keeper:
    """A keeper of one person's documents."""
    store: Any = shelf
    return Keeper(store, user_id="u", now_ms=lambda: 7)


async def test_what_comes_together_is_one_transaction() -> None:
    """Ten questions of one burst wait for one write, not for ten."""
    shelf = Shelf()
    keeper = keeper_on(shelf)
    kept = await asyncio.gather(*(keeper.kept("snapshot", str(n)) for n in range(10)))
    assert kept == [True] * 10
    assert shelf.taken == [[str(n) for n in range(10)]]


async def test_a_full_disk_is_told_to_everyone_who_waits_and_the_next_write_is_tried() -> None:
    """Nothing that was not written is said to be kept."""
    shelf = Shelf()
    keeper = keeper_on(shelf)
    shelf.full = True
    told = await asyncio.gather(*(keeper.kept("a", text) for text in "12"))
    assert told == [False, False]
    shelf.full = False
    assert await keeper.kept("a", "3")
    assert shelf.taken == [["3"]]


async def test_one_who_stops_waiting_takes_nobody_along() -> None:
    """A deadline that passed for one question leaves the others' write alone."""
    shelf = Shelf()
    keeper = keeper_on(shelf)
    gone = asyncio.create_task(keeper.kept("a", "1"))
    stays = asyncio.create_task(keeper.kept("a", "2"))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays
    assert shelf.taken == [["1", "2"]]


async def test_what_nobody_waits_for_is_written_before_the_end() -> None:
    """The digest is known at once; closing waits for the write; too many are dropped aloud."""
    shelf = Shelf()
    keeper = keeper_on(shelf)
    digests = [keeper.keep("prompt", str(n)) for n in range(WAITING_MAX + 1)]
    assert digests[0] == digest_of("0")
    await keeper.close()
    assert [len(rows) for rows in shelf.taken] == [WAITING_MAX]
