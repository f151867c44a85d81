"""The one loop: order of things, durability before sending, full disks, faults, and stopping."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from bot.core.desk import Desk
from bot.core.messages import (
    AskAdvisor,
    AskOrder,
    BotSwitched,
    Command,
    DecisionArrived,
    EntriesHalted,
    EntriesResumed,
    Event,
    Level,
    OrderRefused,
    OrderUnknown,
    PanicPressed,
    PlaceOrder,
    StreamRestored,
    Tell,
    VenueCommand,
    Woke,
)
from bot.core.trade import Role
from bot.shell.engine import DISK_FULL, OUR_FAULT, Engine
from bot.shell.steps import StepRecord
from data.model import Action
from tests.shell.fakes import Bench, FakeCore, cancel, place

PANIC = PanicPressed(by="owner")


@asynccontextmanager
async def running(engine: Engine) -> AsyncIterator[None]:
    """The engine turns while the body runs, and is stopped after it."""
    task = asyncio.create_task(engine.run())
    try:
        yield
    finally:
        await engine.stop()
        await task


async def until(true: Callable[[], bool]) -> None:
    """Let others run until it holds; half a minute at most."""
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0)


def script(wanted: type, *commands: Command) -> FakeCore:
    """A core that wishes these commands at each event of that kind."""
    return FakeCore(script=lambda desk, event, now: commands if isinstance(event, wanted) else ())


async def test_events_are_stepped_one_by_one_in_order_and_committed() -> None:
    """Each event becomes one journal row; rows have the events' order and count up from one."""
    bench = Bench()
    engine = bench.engine()
    events = [BotSwitched(bot_id=str(n), running=True, by="owner") for n in range(20)]
    async with running(engine):
        for event in events:
            engine.post(event)
        await until(lambda: len(bench.journal.rows) == 20)
    assert [row[1] for row in bench.journal.rows] == events
    assert [row[0] for row in bench.journal.rows] == list(range(1, 21))
    assert engine.seq == 20


async def test_a_burst_is_kept_in_few_transactions() -> None:
    """What waits together is kept together."""
    bench = Bench()
    engine = bench.engine()
    events = [BotSwitched(bot_id=str(n), running=True, by="owner") for n in range(100)]
    for event in events:
        engine.post(event)
    async with running(engine):
        await until(lambda: len(bench.journal.rows) == 100)
    assert [row[1] for row in bench.journal.rows] == events
    assert bench.journal.commits <= 3


@pytest.mark.parametrize(
    ("role", "commits_max"), [(Role.ENTRY, 9), (Role.STOP, 10), (Role.CLOSE, 10)]
)
async def test_entries_share_a_transaction_and_protection_waits_for_none(
    role: Role, commits_max: int
) -> None:
    """Ten wishes that wait together: entries are kept together, each stop by itself at once."""
    bench = Bench(core=script(BotSwitched, place(role)))
    engine = bench.engine()
    for number in range(10):
        engine.post(BotSwitched(bot_id=str(number), running=True, by="owner"))
    async with running(engine):
        await until(lambda: len(bench.venue.asked) == 10)
    assert bench.journal.commits <= commits_max
    if role is not Role.ENTRY:
        assert bench.journal.commits == 10


async def test_nothing_is_sent_before_its_record_is_durable() -> None:
    """At the moment the venue hears of a command, the journal holds it."""
    bench = Bench(core=script(PanicPressed, place(Role.CLOSE)))
    known: list[bool] = []

    def answer(command: VenueCommand) -> tuple[Event, ...]:
        known.append(any(command in row[2] for row in bench.journal.rows))
        return ()

    bench.venue.answers[PlaceOrder] = answer
    engine = bench.engine()
    async with running(engine):
        engine.post(PANIC)
        await until(lambda: bool(known))
    assert known == [True]


async def test_protection_and_closing_go_out_before_anything_else() -> None:
    """Of one step's commands the stop goes first, the entry and the questions last."""
    commands = (
        AskOrder(order_id="x", symbol="BTCUSDT", conditional=False),
        place(Role.ENTRY),
        cancel("y"),
        place(Role.TARGET),
        place(Role.STOP),
    )
    bench = Bench(core=script(PanicPressed, *commands))
    engine = bench.engine()
    async with running(engine):
        engine.post(PANIC)
        await until(lambda: len(bench.venue.asked) == 5)
    roles = [c.order.role if isinstance(c, PlaceOrder) else type(c) for c in bench.venue.asked]
    assert roles[0] is Role.STOP
    assert roles[1] is Role.TARGET
    assert roles[-2:] == [Role.ENTRY, AskOrder]


async def test_answers_of_the_venue_come_back_as_events() -> None:
    """What `perform` returns is stepped like any other event."""
    refused = OrderRefused(order_id="x", code=-2019, text="Margin is insufficient.")
    bench = Bench(core=script(PanicPressed, place(Role.STOP)))
    bench.venue.answers[PlaceOrder] = lambda command: (refused,)
    engine = bench.engine()
    async with running(engine):
        engine.post(PANIC)
        await until(lambda: refused in bench.core.seen)


async def test_a_venue_that_fails_unexpectedly_leaves_the_outcome_unknown() -> None:
    """A bug in an adapter is never taken for a refusal, and the loop goes on."""
    bench = Bench(core=script(PanicPressed, place(Role.STOP, "s0")))

    def answer(command: VenueCommand) -> tuple[Event, ...]:
        raise RuntimeError("a bug")

    bench.venue.answers[PlaceOrder] = answer
    engine = bench.engine()
    async with running(engine):
        engine.post(PANIC)
        await until(lambda: any(isinstance(e, OrderUnknown) for e in bench.core.seen))
        engine.post(StreamRestored())
        await until(lambda: StreamRestored() in bench.core.seen)
    unknown = next(e for e in bench.core.seen if isinstance(e, OrderUnknown))
    assert (unknown.order_id, unknown.action) == ("s0", "place")


async def test_the_deadline_wakes_the_desk() -> None:
    """`Woke` comes when `wake_ms` is reached, not before, and not again once it moved."""
    bench = Bench()
    bench.core.due_ms = bench.clock.now_ms() + 30
    woke_ms: list[int] = []

    def on_event(desk: Desk, event: Event, now_ms: int) -> tuple[Command, ...]:
        if isinstance(event, Woke):
            woke_ms.append(now_ms)
            bench.core.due_ms = None
        return ()

    due_ms = bench.core.due_ms
    bench.core.script = on_event
    async with running(bench.engine()):
        await until(lambda: bool(woke_ms))
    assert len(woke_ms) == 1
    assert woke_ms[0] >= due_ms


async def test_a_deadline_that_does_not_move_does_not_starve_events() -> None:
    """A `Woke` without effect is not repeated before what waits in the queue."""
    bench = Bench()
    bench.core.due_ms = 1
    engine = bench.engine()
    async with running(engine):
        for _ in range(50):
            engine.post(PANIC)
        await until(lambda: bench.core.seen.count(PANIC) == 50)
    assert bench.core.seen.count(Woke()) < 40


async def test_a_step_without_effect_is_not_kept() -> None:
    """Nothing changed and nothing wished: no row, no number used."""
    bench = Bench(core=FakeCore(idle=True))
    engine = bench.engine()
    async with running(engine):
        engine.post(PANIC)
        await until(lambda: PANIC in bench.core.seen)
    assert bench.journal.rows == []
    assert engine.seq == 0


async def test_disk_full_bars_entries_and_lets_protection_through() -> None:
    """While nothing can be kept an entry is refused by ourselves; stop and cancel still go out."""
    commands = (place(Role.ENTRY, "e0"), place(Role.STOP, "s0"), cancel("t0"))
    bench = Bench(core=script(PanicPressed, *commands))
    bench.journal.full = True
    engine = bench.engine()
    async with running(engine):
        engine.post(PANIC)
        await until(lambda: any(isinstance(e, OrderRefused) for e in bench.core.seen))
        assert bench.venue.asked == [commands[1], commands[2]]
        assert EntriesHalted(reason=DISK_FULL) in bench.core.seen
        bench.journal.full = False
        engine.post(StreamRestored())
        await until(lambda: EntriesResumed(reason=DISK_FULL) in bench.core.seen)
        engine.post(PANIC)
        await until(lambda: commands[0] in bench.venue.asked)


async def test_what_a_full_disk_refused_is_kept_later_in_order() -> None:
    """After the disk works again the journal has every step, none twice, numbered without gaps."""
    bench = Bench()
    engine = bench.engine()
    async with running(engine):
        engine.post(BotSwitched(bot_id="0", running=True, by="owner"))
        await until(lambda: len(bench.journal.rows) == 1)
        bench.journal.full = True
        for n in range(1, 6):
            engine.post(BotSwitched(bot_id=str(n), running=True, by="owner"))
        await until(lambda: len(bench.core.seen) == 7)
        bench.journal.full = False
        engine.post(PANIC)
        await until(lambda: any(row[1] == PANIC for row in bench.journal.rows))
    kept = [row[1] for row in bench.journal.rows]
    assert [e.bot_id for e in kept if isinstance(e, BotSwitched)] == ["0", "1", "2", "3", "4", "5"]
    assert [row[0] for row in bench.journal.rows] == list(range(1, len(kept) + 1))
    assert bench.journal.rows[-1][3] == engine.desk


async def test_a_fault_of_the_core_halts_the_desk_and_changes_nothing() -> None:
    """A step that raises leaves the desk as it was, halts entries once, and later events go on."""

    def on_event(desk: Desk, event: Event, now_ms: int) -> tuple[Command, ...]:
        assert not isinstance(event, PanicPressed), "a bug of ours"
        return (place(Role.ENTRY), place(Role.STOP)) if isinstance(event, StreamRestored) else ()

    bench = Bench(core=FakeCore(script=on_event))
    engine = bench.engine()
    async with running(engine):
        before = engine.desk
        engine.post(PANIC)
        await until(lambda: EntriesHalted(reason=OUR_FAULT) in bench.core.seen)
        assert [row[1] for row in bench.journal.rows] == [EntriesHalted(reason=OUR_FAULT)]
        assert engine.desk == replace(before, snapshot_sent_ms=1)
        engine.post(StreamRestored())
        await until(lambda: any(isinstance(e, OrderRefused) for e in bench.core.seen))
        assert [c.order.role for c in bench.venue.asked if isinstance(c, PlaceOrder)] == [Role.STOP]
        engine.post(EntriesResumed(reason=OUR_FAULT, by="owner"))
        engine.post(StreamRestored())
        await until(lambda: len(bench.venue.asked) == 3)


async def test_a_desk_that_cannot_even_halt_is_told_of_by_the_engine() -> None:
    """When every step fails, people hear of it all the same."""

    def on_event(desk: Desk, event: Event, now_ms: int) -> tuple[Command, ...]:
        raise AssertionError("every step fails")

    bench = Bench(core=FakeCore(script=on_event))
    engine = bench.engine()
    async with running(engine):
        engine.post(PANIC)
        await until(lambda: bool(bench.notifier.told))
    assert bench.notifier.told[0].level is Level.ALARM


async def test_words_to_people_never_stop_a_trade() -> None:
    """A notifier that raises is contained; the commands of the same step go out."""
    bench = Bench(core=script(PanicPressed, Tell(kind="panic"), place(Role.CLOSE)))
    bench.notifier.broken = True
    engine = bench.engine()
    async with running(engine):
        engine.post(PANIC)
        await until(lambda: len(bench.venue.asked) == 1)


async def test_no_facts_make_the_adviser_abstain() -> None:
    """Without a question nobody is asked: the decision is an abstention that says why."""
    ask = AskAdvisor(trade_id="t", bot_id="b", symbol="BTCUSDT", purpose="open", deadline_ms=1)
    bench = Bench(core=script(PanicPressed, ask))
    engine = bench.engine()
    async with running(engine):
        engine.post(PANIC)
        await until(lambda: any(isinstance(e, DecisionArrived) for e in bench.core.seen))
    arrived = next(e for e in bench.core.seen if isinstance(e, DecisionArrived))
    assert arrived.decision.action is Action.ABSTAIN
    assert arrived.decision.abstained == "no fresh market data"


async def test_observers_see_every_step_numbered() -> None:
    """Audit records count every step; only kept ones carry the journal's number."""
    bench = Bench()
    engine = bench.engine()
    records: list[StepRecord] = []
    engine.watch(records.append)
    async with running(engine):
        engine.post(PANIC)
        await until(lambda: len(records) == 1)
        bench.core.idle = True
        engine.post(StreamRestored())
        await until(lambda: len(records) == 2)
    assert [(r.number, r.seq) for r in records] == [(1, 1), (2, None)]
    assert all(r.arrived_s <= r.stepped_s <= r.kept_s for r in records)


async def test_stopping_finishes_the_queue_and_sends_no_entry() -> None:
    """SIGTERM: what waits is stepped and committed, entries are refused, protection goes out."""
    bench = Bench(core=script(PanicPressed, place(Role.ENTRY), place(Role.STOP)))
    engine = bench.engine()
    task = asyncio.create_task(engine.run())
    await until(lambda: engine.desk is not None)
    engine.post(PANIC)
    await engine.stop()
    await task
    assert [c.order.role for c in bench.venue.asked if isinstance(c, PlaceOrder)] == [Role.STOP]
    assert PANIC in [row[1] for row in bench.journal.rows]
    assert any(isinstance(e, OrderRefused) for e in bench.core.seen)


async def test_a_clock_set_back_never_turns_the_desk_back() -> None:
    """The core's `now_ms` never decreases, whatever the exchange's clock says."""
    bench = Bench()
    moments: list[int] = []

    def on_event(desk: Desk, event: Event, now_ms: int) -> tuple[Command, ...]:
        moments.append(now_ms)
        return ()

    bench.core.script = on_event
    engine = bench.engine()
    async with running(engine):
        engine.post(PANIC)
        await until(lambda: len(moments) == 1)
        bench.clock.set_now(10)
        engine.post(PANIC)
        await until(lambda: len(moments) == 2)
    assert moments[1] >= moments[0]
