"""Conservative: few trades, with an established trend only, after it has rested.

Pure. Must not know: accounts, sizes, or what becomes of a signal.

**Trend.** The fast average is above the slow one and the close above the slow one (long; short
mirrored), the directional index is between `adx_min` and `adx_max`, and the higher timeframe
agrees when the bot follows one. **Rest.** The strength index fell under `rest` within the last
`rest_bars` bars (for a short: rose over 100 less it). **Turn.** On this bar the close passes the
fast average, and the one before had not: it fires once. **Calm.** This bar's range is at most
`range_max` ATRs: nothing is chased. **Stop** at `stop_atr` ATRs, **target** at `reward_risk` times
that.

**Score**, 100 points: trend 30 (directional index), order 25 (distance of the averages in ATRs),
rest 20 (how deep), calm 15 (range of this bar), volume 10.
"""

from dataclasses import dataclass
from typing import Final

from bot.core.strategies.strategy import Proposal, Strategy, share
from bot.core.strategies.window import Bars, Context, higher_agrees, volume_ratio
from data.indicators import adx, atr, rsi, sma, tail_bars
from data.model import Direction

NAME: Final = "conservative"

TREND_POINTS: Final = 30.0
ORDER_POINTS: Final = 25.0
REST_POINTS: Final = 20.0
CALM_POINTS: Final = 15.0
VOLUME_POINTS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConservativeParams:
    """Bars are counted in bars of the window's own timeframe, distances in ATRs."""

    fast_bars: int = 20
    slow_bars: int = 100
    adx_bars: int = 14
    adx_min: float = 18.0
    adx_max: float = 50.0
    rsi_bars: int = 14
    rest: float = 48.0
    rest_bars: int = 5
    atr_bars: int = 14
    range_max: float = 2.0
    volume_bars: int = 20
    stop_atr: float = 2.5
    reward_risk: float = 2.0
    trend_bars: int = 20  # of the higher timeframe, when the bot follows one

    def fault(self) -> str | None:
        """What is wrong between the parameters, as one sentence."""
        if self.fast_bars >= self.slow_bars:
            return f"fast_bars is {self.fast_bars}; it must be below slow_bars, {self.slow_bars}."
        if self.adx_min >= self.adx_max:
            return f"adx_min is {self.adx_min:g}; it must be below adx_max, {self.adx_max:g}."
        return None


BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "fast_bars": (3, 100),
    "slow_bars": (5, 400),
    "adx_bars": (5, 30),
    "adx_min": (0, 60),
    "adx_max": (10, 100),
    "rsi_bars": (2, 30),
    "rest": (20, 60),
    "rest_bars": (1, 20),
    "atr_bars": (5, 30),
    "range_max": (0.5, 10),
    "volume_bars": (5, 100),
    "stop_atr": (0.5, 10),
    "reward_risk": (0.5, 10),
    "trend_bars": (3, 200),
}


def bars_needed(params: ConservativeParams) -> int:
    """How many closed bars make every part of the score well defined."""
    return max(
        params.slow_bars,
        tail_bars(params.adx_bars),
        tail_bars(params.rsi_bars) + params.rest_bars,
        tail_bars(params.atr_bars),
        params.volume_bars + 1,
        params.fast_bars + 1,
    )


def conservative(params: ConservativeParams, bars: Bars, context: Context) -> Proposal | None:
    """A proposal when a rested trend turns back its own way on the newest bar, or None."""
    close = bars.close
    direction, order = _turn(params, bars)
    if direction is None or not higher_agrees(context, direction, params.trend_bars):
        return None
    swing = atr(bars.high, bars.low, close, params.atr_bars)
    trending = adx(bars.high, bars.low, close, params.adx_bars)
    rested = _rest(params, bars, direction)
    if swing is None or trending is None or rested is None or not swing > 0:
        return None
    reach = float(bars.high[-1] - bars.low[-1]) / swing
    if not params.adx_min <= trending <= params.adx_max:
        return None
    if rested > params.rest or reach > params.range_max:
        return None
    volume = volume_ratio(bars, params.volume_bars)
    up = direction is Direction.LONG
    return Proposal(
        direction=direction,
        stop_distance=params.stop_atr * swing,
        reward_risk=params.reward_risk,
        parts=(
            ("trend", TREND_POINTS * share(trending, 10.0, 28.0)),
            ("order", ORDER_POINTS * share(order / swing, 0.0, 2.0)),
            ("rest", REST_POINTS * share(params.rest - rested, -6.0, 8.0)),
            ("calm", CALM_POINTS * (1 - share(reach, 1.0, 2.5))),
            ("volume", VOLUME_POINTS * share(volume, 0.5, 1.5)),
        ),
        reasons=(
            f"Close passes the {params.fast_bars}-bar average, which is "
            f"{'above' if up else 'below'} the {params.slow_bars}-bar one.",
            f"Trend with directional index {trending:.0f}, rested to a strength index of "
            f"{rested if up else 100 - rested:.0f}.",
            f"Calm bar of {reach:.1f} ATR, volume {volume:.1f} times the usual.",
        ),
    )


def _turn(params: ConservativeParams, bars: Bars) -> tuple[Direction | None, float]:
    """Which way the close passed the fast average, with the averages' distance."""
    close = bars.close
    fast, slow = sma(close, params.fast_bars), sma(close, params.slow_bars)
    before = sma(close[:-1], params.fast_bars)
    if fast is None or slow is None or before is None:
        return None, 0.0
    last, previous = float(close[-1]), float(close[-2])
    if fast > slow and previous <= before and last > max(fast, slow):
        return Direction.LONG, fast - slow
    if fast < slow and previous >= before and last < min(fast, slow):
        return Direction.SHORT, slow - fast
    return None, 0.0


def _rest(params: ConservativeParams, bars: Bars, direction: Direction) -> float | None:
    """The weakest strength index of the last bars, seen from the trade's side."""
    found = []
    for back in range(1, params.rest_bars + 1):
        strength = rsi(bars.close[:-back], params.rsi_bars)
        if strength is None:
            return None
        found.append(strength if direction is Direction.LONG else 100 - strength)
    return min(found)


STRATEGY: Final = Strategy(
    name=NAME,
    model=NAME,
    summary="Few trades: an established trend that has rested turns its own way on a calm bar.",
    params_type=ConservativeParams,
    bounds=BOUNDS,
    evaluate=conservative,
    bars_needed=bars_needed,
)
