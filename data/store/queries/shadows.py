"""Shadows: which trades that were never made are still to be followed, and how the others ended.

An open shadow has no row: it is its trade's own row that has none here yet, so after a restart
nothing was forgotten and nothing can disagree. Must not know: how an end comes about.
"""

from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import func, select

from data.store import sqlite
from data.store.database import Database
from data.store.rows import ScoredRow, ShadowRow, TradeRow
from data.store.tables import shadows, trades

PAGE: Final = 200  # rows read at once: each is decoded by who asks


class Shadows:
    """The part of the store for what never was."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def put_shadows(self, rows: Sequence[ShadowRow]) -> None:
        """Keep ends for good; one that is known stays as it is."""
        if rows:
            await self._db.run(sqlite.insert_missing(shadows), rows)

    async def shadow(self, trade_id: str) -> ShadowRow | None:
        """How that trade would have ended; None while that is open, or when nobody follows it."""
        return await self._db.first(
            ShadowRow, select(shadows).where(shadows.c.trade_id == trade_id)
        )

    async def unfollowed(
        self, account_id: str, outcomes: Collection[str], *, after_id: str = "", limit: int = PAGE
    ) -> tuple[TradeRow, ...]:
        """A page of the account's trades of these outcomes without an end, by id."""
        statement = (
            select(trades)
            .outerjoin(shadows, shadows.c.trade_id == trades.c.trade_id)
            .where(
                trades.c.account_id == account_id,
                trades.c.outcome.in_(sorted(outcomes)),
                trades.c.trade_id > after_id,
                shadows.c.trade_id.is_(None),
            )
            .order_by(trades.c.trade_id)
            .limit(limit)
        )
        return await self._db.every(TradeRow, statement)

    async def count_unfollowed(self, account_id: str, outcomes: Collection[str]) -> int:
        """How many trades of these outcomes have no end yet."""
        statement = (
            select(func.count())
            .select_from(trades.outerjoin(shadows, shadows.c.trade_id == trades.c.trade_id))
            .where(
                trades.c.account_id == account_id,
                trades.c.outcome.in_(sorted(outcomes)),
                shadows.c.trade_id.is_(None),
            )
        )
        async with self._db.read() as connection:
            return int((await connection.execute(statement)).scalar_one())

    async def scored(
        self, account_id: str, *, since_ms: int = 0, after_id: str = "", limit: int = PAGE
    ) -> tuple[ScoredRow, ...]:
        """A page of ends from `since_ms` on with their trades, by id."""
        statement = (
            select(
                trades.c.trade_id,
                trades.c.body,
                shadows.c.end,
                shadows.c.ended_ms,
                shadows.c.risk_multiple,
                shadows.c.pnl_usdt,
            )
            .join(trades, shadows.c.trade_id == trades.c.trade_id)
            .where(
                shadows.c.account_id == account_id,
                shadows.c.ended_ms >= since_ms,
                shadows.c.trade_id > after_id,
            )
            .order_by(shadows.c.trade_id)
            .limit(limit)
        )
        return await self._db.every(ScoredRow, statement)
