"""One-use button data: 16 random bytes, bound to a chat, a person, a verb and a moment.

Only hashes are kept, so whoever reads the database cannot press a button.
Must not know: what a verb does.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from bot.control.views.terms import Verb
from data.store.rows import TokenRow, UserRow

TOKEN_BYTES: Final = 16
VERSION: Final = "1"


class TokenStore(Protocol):
    """What tokens ask of the store."""

    async def issue(self, rows: tuple[TokenRow, ...]) -> None:
        """Keep new tokens, all or none."""

    async def redeem(
        self,
        token_hash: str,
        *,
        now_ms: int,
        chat_id: int,
        user_id: str,
        ignore_expiry: bool = False,
    ) -> TokenRow | None:
        """Use a token up and return it; None when it does not count."""

    async def token(self, token_hash: str) -> TokenRow | None:
        """Look at a token without using it."""


class Tokens:
    """Makes and reads button data."""

    def __init__(self, store: TokenStore, random_bytes: Callable[[int], bytes]) -> None:
        self._store = store
        self._random_bytes = random_bytes

    async def issue(
        self, user: UserRow, verbs: Iterable[Verb], *, card_id: str, subject: str, expires_ms: int
    ) -> dict[Verb, str]:
        """Fresh button data for each verb, kept before anyone can see it."""
        assert user.telegram_id is not None, "buttons go to a chat"
        data, rows = {}, []
        for verb in verbs:
            token = base64.urlsafe_b64encode(self._random_bytes(TOKEN_BYTES)).decode().rstrip("=")
            data[verb] = VERSION + token
            rows.append(
                TokenRow(
                    token_hash=hash_of(data[verb]),
                    user_id=user.user_id,
                    chat_id=user.telegram_id,
                    card_id=card_id or None,
                    verb=verb.value,
                    subject=subject,
                    expires_ms=expires_ms,
                )
            )
        await self._store.issue(tuple(rows))
        return data

    async def look(self, data: str, user: UserRow) -> TokenRow | None:
        """The token behind button data, if it was made for this person; not used up."""
        row = await self._store.token(hash_of(data))
        if row is None or row.user_id != user.user_id or row.chat_id != user.telegram_id:
            return None
        return row

    async def use(self, row: TokenRow, now_ms: int, *, late: bool = False) -> bool:
        """Use it up: True for exactly one caller. `late` ignores expiry: risk-reducing verbs."""
        used = await self._store.redeem(
            row.token_hash,
            now_ms=now_ms,
            chat_id=row.chat_id,
            user_id=row.user_id,
            ignore_expiry=late,
        )
        return used is not None


def hash_of(data: str) -> str:
    """What is kept of button data."""
    return hashlib.sha256(data.encode()).hexdigest()
