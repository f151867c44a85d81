"""Closed trades folded into what rules ask about: windows, streaks, the equity's peak.

A history is a value. `after` adds one trade to it for the cost of one trade; folding all of them
gives the same value, in whatever order they come: trades that closed in the same millisecond are
read the strict way, wins before losses and the lower equity last. What no rule within its bounds
could ask for any more is let go; the counts that follow from it are kept in the marks.

Must not know: any rule, whose trades these are, the present moment.
"""

import csv
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from operator import attrgetter, itemgetter
from typing import Final, NamedTuple, Protocol, TypeVar

from data.money import ZERO
from memory.tuning import HOUR_MS, HOURS_MAX, WINDOW_MAX

KEPT_MS: Final = HOURS_MAX * HOUR_MS  # the longest a rule can look back from the newest trade
# Before that as many as the widest window holds, and some more: a late fill takes a result back.
KEPT_BEFORE: Final = WINDOW_MAX + 60


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


class ClosedBy(Closed, Protocol):
    """A closed trade that also says which bot made it."""

    @property
    def bot_id(self) -> str: ...


AnyClosed = TypeVar("AnyClosed", bound=Closed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A closed trade, as much of it as memory reads. `pnl_usdt` is after fees and funding."""

    symbol: str
    model: str
    closed_ms: int
    pnl_usdt: Decimal
    equity_usdt: Decimal
    bot_id: str = ""


def result_of(trade: ClosedBy) -> Result:
    """As much of a closed trade as memory reads."""
    return Result(
        symbol=trade.symbol,
        model=trade.model,
        closed_ms=trade.closed_ms,
        pnl_usdt=trade.pnl_usdt,
        equity_usdt=trade.equity_usdt,
        bot_id=trade.bot_id,
    )


class Mark(NamedTuple):
    """One trade and where everything stood after it. A zero result is neither won nor lost."""

    closed_ms: int
    outcome: int  # 1 won, -1 lost, 0 neither
    equity_usdt: Decimal
    losses: int  # in a row up to here
    wins: int  # ever, up to here
    peak_usdt: Decimal  # the highest equity up to here


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """Some trades, oldest first: all of them, a symbol's or a model's. `count`: ever."""

    marks: tuple[Mark, ...] = ()
    count: int = 0

    def won(self, window: int, back: int = 0) -> tuple[int, int]:
        """(wins, trades) of the last `window` trades as they stood `back` trades ago."""
        last = len(self.marks) - 1 - back
        if last < 0:
            return 0, 0
        before = last - window
        first = self.marks[0]
        wins_before = self.marks[before].wins if before >= 0 else first.wins - (first.outcome > 0)
        return self.marks[last].wins - wins_before, min(window, self.count - back, last + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What the rules ask of a set of closed trades. Dicts are never changed in place."""

    overall: Track = field(default_factory=Track)
    symbols: dict[str, Track] = field(default_factory=dict)
    models: dict[str, Track] = field(default_factory=dict)
    earned_usdt: Decimal = ZERO

    def after(self, result: Closed) -> "History":
        """The history with one more trade, whenever it closed."""
        symbol, model, bare = result.symbol, result.model, _bare(result)
        return History(
            overall=_with(self.overall, bare),
            symbols={**self.symbols, symbol: _with(self.symbols.get(symbol, NOTHING), bare)},
            models={**self.models, model: _with(self.models.get(model, NOTHING), bare)},
            earned_usdt=self.earned_usdt + result.pnl_usdt,
        )

    def without(self, result: Closed) -> "History":
        """The history before that trade, one of the last sixty, was added: it is booked anew."""
        symbol, model, bare = result.symbol, result.model, _bare(result)
        return History(
            overall=_less(self.overall, bare),
            symbols=_or_gone(self.symbols, symbol, _less(self.symbols[symbol], bare)),
            models=_or_gone(self.models, model, _less(self.models[model], bare)),
            earned_usdt=self.earned_usdt - result.pnl_usdt,
        )


NOTHING: Final = Track()
_FIRST: Final = Mark(0, 0, ZERO, 0, 0, ZERO)
_Bare = tuple[int, int, Decimal]  # closed_ms, outcome, equity


def fold(results: Iterable[Closed]) -> History:
    """The history of these trades, in whatever order they come."""
    ordered = in_order(results)
    overall = [_bare(result) for result in ordered]
    symbols: dict[str, list[_Bare]] = defaultdict(list)
    models: dict[str, list[_Bare]] = defaultdict(list)
    for result, bare in zip(ordered, overall, strict=True):
        symbols[result.symbol].append(bare)
        models[result.model].append(bare)
    return History(
        overall=_track(overall),
        symbols={name: _track(bares) for name, bares in symbols.items()},
        models={name: _track(bares) for name, bares in models.items()},
        earned_usdt=sum((result.pnl_usdt for result in ordered), ZERO),
    )


def in_order(results: Iterable[AnyClosed]) -> list[AnyClosed]:
    """Oldest first; of the same millisecond wins before losses, the lower equity last."""
    ordered = sorted(results, key=attrgetter("closed_ms"))
    moments = {result.closed_ms for result in ordered}
    if len(moments) < len(ordered):
        ordered.sort(key=lambda result: _rank(_bare(result)))
    return ordered


def losses_in_a_row(results: Sequence[Closed]) -> int:
    """How many losses the newest of these, oldest first, end with: a zero is no loss, no win."""
    return _trailing_losses([_bare(result)[1] for result in results])


def _bare(result: Closed) -> _Bare:
    pnl = result.pnl_usdt
    return result.closed_ms, (1 if pnl > ZERO else -1 if pnl < ZERO else 0), result.equity_usdt


def _rank(bare: _Bare | Mark) -> tuple[int, int, Decimal]:
    return bare[0], -bare[1], bare[2].copy_negate()


def _track(bares: list[_Bare]) -> Track:
    cut = _cut(bares)
    marks = [_standing(bares[:cut])] if cut else []
    for bare in bares[cut:]:
        _put(marks, bare)
    return Track(marks=tuple(marks[1:] if cut else marks), count=len(bares))


def _standing(bares: list[_Bare]) -> Mark:
    """Where everything stood after these, without a mark for each of them."""
    outcomes = [outcome for _, outcome, _ in bares]
    peak = max(equity for _, _, equity in bares)
    return Mark(*bares[-1], _trailing_losses(outcomes), outcomes.count(1), peak)


def _trailing_losses(outcomes: list[int]) -> int:
    won = len(outcomes) - 1 - outcomes[::-1].index(1) if 1 in outcomes else -1
    return outcomes[won + 1 :].count(-1)


def _put(marks: list[Mark], bare: _Bare) -> None:
    moment, outcome, equity = bare
    if not marks:
        losses, wins = int(outcome < 0), int(outcome > 0)
        marks.append(Mark(moment, outcome, equity, losses, wins, equity))
        return
    _, _, _, losses, wins, peak = marks[-1]
    if outcome > 0:
        losses, wins = 0, wins + 1
    elif outcome < 0:
        losses += 1
    marks.append(Mark(moment, outcome, equity, losses, wins, max(peak, equity)))


def _with(track: Track, bare: _Bare) -> Track:
    place = len(track.marks)
    if place and _rank(track.marks[-1]) > _rank(bare):
        place = bisect_right(track.marks, _rank(bare), key=_rank)
    return _rebuilt(track, place, [bare, *(mark[:3] for mark in track.marks[place:])], 1)


def _less(track: Track, bare: _Bare) -> Track:
    # Marks of the same rank are the same: whichever of them goes, the rest is right.
    place = bisect_right(track.marks, _rank(bare), key=_rank) - 1
    assert place >= 0, "a result that was never added"
    assert track.marks[place][:3] == bare, "a result that was never added"
    return _rebuilt(track, place, [mark[:3] for mark in track.marks[place + 1 :]], -1)


def _rebuilt(track: Track, place: int, tail: list[_Bare], added: int) -> Track:
    marks = list(track.marks[:place])
    if not place and track.count > len(track.marks):
        # What was let go still counts: begin where it left off.
        first = track.marks[0]
        losses = first.losses - 1 if first.outcome < 0 else first.losses
        wins = first.wins - (first.outcome > 0)
        marks = [_FIRST._replace(losses=losses, wins=wins, peak_usdt=first.peak_usdt)]
    begun = len(marks) if not place else 0
    for bare in tail:
        _put(marks, bare)
    return _kept(marks[begun:], track.count + added)


def _kept(marks: list[Mark], count: int) -> Track:
    return Track(marks=tuple(marks[_cut(marks) :]), count=count)


def _cut(marks: Sequence[_Bare | Mark]) -> int:
    """How many of the oldest no rule can ask for any more."""
    if len(marks) <= KEPT_BEFORE:
        return 0
    live = bisect_right(marks, marks[-1][0] - KEPT_MS, key=itemgetter(0))
    return max(0, live - KEPT_BEFORE)


def _or_gone(tracks: dict[str, Track], name: str, track: Track) -> dict[str, Track]:
    kept = {**tracks, name: track}
    if not track.count:
        del kept[name]
    return kept


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
