"""Every strategy by name: what it is called, what it may be told, how it is asked.

A strategy is one file: a frozen record of parameters with bounds, a pure function from a window of
closed bars to a signal or None, and one line in `STRATEGIES`. Must not know: where bars come from,
what happens to a signal, the clock.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, cast

from bot.core.strategies.continuation import (
    BOUNDS,
    ContinuationParams,
    bars_needed,
    continuation,
)
from bot.core.strategies.window import Bars, Context
from data.model import Signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One strategy. `bounds`: parameter -> (lowest, highest), both allowed."""

    name: str
    model: str  # what memory groups by
    summary: str
    params_type: type[Any]
    bounds: Mapping[str, tuple[float, float]]
    evaluate: Callable[[Any, Bars, Context], Signal | None]
    bars_needed: Callable[[Any], int]


STRATEGIES: Final[Mapping[str, Strategy]] = {
    "continuation": Strategy(
        name="continuation",
        model="continuation",
        summary="Trend by two moving averages; enters on a fresh breakout or a resumed pullback.",
        params_type=ContinuationParams,
        bounds=BOUNDS,
        evaluate=continuation,
        bars_needed=bars_needed,
    ),
}


def params_of(name: str, pairs: Iterable[tuple[str, float]] = ()) -> object:
    """The typed parameters of a strategy, `pairs` over its defaults.

    Raises KeyError for an unknown strategy and ValueError with one sentence that names the
    parameter, its value and what is allowed.
    """
    strategy = STRATEGIES[name]
    defaults = strategy.params_type()
    values: dict[str, float] = {}
    for key, value in pairs:
        if key not in strategy.bounds:
            raise ValueError(f"{key} is no parameter of {name}; known: {', '.join(BOUNDS)}.")
        low, high = strategy.bounds[key]
        whole = isinstance(getattr(defaults, key), int)
        if not low <= value <= high or (whole and value != int(value)):
            kind = "a whole number " if whole else ""
            raise ValueError(f"{key} is {value:g}; allowed is {kind}{low:g} to {high:g}.")
        values[key] = int(value) if whole else float(value)
    params = strategy.params_type(**values)
    if (fault := _fault_of(params)) is not None:
        raise ValueError(fault)
    return cast("object", params)


def evaluate(name: str, params: object, bars: Bars, context: Context) -> Signal | None:
    """What the strategy sees on the newest closed bar; None also while there are too few bars.

    `params` come from `params_of(name, ...)`. Raises KeyError for an unknown strategy.
    """
    strategy = STRATEGIES[name]
    assert isinstance(params, strategy.params_type), f"{type(params).__name__} is not {name}'s"
    if len(bars.close) < strategy.bars_needed(params):
        return None
    return strategy.evaluate(params, bars, context)


def describe() -> list[dict[str, Any]]:
    """Every strategy with its parameters, defaults and bounds, ready for JSON."""
    return [
        {
            "name": strategy.name,
            "model": strategy.model,
            "summary": strategy.summary,
            "bars_needed": strategy.bars_needed(strategy.params_type()),
            "params": [
                {
                    "name": field.name,
                    "type": "int" if isinstance(field.default, int) else "float",
                    "default": field.default,
                    "min": strategy.bounds[field.name][0],
                    "max": strategy.bounds[field.name][1],
                }
                for field in fields(strategy.params_type)
            ],
        }
        for strategy in STRATEGIES.values()
    ]


def _fault_of(params: object) -> str | None:
    check = getattr(params, "fault", None)
    return cast("str | None", check()) if check is not None else None
