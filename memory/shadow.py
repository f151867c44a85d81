"""What a signal that was not taken would have made: its own exits played on the later candles.

Modelled: entry at market (or a limit entry that fills when touched in its time), stop and target,
the stop moved to break-even or trailing by our rules, the exchange's own trailing stop, the time a
position may last, fees and slippage of both ways. Not modelled: funding, a close by the adviser or
by a person, and what two bars away from each other cannot tell: inside a bar the price is assumed
to go from the open to the nearer extreme, to the other, to the close, as the pretend exchange
plays a tape. What reaches nothing in `BARS_MAX` bars is closed at the last one's close.

A result is a function of the idea and the candles: the same ones give the same result however they
come, one by one or all at once. Floats: it is a score, nobody's money. Must not know: who said no.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from data.candles import price_path, timeframe_ms
from data.model import Candle, Direction

BARS_MAX: Final = 480  # fewer than a window holds, so a restart finds every candle again
MOVES_MAX: Final = 200  # of one stop, as of a real one
STEPS: Final = 5  # a trailing stop follows in fifths of its distance
GAP_RATIO: Final = 0.0005  # a stop is not put closer to the price
BPS: Final = 10_000.0
PERCENT: Final = 100.0


class ShadowEnd(StrEnum):
    """How it would have ended."""

    STOP = "stop"
    TARGET = "target"
    TIMEOUT = "timeout"  # the position's time was up
    HORIZON = "horizon"  # nothing was reached in so many bars
    UNFILLED = "unfilled"  # its limit entry was not reached in its time
    UNKNOWN = "unknown"  # candles are missing: nobody can say


SCORED: Final = frozenset(
    {ShadowEnd.STOP, ShadowEnd.TARGET, ShadowEnd.TIMEOUT, ShadowEnd.HORIZON}
)  # those that made something


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """How the stop is moved; zero is off. Risks: the distance from the entry to the first stop."""

    break_even_risks: float = 0.0
    break_even_bps: float = 0.0
    trail_pct: float = 0.0
    trail_offset: float = 0.0
    trail_from_risks: float = 0.0
    callback_pct: float = 0.0
    callback_from_risks: float = 0.0


STILL: Final = Moves()


@dataclass(frozen=True, slots=True, kw_only=True)
class Idea:
    """What would have been ordered. Followed from the first bar after `after_ms`'s own."""

    shadow_id: str
    symbol: str
    timeframe: str
    direction: Direction
    after_ms: int  # open of the bar the signal was made on
    entry_price: float
    stop_price: float
    target_price: float
    tick: float
    limit_ms: int = 0  # a limit entry waits so long; 0: a market entry
    hold_ms_max: int = 0  # 0: no limit
    moves: Moves = STILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What each way costs, in basis points of the price."""

    fee_bps: float = 5.0
    slippage_bps: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowResult:
    """How it ended. Prices with slippage; `ended_ms` is the open of the deciding bar."""

    end: ShadowEnd
    ended_ms: int
    entry_price: float = 0.0
    exit_price: float = 0.0
    fees_per_unit: float = 0.0
    profit_per_unit: float = 0.0  # after fees
    risk_multiple: float = 0.0  # that profit in risks


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How far an idea has come. Prices are signed: what earns is up, for a short too."""

    entry: float | None = None  # with slippage; None while a limit entry waits
    entered_ms: int = 0
    level: float = 0.0  # where the stop stands
    best: float | None = None  # the best price since the callback began to trail
    moves: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A bar that stays within (low, high) and opens before `due_ms` changes nothing."""

    low: float
    high: float
    due_ms: int


def begun(idea: Idea, costs: Costs) -> Course:
    """The course before the first bar."""
    if idea.limit_ms:
        return Course()
    slipped = idea.entry_price * (1 + idea.direction.sign * costs.slippage_bps / BPS)
    return _entered(idea, slipped, idea.after_ms + timeframe_ms(idea.timeframe))


def band_of(idea: Idea, course: Course) -> Band:
    """Within which prices, and until when, nothing can happen."""
    step_ms = timeframe_ms(idea.timeframe)
    if course.entry is None:
        return Band(low=float("-inf"), high=float("inf"), due_ms=0)
    sign = idea.direction.sign
    due_ms = idea.after_ms + BARS_MAX * step_ms
    if idea.hold_ms_max:
        due_ms = min(due_ms, course.entered_ms + idea.hold_ms_max - step_ms)
    floor, ceiling = _floor(idea, course), _ceiling(idea, course)
    low, high = (floor, ceiling) if sign > 0 else (-ceiling, -floor)
    return Band(low=low, high=high, due_ms=due_ms)


def passed(
    idea: Idea, course: Course, candle: Candle, costs: Costs
) -> tuple[Course, ShadowResult | None]:
    """The course after the next closed bar, and the result when that bar ended it."""
    step_ms = timeframe_ms(idea.timeframe)
    path = [price * idea.direction.sign for price in price_path(candle)]
    if course.entry is None:
        course, path, gone = _await_entry(idea, course, candle, path)
        if course.entry is None:
            return course, ShadowResult(
                end=ShadowEnd.UNFILLED, ended_ms=candle.open_ms
            ) if gone else None
    before: float | None = None
    for price in path:
        course, exit_price, end = _walked(idea, course, before, price)
        if end is not None:
            return course, _result(idea, course, end, exit_price, candle.open_ms, costs)
        before = price
    closed_ms = candle.open_ms + step_ms
    if idea.hold_ms_max and closed_ms >= course.entered_ms + idea.hold_ms_max:
        return course, _result(idea, course, ShadowEnd.TIMEOUT, path[-1], candle.open_ms, costs)
    if candle.open_ms >= idea.after_ms + BARS_MAX * step_ms:
        return course, _result(idea, course, ShadowEnd.HORIZON, path[-1], candle.open_ms, costs)
    return course, None


def follow(
    idea: Idea, candles: Iterable[Candle], costs: Costs | None = None
) -> ShadowResult | None:
    """The result over closed candles, oldest first and without a gap; None while it is open."""
    costs = costs or Costs()
    course = begun(idea, costs)
    for candle in candles:
        if candle.open_ms > idea.after_ms:
            course, result = passed(idea, course, candle, costs)
            if result is not None:
                return result
    return None


# ----------------------------------------------------------------------- inside one bar


def _await_entry(
    idea: Idea, course: Course, candle: Candle, path: list[float]
) -> tuple[Course, list[float], bool]:
    """The course with its limit entry filled, if it was; the path from there on; else: too late."""
    entry = idea.entry_price * idea.direction.sign
    step_ms = timeframe_ms(idea.timeframe)
    until_ms = idea.after_ms + step_ms + idea.limit_ms
    # Of a bar that outlasts the entry's time only the open is sure to lie within it.
    reach = path if candle.open_ms + step_ms <= until_ms else path[:1]
    for place, price in enumerate(reach):
        if price <= entry:
            paid = price if place == 0 else entry
            course = _entered(idea, abs(paid), candle.open_ms)
            return course, [paid, *path[max(place, 1) :]], False
    return course, path, candle.open_ms + step_ms >= until_ms


def _entered(idea: Idea, price: float, moment_ms: int) -> Course:
    sign = idea.direction.sign
    course = Course(entry=price * sign, entered_ms=moment_ms, level=idea.stop_price * sign)
    if idea.moves.callback_pct and not idea.moves.callback_from_risks:
        course = replace(course, best=course.entry)
    return course


def _walked(
    idea: Idea, course: Course, before: float | None, price: float
) -> tuple[Course, float, ShadowEnd | None]:
    """One stretch of the way: the exit's signed price and kind, if it was reached."""
    floor, target = _floor(idea, course), idea.target_price * idea.direction.sign
    jumped = before is None  # between bars; within one the price passes every level itself
    if price <= floor:
        return course, price if jumped else floor, ShadowEnd.STOP
    if price >= target:
        return course, price if jumped else target, ShadowEnd.TARGET
    if jumped or (before is not None and price > before):
        course = _raised(idea, course, price, at_once=jumped)
    return course, price, None


def _floor(idea: Idea, course: Course) -> float:
    """Signed price at which it ends in a stop: the fixed one, or the exchange's trailing one."""
    if course.best is None:
        return course.level
    sign = idea.direction.sign
    return max(course.level, course.best * (1 - sign * idea.moves.callback_pct / PERCENT))


def _ceiling(idea: Idea, course: Course) -> float:
    """Signed price at which something happens above: the target, or a stop's next move."""
    prices = [idea.target_price * idea.direction.sign]
    prices += [watch for watch, _ in _rungs(idea, course)]
    if course.best is not None:
        prices.append(course.best)
    elif idea.moves.callback_pct:
        prices.append(_activation(idea, course))
    return min(prices)


# ----------------------------------------------------------------- moving the stop

Rung = tuple[float, Callable[[float], float]]  # signed: the price it waits for; the level it gives


def _raised(idea: Idea, course: Course, price: float, *, at_once: bool) -> Course:
    if idea.moves == STILL:
        return course
    if idea.moves.callback_pct:
        if course.best is not None:
            course = replace(course, best=max(course.best, price))
        elif price >= _activation(idea, course):
            course = replace(course, best=price)
    while course.moves < MOVES_MAX:
        due = [rung for rung in _rungs(idea, course) if price >= rung[0]]
        if not due:
            break
        if at_once:
            level = max(level_at(price) for _, level_at in due)
        else:
            watch, level_at = min(due, key=lambda rung: rung[0])
            level = level_at(watch)
        if level <= course.level:
            break
        course = replace(course, level=level, moves=course.moves + 1)
    return course


def _rungs(idea: Idea, course: Course) -> list[Rung]:
    moves = idea.moves
    if course.moves >= MOVES_MAX or not (
        moves.break_even_risks or moves.trail_pct or moves.trail_offset
    ):
        return []
    assert course.entry is not None, "nothing moves before the entry"
    found = []
    sign, entry, tick = idea.direction.sign, course.entry, idea.tick
    if moves.break_even_risks:
        level = _on_tick(entry * (1 + sign * moves.break_even_bps / BPS), tick)
        if level > course.level:
            gap = max(tick, abs(entry) * GAP_RATIO)
            watch = max(entry + moves.break_even_risks * _risk(idea), level + gap)
            found.append((watch, lambda _price: level))
    distance = _distance(idea, entry)
    if distance:
        following = course.level + max(distance / STEPS, tick)
        ratio = sign * moves.trail_pct / PERCENT
        watch = following / (1 - ratio) if moves.trail_pct else following + moves.trail_offset
        watch = max(entry + moves.trail_from_risks * _risk(idea), watch)
        found.append((watch, lambda price: _on_tick(price - _distance(idea, price), tick)))
    return found


def _distance(idea: Idea, price: float) -> float:
    if idea.moves.trail_pct:
        return abs(price) * idea.moves.trail_pct / PERCENT
    return idea.moves.trail_offset


def _activation(idea: Idea, course: Course) -> float:
    assert course.entry is not None, "nothing trails before the entry"
    return course.entry + idea.moves.callback_from_risks * _risk(idea)


def _risk(idea: Idea) -> float:
    return abs(idea.entry_price - idea.stop_price)


def _on_tick(price: float, tick: float) -> float:
    return round(price / tick) * tick if tick else price


def _result(
    idea: Idea, course: Course, end: ShadowEnd, price: float, ended_ms: int, costs: Costs
) -> ShadowResult:
    assert course.entry is not None, "nothing ends before its entry"
    sign = idea.direction.sign
    entry_price = abs(course.entry)
    exit_price = abs(price) * (1 - sign * costs.slippage_bps / BPS)
    fees = (entry_price + exit_price) * costs.fee_bps / BPS
    profit = (exit_price - entry_price) * sign - fees
    return ShadowResult(
        end=end,
        ended_ms=ended_ms,
        entry_price=entry_price,
        exit_price=exit_price,
        fees_per_unit=fees,
        profit_per_unit=profit,
        risk_multiple=profit / _risk(idea),
    )
