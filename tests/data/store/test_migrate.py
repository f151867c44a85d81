"""Migrations: from an empty file to the tables the code knows, and nowhere else."""

from importlib import resources
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from data.store import migrate, sqlite
from data.store.errors import SchemaMismatch
from data.store.tables import SCHEMA_HEAD, metadata


def test_an_empty_file_becomes_the_tables_of_the_code(tmp_path: Path) -> None:
    """After migrating, Alembic finds no difference between the database and `tables`."""
    url = f"sqlite:///{tmp_path}/bot.db"
    assert migrate.upgrade(url)
    engine = sqlite.sync_engine(tmp_path / "bot.db")
    with engine.connect() as connection:
        migrate.check_head(connection)
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    assert differences == []


def test_migrating_twice_does_nothing(tmp_path: Path) -> None:
    """A database at head is left as it is."""
    url = f"sqlite+aiosqlite:///{tmp_path}/bot.db"
    assert migrate.upgrade(url)
    assert not migrate.upgrade(url)


def test_the_known_head_is_the_newest_migration() -> None:
    """`SCHEMA_HEAD` names the last file in migrations/versions."""
    config = Config()
    config.set_main_option("script_location", str(resources.files("data.store") / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA_HEAD]


def test_a_database_without_a_schema_is_not_at_head(tmp_path: Path) -> None:
    """The check raises instead of working on tables that are not there."""
    engine = sqlite.sync_engine(tmp_path / "bot.db")
    with engine.connect() as connection, pytest.raises(SchemaMismatch, match="has schema none"):
        migrate.check_head(connection)
    engine.dispose()


def test_every_persons_row_carries_the_user() -> None:
    """Each table but the notes has a `user_id` that is not empty; notes may be the service's."""
    for table in metadata.tables.values():
        assert "user_id" in table.c, table.name
        assert table.c.user_id.nullable is (table.name == "notes"), table.name


def test_a_new_file_and_a_migrated_one_are_the_same(tmp_path: Path) -> None:
    """The short way (the tables as they are now) and the migrations make the same schema."""
    migrate.upgrade(f"sqlite:///{tmp_path}/short.db")
    long_way = sqlite.sync_engine(tmp_path / "long.db")
    with long_way.begin() as connection:
        migrate._run_alembic(connection, None)
    long_way.dispose()
    assert _schema_of(tmp_path / "short.db") == _schema_of(tmp_path / "long.db")


def _schema_of(path: Path) -> dict[str, object]:
    """Every table's columns, keys, indexes and checks, whatever order they were written in."""
    engine = sqlite.sync_engine(path)
    found: dict[str, object] = {}
    with engine.connect() as connection:
        seen = inspect(connection)
        for table in seen.get_table_names():
            parts = (
                seen.get_columns(table),
                [seen.get_pk_constraint(table)],
                seen.get_unique_constraints(table),
                seen.get_foreign_keys(table),
                seen.get_indexes(table),
                seen.get_check_constraints(table),
            )
            found[table] = [sorted(map(repr, part)) for part in parts]
    engine.dispose()
    return found
