"""The registry: parameters within bounds, sound proposals only, records that can be strategies."""

from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any

import pytest

from bot.core.strategies.registry import (
    STRATEGIES,
    describe,
    evaluate,
    params_of,
    shape_fault_of,
)
from bot.core.strategies.strategy import Proposal, Strategy, StrategyFault
from bot.core.strategies.window import Bars, Context
from data.model import Direction
from tests.core.markets import CONTEXT, ripple, window

BAD_PARAMS: list[tuple[str, list[tuple[str, float]], str]] = [
    ("continuation", [("fast_bars", 2)], "fast_bars is 2; allowed is a whole number 3 to 100."),
    ("continuation", [("fast_bars", 7.5)], "fast_bars is 7.5; allowed is a whole number 3 to 100."),
    ("continuation", [("stop_atr", 11)], "stop_atr is 11; allowed is 0.5 to 10."),
    ("continuation", [("stop_atr", float("nan"))], "stop_atr is nan; allowed is 0.5 to 10."),
    ("reversal", [("speed", 1)], "speed is no parameter of reversal; known: band_bars, "),
    ("continuation", [("fast_bars", 50)], "fast_bars is 50; it must be below slow_bars, 50."),
    ("continuation", [("fresh_bars", 20)], "fresh_bars is 20; it must be below breakout_bars, 20."),
    ("volatile", [("macd_fast", 26)], "macd_fast is 26; it must be below macd_slow, 26."),
    ("sentiment", [("macd_fast", 30)], "macd_fast is 30; it must be below macd_slow, 26."),
    ("conservative", [("fast_bars", 100)], "fast_bars is 100; it must be below slow_bars, 100."),
    ("conservative", [("adx_min", 50)], "adx_min is 50; it must be below adx_max, 50."),
    ("regime", [("range_adx", 23)], "range_adx is 23; it must not be above 22."),
    ("continuation", [("atr_bars", 50)], "continuation would need 800 bars; a window holds 500."),
]


@pytest.mark.parametrize(("name", "pairs", "why"), BAD_PARAMS)
def test_a_parameter_out_of_bounds_is_named(
    name: str, pairs: list[tuple[str, float]], why: str
) -> None:
    """One sentence says which parameter, its value, and what is allowed."""
    with pytest.raises(ValueError, match=why.replace(".", r"\.")):
        params_of(name, pairs)


def test_the_registry_describes_every_parameter() -> None:
    """The listing has each parameter once, its default within its bounds."""
    assert [entry["name"] for entry in describe()] == [
        "continuation",
        "reversal",
        "volatile",
        "conservative",
        "regime",
        "sentiment",
    ]
    for entry in describe():
        strategy = STRATEGIES[entry["name"]]
        params: list[dict[str, Any]] = entry["params"]
        assert [p["name"] for p in params] == [f.name for f in fields(strategy.params_type)]
        assert set(strategy.bounds) == {p["name"] for p in params}
        assert all(p["min"] <= p["default"] <= p["max"] for p in params)
        assert all(isinstance(p["default"], int if p["type"] == "int" else float) for p in params)


def test_an_unknown_strategy_is_an_error() -> None:
    """A bot cannot be made to run something that does not exist."""
    with pytest.raises(KeyError):
        params_of("astrology")


@dataclass(frozen=True, slots=True, kw_only=True)
class OneParam:
    """The least there can be."""

    bars: int = 5


SOUND = Proposal(
    direction=Direction.LONG,
    stop_distance=2.0,
    reward_risk=1.5,
    parts=(("all", 80.0),),
    reasons=("Because.",),
)


def proposing(proposal: Any) -> Strategy:
    """A strategy that says this on every bar."""
    return Strategy(
        name="mine",
        model="mine",
        summary="Always the same.",
        params_type=OneParam,
        bounds={"bars": (1, 10)},
        evaluate=lambda params, bars, context: proposal,
        bars_needed=lambda params: params.bars,
    )


def test_a_sound_proposal_becomes_a_signal_on_the_tick() -> None:
    """Close 100.00, stop 2 below, target 3 above; the id names bot, symbol, timeframe and bar."""
    among = {"mine": proposing(replace(SOUND, model="own", size_share=0.3))}
    bars = window([100.0] * 5)
    signal = evaluate("mine", params_of("mine", among=among), bars, CONTEXT, among)
    assert signal is not None
    assert signal.signal_id == "b1-BTCUSDT-1m-240000"
    assert (signal.entry_price, signal.stop_price, signal.target_price) == (
        Decimal("100.00"),
        Decimal("98.00"),
        Decimal("103.00"),
    )
    assert (signal.strategy, signal.model, signal.size_share) == ("mine", "own", Decimal("0.3"))
    assert signal.raised_ms == CONTEXT.now_ms


def test_a_stop_beyond_zero_is_no_signal() -> None:
    """A swing wider than the price leaves no room for an exit, which is nobody's fault."""
    among = {"mine": proposing(replace(SOUND, stop_distance=100.0))}
    bars = window([100.0] * 5)
    assert evaluate("mine", OneParam(), bars, CONTEXT, among) is None


NONSENSE: list[tuple[Any, str]] = [
    ("buy!", "it returned str; allowed is a Proposal or None"),
    (replace(SOUND, direction="long"), "direction is 'long'"),  # type: ignore[arg-type]
    (replace(SOUND, stop_distance=0.0), "stop_distance is 0.0"),
    (replace(SOUND, stop_distance=float("nan")), "stop_distance is nan"),
    (replace(SOUND, stop_distance=float("inf")), "stop_distance is inf"),
    (replace(SOUND, stop_distance="2"), "stop_distance is '2'"),  # type: ignore[arg-type]
    (replace(SOUND, reward_risk=-1.0), "reward_risk is -1.0"),
    (replace(SOUND, size_share=1.5), "size_share is 1.5; allowed is a number above 0, at most 1"),
    (replace(SOUND, size_share=0.0), "size_share is 0.0"),
    (replace(SOUND, size_share=True), "size_share is True"),
    (replace(SOUND, parts=(("all", 101.0),)), "the score is 101; allowed is 0 to 100"),
    (replace(SOUND, parts=(("all", -1.0),)), "the part 'all' is -1.0"),
    (replace(SOUND, parts=(("all", float("nan")),)), "the part 'all' is nan"),
    (replace(SOUND, parts=("all",)), "parts has 'all'"),  # type: ignore[arg-type]
    (replace(SOUND, parts=[("all", 80.0)]), "parts is no tuple"),  # type: ignore[arg-type]
    (replace(SOUND, parts=(("p", 1.0),) * 13), "parts is no tuple of at most 12"),
    (replace(SOUND, reasons="why"), "reasons is no tuple"),  # type: ignore[arg-type]
    (replace(SOUND, reasons=("x" * 301,)), "a reason is 'xxx"),
    (replace(SOUND, reasons=(7,)), "a reason is '7'"),  # type: ignore[arg-type]
    (replace(SOUND, model="m" * 25), "model is 'mmm"),
]


@pytest.mark.parametrize(("proposal", "why"), NONSENSE, ids=lambda c: str(c)[:30])
def test_nonsense_is_a_fault_that_names_the_field(proposal: Any, why: str) -> None:
    """What is no proposal is refused in words; it never becomes a signal."""
    among = {"mine": proposing(proposal)}
    with pytest.raises(StrategyFault, match=r"^mine: ") as fault:
        evaluate("mine", OneParam(), window(ripple(9)), CONTEXT, among)
    assert why in str(fault.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextParam:
    """A parameter of a kind that is not allowed."""

    bars: str = "many"


def two_arguments(params: OneParam, bars: Bars) -> None:
    """A function that lacks its third argument."""
    del params, bars


def a_fourth(params: OneParam, bars: Bars, context: Context, luck: float) -> None:
    """A function that wants one more than it gets."""
    del params, bars, context, luck


GOOD = proposing(None)
MISSHAPEN: list[tuple[Any, str]] = [
    (object(), "STRATEGY is a object; allowed is a Strategy record"),
    (replace(GOOD, name="not a name"), "name is 'not a name'"),
    (replace(GOOD, params_type=dict), "params_type is no dataclass"),
    (replace(GOOD, params_type=TextParam), "bars is 'many'; a parameter is an int or a float"),
    (replace(GOOD, bounds={}), "bars has no bounds"),
    (replace(GOOD, bounds={"bars": (6, 9)}), "bars is 5; its bounds are 6 to 9"),
    (replace(GOOD, evaluate=two_arguments), "evaluate must take (params, bars, context)"),
    (replace(GOOD, evaluate=a_fourth), "evaluate must take (params, bars, context)"),
    (replace(GOOD, bars_needed=lambda: 3), "bars_needed must take (params)"),
    (replace(GOOD, bars_needed=lambda params: 501), "bars_needed gives 501; allowed is 1 to 500"),
]


@pytest.mark.parametrize(("candidate", "why"), MISSHAPEN, ids=[why for _, why in MISSHAPEN])
def test_a_record_that_cannot_be_a_strategy_is_named(candidate: Any, why: str) -> None:
    """What is wrong with its shape is said before it is ever asked."""
    assert why in (shape_fault_of(candidate) or "")


@pytest.mark.parametrize("strategy", [*STRATEGIES.values(), GOOD], ids=lambda s: s.name)
def test_a_well_formed_strategy_has_no_fault(strategy: Strategy) -> None:
    """Ours pass the same gate as anybody's."""
    assert shape_fault_of(strategy) is None
