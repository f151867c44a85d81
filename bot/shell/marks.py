"""The eye on prices for stops that move: tells a desk when one it waits for is reached.

Each open position's record names the mark price at which its stop would be moved next; here that
is compared with the market a few times a second. One event for a price that is reached, none for
all the others. Must not know: rules, levels, orders.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from bot.core.desk import Desk
from bot.core.life.moving import reached
from bot.shell.clock import wall_monotonic_s, wall_sleep_s
from bot.shell.ports import EventSink

LOOK_EVERY_S: Final = 0.25  # wall
AGAIN_S: Final = 2.0  # wall; a desk that did not act upon a price is told of it again

MarkPrice = Callable[[str], tuple[Decimal, int] | None]


class MarkWatch:
    """One desk's eye. `mark_price` gives (price, its moment in ms), or None when none is known."""

    def __init__(
        self, *, desk_of: Callable[[], Desk], mark_price: MarkPrice, sink: EventSink
    ) -> None:
        self._desk_of = desk_of
        self._mark_price = mark_price
        self._sink = sink
        self._told: dict[str, tuple[Decimal | None, float]] = {}  # trade -> watched price, when

    def look(self) -> None:
        """Compare once; what is reached goes into the sink."""
        watching = [t for t in self._desk_of().trades.values() if t.watch_price is not None]
        self._told = {t.trade_id: told for t in watching if (told := self._told.get(t.trade_id))}
        now_s = wall_monotonic_s()
        for trade in watching:
            mark = self._mark_price(trade.symbol)
            told = self._told.get(trade.trade_id)
            fresh = told is None or told[0] != trade.watch_price or now_s - told[1] >= AGAIN_S
            if mark is None or not fresh:
                continue
            for event in reached([trade], trade.symbol, *mark):
                self._told[trade.trade_id] = (trade.watch_price, now_s)
                self._sink(event)

    async def run(self) -> None:
        """Look a few times a second; forever. Ends only by cancellation."""
        while True:
            self.look()
            await wall_sleep_s(LOOK_EVERY_S)
