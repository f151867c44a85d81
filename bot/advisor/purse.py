"""What may be spent on a model today, and what becomes of questions as it goes.

A day is a UTC day. Before each request its dearest possible price is set aside, and the note that
says so is durable before the request goes out; afterwards the real price is booked and the rest is
free again. So calls side by side cannot overrun the budget together, and neither can a crash in the
middle of one: what was set aside counts as spent. By share of the tighter limit, user or service:

- from 60 %: only the fixed symbols and open positions are put before the model;
- from 80 %: those go to the cheaper model;
- once a request no longer fits: the rules answer alone.

Must not know: prices (`budget`), the network, where the note is kept.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

import structlog

from bot.advisor.budget import DAY_MS
from data.money import ZERO
from data.store.errors import StoreError

FEWER_FROM: Final = Decimal("0.6")
CHEAPER_FROM: Final = Decimal("0.8")
CENT: Final = Decimal("0.01")
NOTE_VERSION: Final = 1

log = structlog.get_logger(__name__)

Load = Callable[[], Awaitable[str | None]]
Save = Callable[[str], Awaitable[None]]


class Step(StrEnum):
    """How far a model may still be asked."""

    FULL = "full"
    FEWER = "fewer symbols"
    CHEAPER = "cheaper model"
    RULES = "rules only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """USD a UTC day: for the whole service, and for each user of it."""

    service_usd: Decimal
    user_usd: Decimal


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is set aside for one request."""

    number: int
    user_id: str
    usd: Decimal


@dataclass(frozen=True, slots=True)
class _Past:
    day: int
    spent_usd: Decimal
    step: Step  # where it ended


class Purse:
    """One service's money for models. `open` before the first question."""

    def __init__(
        self, allowance: Allowance, *, now_ms: Callable[[], int], load: Load, save: Save
    ) -> None:
        self._allowance = allowance
        self._now_ms = now_ms
        self._load = load
        self._save = save
        self._day = 0
        self._spent: dict[str, Decimal] = {}
        self._aside: dict[int, Ticket] = {}
        self._count = 0
        self._refused_usd: Decimal | None = None  # the cheapest request that did not fit today
        self._before: _Past | None = None  # the last day known before this one
        self._opened = False
        self._writing = asyncio.Lock()
        self._booking: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Read what was spent today before this start. An unreadable note is a spent day."""
        async with self._writing:
            if self._opened:
                return
            text = await self._load()
            today = self._now_ms() // DAY_MS
            self._day = today - 1 if text is None else today
            self._before = None
            try:
                if text is not None:
                    day, self._spent = _read(text)
                    self._day = min(day, today)
            except (ValueError, KeyError, TypeError, AttributeError, InvalidOperation):
                log.error("ai_budget_note_unreadable", note=(text or "")[:200])  # noqa: TRY400 - no bug to trace
                self._spent = {"": self._allowance.service_usd}
            self._turn_day()
            self._opened = True

    async def close(self) -> None:
        """Wait for what is being booked."""
        await asyncio.gather(*self._booking)

    def spent_usd(self, user_id: str | None = None) -> Decimal:
        """Booked and set aside today, by one user or by all."""
        self._turn_day()
        booked = [usd for user, usd in self._spent.items() if user_id in (None, user)]
        aside = [t.usd for t in self._aside.values() if user_id in (None, t.user_id)]
        return sum([*booked, *aside], ZERO)

    def step(self, user_id: str) -> Step:
        """How far this user's questions may go to a model now."""
        share = max(
            _share(self.spent_usd(), self._allowance.service_usd),
            _share(self.spent_usd(user_id), self._allowance.user_usd),
        )
        if not self._fits(user_id, self._refused_usd or ZERO):
            return Step.RULES
        return _step_at(share)

    async def reserve(self, user_id: str, usd: Decimal) -> Ticket | None:
        """Set the dearest price of one request aside, durably; None when it does not fit."""
        assert self._opened, "a purse is opened first"
        assert usd >= ZERO, f"a request costs {usd}"
        if not self._fits(user_id, usd):
            self._refused_usd = min(usd, self._refused_usd or usd)
            return None
        self._count += 1
        ticket = Ticket(self._count, user_id, usd)
        self._aside[ticket.number] = ticket  # before any wait: nobody else may have it
        try:
            await self._keep()
        except BaseException:
            self._aside.pop(ticket.number, None)
            raise
        return ticket

    def settle(self, ticket: Ticket, usd: Decimal) -> None:
        """Book what a request really cost; a second word on the same ticket is ignored."""
        if self._aside.pop(ticket.number, None) is None:
            return
        self._turn_day()
        self._spent[ticket.user_id] = self._spent.get(ticket.user_id, ZERO) + max(ZERO, usd)
        task = asyncio.get_running_loop().create_task(self._book())
        self._booking.add(task)
        task.add_done_callback(self._booking.discard)

    def told(self, user_id: str) -> str:
        """Spent of allowed, and the step when it is not the full one, for people."""
        spent, most = self.spent_usd(), self._allowance.service_usd
        step = self.step(user_id)
        words = f"{spent.quantize(CENT)} of {most.quantize(CENT)} USD today"
        return words if step is Step.FULL else f"{words}, {step.value}"

    def told_of(self, user_id: str, day: int) -> str:
        """As `told`, of a day (since 1970) that may be over; "" when it is not known any more."""
        if not self._opened:
            return ""
        self._turn_day()
        if day == self._day:
            return self.told(user_id)
        if self._before is None or day < self._before.day:
            return ""
        spent, step = ZERO, Step.FULL  # a later day than the last with a record: nothing was asked
        if day == self._before.day:
            spent, step = self._before.spent_usd, self._before.step
        most = self._allowance.service_usd
        words = f"{spent.quantize(CENT)} of {most.quantize(CENT)} USD that day"
        return words if step is Step.FULL else f"{words}, {step.value}"

    def _fits(self, user_id: str, usd: Decimal) -> bool:
        return (
            self.spent_usd() + usd <= self._allowance.service_usd
            and self.spent_usd(user_id) + usd <= self._allowance.user_usd
        )

    async def _book(self) -> None:
        try:
            await self._keep()
        except StoreError as fault:  # The note stands as it was: rather too high than lost.
            log.warning("ai_budget_not_kept", reason=str(fault)[:200])

    async def _keep(self) -> None:
        async with self._writing:
            total = dict(self._spent)
            for ticket in self._aside.values():
                total[ticket.user_id] = total.get(ticket.user_id, ZERO) + ticket.usd
            record = {
                "version": NOTE_VERSION,
                "day": self._day,
                "spent": {user: str(usd) for user, usd in sorted(total.items())},
            }
            await self._save(json.dumps(record, separators=(",", ":")))

    def _turn_day(self) -> None:
        day = self._now_ms() // DAY_MS
        if day > self._day:
            self._before = self._ended()
            self._day, self._spent, self._refused_usd = day, {}, None

    def _ended(self) -> "_Past":
        total = sum(self._spent.values(), ZERO)
        users = (_share(usd, self._allowance.user_usd) for usd in self._spent.values())
        share = max([_share(total, self._allowance.service_usd), *users])
        step = Step.RULES if self._refused_usd is not None else _step_at(share)
        return _Past(self._day, total, step)


def _read(text: str) -> tuple[int, dict[str, Decimal]]:
    record = json.loads(text)
    spent = {str(user): Decimal(usd) for user, usd in record["spent"].items()}
    if not all(usd.is_finite() and usd >= ZERO for usd in spent.values()):
        raise ValueError("an amount that cannot be")
    return int(record["day"]), spent


def _step_at(share: Decimal) -> Step:
    if share >= 1:
        return Step.RULES
    if share >= CHEAPER_FROM:
        return Step.CHEAPER
    return Step.FEWER if share >= FEWER_FROM else Step.FULL


def _share(spent: Decimal, most: Decimal) -> Decimal:
    return spent / most if most > ZERO else Decimal(1)
