"""Who and what a simulated world is made of: symbols, a bot, its signals, an adviser's answers.

Every draw comes from the world's seeded Random, in a fixed order. Must not know: the world.
"""

from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Final

from bot.core.messages import AskAdvisor, DecisionArrived, SignalRaised
from bot.core.presets import ApprovalMode, BotConfig
from data.model import (
    Action,
    Bracket,
    Decision,
    Direction,
    Instrument,
    MarginType,
    OrderKind,
    Signal,
)

ACCOUNT: Final = "sim"
USER: Final = "u1"
BOT: Final = "bot"
SYMBOLS: Final = ("BTCUSDT", "ETHUSDT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A symbol's price at a moment."""

    symbol: str
    price: Decimal
    now_ms: int
    instrument: Instrument


def instrument_of(symbol: str) -> Instrument:
    """A plain symbol with round filters."""
    return Instrument(
        symbol=symbol,
        base_asset=symbol.removesuffix("USDT"),
        quote_asset="USDT",
        tradable=True,
        tick_size=Decimal("0.1"),
        step_size=Decimal("0.001"),
        market_step_size=Decimal("0.001"),
        quantity_min=Decimal("0.001"),
        quantity_max=Decimal(1000),
        market_quantity_max=Decimal(1000),
        notional_min=Decimal(5),
        price_up_ratio=Decimal("1.5"),
        price_down_ratio=Decimal("0.5"),
        brackets=(
            Bracket(
                leverage_max=50,
                notional_floor=Decimal(0),
                notional_cap=Decimal(10**9),
                maintenance_ratio=Decimal("0.004"),
                maintenance_amount=Decimal(0),
            ),
        ),
    )


INSTRUMENTS: Final = {symbol: instrument_of(symbol) for symbol in SYMBOLS}


def config_of(rng: Random, seed: int) -> BotConfig:
    """A bot: every third seed trades unasked, two fifths by limit orders."""
    limit = rng.random() < 0.4
    return BotConfig(
        bot_id=BOT,
        user_id=USER,
        account_id=ACCOUNT,
        symbols=SYMBOLS,
        approval_mode=ApprovalMode.AUTO if seed % 3 == 0 else ApprovalMode.APPROVE,
        approval_ttl_ms=8_000,
        entry_kind=OrderKind.LIMIT if limit else OrderKind.MARKET,
        entry_timeout_ms=rng.choice((6_000, 20_000)),
        position_timeout_ms=rng.choice((0, 15_000)),
        review_every_ms=rng.choice((0, 5_000)),
        margin_type=rng.choice((MarginType.ISOLATED, MarginType.CROSSED)),
        open_trades_max=2,
        signals_per_day_max=0,
        trades_per_day_max=0,
        daily_loss_pct_max=Decimal(0),
        drift_bps_max=Decimal(300),
        confirm_bps=Decimal(200),
        reward_risk_min=Decimal(0),
    )


def signal_of(rng: Random, quote: Quote, number: int) -> SignalRaised:
    """A proposal near the price, with levels that a few minutes can reach."""
    direction = rng.choice((Direction.LONG, Direction.SHORT))
    price, sign = quote.price, direction.sign
    signal = Signal(
        signal_id=f"{BOT}-{quote.symbol}-1m-{number}",
        bot_id=BOT,
        strategy="continuation",
        model="continuation",
        symbol=quote.symbol,
        timeframe="1m",
        bar_open_ms=quote.now_ms - 60_000,
        raised_ms=quote.now_ms,
        direction=direction,
        entry_price=price,
        stop_price=price - sign * rng.randint(3, 15),
        target_price=price + sign * rng.randint(3, 25),
        score=90.0,
    )
    return SignalRaised(
        signal=signal,
        instrument=quote.instrument,
        mark_price=price,
        mark_ms=quote.now_ms,
    )


def decision_of(rng: Random, command: AskAdvisor, quote: Quote) -> DecisionArrived:
    """An answer: mostly yes, or hold; sometimes do nothing, or close."""
    manage = command.purpose == "manage"
    usual = Action.HOLD_POSITION if manage else Action.OPEN_POSITION
    unusual = Action.CLOSE_POSITION if manage else Action.DO_NOTHING
    decision = Decision(
        advisor="rules",
        model_version="",
        bot_id=command.bot_id,
        symbol=command.symbol,
        snapshot_id="s",
        action=unusual if rng.random() < 0.15 else usual,
        confidence=80.0,
    )
    return DecisionArrived(
        trade_id=command.trade_id,
        decision=decision,
        mark_price=quote.price,
        mark_ms=quote.now_ms,
    )
