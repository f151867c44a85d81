"""Hedge mode: a symbol's two positions are told apart, and only ours is touched."""

from dataclasses import replace
from decimal import Decimal

from bot.core.messages import FillsListed, InputRejected, Level, PositionSeen, SnapshotTaken, Tell
from bot.core.trade import Outcome, Phase, Role, order_id_of, trade_id_of
from data.model import Direction, Position
from tests.core.build import ACCOUNT, BOT, NOW_MS, PRICE, SYMBOL, Case, report


def held(side: Direction, quantity: str, symbol: str = SYMBOL) -> Position:
    """One side of a symbol."""
    return Position(
        symbol=symbol, quantity=Decimal(quantity), entry_price=PRICE, updated_ms=NOW_MS, side=side
    )


def read(case: Case, *positions: Position, **parts: object) -> Case:
    """The whole account is read."""
    snapshot = SnapshotTaken(
        asked_ms=case.now_ms,
        wallet_usdt=case.desk.wallet_usdt,
        positions=positions,
        open_orders=(),
        instruments=(case.listing,),
    )
    return case.feed(replace(snapshot, **parts))


def test_a_symbol_held_both_ways_is_foreign_and_the_account_goes_on() -> None:
    """Both sides are shown and told, entries beside them are refused, nothing is sent for them."""
    case = Case()
    read(case, held(Direction.LONG, "1"), held(Direction.SHORT, "-2"))
    assert [p.quantity for p in case.desk.foreign.values()] == [1, -2]
    assert case.told().count("foreign_position") == 2
    assert case.desk.ready
    case.raise_signal()
    assert case.trade().outcome is Outcome.BLOCKED
    assert not case.ever_placed(Role.ENTRY)
    assert not case.ever_placed(Role.CLOSE)


def test_the_other_side_of_our_symbol_is_foreign_and_ours_is_untouched() -> None:
    """A stranger's short beside our long: shown; our trade neither closes nor asks about it."""
    case = Case().to_active()
    quantity = case.trade().orders[0].quantity
    read(case, held(Direction.SHORT, "-2"), held(Direction.LONG, str(quantity)))
    assert case.phase is Phase.POSITION_ACTIVE
    assert case.trade().position_seen == quantity
    assert [p.side for p in case.desk.foreign.values()] == [Direction.SHORT]
    seen = PositionSeen(
        symbol=SYMBOL,
        quantity=Decimal(0),
        entry_price=PRICE,
        seen_ms=case.now_ms + 1,
        side=Direction.SHORT,
    )
    case.feed(seen)
    assert case.phase is Phase.POSITION_ACTIVE, "that was the stranger's"
    assert not case.desk.foreign
    assert case.trade().position_seen == quantity


def test_fills_of_the_other_side_are_not_booked() -> None:
    """By stream or by list: what moved the other side says nothing of our quantity."""
    case = Case().to_active()
    before = case.trade().fills
    theirs = case.make_fill(None, "2", position_side=Direction.SHORT)
    case.fill(None, "2", position_side=Direction.SHORT)
    case.feed(FillsListed(symbol=SYMBOL, since_ms=0, asked_ms=case.now_ms, fills=(theirs,)))
    assert case.trade().fills == before


def test_a_side_that_a_stop_alone_does_not_name_is_left_alone() -> None:
    """Journal lost, both sides held, one stop of ours and no fill: nobody knows which it guards."""
    case = Case()
    stop_id = order_id_of(ACCOUNT, BOT, trade_id_of(ACCOUNT, BOT, "s1"), Role.STOP, 0)
    stop = report(stop_id, conditional=True)
    read(case, held(Direction.SHORT, "-2"), held(Direction.LONG, "1"), open_orders=(stop,))
    assert not case.desk.trades
    assert len(case.desk.foreign) == 2


def test_a_side_whose_fills_are_ours_is_adopted_beside_a_strangers() -> None:
    """Fills say whose it is, also when the other side is held too."""
    case = Case()
    entry_id = order_id_of(ACCOUNT, BOT, trade_id_of(ACCOUNT, BOT, "s1"), Role.ENTRY, 0)
    fill = case.make_fill(None, "0.5", order_id=entry_id, side=Direction.LONG.entry_side)
    both = (held(Direction.SHORT, "-2"), held(Direction.LONG, "0.5"))
    read(case, *both, recent_fills=(fill,))
    assert case.trade().adopted
    assert case.trade().direction is Direction.LONG
    assert [p.side for p in case.desk.foreign.values()] == [Direction.SHORT]


def test_a_foreign_position_opened_while_we_run_is_told_once() -> None:
    """The stream takes its symbol at once; the reading that follows tells a person, once."""
    case = Case()
    case.see("2")
    case.wait(1_500)
    case.snapshot(position="2")
    told = case.told().count("foreign_position")
    case.snapshot(position="2")
    assert (told, case.told().count("foreign_position")) == (1, 0)


def test_what_cannot_be_is_an_alarm_and_nothing_else() -> None:
    """The owner hears where and why; no trade, no order, no limit changes."""
    case = Case().to_active()
    before = case.desk
    case.feed(InputRejected(where="user stream", reason="NaN", times=3))
    (told,) = case.of(Tell)
    assert (told.kind, told.level) == ("impossible_input", Level.ALARM)
    assert dict(told.fields) == {"what": "user stream", "reason": "NaN", "times": "3"}
    assert case.desk == before
