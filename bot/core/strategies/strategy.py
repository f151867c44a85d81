"""A strategy as a record, what it may propose, and how a proposal becomes a signal.

A strategy says which way, how far the stop and why; ids, prices on the tick and bounds are made
here, once, so no strategy can get them wrong. Must not know: any strategy.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from typing import Any, Final

from bot.core.strategies.window import Bars, Context
from data.indicators import atr
from data.model import Direction, Signal
from data.money import ZERO, ceil_to, floor_to, round_to
from data.untrusted import tidy

PARTS_MAX: Final = 12
REASONS_MAX: Final = 8
TEXT_LENGTH_MAX: Final = 300  # of a reason; a card has room for a few
WORD_LENGTH_MAX: Final = 60
NAME_LENGTH_MAX: Final = 24
SCORE_MAX: Final = 100.0
ATR_BARS: Final = 14  # what a signal tells of the market's swing, whatever its strategy looks at


class StrategyFault(ValueError):
    """What a strategy gave back is no proposal: which field, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A trade a strategy would make at the newest bar's close."""

    direction: Direction
    stop_distance: float  # from the close, in price units; ATRs times a factor
    reward_risk: float  # the target is this many stop distances away
    parts: tuple[tuple[str, float], ...]  # the score's parts in points; their sum is 0..100
    reasons: tuple[str, ...]  # in words, for people
    model: str = ""  # what memory groups by; "": the strategy's own
    size_share: float = 1.0  # of the ordinary size: above 0, at most 1; it only ever shrinks

    @property
    def score(self) -> float:
        """The sum of the parts."""
        return sum(points for _, points in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One strategy. `bounds`: parameter -> (lowest, highest), both allowed."""

    name: str
    model: str  # what memory groups by
    summary: str
    params_type: type[Any]  # a frozen record of int and float with defaults
    bounds: Mapping[str, tuple[float, float]]
    evaluate: Callable[[Any, Bars, Context], Proposal | None]
    bars_needed: Callable[[Any], int]  # at most 500, what a window holds
    wants_news: bool = False
    wants_provisional: bool = False


def share(value: float, nothing: float, full: float) -> float:
    """How much of a part is earned: 0 at `nothing`, 1 at `full`, linear between."""
    return min(1.0, max(0.0, (value - nothing) / (full - nothing)))


def fault_of(proposal: object) -> str | None:
    """What makes a proposal unusable, in words; None when nothing does."""
    if not isinstance(proposal, Proposal):
        return f"it returned {type(proposal).__name__}; allowed is a Proposal or None"
    direction: object = proposal.direction  # as somebody's file gave it, whatever its type says
    if not isinstance(direction, Direction):
        return f"direction is {direction!r}; allowed is Direction.LONG or .SHORT"
    for name, low, high in (
        ("stop_distance", 0.0, float("inf")),
        ("reward_risk", 0.0, 100.0),
        ("size_share", 0.0, 1.0),
    ):
        value = getattr(proposal, name)
        if not (_is_number(value) and low < value <= high):
            return f"{name} is {value!r}; allowed is a number above {low:g}, at most {high:g}"
    if not (isinstance(proposal.model, str) and len(proposal.model) <= NAME_LENGTH_MAX):
        return f"model is {proposal.model!r}; allowed is a short text"
    return _words_fault(proposal)


def signal_of(
    strategy: Strategy, proposal: Proposal, bars: Bars, context: Context
) -> Signal | None:
    """The signal of a sound proposal; None when a stop that far leaves no room for an exit.

    Stop and target are rounded to the tick away from the entry, so neither is nearer than said.
    """
    tick, symbol = context.instrument.tick_size, context.instrument.symbol
    entry = round_to(Decimal(str(float(bars.close[-1]))), tick)
    distance = Decimal(str(proposal.stop_distance))
    reward = distance * Decimal(str(proposal.reward_risk))
    if proposal.direction is Direction.LONG:
        stop, target = floor_to(entry - distance, tick), ceil_to(entry + reward, tick)
    else:
        stop, target = ceil_to(entry + distance, tick), floor_to(entry - reward, tick)
    if min(entry, stop, target) <= 0:
        return None
    bar_open_ms = int(bars.open_ms[-1])
    return Signal(
        signal_id=f"{context.bot_id}-{symbol}-{context.timeframe}-{bar_open_ms}",
        bot_id=context.bot_id,
        strategy=strategy.name,
        model=proposal.model or strategy.model,
        symbol=symbol,
        timeframe=context.timeframe,
        bar_open_ms=bar_open_ms,
        raised_ms=context.now_ms,
        direction=proposal.direction,
        entry_price=entry,
        stop_price=stop,
        target_price=target,
        score=round(proposal.score, 1),
        atr=_atr_of(bars, tick),
        parts=tuple((tidy(name, WORD_LENGTH_MAX), round(n, 1)) for name, n in proposal.parts),
        # A strategy may quote what others wrote; half a letter of it could not even be kept.
        reasons=tuple(tidy(reason, TEXT_LENGTH_MAX) for reason in proposal.reasons),
        size_share=Decimal(str(round(proposal.size_share, 4))),
    )


def _atr_of(bars: Bars, tick: Decimal) -> Decimal:
    swing = atr(bars.high, bars.low, bars.close, ATR_BARS)
    return round_to(Decimal(str(swing)), tick) if swing is not None and isfinite(swing) else ZERO


def _words_fault(proposal: Proposal) -> str | None:
    parts: object = proposal.parts
    reasons: object = proposal.reasons
    if not (isinstance(parts, tuple) and len(parts) <= PARTS_MAX):
        return f"parts is no tuple of at most {PARTS_MAX} (name, points)"
    for part in parts:
        if not (isinstance(part, tuple) and len(part) == 2 and isinstance(part[0], str)):
            return f"parts has {part!r}; allowed is (name, points)"
        if not (_is_number(part[1]) and part[1] >= 0):
            return f"the part {part[0]!r} is {part[1]!r}; allowed is a number of points from 0 up"
    if proposal.score > SCORE_MAX + 1e-9:
        return f"the score is {proposal.score:g}; allowed is 0 to {SCORE_MAX:g}"
    if not (isinstance(reasons, tuple) and len(reasons) <= REASONS_MAX):
        return f"reasons is no tuple of at most {REASONS_MAX} texts"
    for reason in reasons:
        if not (isinstance(reason, str) and len(reason) <= TEXT_LENGTH_MAX):
            return f"a reason is {str(reason)[:40]!r}; allowed is a text of {TEXT_LENGTH_MAX}"
    return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
