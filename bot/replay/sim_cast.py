"""Who and what a simulated world is made of: symbols, a bot, its signals, an adviser's answers.

Every draw comes from the world's seeded Random, in a fixed order. Must not know: the world.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import Final

from bot.core.desk_state import Desk
from bot.core.guard import StopForm
from bot.core.messages import (
    AskAdvisor,
    CardAnswered,
    CardVerb,
    DecisionArrived,
    OrderRefused,
    PlaceOrder,
    SignalRaised,
    VenueCommand,
)
from bot.core.presets import ApprovalMode, BotConfig
from bot.core.timing import Timing
from bot.core.trade import Role
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


def blank_desk(seed: int, timing: Timing) -> Desk:
    """An account nobody traded on yet; a third of the seeds has stops of a quantity."""
    by_quantity = Random(f"form {seed}").random() < 0.35
    form = StopForm.QUANTITY if by_quantity else StopForm.CLOSE_POSITION
    return Desk(account_id=ACCOUNT, user_id=USER, timing=timing, stop_form=form)


def guarded(config: BotConfig, seed: int) -> BotConfig:
    """The bot with stops that move, in half of the seeds: break-even, trailing, the exchange's."""
    rng = Random(f"guard {seed}")
    if rng.random() < 0.5:
        return config
    trails = rng.choice(("no", "pct", "atr"))
    return replace(
        config,
        break_even_risks=rng.choice((Decimal(0), Decimal("0.3"), Decimal(1))),
        break_even_bps=rng.choice((Decimal(0), Decimal(5))),
        trail_pct=rng.choice((Decimal("0.2"), Decimal("0.5"))) if trails == "pct" else Decimal(0),
        trail_atr=Decimal("0.5") if trails == "atr" else Decimal(0),
        trail_from_risks=rng.choice((Decimal(0), Decimal("0.5"))),
        callback_pct=rng.choice((Decimal(0), Decimal(0), Decimal("0.2"))),
        callback_from_risks=rng.choice((Decimal(0), Decimal("0.5"))),
    )


def refusal_of(luck: Random, command: VenueCommand, seed: int) -> OrderRefused | None:
    """In a quarter of the seeds every other stop after the first is refused."""
    if seed % 8 not in (0, 3) or not isinstance(command, PlaceOrder):
        return None
    order = command.order
    if order.role is not Role.STOP or order.attempt == 0:
        return None
    if luck.random() < 0.5:
        return None
    code = luck.choice((-2010, -4045, -1015))
    return OrderRefused(order_id=order.order_id, code=code, text="refused for the sake of it")


def config_of(rng: Random, seed: int) -> BotConfig:
    """A bot: every third seed trades unasked, two fifths by limit orders."""
    limit = rng.random() < 0.4
    return guarded(_plain_config(rng, seed, limit=limit), seed)


def _plain_config(rng: Random, seed: int, *, limit: bool) -> BotConfig:
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


def tap_of(trade_id: str, verb: CardVerb, price: Decimal, now_ms: int) -> CardAnswered:
    """A person's answer, with the price read when it arrives (ten seconds on, at the latest)."""
    return CardAnswered(
        trade_id=trade_id, verb=verb, user_id=USER, mark_price=price, mark_ms=now_ms + 10_000
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
