"""Where a question gets its facts: one snapshot of market, desk and memory for the adviser.

Facts are collected at one place, so the model, the rules and `/why` speak of the same ones. Must
not know: how an answer is found or judged.
"""

import math
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.core.desk import Desk
from bot.core.directives import said_pairs
from bot.core.messages import AskAdvisor, Question
from bot.core.presets import BotConfig
from bot.core.ruling.directing import directed, directives_of
from bot.core.ruling.remembering import threshold_of, verdicts_for
from bot.core.trade import HOLDING, Trade
from bot.shell.clock import Clock
from bot.shell.ports import Market, Window
from data.indicators import atr, bollinger, macd, rsi, sma
from data.model import Candle, ClosedTrade
from data.money import ZERO, plain
from memory.caution import Caution, caution_of
from memory.lessons import sentences_of
from memory.limits import Limits, combine

QUESTION_VERSION: Final = 1
CANDLES_SHOWN: Final = 60  # what a model still reads with attention; 3,000 tokens
RECENT_TRADES: Final = 15  # the window of product sheet C
TREND_TRADES: Final = 5
FAST_BARS: Final = 20
SLOW_BARS: Final = 50
SWING_BARS: Final = 14
LONG_BARS: Final = 200
MACD_BARS: Final = (12, 26, 9)
BAND_DEVIATIONS: Final = 2.0


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
        mine = tuple(one for one in desk.closed if one.bot_id == config.bot_id)
        caution = caution_of(mine)
        return Question(
            version=QUESTION_VERSION,
            trade_id=command.trade_id,
            bot_id=command.bot_id,
            user_id=config.user_id,
            config=directed(desk, config),
            instrument=trade.instrument,
            caution=caution,
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
            recent_trades=recent_statistics(mine),
            lessons=(*sentences_of(verdicts), *_cautions(caution)),
            # As they are enforced: directives narrow the limits, and stand beside them.
            limits=_limits(
                directed(desk, config), combine(verdicts, now_ms), caution, command.symbol
            ),
            directives=said_pairs(directives_of(desk, config.bot_id)),
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
    columns = (window.open_ms, window.open, window.high, window.low, window.close, window.volume)
    newest = zip(*(column[-CANDLES_SHOWN:].tolist() for column in columns), strict=True)
    return tuple(
        Candle(
            symbol=symbol,
            timeframe=timeframe,
            open_ms=open_ms,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
        )
        for open_ms, opened, high, low, close, volume in newest
    )


def _indicators(window: Window) -> tuple[tuple[str, float], ...]:
    close: NDArray[np.float64] = window.close
    bands = bollinger(close, FAST_BARS, BAND_DEVIATIONS) or (None,) * 3
    lines = macd(close, *MACD_BARS) or (None,) * 3
    values = (
        (f"sma_{FAST_BARS}", sma(close, FAST_BARS)),
        (f"sma_{SLOW_BARS}", sma(close, SLOW_BARS)),
        (f"sma_{LONG_BARS}", sma(close, LONG_BARS)),
        (f"atr_{SWING_BARS}", atr(window.high, window.low, close, SWING_BARS)),
        (f"rsi_{SWING_BARS}", rsi(close, SWING_BARS)),
        *zip(("macd", "macd_signal", "macd_histogram"), lines, strict=True),
        *zip(("band_upper", "band_middle", "band_lower"), bands, strict=True),
    )
    return tuple(
        (name, float(value)) for name, value in values if value is not None and math.isfinite(value)
    )


def _cautions(caution: Caution) -> tuple[str, ...]:
    """What the last trades ask of a confidence, as sentences: it is enforced all the same."""
    why = ", ".join(caution.reasons)
    found = []
    if caution.demanded_above is not None:
        found.append(f"Only a confidence above {caution.demanded_above:g} counts: {why}.")
    if caution.points_off:
        found.append(f"{caution.points_off:g} points are taken off your confidence: {why}.")
    return tuple(found)


def _limits(
    config: BotConfig, remembered: Limits, caution: Caution, symbol: str
) -> tuple[tuple[str, str], ...]:
    risk_pct = min(config.risk_pct, remembered.risk_pct_max or config.risk_pct)
    least = max(config.confidence_min + caution.points_off, caution.demanded_above or 0.0)
    return (
        ("score_threshold", f"{threshold_of(config, remembered, symbol):g}"),
        ("confidence_min", f"{least:g}"),
        ("risk_pct", plain(risk_pct)),
        ("leverage_max", str(config.leverage)),
        ("reward_risk_min", plain(config.reward_risk_min)),
        ("stop_distance_bps_min", plain(config.stop_distance_bps_min)),
        ("stop_distance_bps_max", plain(config.stop_distance_bps_max)),
        ("price_drift_bps_max", plain(config.drift_bps_max)),
        ("approval", config.approval_mode.value),
        ("ai_mode", config.ai_mode.value),
    )
