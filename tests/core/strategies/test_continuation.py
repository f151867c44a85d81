"""Continuation: it fires on the bar where a trend starts moving again, at prices on the tick."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.strategies.continuation import ContinuationParams, bars_needed
from bot.core.strategies.registry import evaluate, params_of
from data.model import Direction, Signal
from data.money import is_multiple
from tests.core.markets import CONTEXT, MINUTE_MS, TICK, Window, window

BREAKOUT = 250
PARAMS = params_of("continuation", [("score_min", 0)])


def rally_with_pause() -> list[float]:
    """A rise of 0.5 a bar, a flat pause of ten bars, then the bar BREAKOUT that breaks out by 2."""
    rise = [40 + 0.5 * i for i in range(240)]
    pause = [rise[-1] - 0.6 + 0.05 * (i % 2) for i in range(10)]
    return [*rise, *pause, rise[-1] + 2.0]


def ask(bars: Window, params: object = PARAMS) -> Signal | None:
    """What the strategy says on the newest bar."""
    return evaluate("continuation", params, bars, CONTEXT)


def test_a_fresh_breakout_of_a_rising_market_is_a_long_signal() -> None:
    """Everything a signal must say is said, its parts add up to its score."""
    bars = window(rally_with_pause(), [100.0] * BREAKOUT + [250.0])
    signal = ask(bars)
    assert signal is not None
    assert signal.direction is Direction.LONG
    assert signal.signal_id == f"b1-BTCUSDT-1m-{BREAKOUT * MINUTE_MS}"
    assert (signal.strategy, signal.model, signal.bot_id) == ("continuation", "continuation", "b1")
    assert signal.entry_price == Decimal("161.50")
    assert signal.stop_price < signal.entry_price < signal.target_price
    assert signal.score == pytest.approx(sum(points for _, points in signal.parts), abs=0.3)
    assert 75 <= signal.score <= 100
    assert len(signal.reasons) == 3
    assert signal.raised_ms == CONTEXT.now_ms


def test_upside_down_it_is_the_same_short_signal() -> None:
    """Long and short are one rule: a mirrored market gives mirrored prices and the same score."""
    bars = window(rally_with_pause(), [100.0] * BREAKOUT + [250.0])
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
    fired = [end - 1 for end in range(230, len(closes) + 1) if ask(window(closes).until(end))]
    assert fired == [BREAKOUT]


def test_a_pullback_to_the_average_that_resumes_is_a_signal() -> None:
    """Down to the fast average for a few bars, then above all of them: once."""
    rise = [100 + 0.3 * i for i in range(240)]
    dip = [rise[-1] - 0.5 * i for i in range(1, 8)]
    closes = [*rise, *dip, rise[-1] - 0.5]
    assert ask(window(closes[:-1])) is None
    signal = ask(window(closes))
    assert signal is not None
    assert signal.direction is Direction.LONG
    assert float(signal.entry_price) < max(closes), "not a breakout"


def test_a_market_without_a_trend_gives_nothing() -> None:
    """Averages that are not in order mean no signal, whatever the last bar does."""
    falling = [200 - 0.5 * i for i in range(240)]
    assert ask(window([*falling, falling[-1] + 30])) is None
    assert ask(window([100.0] * 250)) is None


def test_too_few_bars_give_nothing() -> None:
    """Below what the averages need there is no answer, and one bar more gives one."""
    needed = bars_needed(ContinuationParams())
    closes = rally_with_pause()[-needed:]
    assert ask(window(closes)) is not None
    assert ask(window(closes[1:])) is None


def test_only_the_tail_of_a_window_counts() -> None:
    """A longer history changes nothing: the same newest bars give the same signal."""
    closes = rally_with_pause()
    short, long = ask(window(closes)), ask(window([50.0] * 200 + closes))
    assert short is not None
    assert long is not None
    assert (short.score, short.stop_price) == (long.score, long.stop_price)


def test_a_weak_signal_is_kept_back_by_score_min() -> None:
    """The bound on the score is a parameter of the strategy."""
    bars = window(rally_with_pause(), [100.0] * BREAKOUT + [1.0])
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
    st.lists(st.floats(-0.03, 0.03), min_size=235, max_size=300),
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
