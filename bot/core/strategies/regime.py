"""Regime: say what kind of market it is, then trade the model made for it, at a fitting size.

Pure. Must not know: accounts, or what becomes of a signal.

- **volatile**: the ATR is at least `volatile_ratio` times its long-run self: model `volatile`, at
  `volatile_size` of the ordinary size;
- **trend**: else, the directional index is at least `trend_adx`: model `continuation`, whole size;
- **range**: else, it is at most `range_adx`: model `reversal`, at `range_size`;
- between the two it is neither, and nothing is proposed.

The models run with their own defaults. The size only ever shrinks. The score is the model's, and
the signal carries the model's name, so memory judges the model and not this file.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from bot.core.strategies import continuation as trending
from bot.core.strategies import reversal as ranging
from bot.core.strategies import volatile as bursting
from bot.core.strategies.strategy import Proposal, Strategy
from bot.core.strategies.window import Bars, Context
from data.indicators import adx, atr, tail_bars

NAME: Final = "regime"
CONTINUATION: Final = trending.ContinuationParams()
REVERSAL: Final = ranging.ReversalParams()
VOLATILE: Final = bursting.VolatileParams()


class Regime(StrEnum):
    """What kind of market it is. Exactly one holds."""

    TREND = "trend"
    RANGE = "range"
    VOLATILE = "volatile"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeParams:
    """Bars of the window's own timeframe; sizes as shares of the ordinary one."""

    adx_bars: int = 14
    trend_adx: float = 22.0
    range_adx: float = 20.0
    atr_bars: int = 14
    usual_bars: int = 200
    volatile_ratio: float = 1.8
    trend_size: float = 1.0
    range_size: float = 0.75
    volatile_size: float = 0.5

    def fault(self) -> str | None:
        """What is wrong between the parameters, as one sentence."""
        if self.range_adx > self.trend_adx:
            return f"range_adx is {self.range_adx:g}; it must not be above {self.trend_adx:g}."
        return None


BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "adx_bars": (5, 30),
    "trend_adx": (5, 60),
    "range_adx": (5, 60),
    "atr_bars": (5, 30),
    "usual_bars": (20, 300),
    "volatile_ratio": (1.1, 10),
    "trend_size": (0.05, 1),
    "range_size": (0.05, 1),
    "volatile_size": (0.05, 1),
}


def bars_needed(params: RegimeParams) -> int:
    """How many closed bars make the regime and every model well defined."""
    return max(
        tail_bars(params.adx_bars),
        tail_bars(params.atr_bars) + 1,
        params.usual_bars + 1,
        trending.bars_needed(CONTINUATION),
        ranging.bars_needed(REVERSAL),
        bursting.bars_needed(VOLATILE),
    )


def regime_of(params: RegimeParams, bars: Bars) -> tuple[Regime, float, float]:
    """(regime, directional index, ATR over its long-run mean); UNCLEAR with holes in the data."""
    index = adx(bars.high, bars.low, bars.close, params.adx_bars)
    swing = atr(bars.high, bars.low, bars.close, params.atr_bars)
    n = params.usual_bars
    usual = float((bars.high[-n:] - bars.low[-n:]).mean())
    if index is None or swing is None or not usual > 0:
        return Regime.UNCLEAR, 0.0, 0.0
    ratio = swing / usual
    if ratio >= params.volatile_ratio:
        return Regime.VOLATILE, index, ratio
    if index >= params.trend_adx:
        return Regime.TREND, index, ratio
    if index <= params.range_adx:
        return Regime.RANGE, index, ratio
    return Regime.UNCLEAR, index, ratio


def regime(params: RegimeParams, bars: Bars, context: Context) -> Proposal | None:
    """The proposal of the model that fits this market, at the size that fits it, or None."""
    found, index, ratio = regime_of(params, bars)
    proposal: Proposal | None = None
    model, size = "", 1.0
    match found:
        case Regime.TREND:
            proposal = trending.continuation(CONTINUATION, bars, context)
            model, size = trending.NAME, params.trend_size
        case Regime.RANGE:
            proposal = ranging.reversal(REVERSAL, bars, context)
            model, size = ranging.NAME, params.range_size
        case Regime.VOLATILE:
            proposal = bursting.volatile(VOLATILE, bars, context)
            model, size = bursting.NAME, params.volatile_size
        case Regime.UNCLEAR:
            return None
    if proposal is None:
        return None
    said = (
        f"Regime {found.value}: directional index {index:.0f}, swings {ratio:.1f} times the usual;"
        f" {100 * size:.0f} % of the size."
    )
    return replace(proposal, model=model, size_share=size, reasons=(said, *proposal.reasons))


STRATEGY: Final = Strategy(
    name=NAME,
    model=NAME,
    summary="Trend, range or volatile: detects the regime, picks the model for it and the size.",
    params_type=RegimeParams,
    bounds=BOUNDS,
    evaluate=regime,
    bars_needed=bars_needed,
)
