"""Rows that store tests begin with: one owner, one account, and steps of a trade."""

from data.store.rows import AccountRow, JournalRow, StepRow, TradeRow, UserRole, UserRow
from data.store.store import Store

USER = UserRow(
    user_id="u1", telegram_id=7001, role=UserRole.OWNER, name="An", language="vi", created_ms=1
)
OTHER = UserRow(
    user_id="u2", telegram_id=7002, role=UserRole.TRADER, name="Bo", language="en", created_ms=2
)
ACCOUNT = AccountRow(account_id="a1", user_id="u1", label="main", venue="binance", created_ms=3)


async def furnish(store: Store) -> None:
    """Put the two people and the account in."""
    await store.add_user(USER)
    await store.add_user(OTHER)
    await store.put_account(ACCOUNT)


def trade_row(trade_id: str = "abcdefghij", *, outcome: str | None = None) -> TradeRow:
    """A trade of u1 on a1."""
    return TradeRow(
        trade_id=trade_id,
        user_id="u1",
        account_id="a1",
        bot_id="b",
        symbol="BTCUSDT",
        phase="idle" if outcome else "position_active",
        outcome=outcome,
        opened_ms=10,
        closed_ms=20 if outcome else None,
        pnl_usdt="-1.50" if outcome == "closed" else None,
        body="{}",
    )


def step_row(seq: int, *trades: TradeRow, desk_body: str = "{}") -> StepRow:
    """Step number `seq` of a1."""
    return StepRow(
        journal=JournalRow(
            account_id="a1",
            seq=seq,
            user_id="u1",
            at_ms=1_000 + seq,
            kind="Woke",
            trade_id=trades[0].trade_id if trades else None,
            event=f'{{"n":{seq}}}',
            commands="[]",
        ),
        desk_body=desk_body,
        trades=trades,
    )
