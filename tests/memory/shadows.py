"""Ideas and bars that shadow tests share."""

from dataclasses import replace
from typing import Any

from data.model import Candle, Direction
from memory.shadow import Costs, Idea

MINUTE_MS = 60_000
FREE = Costs(fee_bps=0.0, slippage_bps=0.0)
LONG = Idea(
    shadow_id="s",
    symbol="BTCUSDT",
    timeframe="1m",
    direction=Direction.LONG,
    after_ms=0,
    entry_price=100.0,
    stop_price=95.0,
    target_price=110.0,
    tick=0.01,
)
SHORT = replace(LONG, direction=Direction.SHORT, stop_price=105.0, target_price=90.0)


def bar(number: int, open_: float, high: float, low: float, close: float, **more: Any) -> Candle:
    """The `number`-th minute after the signal's bar."""
    plain = Candle(
        symbol="BTCUSDT",
        timeframe="1m",
        open_ms=number * MINUTE_MS,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=1.0,
    )
    return replace(plain, **more)


def flat(first: int, last: int, price: float = 100.0) -> list[Candle]:
    """Bars in which nothing happens, both included."""
    return [bar(n, price, price + 0.5, price - 0.5, price) for n in range(first, last + 1)]
