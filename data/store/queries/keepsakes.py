"""Documents by their digest, and notes: small facts of the service itself.

Must not know: what is written in them.
"""

import hashlib
from collections.abc import Sequence

from sqlalchemy import delete, select

from data.store import sqlite
from data.store.database import Database
from data.store.rows import DocumentRow
from data.store.tables import documents, notes


class Keepsakes:
    """The part of the store for what is looked up by name."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put_document(self, *, user_id: str, kind: str, body: str, now_ms: int) -> str:
        """Keep a text under its sha256 (hex), which is returned; the same text is kept once."""
        digest = digest_of(body)
        row = DocumentRow(digest=digest, user_id=user_id, kind=kind, body=body, created_ms=now_ms)
        await self.put_documents([row])
        return digest

    async def put_documents(self, rows: Sequence[DocumentRow]) -> None:
        """Keep several texts in one transaction, each under the digest its row names."""
        await self._db.run(sqlite.insert_missing(documents), rows)

    async def document(self, digest: str, *, user_id: str | None = None) -> DocumentRow | None:
        """The text of that digest, of that user if one is named, or None."""
        statement = select(documents).where(documents.c.digest == digest).limit(1)
        if user_id is not None:
            statement = statement.where(documents.c.user_id == user_id)
        return await self._db.first(DocumentRow, statement)

    async def note(self, key: str) -> str | None:
        """A note's value, or None."""
        async with self._db.read() as connection:
            found = await connection.execute(select(notes.c.value).where(notes.c.key == key))
            value = found.scalar()
        return None if value is None else str(value)

    async def set_note(self, key: str, value: str, *, user_id: str | None = None) -> None:
        """Write a note, replacing the one of the same key."""
        statement = sqlite.upsert(notes)
        async with self._db.write() as connection:
            await connection.execute(statement, {"key": key, "user_id": user_id, "value": value})

    async def drop_note(self, key: str) -> None:
        """Forget a note; no matter if there is none."""
        await self._db.run(delete(notes).where(notes.c.key == key))


def digest_of(body: str) -> str:
    """The sha256 of a text's UTF-8 bytes, in hex: what it is kept under."""
    return hashlib.sha256(body.encode()).hexdigest()
