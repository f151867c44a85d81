"""What an adviser says against what is really done, and each level's check."""

from decimal import Decimal

import pytest

from bot.core.supervisor import Levels, check_levels, levels_of, reward_risk, supervise
from bot.core.trade import Phase
from data.model import Action, Direction
from tests.core.build import Case, config, decision, desk, instrument

OPEN, CLOSE, HOLD = Action.OPEN_POSITION, Action.CLOSE_POSITION, Action.HOLD_POSITION
NOTHING, ABSTAIN = Action.DO_NOTHING, Action.ABSTAIN
LONG = Levels(
    direction=Direction.LONG,
    entry_price=Decimal(100),
    stop_price=Decimal(98),
    target_price=Decimal(104),
)
FREE = (Phase.IDLE, Phase.EVALUATING, Phase.AWAITING_APPROVAL, Phase.ORDER_PENDING)
# The action really taken for (open, close, hold, nothing, abstain).
TAKEN = {
    **dict.fromkeys(FREE, (OPEN, NOTHING, NOTHING, NOTHING, ABSTAIN)),
    Phase.POSITION_UNPROTECTED: (CLOSE, CLOSE, CLOSE, CLOSE, CLOSE),
    Phase.POSITION_ACTIVE: (HOLD, CLOSE, HOLD, NOTHING, ABSTAIN),
    Phase.CLOSING: (HOLD, CLOSE, HOLD, NOTHING, ABSTAIN),
}


@pytest.mark.parametrize("phase", TAKEN)
def test_the_action_taken_follows_from_the_phase(phase: Phase) -> None:
    """OPEN with a position is HOLD, CLOSE without one DO_NOTHING, UNPROTECTED always CLOSE."""
    proposed = (OPEN, CLOSE, HOLD, NOTHING, ABSTAIN)
    rulings = [supervise(action, phase) for action in proposed]
    assert tuple(r.action for r in rulings) == TAKEN[phase]


@pytest.mark.parametrize("phase", TAKEN)
def test_every_override_says_why_and_nothing_else_does(phase: Phase) -> None:
    """An override is recorded with its reason."""
    for action in Action:
        ruling = supervise(action, phase)
        assert bool(ruling.override) is (ruling.action is not action)


def failed(levels: Levels, mark: str = "100") -> list[str]:
    """Rules that said no."""
    return [c.rule for c in check_levels(config(), levels, Decimal(mark)) if not c.passed]


def levels(direction: Direction, stop: str, target: str, entry: str = "100") -> Levels:
    """Levels from text."""
    return Levels(
        direction=direction,
        entry_price=Decimal(entry),
        stop_price=Decimal(stop),
        target_price=Decimal(target),
    )


def test_sound_levels_pass() -> None:
    """A long and its mirror image."""
    assert failed(LONG) == []
    assert failed(levels(Direction.SHORT, "102", "96")) == []


@pytest.mark.parametrize(
    ("given", "mark", "rule"),
    [
        (levels(Direction.LONG, "101", "104"), "100", "stop_side"),
        (levels(Direction.LONG, "98", "99"), "100", "target_side"),
        (levels(Direction.SHORT, "98", "96"), "100", "stop_side"),
        (levels(Direction.SHORT, "102", "101"), "100", "target_side"),
        (LONG, "98", "stop_vs_mark"),  # touched is reached
        (LONG, "104", "target_vs_mark"),
        (LONG, "101.1", "price_drift"),  # 110 bps of at most 100
        (levels(Direction.LONG, "99.96", "104"), "100", "stop_distance"),  # 4 bps of at least 5
        (levels(Direction.LONG, "84", "200"), "100", "stop_distance"),  # 1,600 of at most 1,500
        (levels(Direction.LONG, "0", "104"), "100", "finite_prices"),
        (levels(Direction.LONG, "NaN", "104"), "100", "finite_prices"),
        (LONG, "Infinity", "finite_prices"),
        (LONG, "0", "finite_prices"),
    ],
)
def test_each_unsound_level_is_refused_by_its_rule(given: Levels, mark: str, rule: str) -> None:
    """The rule that refuses has a name."""
    assert rule in failed(given, mark)


def test_reward_against_risk_counts_from_the_real_price() -> None:
    """From 101: 3 to gain, 3 to lose; beyond either level there is nothing to weigh."""
    assert reward_risk(LONG, Decimal(101)) == 1
    assert reward_risk(LONG, Decimal(105)) == 0
    assert reward_risk(LONG, Decimal(97)) == 0


def test_levels_the_answer_leaves_out_are_the_signals_own_on_the_tick() -> None:
    """A stop of 97.56 becomes 97.6; entry and target stay."""
    found = levels_of(decision(stop_price=Decimal("97.56")), LONG, instrument())
    assert (found.entry_price, found.stop_price, found.target_price) == (
        Decimal(100),
        Decimal("97.6"),
        Decimal(104),
    )


@pytest.mark.parametrize(
    ("named", "passes", "used"), [(3, True, 3), (5, True, 5), (6, False, None), (50, False, None)]
)
def test_a_named_leverage_is_within_the_owners(named: int, passes: bool, used: int | None) -> None:
    """A lower one is taken, a higher one is refused by name: it widens nothing."""
    case = Case(desk(config(leverage=5))).raise_signal().decide(decision(leverage=named))
    (check,) = [one for one in case.trade().checks if one.rule == "leverage"]
    assert (check.passed, check.limit, check.value) == (passes, "1..5", str(named))
    plan = case.trade().plan
    assert (plan.leverage if plan is not None else None) == used


def test_every_ruling_is_in_the_record() -> None:
    """What was proposed, what was done, and why they differ."""
    case = Case(desk(config(review_every_ms=5_000))).to_active()
    case.decide(decision(Action.OPEN_POSITION, advisor="gemini", answer_id="a2"))
    first, second = case.trade().supervised
    assert (first.proposed, first.taken, first.override) == ("open_position", "open_position", "")
    assert (second.proposed, second.taken) == ("open_position", "hold_position")
    assert second.override == "a position is open already"
    assert second.answer_id == "a2"


def test_a_doubt_about_an_open_position_is_recorded_and_closes_nothing() -> None:
    """An abstention is never a reason to act."""
    case = Case().to_active()
    case.decide(decision(Action.ABSTAIN, abstained="timeout: no answer"))
    last = case.trade().supervised[-1]
    assert (last.taken, last.override) == ("abstain", "timeout: no answer")
    assert case.phase is Phase.POSITION_ACTIVE
