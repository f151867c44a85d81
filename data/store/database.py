"""One open database: a single writer behind a lock, and readers beside it.

Must not know: what the tables mean. SQLAlchemy's types end here; the store hands out plain records.
"""

import asyncio
import sqlite3
from collections.abc import (
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite
from sqlalchemy import Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.sql import ClauseElement

from data.store import migrate, sqlite
from data.store.errors import DatabaseUnusable

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A statement's text with its parameters' names in order, built once."""

    sql: str
    names: tuple[str, ...]

    def values(self, row: object, **extra: object) -> tuple[object, ...]:
        """The parameters taken from a record's fields, or from `extra` where it names them."""
        return tuple(extra[n] if n in extra else getattr(row, n) for n in self.names)


def columns_of(row: Any) -> dict[str, Any]:
    """A record's fields as parameters, not looking inside them."""
    return {field.name: getattr(row, field.name) for field in fields(row)}


class Database:
    """Connections to one file. Made by `open`; whoever opened it closes it."""

    def __init__(
        self,
        *,
        path: Path,
        lock: sqlite.WriterLock | None,
        writing: AsyncEngine | None,
        reading: AsyncEngine,
    ) -> None:
        self.path = path
        self._lock = lock
        self._writing = writing
        self._reading = reading
        self._writer: AsyncConnection | None = None
        self._driver: aiosqlite.Connection | None = None
        self._turn = asyncio.Lock()
        self._steps: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, url: str, *, read_only: bool) -> "Database":
        """Open the database at `url`; a writer locks and migrates it, a reader finds it at head.

        Raises AlreadyRunning, SchemaMismatch, DatabaseUnusable, StorageFull.
        """
        path = sqlite.path_of(url)
        if read_only and not path.exists():
            raise DatabaseUnusable(f"there is no database at {path}")
        lock = None
        if not read_only:
            sqlite.make_file(path)
            lock = sqlite.WriterLock(path)
            lock.acquire()
        writing = None if read_only else sqlite.async_engine(path, writes=True)
        database = cls(
            path=path,
            lock=lock,
            writing=writing,
            reading=sqlite.async_engine(path, writes=False),
        )
        try:
            await database._start()
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        """Finish what is being written, then let go of the connections and of the lock."""
        async with self._turn:
            if self._writer is not None:
                await self._writer.close()
                self._writer = self._driver = None
            if self._writing is not None:
                await self._writing.dispose()
            await self._reading.dispose()
            if self._lock is not None:
                self._lock.release()

    def prepare(self, statement: Executable) -> Prepared:
        """Turn a statement into driver text once, so that a step does not compile it again."""
        assert isinstance(statement, ClauseElement)
        compiled = statement.compile(dialect=self._reading.dialect)
        names = getattr(compiled, "positiontup", None)
        assert names is not None, "the dialect does not number its parameters"
        return Prepared(sql=str(compiled), names=tuple(names))

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction on the writing connection; rolled back when the body raises."""
        async with self._turn:
            writer = self._open_writer()
            with _translating():
                async with writer.begin():
                    yield writer

    async def transact(self, work: Work) -> None:
        """Run `work` in the writing thread in one transaction; the fast path of a step.

        Between two calls of a thread the loop may hold the interpreter, so it is one call for all.
        A caller that is cancelled still gets all of it kept or nothing: the work goes on.
        """
        task = asyncio.ensure_future(self._transact(work))
        self._steps.add(task)
        task.add_done_callback(self._steps.discard)
        await asyncio.shield(task)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection that can only read and sees the last commit."""
        with _translating():
            async with self._reading.connect() as connection:
                yield connection

    async def run(self, statement: Executable, rows: Iterable[object] = ()) -> int:
        """Execute one statement for each record in one transaction; the number of rows touched."""
        values = [columns_of(row) for row in rows]
        async with self.write() as connection:
            result = await connection.execute(statement, values or None)
            return int(getattr(result, "rowcount", 0))

    async def first(
        self, kind: type[T], statement: Executable, values: Mapping[str, object] | None = None
    ) -> T | None:
        """The first row as a record, or None."""
        async with self.read() as connection:
            row = (await connection.execute(statement, values)).mappings().first()
            return None if row is None else kind(**row)

    async def every(
        self, kind: type[T], statement: Executable, values: Mapping[str, object] | None = None
    ) -> tuple[T, ...]:
        """All rows as records, in the statement's order."""
        async with self.read() as connection:
            rows: Sequence[Any] = (await connection.execute(statement, values)).mappings().all()
            return tuple(kind(**row) for row in rows)

    async def _start(self) -> None:
        with _translating():
            if self._writing is not None:
                self._writer = await self._writing.connect()
                async with self._writer.begin():
                    await self._writer.run_sync(migrate.upgrade_connection)
                raw = await self._writer.get_raw_connection()
                assert isinstance(raw.driver_connection, aiosqlite.Connection)
                self._driver = raw.driver_connection
            else:
                async with self._reading.connect() as connection:
                    await connection.run_sync(migrate.check_head)

    async def _transact(self, work: Work) -> None:
        async with self._turn:
            self._open_writer()
            driver = self._driver
            assert driver is not None, "an open writer has its driver"
            with _translating():
                await _in_its_thread(driver, partial(_in_transaction, work))

    def _open_writer(self) -> AsyncConnection:
        if self._writer is None:
            raise DatabaseUnusable("the database is closed, or was opened only to read")
        return self._writer


async def _in_its_thread(driver: aiosqlite.Connection, work: Work) -> None:
    run: Any = driver._execute  # noqa: SLF001 - no public method runs a function of ours there
    await run(work, driver._conn)  # noqa: SLF001 - the same


def _in_transaction(work: Work, connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        work(connection)
        connection.execute("COMMIT")
    except BaseException:
        # SQLite may have rolled back by itself, as it does when the disk is full.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        found = error.orig if isinstance(error, DBAPIError) else error
        ours = None if found is None else sqlite.translated(found)
        if ours is None:
            raise
        raise ours from error
