"""A decision is what an adviser says; here it becomes what is really done, by state and by check.

Must not know: limits of the desk (`desk`) or how quantities come about (`sizing`). Every override
and every check is a record with the rule's name, its limit and its input.
"""

from dataclasses import dataclass, replace
from decimal import Decimal

from bot.core.presets import BotConfig
from bot.core.trade import Check, Phase
from data.model import Action, Decision, Direction, Instrument, OrderKind
from data.money import ZERO, bps_between, plain, round_to


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The action really taken, and why it differs from the one proposed ("" when it does not)."""

    action: Action
    override: str = ""


def supervise(action: Action, phase: Phase) -> Ruling:
    """Overrule a proposed action that does not fit the state (product sheet A)."""
    holding = phase in (Phase.POSITION_UNPROTECTED, Phase.POSITION_ACTIVE, Phase.CLOSING)
    if phase is Phase.POSITION_UNPROTECTED and action is not Action.CLOSE_POSITION:
        return Ruling(
            action=Action.CLOSE_POSITION, override="an unprotected position is always closed"
        )
    if action is Action.OPEN_POSITION and holding:
        return Ruling(action=Action.HOLD_POSITION, override="a position is open already")
    if action in (Action.CLOSE_POSITION, Action.HOLD_POSITION) and not holding:
        return Ruling(action=Action.DO_NOTHING, override="there is no position")
    return Ruling(action=action)


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """Where to get in and out, on the tick."""

    direction: Direction
    entry_price: Decimal
    stop_price: Decimal
    target_price: Decimal


def levels_of(decision: Decision, proposed: Levels, instrument: Instrument) -> Levels:
    """The decision's levels where it names them, else the signal's; all rounded to the tick."""
    entry = decision.entry_price or proposed.entry_price
    stop = decision.stop_price or proposed.stop_price
    target = decision.target_price or proposed.target_price
    tick = instrument.tick_size
    return Levels(
        direction=decision.direction or proposed.direction,
        entry_price=round_to(entry, tick) if entry.is_finite() else entry,
        stop_price=round_to(stop, tick) if stop.is_finite() else stop,
        target_price=round_to(target, tick) if target.is_finite() else target,
    )


def check_levels(config: BotConfig, levels: Levels, mark_price: Decimal) -> tuple[Check, ...]:
    """Each rule's word on the levels against the live mark price, in a fixed order.

    Distances are measured from where the entry will really be: a limit order's own price, or the
    mark for a market order.
    """
    prices = (levels.entry_price, levels.stop_price, levels.target_price, mark_price)
    finite = all(p.is_finite() and p > ZERO for p in prices)
    if not finite:
        return (_check("finite_prices", False, "> 0 and finite", " / ".join(map(str, prices))),)
    sign = levels.direction.sign
    entry, stop, target = levels.entry_price, levels.stop_price, levels.target_price
    real_entry = mark_price if config.entry_kind is OrderKind.MARKET else entry
    distance_bps = abs(bps_between(real_entry, stop))
    drift_bps = abs(bps_between(entry, mark_price))
    ratio = reward_risk(levels, real_entry)
    return (
        _check("finite_prices", True, "> 0 and finite", plain(entry)),
        _check("stop_side", (entry - stop) * sign > 0, "beyond the entry", plain(stop)),
        _check("target_side", (target - entry) * sign > 0, "beyond the entry", plain(target)),
        _check("stop_vs_mark", (mark_price - stop) * sign > 0, "not yet reached", plain(stop)),
        _check(
            "target_vs_mark", (target - mark_price) * sign > 0, "not yet reached", plain(target)
        ),
        _check(
            "stop_distance",
            config.stop_distance_bps_min <= distance_bps <= config.stop_distance_bps_max,
            f"{config.stop_distance_bps_min}..{config.stop_distance_bps_max} bps",
            f"{distance_bps:.1f} bps",
        ),
        _check(
            "price_drift",
            drift_bps <= config.drift_bps_max,
            f"<= {config.drift_bps_max} bps",
            f"{drift_bps:.1f} bps",
        ),
        _check(
            "reward_risk",
            ratio >= config.reward_risk_min,
            f">= {config.reward_risk_min}",
            f"{ratio:.2f}",
        ),
    )


def check_leverage(
    config: BotConfig, decision: Decision | None, instrument: Instrument
) -> tuple[Check, ...]:
    """Whether a leverage the adviser names is within the owner's and the symbol's; none: no check.

    The bracket of the size that results is sizing's to keep.
    """
    if decision is None or decision.leverage is None:
        return ()
    most = min([config.leverage, *(bracket.leverage_max for bracket in instrument.brackets[:1])])
    passed = 1 <= decision.leverage <= most
    return (_check("leverage", passed, f"1..{most}", str(decision.leverage)),)


def with_leverage(config: BotConfig, decision: Decision | None) -> BotConfig:
    """The bot with a lower leverage, where the adviser names one; never with a higher."""
    if decision is None or decision.leverage is None:
        return config
    return replace(config, leverage=max(1, min(config.leverage, decision.leverage)))


def reward_risk(levels: Levels, entry_price: Decimal) -> Decimal:
    """Distance to the target over distance to the stop, from a real entry price; 0 if hopeless."""
    sign = levels.direction.sign
    risk = (entry_price - levels.stop_price) * sign
    reward = (levels.target_price - entry_price) * sign
    return reward / risk if risk > ZERO and reward > ZERO else ZERO


def _check(rule: str, passed: bool, limit: str, value: str) -> Check:
    return Check(rule=rule, passed=bool(passed), limit=limit, value=value)
