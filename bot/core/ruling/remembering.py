"""Memory's verdicts as the desk obeys them: limits, and one check for each rule that bears on it.

A check is called `memory:` and the rule's id, so that whatever a rule kept out can be counted to
it. Must not know: how a verdict comes about (`memory`), or any limit that is not memory's.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from bot.core.desk_state import Desk
from bot.core.presets import BotConfig
from bot.core.trade import Check
from data.model import Signal
from data.money import plain
from memory.limits import Limits, combine
from memory.rules import About
from memory.verdict import RULE_IDS, Verdict

PREFIX: Final = "memory:"
_PREFERS: Final = "model_preferred"
_ALL_BUT_PREFERS: Final = frozenset(RULE_IDS) - {_PREFERS}


def verdicts_for(
    desk: Desk, config: BotConfig, now_ms: int, signal: Signal | None = None
) -> tuple[Verdict, ...]:
    """Every verdict in force for a bot; with a signal only those that bear on it."""
    return desk.memory.verdicts(
        config.bot_id,
        now_ms,
        off=frozenset(config.memory_off),
        tuning=config.memory_tuning,
        about=None if signal is None else About(symbol=signal.symbol, model=signal.model),
    )


def limits_of(desk: Desk, config: BotConfig, now_ms: int, signal: Signal | None = None) -> Limits:
    """What memory allows a bot now, the strictest of each; with a signal what it allows that."""
    return combine(verdicts_for(desk, config, now_ms, signal), now_ms)


def threshold_of(config: BotConfig, limits: Limits, symbol: str) -> float:
    """The score that a signal in that symbol must reach."""
    of_symbol = dict(limits.symbol_threshold_add).get(symbol, 0)
    return config.score_threshold + max(limits.threshold_add, of_symbol)


def check_memory(
    desk: Desk, config: BotConfig, signal: Signal, now_ms: int, account_open: int
) -> tuple[Check, ...]:
    """A check for each verdict in force that bears on a signal; none when memory is silent.

    `account_open`: trades of the whole account that are at work besides the one that asks.
    """
    found = []
    for verdict in verdicts_for(desk, config, now_ms, signal):
        effect = verdict.effect
        if effect.pause_entries:
            found.append(_check(verdict, False, "no entries"))
        elif effect.threshold_add is not None:
            least = config.score_threshold + effect.threshold_add
            value = f"{signal.score:g}"
            found.append(_check(verdict, signal.score >= least, f">= {least:g}", value))
        elif effect.model_off is not None:
            passed = signal.model != effect.model_off
            found.append(_check(verdict, passed, f"not {effect.model_off}", signal.model))
        elif effect.risk_pct_max is not None:
            limit = f"<= {plain(effect.risk_pct_max)} %"
            found.append(_check(verdict, True, limit, f"{plain(config.risk_pct)} %"))
        elif effect.model_preferred is not None:
            free = config.account_open_trades_max - account_open
            passed = not _yields(desk, config, signal, effect.model_preferred, free)
            found.append(_check(verdict, passed, f"{effect.model_preferred} first", signal.model))
    return tuple(found)


def check_remembered_signals(desk: Desk, config: BotConfig, now_ms: int) -> tuple[Check, ...]:
    """Memory's own limit of signals a day (UTC), while it sets one."""
    used = desk.day.signals.get(config.bot_id, 0)
    return tuple(
        _check(verdict, used < most, f"< {most}", str(used))
        for verdict in verdicts_for(desk, config, now_ms)
        if (most := verdict.effect.signals_per_day_max) is not None
    )


def shrunk_to_nothing(verdicts: Iterable[Verdict]) -> tuple[Check, ...]:
    """The refusals of rules that limit the risk, for a trade that only they made too small."""
    return tuple(
        _check(verdict, False, f"<= {plain(most)} %", "too small to order")
        for verdict in verdicts
        if (most := verdict.effect.risk_pct_max) is not None
    )


def in_turn(desk: Desk, bot_ids: Sequence[str], now_ms: int) -> tuple[str, ...]:
    """Bots in the order in which they look at one bar: those of a preferred model go first."""
    if len(bot_ids) < 2:
        return tuple(bot_ids)

    def is_late(bot_id: str) -> bool:
        config = desk.bots[bot_id]
        if _PREFERS in config.memory_off:
            return False
        verdicts = desk.memory.verdicts(
            bot_id, now_ms, off=_ALL_BUT_PREFERS, tuning=config.memory_tuning
        )
        return bool(verdicts) and config.strategy not in combine(verdicts, now_ms).models_preferred

    return tuple(sorted(bot_ids, key=is_late))


def _yields(desk: Desk, config: BotConfig, signal: Signal, preferred: str, free: int) -> bool:
    """Whether the account's last free place is left to the preferred model.

    It tightens, and only where it can help: where the account has more than one place, and a
    running bot has traded that model.
    """
    if signal.model == preferred or config.account_open_trades_max <= 1 or free > 1:
        return False
    return any(preferred in desk.memory.of_bot(bot_id).models for bot_id in desk.running)


def _check(verdict: Verdict, passed: bool, limit: str, value: str = "") -> Check:
    text = ""
    if not passed:
        subject = verdict.scope.symbol or verdict.scope.model
        about = f" {subject}" if subject else ""
        end = f" until {_moment(verdict.until_ms)}" if verdict.until_ms is not None else ""
        demand = f"{limit}, not {value}" if value else limit
        text = f"{PREFIX}{verdict.rule}{about}: {demand}{end} ({verdict.reason})"
    return Check(
        rule=f"{PREFIX}{verdict.rule}",
        passed=passed,
        limit=limit,
        value=value or verdict.reason,
        text=text,
    )


def _moment(moment_ms: int) -> str:
    return f"{datetime.fromtimestamp(moment_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
