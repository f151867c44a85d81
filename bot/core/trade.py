"""One trade's record: its phase, its plan, its orders, its fills. Pure data and pure questions.

Must not know: how the record changes (`machine`) or who trades besides it (`desk`).
A trade begins as a signal under evaluation and ends IDLE, with an outcome that says how.
"""

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final

from bot.core.guard import PLAIN, Guard
from data.model import (
    Decision,
    Direction,
    ExitReason,
    Fill,
    Funding,
    Instrument,
    MarginType,
    OrderKind,
    Side,
    Signal,
)
from data.money import ZERO

ORDER_ID_LENGTH_MAX: Final = 36  # the exchange's limit for client ids
BOT_ID_LENGTH_MAX: Final = 8  # so that an order id can carry it whole


class Phase(StrEnum):
    """Where a trade (or, for INITIALIZING, its desk) stands."""

    INITIALIZING = "initializing"  # desk only: the exchange has not yet been read
    IDLE = "idle"  # nothing at the exchange is ours any more
    EVALUATING = "evaluating"  # the adviser was asked
    AWAITING_APPROVAL = "awaiting_approval"  # a card is before a person
    ORDER_PENDING = "order_pending"  # the entry is sent; nothing is filled as far as we know
    POSITION_UNPROTECTED = "position_unprotected"  # something is filled, no stop is confirmed
    POSITION_ACTIVE = "position_active"  # the exchange confirmed the stop
    CLOSING = "closing"  # being closed, or closed and being settled
    HALTED = "halted"  # an owner must look; nothing is sent for it


class Outcome(StrEnum):
    """How a trade ended."""

    CLOSED = "closed"  # it had a position and the position is gone
    BLOCKED = "blocked"  # a limit or the supervisor said no
    DECLINED = "declined"  # the adviser said do nothing
    ABSTAINED = "abstained"  # the adviser was in doubt
    ADVISED = "advised"  # signal-only: told, never traded
    REJECTED = "rejected"  # a person said no
    EXPIRED = "expired"  # no person answered in time
    UNFILLED = "unfilled"  # the entry ended without a fill
    REFUSED = "refused"  # the exchange refused the entry
    SKIPPED = "skipped"  # the adviser was not asked: it had just been


class Role(StrEnum):
    """What an order is for. The value is the letter its id carries."""

    ENTRY = "e"
    STOP = "s"
    TARGET = "t"
    TRAIL = "r"  # the exchange's own trailing stop, beside the fixed one
    CLOSE = "c"


ROLE_LETTERS: Final = frozenset(role.value for role in Role)


class OrderState(StrEnum):
    """What we know of one of our orders."""

    SENT = "sent"  # on its way; nobody has answered
    UNKNOWN = "unknown"  # nobody can say whether it exists: ask
    LIVE = "live"  # the exchange has it
    TRIGGERED = "triggered"  # conditional: its child order is working
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REFUSED = "refused"
    ABSENT = "absent"  # it surely never reached the exchange


ORDER_OVER: Final = frozenset(
    {
        OrderState.FILLED,
        OrderState.CANCELED,
        OrderState.EXPIRED,
        OrderState.REFUSED,
        OrderState.ABSENT,
    }
)
CONDITIONAL: Final = frozenset(
    {OrderKind.STOP_MARKET, OrderKind.TAKE_PROFIT_MARKET, OrderKind.TRAILING_STOP_MARKET}
)
UNHEARD: Final = frozenset({OrderState.SENT, OrderState.UNKNOWN})
_STANDS: Final = frozenset({OrderState.LIVE, OrderState.TRIGGERED, OrderState.FILLED})
HOLDING: Final = frozenset(
    {Phase.ORDER_PENDING, Phase.POSITION_UNPROTECTED, Phase.POSITION_ACTIVE, Phase.CLOSING}
)
WORKING: Final = HOLDING | {Phase.EVALUATING, Phase.AWAITING_APPROVAL, Phase.HALTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order of ours, from the moment we decided to send it. Quantities in base units."""

    order_id: str
    role: Role
    attempt: int
    symbol: str
    side: Side
    kind: OrderKind
    quantity: Decimal  # ZERO with close_position
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    close_position: bool = False
    reduce_only: bool = False
    callback_pct: Decimal | None = None  # a trailing stop's distance from the best price
    activation_price: Decimal | None = None  # where it begins to trail; None: at once
    state: OrderState = OrderState.SENT
    filled: Decimal = ZERO  # cumulative, the most anyone has told us
    average_price: Decimal | None = None
    venue_order_ids: tuple[int, ...] = ()
    sent_ms: int = 0
    ask_at_ms: int | None = None  # when to ask about it next; None when there is no need
    asks: int = 0
    missing: int = 0  # answers "does not exist" that count (asked after it surely expired)
    unfound_ms: int = 0  # when it was last looked for in vain, also while it may be on its way
    unlisted_ms: int = 0  # when a reading of everything open was last asked for that lacked it
    cancel_at_ms: int | None = None  # when to send the (next) cancel; None when not wanted
    cancels: int = 0
    cancels_refused: int = 0  # of those, how many the exchange surely did not take
    alarm_at_ms: int | None = None  # when to tell the owner that its outcome is still unknown
    again_at_ms: int | None = None  # refused for a reason that passes: not before this again
    refusal_code: int = 0
    refusal_text: str = ""

    @property
    def conditional(self) -> bool:
        """True when it lives in the algo service until it triggers."""
        return self.kind in CONDITIONAL

    @property
    def is_over(self) -> bool:
        """True when nothing more can happen to it, but for a late fill."""
        return self.state in ORDER_OVER


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be ordered, whole, before anyone is asked to approve it."""

    direction: Direction
    entry_kind: OrderKind  # MARKET or LIMIT
    quantity: Decimal  # base units, on the step
    entry_price: Decimal  # limit price, or the price a market entry was planned at
    stop_price: Decimal
    target_price: Decimal
    leverage: int
    margin_type: MarginType
    risk_usdt: Decimal  # loss at the stop, with fees
    notional_usdt: Decimal
    reward_risk: Decimal
    entry_timeout_ms: int
    hold_ms_max: int  # 0: no limit
    guard: Guard = PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One rule's word on one input: `/why` lists them, in order."""

    rule: str
    passed: bool
    limit: str
    value: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervised:
    """What an adviser proposed, in which phase, and what was really done about it."""

    at_ms: int
    phase: Phase
    proposed: str  # the action
    taken: str
    override: str = ""  # why they differ; or why the answer did not count
    confidence: float | None = None
    snapshot_id: str = ""
    answer_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """A person's answer to a card, or the word that none was needed."""

    verb: str  # "approve", "reject", "half", "auto"
    user_id: str  # "" for auto
    answered_ms: int
    shown_ms: int
    mark_price: Decimal | None = None
    checks: tuple[Check, ...] = ()


class Effect(StrEnum):
    """What came of a person's answer to a card."""

    ORDERED = "ordered"
    ASKED_AGAIN = "asked again"  # the price had moved
    NO_PRICE = "no fresh price"
    BLOCKED = "blocked"
    REJECTED = "rejected"
    TAKEN_BACK = "taken back"  # a no that came after somebody's yes
    TOO_LATE = "too late"
    DECIDED = "decided already"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One word of a person on a card, also one that decided nothing."""

    verb: str  # "approve", "reject" or "half"
    user_id: str
    answered_ms: int
    shown_ms: int  # when the card was put out; how long it took is the difference
    effect: Effect
    confirmed: bool = False  # having seen that the price moved
    mark_price: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One position's life with everything `/why` has to say about it."""

    trade_id: str
    user_id: str
    account_id: str
    bot_id: str
    symbol: str
    phase: Phase
    opened_ms: int  # when the signal was taken up
    instrument: Instrument
    signal: Signal | None = None  # None only for an adopted position
    adopted: bool = False
    decision: Decision | None = None
    checks: tuple[Check, ...] = ()
    plan: Plan | None = None
    proposed: Plan | None = None  # the signal alone, before anyone judged it: shadows follow it
    approval: Approval | None = None
    outcome: Outcome | None = None
    orders: tuple[Order, ...] = ()
    fills: tuple[Fill, ...] = ()
    funding: tuple[Funding, ...] = ()
    position_seen: Decimal | None = None  # signed, the exchange's last word on this symbol
    position_seen_ms: int = 0
    quiet_listings: int = 0  # listings of fills in a row that told nothing new of ours
    quiet_listed_ms: int = 0  # when the latest of them was asked for
    unsure_listings: int = 0  # listings in a row with fills that one of our orders might own
    no_entry_ms: int = 0  # when a listing without a fill of our entry was last asked for
    written_off: Decimal = ZERO  # base units that are gone, though no fill says how
    succeeded: bool = False  # a later trade of ours holds its symbol: what is held is not its own
    was_held: bool = False  # the exchange showed, or filled, something
    moved_ms: int = 0  # the latest moment at which the exchange says something was filled
    decide_by_ms: int | None = None
    card_expires_ms: int | None = None
    card_shown_ms: int = 0  # when its card was put out; 0: it never had one
    auto_checks: tuple[Check, ...] = ()  # bounds of auto-below; one that failed: hence the card
    moved_price: Decimal | None = None  # the price at which "approve anyway?" was asked last
    answers: tuple[Answer, ...] = ()  # of people to its card, oldest first, bounded
    entry_expires_ms: int | None = None
    unprotected_since_ms: int | None = None
    unprotected_ms: int = 0  # how long the position was bare before its stop was confirmed
    alarm_at_ms: int | None = None  # when to tell the owner that it is still bare
    stop_level: Decimal | None = None  # where its stop belongs; None: where the plan put it
    stop_level_before: Decimal | None = None  # while it is being moved: where to go back to
    stop_moved_by: str = ""  # the rule or the person that moved it last
    moves: int = 0
    move_begun_ms: int = 0
    move_after_ms: int | None = None  # not before this is its stop moved again
    watch_price: Decimal | None = None  # a mark price at or beyond this moves its stop: tell us
    close_at_ms: int | None = None  # not before this may the next close order be sent
    close_by_ms: int | None = None  # position timeout
    review_every_ms: int = 0  # 0: the adviser does not look at open positions
    review_at_ms: int | None = None  # when the adviser looks at the open position next
    position_ask_ms: int | None = None  # when to ask the exchange for the position next
    fills_ask_ms: int | None = None
    funding_ask_ms: int | None = None
    funding_checked: bool = False
    exit_reason: ExitReason | None = None
    closed_ms: int | None = None
    wallet_after_usdt: Decimal | None = None  # as last seen when its result was booked
    note: str = ""  # the last thing a person should know about it
    supervised: tuple[Supervised, ...] = ()  # the adviser's answers, newest last, bounded

    @property
    def direction(self) -> Direction | None:
        """Which way it earns; None for one adopted without any order."""
        if self.plan is not None:
            return self.plan.direction
        if self.signal is not None:
            return self.signal.direction
        if self.orders:  # adopted with its orders: they say which way it was held
            first = self.orders[0]
            buys = first.side is Side.BUY
            return Direction.LONG if buys is (first.role is Role.ENTRY) else Direction.SHORT
        return None

    def order(self, order_id: str) -> Order | None:
        """The order of that client id, or None."""
        for order in self.orders:
            if order.order_id == order_id:
                return order
        return None

    def of_role(self, role: Role) -> tuple[Order, ...]:
        """All its orders of one role, oldest first."""
        return tuple(o for o in self.orders if o.role is role)

    def latest(self, role: Role) -> Order | None:
        """The newest order of one role, or None."""
        for order in reversed(self.orders):
            if order.role is role:
                return order
        return None

    def standing(self, role: Role) -> Order | None:
        """The order of one role that counts: the newest that the exchange has or filled.

        Without one it is the newest that nobody has answered for, else the last. They differ when
        one thought lost turns up after the next was sent.
        """
        for states in (_STANDS, UNHEARD):
            for order in reversed(self.orders):
                if order.role is role and order.state in states:
                    return order
        return self.latest(role)


def trade_id_of(account_id: str, bot_id: str, signal_id: str) -> str:
    """Ten characters that name the trade: a function of what caused it."""
    text = f"{account_id}|{bot_id}|{signal_id}"
    return _base32(hashlib.sha256(text.encode()).digest()[:10])


@lru_cache(maxsize=64)
def order_prefix_of(account_id: str) -> str:
    """What every client id of ours on this account begins with."""
    return "tb" + _base32(hashlib.sha256(account_id.encode()).digest()[:4]) + "-"


def order_id_of(account_id: str, bot_id: str, trade_id: str, role: Role, attempt: int) -> str:
    """The client id: a function of (account, bot, trade, role, attempt), so it can be read back."""
    order_id = f"{order_prefix_of(account_id)}{bot_id}-{trade_id}-{role.value}{attempt}"
    assert len(order_id) <= ORDER_ID_LENGTH_MAX, f"client id too long: {order_id}"
    return order_id


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderName:
    """A client id of ours, taken apart."""

    bot_id: str
    trade_id: str
    role: Role
    attempt: int


@lru_cache(maxsize=4_096)
def read_order_id(account_id: str, order_id: str) -> OrderName | None:
    """Take a client id apart; None when it is not ours."""
    prefix = order_prefix_of(account_id)
    parts = order_id.removeprefix(prefix).split("-")
    if not order_id.startswith(prefix) or len(parts) != 3 or len(parts[2]) < 2:
        return None
    letter, digits = parts[2][0], parts[2][1:]
    if letter not in ROLE_LETTERS or not digits.isdecimal():
        return None
    return OrderName(bot_id=parts[0], trade_id=parts[1], role=Role(letter), attempt=int(digits))


def _base32(digest: bytes) -> str:
    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
    return "".join(alphabet[byte & 31] for byte in digest)
