"""A seeded market that looks alive: fat tails, clustered volatility, trends, a crash now and then.

Log returns have one common factor (the market) and one own part a symbol. Both draw Student-t
innovations with four degrees of freedom through a GARCH(1,1) variance; a slow regime switches the
drift; about every day and a half a crash takes 4 to 10 % in a quarter of an hour and gives a part
of it back. A weak pull to the starting level keeps an endless walk on the chart. Made lazily in
blocks, endless, and the same for the same seed. Must not know: files, orders, servers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
import numpy.typing as npt

from bot.sandbox.tape import MINUTE_MS, TIMEFRAMES_MS, Row
from bot.sandbox.tape_instruments import instrument_of
from data.model import Candle

# symbol: price level, beta to the market, own volatility of a minute, quote volume of a minute
WALK_SYMBOLS: Final = MappingProxyType(
    {
        "BTCUSDT": (95_000.0, 1.0, 0.00025, 9_000_000.0),
        "ETHUSDT": (2_600.0, 1.35, 0.0004, 7_000_000.0),
        "SOLUSDT": (155.0, 1.6, 0.0006, 3_000_000.0),
        "BNBUSDT": (650.0, 0.9, 0.0003, 700_000.0),
        "XRPUSDT": (2.3, 1.3, 0.0006, 1_500_000.0),
        "DOGEUSDT": (0.19, 1.7, 0.0007, 1_200_000.0),
        "ADAUSDT": (0.72, 1.5, 0.0007, 500_000.0),
        "LINKUSDT": (15.0, 1.5, 0.0007, 400_000.0),
    }
)
WALK_START_MS: Final = 1_746_403_200_000  # 2025-05-05 00:00 UTC, a Monday
MARKET_VOLATILITY: Final = 0.0006  # of a minute: about 2.3 % a day
FREEDOM: Final = 4.0  # of the Student-t innovations
GARCH_REACTION: Final = 0.08
GARCH_MEMORY: Final = 0.90
BLOCK: Final = 256  # bars made at once
POINTS: Final = 6  # moves inside a bar
REGIME_CHANCE: Final = 1 / 360  # a minute
REGIME_DRIFT: Final = 0.00004  # of a minute: 1.4 % in six hours
CRASH_CHANCE: Final = 1 / 2_200  # a minute
CRASH_MINUTES: Final = 15
PULL: Final = 1 / 10_000  # a minute: a half-life of about five days

Floats = npt.NDArray[np.float64]


@dataclass(slots=True)
class _Mood:
    """What one bar hands to the next."""

    variance: Floats  # market first, then each symbol
    drift: float
    crash_left: float
    crash_move: float


class WalkTape:
    """An endless seeded walk. Known symbols have their levels; strangers start at 10 USDT."""

    def __init__(
        self,
        seed: int,
        symbols: tuple[str, ...] = tuple(WALK_SYMBOLS),
        *,
        timeframe: str = "1m",
        start_ms: int = WALK_START_MS,
    ) -> None:
        self._seed = seed
        self._symbols = symbols
        self._timeframe = timeframe
        self._start_ms = start_ms
        traits = [WALK_SYMBOLS.get(symbol, (10.0, 1.5, 0.0007, 300_000.0)) for symbol in symbols]
        self._levels = np.array([t[0] for t in traits])
        self._betas = np.array([t[1] for t in traits])
        self._own = np.array([t[2] for t in traits])
        self._volumes = np.array([t[3] for t in traits])
        ticks = [instrument_of(s, t[0]).tick_size for s, t in zip(symbols, traits, strict=True)]
        self._digits = [max(0, -int(tick.normalize().as_tuple().exponent)) for tick in ticks]
        self._floors = np.array([float(tick) * 10 for tick in ticks])

    @property
    def name(self) -> str:
        """The seed it is made from."""
        return f"walk {self._seed}"

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol walked."""
        return self._symbols

    @property
    def timeframe(self) -> str:
        """The candles' timeframe."""
        return self._timeframe

    @property
    def start_ms(self) -> int:
        """When the first candle opens."""
        return self._start_ms

    @property
    def first_prices(self) -> dict[str, float]:
        """Each symbol's first open."""
        return dict(zip(self._symbols, self._levels.tolist(), strict=True))

    def rows(self) -> Iterator[Row]:
        """The candles, oldest first, without end."""
        rng = np.random.default_rng(self._seed)
        interval_ms = TIMEFRAMES_MS[self._timeframe]
        minutes = interval_ms / MINUTE_MS
        mood = _Mood(np.ones(1 + len(self._symbols)), REGIME_DRIFT, 0.0, 0.0)
        prices = self._rounded(self._levels.copy())
        open_ms = self._start_ms
        while True:
            shocks = rng.standard_t(FREEDOM, (BLOCK, POINTS, 1 + len(self._symbols)))
            shocks *= np.sqrt((FREEDOM - 2) / FREEDOM / POINTS)
            luck = rng.random((BLOCK, 4))
            busy = rng.lognormal(0.0, 0.5, (BLOCK, len(self._symbols)))
            for bar in range(BLOCK):
                moves = self._moves(mood, shocks[bar], luck[bar], minutes)
                moves += (np.log(self._levels / prices) * (PULL * minutes / POINTS))[None, :]
                path = prices * np.exp(np.cumsum(moves, axis=0))
                path = np.maximum(path, self._floors)
                yield self._row(open_ms, prices, path, busy[bar] * minutes)
                prices = self._rounded(path[-1])
                open_ms += interval_ms

    def _moves(self, mood: _Mood, shocks: Floats, luck: Floats, minutes: float) -> Floats:
        scale = np.sqrt(mood.variance * minutes)
        standard = shocks * scale[None, :]
        if luck[0] < REGIME_CHANCE * minutes:
            mood.drift = (-REGIME_DRIFT, 0.0, REGIME_DRIFT)[int(luck[1] * 3)]
        if mood.crash_left <= 0 and luck[2] < CRASH_CHANCE * minutes:
            mood.crash_left = CRASH_MINUTES
            mood.crash_move = -(0.04 + 0.06 * float(luck[3])) / CRASH_MINUTES
            mood.variance[0] = max(mood.variance[0], 9.0)
        drift = mood.drift * minutes
        if mood.crash_left > 0:
            drift += mood.crash_move * min(minutes, mood.crash_left)
            mood.crash_left -= minutes
            if mood.crash_left <= 0 and mood.crash_move < 0:
                mood.crash_left, mood.crash_move = 2.0 * CRASH_MINUTES, -mood.crash_move / 4
        market = standard[:, 0] * MARKET_VOLATILITY + drift / POINTS
        surprise = np.minimum(shocks.sum(axis=0) ** 2, 25.0)
        mood.variance = (
            (1 - GARCH_REACTION - GARCH_MEMORY)
            + mood.variance * (GARCH_MEMORY + GARCH_REACTION * surprise)
        ).clip(0.2, 20.0)
        moves: Floats = market[:, None] * self._betas[None, :] + standard[:, 1:] * self._own
        return moves

    def _row(self, open_ms: int, opens: Floats, path: Floats, busy: Floats) -> Row:
        highs = self._rounded(np.maximum(path.max(axis=0), opens))
        lows = self._rounded(np.minimum(path.min(axis=0), opens))
        closes = self._rounded(path[-1])
        heat = 1 + 150 * (highs - lows) / opens
        volumes = np.round(self._volumes * busy * heat / closes, 3)
        return Row(
            open_ms,
            tuple(
                Candle(
                    symbol=symbol,
                    timeframe=self._timeframe,
                    open_ms=open_ms,
                    open=float(opens[i]),
                    high=float(highs[i]),
                    low=float(lows[i]),
                    close=float(closes[i]),
                    volume=float(volumes[i]),
                )
                for i, symbol in enumerate(self._symbols)
            ),
        )

    def _rounded(self, prices: Floats) -> Floats:
        return np.array([round(p, d) for p, d in zip(prices.tolist(), self._digits, strict=True)])
