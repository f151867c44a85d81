"""The shadow ledger: over a real store, from a kept-out signal to its end and the report."""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bot.core.messages import CardVerb, Woke
from bot.core.presets import ApprovalMode
from bot.core.trade import Trade
from bot.shell.clock import VirtualClock
from bot.shell.ports import Kept
from bot.shell.recorder import Recorder
from bot.shell.shadow_report import report_of
from bot.shell.shadows import ShadowLedger
from bot.shell.steps import StepRecord
from data.model import Candle
from data.store.errors import StorageFull
from data.store.rows import AccountRow, ShadowRow, UserRole, UserRow
from data.store.store import Store
from memory.scores import Finding, Judge
from memory.shadow import BARS_MAX, Costs
from tests.core.build import ACCOUNT, NOW_MS, USER, Case, config, decision, desk, signal
from tests.shell.market import MINUTE_MS, FakeMarket, bar

FIRST = NOW_MS // MINUTE_MS - 1  # the signal's bar
FREE = Costs(fee_bps=0, slippage_bps=0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store with the account in it."""
    opened = await Store.open(f"sqlite+aiosqlite:///{tmp_path}/bot.db")
    await opened.add_user(
        UserRow(
            user_id=USER,
            telegram_id=1,
            role=UserRole.OWNER,
            name="An",
            language="en",
            created_ms=1,
        )
    )
    await opened.put_account(
        AccountRow(account_id=ACCOUNT, user_id=USER, label="m", venue="paper", created_ms=1)
    )
    yield opened
    await opened.close()


class Room:
    """A ledger on a store and a market that the test fills."""

    def __init__(self, store: Store, costs: Costs = FREE) -> None:
        self.store = store
        self.market = FakeMarket()
        self.market.close([bar(FIRST)])
        self.clock = VirtualClock(NOW_MS)
        self.ledger = self.new_ledger(costs)
        self.seq = 0

    def new_ledger(self, costs: Costs = FREE) -> ShadowLedger:
        """As after a start."""
        return ShadowLedger(
            account_id=ACCOUNT,
            store=self.store,
            market=self.market,
            clock=self.clock,
            read_trade=Recorder.read_trade,
            costs=costs,
        )

    async def keep(self, case: Case, *, told: bool = True) -> Trade:
        """Keep the case's trade as the engine does, and tell the ledger unless it is dead."""
        self.seq += 1
        [trade] = case.desk.trades.values()
        event = Woke()
        kept = Kept(
            seq=self.seq,
            now_ms=case.now_ms,
            event=event,
            commands=(),
            desk=case.desk,
            changed=(trade,),
        )
        await Recorder(self.store).commit([kept])
        if told:
            self.ledger.observe(
                StepRecord(
                    number=self.seq,
                    seq=self.seq,
                    now_ms=case.now_ms,
                    event=event,
                    commands=(),
                    desk=case.desk,
                    changed=(trade,),
                    arrived_s=0,
                    stepped_s=0,
                    kept_s=0,
                )
            )
        return trade

    def close(self, candle: Candle) -> None:
        """A bar closes: the window has it, then the ledger hears it."""
        self.market.close([candle])
        self.ledger.hear(candle)

    async def end_of(self, trade: Trade) -> ShadowRow:
        """What was kept of it."""
        row = await self.store.shadow(trade.trade_id)
        assert row is not None
        return row


def rejected(name: str = "s1", **more: object) -> Case:
    """A card that a person said no to: long at 100, stop 98, target 104, on minute bars."""
    bot = config(approval_mode=ApprovalMode.APPROVE, timeframe="1m")
    given = signal(name, timeframe="1m", bar_open_ms=FIRST * MINUTE_MS, **more)
    return Case(desk(bot)).raise_signal(given).decide(name=name).tap(CardVerb.REJECT, name=name)


def rising(number: int, high: float) -> Candle:
    """A bar that opens at 100 and climbs."""
    return replace(bar(number), high=high, close=high)


async def test_a_rejected_signal_is_followed_to_its_end(store: Store) -> None:
    """Two quiet bars, then the target: kept with its size, fees and slippage."""
    room = Room(store, Costs(fee_bps=5, slippage_bps=10))
    case = rejected()
    trade = await room.keep(case)
    await room.ledger.settle()
    assert len(room.ledger) == 1
    for number in (1, 2):
        room.close(bar(FIRST + number))
    room.close(rising(FIRST + 3, 104.5))
    await room.ledger.settle()
    assert len(room.ledger) == 0
    row = await room.end_of(trade)
    assert trade.plan is not None
    assert (row.end, row.ended_ms) == ("target", (FIRST + 3) * MINUTE_MS)
    # In at 100.1, out at 103.896; fees 0.0005 of both: 0.101998. 3.796 - 0.101998 = 3.694002.
    assert row.risk_multiple == "1.847001"  # / 2
    assert row.pnl_usdt is not None
    made = float(Decimal("3.694002") * trade.plan.quantity)
    assert float(row.pnl_usdt) == pytest.approx(made)
    assert (row.fee_bps, row.slippage_bps) == ("5", "10")


async def test_a_restart_follows_what_was_open(store: Store) -> None:
    """Nothing of it was kept but the trade: bars missed meanwhile come from the window."""
    room = Room(store)
    trade = await room.keep(rejected())
    await room.ledger.settle()
    room.close(bar(FIRST + 1))
    room.market.close([bar(FIRST + 2), rising(FIRST + 3, 104.0)])  # while nobody was there
    room.ledger = room.new_ledger()
    await room.ledger._load()
    await room.ledger.settle()
    assert (await room.end_of(trade)).ended_ms == (FIRST + 3) * MINUTE_MS
    again = room.new_ledger()
    await again._load()
    assert len(again) == 0


async def test_a_crash_before_anyone_heard_loses_nothing(store: Store) -> None:
    """The trade's row was kept, the ledger was never told: a start finds it."""
    room = Room(store)
    await room.keep(rejected(), told=False)
    assert len(room.ledger) == 0
    await room.ledger._load()
    assert len(room.ledger) == 1


async def test_the_same_end_with_and_without_a_restart(store: Store) -> None:
    """The result is a function of the trade and the candles."""
    room = Room(store)
    one, other = await room.keep(rejected("s1")), None
    await room.ledger.settle()
    for number in range(1, 6):
        room.close(bar(FIRST + number))
    late = room.new_ledger()
    case = rejected("s2")
    other = case.trade("s2")
    late._follow(other)
    late._follow(one)
    await late.settle()
    last = replace(bar(FIRST + 6), low=97.0)
    room.market.close([last])
    for ledger in (room.ledger, late):
        ledger.hear(last)
        assert not ledger._look()
    assert {row.risk_multiple for row in (*room.ledger._ended, *late._ended)} == {"-1"}
    assert {row.ended_ms for row in late._ended} == {(FIRST + 6) * MINUTE_MS}


async def test_a_hole_in_the_candles_is_healed_or_unknown(store: Store) -> None:
    """While the window has the missing bars they count; when it lost them nobody can say."""
    room = Room(store)
    healed = await room.keep(rejected())
    await room.ledger.settle()
    room.market.close([bar(FIRST + 1)])
    room.close(rising(FIRST + 2, 104.0))  # the ledger never heard of the bar before
    await room.ledger.settle()
    assert (await room.end_of(healed)).end == "target"
    lost = await room.keep(rejected("s2"), told=False)
    room.ledger = room.new_ledger()
    room.market.windows.clear()
    room.market.close([bar(FIRST + 9)])
    await room.ledger._load()
    await room.ledger.settle()
    row = await room.end_of(lost)
    assert (row.end, row.pnl_usdt, row.risk_multiple) == ("unknown", None, None)


async def test_without_a_window_it_waits_but_not_for_ever(store: Store) -> None:
    """A symbol that is not watched: patience for its whole time, then unknown."""
    room = Room(store)
    trade = await room.keep(rejected())
    window = room.market.windows.pop(("BTCUSDT", "1m"))
    await room.ledger.settle()
    assert len(room.ledger) == 1
    room.market.windows["BTCUSDT", "1m"] = window
    await room.ledger.settle()
    room.clock.advance_to(NOW_MS + (BARS_MAX + 21) * MINUTE_MS)
    await room.ledger.settle()
    assert (await room.end_of(trade)).end == "unknown"


async def test_what_cannot_be_kept_now_is_kept_later(store: Store) -> None:
    """A full disk: the end waits and is written once there is room."""
    room = Room(store)
    trade = await room.keep(rejected())
    await room.ledger.settle()
    keep, fails = store.put_shadows, True

    async def full(rows: object) -> None:
        if fails:
            raise StorageFull("the disk is full")
        await keep(rows)  # type: ignore[arg-type]

    store.put_shadows = full  # type: ignore[method-assign]
    room.close(rising(FIRST + 1, 105.0))
    await room.ledger.settle()
    assert await store.shadow(trade.trade_id) is None
    fails = False
    await room.ledger.settle()
    assert (await room.end_of(trade)).end == "target"


async def test_only_what_ended_by_a_no_is_followed(store: Store) -> None:
    """A card before a person is none yet; a row that was not kept is left to the next start."""
    room = Room(store)
    bot = config(approval_mode=ApprovalMode.APPROVE, timeframe="1m")
    await room.keep(Case(desk(bot)).raise_signal().decide())
    assert len(room.ledger) == 0


async def test_the_report_says_who_was_right(store: Store) -> None:
    """Twenty rejected winners cost; a closed trade and shadows calibrate the model together."""
    room = Room(store)
    said = decision(advisor="gemini", model_version="m-1", confidence=70.0)
    for number in range(20):
        bot = config(approval_mode=ApprovalMode.APPROVE, timeframe="1m")
        given = signal("s1", timeframe="1m", bar_open_ms=FIRST * MINUTE_MS)
        case = Case(desk(bot)).raise_signal(given).decide(said).tap(CardVerb.REJECT)
        trade = replace(case.trade(), trade_id=f"t{number:02}")
        case.desk = replace(case.desk, trades={case.trade().trade_id: trade})
        await room.keep(case)
    await room.ledger.settle()
    room.close(rising(FIRST + 1, 105.0))
    await room.ledger.settle()
    report = await report_of(store, ACCOUNT, read_trade=Recorder.read_trade)
    assert report.followed == 0
    found = {score.judge: score for score in report.scores}
    assert found[Judge.PERSON].name == USER
    assert found[Judge.PERSON].finding is Finding.COST
    assert found[Judge.PERSON].mean_r == 2.0
    assert found[Judge.STRATEGY].signals == report.ended == 20
    [calibration] = report.calibrations
    assert (calibration.model, calibration.count) == ("gemini m-1", 20)
    assert calibration.brier == pytest.approx(0.09)  # (0.7 - 1)^2
    later = await report_of(
        store, ACCOUNT, read_trade=Recorder.read_trade, since_ms=(FIRST + 2) * MINUTE_MS
    )
    assert later.ended == 0
