"""The tables, in portable SQL. The migrations make them; a test holds the two equal.

Must not know: SQLite or PostgreSQL. Every row that belongs to a person carries `user_id`, and where
it also names an account the pair must exist together, so no row can carry another person's id.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

# The newest migration; knowing it here saves loading Alembic at each start.
SCHEMA_HEAD: Final = "0002"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _user(*, nullable: bool = False) -> Column[str]:
    return Column("user_id", Text, ForeignKey("users.user_id"), nullable=nullable)


def _owned_account() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["account_id", "user_id"], ["accounts.account_id", "accounts.user_id"]
    )


users = Table(
    "users",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("telegram_id", BigInteger, unique=True),
    Column("role", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    CheckConstraint("role IN ('owner', 'trader', 'viewer')", name="role"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("account_id", Text, primary_key=True),
    _user(),
    Column("label", Text, nullable=False),
    Column("venue", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    UniqueConstraint("account_id", "user_id"),
    UniqueConstraint("user_id", "label"),
)

secrets = Table(
    "secrets",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("account_id", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("envelope", Text, nullable=False),
    _owned_account(),
)

bots = Table(
    "bots",
    metadata,
    Column("bot_id", Text, primary_key=True),
    Column("account_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("running", Boolean, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("version", Integer, nullable=False),
    _owned_account(),
)

desks = Table(
    "desks",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    _owned_account(),
)

trades = Table(
    "trades",
    metadata,
    Column("trade_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("bot_id", Text, nullable=False),
    Column("symbol", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("outcome", Text),
    Column("opened_ms", BigInteger, nullable=False),
    Column("closed_ms", BigInteger),
    Column("pnl_usdt", Text),
    Column("body", Text, nullable=False),
    _owned_account(),
    Index(None, "account_id", "outcome"),
    Index(None, "user_id", "opened_ms"),
)

journal = Table(
    "journal",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("user_id", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("trade_id", Text),
    Column("event", Text, nullable=False),
    Column("commands", Text, nullable=False),
    _owned_account(),
    Index(None, "account_id", "trade_id", "seq"),
)

# Only what the trade's own row cannot say: how it would have ended.
shadows = Table(
    "shadows",
    metadata,
    Column("trade_id", Text, ForeignKey("trades.trade_id"), primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("end", Text, nullable=False),
    Column("ended_ms", BigInteger, nullable=False),
    Column("entry_price", Text),
    Column("exit_price", Text),
    Column("risk_multiple", Text),
    Column("pnl_usdt", Text),
    Column("fees_usdt", Text),
    Column("fee_bps", Text, nullable=False),
    Column("slippage_bps", Text, nullable=False),
    _owned_account(),
    Index(None, "account_id", "ended_ms"),
)

documents = Table(
    "documents",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("user_id", Text, ForeignKey("users.user_id"), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
)

cards = Table(
    "cards",
    metadata,
    Column("card_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("trade_id", Text, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    Column("message_id", BigInteger),
    Column("state", Text, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    _owned_account(),
    Index(None, "trade_id"),
    Index(None, "state"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token_hash", Text, primary_key=True),
    _user(),
    Column("chat_id", BigInteger, nullable=False),
    Column("card_id", Text),
    Column("verb", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger),
    Index(None, "card_id"),
)

outbox = Table(
    "outbox",
    metadata,
    # Integer: SQLite counts only a plain INTEGER key by itself.
    Column("id", Integer, primary_key=True, autoincrement=True),
    _user(),
    Column("chat_id", BigInteger, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("sent_ms", BigInteger),
    Column("attempts", Integer, nullable=False),
    Index(None, "sent_ms", "priority", "id"),
)

notes = Table(
    "notes",
    metadata,
    Column("key", Text, primary_key=True),
    _user(nullable=True),
    Column("value", Text, nullable=False),
)
