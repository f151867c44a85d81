"""Sentiment: a technical turn that the news agrees with.

Pure. Must not know: where news come from; it is told one number from -1 to +1.

**News.** A score of at least `news_min` on either side; without news nothing is proposed, because
silence is no opinion. **Turn.** MACD's histogram changes to the news' side on this bar, so it fires
once. **Trend.** The close is on that side of the slow average. **Room.** The strength index is not
beyond `rsi_max`. **Stop** at `stop_atr` ATRs, **target** at `reward_risk` times that.

**Score**, 100 points: news 40, trend 20 (distance from the slow average in ATRs), turn 20
(histogram's change in ATRs), room 10, volume 10.
"""

from dataclasses import dataclass
from typing import Final

from bot.core.strategies.strategy import Proposal, Strategy, share
from bot.core.strategies.window import Bars, Context, volume_ratio
from data.indicators import atr, macd, macd_bars, rsi, sma, tail_bars
from data.model import Direction

NAME: Final = "sentiment"

NEWS_POINTS: Final = 40.0
TREND_POINTS: Final = 20.0
TURN_POINTS: Final = 20.0
ROOM_POINTS: Final = 10.0
VOLUME_POINTS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SentimentParams:
    """Bars are counted in bars of the window's own timeframe, distances in ATRs."""

    news_min: float = 0.2
    slow_bars: int = 50
    macd_fast: int = 12
    macd_slow: int = 26
    macd_signal: int = 9
    rsi_bars: int = 14
    rsi_max: float = 72.0
    atr_bars: int = 14
    volume_bars: int = 20
    stop_atr: float = 2.0
    reward_risk: float = 1.8

    def fault(self) -> str | None:
        """What is wrong between the parameters, as one sentence."""
        if self.macd_fast >= self.macd_slow:
            return f"macd_fast is {self.macd_fast}; it must be below macd_slow, {self.macd_slow}."
        return None


BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "news_min": (0.05, 1),
    "slow_bars": (5, 400),
    "macd_fast": (2, 30),
    "macd_slow": (3, 50),
    "macd_signal": (2, 12),
    "rsi_bars": (2, 30),
    "rsi_max": (55, 100),
    "atr_bars": (5, 30),
    "volume_bars": (5, 100),
    "stop_atr": (0.5, 10),
    "reward_risk": (0.5, 10),
}


def bars_needed(params: SentimentParams) -> int:
    """How many closed bars make every part of the score well defined."""
    return 1 + max(
        params.slow_bars,
        macd_bars(params.macd_slow, params.macd_signal),
        tail_bars(params.rsi_bars),
        tail_bars(params.atr_bars),
        params.volume_bars,
    )


def sentiment(params: SentimentParams, bars: Bars, context: Context) -> Proposal | None:
    """A proposal when the newest bar turns the way the news points, or None."""
    news = context.news_score
    if news is None or not params.news_min <= abs(news) <= 1.0:
        return None
    direction = Direction.LONG if news > 0 else Direction.SHORT
    sign, close = direction.sign, bars.close
    fast, slow, signal = params.macd_fast, params.macd_slow, params.macd_signal
    now, before = macd(close, fast, slow, signal), macd(close[:-1], fast, slow, signal)
    average = sma(close, params.slow_bars)
    if now is None or before is None or average is None:
        return None
    away = sign * (float(close[-1]) - average)
    if not (sign * now[2] > 0 >= sign * before[2] and away > 0):
        return None
    strength = rsi(close, params.rsi_bars)
    swing = atr(bars.high, bars.low, close, params.atr_bars)
    if strength is None or swing is None or not swing > 0:
        return None
    ahead = strength if direction is Direction.LONG else 100 - strength
    if ahead > params.rsi_max:
        return None
    volume = volume_ratio(bars, params.volume_bars)
    return Proposal(
        direction=direction,
        stop_distance=params.stop_atr * swing,
        reward_risk=params.reward_risk,
        parts=(
            ("news", NEWS_POINTS * share(abs(news), 0.0, 0.7)),
            ("trend", TREND_POINTS * share(away / swing, 0.0, 2.0)),
            ("turn", TURN_POINTS * share(sign * (now[2] - before[2]) / swing, 0.0, 0.2)),
            ("room", ROOM_POINTS * (1 - share(ahead, 50.0, params.rsi_max))),
            ("volume", VOLUME_POINTS * share(volume, 0.5, 1.5)),
        ),
        reasons=(
            f"News score {news:+.2f}.",
            f"MACD histogram turns {'up' if sign > 0 else 'down'}, price "
            f"{'above' if sign > 0 else 'below'} its {params.slow_bars}-bar average.",
            f"Strength index {strength:.0f}, volume {volume:.1f} times the usual.",
        ),
    )


STRATEGY: Final = Strategy(
    name=NAME,
    model=NAME,
    summary="A MACD turn on the trend's side that the news agrees with; silent without news.",
    params_type=SentimentParams,
    bounds=BOUNDS,
    evaluate=sentiment,
    bars_needed=bars_needed,
    wants_news=True,
)
