"""One account's desk at work: folds an event into its record and routes it to the trade machines.

Must not know: the clock, the network, chat. `step` is the only way a Desk changes. Signals,
decisions and taps are ruled upon in `bot.core.ruling.entries`; the whole account is compared in
`bot.core.reconcile`; here is the switchboard.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final, get_args

from bot.core import machine, reconcile
from bot.core.desk_draft import DeskDraft, DeskStep
from bot.core.desk_state import DayCount, Desk
from bot.core.directions import AnalysisDue, BotRemoved, DirectivesReverted, DirectivesTold
from bot.core.messages import (
    AskFailed,
    BotConfigured,
    BotSwitched,
    CardAnswered,
    CloseRequested,
    Command,
    ContractChanged,
    DecisionArrived,
    EntriesHalted,
    EntriesResumed,
    Event,
    Filled,
    FillsListed,
    FundingListed,
    InputRejected,
    Level,
    OrderMissing,
    OrderRefused,
    OrderReported,
    OrderUnknown,
    PanicPressed,
    PositionSeen,
    PriceReached,
    SignalRaised,
    SnapshotTaken,
    StopMoveRequested,
    StreamLost,
    StreamRestored,
    TakeSnapshot,
    WalletSeen,
    Woke,
)
from bot.core.presets import faults_of
from bot.core.ruling import analysing, answering, directing, entries, hearing
from bot.core.sides import is_about, is_foreign, key_of
from bot.core.timing import Timing
from bot.core.trade import HOLDING, WORKING, Phase, Trade, read_order_id
from data.model import ExitReason, Position
from data.money import ZERO

__all__ = ["DayCount", "Desk", "DeskStep", "step", "wake_ms"]

PANIC: Final = "panic"
BARRED_MAX: Final = 200  # contracts kept as not traded; the oldest are forgotten
FIRST_READING_PART: Final = 3  # of the pause between readings: how long the stream may take to open
UNCLEAR_DOUBLINGS_MAX: Final = 6  # of the pause after a reading that told too little


def wake_ms(desk: Desk) -> int | None:
    """The earliest moment at which `Woke` must be delivered; None when nothing waits."""
    ended = Phase.IDLE  # Most of them, and they wait for nothing.
    moments = [_due_ms(desk, t) for t in desk.trades.values() if t.phase is not ended]
    moments.append(desk.snapshot_at_ms)
    return min((m for m in moments if m is not None), default=None)


def _due_ms(desk: Desk, trade: Trade) -> int | None:
    # Deadlines that ran out while nobody was here say nothing of the exchange: it is read first.
    unread = not desk.ready and trade.phase in HOLDING
    return None if unread else machine.wake_ms(trade)


def reopened(desk: Desk, timing: Timing, now_ms: int) -> Desk:
    """The desk as a new life begins with it: the exchange is read before anything is believed.

    By the user stream's word that it is open or, when that is late, after a moment without it.
    """
    read_at_ms = now_ms + timing.snapshot_again_ms // FIRST_READING_PART
    return replace(desk, timing=timing, ready=False, stream_ok=False, snapshot_at_ms=read_at_ms)


def step(desk: Desk, event: Event, now_ms: int) -> DeskStep:
    """Fold one event into the desk; commands are wishes for the shell to carry out.

    Raises AssertionError (IllegalInput among them) on a bug of ours; the desk given is unchanged.
    """
    draft = DeskDraft(desk, now_ms)
    _HANDLERS[type(event)](draft, event)
    return draft.done()


# ------------------------------------------------------------------ people and the clock


def _woke(draft: DeskDraft, event: Woke) -> None:
    del event
    for trade_id, trade in draft.desk.trades.items():
        due_ms = _due_ms(draft.desk, trade)
        if due_ms is not None and due_ms <= draft.now_ms:
            draft.advance(trade_id, Woke())
    due_ms = draft.desk.snapshot_at_ms
    if due_ms is not None and due_ms <= draft.now_ms:
        _take_snapshot(draft)


def _configured(draft: DeskDraft, event: BotConfigured) -> None:
    faults = faults_of(event.config)
    assert not faults, f"an invalid bot reached the desk: {faults}"
    draft.set(bots={**draft.desk.bots, event.config.bot_id: event.config})


def _switched(draft: DeskDraft, event: BotSwitched) -> None:
    names = [event.bot_id] if event.bot_id else list(draft.desk.bots)
    known = {name for name in names if name in draft.desk.bots}
    running = set(draft.desk.running)
    running = running | known if event.running else running - known
    draft.set(running=tuple(sorted(running)))
    if event.running:
        hearing.resume(draft, known)
    kind = "resumed" if event.running else "paused"
    draft.tell(kind, by=event.by, bots=", ".join(sorted(known)))


def _removed(draft: DeskDraft, event: BotRemoved) -> None:
    desk, gone = draft.desk, event.bot_id
    if gone not in desk.bots:
        return
    draft.set(running=tuple(name for name in desk.running if name != gone))
    if any(trade.bot_id == gone for trade in desk.working()):
        reason = "a trade of it is at work; it is paused"
        draft.tell("bot_kept", Level.WARNING, bot=gone, reason=reason, by=event.by)
        return
    draft.set(
        bots={name: config for name, config in desk.bots.items() if name != gone},
        directives={name: told for name, told in desk.directives.items() if name != gone},
    )
    draft.tell("bot_removed", bot=gone, by=event.by)


def _panic(draft: DeskDraft, event: PanicPressed) -> None:
    _halt(draft, PANIC)
    draft.tell("panic", Level.ALARM, by=event.by)
    for trade_id, trade in draft.desk.trades.items():
        if trade.phase in WORKING:
            asked = CloseRequested(trade_id=trade_id, reason=ExitReason.MANUAL, by=event.by)
            draft.advance(trade_id, asked)


def _halted(draft: DeskDraft, event: EntriesHalted) -> None:
    if event.reason not in draft.desk.halts:
        _halt(draft, event.reason)
        draft.tell("halted", Level.ALARM, reason=event.reason)


def _resumed(draft: DeskDraft, event: EntriesResumed) -> None:
    if event.reason in draft.desk.halts:
        draft.set(halts=tuple(h for h in draft.desk.halts if h != event.reason))
        draft.tell("resumed", reason=event.reason, by=event.by)


def _halt(draft: DeskDraft, reason: str) -> None:
    if reason not in draft.desk.halts:
        draft.set(halts=(*draft.desk.halts, reason))


def _close_requested(draft: DeskDraft, event: CloseRequested) -> None:
    if event.trade_id in draft.desk.trades:
        draft.advance(event.trade_id, event)


def _stop_move(draft: DeskDraft, event: PriceReached | StopMoveRequested) -> None:
    trade = draft.desk.trades.get(event.trade_id)
    if trade is not None and trade.phase is Phase.POSITION_ACTIVE:
        draft.advance(event.trade_id, event)
    elif isinstance(event, StopMoveRequested):
        reason = "the position is not open and protected"
        draft.tell("stop_not_moved", Level.WARNING, trade_id=event.trade_id, reason=reason)


# ------------------------------------------------------------------------ the exchange

OrderEvent = OrderReported | OrderRefused | OrderUnknown | OrderMissing


def _order_event(draft: DeskDraft, event: OrderEvent) -> None:
    order_id = event.report.order_id if isinstance(event, OrderReported) else event.order_id
    trade_id = draft.owner_of(order_id)
    if trade_id is not None:
        draft.advance(trade_id, event)
    elif isinstance(event, OrderReported) and _is_ours(draft, order_id):
        # An order of ours that no record knows: the whole account decides what to do with it.
        _snapshot_soon(draft)


def _filled(draft: DeskDraft, event: Filled) -> None:
    fill = event.fill
    trade_id = draft.owner_of(fill.order_id) or draft.holder_of(fill.symbol)
    if trade_id is not None:
        if is_about(draft.desk.trades[trade_id], fill.position_side):
            draft.advance(trade_id, event)
    elif _is_ours(draft, event.fill.order_id):
        _snapshot_soon(draft)


def _by_symbol(draft: DeskDraft, event: FillsListed | FundingListed) -> None:
    trade_id = draft.holder_of(event.symbol)
    if trade_id is None:
        return
    if isinstance(event, FillsListed):
        trade = draft.desk.trades[trade_id]
        own = tuple(fill for fill in event.fills if is_about(trade, fill.position_side))
        event = replace(event, fills=own)
    draft.advance(trade_id, event)


def _position_seen(draft: DeskDraft, event: PositionSeen) -> None:
    trade_id = draft.holder_of(event.symbol)
    if trade_id is not None and is_about(draft.desk.trades[trade_id], event.side):
        draft.advance(trade_id, event)
        return
    foreign, key = dict(draft.desk.foreign), key_of(event.symbol, event.side)
    known = foreign.get(key)
    if known is not None and known.updated_ms > event.seen_ms:
        return  # A late word: what we know is younger.
    if event.quantity == ZERO:
        foreign.pop(key, None)
    else:
        foreign[key] = Position(
            symbol=event.symbol,
            quantity=event.quantity,
            entry_price=event.entry_price,
            updated_ms=event.seen_ms,
            side=event.side,
        )
        _snapshot_soon(draft)  # It may be ours after all.
    draft.set(foreign=foreign)


def _wallet_seen(draft: DeskDraft, event: WalletSeen) -> None:
    draft.see_wallet(event.wallet_usdt, event.seen_ms)


def _ask_failed(draft: DeskDraft, event: AskFailed) -> None:
    if event.what == "snapshot":
        draft.set(snapshot_at_ms=draft.now_ms + draft.desk.timing.snapshot_again_ms)
        return
    trade_id = draft.holder_of(event.symbol)
    if trade_id is not None:
        draft.advance(trade_id, event)


def _snapshot_taken(draft: DeskDraft, event: SnapshotTaken) -> None:
    clear = reconcile.apply(draft, event)
    timing = draft.desk.timing
    busy = any(t.phase in HOLDING for t in draft.desk.trades.values())
    # A position that is not ours may be ours after all, or go without a word: it is looked at too.
    busy = busy or bool(draft.desk.foreign)
    unclear = 0 if clear else draft.desk.snapshots_unclear + 1
    wait_ms = timing.audit_every_ms * (1 if busy else 5)
    if unclear:
        again_ms = timing.snapshot_again_ms * 2 ** min(unclear - 1, UNCLEAR_DOUBLINGS_MAX)
        wait_ms = min(again_ms, timing.audit_every_ms)
    if draft.desk.snapshot_wanted_ms > event.asked_ms:
        wait_ms = min(wait_ms, timing.snapshot_again_ms // 2)  # It was asked for since.
    draft.set(snapshot_at_ms=draft.now_ms + wait_ms, snapshots_unclear=unclear)
    if not draft.desk.ready:
        draft.set(ready=True)
        draft.tell("ready", wallet=format(event.wallet_usdt, "f"))


def _input_rejected(draft: DeskDraft, event: InputRejected) -> None:
    draft.tell(
        "impossible_input",
        Level.ALARM,
        what=event.where,
        reason=event.reason,
        times=str(event.times),
    )


def _stream_lost(draft: DeskDraft, event: StreamLost) -> None:
    if draft.desk.stream_ok:
        draft.set(stream_ok=False)
        draft.tell("stream_lost", Level.WARNING, reason=event.reason)


def _stream_restored(draft: DeskDraft, event: StreamRestored) -> None:
    del event
    if not draft.desk.stream_ok:
        draft.set(stream_ok=True)
        if draft.desk.ready:  # At a start it opens: nothing came back.
            draft.tell("stream_restored")
    _take_snapshot(draft)


def _contract_changed(draft: DeskDraft, event: ContractChanged) -> None:
    contract = event.contract
    barred = dict(draft.desk.barred)
    known = barred.pop(contract.symbol, None)
    if known == contract:
        return
    if not contract.tradable:
        barred[contract.symbol] = contract
    draft.set(barred=dict(list(barred.items())[-BARRED_MAX:]))
    held = draft.holder_of(contract.symbol) or ""
    exposed = bool(held) or is_foreign(draft.desk.foreign, contract.symbol)
    if contract.tradable:
        kind = "listed" if event.listed else "traded_again"
        draft.tell(kind, symbol=contract.symbol)
        return
    draft.tell(
        "delisting_held" if exposed else "delisting",
        Level.WARNING if exposed else Level.INFO,
        trade_id=held,
        symbol=contract.symbol,
        status=contract.status,
        delivery_ms=str(contract.delivery_ms or ""),
    )


def _snapshot_soon(draft: DeskDraft) -> None:
    # Not at once: a burst needs only one. A reading that began before does not answer it.
    soon_ms = draft.now_ms + draft.desk.timing.snapshot_again_ms // 2
    due_ms = draft.desk.snapshot_at_ms
    draft.set(
        snapshot_at_ms=soon_ms if due_ms is None else min(due_ms, soon_ms),
        snapshot_wanted_ms=draft.now_ms,
    )


def _take_snapshot(draft: DeskDraft) -> None:
    now_ms = draft.now_ms
    draft.set(
        snapshot_sent_ms=now_ms, snapshot_at_ms=now_ms + 3 * draft.desk.timing.snapshot_again_ms
    )
    draft.say(TakeSnapshot())


def _is_ours(draft: DeskDraft, order_id: str) -> bool:
    return read_order_id(draft.desk.account_id, order_id) is not None


_HANDLERS: Final[dict[type, Callable[[DeskDraft, Any], None]]] = {
    Woke: _woke,
    BotConfigured: _configured,
    BotSwitched: _switched,
    BotRemoved: _removed,
    DirectivesTold: directing.told,
    DirectivesReverted: directing.reverted,
    PanicPressed: _panic,
    EntriesHalted: _halted,
    EntriesResumed: _resumed,
    CloseRequested: _close_requested,
    PriceReached: _stop_move,
    StopMoveRequested: _stop_move,
    CardAnswered: answering.card_answered,
    SignalRaised: entries.signal_raised,
    AnalysisDue: analysing.analysis_due,
    DecisionArrived: entries.decision_arrived,
    OrderReported: _order_event,
    OrderRefused: _order_event,
    OrderUnknown: _order_event,
    OrderMissing: _order_event,
    Filled: _filled,
    FillsListed: _by_symbol,
    FundingListed: _by_symbol,
    PositionSeen: _position_seen,
    WalletSeen: _wallet_seen,
    AskFailed: _ask_failed,
    SnapshotTaken: _snapshot_taken,
    InputRejected: _input_rejected,
    StreamLost: _stream_lost,
    StreamRestored: _stream_restored,
    ContractChanged: _contract_changed,
}


RECORDS: Final[tuple[type, ...]] = (*get_args(Event), *get_args(Command))  # what a journal holds
