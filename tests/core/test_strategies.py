"""Strategies: fire on the bar where a trend starts moving again, at prices on the tick."""

from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bot.core.strategies.continuation import ContinuationParams, bars_needed
from bot.core.strategies.registry import STRATEGIES, describe, evaluate, params_of
from bot.core.strategies.window import Context
from data.model import Direction, Instrument, Signal
from data.money import is_multiple

MINUTE_MS = 60_000
TICK = Decimal("0.01")
PARAMS = params_of("continuation", [("score_min", 0)])


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


def rally_with_pause() -> list[float]:
    """A rise of 0.5 a bar, a flat pause of ten bars, then a bar that breaks out by 2."""
    rise = [100 + 0.5 * i for i in range(120)]
    pause = [rise[-1] - 0.6 + 0.05 * (i % 2) for i in range(10)]
    return [*rise, *pause, rise[-1] + 2.0]


def ask(bars: Window, params: object = PARAMS) -> Signal | None:
    """What the strategy says on the newest bar."""
    return evaluate("continuation", params, bars, CONTEXT)


def test_a_fresh_breakout_of_a_rising_market_is_a_long_signal() -> None:
    """Everything a signal must say is said, its parts add up to its score."""
    bars = window(rally_with_pause(), [100.0] * 130 + [250.0])
    signal = ask(bars)
    assert signal is not None
    assert signal.direction is Direction.LONG
    assert signal.signal_id == f"b1-BTCUSDT-1m-{130 * MINUTE_MS}"
    assert (signal.strategy, signal.model, signal.bot_id) == ("continuation", "continuation", "b1")
    assert signal.entry_price == Decimal("161.50")
    assert signal.stop_price < signal.entry_price < signal.target_price
    assert signal.score == pytest.approx(sum(points for _, points in signal.parts), abs=0.3)
    assert 75 <= signal.score <= 100
    assert len(signal.reasons) == 3
    assert signal.raised_ms == CONTEXT.now_ms


def test_upside_down_it_is_the_same_short_signal() -> None:
    """Long and short are one rule: a mirrored market gives mirrored prices and the same score."""
    bars = window(rally_with_pause(), [100.0] * 130 + [250.0])
    long, short = ask(bars), ask(bars.mirrored(200.0))
    assert long is not None
    assert short is not None
    assert short.direction is Direction.SHORT
    assert short.score == pytest.approx(long.score, abs=0.2)
    assert short.stop_price - short.entry_price == long.entry_price - long.stop_price
    assert short.target_price < short.entry_price < short.stop_price


def test_a_long_trend_fires_where_it_resumes_and_not_on_every_bar() -> None:
    """A rise that never pauses has no fresh level to pass, and after a breakout comes silence."""
    closes = [*rally_with_pause(), *[163.0 + 0.5 * i for i in range(40)]]
    fired = [end - 1 for end in range(115, len(closes) + 1) if ask(window(closes).until(end))]
    assert fired == [130]


def test_a_pullback_to_the_average_that_resumes_is_a_signal() -> None:
    """Down to the fast average for a few bars, then above all of them: once."""
    rise = [100 + 0.3 * i for i in range(120)]
    dip = [rise[-1] - 0.5 * i for i in range(1, 8)]
    closes = [*rise, *dip, rise[-1] - 0.5]
    assert ask(window(closes[:-1])) is None
    signal = ask(window(closes))
    assert signal is not None
    assert signal.direction is Direction.LONG
    assert float(signal.entry_price) < max(closes), "not a breakout"


def test_a_market_without_a_trend_gives_nothing() -> None:
    """Averages that are not in order mean no signal, whatever the last bar does."""
    falling = [200 - 0.5 * i for i in range(120)]
    assert ask(window([*falling, falling[-1] + 30])) is None
    assert ask(window([100.0] * 150)) is None


def test_too_few_bars_give_nothing() -> None:
    """Below what the averages need there is no answer, and one bar more gives one."""
    needed = bars_needed(ContinuationParams())
    closes = rally_with_pause()[-needed:]
    assert ask(window(closes)) is not None
    assert ask(window(closes[1:])) is None


def test_only_the_tail_of_a_window_counts() -> None:
    """A longer history changes nothing: the same newest bars give the same signal."""
    closes = rally_with_pause()
    short, long = ask(window(closes)), ask(window([50.0] * 300 + closes))
    assert short is not None
    assert long is not None
    assert (short.score, short.stop_price) == (long.score, long.stop_price)


def test_a_weak_signal_is_kept_back_by_score_min() -> None:
    """The bound on the score is a parameter of the strategy."""
    bars = window(rally_with_pause(), [100.0] * 130 + [1.0])
    weak = ask(bars)
    assert weak is not None
    assert ask(bars, params_of("continuation", [("score_min", weak.score + 1)])) is None


def test_stop_and_target_keep_the_promised_ratio() -> None:
    """Reward over risk is the parameter, up to one tick on either side."""
    signal = ask(window(rally_with_pause()), params_of("continuation", [("reward_risk", 3.0)]))
    assert signal is not None
    risk = signal.entry_price - signal.stop_price
    reward = signal.target_price - signal.entry_price
    assert abs(reward - 3 * risk) <= 4 * TICK


@given(
    st.lists(st.floats(-0.03, 0.03), min_size=130, max_size=200),
    st.sampled_from(["0.1", "0.01", "0.0001", "0.05"]),
)
@settings(max_examples=200, deadline=None)
def test_any_signal_of_any_market_can_be_ordered(steps: list[float], tick: str) -> None:
    """Prices are on the tick and in order around the entry, the score within its bounds."""
    closes = list(20 * np.exp(np.cumsum(steps)))
    instrument = replace(CONTEXT.instrument, tick_size=Decimal(tick))
    bars = window([float(c) for c in closes], wick=0.01)
    for end in range(len(closes) - 10, len(closes) + 1):
        context = replace(CONTEXT, instrument=instrument)
        signal = evaluate("continuation", PARAMS, bars.until(end), context)
        if signal is None:
            continue
        prices = (signal.stop_price, signal.entry_price, signal.target_price)
        assert all(price > 0 and is_multiple(price, Decimal(tick)) for price in prices)
        assert list(prices) == sorted(prices, reverse=signal.direction is Direction.SHORT)
        assert signal.stop_price != signal.entry_price != signal.target_price
        assert 0 <= signal.score <= 100


def test_bars_that_are_no_numbers_give_nothing() -> None:
    """A hole in the data is silence, never a signal."""
    closes = rally_with_pause()
    for hole in (-1, -2, -15, -60):
        broken = [*closes]
        broken[hole] = float("nan")
        assert ask(window(broken)) is None


BAD_PARAMS: list[tuple[list[tuple[str, float]], str]] = [
    ([("fast_bars", 2)], "fast_bars is 2; allowed is a whole number 3 to 100."),
    ([("fast_bars", 7.5)], "fast_bars is 7.5; allowed is a whole number 3 to 100."),
    ([("stop_atr", 11)], "stop_atr is 11; allowed is 0.5 to 10."),
    ([("stop_atr", float("nan"))], "stop_atr is nan; allowed is 0.5 to 10."),
    ([("speed", 1)], "speed is no parameter of continuation"),
    ([("fast_bars", 50)], "fast_bars is 50; it must be below slow_bars, 50."),
    ([("fresh_bars", 20)], "fresh_bars is 20; it must be below breakout_bars, 20."),
]


@pytest.mark.parametrize(("pairs", "why"), BAD_PARAMS)
def test_a_parameter_out_of_bounds_is_named(pairs: list[tuple[str, float]], why: str) -> None:
    """One sentence says which parameter, its value, and what is allowed."""
    with pytest.raises(ValueError, match=why.replace(".", r"\.")):
        params_of("continuation", pairs)


def test_the_registry_describes_every_parameter() -> None:
    """The listing has each parameter once, its default within its bounds."""
    for entry in describe():
        strategy = STRATEGIES[entry["name"]]
        params: list[dict[str, Any]] = entry["params"]
        assert [p["name"] for p in params] == [f.name for f in fields(strategy.params_type)]
        assert all(p["min"] <= p["default"] <= p["max"] for p in params)
        assert all(isinstance(p["default"], int if p["type"] == "int" else float) for p in params)


def test_an_unknown_strategy_is_an_error() -> None:
    """A bot cannot be made to run something that does not exist."""
    with pytest.raises(KeyError):
        params_of("astrology")
