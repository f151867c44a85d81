"""Who reads what the bot shows: an account's own person first, then everyone else with a chat.

One service runs one account, and everyone the owner let in may see it: owners and traders decide,
viewers look. Must not know: what is shown.
"""

from collections.abc import Mapping
from typing import Protocol

from bot.control.catalog import words
from bot.control.views.look import Look
from bot.shell.clock import Clock
from data.store.rows import UserRow


class ReaderStore(Protocol):
    """What is asked of the store."""

    async def users(self) -> tuple[UserRow, ...]:
        """Everyone let in, oldest first."""

    async def owner(self) -> UserRow | None:
        """The owner, or None."""

    async def user(self, user_id: str) -> UserRow | None:
        """The person of that id, or None."""


class Readers:
    """The people behind the chats, and how each of them reads."""

    def __init__(self, store: ReaderStore, *, clock: Clock, badge: str) -> None:
        self._store = store
        self._clock = clock
        self._badge = badge

    async def first(self, user_id: str) -> UserRow | None:
        """The account's own person, or the owner where that person has no chat."""
        found = await self._store.user(user_id)
        if found is not None and found.telegram_id is not None:
            return found
        return await self._store.owner()

    async def everyone(self, user_id: str) -> tuple[UserRow, ...]:
        """Everyone with a chat who sees that person's account; `first` comes first."""
        first = await self.first(user_id)
        if first is None or first.telegram_id is None:
            return ()
        others = (u for u in await self._store.users() if u.telegram_id is not None)
        return (first, *(user for user in others if user.user_id != first.user_id))

    async def look(self, user: UserRow | None) -> Look:
        """What a view is drawn with for this person."""
        return Look(
            words=words(user.language if user is not None else "en"),
            badge=self._badge,
            now_ms=self._clock.now_ms(),
            names=await self.names(),
        )

    async def names(self) -> Mapping[str, str]:
        """What everyone is called, by user id."""
        return {user.user_id: user.name for user in await self._store.users()}
