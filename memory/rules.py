"""The eight rules: each a small function of a history and its tuning, in one table.

A verdict can only tighten. Edges are those of the product sheet (B): a win is a result above zero,
a loss below, comparisons are strict, `won` and `trades` of a window are counted exactly. A pause
runs from the close that caused it, and what closes after that lifts it no sooner: the newest close
that calls for it decides. Rules without an end hold while their condition does.

Must not know: who obeys, whose trades these are.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from data.money import ZERO, plain
from memory.history import Closed, History, Track, fold
from memory.tuning import (
    HOUR_MS,
    SHEET,
    DrawdownRisk,
    DrawdownSignals,
    LossStreak,
    LowWinRate,
    ModelOff,
    ModelPreferred,
    Tuning,
)
from memory.verdict import RULE_IDS, Effect, Scope, Verdict

WEAK_MODEL: Final = "reversal"  # the one that may be switched off
STRONG_MODEL: Final = "continuation"  # the one that may go first

Found = tuple[Effect, str, tuple[tuple[str, str], ...], int | None]  # ..., reason, evidence, until
Judge = Callable[[Track, Any], Found | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Whose verdicts are wanted: those that bear on one symbol and model."""

    symbol: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: which trades it looks at, and what it says of them. `of`: a model's name."""

    judge: Judge
    by_symbol: bool = False
    of_model: str = ""
    of_equity: bool = False  # the money is the account's: a bot has no equity of its own


def low_win_rate(track: Track, tuning: LowWinRate) -> Found | None:
    """Fewer wins than asked for: more points of score."""
    wins, trades = track.won(tuning.window)
    if trades < tuning.trades_min or 100 * wins >= tuning.win_rate_pct * trades:
        return None
    effect = Effect(threshold_add=tuning.threshold_add)
    return effect, f"{wins} of the last {trades} won", _rate(wins, trades, tuning), None


def loss_streak(track: Track, tuning: LossStreak) -> Found | None:
    """So many losses in a row: a pause from the newest close that made or lengthened the streak."""
    pause_ms = tuning.pause_hours * HOUR_MS
    over_ms = track.marks[-1].closed_ms - pause_ms  # what closed then or before is over
    for mark in reversed(track.marks):
        if mark.closed_ms <= over_ms:
            break
        if mark.outcome < 0 and mark.losses >= tuning.losses_min:
            evidence = (("losses", str(mark.losses)), ("pause_hours", str(tuning.pause_hours)))
            reason = f"{mark.losses} losses in a row"
            return Effect(pause_entries=True), reason, evidence, mark.closed_ms + pause_ms
    return None


def drawdown_signals(track: Track, tuning: DrawdownSignals) -> Found | None:
    """Far below the peak: few signals a day."""
    return _drawdown(track, tuning, Effect(signals_per_day_max=tuning.signals_per_day_max))


def drawdown_risk(track: Track, tuning: DrawdownRisk) -> Found | None:
    """Further below the peak: little risk a trade."""
    return _drawdown(track, tuning, Effect(risk_pct_max=tuning.risk_pct_max))


def model_off(track: Track, tuning: ModelOff) -> Found | None:
    """A close that left the model with too few wins: off from then on, for so long."""
    off_ms = tuning.off_hours * HOUR_MS
    over_ms = track.marks[-1].closed_ms - off_ms
    for back, mark in enumerate(reversed(track.marks)):
        if mark.closed_ms <= over_ms:
            break
        wins, trades = track.won(tuning.window, back)
        if trades >= tuning.trades_min and 100 * wins < tuning.win_rate_pct * trades:
            evidence = (*_rate(wins, trades, tuning), ("off_hours", str(tuning.off_hours)))
            reason = f"{wins} of its last {trades} won"
            return Effect(model_off=WEAK_MODEL), reason, evidence, mark.closed_ms + off_ms
    return None


def model_preferred(track: Track, tuning: ModelPreferred) -> Found | None:
    """Many wins: this model goes first."""
    wins, trades = track.won(tuning.window)
    if trades < tuning.trades_min or 100 * wins <= tuning.win_rate_pct * trades:
        return None
    effect = Effect(model_preferred=STRONG_MODEL)
    return effect, f"{wins} of its last {trades} won", _rate(wins, trades, tuning), None


RULES: Final[dict[str, Rule]] = {
    "winrate_threshold": Rule(judge=low_win_rate),
    "loss_streak_pause": Rule(judge=loss_streak),
    "drawdown_signals": Rule(judge=drawdown_signals, of_equity=True),
    "drawdown_risk": Rule(judge=drawdown_risk, of_equity=True),
    "symbol_cooldown": Rule(judge=loss_streak, by_symbol=True),
    "symbol_threshold": Rule(judge=low_win_rate, by_symbol=True),
    "model_off": Rule(judge=model_off, of_model=WEAK_MODEL),
    "model_preferred": Rule(judge=model_preferred, of_model=STRONG_MODEL),
}
assert tuple(RULES) == RULE_IDS, "a rule without a tuning, or the other way round"


def verdicts_of(
    trades: Iterable[Closed],
    now_ms: int,
    *,
    off: frozenset[str] = frozenset(),
    tuning: Tuning = SHEET,
) -> tuple[Verdict, ...]:
    """Every verdict in force at `now_ms` after these trades, in the order of the table.

    Trades may come in any order; those that close after `now_ms` are not known yet. `off` names
    rules that are switched off.
    """
    known = fold(trade for trade in trades if trade.closed_ms <= now_ms)
    return tuple(v for v in judge(known, off=off, tuning=tuning) if v.holds_at(now_ms))


def judge(
    history: History,
    *,
    off: frozenset[str] = frozenset(),
    tuning: Tuning = SHEET,
    about: About | None = None,
) -> tuple[Verdict, ...]:
    """What each rule says of a history, those included whose time is over; the asker looks at it.

    With `about` only what bears on that symbol and model: the answer for one signal does not cost
    a look at every symbol that was ever traded.
    """
    found: list[Verdict] = []
    for name, rule in RULES.items():
        if name not in off:
            for scope, track in _tracks(rule, history, about):
                said = rule.judge(track, getattr(tuning, name)) if track.marks else None
                if said is not None:
                    found.append(_verdict(name, scope, said))
    return tuple(found)


def _tracks(rule: Rule, history: History, about: About | None) -> list[tuple[Scope, Track]]:
    if rule.by_symbol:
        names = sorted(history.symbols) if about is None else [about.symbol]
        return [(Scope(symbol=n), history.symbols[n]) for n in names if n in history.symbols]
    if rule.of_model:
        track = history.models.get(rule.of_model)
        return [] if track is None else [(Scope(model=rule.of_model), track)]
    return [(Scope(), history.overall)]


def _verdict(name: str, scope: Scope, said: Found) -> Verdict:
    effect, reason, evidence, until_ms = said
    return Verdict(
        rule=name, scope=scope, effect=effect, reason=reason, evidence=evidence, until_ms=until_ms
    )


def _drawdown(track: Track, tuning: DrawdownSignals | DrawdownRisk, effect: Effect) -> Found | None:
    equity, peak = track.marks[-1].equity_usdt, track.marks[-1].peak_usdt
    if peak <= ZERO or 100 * (peak - equity) <= tuning.drawdown_pct * peak:
        return None
    fallen_pct = f"{100 * (peak - equity) / peak:.2f}"
    evidence = (
        ("drawdown_pct", fallen_pct),
        ("peak_usdt", plain(peak)),
        ("equity_usdt", plain(equity)),
        ("above_pct", plain(Decimal(tuning.drawdown_pct))),
    )
    return effect, f"equity is {fallen_pct} % below its peak", evidence, None


def _rate(
    wins: int, trades: int, tuning: LowWinRate | ModelOff | ModelPreferred
) -> tuple[tuple[str, str], ...]:
    limit = "above_pct" if isinstance(tuning, ModelPreferred) else "below_pct"
    return (
        ("wins", str(wins)),
        ("trades", str(trades)),
        ("win_rate_pct", f"{100 * wins / trades:.1f}"),
        (limit, str(tuning.win_rate_pct)),
    )
