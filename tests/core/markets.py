"""Markets made by hand, as windows that strategies look at."""

from dataclasses import dataclass, fields, replace
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from bot.core.strategies.registry import evaluate, params_of
from bot.core.strategies.window import Context
from data.model import Instrument, Signal

MINUTE_MS = 60_000
TICK = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Bars as the market hands them out."""

    open_ms: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]

    def mirrored(self, around: float) -> "Window":
        """The same market upside down."""
        return replace(
            self,
            open=2 * around - self.open,
            high=2 * around - self.low,
            low=2 * around - self.high,
            close=2 * around - self.close,
        )

    def until(self, end: int) -> "Window":
        """The first `end` bars."""
        return Window(**{f.name: getattr(self, f.name)[:end] for f in fields(self)})


CONTEXT = Context(
    bot_id="b1",
    timeframe="1m",
    now_ms=10**12,
    instrument=Instrument(
        symbol="BTCUSDT",
        base_asset="BTC",
        quote_asset="USDT",
        tradable=True,
        tick_size=TICK,
        step_size=Decimal("0.001"),
        market_step_size=Decimal("0.001"),
        quantity_min=Decimal("0.001"),
        quantity_max=Decimal(100),
        market_quantity_max=Decimal(100),
        notional_min=Decimal(5),
        price_up_ratio=Decimal("1.05"),
        price_down_ratio=Decimal("0.95"),
    ),
)


def window(closes: list[float], volumes: list[float] | None = None, wick: float = 0.2) -> Window:
    """Bars that open where the last closed, with equal wicks on both sides."""
    close = np.array(closes, dtype=np.float64)
    opened = np.concatenate([close[:1], close[:-1]])
    return Window(
        open_ms=np.arange(len(close), dtype=np.int64) * MINUTE_MS,
        open=opened,
        high=np.maximum(opened, close) + wick,
        low=np.minimum(opened, close) - wick,
        close=close,
        volume=np.array(volumes or [100.0] * len(close), dtype=np.float64),
    )


def ask(name: str, bars: Window, context: Context = CONTEXT, **params: float) -> Signal | None:
    """What a strategy says on the newest bar."""
    return evaluate(name, params_of(name, params.items()), bars, context)


def ripple(count: int, height: float = 0.5, level: float = 100.0) -> list[float]:
    """A market that goes nowhere: up and down by turns, as long as asked."""
    return [level + height * float(np.sin(i * 0.9)) for i in range(count)]
