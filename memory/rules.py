"""The rules: each a small function of the history and the moment, in one table.

A rule looks at results oldest first and answers with verdicts that can only tighten. Must not
know: who obeys. Edges are those of the product sheet (B): a win is a PnL above zero, a loss below.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from data.model import ClosedTrade
from memory.history import Result, in_order, result_of, streak_of
from memory.verdict import Effect, Scope, Verdict

HOUR_MS: Final = 3_600_000
LOSS_STREAK_MIN: Final = 3
LOSS_STREAK_PAUSE_MS: Final = 12 * HOUR_MS

Rule = Callable[[Sequence[Result], int], tuple[Verdict, ...]]


def loss_streak_pause(results: Sequence[Result], now_ms: int) -> tuple[Verdict, ...]:
    """Three losses in a row or more: no entries for 12 h from the close of the latest of them.

    A win after it does not lift a pause that has begun; the pause runs out by itself.
    """
    streak, until_ms, losses = streak_of(()), None, 0
    for result in results:
        streak = streak.after(result)
        if streak.losses >= LOSS_STREAK_MIN and streak.last_loss_ms == result.closed_ms:
            until_ms = result.closed_ms + LOSS_STREAK_PAUSE_MS
            losses = streak.losses
    if until_ms is None or now_ms >= until_ms:
        return ()
    verdict = Verdict(
        rule="loss_streak_pause",
        scope=Scope(),
        effect=Effect(pause_entries=True),
        reason=f"{losses} losses in a row",
        evidence=(("losses", str(losses)), ("pause_hours", "12")),
        until_ms=until_ms,
    )
    return (verdict,)


RULES: Final[dict[str, Rule]] = {"loss_streak_pause": loss_streak_pause}


def verdicts_of(
    trades: Iterable[ClosedTrade], now_ms: int, *, off: frozenset[str] = frozenset()
) -> tuple[Verdict, ...]:
    """Every verdict in force at `now_ms` after these trades, in the order of the table."""
    return verdicts_after(map(result_of, trades), now_ms, off=off)


def verdicts_after(
    results: Iterable[Result], now_ms: int, *, off: frozenset[str] = frozenset()
) -> tuple[Verdict, ...]:
    """The same from results; rows that close after `now_ms` are not known yet and are ignored."""
    known = in_order(r for r in results if r.closed_ms <= now_ms)
    found: list[Verdict] = []
    for name, rule in RULES.items():
        if name not in off:
            found.extend(v for v in rule(known, now_ms) if v.holds_at(now_ms))
    return tuple(found)
