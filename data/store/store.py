"""The store: one object with every question the rooms above may ask of what is kept.

Must not know: rules, the network, the clock. All methods are coroutines that take and return plain
records of `data.store.rows`; what can go wrong is in `data.store.errors`.
"""

from pathlib import Path

from data.store import sqlite
from data.store.database import Database
from data.store.queries.chat import Chat
from data.store.queries.keepsakes import Keepsakes
from data.store.queries.people import People
from data.store.queries.shadows import Shadows
from data.store.queries.steps import Steps


class Store(Steps, People, Chat, Keepsakes, Shadows):
    """One open database. Exactly one process may hold it for writing; any number may read."""

    def __init__(self, db: Database) -> None:
        Steps.__init__(self, db)
        People.__init__(self, db)
        Chat.__init__(self, db)
        Keepsakes.__init__(self, db)
        Shadows.__init__(self, db)

    @classmethod
    async def open(cls, url: str, *, read_only: bool = False) -> "Store":
        """Open `sqlite+aiosqlite:///FILE`, made and migrated as needed; read-only changes nothing.

        Raises AlreadyRunning, SchemaMismatch, DatabaseUnusable, StorageFull.
        """
        return cls(await Database.open(url, read_only=read_only))

    @property
    def path(self) -> Path:
        """The database file."""
        return self._db.path

    async def close(self) -> None:
        """Finish what is being written, then close; a second call does nothing."""
        await self._db.close()

    async def backup(self, target: Path) -> None:
        """Write a consistent copy to a new file while work goes on, for this user's eyes only.

        Raises FileExistsError when `target` exists, StorageFull when the copy does not fit.
        """
        async with self._db.read() as connection:
            await connection.run_sync(sqlite.copy_to, target)

    async def limit_size(self, size_bytes_max: int | None) -> None:
        """Let the database grow to so many bytes at most (None: as far as the disk goes)."""
        async with self._db.write() as connection:
            await connection.run_sync(sqlite.limit_pages, size_bytes_max)
