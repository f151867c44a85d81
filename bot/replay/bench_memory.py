"""What remembering costs: folding a long history, one more trade, and asking at every signal.

The history is seeded: ten thousand trades of 40 symbols and three bots, an hour apart and in no
order. Must not know: any desk; the floor of each figure is the least that any way must do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from statistics import median
from typing import Final

from bot.shell.clock import wall_monotonic_s
from data.money import ZERO
from memory.history import Result, fold
from memory.recall import remember
from memory.rules import About

TRADES: Final = 10_000
SYMBOLS: Final = 40
RUNS: Final = 9
REPEATS: Final = 200
FIRST_MS: Final = 1_700_000_000_000
HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Medians in milliseconds; each with its floor: the same trades merely summed, or copied."""

    fold_ms: float
    sum_ms: float  # sorting and summing the same trades
    more_ms: float
    copy_ms: float  # copying what one more trade may not change in place
    ask_ms: float


def measure() -> Told:
    """Fold all, add one, ask for one signal."""
    trades = _history()
    newest = max(trades, key=lambda trade: trade.closed_ms)
    memory = remember(trades)
    history = memory.account
    now_ms = newest.closed_ms + 1
    about = About(symbol=newest.symbol, model=newest.model)
    return Told(
        fold_ms=_median_ms(lambda: fold(trades)),
        sum_ms=_median_ms(lambda: _sum(trades)),
        more_ms=_median_ms(lambda: history.after(newest), REPEATS),
        copy_ms=_median_ms(
            lambda: (dict(history.symbols), dict(history.models), list(history.overall.marks)),
            REPEATS,
        ),
        ask_ms=_median_ms(lambda: memory.verdicts("b1", now_ms, about=about), REPEATS),
    )


def _history() -> list[Result]:
    dice = Random(7)
    equity, trades = Decimal(10_000), []
    for n in range(TRADES):
        pnl = Decimal(dice.randint(-100, 104)) / 10
        equity += pnl
        trades.append(
            Result(
                symbol=f"S{dice.randrange(SYMBOLS)}USDT",
                model=dice.choice(("continuation", "reversal")),
                closed_ms=FIRST_MS + n * HOUR_MS,
                pnl_usdt=pnl,
                equity_usdt=equity,
                bot_id=f"b{n % 3}",
            )
        )
    dice.shuffle(trades)
    return trades


def _sum(trades: list[Result]) -> Decimal:
    ordered = sorted(trades, key=lambda trade: trade.closed_ms)
    return sum((trade.pnl_usdt for trade in ordered), ZERO)


def _median_ms(work: Callable[[], object], repeats: int = 1) -> float:
    took = []
    for _ in range(RUNS):
        began_s = wall_monotonic_s()
        for _ in range(repeats):
            work()
        took.append((wall_monotonic_s() - began_s) * 1e3 / repeats)
    return median(took)
