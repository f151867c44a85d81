"""Continuation: join a trend where it starts moving again.

Pure. Must not know: accounts, sizes, or what becomes of a signal.

**Trend.** Long when the close is above the fast average, the fast above the slow, and the fast
rises; short mirrored. **Trigger**, one of two, and only on the bar where it happens:
- *breakout*: the close passes the extreme of the last `breakout_bars`, and that extreme is at least
  `fresh_bars` old, so a market that makes a new high on every bar fires once, not each time;
- *resumption*: within the last `fresh_bars` the price came back to the fast average (within a
  quarter of the ATR), and this close, unlike the one before it, passes all of the `fresh_bars`.
**Momentum** (rate of change) must point the same way, and so must the higher timeframe when the bot
follows one. **Stop** at `stop_atr` ATRs from the close, **target** at `reward_risk` times that.

**Score**, 100 points: trend 30 (distance between the averages), momentum 25 (rate of change in
ATRs), volume 20 (this bar over its mean), body 15 (the close near the bar's extreme), distance 10
(not yet far from the fast average). Each part is linear between nothing and full marks.
"""

from dataclasses import dataclass
from typing import Final

from bot.core.strategies.strategy import Proposal, Strategy, share
from bot.core.strategies.window import Bars, Context, higher_agrees, volume_ratio
from data.indicators import atr, sma, tail_bars
from data.model import Direction

NAME: Final = "continuation"
PULLBACK_ATRS: Final = 0.25  # how near the fast average counts as touching it

TREND_POINTS: Final = 30.0
MOMENTUM_POINTS: Final = 25.0
VOLUME_POINTS: Final = 20.0
BODY_POINTS: Final = 15.0
DISTANCE_POINTS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContinuationParams:
    """Bars are counted in bars of the window's own timeframe, distances in ATRs."""

    fast_bars: int = 20
    slow_bars: int = 50
    momentum_bars: int = 10
    atr_bars: int = 14
    volume_bars: int = 20
    breakout_bars: int = 20
    fresh_bars: int = 5
    stop_atr: float = 2.0
    reward_risk: float = 1.8
    score_min: float = 60.0
    trend_bars: int = 20  # of the higher timeframe, when the bot follows one

    def fault(self) -> str | None:
        """What is wrong between the parameters, as one sentence."""
        if self.fast_bars >= self.slow_bars:
            return f"fast_bars is {self.fast_bars}; it must be below slow_bars, {self.slow_bars}."
        if self.fresh_bars >= self.breakout_bars:
            return (
                f"fresh_bars is {self.fresh_bars}; "
                f"it must be below breakout_bars, {self.breakout_bars}."
            )
        return None


BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "fast_bars": (3, 100),
    "slow_bars": (5, 200),
    "momentum_bars": (2, 100),
    "atr_bars": (5, 50),
    "volume_bars": (5, 100),
    "breakout_bars": (5, 100),
    "fresh_bars": (2, 30),
    "stop_atr": (0.5, 10),
    "reward_risk": (0.5, 10),
    "score_min": (0, 100),
    "trend_bars": (3, 200),
}


def bars_needed(params: ContinuationParams) -> int:
    """How many closed bars make every part of the score well defined."""
    return max(
        params.slow_bars + params.fresh_bars,
        tail_bars(params.atr_bars),
        params.momentum_bars + 1,
        params.volume_bars + 1,
        params.breakout_bars + 2,
    )


def continuation(params: ContinuationParams, bars: Bars, context: Context) -> Proposal | None:
    """A proposal when a trend starts moving again on the newest bar, or None.

    `bars` holds at least `bars_needed(params)`; only their tails are read.
    """
    trend = _trend_of(params, bars)
    if trend is None or not _is_triggered(params, bars, trend):
        return None
    if not higher_agrees(context, trend.direction, params.trend_bars):
        return None
    proposal = Proposal(
        direction=trend.direction,
        stop_distance=params.stop_atr * trend.atr,
        reward_risk=params.reward_risk,
        parts=_parts_of(params, bars, trend),
        reasons=_reasons_of(params, bars, trend),
    )
    return proposal if proposal.score >= params.score_min else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trend:
    direction: Direction
    fast: float
    slow: float
    atr: float
    move: float  # of the close over `momentum_bars`, positive when it goes the trend's way


def _trend_of(params: ContinuationParams, bars: Bars) -> _Trend | None:
    close = bars.close
    last = float(close[-1])
    fast, slow = sma(close, params.fast_bars), sma(close, params.slow_bars)
    if fast is None or slow is None:
        return None
    if last > fast > slow:
        direction = Direction.LONG
    elif last < fast < slow:
        direction = Direction.SHORT
    else:
        return None
    sign = direction.sign
    start = len(close) - params.fresh_bars - params.fast_bars
    before = sma(close[start : -params.fresh_bars], params.fast_bars)
    move = sign * (last - float(close[-1 - params.momentum_bars]))
    if before is None or sign * (fast - before) <= 0 or move <= 0:
        return None
    swing = atr(bars.high, bars.low, close, params.atr_bars)
    if swing is None or not swing > 0:
        return None
    return _Trend(direction=direction, fast=fast, slow=slow, atr=swing, move=move)


def _is_triggered(params: ContinuationParams, bars: Bars, trend: _Trend) -> bool:
    sign = trend.direction.sign
    # Mirrored so that "ahead" is up for a long and down for a short.
    ahead = sign * (bars.high if sign > 0 else bars.low)[-1 - params.breakout_bars :]
    last, before = sign * float(bars.close[-1]), sign * float(bars.close[-2])
    fresh = params.fresh_bars
    level = float(ahead[: -1 - fresh].max())
    recent = float(ahead[-1 - fresh : -1].max())
    if last > level >= recent:
        return True
    behind = sign * (bars.low if sign > 0 else bars.high)[-1 - fresh : -1]
    touched = float(behind.min()) <= sign * trend.fast + PULLBACK_ATRS * trend.atr
    return touched and last > recent and before <= float(ahead[-2 - fresh : -2].max())


def _parts_of(
    params: ContinuationParams, bars: Bars, trend: _Trend
) -> tuple[tuple[str, float], ...]:
    sign, last = trend.direction.sign, float(bars.close[-1])
    high, low = float(bars.high[-1]), float(bars.low[-1])
    body = ((last - low) if sign > 0 else (high - last)) / (high - low) if high > low else 0.0
    stretch = sign * (last - trend.fast) / trend.atr
    return (
        ("trend", TREND_POINTS * share(abs(trend.fast - trend.slow) / trend.atr, 0.0, 1.5)),
        ("momentum", MOMENTUM_POINTS * share(trend.move / trend.atr, 0.0, 3.0)),
        ("volume", VOLUME_POINTS * share(volume_ratio(bars, params.volume_bars), 0.5, 1.5)),
        ("body", BODY_POINTS * share(body, 0.3, 0.9)),
        ("distance", DISTANCE_POINTS * (1 - share(stretch, 1.5, 4.0))),
    )


def _reasons_of(params: ContinuationParams, bars: Bars, trend: _Trend) -> tuple[str, ...]:
    up = trend.direction is Direction.LONG
    change_pct = 100 * float(bars.close[-1] / bars.close[-1 - params.momentum_bars] - 1)
    return (
        f"Price {'above' if up else 'below'} its {params.fast_bars}-bar average, "
        f"which is {'above' if up else 'below'} the {params.slow_bars}-bar one.",
        f"{change_pct:+.2f} % over {params.momentum_bars} bars.",
        f"Volume {volume_ratio(bars, params.volume_bars):.1f} times the usual.",
    )


STRATEGY: Final = Strategy(
    name=NAME,
    model=NAME,
    summary="Trend by two moving averages; enters on a fresh breakout or a resumed pullback.",
    params_type=ContinuationParams,
    bounds=BOUNDS,
    evaluate=continuation,
    bars_needed=bars_needed,
)
