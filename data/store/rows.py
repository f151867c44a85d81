"""Plain records that go into the store and come out of it; one class a table.

Must not know: SQL, or what the texts in `body`, `event` and `commands` mean (their writers do).
Every `_ms` is an int of Unix milliseconds UTC.
"""

from dataclasses import dataclass
from enum import StrEnum


class UserRole(StrEnum):
    """What a person may do: own the service, trade on own accounts, or look."""

    OWNER = "owner"
    TRADER = "trader"
    VIEWER = "viewer"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRow:
    """A person the owner let in."""

    user_id: str
    telegram_id: int | None
    role: UserRole
    name: str
    language: str
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """One set of exchange keys of a user; the keys themselves are secrets."""

    account_id: str
    user_id: str
    label: str
    venue: str
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRow:
    """One sealed field of an account. `envelope` is the vault's text, never the plain one."""

    user_id: str
    account_id: str
    field: str
    envelope: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BotRow:
    """One bot's configuration as JSON. `version` counts its edits."""

    bot_id: str
    account_id: str
    user_id: str
    body: str
    running: bool
    updated_ms: int
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskRow:
    """The account's whole state after journal row `seq`."""

    account_id: str
    user_id: str
    seq: int
    body: str
    updated_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeRow:
    """One trade. `outcome` is None while it works; `pnl_usdt` is a decimal's text."""

    trade_id: str
    user_id: str
    account_id: str
    bot_id: str
    symbol: str
    phase: str
    outcome: str | None
    opened_ms: int
    closed_ms: int | None
    pnl_usdt: str | None
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRow:
    """One step: what came in and what was commanded, as the codec wrote them."""

    account_id: str
    seq: int  # 1, 2, 3, ... without a gap, for each account
    user_id: str
    at_ms: int
    kind: str
    trade_id: str | None
    event: str
    commands: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """All that one step keeps, in one transaction: journal row, desk and changed trades."""

    journal: JournalRow
    desk_body: str
    trades: tuple[TradeRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowRow:
    """How a trade that was never made would have ended. Numbers are decimals' texts.

    None where there is none: no entry, candles that are missing, a size that could not be ordered.
    """

    trade_id: str
    user_id: str
    account_id: str
    end: str
    ended_ms: int
    entry_price: str | None
    exit_price: str | None
    risk_multiple: str | None
    pnl_usdt: str | None
    fees_usdt: str | None
    fee_bps: str
    slippage_bps: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRow:
    """A trade's own text beside how it would have ended, for reports."""

    trade_id: str
    body: str
    end: str
    ended_ms: int
    risk_multiple: str | None
    pnl_usdt: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRow:
    """A text kept under its own sha256: a snapshot, a prompt, a raw answer."""

    digest: str
    user_id: str
    kind: str
    body: str
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRow:
    """A plan put before a person. `message_id` is None until the chat has shown it."""

    card_id: str
    user_id: str
    account_id: str
    trade_id: str
    chat_id: int
    message_id: int | None
    state: str
    expires_ms: int
    body: str
    created_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRow:
    """What one button may do, once. Only the hash of the token is kept."""

    token_hash: str
    user_id: str
    chat_id: int
    card_id: str | None
    verb: str
    subject: str
    expires_ms: int
    used_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """A notice that must not be lost. Lower `priority` goes first; `id` is 0 before it is kept."""

    user_id: str
    chat_id: int
    priority: int
    kind: str
    body: str
    created_ms: int
    id: int = 0
    sent_ms: int | None = None
    attempts: int = 0
