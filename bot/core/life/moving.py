"""Where a stop is moved to, and when: break-even, trailing by our rules, a person's wish.

A stop is only ever tightened. The core does not see every price: the trade's record says at which
mark price its stop would be moved next (`Trade.watch_price`), and whoever sees prices tells when
that one is reached (`PriceReached`). So the journal holds one price for each move. Must not know:
orders (`bot.core.life.guarding` makes them follow the level).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from bot.core.guard import Guard
from bot.core.life.draft import Draft, text_of
from bot.core.life.results import average_price
from bot.core.messages import Level, PriceReached, StopMoveRequested
from bot.core.trade import Order, OrderState, Phase, Plan, Trade
from data.money import BPS, HUNDRED, ONE, ZERO, round_to

GAP_BPS: Final = Decimal(5)  # a stop is not put closer to the mark price: it would fire at once
STEPS: Final = 5  # a trailing stop follows in fifths of its distance
MOVES_MAX: Final = 200  # of one trade's stop; each is two orders in its record
REFUSED_PAUSES: Final = 30  # after a refused move: so many ordinary pauses
BREAK_EVEN: Final = "break_even"
TRAILING: Final = "trailing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One rule's next move: the mark price it waits for, and the level it then gives."""

    rule: str
    watch_price: Decimal
    level_at: Callable[[Decimal], Decimal]


def stop_level(trade: Trade) -> Decimal:
    """Where the stop belongs now."""
    assert trade.plan is not None, "an adopted position has no level"
    return trade.plan.stop_price if trade.stop_level is None else trade.stop_level


def is_moving(trade: Trade, order: Order | None = None) -> bool:
    """Whether its stop is being moved (and the order was sent for that move)."""
    moving = trade.stop_level_before is not None
    return moving and (order is None or order.sent_ms >= trade.move_begun_ms)


def reached(
    trades: Iterable[Trade], symbol: str, mark_price: Decimal, mark_ms: int
) -> tuple[PriceReached, ...]:
    """What to tell the desk of a mark price: for each trade whose next move it allows."""
    return tuple(
        PriceReached(trade_id=trade.trade_id, mark_price=mark_price, mark_ms=mark_ms)
        for trade in trades
        if trade.symbol == symbol
        and trade.phase is Phase.POSITION_ACTIVE
        and trade.watch_price is not None
        and trade.plan is not None
        and (mark_price - trade.watch_price) * trade.plan.direction.sign >= ZERO
    )


def watch(draft: Draft) -> None:
    """Write down at which mark price the stop would be moved next."""
    trade = draft.trade
    if trade.move_after_ms is not None and draft.now_ms >= trade.move_after_ms:
        draft.set(move_after_ms=None)
    rungs = _rungs(draft.trade)
    sign = trade.plan.direction.sign if trade.plan else 1
    nearest = min((rung.watch_price * sign for rung in rungs), default=None)
    watch_price = None if nearest is None else nearest * sign
    if watch_price != trade.watch_price:
        draft.set(watch_price=watch_price)


def take_level(draft: Draft, stop: Order) -> None:
    """A live stop tighter than the record knows of was moved there in a life forgotten since."""
    trade, level = draft.trade, stop.trigger_price
    if trade.plan is None or level is None or stop.state is not OrderState.LIVE:
        return
    if is_tighter(trade.plan, level, stop_level(trade)):
        draft.set(stop_level=level, stop_level_before=None)


def finish_move(draft: Draft, stop: Order) -> None:
    """The stop at its new level is confirmed."""
    trade = draft.trade
    before = trade.stop_level_before
    if (
        before is None
        or stop.state is not OrderState.LIVE
        or stop.trigger_price != trade.stop_level
    ):
        return
    draft.set(
        stop_level_before=None,
        moves=trade.moves + 1,
        move_after_ms=draft.now_ms + draft.timing.move_again_ms,
    )
    if trade.stop_moved_by != TRAILING or trade.moves == 0:  # a long trend is not told step by step
        draft.tell(
            "stop_moved",
            price_before=text_of(before),
            price=text_of(stop_level(trade)),
            by=trade.stop_moved_by,
        )


def give_up_move(draft: Draft, reason: str) -> None:
    """Go back to the level from before, and leave it there for a while."""
    trade = draft.trade
    if trade.stop_level_before is None:
        return
    wanted = stop_level(trade)
    draft.set(
        stop_level=trade.stop_level_before,
        stop_level_before=None,
        move_after_ms=draft.now_ms + REFUSED_PAUSES * draft.timing.move_again_ms,
    )
    draft.tell("stop_not_moved", Level.WARNING, price=text_of(wanted), reason=reason)


# ------------------------------------------------------------------------------- folds


def _price_reached(draft: Draft, given: PriceReached) -> None:
    trade = draft.trade
    if not _may_move(trade):
        return
    assert trade.plan is not None
    sign, mark = trade.plan.direction.sign, given.mark_price
    due = [rung for rung in _rungs(trade) if (mark - rung.watch_price) * sign >= ZERO]
    if due:
        best = max(due, key=lambda rung: rung.level_at(mark) * sign)
        _begin_move(draft, best.level_at(mark), best.rule)


def _requested(draft: Draft, given: StopMoveRequested) -> None:
    trade = draft.trade
    refusal = _why_not(trade, given)
    if refusal:
        draft.tell("stop_not_moved", Level.WARNING, price=text_of(given.level), reason=refusal)
        return
    level = round_to(given.level, trade.instrument.tick_size)
    _begin_move(draft, level, given.by)


FOLDS: Final[dict[type, Callable[[Draft, Any], None]]] = {
    PriceReached: _price_reached,
    StopMoveRequested: _requested,
}


def _why_not(trade: Trade, given: StopMoveRequested) -> str:
    if trade.phase is not Phase.POSITION_ACTIVE or trade.plan is None:
        return "there is no protected position with a plan"
    if trade.stop_level_before is not None:
        return "the stop is being moved already"
    if not given.level.is_finite() or given.level <= ZERO:
        return "the level is no price"
    sign = trade.plan.direction.sign
    level = round_to(given.level, trade.instrument.tick_size)
    if (level - stop_level(trade)) * sign <= ZERO:
        return f"a stop is only tightened; it stands at {text_of(stop_level(trade))}"
    mark = given.mark_price
    if mark is None or (mark - level) * sign < _gap(mark, trade.instrument.tick_size):
        return "the price is not far enough beyond that level"
    return ""


def _begin_move(draft: Draft, level: Decimal, by: str) -> None:
    trade = draft.trade
    assert trade.plan is not None
    before = stop_level(trade)
    if not is_tighter(trade.plan, level, before):
        return
    draft.set(
        stop_level=level, stop_level_before=before, stop_moved_by=by, move_begun_ms=draft.now_ms
    )


def is_tighter(plan: Plan, level: Decimal, before: Decimal) -> bool:
    """Whether a stop at `level` costs less than one at `before`."""
    return (level - before) * plan.direction.sign > ZERO


# ------------------------------------------------------------------------------- rules


def _may_move(trade: Trade) -> bool:
    return (
        trade.phase is Phase.POSITION_ACTIVE
        and trade.plan is not None
        and trade.stop_level_before is None
        and trade.move_after_ms is None
        and trade.moves < MOVES_MAX
    )


def _rungs(trade: Trade) -> tuple[Rung, ...]:
    if not _may_move(trade):
        return ()
    assert trade.plan is not None
    if not trade.plan.guard.moves:
        return ()
    found = (_break_even(trade, trade.plan), _trailing(trade, trade.plan))
    return tuple(rung for rung in found if rung is not None)


def _break_even(trade: Trade, plan: Plan) -> Rung | None:
    guard, sign = plan.guard, plan.direction.sign
    if not guard.break_even_risks:
        return None
    entry, tick = _entry(trade, plan), trade.instrument.tick_size
    level = round_to(entry * (1 + sign * guard.break_even_bps / BPS), tick)
    if not is_tighter(plan, level, stop_level(trade)):
        return None
    gone = entry + sign * guard.break_even_risks * _risk(plan)
    watch_price = _farther(sign, gone, level + sign * _gap(entry, tick))
    return Rung(rule=BREAK_EVEN, watch_price=watch_price, level_at=lambda _mark: level)


def _trailing(trade: Trade, plan: Plan) -> Rung | None:
    guard, sign = plan.guard, plan.direction.sign
    entry, tick = _entry(trade, plan), trade.instrument.tick_size
    distance = _distance(guard, entry)
    if not distance:
        return None
    next_level = stop_level(trade) + sign * max(distance / STEPS, tick)
    if guard.trail_pct:
        follows_at = next_level / (ONE - sign * guard.trail_pct / HUNDRED)
    else:
        follows_at = next_level + sign * guard.trail_offset
    begins_at = entry + sign * guard.trail_from_risks * _risk(plan)
    return Rung(
        rule=TRAILING,
        watch_price=_farther(sign, begins_at, follows_at),
        level_at=lambda mark: round_to(mark - sign * _distance(guard, mark), tick),
    )


def _distance(guard: Guard, price: Decimal) -> Decimal:
    return price * guard.trail_pct / HUNDRED if guard.trail_pct else guard.trail_offset


def _entry(trade: Trade, plan: Plan) -> Decimal:
    return average_price(trade, entry=True) or plan.entry_price


def _risk(plan: Plan) -> Decimal:
    return abs(plan.entry_price - plan.stop_price)


def _gap(price: Decimal, tick: Decimal) -> Decimal:
    return max(tick, price * GAP_BPS / BPS)


def _farther(sign: int, one: Decimal, other: Decimal) -> Decimal:
    return max(one * sign, other * sign) * sign
