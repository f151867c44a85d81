"""Users, their accounts, sealed keys and bots.

Must not know: what a key is worth or what a bot does.
"""

from dataclasses import dataclass

from sqlalchemy import Select, insert, select, update

from data.store import sqlite
from data.store.database import Database
from data.store.rows import AccountRow, BotRow, SecretRow, UserRole, UserRow
from data.store.tables import accounts, bots, secrets, users


class People:
    """The part of the store that knows who is who."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._upsert_secret = sqlite.upsert(secrets)
        self._upsert_bot = sqlite.upsert(bots)

    async def add_user(self, user: UserRow) -> None:
        """Let a person in. Raises ValueError when the id or the Telegram id is taken."""
        if await self.user(user.user_id) is not None:
            raise ValueError(f"user {user.user_id} exists")
        if user.telegram_id is not None and await self.user_by_telegram(user.telegram_id):
            raise ValueError(f"telegram id {user.telegram_id} belongs to another user")
        await self._db.run(insert(users), [user])

    async def update_user(self, user: UserRow) -> bool:
        """Replace a person's record, except when it was made; False when there is none."""
        statement = (
            update(users)
            .where(users.c.user_id == user.user_id)
            .values(
                telegram_id=user.telegram_id,
                role=user.role,
                name=user.name,
                language=user.language,
            )
        )
        return await self._db.run(statement) == 1

    async def user(self, user_id: str) -> UserRow | None:
        """The person of that id, or None."""
        return await self._one_user(select(users).where(users.c.user_id == user_id))

    async def user_by_telegram(self, telegram_id: int) -> UserRow | None:
        """The person behind a Telegram id, or None for a stranger."""
        return await self._one_user(select(users).where(users.c.telegram_id == telegram_id))

    async def owner(self) -> UserRow | None:
        """The owner, or None before pairing."""
        statement = select(users).where(users.c.role == UserRole.OWNER)
        return await self._one_user(statement.order_by(users.c.created_ms).limit(1))

    async def users(self) -> tuple[UserRow, ...]:
        """Everyone let in, oldest first."""
        statement = select(users).order_by(users.c.created_ms, users.c.user_id)
        return tuple(_user(row) for row in await self._db.every(_Raw, statement))

    async def put_account(self, account: AccountRow) -> None:
        """Add an account, or rename it. Its user never changes."""
        statement = sqlite.upsert(accounts, keep=("user_id", "created_ms"))
        await self._db.run(statement, [account])

    async def account(self, account_id: str) -> AccountRow | None:
        """The account of that id, or None."""
        statement = select(accounts).where(accounts.c.account_id == account_id)
        return await self._db.first(AccountRow, statement)

    async def accounts(self, user_id: str | None = None) -> tuple[AccountRow, ...]:
        """Accounts of one user, or of all, oldest first."""
        statement = select(accounts).order_by(accounts.c.created_ms, accounts.c.account_id)
        if user_id is not None:
            statement = statement.where(accounts.c.user_id == user_id)
        return await self._db.every(AccountRow, statement)

    async def put_secrets(self, rows: tuple[SecretRow, ...]) -> None:
        """Keep sealed fields, all or none, replacing those of the same account and field."""
        if rows:
            await self._db.run(self._upsert_secret, rows)

    async def secrets(self, account_id: str | None = None) -> tuple[SecretRow, ...]:
        """Sealed fields of one account, or of all (for rotation)."""
        statement = select(secrets).order_by(secrets.c.account_id, secrets.c.field)
        if account_id is not None:
            statement = statement.where(secrets.c.account_id == account_id)
        return await self._db.every(SecretRow, statement)

    async def put_bot(self, bot: BotRow) -> None:
        """Keep a bot's configuration, replacing the one of the same account and id."""
        await self._db.run(self._upsert_bot, [bot])

    async def bots(self, account_id: str | None = None) -> tuple[BotRow, ...]:
        """Bots of one account, or of all, by id."""
        statement = select(bots).order_by(bots.c.account_id, bots.c.bot_id)
        if account_id is not None:
            statement = statement.where(bots.c.account_id == account_id)
        return await self._db.every(BotRow, statement)

    async def _one_user(self, statement: Select[tuple[object, ...]]) -> UserRow | None:
        row = await self._db.first(_Raw, statement)
        return None if row is None else _user(row)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Raw:
    user_id: str
    telegram_id: int | None
    role: str
    name: str
    language: str
    created_ms: int


def _user(row: _Raw) -> UserRow:
    return UserRow(
        user_id=row.user_id,
        telegram_id=row.telegram_id,
        role=UserRole(row.role),
        name=row.name,
        language=row.language,
        created_ms=row.created_ms,
    )
