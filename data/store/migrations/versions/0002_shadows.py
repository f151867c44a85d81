"""How trades that were never made would have ended."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "shadows",
        sa.Column("trade_id", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("end", sa.Text(), nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), nullable=False),
        sa.Column("entry_price", sa.Text(), nullable=True),
        sa.Column("exit_price", sa.Text(), nullable=True),
        sa.Column("risk_multiple", sa.Text(), nullable=True),
        sa.Column("pnl_usdt", sa.Text(), nullable=True),
        sa.Column("fees_usdt", sa.Text(), nullable=True),
        sa.Column("fee_bps", sa.Text(), nullable=False),
        sa.Column("slippage_bps", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["trade_id"], ["trades.trade_id"], name=op.f("fk_shadows_trade_id")
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "user_id"],
            ["accounts.account_id", "accounts.user_id"],
            name=op.f("fk_shadows_account_id_user_id"),
        ),
        sa.PrimaryKeyConstraint("trade_id", name=op.f("pk_shadows")),
    )
    op.create_index(op.f("ix_shadows_account_id_ended_ms"), "shadows", ["account_id", "ended_ms"])


def downgrade() -> None:
    """Remove it."""
    op.drop_table("shadows")
