"""Facts are folds: safe to repeat, never forgetful, and each fill is one fill."""

from decimal import Decimal

from bot.core.life import facts
from bot.core.trade import OrderState, Phase, Role
from data.model import ExitReason, OrderStatus
from tests.core.build import Case, number_of, order_state


def test_a_fill_told_twice_is_one_fill() -> None:
    """The same fill number counts once, from stream and listing alike."""
    case = Case().to_pending()
    entry = case.latest(Role.ENTRY)
    fill = case.make_fill(entry, "0.5")
    case.fill(entry, "0.5", fill_id=fill.fill_id).fill(entry, "0.5", fill_id=fill.fill_id)
    case.list_fills(fill)
    assert facts.booked(case.trade()) == Decimal("0.5")
    assert len(case.trade().fills) == 1


def test_a_fill_booked_as_foreign_becomes_ours_when_its_owner_is_learnt() -> None:
    """A close order thought absent was filled: its late report must not count the fill twice."""
    case = Case().to_active().ask_close()
    close = case.latest(Role.CLOSE)
    case.unknown(close).wait(7_000).missing(close)
    assert order_state(case, close) is OrderState.ABSENT
    for role in (Role.STOP, Role.TARGET):
        case.report(case.latest(role), OrderStatus.EXPIRED)
    case.wait(600).refuse(case.latest(Role.CLOSE), -2022)
    fill = case.make_fill(close, close.quantity)
    case.list_fills(fill)  # its number is known to nobody: booked as foreign
    assert facts.booked(case.trade()) == 0
    case.report(
        close,
        OrderStatus.FILLED,
        filled_quantity=close.quantity,
        venue_order_id=number_of(close),
    )
    case.list_fills(fill).see(0)
    assert facts.booked(case.trade()) == 0
    assert [f.order_id for f in case.trade().fills][-1] == close.order_id
    assert case.phase is Phase.IDLE


def test_a_terminal_order_stays_terminal() -> None:
    """A NEW frame that comes after CANCELED changes nothing (measured: 600 ms late)."""
    case = Case().to_active()
    target = case.latest(Role.TARGET)
    case.report(target, OrderStatus.CANCELED)
    case.report(target, OrderStatus.NEW)
    assert order_state(case, target) is OrderState.CANCELED


def test_a_word_from_before_the_trigger_does_not_untrigger() -> None:
    """TRIGGERED, then a late NEW: it stays triggered."""
    case = Case().to_active()
    stop = case.latest(Role.STOP)
    case.report(stop, OrderStatus.TRIGGERED).report(stop, OrderStatus.NEW)
    assert order_state(case, stop) is OrderState.TRIGGERED


def test_filled_quantities_only_grow() -> None:
    """An old report with less filled does not take a fill back."""
    case = Case().to_pending()
    entry = case.latest(Role.ENTRY)
    case.report(entry, OrderStatus.PARTIALLY_FILLED, filled_quantity=Decimal("0.7"))
    case.report(entry, OrderStatus.PARTIALLY_FILLED, filled_quantity=Decimal("0.2"))
    assert case.latest(Role.ENTRY).filled == Decimal("0.7")


def test_expired_does_not_mean_unfilled() -> None:
    """A market order's remainder expires: what was filled is held and protected."""
    case = Case().to_pending()
    entry = case.latest(Role.ENTRY)
    case.report(entry, OrderStatus.EXPIRED, filled_quantity=Decimal("0.3"))
    assert case.phase is Phase.POSITION_UNPROTECTED
    assert case.placed(Role.STOP)


def test_an_older_view_of_the_position_does_not_undo_a_newer_one() -> None:
    """Position words are ordered by their own moment, not by their arrival."""
    case = Case().to_active()
    held = case.latest(Role.ENTRY).filled
    case.now_ms -= 1_000
    case.see(0)
    case.now_ms += 1_000
    assert case.trade().position_seen == held


def test_a_view_from_before_a_fill_says_nothing_about_it() -> None:
    """A position read before the last fill is not believed: nothing is known until the next."""
    case = Case().to_pending()
    case.see(0).wait(100)
    case.fill(case.latest(Role.ENTRY))
    assert facts.seen(case.trade()) is None
    assert facts.held(case.trade()) == case.latest(Role.ENTRY).quantity


def test_a_repeated_report_changes_nothing() -> None:
    """Feeding the same word again leaves the record as it is."""
    case = Case().to_active()
    before = case.trade()
    case.report(case.latest(Role.STOP)).report(case.latest(Role.TARGET))
    assert case.trade() == before
    assert not case.said


def test_a_stop_that_is_nowhere_to_be_found_is_placed_again() -> None:
    """Neither the whole account nor repeated queries know our stop: it is not believed in."""
    case = Case().to_active()
    stop, held = case.latest(Role.STOP), case.latest(Role.ENTRY).filled
    case.wait(30_000).snapshot(position=held)
    for _ in range(3):
        case.wait(8_000).missing(stop)
    assert order_state(case, stop) is OrderState.ABSENT
    assert case.latest(Role.STOP).attempt == 1


def test_a_strangers_fill_is_booked_though_our_stop_waits_without_a_number() -> None:
    """Its word was lost: listed thrice while the stop still waits, it is not the stop's (3)."""
    case = Case().to_active()
    held = case.latest(Role.ENTRY).quantity
    sold = case.make_fill(None, held / 2)
    case.wait(100).see(held / 2)
    books = []
    for _ in range(4):
        case.wait(2_000).list_fills(sold)
        books.append(facts.booked(case.trade()))
    assert books == [held, held, held, held / 2]
    assert case.phase is Phase.POSITION_ACTIVE
    assert facts.held(case.trade()) == held / 2


def test_a_fill_of_a_stop_that_fired_unheard_is_not_a_strangers_at_once() -> None:
    """The listing comes before the word that the stop fired: its number then names the owner."""
    case = Case().to_active()
    stop, held = case.latest(Role.STOP), case.latest(Role.ENTRY).quantity
    sold = case.make_fill(stop, held)
    case.wait(100).list_fills(sold)
    case.finish(stop, held)
    assert [f.order_id for f in case.trade().fills][-1] == stop.order_id
    assert case.trade().exit_reason is not ExitReason.EXTERNAL
