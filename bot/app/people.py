"""The rows that everything else belongs to: the owner's and the account's.

Must not know: chat, or what is traded.
"""

from dataclasses import replace
from typing import Final

from data.store.rows import AccountRow, UserRole, UserRow
from data.store.store import Store

OWNER: Final = "owner"


async def ensure_people(
    store: Store, account_id: str, venue_name: str, now_ms: int, owner_chat: int | None = None
) -> None:
    """Make the owner's and the account's rows where they are missing; both are needed first."""
    owner = await store.owner()
    if owner is not None and owner.telegram_id is None and owner_chat is not None:
        await store.update_user(replace(owner, telegram_id=owner_chat))
    if owner is None:
        row = UserRow(
            user_id=OWNER,
            telegram_id=owner_chat,
            role=UserRole.OWNER,
            name="",
            language="en",
            created_ms=now_ms,
        )
        await store.add_user(row)
    if await store.account(account_id) is None:
        await store.put_account(
            AccountRow(
                account_id=account_id,
                user_id=OWNER,
                label=account_id,
                venue=venue_name,
                created_ms=now_ms,
            )
        )
