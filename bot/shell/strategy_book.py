"""The strategies that run and those that broke: somebody's file may raise, and the rest go on.

A strategy that raises, or gives back what is no proposal, is switched off until the next start;
its traceback goes to the log, one line to the owner and to /status. What never returns cannot be
cut: a strategy runs inside the service. Must not know: where strategies are loaded from, or bars.
"""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog

from bot.core.presets import BotConfig
from bot.core.strategies.registry import STRATEGIES, evaluate, params_of
from bot.core.strategies.strategy import Strategy
from bot.core.strategies.window import Bars, Context
from data.model import Signal

T = TypeVar("T")

REASON_LENGTH_MAX: Final = 200
TRACEBACK_LENGTH_MAX: Final = 8_000
OURS: Final = "built in"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A strategy that does not run, and why."""

    name: str
    source: str  # "built in", a file's path, or an entry point
    reason: str  # one line
    traceback: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What was found: strategies by name, where each is from, and what could not be loaded."""

    strategies: Mapping[str, Strategy] = field(default_factory=lambda: dict(STRATEGIES))
    sources: Mapping[str, str] = field(default_factory=dict)  # name -> source; else built in
    broken: tuple[Broken, ...] = ()


BrokenSink = Callable[[Broken], None]


def attempt(name: str, source: str, action: Callable[[], T]) -> T | Broken:
    """What the action gives back, or how it broke; only the process' own end passes through."""
    try:
        return action()
    except (Exception, SystemExit) as fault:  # noqa: BLE001 - somebody else's code may raise anything
        return Broken(
            name=name,
            source=source,
            reason=f"{type(fault).__name__}: {fault}"[:REASON_LENGTH_MAX],
            traceback=traceback.format_exc()[-TRACEBACK_LENGTH_MAX:],
        )


class StrategyBook:
    """Asks a bot's strategy; switches off what breaks. `tell` hears of each once."""

    def __init__(self, loaded: Loaded | None = None, *, tell: BrokenSink | None = None) -> None:
        self._loaded = loaded or Loaded()
        self._tell = tell
        self._broken = {one.name: one for one in self._loaded.broken}
        self._muted: dict[str, tuple[BotConfig, str]] = {}
        self._params: dict[str, tuple[BotConfig, object]] = {}

    @property
    def broken(self) -> tuple[Broken, ...]:
        """Every strategy that does not run now, by name."""
        return tuple(self._broken[name] for name in sorted(self._broken))

    @property
    def muted(self) -> dict[str, str]:
        """Bots that cannot be asked, with the reason: an unknown strategy, or its parameters."""
        return {bot_id: reason for bot_id, (_, reason) in sorted(self._muted.items())}

    def announce(self) -> None:
        """Say what broke while loading: once, when there is somebody to hear it."""
        for one in self.broken:
            self._say(one)

    def strategy_of(self, config: BotConfig) -> Strategy | None:
        """The bot's strategy; None when it is unknown, broken, or its parameters are wrong."""
        if config.strategy in self._broken or self._params_of(config) is None:
            return None
        return self._loaded.strategies[config.strategy]

    def ask(self, config: BotConfig, bars: Bars, context: Context) -> Signal | None:
        """What the bot's strategy sees on the newest bar; None also for one switched off."""
        name = config.strategy
        params = None if name in self._broken else self._params_of(config)
        if params is None:
            return None
        source = self._loaded.sources.get(name, OURS)
        told = attempt(
            name, source, lambda: evaluate(name, params, bars, context, self._loaded.strategies)
        )
        if isinstance(told, Broken):
            self._broken[name] = told
            self._say(told)
            return None
        return told

    def _params_of(self, config: BotConfig) -> object | None:
        known = self._params.get(config.bot_id)
        # The same record nearly always; comparing two takes as long as looking at a bar.
        if known is not None and (known[0] is config or known[0] == config):
            return known[1]
        muted = self._muted.get(config.bot_id)
        if muted is not None and muted[0] == config:
            return None
        self._muted.pop(config.bot_id, None)
        if config.strategy not in self._loaded.strategies:
            self._mute(config, f"there is no strategy called {config.strategy!r}")
            return None
        params = attempt(
            config.strategy,
            self._loaded.sources.get(config.strategy, OURS),
            lambda: params_of(config.strategy, config.strategy_params, self._loaded.strategies),
        )
        if isinstance(params, Broken):
            self._mute(config, params.reason)
            return None
        self._params[config.bot_id] = (config, params)
        return params

    def _mute(self, config: BotConfig, reason: str) -> None:
        self._muted[config.bot_id] = (config, reason)
        self._params.pop(config.bot_id, None)
        self._say(Broken(name=config.strategy, source=f"bot {config.bot_id}", reason=reason))

    def _say(self, broken: Broken) -> None:
        log.error(
            "strategy_disabled",
            strategy=broken.name,
            source=broken.source,
            reason=broken.reason,
            traceback=broken.traceback,
        )
        if self._tell is not None:
            self._tell(broken)
