"""A market port for tests: windows that the test fills, one price, one instrument a symbol."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal

from bot.core.desk import Desk
from bot.core.presets import BotConfig
from bot.core.strategies.strategy import Proposal, Strategy
from bot.core.strategies.window import Bars, Context
from bot.shell.ports import Window
from data.candles import CandleWindow
from data.model import Candle, Direction, Instrument
from tests.core.build import config
from tests.core.markets import CONTEXT

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainParams:
    """The least there can be."""

    bars: int = 3


def always(name: str = "always") -> Strategy:
    """A strategy that proposes on every bar."""
    proposal = Proposal(
        direction=Direction.LONG,
        stop_distance=1.0,
        reward_risk=2.0,
        parts=(("all", 90.0),),
        reasons=("Because.",),
    )
    return saying(name, lambda bars, context: proposal)


def saying(name: str, say: object, **more: bool) -> Strategy:
    """A strategy that says what a function of bars and context gives."""

    def evaluate(params: PlainParams, bars: Bars, context: Context) -> Proposal | None:
        del params
        assert callable(say)
        told: Proposal | None = say(bars, context)
        return told

    return Strategy(
        name=name,
        model=name,
        summary="For a test.",
        params_type=PlainParams,
        bounds={"bars": (1, 100)},
        evaluate=evaluate,
        bars_needed=lambda params: params.bars,
        **more,
    )


def bar(
    number: int, symbol: str = "BTCUSDT", timeframe: str = "1m", close: float = 100.0
) -> Candle:
    """The bar of that number since the epoch, at its timeframe's length."""
    step_ms = {"1m": MINUTE_MS, "4m": 4 * MINUTE_MS}[timeframe]
    return Candle(
        symbol=symbol,
        timeframe=timeframe,
        open_ms=number * step_ms,
        open=close,
        high=close + 0.5,
        low=close - 0.5,
        close=close,
        volume=10.0,
    )


@dataclass
class FakeMarket:
    """The market port; `windows` are filled with `close`."""

    windows: dict[tuple[str, str], CandleWindow] = field(default_factory=dict)
    deaf: set[str] = field(default_factory=set)

    def close(self, candles: Iterable[Candle]) -> None:
        """Append closed bars."""
        for candle in candles:
            key = (candle.symbol, candle.timeframe)
            if key not in self.windows:
                self.windows[key] = CandleWindow(*key)
            self.windows[key].append(candle)

    def instrument(self, symbol: str) -> Instrument | None:
        """The same filters for every symbol."""
        return replace(CONTEXT.instrument, symbol=symbol, base_asset=symbol.removesuffix("USDT"))

    def mark_price(self, symbol: str) -> tuple[Decimal, int] | None:
        """Always 100, unless the symbol's prices are gone."""
        return None if symbol in self.deaf else (Decimal(100), 0)

    def provisional(self, symbol: str, timeframe: str) -> Candle | None:
        """The unfinished bar, when one was told."""
        return self.windows[symbol, timeframe].provisional

    def window(self, symbol: str, timeframe: str) -> Window | None:
        """What was closed so far."""
        return self.windows.get((symbol, timeframe))


def running(*bots: BotConfig) -> Desk:
    """A ready desk whose bots all run."""
    made = bots or (config(timeframe="1m", strategy="always", symbols=()),)
    return Desk(
        account_id="main",
        user_id="owner",
        ready=True,
        bots={one.bot_id: one for one in made},
        running=tuple(one.bot_id for one in made),
    )
