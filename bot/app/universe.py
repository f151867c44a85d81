"""The watchlist put together: whose rules, which feed, where its state is kept, how often to look.

Must not know: how the universe is chosen.
"""

from collections.abc import Callable
from typing import Final

import structlog

from bot.app.worlds import World
from bot.core.desk import Desk
from bot.core.universe import Rules
from bot.shell.ports import EventSink
from bot.shell.watchlist import Watchlist
from data.store.errors import StoreError
from data.store.store import Store

LOOKS: Final = 100  # in a slot of the rotation: how late its end may be noticed
LOOK_S: Final = (0.05, 1.0)

log = structlog.get_logger(__name__)


def make_watchlist(  # noqa: PLR0913 - plain parts, each needed once
    rules: Rules | None,
    *,
    world: World,
    store: Store,
    account_id: str,
    user_id: str,
    desk_of: Callable[[], Desk],
    sink: EventSink,
) -> Watchlist:
    """The watchlist of a world that is prepared; the world tells it of contracts from now on.

    Without rules: what the world watches at first is fixed, bots may name more, nothing rotates.
    """
    note = f"universe:{account_id}"

    async def save(text: str) -> None:
        try:
            await store.set_note(note, text, user_id=user_id)
        except StoreError as fault:  # kept again at the next change; the engine raises the alarm
            log.warning("universe_not_kept", reason=str(fault)[:200])

    watchlist = Watchlist(
        rules or Rules(fixed=world.symbols, top=0),
        feed=world.feed,
        clock=world.clock,
        desk_of=desk_of,
        sink=sink,
        load=lambda: store.note(note),
        save=save,
    )
    world.contract_sink = watchlist.heard
    world.exposed = lambda: {trade.symbol for trade in desk_of().working()}
    return watchlist


def look_every_s(rules: Rules | None, speed: float) -> float:
    """How often to look whether a slot is over, in wall seconds; slots are market time."""
    slot_s = (rules or Rules()).slot_ms / 1000 / speed
    least_s, most_s = LOOK_S
    return max(least_s, min(most_s, slot_s / LOOKS))
