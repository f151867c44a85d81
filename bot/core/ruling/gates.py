"""Limits of the desk as checks: whether an entry may be made now, each limit with its input.

Must not know: how a trade goes on after it was let in. Memory's verdicts enter here, and can only
tighten.
"""

from decimal import Decimal

from bot.core import hours
from bot.core.desk_state import Desk
from bot.core.presets import BotConfig, trading_hours_of
from bot.core.ruling.remembering import check_memory, check_remembered_signals
from bot.core.sides import is_foreign
from bot.core.trade import HOLDING, WORKING, Check, Phase, Trade
from data.model import Signal
from data.money import ZERO, percent_of, plain


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
    """Every limit's word on one more trade; `besides` is the trade that asks, not counted.

    A trade counts from its signal on: a question under way and a card before a person hold their
    place, so two signals of one moment cannot both have the last one.
    """
    others = [t for t in desk.trades.values() if t.phase in WORKING and t.trade_id != besides]
    return (
        _flag("exchange_read", desk.ready, "the account was not read yet"),
        _flag("user_stream", desk.stream_ok, "the user stream is down"),
        _flag("no_halt", not desk.halts, ", ".join(desk.halts)),
        _flag("bot_running", config.bot_id in desk.running, "the bot is paused"),
        _flag("symbol_traded", signal.symbol not in desk.barred, _barred(desk, signal.symbol)),
        _check_hours(config, now_ms),
        _flag("one_per_symbol", _is_free(desk, others, signal.symbol), f"{signal.symbol} is taken"),
        _bound(
            "score",
            signal.score >= config.score_threshold,
            f">= {config.score_threshold:g}",
            f"{signal.score:g}",
        ),
        *_check_counts(desk, config, others),
        *_check_money(desk, config),
        *check_memory(desk, config, signal, now_ms, len(others)),
    )


def is_trading_time(config: BotConfig, now_ms: int) -> bool:
    """Whether the bot looks at the market now; what is open is managed at any hour."""
    if not config.trading_from and not config.trading_weekdays:
        return True  # Asked for every bar of every symbol, and mostly so.
    return hours.is_open(trading_hours_of(config), now_ms)


def _check_hours(config: BotConfig, now_ms: int) -> Check:
    when = trading_hours_of(config)
    moment = f"{hours.local(when, now_ms):%a %H:%M}"
    return _bound("trading_hours", hours.is_open(when, now_ms), hours.in_words(when), moment)


def _check_counts(desk: Desk, config: BotConfig, others: list[Trade]) -> tuple[Check, ...]:
    mine = sum(1 for t in others if t.bot_id == config.bot_id)
    entries = desk.day.entries.get(config.bot_id, 0)
    return (
        _bound(
            "open_trades", mine < config.open_trades_max, f"< {config.open_trades_max}", str(mine)
        ),
        _count("account_open_trades", len(others), config.account_open_trades_max),
        _count("trades_per_day", entries, config.trades_per_day_max),
    )


def _check_money(desk: Desk, config: BotConfig) -> tuple[Check, ...]:
    loss = max(ZERO, -desk.day.realized_usdt)
    loss_max = percent_of(desk.wallet_usdt, config.daily_loss_pct_max)
    return (
        _bound(
            "daily_loss",
            config.daily_loss_pct_max == ZERO or loss < loss_max or loss == ZERO,
            f"< {plain(loss_max)} USDT" if config.daily_loss_pct_max else "none",
            f"{plain(loss)} USDT",
        ),
        _bound(
            "wallet_min",
            desk.wallet_usdt >= config.wallet_usdt_min,
            f">= {config.wallet_usdt_min}",
            plain(desk.wallet_usdt),
        ),
    )


def check_signals(desk: Desk, config: BotConfig, now_ms: int) -> tuple[Check, ...]:
    """Whether one more signal may be taken up today (UTC): the bot's own limit, and memory's."""
    used = desk.day.signals.get(config.bot_id, 0)
    return (
        _count("signals_per_day", used, config.signals_per_day_max),
        *check_remembered_signals(desk, config, now_ms),
    )


def failed(checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """The checks that said no."""
    return tuple(c for c in checks if not c.passed)


def in_words(checks: tuple[Check, ...]) -> str:
    """Every failed check as "rule: value (limit)", joined."""
    return "; ".join(c.text or f"{c.rule}: {c.value} ({c.limit})" for c in failed(checks))


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
