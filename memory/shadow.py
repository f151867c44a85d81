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
EPSILON: Final = 1e-10
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

    sign: int
    step_ms: int  # a bar's length
    target: float
    level: float  # where the stop stands
    due_ms: int  # the bar that opens then or later is the last one
    timed: bool = False  # because its time is up then, not only our patience
    entry: float | None = None  # with slippage; None while a limit entry waits
    best: float | None = None  # the best price since the callback began to trail
    watch: float = float("inf")  # nothing moves the stop below it
    moves: int = 0


Band = tuple[float, float, int]  # a bar within (low, high) that opens before `due_ms` is nothing


def begun(idea: Idea, costs: Costs) -> Course:
    """The course before the first bar."""
    sign, step_ms = idea.direction.sign, timeframe_ms(idea.timeframe)
    course = Course(
        sign=sign,
        step_ms=step_ms,
        target=idea.target_price * sign,
        level=idea.stop_price * sign,
        due_ms=idea.after_ms + BARS_MAX * step_ms,
    )
    if idea.limit_ms:
        return course
    slipped = idea.entry_price * (1 + sign * costs.slippage_bps / BPS)
    return _entered(idea, course, slipped * sign, idea.after_ms + step_ms)


def band_of(idea: Idea, course: Course) -> Band:
    """Within which prices, not signed, and until when nothing can happen."""
    if course.entry is None:
        return float("-inf"), float("inf"), 0
    if idea.moves is STILL:
        floor, ceiling = course.level, course.target
    else:
        floor, ceiling = _floor(idea, course), min(course.target, course.watch)
    if course.sign > 0:
        return floor, ceiling, course.due_ms
    return -ceiling, -floor, course.due_ms


def passed(
    idea: Idea, course: Course, candle: Candle, costs: Costs
) -> tuple[Course, ShadowResult | None]:
    """The course after the next closed bar, and the result when that bar ended it."""
    open_ms = candle.open_ms
    if course.entry is not None and idea.moves is STILL:
        end, price = _ended_still(course, candle)
        return course, None if end is None else _result(idea, course, end, price, open_ms, costs)
    path = [price * course.sign for price in price_path(candle)]
    if course.entry is None:
        course, path, gone = _await_entry(idea, course, candle, path)
        if course.entry is None:
            missed = ShadowResult(end=ShadowEnd.UNFILLED, ended_ms=open_ms)
            return course, missed if gone else None
    before: float | None = None
    for price in path:
        course, exit_price, end = _walked(idea, course, before, price)
        if end is not None:
            return course, _result(idea, course, end, exit_price, open_ms, costs)
        before = price
    if open_ms >= course.due_ms:
        return course, _result(idea, course, _last(course), path[-1], open_ms, costs)
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
    entry, step_ms = idea.entry_price * course.sign, course.step_ms
    until_ms = idea.after_ms + step_ms + idea.limit_ms
    # Of a bar that outlasts the entry's time only the open is sure to lie within it.
    reach = path if candle.open_ms + step_ms <= until_ms else path[:1]
    for place, price in enumerate(reach):
        if price <= entry:
            paid = price if place == 0 else entry
            course = _entered(idea, course, paid, candle.open_ms)
            return course, [paid, *path[max(place, 1) :]], False
    return course, path, candle.open_ms + step_ms >= until_ms


def _entered(idea: Idea, course: Course, entry: float, moment_ms: int) -> Course:
    due_ms = moment_ms + idea.hold_ms_max - course.step_ms
    timed = bool(idea.hold_ms_max) and due_ms <= course.due_ms
    trails = idea.moves.callback_pct and not idea.moves.callback_from_risks
    course = replace(
        course,
        entry=entry,
        due_ms=due_ms if timed else course.due_ms,
        timed=timed,
        best=entry if trails else None,
    )
    return course if idea.moves is STILL else _watching(idea, course)


def _ended_still(course: Course, candle: Candle) -> tuple[ShadowEnd | None, float]:
    """The same as walking the path, for a stop that nothing moves: most of all, so it is short."""
    level, target, up = course.level, course.target, course.sign > 0
    if up:
        first, low, high = candle.open, candle.low, candle.high
    else:
        first, low, high = -candle.open, -candle.high, -candle.low
    stopped, reached = low <= level, high >= target
    if not (stopped or reached):
        over = candle.open_ms >= course.due_ms
        return (_last(course) if over else None), candle.close * course.sign
    if first <= level or first >= target:  # between bars: what the market pays
        return (ShadowEnd.STOP if first <= level else ShadowEnd.TARGET), first
    if stopped and reached:
        fall, rise = first - low, high - first
        stopped = fall <= rise if up else fall < rise
    return (ShadowEnd.STOP, level) if stopped else (ShadowEnd.TARGET, target)


def _last(course: Course) -> ShadowEnd:
    return ShadowEnd.TIMEOUT if course.timed else ShadowEnd.HORIZON


def _walked(
    idea: Idea, course: Course, before: float | None, price: float
) -> tuple[Course, float, ShadowEnd | None]:
    """One stretch of the way: the exit's signed price and kind, if it was reached."""
    floor, target = _floor(idea, course), course.target
    jumped = before is None  # between bars; within one the price passes every level itself
    if price <= floor:
        return course, price if jumped else floor, ShadowEnd.STOP
    if price >= target:
        return course, price if jumped else target, ShadowEnd.TARGET
    if price >= course.watch:
        course = _raised(idea, course, price, at_once=jumped)
    return course, price, None


def _floor(idea: Idea, course: Course) -> float:
    """Signed price at which it ends in a stop: the fixed one, or the exchange's trailing one."""
    if course.best is None:
        return course.level
    return max(course.level, course.best * (1 - course.sign * idea.moves.callback_pct / PERCENT))


# ----------------------------------------------------------------- moving the stop

Rung = tuple[float, Callable[[float], float]]  # signed: the price it waits for; the level it gives


def _raised(idea: Idea, course: Course, price: float, *, at_once: bool) -> Course:
    assert course.entry is not None, "nothing moves before the entry"
    best, level, moves = course.best, course.level, course.moves
    if idea.moves.callback_pct:
        if best is not None:
            best = max(best, price)
        elif price >= _activation(idea, course.entry):
            best = price
    while due := [rung for rung in _rungs(idea, course, level, moves) if price >= rung[0]]:
        if at_once:
            raised = max(level_at(price) for _, level_at in due)
        else:
            watch, level_at = min(due, key=lambda rung: rung[0])
            raised = level_at(watch)
        if raised <= level:
            break
        level, moves = raised, moves + 1
    return _watching(idea, replace(course, best=best, level=level, moves=moves))


def _watching(idea: Idea, course: Course) -> Course:
    """The course with the price that moves its stop next."""
    assert course.entry is not None, "nothing moves before the entry"
    prices = [watch for watch, _ in _rungs(idea, course, course.level, course.moves)]
    if course.best is not None:
        prices.append(course.best)
    elif idea.moves.callback_pct:
        prices.append(_activation(idea, course.entry))
    return replace(course, watch=min(prices, default=float("inf")))


def _rungs(idea: Idea, course: Course, now: float, moved: int) -> list[Rung]:
    """Each rule's next move, from a stop that stands at `now` after so many moves."""
    moves = idea.moves
    if moved >= MOVES_MAX or not (moves.break_even_risks or moves.trail_pct or moves.trail_offset):
        return []
    assert course.entry is not None, "nothing moves before the entry"
    found = []
    sign, entry, tick = course.sign, course.entry, idea.tick
    if moves.break_even_risks:
        level = _on_tick(entry * (1 + sign * moves.break_even_bps / BPS), tick)
        if level > now:
            gap = max(tick, abs(entry) * GAP_RATIO)
            watch = max(entry + moves.break_even_risks * _risk(idea), level + gap)
            found.append((_reachable(watch), lambda _price: level))
    distance = _distance(idea, entry)
    if distance:
        following = now + max(distance / STEPS, tick)
        ratio = sign * moves.trail_pct / PERCENT
        watch = following / (1 - ratio) if moves.trail_pct else following + moves.trail_offset
        watch = max(entry + moves.trail_from_risks * _risk(idea), watch)
        found.append(
            (_reachable(watch), lambda price: _on_tick(price - _distance(idea, price), tick))
        )
    return found


def _reachable(watch: float) -> float:
    return watch - abs(watch) * EPSILON  # a price that equals it but for the last bit reaches it


def _distance(idea: Idea, price: float) -> float:
    if idea.moves.trail_pct:
        return abs(price) * idea.moves.trail_pct / PERCENT
    return idea.moves.trail_offset


def _activation(idea: Idea, entry: float) -> float:
    return entry + idea.moves.callback_from_risks * _risk(idea)


def _risk(idea: Idea) -> float:
    return abs(idea.entry_price - idea.stop_price)


def _on_tick(price: float, tick: float) -> float:
    return round(price / tick) * tick if tick else price


def _result(
    idea: Idea, course: Course, end: ShadowEnd, price: float, ended_ms: int, costs: Costs
) -> ShadowResult:
    assert course.entry is not None, "nothing ends before its entry"
    sign = course.sign
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
