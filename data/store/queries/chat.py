"""Cards, one-use tokens and the outbox: what people were shown and what they may still answer.

Must not know: Telegram, or what a verb does.
"""

from sqlalchemy import insert, select, update

from data.store import sqlite
from data.store.database import Database
from data.store.rows import CardRow, OutboxRow, TokenRow
from data.store.tables import cards, outbox, tokens


class Chat:
    """The part of the store the control room writes to."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._put_card = sqlite.upsert(cards, keep=("state", "created_ms", "user_id"))

    async def put_card(self, card: CardRow) -> None:
        """Keep a card; of one that exists everything but its state is replaced."""
        await self._db.run(self._put_card, [card])

    async def card(self, card_id: str) -> CardRow | None:
        """The card of that id, or None."""
        return await self._db.first(CardRow, select(cards).where(cards.c.card_id == card_id))

    async def cards_of_trade(self, trade_id: str) -> tuple[CardRow, ...]:
        """A trade's cards, oldest first."""
        statement = select(cards).where(cards.c.trade_id == trade_id)
        return await self._db.every(CardRow, statement.order_by(cards.c.created_ms))

    async def cards_in(self, *states: str) -> tuple[CardRow, ...]:
        """Every card in one of these states, oldest first: what a restart has to pick up."""
        statement = select(cards).where(cards.c.state.in_(states)).order_by(cards.c.created_ms)
        return await self._db.every(CardRow, statement)

    async def move_card(self, card_id: str, *, expected: str, state: str) -> bool:
        """Change a card's state only if it is the expected one: of two callers one gets True."""
        statement = (
            update(cards)
            .where(cards.c.card_id == card_id, cards.c.state == expected)
            .values(state=state)
        )
        return await self._db.run(statement) == 1

    async def set_card_message(self, card_id: str, message_id: int) -> bool:
        """Note which chat message shows a card; False when there is no such card."""
        statement = update(cards).where(cards.c.card_id == card_id).values(message_id=message_id)
        return await self._db.run(statement) == 1

    async def issue(self, rows: tuple[TokenRow, ...]) -> None:
        """Keep new tokens, all or none; a hash that exists is left as it is."""
        if rows:
            await self._db.run(sqlite.insert_missing(tokens), rows)

    async def redeem(
        self,
        token_hash: str,
        *,
        now_ms: int,
        chat_id: int,
        user_id: str,
        ignore_expiry: bool = False,
    ) -> TokenRow | None:
        """Use a token up and return it, once, only in its own chat and by its own user.

        None when it was used, is unknown, belongs elsewhere or expired (`expires_ms` is the first
        moment it no longer counts). `ignore_expiry` is for verbs that reduce risk.
        """
        statement = (
            update(tokens)
            .where(
                tokens.c.token_hash == token_hash,
                tokens.c.chat_id == chat_id,
                tokens.c.user_id == user_id,
                tokens.c.used_ms.is_(None),
            )
            .values(used_ms=now_ms)
            .returning(tokens)
        )
        if not ignore_expiry:
            statement = statement.where(tokens.c.expires_ms > now_ms)
        async with self._db.write() as connection:
            row = (await connection.execute(statement)).mappings().first()
        return None if row is None else TokenRow(**row)

    async def token(self, token_hash: str) -> TokenRow | None:
        """Look at a token without using it, to say why a tap was refused."""
        statement = select(tokens).where(tokens.c.token_hash == token_hash)
        return await self._db.first(TokenRow, statement)

    async def put_outbox(self, notice: OutboxRow) -> int:
        """Keep a notice until it is sent; its number."""
        values = {
            "user_id": notice.user_id,
            "chat_id": notice.chat_id,
            "priority": notice.priority,
            "kind": notice.kind,
            "body": notice.body,
            "created_ms": notice.created_ms,
            "sent_ms": notice.sent_ms,
            "attempts": notice.attempts,
        }
        statement = insert(outbox).values(values).returning(outbox.c.id)
        async with self._db.write() as connection:
            return int((await connection.execute(statement)).scalar_one())

    async def pending_outbox(self, limit: int = 100) -> tuple[OutboxRow, ...]:
        """Notices not sent yet, the most urgent and oldest first."""
        statement = (
            select(outbox)
            .where(outbox.c.sent_ms.is_(None))
            .order_by(outbox.c.priority, outbox.c.id)
            .limit(limit)
        )
        return await self._db.every(OutboxRow, statement)

    async def mark_sent(self, notice_id: int, now_ms: int) -> bool:
        """Note that a notice was sent; False when it already was, or is unknown."""
        statement = (
            update(outbox)
            .where(outbox.c.id == notice_id, outbox.c.sent_ms.is_(None))
            .values(sent_ms=now_ms, attempts=outbox.c.attempts + 1)
        )
        return await self._db.run(statement) == 1

    async def mark_failed(self, notice_id: int) -> None:
        """Count an attempt that failed; the notice stays pending."""
        statement = (
            update(outbox).where(outbox.c.id == notice_id).values(attempts=outbox.c.attempts + 1)
        )
        await self._db.run(statement)
