"""Who may speak: people the owner let in, known by their numeric Telegram id; nobody else.

The first owner pairs with a one-time code from the service's log. Only its hash is kept.
Must not know: what a person says, or any Telegram library.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

import structlog

from bot.shell.clock import Clock
from bot.shell.hush import Hush
from data.store.rows import UserRole, UserRow

PAIRING_NOTE: Final = "pairing"
PAIRING_BYTES: Final = 10  # 80 bits, 16 letters
PAIRING_LIFE_MS: Final = 24 * 3_600_000
PAIRING_TRIES_MAX: Final = 5
OWNER_ID: Final = "owner"
NAME_LENGTH_MAX: Final = 64

log = structlog.get_logger()


class PeopleStore(Protocol):
    """What the gate asks of the store."""

    async def owner(self) -> UserRow | None:
        """The owner, or None."""

    async def user(self, user_id: str) -> UserRow | None:
        """The person of that id, or None."""

    async def user_by_telegram(self, telegram_id: int) -> UserRow | None:
        """The person behind a Telegram id, or None."""

    async def add_user(self, user: UserRow) -> None:
        """Let a person in."""

    async def update_user(self, user: UserRow) -> bool:
        """Replace a person's record."""

    async def note(self, key: str) -> str | None:
        """A note's value, or None."""

    async def set_note(self, key: str, value: str, *, user_id: str | None = None) -> None:
        """Write a note."""

    async def drop_note(self, key: str) -> None:
        """Forget a note."""


class Gate:
    """Answers "who is this?"; a stranger gets no answer at all."""

    def __init__(
        self,
        store: PeopleStore,
        *,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        owner_name: str = "",
    ) -> None:
        self._store = store
        self._clock = clock
        self._random_bytes = random_bytes
        self._owner_name = owner_name
        self._hush = Hush()

    async def person(self, telegram_id: int) -> UserRow | None:
        """The person behind a Telegram id; a stranger is logged once a minute, without the id."""
        found = await self._store.user_by_telegram(telegram_id)
        if found is None and (times := self._hush.count("stranger")):
            log.warning("stranger_ignored", times=times)
        return found

    async def owner_chat(self) -> int:
        """The owner's private chat, 0 while nobody is paired."""
        owner = await self._store.owner()
        return owner.telegram_id or 0 if owner is not None else 0

    async def chat_of(self, user_id: str) -> int:
        """A person's private chat, the owner's where that person has none."""
        found = await self._store.user(user_id)
        if found is not None and found.telegram_id:
            return found.telegram_id
        return await self.owner_chat()

    async def open_pairing(self) -> str | None:
        """A fresh one-time code while there is no paired owner (older codes die), else None."""
        if await self.owner_chat():
            return None
        code = base64.b32encode(self._random_bytes(PAIRING_BYTES)).decode()
        body = {
            "hash": _hash(code),
            "until_ms": self._clock.now_ms() + PAIRING_LIFE_MS,
            "tries": 0,
        }
        await self._store.set_note(PAIRING_NOTE, json.dumps(body))
        return code

    async def pair(self, code: str, telegram_id: int, name: str, language: str) -> UserRow | None:
        """Make this person the owner if the code is the one in the log; None otherwise."""
        kept = await self._store.note(PAIRING_NOTE)
        if kept is None or await self.owner_chat():
            return None
        body = json.loads(kept)
        if self._clock.now_ms() >= body["until_ms"] or body["tries"] >= PAIRING_TRIES_MAX:
            return None
        if not hmac.compare_digest(_hash(code), str(body["hash"])):
            body["tries"] += 1
            await self._store.set_note(PAIRING_NOTE, json.dumps(body))
            log.warning("pairing_code_wrong", tries=body["tries"], tries_max=PAIRING_TRIES_MAX)
            return None
        # Dropped before the owner is written: two messages with the same code pair one person.
        await self._store.drop_note(PAIRING_NOTE)
        owner = await self._become_owner(telegram_id, name, language)
        log.info("owner_paired")
        return owner

    async def _become_owner(self, telegram_id: int, name: str, language: str) -> UserRow:
        shown = (self._owner_name or name)[:NAME_LENGTH_MAX]
        owner = await self._store.owner()
        if owner is not None:
            paired = replace(owner, telegram_id=telegram_id, name=shown, language=language)
            await self._store.update_user(paired)
            return paired
        paired = UserRow(
            user_id=OWNER_ID,
            telegram_id=telegram_id,
            role=UserRole.OWNER,
            name=shown,
            language=language,
            created_ms=self._clock.now_ms(),
        )
        await self._store.add_user(paired)
        return paired

    async def speaks(self, user: UserRow, language: str) -> UserRow:
        """Remember the language of the person's own client."""
        if user.language == language:
            return user
        changed = replace(user, language=language)
        await self._store.update_user(changed)
        return changed


def _hash(code: str) -> str:
    return hashlib.sha256(code.strip().upper().encode()).hexdigest()
