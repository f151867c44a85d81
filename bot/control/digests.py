"""A day's digest: what is read for it, `/digest` for the day so far, and the telling of each day.

Must not know: when a day is told, or how it is drawn.
"""

from typing import Final

from bot.control.outbox import Message, Priority
from bot.control.readers import Readers
from bot.control.spoken import Said, World
from bot.control.views.digest import Answers, Day, draw
from bot.control.views.look import DAY_MS, View
from bot.core.desk_draft import closed_trade_of
from bot.core.trade import Outcome
from bot.shell.shadow_report import report_of
from data.model import ClosedTrade
from data.store.rows import TradeRow

SHADOW_DAYS: Final = 90
PAGE: Final = 100
RECENT_MAX: Final = 500  # trades looked through for what people answered
TAKEN: Final = (None, Outcome.CLOSED, Outcome.UNFILLED, Outcome.REFUSED)
ANSWERED: Final = frozenset({"approve", "half"})


async def digest(world: World, said: Said) -> View:
    """The UTC day so far."""
    today = world.clock.now_ms() // DAY_MS
    return View(html=draw(await world.look(said.user), world.desk_of(), await day_of(world, today)))


async def tell(world: World, readers: Readers, day: int) -> bool:
    """Post a day's digest, silently, to everyone with a chat; False when there is nobody."""
    desk = world.desk_of()
    people = await readers.everyone(desk.user_id)
    if not people:
        return False
    found = await day_of(world, day)
    for user in people:
        message = Message(
            chat_id=user.telegram_id or 0,
            html=draw(await world.look(user), desk, found),
            priority=Priority.LATER,
            silent=True,
        )
        await world.outbox.post_kept(message, user.user_id)
    return True


async def day_of(world: World, day: int) -> Day:
    """What happened on a UTC day (since 1970-01-01)."""
    desk = world.desk_of()
    since_ms = world.clock.now_ms() - SHADOW_DAYS * DAY_MS
    return Day(
        day=day,
        closed=await _closed(world, desk.account_id, day),
        answers=await _answers(world, desk.account_id, desk.user_id, day),
        cost=world.cost_of(day),
        shadows=await report_of(
            world.store, desk.account_id, read_trade=world.read_trade, since_ms=since_ms
        ),
    )


async def _closed(world: World, account_id: str, day: int) -> tuple[ClosedTrade, ...]:
    found: list[ClosedTrade] = []
    after_id = ""
    while page := await world.store.closed_trades(account_id, after_id=after_id, limit=PAGE):
        after_id = page[-1].trade_id
        found += [
            closed_trade_of(world.read_trade(row.body))
            for row in page
            if row.outcome == Outcome.CLOSED and (row.closed_ms or 0) // DAY_MS == day
        ]
    return tuple(found)


async def _answers(world: World, account_id: str, user_id: str, day: int) -> Answers:
    rows = [
        row
        for row in await world.store.recent_trades(user_id, RECENT_MAX)
        if row.account_id == account_id and row.opened_ms // DAY_MS == day
    ]
    return Answers(
        approved=sum(1 for row in rows if _was_approved(world, row)),
        rejected=sum(1 for row in rows if row.outcome == Outcome.REJECTED),
        expired=sum(1 for row in rows if row.outcome == Outcome.EXPIRED),
    )


def _was_approved(world: World, row: TradeRow) -> bool:
    if row.outcome not in TAKEN:  # most rows of a day; none of them needs its body read
        return False
    approval = world.read_trade(row.body).approval
    return approval is not None and approval.verb in ANSWERED
