"""The dead-man switch for resting entries: if we fall silent, the exchange cancels them.

While a LIMIT entry of ours rests, the exchange's countdown for its symbol is wound up again and
again. It cancels plain orders only; stops and targets live elsewhere and are never left to it
(whether it touches them is UNCERTAIN). Must not know: why an entry rests.
Source: reference sheet section 3.2, countdownCancelAll (2026-11).
"""

import asyncio
from typing import Final

import structlog

from bot.core.messages import Event, OrderMissing, OrderRefused, OrderReported, SnapshotTaken
from bot.core.trade import Order, Role, read_order_id
from bot.shell.clock import wall_monotonic_s, wall_sleep_s
from bot.venue.rest import RestClient
from bot.venue.watch import OVER
from bot.venue.wire_errors import Answer
from bot.venue.wire_requests import countdown_request
from data.model import OrderKind, OrderReport

log = structlog.get_logger(__name__)

COUNTDOWN_MS: Final = 120_000  # the exchange's own suggestion, with a heartbeat of 30 s
HEARTBEAT_MS: Final = 30_000
HEARTBEAT_S_MIN: Final = 1.0  # wall; a pretend world that runs faster than this has no switch
FRESH_PART: Final = 0.5  # of a heartbeat: wound up so lately, it is left alone
SETTLE_S: Final = 0.05  # wall; a burst of changes is one heartbeat


class DeadMan:
    """Resting entries of one account and the countdowns wound up for them."""

    def __init__(self, rest: RestClient, *, account_id: str = "") -> None:
        self._rest = rest
        self._account_id = account_id
        self._resting: dict[str, tuple[str, int]] = {}  # order id -> (symbol, sent at)
        self._armed: dict[str, float] = {}  # symbol -> wall seconds when it was wound up last
        self._changed = asyncio.Event()

    @property
    def armed(self) -> frozenset[str]:
        """Symbols whose countdown runs."""
        return frozenset(self._armed)

    def note_sent(self, order: Order) -> None:
        """An order is about to leave."""
        if order.role is Role.ENTRY and order.kind is OrderKind.LIMIT:
            self._resting[order.order_id] = (order.symbol, self._rest.clock.now_ms())
            self._changed.set()

    def note(self, event: Event) -> None:
        """Forget an entry that rests no more."""
        match event:
            case OrderReported(report=report) if report.status in OVER:
                self._forget(report.order_id)
            case OrderRefused(order_id=order_id, action="place") | OrderMissing(order_id=order_id):
                self._forget(order_id)
            case SnapshotTaken(asked_ms=asked_ms):
                rests = {report.order_id for report in event.open_orders}
                for report in event.open_orders:
                    self._take_over(report, asked_ms)
                for order_id, (_, sent_ms) in list(self._resting.items()):
                    if order_id not in rests and sent_ms < asked_ms:
                        self._forget(order_id)
            case _:
                pass

    def _take_over(self, report: OrderReport, asked_ms: int) -> None:
        # An entry of ours that rests since before this life: nobody here has sent it.
        name = read_order_id(self._account_id, report.order_id) if self._account_id else None
        known = report.order_id in self._resting
        if name is not None and name.role is Role.ENTRY and not report.conditional and not known:
            self._resting[report.order_id] = (report.symbol, asked_ms)
            self._changed.set()

    async def run(self) -> None:
        """Wind up while something rests, call off when nothing does; forever."""
        while True:
            period_s = HEARTBEAT_MS / 1000 / self._rest.clock.speed
            try:
                async with asyncio.timeout(period_s if self._armed or self._resting else None):
                    await self._changed.wait()
            except TimeoutError:
                pass
            self._changed.clear()
            if period_s >= HEARTBEAT_S_MIN:
                await self._beat(period_s)
            await wall_sleep_s(SETTLE_S)

    async def _beat(self, period_s: float) -> None:
        wanted = {symbol for symbol, _ in self._resting.values()}
        for symbol in sorted(self._armed.keys() - wanted):
            if await self._wind(symbol, 0):
                self._armed.pop(symbol, None)
        for symbol in sorted(wanted):
            # It weighs ten: another symbol's change is no reason to wind up this one again.
            now_s = wall_monotonic_s()
            if now_s - self._armed.get(symbol, -period_s) < period_s * FRESH_PART:
                continue
            if await self._wind(symbol, COUNTDOWN_MS):
                self._armed[symbol] = now_s

    async def _wind(self, symbol: str, countdown_ms: int) -> bool:
        outcome = await self._rest.send(countdown_request(symbol, countdown_ms))
        if isinstance(outcome, Answer):
            return True
        log.warning("countdown_not_set", symbol=symbol, countdown_ms=countdown_ms, outcome=outcome)
        return False

    def _forget(self, order_id: str) -> None:
        if self._resting.pop(order_id, None) is not None:
            self._changed.set()
