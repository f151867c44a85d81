"""Reversal: fade a stretch beyond the Bollinger band once the price is back inside it.

Pure. Must not know: accounts, sizes, or what becomes of a signal.

**Stretch.** The bar before closed outside a band and this one closes inside it again: below the
lower band for a long, above the upper one for a short. It happens on one bar, so it fires once.
**Exhaustion.** The strength index went beyond its edge on the bar before. **Range.** The
directional index is at most `adx_max`: a band is no wall in a trend. **Stop** at `stop_atr` ATRs,
**target** at `reward_risk` times that.

**Score**, 100 points: stretch 30 (how far outside the bar before closed, in ATRs), exhaustion 25
(strength index beyond its edge), range 20 (directional index), return 15 (how far this close came
back within its bar), volume 10 (the stretched bar over the mean: a climax).
"""

from dataclasses import dataclass
from typing import Final

from bot.core.strategies.strategy import Proposal, Strategy, share
from bot.core.strategies.window import Bars, Context
from data.indicators import adx, atr, bollinger, rsi, sma, tail_bars
from data.model import Direction

NAME: Final = "reversal"

STRETCH_POINTS: Final = 30.0
EXHAUSTION_POINTS: Final = 25.0
RANGE_POINTS: Final = 20.0
RETURN_POINTS: Final = 15.0
VOLUME_POINTS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalParams:
    """Bars are counted in bars of the window's own timeframe, distances in ATRs."""

    band_bars: int = 20
    deviations: float = 2.0
    rsi_bars: int = 14
    rsi_edge: float = 30.0  # oversold; overbought is 100 less this
    adx_bars: int = 14
    adx_max: float = 30.0
    atr_bars: int = 14
    volume_bars: int = 20
    stop_atr: float = 1.5
    reward_risk: float = 1.5


BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "band_bars": (5, 100),
    "deviations": (1.0, 4.0),
    "rsi_bars": (2, 30),
    "rsi_edge": (5, 49),
    "adx_bars": (5, 30),
    "adx_max": (10, 100),
    "atr_bars": (5, 30),
    "volume_bars": (5, 100),
    "stop_atr": (0.5, 10),
    "reward_risk": (0.5, 10),
}


def bars_needed(params: ReversalParams) -> int:
    """How many closed bars make every part of the score well defined."""
    return 1 + max(
        params.band_bars,
        tail_bars(params.rsi_bars),
        tail_bars(params.adx_bars),
        tail_bars(params.atr_bars),
        params.volume_bars,
    )


def reversal(params: ReversalParams, bars: Bars, context: Context) -> Proposal | None:
    """A proposal when the newest bar comes back inside its band, or None."""
    del context
    close = bars.close
    before = bollinger(close[:-1], params.band_bars, params.deviations)
    now = bollinger(close, params.band_bars, params.deviations)
    if before is None or now is None:
        return None
    last, stretched = float(close[-1]), float(close[-2])
    if stretched < before[2] and now[2] <= last <= now[1]:
        direction, outside = Direction.LONG, before[2] - stretched
    elif stretched > before[0] and now[1] <= last <= now[0]:
        direction, outside = Direction.SHORT, stretched - before[0]
    else:
        return None
    strength = rsi(close[:-1], params.rsi_bars)
    trending = adx(bars.high, bars.low, close, params.adx_bars)
    swing = atr(bars.high, bars.low, close, params.atr_bars)
    if strength is None or trending is None or swing is None or not swing > 0:
        return None
    weakness = strength if direction is Direction.LONG else 100 - strength
    if weakness > params.rsi_edge or trending > params.adx_max:
        return None
    return Proposal(
        direction=direction,
        stop_distance=params.stop_atr * swing,
        reward_risk=params.reward_risk,
        parts=(
            ("stretch", STRETCH_POINTS * share(outside / swing, 0.0, 0.4)),
            ("exhaustion", EXHAUSTION_POINTS * share(params.rsi_edge - weakness, -5.0, 12.0)),
            ("range", RANGE_POINTS * (1 - share(trending, 12.0, 35.0))),
            ("return", RETURN_POINTS * share(_returned(bars, direction), 0.2, 0.8)),
            ("volume", VOLUME_POINTS * share(_climax(params, bars), 0.8, 2.0)),
        ),
        reasons=(
            f"Back inside the {'lower' if direction is Direction.LONG else 'upper'} band of "
            f"{params.band_bars} bars after a close {outside / swing:.1f} ATR outside it.",
            f"Strength index was {strength:.0f}.",
            f"No trend: directional index {trending:.0f}.",
        ),
    )


def _returned(bars: Bars, direction: Direction) -> float:
    high, low, last = float(bars.high[-1]), float(bars.low[-1]), float(bars.close[-1])
    if not high > low:
        return 0.0
    return ((last - low) if direction is Direction.LONG else (high - last)) / (high - low)


def _climax(params: ReversalParams, bars: Bars) -> float:
    usual = sma(bars.volume[:-1], params.volume_bars)
    return float(bars.volume[-2]) / usual if usual else 0.0


STRATEGY: Final = Strategy(
    name=NAME,
    model=NAME,
    summary="Mean reversion: back inside the Bollinger band after an exhausted stretch.",
    params_type=ReversalParams,
    bounds=BOUNDS,
    evaluate=reversal,
    bars_needed=bars_needed,
)
