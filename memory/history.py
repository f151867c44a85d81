"""Closed trades folded into what rules ask about: streaks, and the trades in order.

A fold is incremental: adding trades one by one equals folding them all. Rules look at any record
that is `Closed`, so the core's own trades are not copied first. Must not know: any rule.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import Protocol, TypeVar

from data.money import ZERO


class Closed(Protocol):
    """What memory reads of a closed trade; `data.model.ClosedTrade` has it all."""

    @property
    def symbol(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def closed_ms(self) -> int: ...
    @property
    def pnl_usdt(self) -> Decimal: ...
    @property
    def equity_usdt(self) -> Decimal: ...


AnyClosed = TypeVar("AnyClosed", bound=Closed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A closed trade from a file. `pnl_usdt` is after fees and funding."""

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

    def after(self, result: Closed) -> "Streak":
        """The streak with one more result: a win ends it, a zero neither lengthens nor breaks."""
        if result.pnl_usdt > ZERO:
            return Streak()
        if result.pnl_usdt < ZERO:
            return Streak(losses=self.losses + 1, last_loss_ms=result.closed_ms)
        return self


def in_order(results: Iterable[AnyClosed]) -> list[AnyClosed]:
    """Oldest first; rows may come in any order, equal moments keep the order they came in."""
    return sorted(results, key=attrgetter("closed_ms"))


def streak_of(results: Iterable[Closed]) -> Streak:
    """The losing streak after these results, which are oldest first."""
    streak = Streak()
    for result in results:
        streak = streak.after(result)
    return streak


def newest_streak(results: Iterable[Closed], *, losses_min: int, after_ms: int) -> Streak | None:
    """The streak as the newest loss left it that made it `losses_min` or longer, wins since or not.

    Only losses that closed after `after_ms` count as that loss; None without one. `results` are
    oldest first. One pass without a record a trade: the core asks at every signal.
    """
    losses, found_losses, found_ms = 0, 0, None
    for result in results:
        if result.pnl_usdt > ZERO:
            losses = 0
        elif result.pnl_usdt < ZERO:
            losses += 1
            if losses >= losses_min and result.closed_ms > after_ms:
                found_losses, found_ms = losses, result.closed_ms
    return None if found_ms is None else Streak(losses=found_losses, last_loss_ms=found_ms)


COLUMNS = ("symbol", "model", "closed_ms", "pnl_usdt", "equity_usdt")


def read_csv(text: str) -> tuple[Result, ...]:
    """Results from CSV text. Raises ValueError naming the row and column that is wrong.

    Rows are numbered as an editor numbers lines: the header is row 1.
    """
    reader = csv.DictReader(text.removeprefix("\ufeff").splitlines())
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise ValueError(f"the header lacks {', '.join(missing)}; it needs {','.join(COLUMNS)}")
    return tuple(_read_row(row, reader.line_num) for row in reader)


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
