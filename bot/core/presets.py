"""What a bot is: one typed configuration, and the ancestors' behaviours as ready-made ones.

Must not know: settings files or chat. A configuration is validated here, field by field, in words.
"""

from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from bot.core import hours
from bot.core.trade import BOT_ID_LENGTH_MAX
from data.candles import timeframe_ms
from data.model import MarginType, OrderKind
from data.money import ONE, ZERO, is_multiple
from memory import tuning
from memory.tuning import Tuning
from memory.verdict import RULE_IDS

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
CALLBACK_STEP: Final = Decimal("0.1")  # percent; what the exchange takes


class ApprovalMode(StrEnum):
    """Who has the last word on an entry."""

    SIGNAL_ONLY = "signal-only"
    APPROVE = "approve"
    AUTO = "auto"
    AUTO_BELOW = "auto-below"  # by itself up to a size and a risk, beyond them a person is asked


class AiMode(StrEnum):
    """What the adviser may settle beside yes and no (product sheet A)."""

    EXECUTOR = "executor"  # our quantity, fixed directives
    TACTICAL = "tactical"  # its quantity, fixed directives
    MECHANICAL = "mechanical"  # our quantity, it may update directives
    ADAPTIVE = "adaptive"  # its quantity, and it may update directives

    @property
    def sizes(self) -> bool:
        """Whether the adviser's quantity counts; the owner's limits bound it all the same."""
        return self in (AiMode.TACTICAL, AiMode.ADAPTIVE)

    @property
    def teaches(self) -> bool:
        """Whether the adviser's updates of directives count, within the owner's bounds."""
        return self in (AiMode.MECHANICAL, AiMode.ADAPTIVE)


class AiTrigger(StrEnum):
    """What makes a bot ask its adviser about an entry."""

    SIGNAL = "signal"  # a strategy's signal
    TIMER = "timer"  # the clock, where a model answers; without one the strategy's signals do


class Sizing(StrEnum):
    """How large a trade is wanted; every limit can only make it smaller."""

    RISK = "risk"  # the stop costs `risk_pct` of the wallet
    MARGIN_TARGET = "margin_target"  # `margin_target_usdt` x leverage / entry
    AMOUNT = "amount"  # a position of `amount_usdt`; with `compounding` also what the bot earned
    ADVISER = "adviser"  # what it suggests where `ai_mode` lets it size, else by risk


class Exits(StrEnum):
    """Where stop and target come from."""

    ADVISER = "adviser"  # the adviser's levels where it names them, else the strategy's
    STRATEGY = "strategy"  # the strategy's own, such as ATRs from the entry
    PERCENT = "percent"  # `stop_pct` and `target_pct` from the real entry


@dataclass(frozen=True, slots=True, kw_only=True)
class BotConfig:
    """One bot's whole configuration. Percents are of 100; limits of 0 mean "no limit"."""

    bot_id: str
    user_id: str
    account_id: str
    preset: str = "signals"
    strategy: str = "continuation"
    strategy_params: tuple[tuple[str, float], ...] = ()
    symbols: tuple[str, ...] = ()  # empty: the universe
    timeframe: str = "30m"
    trend_timeframe: str = ""  # a longer one whose bars strategies may ask; "": none
    approval_mode: ApprovalMode = ApprovalMode.APPROVE
    approval_ttl_ms: int = 5 * MINUTE_MS
    # Of auto-below: every bound that is set must hold, else a person is asked; 0: not a bound.
    auto_notional_usdt_max: Decimal = ZERO
    auto_risk_usdt_max: Decimal = ZERO  # lost at the stop, with fees
    auto_risk_pct_max: Decimal = ZERO  # the same, of the wallet
    ai_mode: AiMode = AiMode.EXECUTOR
    ai_trigger: AiTrigger = AiTrigger.SIGNAL
    ai_every_ms: int = 5 * MINUTE_MS  # of a timer
    entry_kind: OrderKind = OrderKind.MARKET
    entry_timeout_ms: int = MINUTE_MS
    position_timeout_ms: int = 0
    review_every_ms: int = 0  # adviser looks at an open position this often; 0: never
    leverage: int = 5
    margin_type: MarginType = MarginType.ISOLATED
    risk_pct: Decimal = Decimal(1)  # of the wallet, lost at the stop
    notional_pct_max: Decimal = Decimal(100)  # of the wallet
    reward_risk_min: Decimal = Decimal("1.2")
    stop_distance_bps_min: Decimal = Decimal(5)
    stop_distance_bps_max: Decimal = Decimal(1500)
    drift_bps_max: Decimal = Decimal(50)  # price moved since the card: beyond it a tap is refused
    confirm_bps: Decimal = Decimal(20)  # beyond it a tap asks "anyway?"
    score_threshold: float = 75.0
    confidence_min: float = 60.0
    signals_per_day_max: int = 5
    trades_per_day_max: int = 10
    open_trades_max: int = 1
    daily_loss_pct_max: Decimal = Decimal(5)
    wallet_usdt_min: Decimal = Decimal(10)
    memory_off: tuple[str, ...] = ()  # memory rules this bot does not obey, by id
    memory_tuning: Tuning = field(default_factory=Tuning)  # for this bot; bounded
    sizing: Sizing = Sizing.RISK
    margin_target_usdt: Decimal = Decimal(0)
    amount_usdt: Decimal = Decimal(0)
    compounding: bool = False
    notional_usdt_min: Decimal = Decimal(5)
    account_open_trades_max: int = 0  # of all the account's bots together
    exits: Exits = Exits.ADVISER
    stop_pct: Decimal = Decimal(0)
    target_pct: Decimal = Decimal(0)
    trading_from: str = ""  # "HH:MM" in `trading_zone`; with `trading_to` empty: all day
    trading_to: str = ""  # exclusive; before `trading_from`: the next morning
    trading_weekdays: tuple[int, ...] = ()  # 0 is Monday; empty: every day
    trading_zone: str = "UTC"
    # Moving the stop: 0 is off. A risk is the distance from the entry to the first stop.
    break_even_risks: Decimal = ZERO  # the price has gone this many risks: stop to the entry
    break_even_bps: Decimal = Decimal(10)  # and this much beyond it: the fees of both ways
    trail_pct: Decimal = ZERO  # the stop follows at this percent of the price
    trail_atr: Decimal = ZERO  # or at this many ATRs, as they were at the entry
    trail_from_risks: Decimal = ONE  # once the price has gone this many risks
    callback_pct: Decimal = ZERO  # the exchange's own trailing stop, beside the fixed one
    callback_from_risks: Decimal = ONE
    from_settings: tuple[tuple[str, str], ...] = ()  # fields as the settings last gave them


# What each ancestor does (product sheet A to D). Where it names no number, the house's stands.
PRESETS: Final[dict[str, BotConfig]] = {
    "signals": BotConfig(
        bot_id="signals",
        user_id="",
        account_id="",
        exits=Exits.STRATEGY,
    ),
    "futures-ai": BotConfig(
        bot_id="futures",
        user_id="",
        account_id="",
        timeframe="15m",
        entry_kind=OrderKind.LIMIT,
        entry_timeout_ms=MINUTE_MS,
        review_every_ms=5 * MINUTE_MS,
        ai_trigger=AiTrigger.TIMER,
        sizing=Sizing.MARGIN_TARGET,
        margin_target_usdt=Decimal(25),
        leverage=10,
        confidence_min=70.0,
        score_threshold=60.0,
        signals_per_day_max=0,
    ),
    "scalper": BotConfig(
        bot_id="scalper",
        user_id="",
        account_id="",
        strategy="volatile",  # RSI, MACD and Bollinger bands, as the ancestor looked at them
        timeframe="1m",
        position_timeout_ms=30 * MINUTE_MS,
        notional_pct_max=Decimal(10),
        reward_risk_min=Decimal("0.5"),
        score_threshold=60.0,
        signals_per_day_max=0,
        exits=Exits.PERCENT,
        stop_pct=Decimal("0.5"),
        target_pct=Decimal("0.3"),
        drift_bps_max=Decimal(20),
        confirm_bps=Decimal(10),
        trading_from="08:00",
        trading_to="16:00",
        trading_zone="UTC",
    ),
    "multi": BotConfig(
        bot_id="multi",
        user_id="",
        account_id="",
        strategy="volatile",
        timeframe="15m",
        sizing=Sizing.AMOUNT,
        amount_usdt=Decimal(100),
        compounding=True,
        leverage=1,
        risk_pct=Decimal(3),
        exits=Exits.PERCENT,
        stop_pct=Decimal(2),
        target_pct=Decimal(5),
        score_threshold=60.0,
        signals_per_day_max=0,
    ),
}


def from_preset(name: str, *, bot_id: str, user_id: str, account_id: str) -> BotConfig:
    """A configuration to start editing from. Raises KeyError when no preset has that name."""
    return replace(
        PRESETS[name], bot_id=bot_id, user_id=user_id, account_id=account_id, preset=name
    )


def timeframes_of(config: BotConfig) -> tuple[str, ...]:
    """Every timeframe whose bars the bot needs, its own first."""
    more = (config.trend_timeframe,) if config.trend_timeframe else ()
    return (config.timeframe, *more)


def faults_of(config: BotConfig) -> tuple[str, ...]:
    """Everything wrong with a configuration, each as one sentence naming field, value, range."""
    found = []
    if not (0 < len(config.bot_id) <= BOT_ID_LENGTH_MAX and _is_slug(config.bot_id)):
        found.append(f"bot_id is {config.bot_id!r}; use 1 to {BOT_ID_LENGTH_MAX} of a-z, 0-9.")
    for name, (low, high) in BOUNDS.items():
        value = getattr(config, name)
        if not low <= value <= high:
            found.append(f"{name} is {value}; allowed is {low} to {high}.")
    if config.entry_kind not in (OrderKind.MARKET, OrderKind.LIMIT):
        found.append(f"entry_kind is {config.entry_kind}; allowed is market or limit.")
    rules = ", ".join(RULE_IDS)
    found += [
        f"memory_off has {rule!r}; allowed are {rules}."
        for rule in config.memory_off
        if rule not in RULE_IDS
    ]
    found += [f"memory_tuning: {fault}" for fault in tuning.faults_of(config.memory_tuning)]
    found += [*_between(config), *_timeframe_faults(config), *_guard_faults(config)]
    found += hours.faults_of(trading_hours_of(config))
    return tuple(found)


def trading_hours_of(config: BotConfig) -> hours.Hours:
    """When the bot may enter."""
    return hours.Hours(
        starts=config.trading_from,
        ends=config.trading_to,
        weekdays=config.trading_weekdays,
        zone=config.trading_zone,
    )


AUTO_BOUNDS: Final = ("auto_notional_usdt_max", "auto_risk_usdt_max", "auto_risk_pct_max")
# A choice, and the number it cannot do without.
_NEEDED: Final = (
    ("sizing", Sizing.MARGIN_TARGET, "margin_target_usdt"),
    ("sizing", Sizing.AMOUNT, "amount_usdt"),
    ("exits", Exits.PERCENT, "stop_pct"),
    ("exits", Exits.PERCENT, "target_pct"),
)


def _between(config: BotConfig) -> list[str]:
    found = [
        f"{needed} is {getattr(config, needed)}; with {choice} {value.value} it must be above 0."
        for choice, value, needed in _NEEDED
        if getattr(config, choice) is value and getattr(config, needed) == 0
    ]
    if config.approval_mode is ApprovalMode.AUTO_BELOW and not any(
        getattr(config, name) for name in AUTO_BOUNDS
    ):
        found.append(
            f"approval_mode is auto-below; at least one of {', '.join(AUTO_BOUNDS)} must be above "
            "0, all are 0."
        )
    if config.compounding and config.sizing is not Sizing.AMOUNT:
        found.append(f"compounding is True; it needs sizing amount, not {config.sizing.value}.")
    if config.stop_distance_bps_min >= config.stop_distance_bps_max:
        found.append(
            f"stop_distance_bps_min is {config.stop_distance_bps_min}; it must be below "
            f"stop_distance_bps_max, which is {config.stop_distance_bps_max}."
        )
    return found


def _timeframe_faults(config: BotConfig) -> list[str]:
    try:
        lengths_ms = [timeframe_ms(one) for one in timeframes_of(config)]
    except ValueError as fault:
        return [f"timeframe: {fault}."]
    if lengths_ms[-1] <= lengths_ms[0] and config.trend_timeframe:
        return [
            f"trend_timeframe is {config.trend_timeframe}; it must be longer than timeframe, "
            f"which is {config.timeframe}."
        ]
    return []


BOUNDS: Final[dict[str, tuple[Decimal, Decimal]]] = {
    name: (Decimal(low), Decimal(high))
    for name, low, high in (
        ("leverage", "1", "125"),
        ("risk_pct", "0.01", "10"),
        ("notional_pct_max", "1", "10000"),
        ("reward_risk_min", "0", "100"),
        ("stop_distance_bps_min", "0", "9000"),
        ("stop_distance_bps_max", "1", "9000"),
        ("drift_bps_max", "1", "1000"),
        ("confirm_bps", "0", "1000"),
        ("score_threshold", "0", "100"),
        ("confidence_min", "0", "100"),
        ("signals_per_day_max", "0", "10000"),
        ("trades_per_day_max", "0", "10000"),
        ("open_trades_max", "1", "100"),
        ("daily_loss_pct_max", "0", "100"),
        ("wallet_usdt_min", "0", "1000000000"),
        ("margin_target_usdt", "0", "1000000"),
        ("amount_usdt", "0", "10000000"),
        ("notional_usdt_min", "0", "1000000"),
        ("auto_notional_usdt_max", "0", "10000000"),
        ("auto_risk_usdt_max", "0", "1000000"),
        ("auto_risk_pct_max", "0", "10"),
        ("account_open_trades_max", "0", "100"),
        ("stop_pct", "0", "90"),
        ("target_pct", "0", "1000"),
        ("approval_ttl_ms", "1000", str(24 * HOUR_MS)),
        ("entry_timeout_ms", "1000", str(24 * HOUR_MS)),
        ("position_timeout_ms", "0", str(90 * 24 * HOUR_MS)),
        ("review_every_ms", "0", str(24 * HOUR_MS)),
        ("ai_every_ms", "30000", str(24 * HOUR_MS)),
        ("break_even_risks", "0", "20"),
        ("break_even_bps", "0", "200"),
        ("trail_from_risks", "0", "20"),
        ("callback_from_risks", "0", "20"),
    )
}


_OFF_OR_BOUNDS: Final[tuple[tuple[str, Decimal, Decimal], ...]] = (
    ("trail_pct", Decimal("0.2"), Decimal(20)),
    ("trail_atr", Decimal("0.5"), Decimal(20)),
    ("callback_pct", CALLBACK_STEP, Decimal(20)),
)


def _guard_faults(config: BotConfig) -> list[str]:
    found = []
    for name, low, high in _OFF_OR_BOUNDS:
        value: Decimal = getattr(config, name)
        if value and not low <= value <= high:
            found.append(f"{name} is {value}; allowed is 0 (off), or {low} to {high}.")
    if config.trail_pct and config.trail_atr:
        found.append(
            f"trail_pct is {config.trail_pct}; it must be 0 while trail_atr is set, which is "
            f"{config.trail_atr}: a stop trails in one way."
        )
    if config.callback_pct.is_finite() and not is_multiple(config.callback_pct, CALLBACK_STEP):
        found.append(
            f"callback_pct is {config.callback_pct}; allowed are steps of {CALLBACK_STEP}."
        )
    return found


def _is_slug(text: str) -> bool:
    return all(c in "abcdefghijklmnopqrstuvwxyz0123456789" for c in text)
