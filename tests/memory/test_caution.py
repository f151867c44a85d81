"""Caution takes confidence away after bad results, at the edges the product sheet names."""

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from memory.caution import Caution, caution_of


@dataclass(frozen=True)
class Past:
    """What caution reads of a closed trade."""

    closed_ms: int
    pnl_usdt: Decimal
    exit_reason: str = "timeout"
    symbol: str = "BTCUSDT"
    model: str = "gemini"
    equity_usdt: Decimal = Decimal(1000)


def past(pnls: str, exit_reason: str = "timeout") -> list[Past]:
    """Trades oldest first: + a win, - a loss, 0 neither."""
    worth = {"+": Decimal(1), "-": Decimal(-1), "0": Decimal(0)}
    return [Past(n, worth[mark], exit_reason) for n, mark in enumerate(pnls)]


def test_four_trades_say_too_little() -> None:
    """From five trades on results count."""
    assert caution_of(past("----")) == Caution()
    assert caution_of(past("-----")) != Caution()


def test_a_win_rate_under_forty_demands_more_than_eighty_five() -> None:
    """Exactly 40 % does not; exactly 85 is not more than 85."""
    assert caution_of(past("+-+--+-+--")).demanded_above is None, "4 of 10"
    assert caution_of(past("+-+--+--+-+"[:9])).demanded_above is None, "4 of 9"
    low = caution_of(past("+-+--+-+---"))
    assert low.demanded_above == 85, "4 of 11"
    assert low.reasons[0] == "under 40 % of the last 11 trades won"
    assert not Caution(demanded_above=85.0).lets(85.0, 60)
    assert Caution(demanded_above=85.0).lets(85.1, 60)


def test_the_demand_is_on_what_the_model_said() -> None:
    """With 15 off, 86 becomes 71: enough for a least confidence of 60, because 86 was said."""
    caution = caution_of(past("+----+---"))
    assert caution.demanded_above == 85
    assert caution.points_off == 15
    assert not caution.lets(85, 60)
    assert caution.lets(86, 60)
    assert not caution.lets(86, 72)


def test_a_streak_takes_fifteen_to_twenty_points() -> None:
    """Two losses take nothing; a win ends the streak; a zero neither lengthens nor breaks it."""
    assert caution_of(past("++++--")).points_off == 0
    assert caution_of(past("++++---")).points_off == 15
    assert caution_of(past("++++----")).points_off == 17.5
    assert caution_of(past("++++++-----")).points_off == 20
    assert caution_of(past("++++++++--------")).points_off == 20
    assert caution_of(past("++++-0--")).points_off == 15
    assert caution_of(past("++++---+")).points_off == 0


def test_stops_that_ended_more_than_sixty_percent_take_five() -> None:
    """Exactly 60 % does not."""
    stopped = past("+++", "stop_loss")
    others = [Past(10 + n, Decimal(1)) for n in range(2)]
    assert caution_of([*stopped, *others]).points_off == 0
    assert caution_of([*past("++++", "stop_loss"), *others]).points_off == 5


def test_only_the_last_fifteen_count() -> None:
    """Older losses are forgotten."""
    assert caution_of(past("-" * 30 + "+" * 15)) == Caution()


@given(
    marks=st.text(alphabet="+-0", max_size=30),
    confidence=st.floats(0, 100),
    least=st.floats(0, 100),
)
def test_caution_never_adds(marks: str, confidence: float, least: float) -> None:
    """What passes under caution would have passed without it."""
    caution = caution_of(past(marks))
    assert 0 <= caution.adjusted(confidence) <= confidence
    if caution.lets(confidence, least):
        assert confidence >= least


@given(marks=st.permutations("+-+--0++-"))
def test_trades_come_in_any_order(marks: list[str]) -> None:
    """Trades are sorted by when they closed."""
    trades = past("".join(marks))
    assert caution_of(reversed(trades)) == caution_of(trades)
