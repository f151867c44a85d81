"""Every kind of misfortune a simulated world can meet, by name, so that a run can count them.

Some are drawn (a request is lost), some follow from others (a stop is refused because the price has
passed it): both are counted when they really happen. Must not know: the world.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from bot.core.messages import (
    Event,
    Filled,
    FundingListed,
    OrderRefused,
    OrderReported,
    PanicPressed,
)
from bot.core.trade import Role, read_order_id
from bot.replay.sim_cast import ACCOUNT
from data.model import FillCause, OrderStatus
from data.money import ZERO


class Kind(StrEnum):
    """What befell somebody; the value is what a report calls it."""

    LOSE_REQUEST = "request lost"
    DELAY_REQUEST = "request late"
    TOO_OLD = "request refused as too old or too young (-1021)"
    REFUSE = "request refused without a reason of ours"
    THROTTLED = "order refused by overload (-1008)"
    BAN = "request refused by a ban (418, 429)"
    LOSE_ANSWER = "answer lost"
    DELAY_ANSWER = "answer late"
    YOUNG_ORDER = "young order not found yet (-2013)"
    LAGGING_READ = "reading lags behind"
    HALF_READING = "reading without listing and fills"
    DROP_EVENT = "event never told"
    DELAY_EVENT = "event late"
    REPEAT_EVENT = "event told twice"
    REORDER_EVENT = "events out of order"
    LATE_NEW = "NEW told after the order's end"
    OLD_POSITION = "old position told after a newer one"
    CUT_STREAM = "stream cut"
    MUTE_STREAM = "stream expired and silent"
    KILL_BEFORE_COMMIT = "killed before a commit"
    KILL_BEFORE_SEND = "killed between commit and send"
    KILL = "killed between steps"
    JOURNAL_LOST = "journal lost"
    JOURNAL_STALE = "journal old"
    DISK_FULL = "disk full"
    KILL_WHILE_FULL = "killed while the disk was full"
    CLOCK_AHEAD = "clock ahead"
    CLOCK_BEHIND = "clock behind"
    PARTIAL_FILL = "order filled in part"
    ENTRY_IN_PART = "market entry ended filled in part"
    EXIT_IN_PART = "market exit ended filled in part"
    WOULD_TRIGGER = "stop or target beyond the price (-2021)"
    POSITION_UNSEEN = "stop refused: position not seen yet (-4509)"
    STOP_EXISTS = "stop refused: one rests already (-4130)"
    LIQUIDATION = "liquidated"
    ADL = "deleveraged"
    SETTLEMENT = "settled: symbol delisted"
    FUNDING = "funding paid"
    HEDGE_MODE = "account in hedge mode"
    HAND_CLOSE = "closed by hand"
    HAND_CLOSE_PART = "closed in part by hand"
    HAND_CANCEL = "our orders cancelled by hand"
    HAND_OPEN = "position opened by hand"
    HAND_TURN = "position turned by hand"
    PANIC = "panic pressed"
    PRICELESS_TAP = "tap without a fresh price"
    REPEATED_TAP = "tap repeated"


_BY_CODE: Final = {
    -1008: Kind.THROTTLED,
    -1021: Kind.TOO_OLD,
    -2021: Kind.WOULD_TRIGGER,
    -4130: Kind.STOP_EXISTS,
    -4509: Kind.POSITION_UNSEEN,
}
_BY_CAUSE: Final = {
    FillCause.LIQUIDATION: Kind.LIQUIDATION,
    FillCause.ADL: Kind.ADL,
    FillCause.SETTLEMENT: Kind.SETTLEMENT,
}


def kinds_in(event: Event) -> Iterator[Kind]:
    """What an event shows to have happened, as its hearer could see it."""
    match event:
        case PanicPressed():
            yield Kind.PANIC
        case FundingListed(funding=paid) if paid:
            yield Kind.FUNDING
        case OrderRefused(code=code) if code in _BY_CODE:
            yield _BY_CODE[code]
        case Filled(fill=fill) if fill.cause in _BY_CAUSE:
            yield _BY_CAUSE[fill.cause]
        case OrderReported(report=report) if report.filled_quantity > ZERO:
            if report.status is OrderStatus.PARTIALLY_FILLED:
                yield Kind.PARTIAL_FILL
            name = read_order_id(ACCOUNT, report.order_id)
            if name is not None and report.status is OrderStatus.EXPIRED:
                yield Kind.ENTRY_IN_PART if name.role is Role.ENTRY else Kind.EXIT_IN_PART
        case _:
            pass
