"""The one loop: take an event, step, commit, dispatch, arm one timer at the next deadline.

- Events are taken strictly one at a time, in order; nobody else changes the desk.
- Nothing is sent before its record is durable. Commands to the exchange then run as tasks of this
  engine's own group, protection and closing first; what comes of them are events again.
- The disk is full: what cannot be kept is held back and kept later. Meanwhile the engine only
  reduces risk: entries are not sent (the desk hears that they were refused), stops, closes,
  cancels and questions are.
- A step fails (a bug of ours): the desk stays as it was, entries are barred until a person resumes,
  an alarm goes out, and later events are fed as before, because stops need looking after.

Must not know: any adapter, or what an event means.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import structlog

from bot.core.desk import Desk, DeskStep
from bot.core.messages import (
    AskAdvisor,
    CancelOrder,
    CloseRequested,
    DecisionArrived,
    EntriesHalted,
    EntriesResumed,
    Event,
    Level,
    OrderRefused,
    PlaceOrder,
    Question,
    ShowCard,
    Tell,
    VenueCommand,
    Woke,
)
from bot.core.trade import Order, Phase, Trade
from bot.shell.clock import Clock, wall_monotonic_s
from bot.shell.inbox import MARKET_NEWS, Inbox
from bot.shell.ports import Kept
from bot.shell.steps import (
    Core,
    Observer,
    Ports,
    StepRecord,
    abstention,
    can_wait,
    rests,
    unanswered,
    urgency,
    why_not_sent,
)
from data.model import Decision, ExitReason
from data.store.errors import StorageFull

HEARTBEAT_S: Final = 5.0  # the loop turns at least this often; a sixth of the unit's WatchdogSec
WOKE_AGAIN_S: Final = 0.05  # a deadline that Woke did not move is not asked about in a hot loop
STOP_WAIT_S: Final = 10.0  # for bare positions and answers at SIGTERM; the unit allows 30 s
GATHER_S: Final = 0.003  # a wish may wait so long for the next ones: a transaction takes as much
BATCH_MAX: Final = 256  # steps kept in one transaction, and read back as one
BATCH_S: Final = 0.005  # of stepping, then it is kept: others want the loop too
BACKLOG_MAX: Final = 2_000  # steps held back while the disk is full
ERRANDS_MAX: Final = 256  # requests in flight; above it questions fail and are asked again
NOT_SENT: Final = -1  # code of a refusal that is our own
DISK_FULL: Final = "disk full"
OUR_FAULT: Final = "internal fault"
STOPPING: Final = "stopping"

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class _Turned:
    number: int
    now_ms: int
    event: Event
    stepped: DeskStep
    changed: dict[str, Trade]
    idle: bool  # nothing changed and nothing is wished: not kept
    arrived_s: float
    stepped_s: float
    seq: int | None = None  # once it is kept

    def kept(self, seq: int) -> Kept:
        return Kept(
            seq=seq,
            now_ms=self.now_ms,
            event=self.event,
            commands=self.stepped.commands,
            desk=self.stepped.desk,
            changed=tuple(self.changed.values()),
        )


class Engine:
    """Owns one desk. `post` may be called from any callback of the same event loop."""

    def __init__(
        self,
        desk: Desk,
        *,
        ports: Ports,
        clock: Clock,
        seq: int = 0,
        core: Core | None = None,
        on_beat: Callable[[], None] | None = None,
    ) -> None:
        self._desk = desk
        self._ports = ports
        self._clock = clock
        self._seq = seq
        self._core = core or Core()
        self._on_beat = on_beat or (lambda: None)
        self._observers: list[Observer] = []
        self._inbox = Inbox()
        self._backlog: deque[_Turned] = deque()
        self._bars: set[str] = {OUR_FAULT} & set(desk.halts)
        self._errands: set[asyncio.Task[None]] = set()
        self._tasks: asyncio.TaskGroup | None = None
        self._number = 0
        self._last_fault = ""
        self._last_now_ms = 0
        self._due: int | None = None
        self._woke: tuple[int, float] = (-1, 0.0)
        self._stop_by_s: float | None = None
        self._ended = asyncio.Event()

    @property
    def desk(self) -> Desk:
        """The desk as of the last step; read only."""
        return self._desk

    @property
    def seq(self) -> int:
        """The number of the last step in the journal."""
        return self._seq

    @property
    def waiting(self) -> int:
        """Events in the queue."""
        return len(self._inbox)

    @property
    def dropped(self) -> int:
        """Events the full queue turned away."""
        return self._inbox.dropped

    def watch(self, observer: Observer) -> None:
        """Call `observer` after each step, in order; it must be quick and may not raise."""
        self._observers.append(observer)

    def post(self, event: Event) -> None:
        """Put an event into the queue; never blocks. While stopping, signals are not taken."""
        if self._stop_by_s is not None and isinstance(event, MARKET_NEWS):
            return
        self._inbox.put(event)

    def nudge(self) -> None:
        """Look at the clock again: it was moved by hand."""
        self._inbox.nudge()

    async def run(self) -> None:
        """Turn until `stop`. What it raises is a fault nobody expected: the process should end."""
        self._due = self._core.wake_ms(self._desk)
        if DISK_FULL in self._desk.halts:
            self._inbox.put(EntriesResumed(reason=DISK_FULL), first=True)
        try:
            async with asyncio.TaskGroup() as self._tasks:
                while not self._is_done():
                    await self._turn()
                for errand in self._errands:
                    errand.cancel()
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Take no more signals, settle what is bare or unanswered, commit, and end the loop.

        Stops and targets stay at the exchange. A resting entry is cancelled: filled while nobody
        looks, it would be bare. Bounded by STOP_WAIT_S; what is unsettled then is recovered at the
        next start.
        """
        if self._stop_by_s is None:
            self._stop_by_s = wall_monotonic_s() + STOP_WAIT_S
            self._bars.add(STOPPING)
            for trade in self._desk.working():
                if rests(trade):
                    reason = ExitReason.MANUAL
                    event = CloseRequested(trade_id=trade.trade_id, reason=reason, by=STOPPING)
                    self._inbox.put(event)
            self._inbox.nudge()
        await self._ended.wait()

    # The turn

    async def _turn(self) -> None:
        """Step what waits, keep it all, then send what it wishes.

        Frames come in bursts, and what a disk takes time for is one transaction, not one event. A
        wish waits for others a moment at most, and one that protects or closes for none.
        """
        taken = self._next()
        if taken is None:
            await self._inbox.wait(self._rest_s())
            self._on_beat()
            if self._backlog:  # A quiet hour must not keep entries barred once there is room.
                await self._keep_backlog()
            return
        batch: list[_Turned] = []
        until_s = wall_monotonic_s() + BATCH_S
        while taken is not None:
            turned = self._step(*taken)
            if turned is not None:
                batch.append(turned)
                if turned.stepped.commands:
                    now_s = wall_monotonic_s()
                    waits = all(map(can_wait, turned.stepped.commands))
                    until_s = min(until_s, now_s + GATHER_S if waits else now_s)
            over = turned is None or len(batch) >= BATCH_MAX or wall_monotonic_s() >= until_s
            taken = None if over else self._next()
        await self._keep([turned for turned in batch if not turned.idle])
        for turned in batch:
            self._finish(turned)
        if batch:
            await self._clock.sleep_ms(0)  # let the requests start before the next step
            self._on_beat()

    def _next(self) -> tuple[Event, float] | None:
        if self._due is not None and self._due <= self._clock.now_ms():
            now_s = wall_monotonic_s()
            if self._woke[0] != self._due or now_s - self._woke[1] >= WOKE_AGAIN_S:
                self._woke = (self._due, now_s)
                return Woke(), now_s
        return self._inbox.take()

    def _rest_s(self) -> float:
        rest_s = HEARTBEAT_S if not self._bars else 1.0
        if self._due is not None:
            until_s = (self._due - self._clock.now_ms()) / 1000 / self._clock.speed
            rest_s = min(rest_s, max(until_s, 0.001))
            if until_s <= 0:  # Woke changed nothing: look again after a moment, not at once
                rest_s = WOKE_AGAIN_S
        return rest_s if self._stop_by_s is None else min(rest_s, 0.05)

    def _step(self, event: Event, arrived_s: float) -> _Turned | None:
        now_ms = self._last_now_ms = max(self._last_now_ms, self._clock.now_ms())
        self._number += 1
        if isinstance(event, EntriesResumed) and event.by:
            self._bars.discard(OUR_FAULT)
        try:
            stepped = self._core.step(self._desk, event, now_ms)
            due = self._core.wake_ms(stepped.desk)
        except Exception as fault:  # noqa: BLE001 - a pure function failed: it is our bug, whatever it is
            self._fault(event, fault)
            return None
        idle = stepped.desk is self._desk and not stepped.commands and not stepped.changed
        self._desk, self._due = stepped.desk, due
        return _Turned(
            number=self._number,
            now_ms=now_ms,
            event=event,
            stepped=stepped,
            changed={trade.trade_id: trade for trade in stepped.changed},
            idle=idle,
            arrived_s=arrived_s,
            stepped_s=wall_monotonic_s(),
        )

    def _finish(self, turned: _Turned) -> None:
        kept_s, stepped = wall_monotonic_s(), turned.stepped
        self._dispatch(stepped, turned.now_ms)
        record = StepRecord(
            number=turned.number,
            seq=turned.seq,
            now_ms=turned.now_ms,
            event=turned.event,
            commands=stepped.commands,
            desk=stepped.desk,
            changed=stepped.changed,
            arrived_s=turned.arrived_s,
            stepped_s=turned.stepped_s,
            kept_s=kept_s,
        )
        for observer in self._observers:
            observer(record)

    def _fault(self, event: Event, fault: Exception) -> None:
        words = repr(fault)
        if words != self._last_fault:  # a deadline that fails would fill the log
            log.error("step_failed", input=repr(event), fault=words, exc_info=fault)
        self._last_fault = words
        if isinstance(event, EntriesHalted):  # not even that: the desk cannot say it, we do
            fields = (("reason", event.reason),)
            told = Tell(kind="halted", level=Level.ALARM, fields=fields)
            self._notify(self._ports.notifier.tell, told, None, self._desk)
        elif OUR_FAULT not in self._bars:
            self._bars.add(OUR_FAULT)
            self._inbox.put(EntriesHalted(reason=OUR_FAULT), first=True)

    def _is_done(self) -> bool:
        if self._stop_by_s is None:
            return False
        if wall_monotonic_s() >= self._stop_by_s:
            log.warning("stopped_unsettled", waiting=len(self._inbox), errands=len(self._errands))
            return True
        return not self._inbox and not self._venue_errands() and not self._bare()

    def _bare(self) -> bool:
        unsettled = {Phase.ORDER_PENDING, Phase.POSITION_UNPROTECTED}
        return any(trade.phase in unsettled for trade in self._desk.working())

    def _venue_errands(self) -> int:
        return sum(not errand.get_name().startswith("ask_") for errand in self._errands)

    # Keeping

    async def _keep(self, steps: Sequence[_Turned]) -> None:
        self._backlog.extend(steps)
        while len(self._backlog) > BACKLOG_MAX:
            lost = self._backlog.popleft()
            self._backlog[0].changed = lost.changed | self._backlog[0].changed
        if self._backlog:
            await self._keep_backlog()

    async def _keep_backlog(self) -> None:
        waiting = list(itertools.islice(self._backlog, BATCH_MAX))
        try:
            while waiting:
                await self._ports.journal.commit(
                    [turned.kept(self._seq + place) for place, turned in enumerate(waiting, 1)]
                )
                for turned in waiting:
                    self._seq += 1
                    turned.seq = self._seq
                    self._backlog.popleft()
                waiting = list(itertools.islice(self._backlog, BATCH_MAX))
        except StorageFull as full:
            self._storage_failed(full)
        else:
            self._storage_works()

    def _storage_failed(self, full: StorageFull) -> None:
        if DISK_FULL in self._bars:
            return
        log.error("storage_failed", reason=str(full))
        self._bars.add(DISK_FULL)
        self._inbox.put(EntriesHalted(reason=DISK_FULL), first=True)

    def _storage_works(self) -> None:
        if DISK_FULL not in self._bars:
            return
        log.info("storage_recovered", seq=self._seq)
        self._bars.discard(DISK_FULL)
        self._inbox.put(EntriesResumed(reason=DISK_FULL))

    # Carrying out

    def _dispatch(self, stepped: DeskStep, now_ms: int) -> None:
        for command in sorted(stepped.commands, key=urgency):
            match command:
                case PlaceOrder(order=order) if why := self._why_not(order, stepped.desk, now_ms):
                    self._inbox.put(
                        OrderRefused(
                            order_id=order.order_id, code=NOT_SENT, text=why, refused_ms=now_ms
                        )
                    )
                case ShowCard():
                    trade = stepped.desk.trades[command.trade_id]
                    self._notify(self._ports.notifier.show_card, command, trade, stepped.desk)
                case Tell():
                    told = stepped.desk.trades.get(command.trade_id)
                    self._notify(self._ports.notifier.tell, command, told, stepped.desk)
                case AskAdvisor():
                    self._start(f"ask_{command.trade_id}", self._ask(command))
                case _:
                    self._send(command)
        for trade in stepped.changed:
            self._notify(self._ports.notifier.trade_changed, trade, stepped.desk)

    def _why_not(self, order: Order, desk: Desk, now_ms: int) -> str:
        return why_not_sent(order, desk, self._bars, self._ports.mark_price, now_ms)

    def _send(self, command: VenueCommand) -> None:
        if len(self._errands) >= ERRANDS_MAX and not isinstance(command, PlaceOrder | CancelOrder):
            self._inbox.put(unanswered(command, "too many requests in flight"))
            return
        self._start(type(command).__name__, self._perform(command))

    def _start(self, name: str, errand: Awaitable[None]) -> None:
        assert self._tasks is not None, "dispatching outside run()"

        async def carry() -> None:
            await errand

        task = self._tasks.create_task(carry(), name=name)
        self._errands.add(task)
        task.add_done_callback(self._errand_ended)

    def _errand_ended(self, task: asyncio.Task[None]) -> None:
        self._errands.discard(task)
        self._inbox.nudge()

    async def _perform(self, command: VenueCommand) -> None:
        try:
            events: Sequence[Event] = await self._ports.venue.perform(command)
        except Exception as fault:  # whether the request went out is not known: so we say
            log.exception("venue_failed", command=repr(command), fault=repr(fault))
            events = [unanswered(command, f"fault: {fault!r}"[:200])]
        for event in events:
            self._inbox.put(event)

    async def _ask(self, command: AskAdvisor) -> None:
        decision: Decision
        question: Question | None = None
        try:
            question = self._ports.question_of(self._desk, command)
            if question is None:
                decision = self._abstain(command, "no fresh market data")
            else:
                decision = await self._ports.advisor.decide(question, command.deadline_ms)
        except Exception as fault:
            log.exception("advisor_failed", command=repr(command), fault=repr(fault))
            decision = self._abstain(command, f"fault: {fault!r}"[:200])
        mark = self._ports.mark_price(command.symbol)
        if mark is None:  # stale by its own moment; the desk judges how stale
            mark = (question.mark_price, 0) if question is not None else (Decimal(0), 0)
        self.post(
            DecisionArrived(
                trade_id=command.trade_id, decision=decision, mark_price=mark[0], mark_ms=mark[1]
            )
        )

    def _abstain(self, command: AskAdvisor, why: str) -> Decision:
        return abstention(command, self._ports.advisor.name, why, self._clock.now_ms())

    def _notify(self, call: Callable[..., None], *arguments: object) -> None:
        try:
            call(*arguments)
        except Exception as fault:  # words to people never stop a trade
            log.exception("notifier_failed", call=call.__name__, fault=repr(fault))
