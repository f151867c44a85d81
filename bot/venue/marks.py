"""Mark prices: what the stream told last, and a question over REST when it is too old.

Must not know: bars, or what a price is good for. Patience is wall time, moments are exchange time.
"""

from collections.abc import Collection
from decimal import Decimal
from typing import Final

from bot.shell.clock import wall_monotonic_s, wall_sleep_s
from bot.venue.rest import RestClient
from bot.venue.streams import Oddities
from bot.venue.wire_answers import Malformed, MarkRow, decode
from bot.venue.wire_errors import Answer
from bot.venue.wire_market import MarkSeen
from bot.venue.wire_requests import premium_index_request

MARK_STALE_S: Final = 10.0  # wall; a mark price this old is fetched
ALL_MARKS_FROM: Final = 10  # one request for all marks costs as much as ten single ones
LOOK_EVERY_S: Final = 0.5
FUTURE_S: Final = 5.0  # wall; nobody's clock is this far off

Mark = tuple[Decimal, int]  # price, its moment in ms


class Marks:
    """The newest mark price of every symbol in `watched`, a live view of its owner's."""

    def __init__(self, *, rest: RestClient, watched: Collection[str], oddities: Oddities) -> None:
        self._rest = rest
        self._watched = watched
        self._oddities = oddities
        self._marks: dict[str, Mark] = {}
        self._asked_s: dict[str, float] = {}

    def get(self, symbol: str) -> Mark | None:
        """(mark price, its moment in ms); None when none is known."""
        return self._marks.get(symbol)

    def forget(self, symbol: str) -> None:
        """Nobody watches it any more."""
        self._marks.pop(symbol, None)
        self._asked_s.pop(symbol, None)

    def hear(self, mark: MarkSeen, *, quiet: bool) -> None:
        """Take a price unless a newer one is known; `quiet`: old ones are expected just now."""
        known = self._marks.get(mark.symbol)
        if known is not None and mark.event_ms < known[1]:
            if not quiet:
                self._oddities.note("mark_out_of_order", mark.symbol)
        elif mark.event_ms > self._rest.clock.now_ms() + self._wall_ms(FUTURE_S):
            # Taken, it would make every true price look old.
            self._oddities.note("mark_from_the_future", mark.symbol)
        else:
            self._marks[mark.symbol] = (mark.price, mark.event_ms)

    async def run(self) -> None:
        """Ask for prices that are too old; forever."""
        while True:
            await wall_sleep_s(LOOK_EVERY_S)
            await self._refresh(self._rest.clock.now_ms(), wall_monotonic_s())

    async def read(self, symbol: str) -> Mark | None:
        """Ask for a symbol's mark price now; None when it cannot be had."""
        asked_ms = self._rest.clock.now_ms()
        await self._read(symbol)
        mark = self._marks.get(symbol)
        return mark if mark is not None and mark[1] >= asked_ms - self._wall_ms(3.0) else None

    async def _refresh(self, now_ms: int, now_s: float) -> None:
        old_ms = now_ms - self._wall_ms(MARK_STALE_S)
        stale = [
            symbol
            for symbol in self._watched
            if self._marks.get(symbol, (Decimal(0), 0))[1] < old_ms
            and now_s - self._asked_s.get(symbol, -MARK_STALE_S) >= MARK_STALE_S
        ]
        self._asked_s.update(dict.fromkeys(stale, now_s))
        if len(stale) >= ALL_MARKS_FROM:
            await self._read("")
        else:
            for symbol in stale:
                await self._read(symbol)

    async def _read(self, symbol: str) -> None:
        outcome = await self._rest.read(premium_index_request(symbol), tries=1)
        if not isinstance(outcome, Answer):
            return
        try:
            if symbol:
                rows = [decode(outcome.body, MarkRow)]
            else:
                rows = decode(outcome.body, list[MarkRow])
        except Malformed as fault:
            self._oddities.note("malformed_premium_index", str(fault))
            return
        for row in rows:
            if row.symbol in self._watched and row.mark_price > 0:
                told = MarkSeen(symbol=row.symbol, price=row.mark_price, event_ms=row.time)
                self.hear(told, quiet=True)

    def _wall_ms(self, wall_s: float) -> int:
        return round(wall_s * 1000 * self._rest.clock.speed)
