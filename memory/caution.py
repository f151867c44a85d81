"""Caution: how the last trades make a model's confidence count for less (product sheet C).

A model is asked for this in words; here the same is arithmetic, so that it holds whether it obeyed
or not. It can only take confidence away. Must not know: who obeys, or any single answer.

Over a bot's last 15 closed trades, from 5 on (fewer say too little):
- a win rate under 40 % demands that the model itself says more than 85;
- three losses in a row take 15 points off, four 17.5, five or more 20;
- stops that ended more than 60 % of them take 5 more.

The demand is laid on what the model said and not on what is left of it: otherwise a streak within a
bad window could never end, because nothing would be traded that might end it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from data.money import ZERO
from memory.history import Closed, in_order, losses_in_a_row

WINDOW: Final = 15
TRADES_MIN: Final = 5
WIN_RATE_PCT_MIN: Final = 40
CONFIDENCE_DEMANDED: Final = 85.0
STOP_RATE_PCT_MAX: Final = 60
STOP_POINTS: Final = 5.0
STREAK_MIN: Final = 3
STREAK_POINTS: Final = 15.0
STREAK_POINTS_EACH: Final = 2.5  # for each further loss
STREAK_POINTS_MAX: Final = 20.0
STOPPED: Final = "stop_loss"


class Ended(Closed, Protocol):
    """A closed trade that says how it ended."""

    @property
    def exit_reason(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Caution:
    """What recent results ask of a confidence of 0 to 100. The defaults ask nothing."""

    points_off: float = 0.0
    demanded_above: float | None = None  # the model's own confidence must be higher
    reasons: tuple[str, ...] = ()

    def adjusted(self, confidence: float) -> float:
        """What is left of a confidence; never more than it was, never below 0."""
        return max(0.0, confidence - self.points_off)

    def lets(self, confidence: float, confidence_min: float) -> bool:
        """Whether a model's confidence is enough, under the bot's own least one."""
        told_enough = self.demanded_above is None or confidence > self.demanded_above
        return told_enough and self.adjusted(confidence) >= confidence_min


def caution_of(trades: Iterable[Ended]) -> Caution:
    """The caution after these closed trades of one bot, in any order; the newest 15 count."""
    last = in_order(trades)[-WINDOW:]
    if len(last) < TRADES_MIN:
        return Caution()
    points, demanded, reasons = 0.0, None, []
    if _is_win_rate_low(last):
        demanded = CONFIDENCE_DEMANDED
        reasons.append(f"under {WIN_RATE_PCT_MIN} % of the last {len(last)} trades won")
    losses = losses_in_a_row(last)
    if losses >= STREAK_MIN:
        more = STREAK_POINTS_EACH * (losses - STREAK_MIN)
        points += min(STREAK_POINTS + more, STREAK_POINTS_MAX)
        reasons.append(f"{losses} losses in a row")
    stopped = sum(trade.exit_reason == STOPPED for trade in last)
    if 100 * stopped > STOP_RATE_PCT_MAX * len(last):
        points += STOP_POINTS
        reasons.append(f"stops ended {stopped} of the last {len(last)} trades")
    return Caution(points_off=points, demanded_above=demanded, reasons=tuple(reasons))


def _is_win_rate_low(last: Sequence[Ended]) -> bool:
    wins = sum(trade.pnl_usdt > ZERO for trade in last)
    return 100 * wins < WIN_RATE_PCT_MIN * len(last)
