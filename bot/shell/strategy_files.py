"""Finds strategies: ours, one file each in a user's folder, and installed entry points.

A file or an entry point gives a `STRATEGY` record. What cannot be imported, has the wrong shape,
takes another's name, or raises on a market made up for the trial is reported as broken; the rest
are loaded. Must not know: settings, bots or bars.
"""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from math import sin
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from bot.core.strategies.registry import STRATEGIES, evaluate, shape_fault_of
from bot.core.strategies.strategy import Strategy, StrategyFault
from bot.core.strategies.window import Context, Cut
from bot.shell.strategy_book import OURS, Broken, Loaded, attempt
from data.candles import WINDOW_BARS, timeframe_ms
from data.model import Instrument
from data.money import ONE

GROUP: Final = "trading_bot.strategies"
FILES_MAX: Final = 100
TRIAL_LOOKS: Final = 20
TRIAL_TIMEFRAME: Final = "30m"

Maker = Callable[[], object]


def load(folder: Path | None) -> Loaded:
    """Every strategy there is. Never raises for what somebody wrote; OSError for the folder."""
    strategies: dict[str, Strategy] = dict(STRATEGIES)
    sources = dict.fromkeys(strategies, OURS)
    broken: list[Broken] = []
    for name, source, make in (*_files(folder), *_installed()):
        found = attempt(name, source, lambda make=make: _tried(make(), strategies))  # type: ignore[misc]  # bound at once
        if isinstance(found, Broken):
            broken.append(found)
        else:
            strategies[found.name] = found
            sources[found.name] = source
    return Loaded(
        strategies=MappingProxyType(strategies),
        sources=MappingProxyType(sources),
        broken=tuple(broken),
    )


def _files(folder: Path | None) -> Iterator[tuple[str, str, Maker]]:
    if folder is None:
        return
    paths = sorted(p for p in folder.glob("*.py") if p.name[0] not in "._")
    for path in paths[:FILES_MAX]:
        yield path.stem, str(path), lambda path=path: _of_file(path)  # type: ignore[misc]  # bound at once


def _installed() -> Iterator[tuple[str, str, Maker]]:
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        yield point.name, f"entry point {point.value}", lambda point=point: _of_object(point.load())  # type: ignore[misc]  # bound at once


def _of_file(path: Path) -> object:
    spec = importlib.util.spec_from_file_location(f"user_strategies.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise StrategyFault("it is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look their annotations up
    spec.loader.exec_module(module)
    return _of_object(module)


def _of_object(found: Any) -> object:
    if isinstance(found, Strategy):
        return found
    if not hasattr(found, "STRATEGY"):
        raise StrategyFault("it has no STRATEGY; allowed is a record of bot.core.strategies")
    return found.STRATEGY


def _tried(candidate: object, taken: dict[str, Strategy]) -> Strategy:
    if (fault := shape_fault_of(candidate)) is not None:
        raise StrategyFault(fault)
    assert isinstance(candidate, Strategy), "its shape was looked at"
    if candidate.name in taken:
        raise StrategyFault(f"name is {candidate.name!r}, which another strategy has already")
    market, among = _market(), {candidate.name: candidate}
    for back in range(TRIAL_LOOKS):
        end = WINDOW_BARS - 7 * back
        bars = Cut(**{name: values[:end] for name, values in market.items()})
        for news in (None, 0.5, -0.5) if candidate.wants_news else (None,):
            context = Context(
                bot_id="trial",
                timeframe=TRIAL_TIMEFRAME,
                instrument=TRIAL_INSTRUMENT,
                now_ms=int(bars.open_ms[-1]) + timeframe_ms(TRIAL_TIMEFRAME),
                news_score=news,
            )
            evaluate(candidate.name, candidate.params_type(), bars, context, among)
    return candidate


def _market() -> dict[str, Any]:
    """Waves on a slope: the same each time, with rises, falls, turns and bursts."""
    steps = range(WINDOW_BARS)
    close = np.array(
        [
            100 + 0.02 * i + 4 * sin(i / 25) + sin(i * 0.9) + (3.0 if i % 97 == 0 else 0.0)
            for i in steps
        ]
    )
    opened = np.concatenate([close[:1], close[:-1]])
    return {
        "open_ms": np.arange(WINDOW_BARS, dtype=np.int64) * timeframe_ms(TRIAL_TIMEFRAME),
        "open": opened,
        "high": np.maximum(opened, close) + 0.2,
        "low": np.minimum(opened, close) - 0.2,
        "close": close,
        "volume": np.array(
            [100.0 + 40 * sin(i * 1.7) + (200.0 if i % 97 == 0 else 0.0) for i in steps]
        ),
    }


TRIAL_INSTRUMENT: Final = Instrument(
    symbol="TRIALUSDT",
    base_asset="TRIAL",
    quote_asset="USDT",
    tradable=True,
    tick_size=ONE / 100,
    step_size=ONE / 1000,
    market_step_size=ONE / 1000,
    quantity_min=ONE / 1000,
    quantity_max=ONE * 1000,
    market_quantity_max=ONE * 1000,
    notional_min=ONE * 5,
    price_up_ratio=ONE,
    price_down_ratio=ONE,
)
