"""How much: risk, margin and the exchange's filters -> a whole plan, or the checks that failed.

Must not know: who asks or what happened before. All money in USDT, quantities in base units.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bot.core.presets import BotConfig
from bot.core.supervisor import Levels, reward_risk
from bot.core.trade import Check, Plan
from data.model import Instrument, OrderKind
from data.money import ONE, ZERO, floor_to, percent_of, plain

TAKER_FEE_RATIO: Final = Decimal("0.0005")  # 0.05 %, the exchange's ordinary taker fee
MARGIN_RESERVE_RATIO: Final = Decimal("0.98")  # of the free margin; the rest is for fees


@dataclass(frozen=True, slots=True, kw_only=True)
class Funds:
    """What may be spent."""

    wallet_usdt: Decimal
    free_usdt: Decimal  # margin not bound by open trades
    risk_pct_max: Decimal | None = None  # memory's limit
    share: Decimal = ONE  # of the planned size (half: 0.5)
    quantity_max: Decimal | None = None  # what a person agreed to, in base units


def plan_of(
    config: BotConfig, levels: Levels, instrument: Instrument, funds: Funds
) -> tuple[Plan | None, tuple[Check, ...]]:
    """Size a trade so that the stop costs `risk_pct` of the wallet, fees included.

    Returns (plan, or None when a check failed; every check).
    """
    wallet_usdt, free_usdt = funds.wallet_usdt, funds.free_usdt
    risk_pct_max = funds.risk_pct_max
    entry = levels.entry_price
    risk_pct = config.risk_pct if risk_pct_max is None else min(config.risk_pct, risk_pct_max)
    budget_usdt = percent_of(wallet_usdt, risk_pct) * funds.share
    loss_per_unit = abs(entry - levels.stop_price) + (entry + levels.stop_price) * TAKER_FEE_RATIO
    leverage = _leverage(config, instrument, budget_usdt / loss_per_unit * entry)
    step, quantity_max = _filters(config, instrument)
    wanted = min(
        budget_usdt / loss_per_unit,
        percent_of(wallet_usdt, config.notional_pct_max) / entry,
        free_usdt * MARGIN_RESERVE_RATIO * leverage / entry,
        quantity_max,
        quantity_max if funds.quantity_max is None else funds.quantity_max,
    )
    quantity = floor_to(max(wanted, ZERO), step)
    notional = quantity * entry
    margin = notional / leverage
    checks = (
        _check(
            "wallet_min", wallet_usdt >= config.wallet_usdt_min, config.wallet_usdt_min, wallet_usdt
        ),
        _check(
            "quantity_min",
            quantity >= instrument.quantity_min and quantity > ZERO,
            instrument.quantity_min,
            quantity,
        ),
        _check(
            "notional_min", notional >= instrument.notional_min, instrument.notional_min, notional
        ),
        _check("free_margin", margin <= free_usdt, free_usdt, margin),
        _check(
            "risk", quantity * loss_per_unit <= budget_usdt, budget_usdt, quantity * loss_per_unit
        ),
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


def _leverage(config: BotConfig, instrument: Instrument, notional_usdt: Decimal) -> int:
    allowed = config.leverage
    for bracket in instrument.brackets:
        if bracket.notional_floor <= notional_usdt:
            allowed = min(allowed, bracket.leverage_max)
    return max(1, allowed)


def _filters(config: BotConfig, instrument: Instrument) -> tuple[Decimal, Decimal]:
    if config.entry_kind is OrderKind.MARKET:
        step = max(instrument.step_size, instrument.market_step_size)
        return step, min(instrument.quantity_max, instrument.market_quantity_max)
    return instrument.step_size, instrument.quantity_max


def _check(rule: str, passed: bool, limit: Decimal, value: Decimal) -> Check:
    cent = Decimal("0.00000001")
    return Check(
        rule=rule,
        passed=passed,
        limit=plain(limit.quantize(cent)),
        value=plain(value.quantize(cent)),
    )
