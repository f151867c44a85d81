"""Who kept a signal out, and what is followed: read off the trade's own row."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.guard import Guard
from bot.core.life import moving
from bot.core.life.draft import Draft
from bot.core.messages import CardVerb, PanicPressed, PriceReached
from bot.core.presets import ApprovalMode
from bot.core.ruling.shadowing import SHADOWED, answered, idea_of, is_shadow, judges_of, moves_of
from bot.core.timing import Timing
from bot.core.trade import Outcome, Phase, Trade
from data.model import Action, Candle, Direction, OrderKind
from memory.scores import Judge
from memory.shadow import Costs, begun, passed
from tests.core.build import NOW_MS, USER, Case, closed_trade, config, decision, desk, signal

ASKING = config(approval_mode=ApprovalMode.APPROVE)
OF_STRATEGY = (Judge.STRATEGY, "continuation")


def judged(case: Case, outcome: Outcome) -> tuple[tuple[Judge, str], ...]:
    """Who kept the trade out; it must have ended so."""
    trade = case.trade()
    assert trade.outcome is outcome
    assert is_shadow(trade)
    *found, strategy = judges_of(trade)
    assert strategy == OF_STRATEGY
    return tuple(found)


def test_each_no_is_somebodys() -> None:
    """Person, silence, adviser, doubt, mode, panic: each outcome names its own."""
    card = Case(desk(ASKING)).raise_signal().decide()
    rejected = Case(card.desk).tap(CardVerb.REJECT)
    assert judged(rejected, Outcome.REJECTED) == ((Judge.PERSON, USER),)
    late = Case(card.desk).wait(ASKING.approval_ttl_ms)
    assert judged(late, Outcome.EXPIRED) == ((Judge.PERSON, "nobody"),)
    panic = Case(card.desk).feed(PanicPressed(by=USER))
    assert judged(panic, Outcome.REJECTED) == ((Judge.PERSON, "nobody"),)
    said = decision(Action.DO_NOTHING, advisor="gemini", model_version="m-1")
    declined = Case(desk(ASKING)).raise_signal().decide(said)
    assert judged(declined, Outcome.DECLINED) == ((Judge.ADVISER, "gemini m-1"),)
    silent = Case(desk(ASKING)).raise_signal().wait(Timing().decide_within_ms)
    assert judged(silent, Outcome.ABSTAINED) == ((Judge.ADVISER, "no answer"),)
    told = Case(desk(config(approval_mode=ApprovalMode.SIGNAL_ONLY))).raise_signal().decide()
    assert judged(told, Outcome.ADVISED) == ((Judge.MODE, "signal-only"),)
    stale = Case(desk(ASKING)).raise_signal().decide(mark_ms=NOW_MS - 60_000)
    assert judged(stale, Outcome.BLOCKED) == ((Judge.LIMIT, "other"),)


def test_every_limit_and_rule_that_blocked_is_named() -> None:
    """Memory's rule by its id, the desk's limits by their names, at the signal and at the tap."""
    lost = tuple(closed_trade(n, -10, NOW_MS - 60_000 * (4 - n)) for n in range(3))
    case = Case(desk(config(score_threshold=95.0), closed=lost)).raise_signal()
    assert judged(case, Outcome.BLOCKED) == (
        (Judge.LIMIT, "score"),
        (Judge.MEMORY, "loss_streak_pause"),
    )
    card = Case(desk(ASKING)).raise_signal().decide()
    card.desk = replace(card.desk, halts=("disk full",))
    assert judged(card.tap(CardVerb.APPROVE), Outcome.BLOCKED) == ((Judge.LIMIT, "no_halt"),)


def test_every_end_is_somebodys_no_or_the_exchanges() -> None:
    """A new outcome must be sorted to one of the two."""
    assert set(Outcome) - SHADOWED == {Outcome.CLOSED, Outcome.UNFILLED, Outcome.REFUSED}


def test_what_is_at_work_or_was_traded_is_no_shadow() -> None:
    """A card before a person, an open position: nobody has said no."""
    card = Case(desk(ASKING)).raise_signal().decide()
    assert not is_shadow(card.trade())
    assert not is_shadow(card.tap(CardVerb.APPROVE).trade())


def test_the_card_goes_before_the_signal() -> None:
    """A limit entry at the card's price, with its time, its guard and the signal's bar."""
    bot = replace(
        ASKING, entry_kind=OrderKind.LIMIT, position_timeout_ms=60_000, break_even_risks=Decimal(1)
    )
    trade = Case(desk(bot)).raise_signal().decide().tap(CardVerb.REJECT).trade()
    idea = idea_of(trade)
    assert idea is not None
    assert trade.signal is not None
    assert (idea.shadow_id, idea.after_ms) == (trade.trade_id, trade.signal.bar_open_ms)
    assert (idea.entry_price, idea.stop_price, idea.target_price) == (100.0, 98.0, 104.0)
    assert (idea.limit_ms, idea.hold_ms_max) == (bot.entry_timeout_ms, 60_000)
    assert idea.moves.break_even_risks == 1.0


def test_an_older_row_is_followed_by_its_signals_levels() -> None:
    """It has no plan; levels that make no trade are not followed at all."""
    case = Case(desk(config(score_threshold=95.0))).raise_signal()
    old = replace(case.trade(), proposed=None)
    idea = idea_of(old)
    assert idea is not None
    assert (idea.entry_price, idea.stop_price) == (100.0, 98.0)
    assert idea_of(replace(old, signal=signal(stop_price=Decimal(101)))) is None
    assert idea_of(replace(old, signal=signal(stop_price=Decimal("NaN")))) is None


def test_only_a_confidence_in_opening_is_calibrated() -> None:
    """Who would not open, or names no confidence, was neither right nor wrong."""
    trade = Case(desk(ASKING)).raise_signal().decide().trade()
    told = answered(trade, won=True)
    assert told is not None
    assert (told.model, told.confidence, told.won) == ("rules", 80.0, True)
    assert answered(replace(trade, decision=None), won=True) is None
    assert answered(replace(trade, decision=decision(Action.DO_NOTHING)), won=True) is None
    assert answered(replace(trade, decision=decision(confidence=None)), won=True) is None


def _moved(trade: Trade, marks: list[Decimal]) -> list[Decimal]:
    """The levels a real stop takes when it sees these marks and every move is confirmed at once."""
    levels = []
    for mark in marks:
        draft = Draft(trade, NOW_MS, Timing())
        told = PriceReached(trade_id=trade.trade_id, mark_price=mark, mark_ms=NOW_MS)
        moving.FOLDS[PriceReached](draft, told)
        trade = replace(draft.trade, stop_level_before=None, move_after_ms=None)
        trade = replace(trade, moves=trade.moves + 1)
        levels.append(moving.stop_level(trade))
    return levels


guards = st.sampled_from(
    [
        Guard(break_even_risks=Decimal(1), break_even_bps=Decimal(10)),
        Guard(trail_pct=Decimal("1.5"), trail_from_risks=Decimal("0.5")),
        Guard(trail_offset=Decimal(2), trail_from_risks=Decimal(1)),
        Guard(
            break_even_risks=Decimal("0.5"),
            break_even_bps=Decimal(10),
            trail_offset=Decimal(1),
            trail_from_risks=Decimal(2),
        ),
    ]
)


@pytest.mark.parametrize("direction", list(Direction))
@given(guard=guards, ticks=st.lists(st.integers(-15, 35), min_size=1, max_size=15))
def test_a_shadows_stop_moves_as_a_real_one_does(
    direction: Direction, guard: Guard, ticks: list[int]
) -> None:
    """Fed the same prices one by one, the shadow's stop and the core's stand at the same levels."""
    sign = direction.sign
    given_ = signal(
        direction=direction,
        stop_price=Decimal(100 - 2 * sign),
        target_price=Decimal(100 + 20 * sign),
    )
    trade = Case(desk(ASKING)).raise_signal(given_).decide().trade()
    assert trade.plan is not None
    trade = replace(
        trade,
        phase=Phase.POSITION_ACTIVE,
        plan=replace(trade.plan, guard=guard),
        card_expires_ms=None,
    )
    idea = replace(_idea(trade), moves=moves_of(guard))
    course, free = begun(idea, Costs(fee_bps=0, slippage_bps=0)), Costs(fee_bps=0, slippage_bps=0)
    marks = [Decimal(100) + sign * Decimal(tick) / 10 for tick in ticks]
    for number, (mark, level) in enumerate(zip(marks, _moved(trade, marks), strict=True), start=1):
        course, result = passed(idea, course, _still(idea.after_ms, number, mark), free)
        if result is not None:
            return
        assert course.level * sign == pytest.approx(float(level), abs=1e-9)


def _idea(trade: Trade):  # type: ignore[no-untyped-def]
    idea = idea_of(trade)
    assert idea is not None
    return idea


def _still(after_ms: int, number: int, mark: Decimal) -> Candle:
    """A bar of one price only: what a mark is."""
    price = float(mark)
    return Candle(
        symbol="BTCUSDT",
        timeframe="30m",
        open_ms=after_ms + number * 1_800_000,
        open=price,
        high=price,
        low=price,
        close=price,
        volume=1.0,
    )
