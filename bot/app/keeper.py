"""Documents kept while nobody waits: prompts, raw answers and snapshots, under their digest.

`keep` gives the digest at once and writes behind: prompts and answers are for people who ask why,
and no trade waits for them. `kept` says when a document is durable. Must not know: what is written
in them.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from data.store.errors import StoreError
from data.store.queries.keepsakes import digest_of
from data.store.rows import DocumentRow
from data.store.store import Store

WAITING_MAX: Final = 200  # answers come seconds apart: more means the disk does not take them

log = structlog.get_logger(__name__)


class Keeper:
    """Keeps one person's documents through the store: what comes together is one transaction."""

    def __init__(self, store: Store, *, user_id: str, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._user_id = user_id
        self._now_ms = now_ms
        self._due: list[tuple[DocumentRow, asyncio.Future[bool]]] = []
        self._writing: asyncio.Task[None] | None = None

    def keep(self, kind: str, text: str) -> str:
        """The digest a text is kept under; it is written soon, or said to be lost."""
        digest = digest_of(text)
        if len(self._due) >= WAITING_MAX:
            log.warning("document_dropped", kind=kind, digest=digest)
        else:
            self._put(kind, text, digest)
        return digest

    async def kept(self, kind: str, text: str) -> bool:
        """Write a text now; whether it is durable."""
        return await self._put(kind, text, digest_of(text))

    async def close(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            await self._writing

    def _put(self, kind: str, text: str, digest: str) -> asyncio.Future[bool]:
        row = DocumentRow(
            digest=digest,
            user_id=self._user_id,
            kind=kind,
            body=text,
            created_ms=self._now_ms(),
        )
        loop = asyncio.get_running_loop()
        told = loop.create_future()
        self._due.append((row, told))
        if self._writing is None or self._writing.done():
            self._writing = loop.create_task(self._write())
        return told

    async def _write(self) -> None:
        while self._due:
            due, self._due = self._due, []
            done = False
            try:
                done = await self._are_kept([row for row, _ in due])
            finally:
                for _, told in due:
                    if not told.done():  # whoever waited may have been cancelled
                        told.set_result(done)

    async def _are_kept(self, rows: list[DocumentRow]) -> bool:
        try:
            await self._store.put_documents(rows)
        except StoreError as fault:
            for row in rows:
                log.warning(
                    "document_not_kept", kind=row.kind, digest=row.digest, reason=str(fault)
                )
            return False
        return True
