"""Bring a database's schema to the newest migration, or say that it is not there.

Must not know: rows. Runs synchronously on a connection it is handed, so an asynchronous caller
uses `run_sync`. Alembic is imported only when there is something to migrate.
"""

from importlib import resources

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DatabaseError

from data.store import sqlite
from data.store.errors import DatabaseUnusable, SchemaMismatch
from data.store.tables import SCHEMA_HEAD, metadata

# As Alembic makes it.
VERSION_TABLE = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)


def version_of(connection: Connection) -> str | None:
    """The schema version a database says it has; None for one that was never migrated."""
    try:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except DatabaseError as error:
        raise DatabaseUnusable(f"this is no database of ours: {error.orig}") from error


def check_head(connection: Connection) -> None:
    """Raise SchemaMismatch unless the schema is exactly the one this code was written for."""
    found = version_of(connection)
    if found != SCHEMA_HEAD:
        raise SchemaMismatch(
            f"the database has schema {found or 'none'}, this program needs {SCHEMA_HEAD};"
            " run `python -m bot db upgrade`"
        )


def upgrade_connection(connection: Connection) -> bool:
    """Migrate to the newest schema; True when there was something to do. The caller commits.

    Raises SchemaMismatch for a database written by a newer program: it is left as it is.
    """
    found = version_of(connection)
    if found == SCHEMA_HEAD:
        return False
    if found is None and not inspect(connection).get_table_names():
        _make_at_head(connection)
    else:
        _run_alembic(connection, found)
    check_head(connection)
    return True


def upgrade(url: str) -> bool:
    """Migrate the database at `url` (made when missing); True when there was something to do.

    Raises AlreadyRunning while a service has it open.
    """
    path = sqlite.path_of(url)
    sqlite.make_file(path)
    lock = sqlite.WriterLock(path)
    lock.acquire()
    engine = sqlite.sync_engine(path)
    try:
        with engine.begin() as connection:
            return upgrade_connection(connection)
    finally:
        engine.dispose()
        lock.release()


def _make_at_head(connection: Connection) -> None:
    # A new file needs no history: the tables as they are now, which a test holds equal to what the
    # migrations make. It saves a first start most of a second.
    metadata.create_all(connection)
    connection.execute(text(VERSION_TABLE))
    connection.execute(
        text("INSERT INTO alembic_version (version_num) VALUES (:head)"), {"head": SCHEMA_HEAD}
    )


def _run_alembic(connection: Connection, found: str | None) -> None:
    # Imported here: a database at head, the usual start, does without its 100 ms and 8 MB.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(resources.files("data.store") / "migrations"))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise SchemaMismatch(
            f"the database has schema {found}, which this program does not know:"
            " it was written by a newer one and is left as it is"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
