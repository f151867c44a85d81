"""The table: every (phase, input) pair is in it or raises; nothing wakes in the past."""

from dataclasses import replace
from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core import desk as desk_room
from bot.core import machine
from bot.core.messages import (
    AskFailed,
    CloseRequested,
    Filled,
    FillsListed,
    FundingListed,
    OrderMissing,
    OrderRefused,
    OrderReported,
    OrderUnknown,
    PanicPressed,
    PositionSeen,
    PriceReached,
    StopMoveRequested,
    Woke,
)
from bot.core.presets import ApprovalMode
from bot.core.rulings import Drop, Proceed, Sweep
from bot.core.trade import Outcome, Phase, Role, Trade
from data.model import ExitReason, OrderKind, OrderStatus
from tests.core.build import NOW_MS, SYMBOL, TIMING, Case, config, desk, report

PHASES = [phase for phase in Phase if phase is not Phase.INITIALIZING]
INPUTS = get_args(machine.Input)


def case_in(phase: Phase) -> Case:
    """A case whose first trade is in that phase, come to by an ordinary road."""
    asks = config(approval_mode=ApprovalMode.APPROVE)
    case = Case(desk(asks if phase is Phase.AWAITING_APPROVAL else config()))
    match phase:
        case Phase.EVALUATING:
            case.raise_signal()
        case Phase.AWAITING_APPROVAL | Phase.ORDER_PENDING:
            case.to_pending()
        case Phase.POSITION_UNPROTECTED:
            case.to_bare()
        case Phase.POSITION_ACTIVE:
            case.to_active()
        case Phase.CLOSING:
            case.to_active().ask_close()
        case Phase.HALTED:
            case.to_active()
            held = case.latest(Role.ENTRY).filled
            case.see(-held).fill(None, held * 2)
        case _:
            case.to_active().exit_by(Role.TARGET)
    assert case.phase is phase
    return case


def sample(kind: type, case: Case) -> Any:
    """One plausible input of that kind."""
    trade = case.trade()
    order = trade.orders[0].order_id if trade.orders else "none"
    plan = trade.plan or case_in(Phase.ORDER_PENDING).trade().plan
    assert plan is not None
    return {
        Proceed: Proceed(plan=plan, checks=()),
        Drop: Drop(outcome=Outcome.REJECTED, note="no"),
        Sweep: Sweep(asked_ms=case.now_ms, absent=(order,)),
        Woke: Woke(),
        CloseRequested: CloseRequested(trade_id=trade.trade_id, reason=ExitReason.MANUAL, by="u"),
        OrderReported: OrderReported(report=report(order)),
        OrderRefused: OrderRefused(order_id=order, code=-2010, text="no"),
        OrderUnknown: OrderUnknown(order_id=order, reason="timeout"),
        OrderMissing: OrderMissing(order_id=order, asked_ms=case.now_ms),
        Filled: Filled(fill=case.make_fill(None, "0.001")),
        FillsListed: FillsListed(symbol=SYMBOL, since_ms=0, asked_ms=case.now_ms, fills=()),
        FundingListed: FundingListed(symbol=SYMBOL, since_ms=0, asked_ms=0, funding=()),
        PositionSeen: PositionSeen(
            symbol=SYMBOL, quantity=Decimal(0), entry_price=Decimal(0), seen_ms=case.now_ms
        ),
        AskFailed: AskFailed(what="fills", symbol=SYMBOL, reason="timeout"),
        PriceReached: PriceReached(
            trade_id=trade.trade_id, mark_price=Decimal(101), mark_ms=case.now_ms
        ),
        StopMoveRequested: StopMoveRequested(trade_id=trade.trade_id, level=Decimal(99), by="u"),
    }[kind]


def test_the_table_knows_every_phase_of_a_trade() -> None:
    """INITIALIZING is the desk's alone."""
    assert set(machine.TABLE) == set(PHASES)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("kind", INPUTS, ids=lambda k: k.__name__)
def test_every_pair_is_in_the_table_or_raises(phase: Phase, kind: type) -> None:
    """A pair in the table leads where it says; any other raises IllegalInput."""
    case = case_in(phase)
    given_input, trade = sample(kind, case), case.trade()
    row = machine.TABLE[phase].get(kind)
    if row is None:
        with pytest.raises(machine.IllegalInput):
            machine.advance(trade, given_input, case.now_ms, TIMING)
        assert case.trade() == trade
    else:
        done = machine.advance(trade, given_input, case.now_ms, TIMING)
        assert done.trade.phase in row.leads_to


@pytest.mark.parametrize("phase", [p for p in PHASES if p not in (Phase.IDLE, Phase.HALTED)])
def test_panic_is_obeyed_in_every_phase(phase: Phase) -> None:
    """Everything working is given up, cancelled or closed, and never opened again."""
    case = case_in(phase).feed(PanicPressed(by="u"))
    case.wait(200_000)
    assert len(case.ever_placed(Role.ENTRY)) <= 1
    assert case.trade().exit_reason is not None
    if phase in (Phase.EVALUATING, Phase.AWAITING_APPROVAL):
        assert case.phase is Phase.IDLE
    elif phase in (Phase.POSITION_UNPROTECTED, Phase.POSITION_ACTIVE, Phase.CLOSING):
        assert case.ever_placed(Role.CLOSE)


def test_illegal_input_changes_nothing() -> None:
    """A breach of invariant 1 raises before anything is kept."""
    case = case_in(Phase.ORDER_PENDING)
    before = case.desk
    entry = case.latest(Role.ENTRY)
    with pytest.raises(machine.IllegalInput, match="invariant 1"):
        case.report(entry, OrderStatus.FILLED, filled_quantity=entry.quantity * 2)
    assert case.desk == before


def test_an_idle_trade_with_an_open_order_is_a_breach() -> None:
    """Invariant 4 is asserted on the record itself."""
    case = case_in(Phase.POSITION_ACTIVE)
    left: Trade = replace(case.trade(), phase=Phase.IDLE)
    with pytest.raises(machine.IllegalInput, match="invariant 4"):
        machine.faults_of(left)


def test_the_same_events_give_the_same_commands() -> None:
    """Invariant 8 in small: a step is a function."""
    one, two = case_in(Phase.CLOSING), case_in(Phase.CLOSING)
    assert one.all_said == two.all_said
    assert one.desk == two.desk


VERBS = st.sampled_from(
    (
        "wait", "wait long", "report", "filled", "partial", "canceled", "expired", "triggered",
        "unknown", "refuse", "refuse doubled", "refuse no position", "refuse cancel", "missing",
        "see held", "see flat", "see turned", "see stale", "foreign sell", "foreign buy",
        "list", "fail", "snapshot", "close", "panic",
    )
)  # fmt: skip


def happen(case: Case, verb: str, pick: int) -> None:
    """One thing the world may do, sensible or not; what it says of an order is about `pick`."""
    trade = case.trade()
    orders = trade.orders
    order = orders[pick % len(orders)] if orders else None
    whole = orders[0].quantity if orders else Decimal(1)
    if order is not None and verb in ORDER_VERBS:
        size = order.quantity or orders[0].filled
        statuses = {
            "report": (OrderStatus.NEW, Decimal(0)),
            "filled": (OrderStatus.FILLED, size),
            "canceled": (OrderStatus.CANCELED, Decimal(0)),
            "expired": (OrderStatus.EXPIRED, Decimal(0)),
            "triggered": (OrderStatus.TRIGGERED, Decimal(0)),
        }
        codes = {"refuse": -2010, "refuse doubled": -4130, "refuse no position": -4509}
        if verb in statuses:
            status, filled = statuses[verb]
            case.report(order, status, filled_quantity=filled, venue_order_id=1000 + pick)
        elif verb in codes:
            case.refuse(order, codes[verb])
        elif verb == "refuse cancel":
            case.refuse(order, -2011, "cancel")
        elif verb == "partial" and order.filled == 0:
            case.fill(order, min(size, Decimal("0.5")) or Decimal("0.5"), fill_id=pick + 1)
        elif verb == "unknown":
            case.unknown(order)
        elif verb == "missing":
            case.missing(order)
        return
    {
        "wait": lambda: case.wait(700 + pick),
        "wait long": lambda: case.wait(9_000),
        "see held": lambda: case.see(whole),
        "see flat": lambda: case.see(0),
        "see turned": lambda: case.see(-whole),
        "see stale": lambda: case.see(0),
        "foreign sell": lambda: case.fill(None, whole),
        "foreign buy": lambda: case.fill(None, whole, side=orders[0].side if orders else "buy"),
        "list": lambda: case.list_fills(),
        "fail": lambda: case.fail_ask(),
        "snapshot": lambda: case.snapshot(position=whole if pick % 2 else 0),
        "close": lambda: case.ask_close(),
        "panic": lambda: case.feed(PanicPressed(by="u")),
    }.get(verb, lambda: None)()


ORDER_VERBS = frozenset(
    (
        "report", "filled", "partial", "canceled", "expired", "triggered", "unknown", "refuse",
        "refuse doubled", "refuse no position", "refuse cancel", "missing",
    )
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    kind=st.sampled_from((OrderKind.MARKET, OrderKind.LIMIT)),
    story=st.lists(st.tuples(VERBS, st.integers(0, 7)), max_size=30),
)
def test_no_story_wakes_in_the_past_or_leaves_the_table(
    kind: OrderKind, story: list[tuple[str, int]]
) -> None:
    """Whatever the world says, sensible or not: no illegal step, and Woke always moves time on.

    `Case.wait` asserts after each wake that the next is later.
    """
    bot = config(entry_kind=kind, position_timeout_ms=20_000, review_every_ms=5_000)
    case = Case(desk(bot)).to_pending()
    for verb, pick in story:
        happen(case, verb, pick)
    case.wait(60_000)
    due_ms = desk_room.wake_ms(case.desk)
    assert due_ms is None or due_ms > case.now_ms
    assert case.now_ms > NOW_MS
