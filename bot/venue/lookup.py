"""Finding out what became of one order: plain, conditional, or a conditional order's child.

Must not know: why it is asked. "Does not exist" is said only after every place where the order
could be was asked. Source: reference sheet section 4 and complaints 2, 3 and 16 (2026-11).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from bot.core.messages import AskOrder, Event, OrderMissing, OrderReported, OrderUnknown
from bot.venue.rest import RestClient
from bot.venue.wire import Request
from bot.venue.wire_answers import (
    AlgoRow,
    Malformed,
    OrderRow,
    algo_report,
    decode,
    order_report,
)
from bot.venue.wire_errors import NOT_FOUND_CODES, Answer, Refused
from bot.venue.wire_requests import (
    all_algo_request,
    ask_algo_request,
    ask_order_request,
    open_algo_request,
)
from data.model import OrderStatus

ASK_TRIES: Final = 2  # the core asks again by itself
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """No usable answer; nothing follows from it."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The exchange says that it does not exist."""


class OrderLookup:
    """Questions about single orders of one account."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest
        self._clock = rest.clock

    async def ask(self, command: AskOrder) -> Sequence[Event]:
        """OrderReported (the algo record, then its child), OrderMissing or OrderUnknown("ask")."""
        asked_ms = self._clock.now_ms()
        algo: AlgoRow | Absent | Silent = Absent()
        if command.conditional:
            algo = await self._find_algo(command)
        if isinstance(algo, Silent):
            return [unknown(command.order_id, algo.reason, "ask")]
        events: list[Event] = []
        try:
            if isinstance(algo, AlgoRow):
                report = algo_report(algo, now_ms=asked_ms)
                events.append(OrderReported(report=report))
                if report.status is not OrderStatus.TRIGGERED and report.venue_order_id is None:
                    return events
            # The child of a triggered order is a plain one under the same id; it may also have
            # outlived the algo record.
            child = await self.get(ask_order_request(command.symbol, command.order_id), OrderRow)
            if isinstance(child, OrderRow):
                events.append(OrderReported(report=order_report(child, now_ms=asked_ms)))
        except Malformed as fault:
            self._rest.reject("asking for an order", fault)
            return [unknown(command.order_id, str(fault), "ask")]
        if events:
            return events
        if isinstance(child, Silent):
            return [unknown(command.order_id, child.reason, "ask")]
        return [OrderMissing(order_id=command.order_id, asked_ms=asked_ms)]

    async def _find_algo(self, command: AskOrder) -> AlgoRow | Absent | Silent:
        # Asking for one was seen to answer "does not exist" for an order that did: look it up in
        # both lists before believing it.
        one = await self.get(ask_algo_request(command.order_id), AlgoRow)
        if not isinstance(one, Absent):
            return one
        for request in (open_algo_request(command.symbol), all_algo_request(command.symbol)):
            rows = await self.get(request, list[AlgoRow])
            if isinstance(rows, Silent):
                return rows
            for row in rows if isinstance(rows, list) else []:
                if row.client_algo_id == command.order_id:
                    return row
        return Absent()

    async def get(self, request: Request, kind: type[T]) -> T | Absent | Silent:
        """One read, decoded."""
        outcome = await self._rest.read(request, tries=ASK_TRIES)
        if isinstance(outcome, Answer):
            try:
                return decode(outcome.body, kind)
            except Malformed as fault:
                self._rest.reject(request.path, fault)
                return Silent(reason=f"{request.path}: unreadable: {fault}")
        if isinstance(outcome, Refused):
            if outcome.code in NOT_FOUND_CODES:
                return Absent()
            return Silent(reason=f"{request.path}: {outcome.code} {outcome.text}")
        return Silent(reason=f"{request.path}: {outcome.reason}")


def unknown(order_id: str, reason: str, action: str) -> OrderUnknown:
    """Nobody can say: `action` is "place", "cancel" or "ask"."""
    return OrderUnknown(order_id=order_id, reason=reason, action=action)
