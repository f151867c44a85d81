"""Reversal, volatile, conservative, regime, sentiment: each fires where its file says, once."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.strategies.regime import Regime, RegimeParams, regime_of
from bot.core.strategies.registry import STRATEGIES, evaluate, params_of
from bot.core.strategies.window import Context
from data.model import Direction
from data.money import is_multiple
from tests.core.markets import CONTEXT, Window, ask, ripple, window

GOOD_NEWS = replace(CONTEXT, news_score=0.6)


def stretched() -> Window:
    """A range, one bar thrown far under it on high volume, and the bar that comes back."""
    closes = [*ripple(279), 97.6, 99.3]
    return window(closes, [100.0] * 279 + [260.0, 120.0], wick=0.1)


def squeezed() -> Window:
    """Wide waves, then small ones, then a bar that bursts upward on high volume, and one more."""
    closes = [*ripple(260, height=1.5), *ripple(30, height=0.3), 103.0, 105.0]
    return window(closes, [100.0] * 290 + [300.0, 300.0], wick=0.1)


def rested() -> Window:
    """A long rise, a fall under the fast average, the bar that comes back over it, and one more."""
    rise = [40 + 0.25 * i for i in range(300)]
    fall = [rise[-1] - 0.8 * i for i in range(1, 7)]
    return window([*rise, *fall, fall[-1] + 2.2, rise[-1] - 1.75, rise[-1] - 1.6], wick=0.4)


def turned() -> Window:
    """A rise that sags for a while and then takes heart again."""
    rise = [60 + 0.2 * i for i in range(290)]
    sag = [rise[-1] - 0.25 * i for i in range(1, 9)]
    return window([*rise, *sag, *(sag[-1] + 0.3 * i for i in range(1, 12))], wick=0.2)


# Markets without noise have stronger trends than any real one.
LOOSE = {
    "volatile": {"rsi_max": 100.0},
    "conservative": {"adx_max": 100.0},
    "sentiment": {"rsi_max": 90.0},
}
CASES: list[tuple[str, Window, Context, set[str]]] = [
    (
        "reversal",
        stretched(),
        CONTEXT,
        {"stretch", "exhaustion", "range", "return", "volume"},
    ),
    ("volatile", squeezed(), CONTEXT, {"burst", "histogram", "strength", "squeeze", "volume"}),
    ("conservative", rested(), CONTEXT, {"trend", "order", "rest", "calm", "volume"}),
    ("sentiment", turned(), GOOD_NEWS, {"news", "trend", "turn", "room", "volume"}),
]


NAMES = [case[0] for case in CASES]


@pytest.mark.parametrize(("name", "bars", "context", "parts"), CASES, ids=NAMES)
def test_a_model_fires_once_with_all_it_must_say(
    name: str, bars: Window, context: Context, parts: set[str]
) -> None:
    """On its bar and on no other: a whole long signal, its score the sum of its named parts."""
    bound = LOOSE.get(name, {})
    last = len(bars.close)
    fired = {
        end: signal
        for end in range(last - 6, last + 1)
        if (signal := ask(name, bars.until(end), context, **bound)) is not None
    }
    assert len(fired) == 1, fired
    (signal,) = fired.values()
    assert signal.direction is Direction.LONG
    assert (signal.strategy, signal.model) == (name, name)
    assert signal.stop_price < signal.entry_price < signal.target_price
    assert {part for part, _ in signal.parts} == parts
    assert signal.score == pytest.approx(sum(points for _, points in signal.parts), abs=0.4)
    assert 50 <= signal.score <= 100
    assert len(signal.reasons) >= 2
    assert signal.size_share == 1


@pytest.mark.parametrize(("name", "bars", "context", "parts"), CASES, ids=NAMES)
def test_a_model_upside_down_is_the_same_short(
    name: str, bars: Window, context: Context, parts: set[str]
) -> None:
    """Long and short are one rule: mirrored markets and news give mirrored signals."""
    del parts
    bound = LOOSE.get(name, {})
    ends = range(len(bars.close) - 6, len(bars.close) + 1)
    mirrored = bars.mirrored(150.0)
    against = replace(context, news_score=-(context.news_score or 0) or None)
    longs = [ask(name, bars.until(end), context, **bound) for end in ends]
    shorts = [ask(name, mirrored.until(end), against, **bound) for end in ends]
    for long, short in zip(longs, shorts, strict=True):
        assert (long is None) == (short is None)
        if long is not None and short is not None:
            assert short.direction is Direction.SHORT
            assert short.score == pytest.approx(long.score, abs=0.3)
            assert short.stop_price - short.entry_price == long.entry_price - long.stop_price


def test_no_news_no_sentiment() -> None:
    """Silence is no opinion, faint news is none either, and news against the turn stops it."""
    for news in (None, 0.1, -0.6, 1.7, float("nan")):
        context = replace(CONTEXT, news_score=news)
        bars = turned()
        for end in range(len(bars.close) - 6, len(bars.close) + 1):
            assert ask("sentiment", bars.until(end), context) is None


def test_a_trend_is_no_place_for_a_reversal() -> None:
    """The directional index over its bound keeps the same bar back."""
    assert ask("reversal", stretched()) is not None
    assert ask("reversal", stretched(), adx_max=10) is None


def higher(step: float) -> Window:
    """Sixty bars of a higher timeframe, rising or falling by `step`."""
    return window([100 + step * i for i in range(60)])


@pytest.mark.parametrize("name", ["conservative", "continuation"])
def test_the_higher_timeframe_has_a_veto(name: str) -> None:
    """It agrees: a signal. It points the other way, or is not known: none."""
    if name == "conservative":
        bars, bound = rested().until(len(rested().close) - 1), LOOSE[name]
    else:
        rise = [40 + 0.5 * i for i in range(240)]
        pause = [rise[-1] - 0.6 + 0.05 * (i % 2) for i in range(10)]
        bars, bound = window([*rise, *pause, rise[-1] + 2.0]), {"score_min": 0.0}
    followed = replace(CONTEXT, trend_timeframe="4h")
    assert ask(name, bars, CONTEXT, **bound) is not None
    assert ask(name, bars, replace(followed, trend=higher(0.5)), **bound) is not None
    assert ask(name, bars, replace(followed, trend=higher(-0.5)), **bound) is None
    assert ask(name, bars, followed, **bound) is None
    assert ask(name, bars, replace(followed, trend=higher(0.5).until(5)), **bound) is None


def test_each_regime_has_its_model_and_size() -> None:
    """Range: reversal at three quarters; burst: volatile at half; trend: continuation, whole."""
    params = RegimeParams()
    assert regime_of(params, stretched())[0] is Regime.RANGE
    ranging = ask("regime", stretched())
    assert ranging is not None
    assert (ranging.strategy, ranging.model) == ("regime", "reversal")
    assert ranging.size_share == Decimal("0.75")
    assert ranging.reasons[0].startswith("Regime range: directional index")

    burst = squeezed().until(len(squeezed().close) - 1)
    bursting = ask("regime", burst, volatile_ratio=1.1, usual_bars=30)
    assert bursting is not None
    assert (bursting.model, bursting.size_share) == ("volatile", Decimal("0.5"))

    rise = [40 + 0.5 * i for i in range(280)]
    pause = [rise[-1] - 0.6 + 0.05 * (i % 2) for i in range(10)]
    trend = window([*rise, *pause, rise[-1] + 2.0], [100.0] * 290 + [250.0])
    trending = ask("regime", trend, volatile_ratio=10)
    assert trending is not None
    assert (trending.model, trending.size_share) == ("continuation", 1)


def test_between_trend_and_range_nothing_is_proposed() -> None:
    """A market that is neither is left alone."""
    bars = stretched()
    index = regime_of(RegimeParams(), bars)[1]
    unclear = RegimeParams(range_adx=index - 1, trend_adx=index + 1)
    assert regime_of(unclear, bars)[0] is Regime.UNCLEAR
    assert evaluate("regime", unclear, bars, CONTEXT) is None


@given(
    st.integers(0, 2**31),
    st.sampled_from([0.002, 0.01, 0.03]),
    st.sampled_from(["0.1", "0.01", "0.0001", "0.05"]),
)
@settings(max_examples=60, deadline=None)
def test_any_signal_of_any_market_can_be_ordered(seed: int, step: float, tick: str) -> None:
    """Whatever a model says: prices on the tick and in order, score and size within bounds."""
    dice = np.random.default_rng(seed)
    closes = [float(c) for c in 20 * np.exp(np.cumsum(dice.normal(0, step, 330)))]
    bars = window(closes, [float(v) for v in 100 * dice.random(330)], wick=20 * step)
    instrument = replace(CONTEXT.instrument, tick_size=Decimal(tick))
    context = replace(CONTEXT, instrument=instrument, news_score=0.5 if seed % 2 else -0.5)
    for end in range(290, 331):
        for name in STRATEGIES:
            signal = evaluate(name, params_of(name), bars.until(end), context)
            if signal is None:
                continue
            prices = (signal.stop_price, signal.entry_price, signal.target_price)
            assert all(price > 0 and is_multiple(price, Decimal(tick)) for price in prices)
            assert list(prices) == sorted(prices, reverse=signal.direction is Direction.SHORT)
            assert signal.stop_price != signal.entry_price != signal.target_price
            assert 0 <= signal.score <= 100
            assert 0 < signal.size_share <= 1


@pytest.mark.parametrize("name", list(STRATEGIES))
def test_holes_and_short_histories_are_silence(name: str) -> None:
    """Bars that are no numbers, or too few, give nothing and raise nothing."""
    strategy = STRATEGIES[name]
    params = params_of(name)
    for bars, context in ((stretched(), CONTEXT), (squeezed(), CONTEXT), (turned(), GOOD_NEWS)):
        short = bars.until(strategy.bars_needed(params) - 1)
        assert evaluate(name, params, short, context) is None
        for hole in (-1, -2, -15):
            broken = replace(bars, close=bars.close.copy())
            broken.close[hole] = float("nan")
            assert evaluate(name, params, broken, context) is None


def test_a_flat_market_is_silence() -> None:
    """A price that never moves divides nothing by nothing."""
    flat = window([100.0] * 400, wick=0.0)
    for name in STRATEGIES:
        assert ask(name, flat, GOOD_NEWS) is None


def test_the_same_newest_bars_give_the_same_signal() -> None:
    """Live with 500 bars and replay with any more: equal signals from equal bars."""
    for name, bars, context, _ in CASES:
        params = params_of(name, LOOSE.get(name, {}).items())
        needed = STRATEGIES[name].bars_needed(params)
        for end in range(len(bars.close) - 6, len(bars.close) + 1):
            whole = bars.until(end)
            tail = Window(
                open_ms=whole.open_ms[-needed:],
                open=whole.open[-needed:],
                high=whole.high[-needed:],
                low=whole.low[-needed:],
                close=whole.close[-needed:],
                volume=whole.volume[-needed:],
            )
            assert evaluate(name, params, whole, context) == evaluate(name, params, tail, context)
