"""Steps, desks, trades and the journal: what one account decided, in order.

Must not know: what a desk, a trade or an event is; their texts come and go as they are.
"""

import itertools
import sqlite3
from typing import Final

from sqlalchemy import bindparam, insert, select, update

from data.store import sqlite
from data.store.database import Database
from data.store.errors import AmbiguousPrefix, SequenceBroken
from data.store.rows import DeskRow, JournalRow, StepRow, TradeRow
from data.store.tables import desks, journal, trades

JOURNAL_PAGE: Final = 1_000  # rows read at once when the caller names no limit
TRADES_PAGE: Final = 500  # closed trades read at once
CANDIDATES_MAX: Final = 5


class Steps:
    """The part of the store an engine writes to."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._move_desk = db.prepare(
            update(desks)
            .where(desks.c.account_id == bindparam("account"), desks.c.seq == bindparam("before"))
            .values(seq=bindparam("seq"), body=bindparam("body"), updated_ms=bindparam("at_ms"))
        )
        self._add_desk = db.prepare(insert(desks))
        self._add_journal = db.prepare(insert(journal))
        self._put_trade = db.prepare(sqlite.upsert(trades))

    async def commit_step(self, *steps: StepRow) -> None:
        """Keep steps of one account for good: journal rows, desk and changed trades, all at once.

        Of the desks the last one's body is kept. Returns after the disk has it. Raises
        SequenceBroken unless each `seq` follows the one before, StorageFull when the disk does not
        take it; then nothing of the steps was kept.
        """
        assert steps, "nothing to keep"
        rows = [step.journal for step in steps]
        changed = [trade for step in steps for trade in step.trades]
        for before, after in itertools.pairwise(rows):
            if after.seq != before.seq + 1 or after.account_id != before.account_id:
                raise SequenceBroken(f"step {after.seq} does not follow {before.seq}")

        add, put = self._add_journal, self._put_trade
        added, written = [add.values(row) for row in rows], [put.values(trade) for trade in changed]

        def work(connection: sqlite3.Connection) -> None:
            self._put_desk(connection, rows[0].seq, steps[-1])
            connection.executemany(add.sql, added)
            connection.executemany(put.sql, written)

        await self._db.transact(work)

    async def load_desk(self, account_id: str) -> DeskRow | None:
        """The account's state after its last step; None before the first."""
        return await self._db.first(DeskRow, select(desks).where(desks.c.account_id == account_id))

    async def load_trades(
        self, account_id: str, *, working_only: bool = False
    ) -> tuple[TradeRow, ...]:
        """The account's trades, oldest first; `working_only` leaves out those with an outcome."""
        statement = (
            select(trades)
            .where(trades.c.account_id == account_id)
            .order_by(trades.c.opened_ms, trades.c.trade_id)
        )
        if working_only:
            statement = statement.where(trades.c.outcome.is_(None))
        return await self._db.every(TradeRow, statement)

    async def trade(self, id_or_prefix: str, *, user_id: str | None = None) -> TradeRow | None:
        """The trade of that id, or the only one whose id begins so; of that user, if one is named.

        Raises AmbiguousPrefix when several begin so.
        """
        if not id_or_prefix:
            return None
        statement = (
            select(trades)
            .where(trades.c.trade_id.startswith(id_or_prefix, autoescape=True))
            .order_by(trades.c.trade_id)
            .limit(CANDIDATES_MAX)
        )
        if user_id is not None:
            statement = statement.where(trades.c.user_id == user_id)
        found = await self._db.every(TradeRow, statement)
        if len(found) > 1 and found[0].trade_id != id_or_prefix:
            raise AmbiguousPrefix(id_or_prefix, tuple(row.trade_id for row in found))
        return found[0] if found else None

    async def recent_trades(
        self, user_id: str, limit: int, *, closed_only: bool = False
    ) -> tuple[TradeRow, ...]:
        """The user's newest trades of all accounts, newest first; `closed_only`: had a position."""
        statement = (
            select(trades)
            .where(trades.c.user_id == user_id)
            .order_by(trades.c.opened_ms.desc(), trades.c.trade_id)
            .limit(limit)
        )
        if closed_only:
            statement = statement.where(trades.c.pnl_usdt.is_not(None))
        return await self._db.every(TradeRow, statement)

    async def closed_trades(
        self, account_id: str, *, after_id: str = "", limit: int = TRADES_PAGE
    ) -> tuple[TradeRow, ...]:
        """A page of the account's trades that had a position, by id from `after_id` on."""
        statement = (
            select(trades)
            .where(
                trades.c.account_id == account_id,
                trades.c.pnl_usdt.is_not(None),
                trades.c.trade_id > after_id,
            )
            .order_by(trades.c.trade_id)
            .limit(limit)
        )
        return await self._db.every(TradeRow, statement)

    async def journal_rows(
        self,
        account_id: str,
        *,
        trade_id: str | None = None,
        after_seq: int = 0,
        limit: int = JOURNAL_PAGE,
    ) -> tuple[JournalRow, ...]:
        """The account's steps after `after_seq`, oldest first; only one trade's, if it is named."""
        statement = (
            select(journal)
            .where(journal.c.account_id == account_id, journal.c.seq > after_seq)
            .order_by(journal.c.seq)
            .limit(limit)
        )
        if trade_id is not None:
            statement = statement.where(journal.c.trade_id == trade_id)
        return await self._db.every(JournalRow, statement)

    def _put_desk(self, connection: sqlite3.Connection, first: int, step: StepRow) -> None:
        row, move = step.journal, self._move_desk
        values = move.values(row, account=row.account_id, before=first - 1, body=step.desk_body)
        moved = connection.execute(move.sql, values)
        if moved.rowcount == 1:
            return
        found = connection.execute("SELECT seq FROM desks WHERE account_id = ?", (row.account_id,))
        last = next((int(seq) for (seq,) in found), 0)
        if last or first != 1:
            raise SequenceBroken(f"journal {row.account_id} is at {last}, not before {first}")
        add = self._add_desk
        connection.execute(add.sql, add.values(row, body=step.desk_body, updated_ms=row.at_ms))
