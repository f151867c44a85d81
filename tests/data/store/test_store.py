"""Opening, locking, migrating, backing up: the database as a file."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from data.store import sqlite
from data.store.errors import AlreadyRunning, DatabaseUnusable, SchemaMismatch
from data.store.migrate import upgrade
from data.store.store import Store
from tests.data.store.shapes import step_row
from tests.house import ROOT


async def test_a_second_writer_is_refused_and_told_who_runs(store: Store, url: str) -> None:
    """The same database cannot be opened for writing twice; the refusal names the process."""
    with pytest.raises(AlreadyRunning, match=f"another instance runs \\(pid {os.getpid()}\\)"):
        await Store.open(url)
    with pytest.raises(AlreadyRunning):
        upgrade(url)
    await store.set_note("still", "works")


async def test_a_second_process_is_refused(store: Store, url: str) -> None:
    """The lock holds between processes, not only inside one."""
    code = (
        "import asyncio,sys\n"
        "from data.store.store import Store\n"
        "from data.store.errors import AlreadyRunning\n"
        "try: asyncio.run(Store.open(sys.argv[1]))\n"
        "except AlreadyRunning as e: print(e)\n"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", code, url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"another instance runs (pid {os.getpid()})" in done.stdout, done.stderr
    assert await store.note("anything") is None


async def test_the_lock_is_free_after_closing(store: Store, url: str) -> None:
    """Closing lets the next one in, with everything in place."""
    await store.commit_step(step_row(1))
    await store.close()
    await store.close()
    again = await Store.open(url)
    desk = await again.load_desk("a1")
    await again.close()
    assert desk is not None


async def test_a_closed_store_says_so(store: Store) -> None:
    """Writing after closing is refused in words."""
    await store.close()
    with pytest.raises(DatabaseUnusable, match="closed"):
        await store.set_note("k", "v")


async def test_a_reader_reads_beside_the_writer_and_cannot_write(store: Store, url: str) -> None:
    """`read_only` opens while the service runs, sees its commits, and changes nothing."""
    reader = await Store.open(url, read_only=True)
    try:
        await store.commit_step(step_row(1))
        desk = await reader.load_desk("a1")
        assert desk is not None
        with pytest.raises(DatabaseUnusable, match="only to read"):
            await reader.set_note("k", "v")
    finally:
        await reader.close()


async def test_a_reader_makes_no_database(url: str) -> None:
    """Looking at a database that is not there does not create one."""
    with pytest.raises(DatabaseUnusable, match="there is no database"):
        await Store.open(url, read_only=True)
    assert not sqlite.path_of(url).exists()


async def test_pragmas_hold_on_every_connection(store: Store) -> None:
    """WAL, full synchronisation, foreign keys and patience, on the writer; readers cannot write."""
    names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "query_only")
    async with store._db.write() as connection:
        wrote = [(await connection.exec_driver_sql(f"PRAGMA {n}")).scalar() for n in names]
    async with store._db.read() as connection:
        read = [(await connection.exec_driver_sql(f"PRAGMA {n}")).scalar() for n in names]
    assert wrote == ["wal", 2, 1, sqlite.BUSY_TIMEOUT_MS, 0]
    assert read == ["wal", 2, 1, sqlite.BUSY_TIMEOUT_MS, 1]


async def test_the_files_are_for_their_owner_only(store: Store) -> None:
    """Database, its log and its lock are not readable by other users of the machine."""
    await store.set_note("k", "v")
    files = list(store.path.parent.iterdir())
    assert {f.name for f in files} >= {"bot.db", "bot.db.lock", "bot.db-wal"}
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}


async def test_a_newer_database_is_left_as_it_is(store: Store, url: str) -> None:
    """A schema this program does not know is refused, not migrated; the lock is given back."""
    await store.close()
    path = sqlite.path_of(url)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(SchemaMismatch, match="written by a newer one"):
        await Store.open(url)
    with pytest.raises(SchemaMismatch, match="has schema 9999"):
        await Store.open(url, read_only=True)
    with pytest.raises(SchemaMismatch):
        upgrade(url)
    assert path.read_bytes() == before


async def test_a_file_that_is_no_database_is_refused(url: str) -> None:
    """Somebody's text file is neither opened nor changed."""
    path = sqlite.path_of(url)
    path.parent.mkdir()
    path.write_text("this is a letter to a friend\n" * 100)
    with pytest.raises(DatabaseUnusable, match="not a database"):
        await Store.open(url)
    assert path.read_text().startswith("this is a letter")


@pytest.mark.parametrize(
    "address",
    ["sqlite+aiosqlite://", "sqlite:///:memory:", "postgresql://h/d", "nonsense"],
)
async def test_addresses_that_cannot_work_are_refused(address: str) -> None:
    """Only a file of SQLite is a database here, and the refusal does not repeat a password."""
    with pytest.raises(DatabaseUnusable):
        await Store.open(address)


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A path through a file is refused with the path in the text."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DatabaseUnusable, match="cannot write the database"):
        await Store.open(f"sqlite+aiosqlite:///{tmp_path}/file/bot.db")


async def test_a_backup_opens_as_a_database_of_its_own(store: Store, tmp_path: Path) -> None:
    """The copy holds what was committed, is private, and is never written over."""
    await store.commit_step(step_row(1))
    target = tmp_path / "copy.db"
    await store.backup(target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError, match="never overwrites"):
        await store.backup(target)
    copy = await Store.open(f"sqlite+aiosqlite:///{target}")
    rows = await copy.journal_rows("a1")
    await copy.close()
    assert [r.seq for r in rows] == [1]
    assert not target.with_name("copy.db.part").exists()


async def test_a_backup_can_be_taken_by_a_reader(store: Store, url: str, tmp_path: Path) -> None:
    """`db backup` works while the service runs, from another process's read-only store."""
    await store.set_note("k", "v")
    reader = await Store.open(url, read_only=True)
    await reader.backup(tmp_path / "copy.db")
    await reader.close()
    copy = await Store.open(f"sqlite+aiosqlite:///{tmp_path}/copy.db", read_only=True)
    assert await copy.note("k") == "v"
    await copy.close()
