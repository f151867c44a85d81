"""How much: risk, margin and the exchange's filters -> a whole plan, or the checks that failed.

A bot's `sizing` says how much is wanted. Every limit is an upper bound on that, so whoever wants
more, an adviser too, gets the smallest of them. An amount that is named in USDT is never cut to
what happens to be left in the purse: it waits. Must not know: who asks or what happened before.
All money in USDT, quantities in base units.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, assert_never

from bot.core.guard import Guard, StopForm
from bot.core.liquidation import liquidation_price, maintenance_ratio, safe_leverage
from bot.core.presets import BotConfig, Sizing
from bot.core.supervisor import Levels, reward_risk
from bot.core.trade import Check, Plan
from data.model import Instrument, OrderKind
from data.money import ONE, ZERO, floor_to, percent_of, plain, round_to

TAKER_FEE_RATIO: Final = Decimal("0.0005")  # 0.05 %, the exchange's ordinary taker fee
TRAIL_OFFSET_RATIO_MIN: Final = Decimal("0.002")  # a stop that trails closer fires on noise
MARGIN_RESERVE_RATIO: Final = Decimal("0.98")  # of the free margin; the rest is for fees


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """What may be spent."""

    wallet_usdt: Decimal
    free_usdt: Decimal  # margin not bound by open trades
    risk_pct_max: Decimal | None = None  # memory's limit
    share: Decimal = ONE  # of the planned size (half: 0.5)
    quantity_max: Decimal | None = None  # what a person agreed to, in base units
    risk_usdt_max: Decimal | None = None  # and the loss at the stop that was agreed to
    quantity_wanted: Decimal | None = None  # what the adviser suggests, in base units
    earned_usdt: Decimal = ZERO  # by this bot, ever: after fees and funding


def plan_of(
    config: BotConfig, levels: Levels, instrument: Instrument, funds: Funds
) -> tuple[Plan | None, tuple[Check, ...]]:
    """Size a trade as the bot's `sizing` wants it, within every limit.

    Whatever is wanted, the stop costs at most `risk_pct` of the wallet, fees included.
    Returns (plan, or None when a check failed; every check).
    """
    entry = levels.entry_price
    budget_usdt = _budget_usdt(config, funds)
    loss_per_unit = abs(entry - levels.stop_price) + (entry + levels.stop_price) * TAKER_FEE_RATIO
    leverage, beyond = _leverage(config, levels, instrument, budget_usdt / loss_per_unit * entry)
    step, quantity_max = _filters(config, instrument)
    wanted = _wanted(config, funds, entry, leverage)
    margin_free = funds.free_usdt * MARGIN_RESERVE_RATIO
    allowed = min(
        budget_usdt / loss_per_unit,
        percent_of(funds.wallet_usdt, config.notional_pct_max) / entry,
        quantity_max,
        quantity_max if funds.quantity_max is None else funds.quantity_max,
        quantity_max if funds.risk_usdt_max is None else _agreed(funds, loss_per_unit),
        quantity_max if wanted is None else wanted,
        quantity_max if _waits(config, funds) else margin_free * leverage / entry,
    )
    quantity = floor_to(max(allowed, ZERO), step)
    notional = quantity * entry
    checks = (
        _least("wallet_min", config.wallet_usdt_min, funds.wallet_usdt),
        # Nothing at all is too little also where the exchange names no least quantity.
        _least("quantity_min", max(instrument.quantity_min, step), quantity),
        _least("notional_min", instrument.notional_min, notional),
        _least("trade_value_min", config.notional_usdt_min, notional),
        _most("free_margin", margin_free, notional / leverage),
        _most("risk", budget_usdt, quantity * loss_per_unit),
        beyond,
    )
    if not all(c.passed for c in checks):
        return None, checks
    plan = Plan(
        direction=levels.direction,
        entry_kind=config.entry_kind,
        quantity=quantity,
        entry_price=entry,
        stop_price=levels.stop_price,
        target_price=levels.target_price,
        leverage=leverage,
        margin_type=config.margin_type,
        risk_usdt=quantity * loss_per_unit,
        notional_usdt=notional,
        reward_risk=reward_risk(levels, entry),
        entry_timeout_ms=config.entry_timeout_ms,
        hold_ms_max=config.position_timeout_ms,
    )
    return plan, checks


def _budget_usdt(config: BotConfig, funds: Funds) -> Decimal:
    risk_pct = config.risk_pct
    if funds.risk_pct_max is not None:
        risk_pct = min(risk_pct, funds.risk_pct_max)
    return percent_of(funds.wallet_usdt, risk_pct) * funds.share


def _agreed(funds: Funds, loss_per_unit: Decimal) -> Decimal:
    """Base units that lose no more than was agreed to; not cut by a division's last digit."""
    assert funds.risk_usdt_max is not None, "nobody agreed to a risk"
    agreed = funds.quantity_max
    if agreed is not None and agreed * loss_per_unit <= funds.risk_usdt_max:
        return agreed
    return funds.risk_usdt_max / loss_per_unit


def _waits(config: BotConfig, funds: Funds) -> bool:
    # Too little free margin makes an amount named in USDT wait, rather than trade smaller.
    named = config.sizing in (Sizing.AMOUNT, Sizing.MARGIN_TARGET)
    return named and _suggested(config, funds) is None


def _suggested(config: BotConfig, funds: Funds) -> Decimal | None:
    return funds.quantity_wanted if config.ai_mode.sizes else None


def _wanted(config: BotConfig, funds: Funds, entry: Decimal, leverage: int) -> Decimal | None:
    """Base units that are asked for; None: as much as the risk allows.

    Where the bot's mode lets the adviser size, its quantity goes before the bot's own sizing.
    """
    suggested = _suggested(config, funds)
    if suggested is not None:
        return max(ZERO, suggested) * funds.share if suggested.is_finite() else ZERO
    match config.sizing:
        case Sizing.RISK | Sizing.ADVISER:
            return None
        case Sizing.MARGIN_TARGET:
            return config.margin_target_usdt * leverage / entry * funds.share
        case Sizing.AMOUNT:
            earned_usdt = funds.earned_usdt if config.compounding else ZERO
            return max(ZERO, config.amount_usdt + earned_usdt) / entry * funds.share
        case _:
            assert_never(config.sizing)


def guard_of(config: BotConfig, plan: Plan, form: StopForm, atr: Decimal) -> Guard:
    """How the bot wants a planned position guarded.

    `atr` in price units; where it is not told (ZERO), the distance to the first stop stands in.
    """
    risk = abs(plan.entry_price - plan.stop_price)
    offset = config.trail_atr * (atr or risk)
    return Guard(
        form=form,
        break_even_risks=config.break_even_risks,
        break_even_bps=config.break_even_bps,
        trail_pct=config.trail_pct,
        trail_offset=max(offset, plan.entry_price * TRAIL_OFFSET_RATIO_MIN) if offset else ZERO,
        trail_from_risks=config.trail_from_risks,
        callback_pct=config.callback_pct,
        callback_from_risks=config.callback_from_risks,
    )


def _leverage(
    config: BotConfig, levels: Levels, instrument: Instrument, notional_usdt: Decimal
) -> tuple[int, Check]:
    allowed = config.leverage
    for bracket in instrument.brackets:
        if bracket.notional_floor <= notional_usdt:
            allowed = min(allowed, bracket.leverage_max)
    ratio = maintenance_ratio(instrument, notional_usdt)
    leverage = safe_leverage(levels, max(1, allowed), ratio)
    price = liquidation_price(levels.direction, levels.entry_price, max(1, leverage), ratio)
    check = Check(
        rule="liquidation",
        passed=leverage >= 1,
        limit=f"well before {plain(round_to(price, instrument.tick_size))}",
        value=plain(levels.stop_price),
        text=""
        if leverage
        else f"the stop at {plain(levels.stop_price)} is too near to liquidation, also unlevered",
    )
    return max(1, leverage), check


def _filters(config: BotConfig, instrument: Instrument) -> tuple[Decimal, Decimal]:
    if config.entry_kind is OrderKind.MARKET:
        step = max(instrument.step_size, instrument.market_step_size)
        return step, min(instrument.quantity_max, instrument.market_quantity_max)
    return instrument.step_size, instrument.quantity_max


def _least(rule: str, limit: Decimal, value: Decimal) -> Check:
    return _check(rule, value >= limit, limit, value)


def _most(rule: str, limit: Decimal, value: Decimal) -> Check:
    return _check(rule, value <= limit, limit, value)


def _check(rule: str, passed: bool, limit: Decimal, value: Decimal) -> Check:
    cent = Decimal("0.00000001")
    return Check(
        rule=rule,
        passed=passed,
        limit=plain(limit.quantize(cent)),
        value=plain(value.quantize(cent)),
    )
