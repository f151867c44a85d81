"""The desk: routes each word to its trade, keeps the day's books, reads the whole account."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.core import desk as desk_room
from bot.core.desk_state import DayCount
from bot.core.messages import (
    AskFailed,
    BotConfigured,
    BotSwitched,
    CardVerb,
    ContractChanged,
    EntriesHalted,
    EntriesResumed,
    Filled,
    Level,
    OrderReported,
    PanicPressed,
    PositionSeen,
    StreamLost,
    StreamRestored,
    TakeSnapshot,
    Tell,
    WalletSeen,
    Woke,
)
from bot.core.presets import ApprovalMode
from bot.core.trade import Outcome, Phase, Role, order_id_of
from bot.core.universe import Contract
from data.model import ExitReason, OrderStatus
from memory.recall import remember
from tests.core.build import (
    ACCOUNT,
    BOT,
    NOW_MS,
    SYMBOL,
    TIMING,
    USER,
    Case,
    config,
    desk,
    limit_config,
    report,
    signal,
)

DAY_MS = 86_400_000


def test_panic_gives_up_every_trade_at_once() -> None:
    """A card, a pending entry and an open position: given up, cancelled and closed in one step."""
    case = Case(desk(config(open_trades_max=5))).to_active()
    case.raise_signal(signal("s2", symbol="ETHUSDT"))
    case.feed(PanicPressed(by=USER))
    assert case.phase is Phase.CLOSING
    assert case.trade("s2").outcome is Outcome.BLOCKED
    assert case.told()[0] == "panic"
    case.raise_signal(signal("s3", symbol="XRPUSDT"))
    assert "panic" in case.trade("s3").note


def test_entries_come_back_when_a_person_resumes() -> None:
    """A halt is lifted by its own reason only."""
    case = Case().feed(EntriesHalted(reason="disk full")).feed(PanicPressed(by=USER))
    case.feed(EntriesResumed(reason="disk full"))
    assert case.desk.halts == ("panic",)
    case.feed(EntriesResumed(reason="panic", by=USER))
    assert case.desk.halts == ()


def test_a_repeated_halt_is_told_once() -> None:
    """The same reason again says nothing new."""
    case = Case().feed(EntriesHalted(reason="disk full")).feed(EntriesHalted(reason="disk full"))
    assert case.told() == []


def test_an_invalid_bot_never_reaches_the_desk() -> None:
    """It was validated before: otherwise it is a bug of ours, and nothing has changed."""
    case = Case()
    with pytest.raises(AssertionError, match="leverage is 500"):
        case.feed(BotConfigured(config=config(leverage=500), by=USER))
    assert case.desk.bots == {BOT: config()}


def test_bots_are_started_and_paused_by_name_or_all() -> None:
    """An unknown name changes nothing."""
    case = Case(desk(config(), config(bot_id="two")))
    case.feed(BotSwitched(bot_id="two", running=False, by=USER))
    assert case.desk.running == (BOT,)
    case.feed(BotSwitched(bot_id="", running=True, by=USER))
    assert case.desk.running == (BOT, "two")
    case.feed(BotSwitched(bot_id="nobody", running=True, by=USER))
    assert case.desk.running == (BOT, "two")


def test_a_result_is_booked_once_with_fees() -> None:
    """4.764 units from 100 to 104: 19.056 less fees of 0.2 and 0.3."""
    case = Case().to_pending()
    entry = case.latest(Role.ENTRY)
    case.fill(entry, fee=Decimal("0.2")).report(
        entry, OrderStatus.FILLED, filled_quantity=entry.quantity
    )
    case.see(entry.quantity).report(case.latest(Role.STOP)).report(case.latest(Role.TARGET))
    case.wait(10).see(0)
    target = case.latest(Role.TARGET)
    profit = entry.quantity * 4
    paid = {"fee": Decimal("0.3"), "price": Decimal(104), "realized_pnl_usdt": profit}
    case.fill(target, entry.quantity, **paid)
    case.report(target, OrderStatus.FILLED, filled_quantity=entry.quantity, conditional=False)
    case.report(case.latest(Role.STOP), OrderStatus.EXPIRED)
    (closed,) = case.desk.closed
    assert closed.pnl_usdt == Decimal("19.056") - Decimal("0.5")
    assert (closed.entry_price, closed.exit_price) == (Decimal(100), Decimal(104))
    assert closed.exit_reason is ExitReason.TAKE_PROFIT
    assert case.desk.day.realized_usdt == closed.pnl_usdt
    assert case.desk.day.entries == {BOT: 1}


def test_a_trade_booked_again_counts_once_in_the_day() -> None:
    """A late fill reopens a closed trade: its second result replaces the first."""
    case = Case(desk(limit_config())).to_pending()
    entry = case.latest(Role.ENTRY)
    case.report(entry).fill(entry, "1", realized_pnl_usdt=Decimal(0)).see(1)
    case.report(case.latest(Role.STOP)).report(case.latest(Role.TARGET))
    case.report(entry, OrderStatus.CANCELED, filled_quantity=Decimal(1))
    case.wait(10).see(0)
    case.fill(case.latest(Role.STOP), "1", realized_pnl_usdt=Decimal(-2))
    case.report(
        case.latest(Role.STOP), OrderStatus.FILLED, filled_quantity=Decimal(1), conditional=False
    )
    case.report(case.latest(Role.TARGET), OrderStatus.EXPIRED)
    assert case.phase is Phase.IDLE
    assert case.desk.day.realized_usdt == Decimal(-2)
    case.wait(1_000).fill(entry, "0.5")
    assert case.phase is Phase.CLOSING  # its stop has fired already: out at market
    case.see("0.5").wait(10).see(0)
    case.fill(case.latest(Role.CLOSE), "0.5", realized_pnl_usdt=Decimal(-1))
    for order in case.trade().orders:
        if not order.is_over:
            status = OrderStatus.FILLED if order.role is Role.CLOSE else OrderStatus.EXPIRED
            case.report(order, status, filled_quantity=order.filled)
    assert case.phase is Phase.IDLE
    assert [c.pnl_usdt for c in case.desk.closed] == [Decimal(-3)]
    assert case.desk.day.realized_usdt == Decimal(-3)
    assert case.desk.memory == remember(case.desk.closed)


def test_the_day_begins_anew_at_midnight_utc() -> None:
    """Counts of yesterday hold nobody back, to the millisecond."""
    midnight_ms = (NOW_MS // DAY_MS + 1) * DAY_MS
    case = Case()
    case.desk = replace(case.desk, day=DayCount(day=NOW_MS // DAY_MS, entries={BOT: 9}))
    case.now_ms = midnight_ms - 1
    assert case.feed(Woke()).desk.day.entries == {BOT: 9}
    case.now_ms = midnight_ms
    assert case.feed(Woke()).desk.day.entries == {}


def test_the_newest_word_on_the_wallet_is_believed() -> None:
    """An older word that comes later changes nothing; the peak is kept."""
    case = Case().feed(WalletSeen(wallet_usdt=Decimal(1200), seen_ms=NOW_MS))
    case.feed(WalletSeen(wallet_usdt=Decimal(900), seen_ms=NOW_MS - 1))
    assert case.desk.wallet_usdt == Decimal(1200)
    case.feed(WalletSeen(wallet_usdt=Decimal(1100), seen_ms=NOW_MS + 1))
    assert (case.desk.wallet_usdt, case.desk.wallet_peak_usdt) == (Decimal(1100), Decimal(1200))


def test_nothing_is_traded_before_the_exchange_was_read() -> None:
    """INITIALIZING until the first reading; then ready, and told so."""
    case = Case(desk(ready=False)).raise_signal()
    assert case.desk.phase_of(BOT) is Phase.INITIALIZING
    assert case.trade().outcome is Outcome.BLOCKED
    case.snapshot()
    assert case.desk.ready
    assert case.told() == ["ready"]
    assert case.desk.phase_of(BOT) is Phase.IDLE


def test_a_restored_stream_reads_the_whole_account() -> None:
    """What the stream would have said is not known: no entries until it is back, then read all."""
    case = Case().feed(StreamLost(reason="cut")).raise_signal()
    assert "user stream" in case.trade().note
    case.feed(StreamRestored())
    assert case.of(TakeSnapshot)
    assert case.desk.stream_ok


def test_a_reading_that_fails_is_taken_again() -> None:
    """After its own patience; also when nobody answers at all."""
    case = Case().feed(StreamRestored())
    case.feed(AskFailed(what="snapshot", symbol="", reason="timeout"))
    assert case.wait(TIMING.snapshot_again_ms).of(TakeSnapshot)
    assert case.wait(3 * TIMING.snapshot_again_ms).of(TakeSnapshot)


def test_the_account_is_read_more_often_while_something_is_open() -> None:
    """Once a minute with a position, every five minutes without."""
    case = Case().snapshot()
    assert case.desk.snapshot_at_ms == NOW_MS + 5 * TIMING.audit_every_ms
    case.to_active().snapshot(position=case.latest(Role.ENTRY).filled)
    assert case.desk.snapshot_at_ms == NOW_MS + TIMING.audit_every_ms


def test_a_word_of_an_order_of_ours_that_nobody_knows_reads_the_account() -> None:
    """A lost record: the whole account decides, soon but once."""
    case = Case()
    lost = order_id_of(ACCOUNT, BOT, "lostlostxx", Role.STOP, 0)
    case.feed(OrderReported(report=report(lost))).feed(OrderReported(report=report(lost)))
    assert case.desk.snapshot_at_ms == NOW_MS + TIMING.snapshot_again_ms // 2
    assert len(case.wait(TIMING.snapshot_again_ms // 2).of(TakeSnapshot)) == 1


def test_words_about_orders_of_others_change_nothing() -> None:
    """Somebody else's order, and a fill of a symbol that nobody here holds."""
    case = Case()
    before = case.desk
    case.feed(OrderReported(report=report("web_1")))
    case.feed(Filled(fill=case.make_fill(None, 1)))
    assert (case.desk.trades, case.said) == (before.trades, [])


def test_a_position_by_hand_is_foreign_until_it_is_flat() -> None:
    """Seen, it takes its symbol; flat, it gives it back."""
    case = Case()
    seen = PositionSeen(
        symbol=SYMBOL, quantity=Decimal(2), entry_price=Decimal(100), seen_ms=NOW_MS
    )
    case.feed(seen)
    assert set(case.desk.foreign) == {SYMBOL}
    case.feed(replace(seen, quantity=Decimal(0), seen_ms=NOW_MS + 1))
    assert case.desk.foreign == {}


def test_an_older_word_does_not_free_the_symbol_of_a_foreign_position() -> None:
    """A flat word from before it was opened comes late: the symbol stays taken."""
    case = Case()
    seen = PositionSeen(
        symbol=SYMBOL, quantity=Decimal(2), entry_price=Decimal(100), seen_ms=NOW_MS
    )
    case.feed(seen).feed(replace(seen, quantity=Decimal(0), seen_ms=NOW_MS - 1))
    assert set(case.desk.foreign) == {SYMBOL}


def test_a_reading_begun_before_a_foreign_position_was_told_does_not_forget_it() -> None:
    """It stays shown, and the account is read again soon: that reading could not know it."""
    case = Case()
    asked_ms = case.now_ms - 500
    case.see(2).snapshot(asked_ms=asked_ms)
    assert set(case.desk.foreign) == {SYMBOL}
    assert case.desk.snapshot_at_ms == case.now_ms + TIMING.snapshot_again_ms // 2


def test_a_foreign_position_is_looked_at_as_often_as_our_own() -> None:
    """It may go without a word; its symbol must not stay barred for five times as long."""
    case = Case()
    case.see(2).wait(TIMING.snapshot_again_ms)
    case.snapshot(position=2)
    assert case.desk.snapshot_at_ms is not None
    assert case.desk.snapshot_at_ms - case.now_ms <= TIMING.audit_every_ms


def test_a_step_leaves_the_desk_it_was_given_as_it_was() -> None:
    """Records are never changed in place, so a failed step has changed nothing."""
    case = Case().to_active()
    before, bots, trades = case.desk, dict(case.desk.bots), dict(case.desk.trades)
    case.ask_close().raise_signal(signal("s2", symbol="ETHUSDT")).feed(PanicPressed(by=USER))
    assert (before.bots, before.trades) == (bots, trades)


def test_ended_trades_are_kept_in_bounded_number() -> None:
    """Sixty at most; the oldest leave first, working ones never."""
    case = Case().to_active()
    for number in range(70):
        case.now_ms += 1
        case.raise_signal(signal(f"n{number}", symbol="ETHUSDT"))
    ended = [t for t in case.desk.trades.values() if t.phase is Phase.IDLE]
    assert len(ended) == 60
    assert case.phase is Phase.POSITION_ACTIVE
    assert min(t.opened_ms for t in ended) == case.now_ms - 59


def test_every_event_and_command_is_a_record_of_the_journal() -> None:
    """What the desk may hear is what it has a handler for, and the journal knows its name."""
    names = [record.__name__ for record in desk_room.RECORDS]
    assert len(names) == len(set(names))
    assert set(desk_room._HANDLERS) <= set(desk_room.RECORDS)


SETTLING = Contract(symbol=SYMBOL, status="SETTLING", tradable=False, delivery_ms=NOW_MS + DAY_MS)


def test_a_contract_that_is_delisted_takes_no_entries_and_a_card_for_it_is_refused() -> None:
    """A signal is blocked by that name, and an older card's tap as well; nothing is ordered."""
    case = Case(desk(config(approval_mode=ApprovalMode.APPROVE))).to_pending()
    case.feed(ContractChanged(contract=SETTLING))
    assert case.told()[-1] == "delisting"
    case.tap(CardVerb.APPROVE)
    assert case.trade().outcome is Outcome.BLOCKED
    assert "SETTLING" in case.trade().note
    case.raise_signal(signal("s2"))
    assert case.trade("s2").outcome is Outcome.BLOCKED
    case.feed(ContractChanged(contract=replace(SETTLING, status="TRADING", tradable=True)))
    assert case.told()[-1] == "traded_again"
    case.raise_signal(signal("s3"))
    assert case.trade("s3").outcome is None


def test_a_delisting_with_exposure_is_a_warning_with_its_delivery_date() -> None:
    """Without exposure it is only worth knowing; said once, however often it is told."""
    case = Case().to_active().feed(ContractChanged(contract=SETTLING))
    tell = case.of(Tell)[0]
    assert (tell.kind, tell.level) == ("delisting_held", Level.WARNING)
    assert dict(tell.fields)["delivery_ms"] == str(NOW_MS + DAY_MS)
    assert not case.feed(ContractChanged(contract=SETTLING)).said
    other = replace(SETTLING, symbol="XUSDT")
    case.feed(ContractChanged(contract=other))
    assert [(tell.kind, tell.level) for tell in case.of(Tell)] == [("delisting", Level.INFO)]


def test_a_new_listing_is_told_and_changes_nothing() -> None:
    """One notice at the lowest level."""
    case = Case()
    listed = Contract(symbol="NEWUSDT", status="TRADING", tradable=True)
    case.feed(ContractChanged(contract=listed, listed=True))
    assert case.told() == ["listed"]
    assert not case.desk.barred


def test_no_more_contracts_are_remembered_than_fit() -> None:
    """The newest two hundred; the oldest are forgotten."""
    case = Case()
    for number in range(desk_room.BARRED_MAX + 5):
        case.feed(ContractChanged(contract=replace(SETTLING, symbol=f"S{number}USDT")))
    assert len(case.desk.barred) == desk_room.BARRED_MAX
    assert "S0USDT" not in case.desk.barred
