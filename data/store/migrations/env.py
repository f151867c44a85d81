"""Alembic's entry: runs the migrations on the connection it was handed, in one transaction.

Must not know: addresses or settings; `data.store.migrate` opens the connection.
"""

from alembic import context

from data.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",  # SQLite alters by copying a table
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
