"""The rules: each a small function of the history and the moment, in one table.

A rule looks at results oldest first and answers with verdicts that can only tighten. Must not
know: who obeys. Edges are those of the product sheet (B): a win is a PnL above zero, a loss below.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from memory.history import Closed, in_order, newest_streak
from memory.verdict import Effect, Scope, Verdict

HOUR_MS: Final = 3_600_000
LOSS_STREAK_MIN: Final = 3
LOSS_STREAK_PAUSE_MS: Final = 12 * HOUR_MS

Rule = Callable[[Sequence[Closed], int], tuple[Verdict, ...]]


def loss_streak_pause(results: Sequence[Closed], now_ms: int) -> tuple[Verdict, ...]:
    """Three losses in a row or more: no entries for 12 h from the close of the latest of them.

    A win after it does not lift a pause that has begun; the pause runs out by itself.
    """
    streak = newest_streak(
        results, losses_min=LOSS_STREAK_MIN, after_ms=now_ms - LOSS_STREAK_PAUSE_MS
    )
    if streak is None or streak.last_loss_ms is None:
        return ()
    verdict = Verdict(
        rule="loss_streak_pause",
        scope=Scope(),
        effect=Effect(pause_entries=True),
        reason=f"{streak.losses} losses in a row",
        evidence=(("losses", str(streak.losses)), ("pause_hours", "12")),
        until_ms=streak.last_loss_ms + LOSS_STREAK_PAUSE_MS,
    )
    return (verdict,)


RULES: Final[dict[str, Rule]] = {"loss_streak_pause": loss_streak_pause}


def verdicts_of(
    trades: Iterable[Closed], now_ms: int, *, off: frozenset[str] = frozenset()
) -> tuple[Verdict, ...]:
    """Every verdict in force at `now_ms` after these trades, in the order of the table.

    Trades may come in any order; those that close after `now_ms` are not known yet. `off` names
    rules that are switched off.
    """
    known = in_order(trade for trade in trades if trade.closed_ms <= now_ms)
    found: list[Verdict] = []
    for name, rule in RULES.items():
        if name not in off:
            found.extend(v for v in rule(known, now_ms) if v.holds_at(now_ms))
    return tuple(found)
