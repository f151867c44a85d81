"""Closed trades folded into what rules ask about: streaks, and the trades in order.

A fold is incremental: adding trades one by one equals folding them all. Must not know: any rule.
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from data.model import ClosedTrade
from data.money import ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What memory keeps of a closed trade. `pnl_usdt` is after fees and funding."""

    symbol: str
    model: str
    closed_ms: int
    pnl_usdt: Decimal
    equity_usdt: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """Losses in a row up to now, and when the last of them closed."""

    losses: int = 0
    last_loss_ms: int | None = None

    def after(self, result: Result) -> "Streak":
        """The streak with one more result: a win ends it, a zero neither lengthens nor breaks."""
        if result.pnl_usdt > ZERO:
            return Streak()
        if result.pnl_usdt < ZERO:
            return Streak(losses=self.losses + 1, last_loss_ms=result.closed_ms)
        return self


def result_of(trade: ClosedTrade) -> Result:
    """The part of a closed trade that memory keeps."""
    return Result(
        symbol=trade.symbol,
        model=trade.model,
        closed_ms=trade.closed_ms,
        pnl_usdt=trade.pnl_usdt,
        equity_usdt=trade.equity_usdt,
    )


def in_order(results: Iterable[Result]) -> list[Result]:
    """Oldest first; rows may come in any order, equal moments keep the order they came in."""
    return sorted(results, key=lambda r: r.closed_ms)


def streak_of(results: Sequence[Result]) -> Streak:
    """The losing streak after these results, which are oldest first."""
    streak = Streak()
    for result in results:
        streak = streak.after(result)
    return streak


COLUMNS = ("symbol", "model", "closed_ms", "pnl_usdt", "equity_usdt")


def read_csv(text: str) -> tuple[Result, ...]:
    """Results from CSV text. Raises ValueError naming the row and column that is wrong."""
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"the header lacks {', '.join(missing)}; it needs {','.join(COLUMNS)}")
    return tuple(_read_row(row, number) for number, row in enumerate(reader, start=2))


def _read_row(row: dict[str, str | None], number: int) -> Result:
    def number_in(column: str) -> Decimal:
        text = (row.get(column) or "").strip()
        try:
            value = Decimal(text)
        except InvalidOperation:
            value = Decimal("nan")
        if not value.is_finite():
            raise ValueError(f"row {number}: {column} is {text!r}; it must be a number")
        return value

    closed_ms = number_in("closed_ms")
    if closed_ms != closed_ms.to_integral_value() or closed_ms < 0:
        raise ValueError(f"row {number}: closed_ms is {closed_ms}; it must be Unix milliseconds")
    symbol = (row.get("symbol") or "").strip()
    if not symbol:
        raise ValueError(f"row {number}: symbol is empty")
    return Result(
        symbol=symbol,
        model=(row.get("model") or "").strip(),
        closed_ms=int(closed_ms),
        pnl_usdt=number_in("pnl_usdt"),
        equity_usdt=number_in("equity_usdt"),
    )
