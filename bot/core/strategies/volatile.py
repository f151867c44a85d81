"""Volatile: join a burst that RSI, MACD and the Bollinger bands agree on.

Pure. Must not know: accounts, sizes, or what becomes of a signal.

**Burst.** This close leaves the band, and the one before it had not: long above, short below.
**Squeeze.** The band was narrow before: at most `squeeze_max` of its width `squeeze_bars` ago or of
its usual width, so the move starts something. **Agreement.** MACD's histogram points the same way
and grows; the strength index is on the same side of 50 and not beyond `rsi_max`. **Stop** at
`stop_atr` ATRs, wider than elsewhere, **target** at `reward_risk` times that.

**Score**, 100 points: burst 30 (this bar's move in ATRs), histogram 25 (its growth in ATRs),
strength 20 (index beyond 50), squeeze 15 (how narrow it was), volume 10.
"""

from dataclasses import dataclass
from typing import Final

from bot.core.strategies.strategy import Proposal, Strategy, share
from bot.core.strategies.window import Bars, Context, volume_ratio
from data.indicators import atr, bollinger, macd, macd_bars, rsi, tail_bars
from data.model import Direction

NAME: Final = "volatile"

BURST_POINTS: Final = 30.0
HISTOGRAM_POINTS: Final = 25.0
STRENGTH_POINTS: Final = 20.0
SQUEEZE_POINTS: Final = 15.0
VOLUME_POINTS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VolatileParams:
    """Bars are counted in bars of the window's own timeframe, distances in ATRs."""

    band_bars: int = 20
    deviations: float = 2.0
    rsi_bars: int = 14
    rsi_max: float = 80.0  # for a long; 100 less this for a short
    macd_fast: int = 12
    macd_slow: int = 26
    macd_signal: int = 9
    atr_bars: int = 14
    squeeze_bars: int = 60
    squeeze_max: float = 1.0
    volume_bars: int = 20
    stop_atr: float = 2.5
    reward_risk: float = 1.6

    def fault(self) -> str | None:
        """What is wrong between the parameters, as one sentence."""
        if self.macd_fast >= self.macd_slow:
            return f"macd_fast is {self.macd_fast}; it must be below macd_slow, {self.macd_slow}."
        return None


BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "band_bars": (5, 100),
    "deviations": (1.0, 4.0),
    "rsi_bars": (2, 30),
    "rsi_max": (55, 100),
    "macd_fast": (2, 30),
    "macd_slow": (3, 50),
    "macd_signal": (2, 12),
    "atr_bars": (5, 30),
    "squeeze_bars": (5, 300),
    "squeeze_max": (0.1, 5),
    "volume_bars": (5, 100),
    "stop_atr": (0.5, 10),
    "reward_risk": (0.5, 10),
}


def bars_needed(params: VolatileParams) -> int:
    """How many closed bars make every part of the score well defined."""
    return 1 + max(
        params.band_bars + params.squeeze_bars,
        macd_bars(params.macd_slow, params.macd_signal),
        tail_bars(params.rsi_bars),
        tail_bars(params.atr_bars),
        params.volume_bars,
    )


def volatile(params: VolatileParams, bars: Bars, context: Context) -> Proposal | None:
    """A proposal when the newest bar bursts out of a narrow band, or None."""
    del context
    direction = _burst(params, bars)
    if direction is None:
        return None
    squeeze = _squeeze(params, bars)
    if squeeze is None or squeeze > params.squeeze_max:
        return None
    close, sign = bars.close, direction.sign
    fast, slow, signal = params.macd_fast, params.macd_slow, params.macd_signal
    now, before = macd(close, fast, slow, signal), macd(close[:-1], fast, slow, signal)
    strength = rsi(close, params.rsi_bars)
    swing = atr(bars.high[:-1], bars.low[:-1], close[:-1], params.atr_bars)
    if now is None or before is None or strength is None or swing is None or not swing > 0:
        return None
    growth = sign * (now[2] - before[2])
    ahead = strength if direction is Direction.LONG else 100 - strength
    if growth <= 0 or sign * now[2] <= 0 or not 50 < ahead <= params.rsi_max:
        return None
    move = sign * float(close[-1] - close[-2]) / swing
    volume = volume_ratio(bars, params.volume_bars)
    return Proposal(
        direction=direction,
        stop_distance=params.stop_atr * swing,
        reward_risk=params.reward_risk,
        parts=(
            ("burst", BURST_POINTS * share(move, 0.5, 2.5)),
            ("histogram", HISTOGRAM_POINTS * share(growth / swing, 0.0, 0.3)),
            ("strength", STRENGTH_POINTS * share(ahead, 50.0, 70.0)),
            ("squeeze", SQUEEZE_POINTS * (1 - share(squeeze, 0.4, 1.1))),
            ("volume", VOLUME_POINTS * share(volume, 1.0, 2.5)),
        ),
        reasons=(
            f"Burst of {move:.1f} ATR {'above' if sign > 0 else 'below'} a band "
            f"{squeeze:.2f} times as wide as usual.",
            f"MACD histogram grows, strength index {strength:.0f}.",
            f"Volume {volume:.1f} times the usual.",
        ),
    )


def _burst(params: VolatileParams, bars: Bars) -> Direction | None:
    close = bars.close
    # The band without this bar: a burst would stretch the very band it leaves.
    band = bollinger(close[:-1], params.band_bars, params.deviations)
    if band is None or not band[2] <= float(close[-2]) <= band[0]:
        return None
    last = float(close[-1])
    if last > band[0]:
        return Direction.LONG
    return Direction.SHORT if last < band[2] else None


def _squeeze(params: VolatileParams, bars: Bars) -> float | None:
    """The band's width before this bar over that of `squeeze_bars` ago."""
    close = bars.close[:-1]
    now = bollinger(close, params.band_bars, params.deviations)
    then = bollinger(close[: -params.squeeze_bars], params.band_bars, params.deviations)
    usual = bollinger(close, params.squeeze_bars, params.deviations)
    if now is None or then is None or usual is None:
        return None
    wide = max(then[0] - then[2], usual[0] - usual[2])
    return (now[0] - now[2]) / wide if wide > 0 else None


STRATEGY: Final = Strategy(
    name=NAME,
    model=NAME,
    summary="Bursts out of a narrow Bollinger band that MACD and RSI agree with.",
    params_type=VolatileParams,
    bounds=BOUNDS,
    evaluate=volatile,
    bars_needed=bars_needed,
)
