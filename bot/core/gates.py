"""Limits of the desk as checks: whether an entry may be made now, each limit with its input.

Must not know: how a trade goes on after it was let in. Memory's verdicts enter here, and can only
tighten.
"""

from datetime import UTC, datetime
from decimal import Decimal

from bot.core.desk_state import Desk
from bot.core.presets import BotConfig
from bot.core.sides import is_foreign
from bot.core.trade import HOLDING, WORKING, Check, Phase, Trade
from data.model import Signal
from data.money import ZERO, percent_of, plain
from memory.limits import Limits, combine
from memory.rules import verdicts_of


def limits_of(desk: Desk, config: BotConfig, now_ms: int) -> Limits:
    """What memory allows a bot now, folded from the desk's closed trades."""
    return combine(verdicts_of(desk.closed, now_ms, off=frozenset(config.memory_off)), now_ms)


def free_usdt(desk: Desk) -> Decimal:
    """Wallet less the margin that open trades bind."""
    bound = ZERO
    for trade in desk.trades.values():
        if trade.phase in HOLDING and trade.plan is not None:
            bound += trade.plan.notional_usdt / trade.plan.leverage
    return max(ZERO, desk.wallet_usdt - bound)


def check_entry(
    desk: Desk, config: BotConfig, signal: Signal, now_ms: int, *, besides: str = ""
) -> tuple[Check, ...]:
    """Every limit's word on one more trade; `besides` is the trade that asks, not counted."""
    others = [t for t in desk.trades.values() if t.phase in WORKING and t.trade_id != besides]
    mine = sum(1 for t in others if t.bot_id == config.bot_id)
    memory = limits_of(desk, config, now_ms)
    loss = max(ZERO, -desk.day.realized_usdt)
    loss_max = percent_of(desk.wallet_usdt, config.daily_loss_pct_max)
    entries = desk.day.entries.get(config.bot_id, 0)
    threshold = config.score_threshold + max(
        memory.threshold_add, dict(memory.symbol_threshold_add).get(signal.symbol, 0)
    )
    pauses = dict(memory.symbol_pause_until_ms)
    pause_until_ms = max(memory.pause_until_ms or 0, pauses.get(signal.symbol, 0))
    return (
        _flag("exchange_read", desk.ready, "the account was not read yet"),
        _flag("user_stream", desk.stream_ok, "the user stream is down"),
        _flag("no_halt", not desk.halts, ", ".join(desk.halts)),
        _flag("bot_running", config.bot_id in desk.running, "the bot is paused"),
        _flag(
            "memory_pause",
            pause_until_ms <= now_ms,
            f"memory pauses entries until {_moment(pause_until_ms)}",
        ),
        _flag("memory_model", signal.model not in memory.models_off, f"{signal.model} is off"),
        _flag("symbol_traded", signal.symbol not in desk.barred, _barred(desk, signal.symbol)),
        _flag("one_per_symbol", _is_free(desk, others, signal.symbol), f"{signal.symbol} is taken"),
        _bound("score", signal.score >= threshold, f">= {threshold:g}", f"{signal.score:g}"),
        _bound(
            "open_trades", mine < config.open_trades_max, f"< {config.open_trades_max}", str(mine)
        ),
        _count("trades_per_day", entries, config.trades_per_day_max),
        _bound(
            "daily_loss",
            config.daily_loss_pct_max == ZERO or loss < loss_max or loss == ZERO,
            f"< {plain(loss_max)} USDT",
            f"{plain(loss)} USDT",
        ),
        _bound(
            "wallet_min",
            desk.wallet_usdt >= config.wallet_usdt_min,
            f">= {config.wallet_usdt_min}",
            plain(desk.wallet_usdt),
        ),
    )


def check_signals(desk: Desk, config: BotConfig, now_ms: int) -> Check:
    """Whether one more signal may be taken up today (UTC)."""
    bound = config.signals_per_day_max
    remembered = limits_of(desk, config, now_ms).signals_per_day_max
    if remembered is not None:
        bound = remembered if bound == 0 else min(bound, remembered)
    return _count("signals_per_day", desk.day.signals.get(config.bot_id, 0), bound)


def failed(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """The checks that said no."""
    return tuple(c for c in checks if not c.passed)


def in_words(checks: tuple[Check, ...]) -> str:
    """Every failed check as "rule: value (limit)", joined."""
    return "; ".join(c.text or f"{c.rule}: {c.value} ({c.limit})" for c in failed(checks))


def _moment(moment_ms: int) -> str:
    return f"{datetime.fromtimestamp(moment_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _is_free(desk: Desk, others: list[Trade], symbol: str) -> bool:
    taken = any(t.symbol == symbol and t.phase is not Phase.IDLE for t in others)
    return not taken and not is_foreign(desk.foreign, symbol)


def _barred(desk: Desk, symbol: str) -> str:
    barred = desk.barred.get(symbol)
    return f"{symbol} is not traded now: {barred.status}" if barred is not None else ""


def _flag(rule: str, passed: bool, text: str) -> Check:
    return Check(rule=rule, passed=passed, limit="", value="", text="" if passed else text)


def _bound(rule: str, passed: bool, limit: str, value: str) -> Check:
    return Check(rule=rule, passed=passed, limit=limit, value=value)


def _count(rule: str, used: int, bound: int) -> Check:
    return _bound(rule, bound == 0 or used < bound, f"< {bound}" if bound else "none", str(used))
