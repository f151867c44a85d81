"""Every strategy by name: what it is called, what it may be told, how it is asked.

A strategy is one file: a frozen record of parameters with bounds, a pure function from a window of
closed bars to a proposal or None, and a `STRATEGY` record that names them. Ours are listed here; a
user's own are handed in as records by whoever loads them. Must not know: where bars or files come
from, what happens to a signal, the clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from inspect import Parameter, signature
from math import isfinite
from types import MappingProxyType
from typing import Any, Final, cast

from bot.core.strategies import (
    conservative,
    continuation,
    regime,
    reversal,
    sentiment,
    volatile,
)
from bot.core.strategies.strategy import (
    NAME_LENGTH_MAX,
    Proposal,
    Strategy,
    StrategyFault,
    fault_of,
    signal_of,
)
from bot.core.strategies.window import Bars, Context
from data.candles import WINDOW_BARS
from data.model import Signal

Strategies = Mapping[str, Strategy]

STRATEGIES: Final[Strategies] = MappingProxyType(
    {
        one.name: one
        for one in (
            continuation.STRATEGY,
            reversal.STRATEGY,
            volatile.STRATEGY,
            conservative.STRATEGY,
            regime.STRATEGY,
            sentiment.STRATEGY,
        )
    }
)


def params_of(
    name: str, pairs: Iterable[tuple[str, float]] = (), among: Strategies = STRATEGIES
) -> object:
    """The typed parameters of a strategy, `pairs` over its defaults.

    Raises KeyError for an unknown strategy and ValueError with one sentence that names the
    parameter, its value and what is allowed.
    """
    strategy = among[name]
    defaults = strategy.params_type()
    values: dict[str, float] = {}
    for key, value in pairs:
        if key not in strategy.bounds:
            known = ", ".join(strategy.bounds)
            raise ValueError(f"{key} is no parameter of {name}; known: {known}.")
        low, high = strategy.bounds[key]
        whole = isinstance(getattr(defaults, key), int)
        if not low <= value <= high or (whole and value != int(value)):
            kind = "a whole number " if whole else ""
            raise ValueError(f"{key} is {value:g}; allowed is {kind}{low:g} to {high:g}.")
        values[key] = int(value) if whole else float(value)
    params = strategy.params_type(**values)
    check = getattr(params, "fault", None)
    if check is not None and (fault := check()) is not None:
        raise ValueError(fault)
    if (needed := strategy.bars_needed(params)) > WINDOW_BARS:
        raise ValueError(f"{name} would need {needed} bars; a window holds {WINDOW_BARS}.")
    return cast("object", params)


def evaluate(
    name: str, params: object, bars: Bars, context: Context, among: Strategies = STRATEGIES
) -> Signal | None:
    """What the strategy sees on the newest closed bar; None also while there are too few bars.

    `params` come from `params_of(name, ...)`. Raises KeyError for an unknown strategy,
    StrategyFault for a proposal that is none, and whatever the strategy itself raises.
    """
    strategy = among[name]
    assert isinstance(params, strategy.params_type), f"{type(params).__name__} is not {name}'s"
    if len(bars.close) < strategy.bars_needed(params):
        return None
    proposal: Proposal | None = strategy.evaluate(params, bars, context)
    if proposal is None:
        return None
    if (fault := fault_of(proposal)) is not None:
        raise StrategyFault(f"{name}: {fault}")
    return signal_of(strategy, proposal, bars, context)


def shape_fault_of(candidate: object) -> str | None:
    """Why a record cannot be a strategy, in words; None when it can.

    Looks at names, parameters, bounds and the function's arguments without calling `evaluate`.
    """
    if not isinstance(candidate, Strategy):
        return f"STRATEGY is a {type(candidate).__name__}; allowed is a Strategy record"
    name = candidate.name
    if not (isinstance(name, str) and name.isidentifier() and len(name) <= NAME_LENGTH_MAX):
        return f"name is {name!r}; allowed is an identifier of at most {NAME_LENGTH_MAX}"
    if not (is_dataclass(candidate.params_type) and isinstance(candidate.params_type, type)):
        return "params_type is no dataclass"
    defaults = candidate.params_type()
    for field in fields(candidate.params_type):
        if (
            fault := _param_fault(field.name, getattr(defaults, field.name), candidate)
        ) is not None:
            return fault
    if not _takes(candidate.evaluate, 3):
        return "evaluate must take (params, bars, context)"
    if not _takes(candidate.bars_needed, 1):
        return "bars_needed must take (params)"
    needed = candidate.bars_needed(defaults)
    if not (isinstance(needed, int) and 1 <= needed <= WINDOW_BARS):
        return f"bars_needed gives {needed!r}; allowed is 1 to {WINDOW_BARS}"
    return None


def describe(among: Strategies = STRATEGIES) -> list[dict[str, Any]]:
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
        for strategy in among.values()
    ]


def _param_fault(name: str, default: object, strategy: Strategy) -> str | None:
    if isinstance(default, bool) or not isinstance(default, int | float):
        return f"{name} is {default!r}; a parameter is an int or a float"
    if name not in strategy.bounds:
        return f"{name} has no bounds"
    low, high = strategy.bounds[name]
    if not (isfinite(low) and isfinite(high) and low <= default <= high):
        return f"{name} is {default:g}; its bounds are {low:g} to {high:g}"
    return None


def _takes(function: object, count: int) -> bool:
    if not callable(function):
        return False
    try:
        given = signature(function).parameters.values()
    except (TypeError, ValueError):
        return True  # written in C: only a call can tell
    plain = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    if any(p.kind is Parameter.KEYWORD_ONLY and p.default is Parameter.empty for p in given):
        return False
    if any(p.kind is Parameter.VAR_POSITIONAL for p in given):
        return True
    places = [p for p in given if p.kind in plain]
    required = sum(p.default is Parameter.empty for p in places)
    return required <= count <= len(places)
