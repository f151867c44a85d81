"""Where a question gets its facts: one snapshot of market, desk and memory for the adviser.

Facts are collected at one place, so the model, the rules and `/why` speak of the same ones. Must
not know: how an answer is found or judged.
"""

from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.core.desk import Desk
from bot.core.messages import AskAdvisor, Question
from bot.core.presets import BotConfig
from bot.core.remembering import threshold_of, verdicts_for
from bot.core.trade import HOLDING, Trade
from bot.shell.clock import Clock
from bot.shell.ports import Market, Window
from data.indicators import atr, rsi, sma
from data.model import Candle, ClosedTrade
from data.money import ZERO, plain
from memory.lessons import sentences_of
from memory.limits import Limits, combine

QUESTION_VERSION: Final = 1
CANDLES_SHOWN: Final = 60  # what a model still reads with attention; 3,000 tokens
RECENT_TRADES: Final = 15  # the window of product sheet C
TREND_TRADES: Final = 5
FAST_BARS: Final = 20
SLOW_BARS: Final = 50
SWING_BARS: Final = 14


class Questions:
    """Makes the snapshot an adviser decides on, from the market, the desk and memory."""

    def __init__(self, *, market: Market, clock: Clock) -> None:
        self._market = market
        self._clock = clock

    def question_of(self, desk: Desk, command: AskAdvisor) -> Question | None:
        """The facts at this moment; None without a fresh price or window."""
        trade = desk.trades.get(command.trade_id)
        config = desk.bots.get(command.bot_id)
        mark = self._market.mark_price(command.symbol)
        if trade is None or config is None or mark is None:
            return None
        window = self._market.window(command.symbol, config.timeframe)
        if window is None:
            return None
        now_ms = self._clock.now_ms()
        verdicts = verdicts_for(desk, config, now_ms, trade.signal)
        quantity, entry_price = _holding(trade)
        return Question(
            version=QUESTION_VERSION,
            trade_id=command.trade_id,
            bot_id=command.bot_id,
            user_id=config.user_id,
            symbol=command.symbol,
            purpose=command.purpose,
            asked_ms=now_ms,
            mark_price=mark[0],
            signal=trade.signal,
            candles=_candles(window, command.symbol, config.timeframe),
            indicators=_indicators(window),
            wallet_usdt=desk.wallet_usdt,
            open_positions=sum(t.phase in HOLDING for t in desk.trades.values()),
            position_quantity=quantity,
            position_entry_price=entry_price,
            unrealized_usdt=ZERO if entry_price is None else (mark[0] - entry_price) * quantity,
            recent_trades=recent_statistics(desk.closed),
            lessons=sentences_of(verdicts),
            limits=_limits(config, combine(verdicts, now_ms), command.symbol),
        )


def recent_statistics(closed: tuple[ClosedTrade, ...]) -> tuple[tuple[str, str], ...]:
    """How the last trades went, as (statistic, value); empty without any."""
    last = closed[-RECENT_TRADES:]
    if not last:
        return ()
    wins = sum(trade.pnl_usdt > 0 for trade in last)
    total = sum((trade.pnl_usdt for trade in last), ZERO)
    stops = sum(trade.exit_reason == "stop_loss" for trade in last)
    targets = sum(trade.exit_reason == "take_profit" for trade in last)
    lately = sum((trade.pnl_usdt for trade in last[-TREND_TRADES:]), ZERO)
    return (
        ("trades", str(len(last))),
        ("win_rate_pct", f"{100 * wins / len(last):.0f}"),
        ("average_pnl_usdt", plain(round(total / len(last), 4))),
        ("stop_hit_pct", f"{100 * stops / len(last):.0f}"),
        ("target_hit_pct", f"{100 * targets / len(last):.0f}"),
        (f"pnl_of_last_{TREND_TRADES}_usdt", plain(round(lately, 4))),
    )


def _holding(trade: Trade) -> tuple[Decimal, Decimal | None]:
    if trade.direction is None or trade.phase not in HOLDING or not trade.fills:
        return ZERO, None
    side = trade.direction.entry_side
    bought = sum((f.quantity for f in trade.fills if f.side is side), ZERO)
    sold = sum((f.quantity for f in trade.fills if f.side is not side), ZERO)
    paid = sum((f.quantity * f.price for f in trade.fills if f.side is side), ZERO)
    if bought <= sold:
        return ZERO, None
    return (bought - sold) * trade.direction.sign, paid / bought


def _candles(window: Window, symbol: str, timeframe: str) -> tuple[Candle, ...]:
    first = max(0, len(window.close) - CANDLES_SHOWN)
    return tuple(
        Candle(
            symbol=symbol,
            timeframe=timeframe,
            open_ms=int(window.open_ms[i]),
            open=float(window.open[i]),
            high=float(window.high[i]),
            low=float(window.low[i]),
            close=float(window.close[i]),
            volume=float(window.volume[i]),
        )
        for i in range(first, len(window.close))
    )


def _indicators(window: Window) -> tuple[tuple[str, float], ...]:
    close: NDArray[np.float64] = window.close
    values = (
        (f"sma_{FAST_BARS}", sma(close, FAST_BARS)),
        (f"sma_{SLOW_BARS}", sma(close, SLOW_BARS)),
        (f"atr_{SWING_BARS}", atr(window.high, window.low, close, SWING_BARS)),
        (f"rsi_{SWING_BARS}", rsi(close, SWING_BARS)),
    )
    return tuple((name, float(value)) for name, value in values if value is not None)


def _limits(config: BotConfig, remembered: Limits, symbol: str) -> tuple[tuple[str, str], ...]:
    risk_pct = min(config.risk_pct, remembered.risk_pct_max or config.risk_pct)
    return (
        ("score_threshold", f"{threshold_of(config, remembered, symbol):g}"),
        ("confidence_min", f"{config.confidence_min:g}"),
        ("risk_pct", plain(risk_pct)),
        ("leverage", str(config.leverage)),
        ("reward_risk_min", plain(config.reward_risk_min)),
        ("approval", config.approval_mode.value),
    )
