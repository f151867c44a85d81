"""The weight budget: shares of a clock minute, pauses, bans; time is an argument."""

from bot.venue.wire import Priority
from bot.venue.wire_weight import USED_WEIGHT_HEADER, WeightBudget

MINUTE = 60_000
NOW = 100 * MINUTE + 10_000  # ten seconds into a clock minute
TRADE, READ, WARM = Priority.TRADING, Priority.READING, Priority.WARMING


def _wait(budget: WeightBudget, priority: Priority, weight: int = 1, now_ms: int = NOW) -> int:
    return budget.wait_ms(priority=priority, weight=weight, now_ms=now_ms)


def test_warming_stops_before_reading_before_trading() -> None:
    """Of 1000: warming up to 600, reading to 850, trading always."""
    budget = WeightBudget(limit=1_000)
    assert _wait(budget, WARM, 600) == 0
    assert _wait(budget, WARM) == 50_000  # to the end of the clock minute
    assert _wait(budget, READ, 250) == 0
    assert _wait(budget, READ) == 50_000
    assert _wait(budget, TRADE, 500) == 0


def test_questions_of_many_trades_in_doubt_leave_room_for_orders_and_the_accounts_reading() -> None:
    """Forty trades ask for 11,000 a minute: at 90 % they stop, the account is read up to 97 %."""
    budget = WeightBudget(limit=1_000)
    asked = sum(_wait(budget, Priority.ASKING, 5) == 0 for _ in range(2_200))
    assert asked * 5 == 900
    assert _wait(budget, Priority.ACCOUNT, 70) == 0
    assert _wait(budget, Priority.ACCOUNT) == 50_000
    assert _wait(budget, TRADE, 10) == 0


def test_after_429_questions_wait_too() -> None:
    """Asking on after a 429 earns the ban that would hold up stops and closes as well."""
    budget = WeightBudget()
    budget.pause(until_ms=NOW + 7_000, now_ms=NOW, banned=False)
    assert _wait(budget, Priority.ASKING) == _wait(budget, Priority.ACCOUNT) == 7_000


def test_the_window_is_the_clock_minute() -> None:
    """At :00 of the next minute everything is allowed again."""
    budget = WeightBudget(limit=100)
    assert _wait(budget, WARM, 60) == 0
    assert _wait(budget, WARM, 1, 101 * MINUTE - 1) == 1
    assert _wait(budget, WARM, 1, 101 * MINUTE) == 0


def test_the_exchanges_own_count_wins_when_higher() -> None:
    """Others may share our IP: their weight is in the header."""
    budget = WeightBudget(limit=1_000)
    budget.note_answer({USED_WEIGHT_HEADER: "870"}, now_ms=NOW)
    assert _wait(budget, READ) > 0
    budget.note_answer({USED_WEIGHT_HEADER: "3"}, now_ms=NOW)
    assert budget.used == 870
    budget.note_answer({USED_WEIGHT_HEADER: "nonsense"}, now_ms=NOW)
    assert budget.used == 870


def test_after_429_trading_goes_on_and_reading_waits() -> None:
    """A pause holds reads until it ends; protective orders are not held up."""
    budget = WeightBudget()
    budget.pause(until_ms=NOW + 7_000, now_ms=NOW, banned=False)
    assert _wait(budget, READ) == 7_000
    assert _wait(budget, TRADE) == 0
    assert _wait(budget, READ, 1, NOW + 7_000) == 0


def test_after_418_everything_waits() -> None:
    """Going on while banned makes the ban longer, so nobody does."""
    budget = WeightBudget()
    budget.pause(until_ms=NOW + 90_000, now_ms=NOW, banned=True)
    assert _wait(budget, TRADE) == _wait(budget, WARM) == 90_000


def test_a_pause_without_an_end_lasts_to_the_next_minute() -> None:
    """Neither Retry-After nor a ban's end was said."""
    budget = WeightBudget()
    budget.pause(until_ms=0, now_ms=NOW, banned=True)
    assert _wait(budget, TRADE) == 50_000


def test_a_request_heavier_than_its_share_goes_alone() -> None:
    """It waits for an unused minute instead of forever."""
    budget = WeightBudget(limit=10)
    assert _wait(budget, WARM, 40) == 0
    assert _wait(budget, WARM, 40) > 0


def test_room_is_told_without_booking_it() -> None:
    """Warming may use 1,440 of 2,400 a minute: what is beyond waits for as many minutes."""
    budget = WeightBudget()
    now_ms = 60_000 * 7 + 20_000
    rooms = [
        budget.room_ms(priority=Priority.WARMING, weight=weight, now_ms=now_ms)
        for weight in (1_440, 1_441, 3_600)
    ]
    assert rooms == [0, 40_000, 40_000 + 60_000]
    assert budget.used == 0
    assert budget.share(Priority.WARMING) == 1_440


def test_there_is_no_room_during_a_pause() -> None:
    """What the exchange ordered holds for whoever plans ahead, too."""
    budget = WeightBudget()
    budget.pause(until_ms=5_000, now_ms=1_000, banned=False)
    assert budget.room_ms(priority=Priority.READING, weight=1, now_ms=2_000) == 3_000
