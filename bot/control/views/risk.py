"""/risk: a bot's limits beside what is used of each today, memory's included.

Must not know: how a limit is enforced, who may ask.
"""

from decimal import Decimal
from typing import Final

from bot.control.html import Html, bold, cut, join, pre
from bot.control.views.look import Look, duration, mark, money, table
from bot.control.views.phrases import say_again
from bot.core import hours
from bot.core.desk import Desk
from bot.core.presets import BotConfig, Exits, Sizing, trading_hours_of
from bot.core.ruling import gates
from bot.core.ruling.remembering import limits_of
from data.money import ZERO, percent_of, plain
from memory.limits import Limits

BOTS_MAX: Final = 5

_SIZINGS: Final[dict[Sizing, str]] = {
    Sizing.RISK: mark("by risk"),
    Sizing.MARGIN_TARGET: mark("by margin"),
    Sizing.AMOUNT: mark("by amount"),
    Sizing.ADVISER: mark("by the adviser"),
}
_EXITS: Final[dict[Exits, str]] = {
    Exits.ADVISER: mark("the adviser's"),
    Exits.STRATEGY: mark("the strategy's"),
    Exits.PERCENT: mark("percent"),
}
Row = tuple[str, str, str]


def risk(look: Look, desk: Desk, bot_id: str = "") -> Html:
    """The limits of one bot, or (with "") of the first few."""
    wanted = [config for name, config in desk.bots.items() if bot_id in ("", name)]
    shown = [_bot(look, desk, config) for config in wanted[:BOTS_MAX]]
    return cut(join([bold(look.words.label("Limits")), *shown], "\n\n"))


def _bot(look: Look, desk: Desk, config: BotConfig) -> Html:
    memory = limits_of(desk, config, look.now_ms)
    rows = [
        *_counts(look, desk, config, memory),
        *_money(look, desk, config, memory),
        *_times(look, config),
    ]
    title = join([bold(config.bot_id), config.preset], " · ")
    return join([title, pre(table(rows))])


def _counts(look: Look, desk: Desk, config: BotConfig, memory: Limits) -> list[Row]:
    label, day = look.words.label, desk.day
    working = desk.working()
    mine = sum(1 for trade in working if trade.bot_id == config.bot_id)
    signals_max = config.signals_per_day_max
    remembered = memory.signals_per_day_max
    return [
        (
            label("Signals today"),
            _of(day.signals.get(config.bot_id, 0), signals_max),
            _memory(look, None if remembered is None else str(remembered)),
        ),
        (
            label("Trades today"),
            _of(day.entries.get(config.bot_id, 0), config.trades_per_day_max),
            "",
        ),
        (label("Open"), _of(mine, config.open_trades_max), ""),
        (label("Account open"), _of(len(working), config.account_open_trades_max), ""),
        (
            label("Score at least"),
            f"{config.score_threshold:g}",
            _memory(
                look,
                f"{config.score_threshold + memory.threshold_add:g}"
                if memory.threshold_add
                else None,
            ),
        ),
        (label("Confidence at least"), f"{config.confidence_min:g}", ""),
    ]


def _money(look: Look, desk: Desk, config: BotConfig, memory: Limits) -> list[Row]:
    label = look.words.label
    lost = max(ZERO, -desk.day.realized_usdt)
    lost_max = percent_of(desk.wallet_usdt, config.daily_loss_pct_max)
    remembered = memory.risk_pct_max
    return [
        (
            label("Day's loss"),
            f"{money(lost)}/{money(lost_max) if lost_max else '-'}",
            "USDT",
        ),
        (
            label("Risk a trade"),
            f"{plain(config.risk_pct)} %",
            _memory(look, None if remembered is None else f"{plain(remembered)} %"),
        ),
        (label("Size"), _size(config), label(_SIZINGS[config.sizing])),
        (label("Value at most"), f"{plain(config.notional_pct_max)} %", label("of the wallet")),
        (label("Value at least"), money(config.notional_usdt_min), "USDT"),
        (label("Wallet at least"), money(config.wallet_usdt_min), "USDT"),
        (label("Earned"), money(desk.memory.of_bot(config.bot_id).earned_usdt), "USDT"),
    ]


def _times(look: Look, config: BotConfig) -> list[Row]:
    label, when = look.words.label, trading_hours_of(config)
    opened = label("now open") if gates.is_trading_time(config, look.now_ms) else label("now shut")
    longest = config.position_timeout_ms
    return [
        (label("Hours"), say_again(look.words, hours.in_words(when)), opened),
        (label("Entry waits"), duration(config.entry_timeout_ms), ""),
        (label("Position at most"), duration(longest) if longest else "-", ""),
        (label("Exits"), _levels(config), label(_EXITS[config.exits])),
    ]


def _size(config: BotConfig) -> str:
    match config.sizing:
        case Sizing.MARGIN_TARGET:
            return f"{money(config.margin_target_usdt)} x{config.leverage}"
        case Sizing.AMOUNT:
            return money(config.amount_usdt) + (" +" if config.compounding else "")
        case Sizing.RISK | Sizing.ADVISER:
            return f"x{config.leverage}"


def _levels(config: BotConfig) -> str:
    if config.exits is not Exits.PERCENT:
        return ""
    return f"-{plain(config.stop_pct)} % +{plain(config.target_pct)} %"


def _of(used: int | Decimal, most: int) -> str:
    return f"{used}/{most or '-'}"


def _memory(look: Look, limit: str | None) -> str:
    return "" if limit is None else f"{look.words.label('memory')}: {limit}"
