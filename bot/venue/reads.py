"""Reads of one account, decoded: an answer in its type, or `NoAnswer` with the reason.

Must not know: what is concluded from an answer. What cannot be is told to the client's
`reject`, which counts it and raises the owner's alert.
Source: reference sheet section 3.4 (2026-11).
"""

from dataclasses import replace
from typing import Final, TypeVar

from bot.venue.rest import RestClient
from bot.venue.wire import Priority, Request
from bot.venue.wire_answers import Malformed, TradeRow, check_moment, decode, fill_of
from bot.venue.wire_errors import Answer, Refused
from bot.venue.wire_requests import TRADES_LIMIT, trades_request
from data.model import Fill

WEEK_MS: Final = 7 * 86_400_000  # userTrades takes at most 7 days at once
PAGES_MAX: Final = 50  # 50,000 fills of one symbol: far beyond one trade's life
TRIES: Final = 2  # the core asks again by itself
T = TypeVar("T")


class NoAnswer(Exception):
    """Inside this room only: a read got no usable answer; the text says why."""


class TooMany(NoAnswer):
    """A list that is longer than anyone would read."""


class Reads:
    """Reads of one account through one client."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest

    def now_ms(self) -> int:
        """Exchange time."""
        return self._rest.clock.now_ms()

    def reject(self, where: str, fault: Malformed) -> None:
        """Say that an answer could be read but cannot be true."""
        self._rest.reject(where, fault)

    async def fetch(self, request: Request, kind: type[T]) -> T:
        """One read, decoded. Raises NoAnswer."""
        outcome = await self._rest.read(request, tries=TRIES)
        if isinstance(outcome, Answer):
            try:
                return decode(outcome.body, kind)
            except Malformed as fault:
                self.reject(request.path, fault)
                raise NoAnswer(f"{request.path}: unreadable: {fault}") from fault
        if isinstance(outcome, Refused):
            raise NoAnswer(f"{request.path}: {outcome.code} {outcome.text}")
        raise NoAnswer(f"{request.path}: {outcome.reason}")

    async def list_fills(
        self,
        symbol: str,
        start_ms: int,
        *,
        until_ms: int | None = None,
        pages_max: int = PAGES_MAX,
        priority: Priority = Priority.READING,
    ) -> list[Fill]:
        """Every fill of a symbol since `start_ms`, oldest first; those after `until_ms` may lack.

        Raises NoAnswer (TooMany among them) and Malformed.
        """
        # Within a week `limit` keeps the oldest rows: a full page goes on from its last id.
        asked_ms = self.now_ms()
        last_ms = asked_ms if until_ms is None else until_ms
        found: dict[int, Fill] = {}
        from_id: int | None = None
        for _ in range(pages_max):
            end_ms = start_ms + WEEK_MS - 1
            request = trades_request(symbol, start_ms=start_ms, end_ms=end_ms, from_id=from_id)
            rows = await self.fetch(_with(request, priority), list[TradeRow])
            for row in rows:
                check_moment(row.time, now_ms=asked_ms)
            found.update({row.id: fill_of(row) for row in rows if row.symbol == symbol})
            if len(rows) >= TRADES_LIMIT:
                from_id = max(row.id for row in rows) + 1
            elif from_id is not None or start_ms + WEEK_MS > last_ms:
                return sorted(found.values(), key=lambda fill: (fill.filled_ms, fill.fill_id))
            else:
                start_ms += WEEK_MS
        raise TooMany(f"more than {pages_max} pages of fills of {symbol}")


def _with(request: Request, priority: Priority) -> Request:
    return request if request.priority is priority else replace(request, priority=priority)
