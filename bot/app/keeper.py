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
from data.store.store import Store

WAITING_MAX: Final = 200  # answers come seconds apart: more means the disk does not take them

log = structlog.get_logger(__name__)


class Keeper:
    """Keeps one person's documents through the store."""

    def __init__(self, store: Store, *, user_id: str, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._user_id = user_id
        self._now_ms = now_ms
        self._writing: set[asyncio.Task[bool]] = set()

    def keep(self, kind: str, text: str) -> str:
        """The digest a text is kept under; it is written soon, or said to be lost."""
        digest = digest_of(text)
        if len(self._writing) >= WAITING_MAX:
            log.warning("document_dropped", kind=kind, digest=digest)
            return digest
        task = asyncio.get_running_loop().create_task(self._write(kind, text, digest))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        return digest

    async def kept(self, kind: str, text: str) -> bool:
        """Write a text at once; whether it is durable."""
        return await self._write(kind, text, digest_of(text))

    async def close(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._writing)

    async def _write(self, kind: str, text: str, digest: str) -> bool:
        try:
            await self._store.put_document(
                user_id=self._user_id, kind=kind, body=text, now_ms=self._now_ms()
            )
        except StoreError as fault:
            log.warning("document_not_kept", kind=kind, digest=digest, reason=str(fault))
            return False
        return True
