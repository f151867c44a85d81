"""Everything that is SQLite's own: opening, pragmas, the one-writer lock, full disks, backup.

Must not know: the tables' meaning. A PostgreSQL twin of this file offers the same names.
"""

import fcntl
import os
import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, Executable, Table, create_engine, event
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from data.store.errors import AlreadyRunning, DatabaseUnusable, StorageFull, StoreError

BUSY_TIMEOUT_MS: Final = 5_000  # a backup or a reader of another process may hold a lock briefly
WAL_BYTES_MAX: Final = 64 * 1024 * 1024  # the log is cut back to this after a checkpoint
READERS_MAX: Final = 2  # connections; each is a thread with its own page cache
CACHE_KIB: Final = 4_096
OWNER_ONLY: Final = 0o600  # sealed keys, chats and trades are nobody else's business

_FULL_CODES: Final = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY})
_BROKEN_CODES: Final = frozenset(
    {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CANTOPEN}
)


def path_of(url: str) -> Path:
    """The database file a `sqlite[+aiosqlite]:///FILE` address names.

    Raises DatabaseUnusable for any other address; memory has no second connection, so no store.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise DatabaseUnusable("the database address is not understood") from error
    if parsed.get_backend_name() != "sqlite":
        raise DatabaseUnusable(f"only sqlite is supported, not {parsed.get_backend_name()}")
    if not parsed.database or parsed.database == ":memory:":
        raise DatabaseUnusable("the database must be a file: sqlite+aiosqlite:///FILE")
    return Path(parsed.database)


class WriterLock:
    """The right to write to one database file; the operating system frees it when we die."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock, or raise AlreadyRunning naming the process that has it."""
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(file, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(file)
            raise AlreadyRunning(
                f"another instance runs (pid {holder}): it holds {self._path}"
            ) from error
        os.ftruncate(file, 0)
        os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
        self._file = file

    def release(self) -> None:
        """Give the lock back; the file stays, because removing it would race with the next one."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


def make_file(path: Path) -> None:
    """Create the database file and its folder, readable by nobody else; raises DatabaseUnusable."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY))
    except OSError as error:
        raise DatabaseUnusable(f"cannot write the database {path}: {error.strerror}") from error


def async_engine(path: Path, *, writes: bool) -> AsyncEngine:
    """Connections over aiosqlite: one that writes, or a few that can only read."""
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{path}",
        pool_size=1 if writes else READERS_MAX,
        max_overflow=0,
        connect_args={"isolation_level": None},
    )
    _prepare(engine.sync_engine, writes=writes)
    return engine


def sync_engine(path: Path) -> Engine:
    """One writing connection without a loop, for migrations from the command line."""
    engine = create_engine(f"sqlite:///{path}", connect_args={"isolation_level": None})
    _prepare(engine, writes=True)
    return engine


def upsert(table: Table, *, keep: Collection[str] = ()) -> Executable:
    """Insert a row, or replace the columns of the one with its key, except those to `keep`."""
    statement = insert(table)
    changed = [c.name for c in table.columns if not c.primary_key and c.name not in keep]
    return statement.on_conflict_do_update(
        index_elements=[c.name for c in table.primary_key],
        set_={name: statement.excluded[name] for name in changed},
    )


def insert_missing(table: Table) -> Executable:
    """Insert a row unless one with its key is there."""
    return insert(table).on_conflict_do_nothing()


def translated(error: BaseException) -> StoreError | None:
    """Our error for one of SQLite's, or None when it is a fault in a statement."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    if code in _FULL_CODES:
        return StorageFull(f"the disk does not take the record: {error}")
    if code in _BROKEN_CODES:
        return DatabaseUnusable(f"the database cannot be used: {error}")
    return None


def limit_pages(connection: Connection, size_bytes_max: int | None) -> None:
    """Refuse to grow beyond so many bytes (None: no limit), as a full disk would."""
    size = int(connection.exec_driver_sql("PRAGMA page_size").scalar_one())
    pages = 0x7FFFFFFE if size_bytes_max is None else max(1, size_bytes_max // size)
    connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")


def copy_to(connection: Connection, target: Path) -> None:
    """Write a compact, consistent copy to `target` while others write on; `connection` reads.

    Raises StorageFull when the copy does not fit, FileExistsError when `target` exists.
    """
    if target.exists():
        raise FileExistsError(f"{target} exists; a backup never overwrites")
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY))
        # A reader may not write at all, not even elsewhere; for this one statement it must.
        connection.exec_driver_sql("PRAGMA query_only = OFF")
        connection.exec_driver_sql("VACUUM INTO ?", (str(part),))
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        connection.exec_driver_sql("PRAGMA query_only = ON")
        part.unlink(missing_ok=True)


def _prepare(engine: Engine, *, writes: bool) -> None:
    pragmas = [
        f"busy_timeout = {BUSY_TIMEOUT_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"journal_size_limit = {WAL_BYTES_MAX}",
        f"cache_size = -{CACHE_KIB}",
    ]
    if not writes:
        pragmas = [*pragmas[:1], *pragmas[3:], "query_only = ON"]

    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    if writes:
        # The driver is left in autocommit mode, so that we alone say where a transaction begins.
        @event.listens_for(engine, "begin")
        def _begun(connection: Connection) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
