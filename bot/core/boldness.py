"""Which edits of a configuration let more be lost: those a person is asked about once more.

A field that is not listed as mild is bold when it changes, so a field that is added later is asked
about until somebody thought of it. Must not know: chat, or how a field is edited.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final

from bot.core.presets import ApprovalMode, BotConfig

# Whatever they are, no more is lost for it.
_MILD: Final = frozenset(
    {
        "symbols",
        "timeframe",
        "trend_timeframe",
        "approval_ttl_ms",
        "entry_timeout_ms",
        "review_every_ms",
        "notional_usdt_min",
        "target_pct",
        "from_settings",
    }
)
_MORE: Final = (
    "leverage",
    "risk_pct",
    "notional_pct_max",
    "stop_distance_bps_max",
    "drift_bps_max",
    "confirm_bps",
    "open_trades_max",
    "margin_target_usdt",
    "amount_usdt",
    "stop_pct",
    "compounding",
)
_LESS: Final = (
    "reward_risk_min",
    "stop_distance_bps_min",
    "score_threshold",
    "confidence_min",
    "wallet_usdt_min",
)
_COUNTS: Final = (  # 0 is "no limit"
    "signals_per_day_max",
    "trades_per_day_max",
    "daily_loss_pct_max",
    "account_open_trades_max",
    "position_timeout_ms",
)
_ASKS_A_PERSON: Final = (ApprovalMode.SIGNAL_ONLY, ApprovalMode.APPROVE)


def bolder(before: BotConfig, after: BotConfig) -> tuple[str, ...]:
    """The fields whose change lets more be lost, in the order of the record."""
    return tuple(
        one.name
        for one in fields(BotConfig)
        if one.name not in _MILD
        and getattr(before, one.name) != getattr(after, one.name)
        and _RULES.get(one.name, _any)(getattr(before, one.name), getattr(after, one.name))
    )


def _any(before: Any, after: Any) -> bool:
    del before, after
    return True


def _more(before: Any, after: Any) -> bool:
    return bool(after > before)


def _less(before: Any, after: Any) -> bool:
    return bool(after < before)


def _more_or_none(before: Any, after: Any) -> bool:
    return bool(before and (not after or after > before))


def _mode(before: Any, after: Any) -> bool:
    return bool(after.sizes > before.sizes or after.teaches > before.teaches)


def _unasked(before: Any, after: Any) -> bool:
    del before
    return after not in _ASKS_A_PERSON


def _forgets(before: Any, after: Any) -> bool:
    return not set(after) <= set(before)


_RULES: Final[dict[str, Callable[[Any, Any], bool]]] = {
    **dict.fromkeys(_MORE, _more),
    **dict.fromkeys(_LESS, _less),
    **dict.fromkeys(_COUNTS, _more_or_none),
    "ai_mode": _mode,
    "approval_mode": _unasked,
    "memory_off": _forgets,
}
_known: Final = {one.name for one in fields(BotConfig)}
assert set(_RULES) | _MILD <= _known, "a field that is none"
