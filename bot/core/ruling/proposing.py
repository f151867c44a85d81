"""What a signal would have been as a trade, had nobody judged it: the plan that shadows follow.

The bot's own exits, sizing and guard at the moment of the signal, with the account's money free and
without any rule that could keep it out. Must not know: what becomes of the signal.
"""

from dataclasses import replace

from bot.core.desk_state import Desk
from bot.core.messages import SignalRaised
from bot.core.presets import BotConfig
from bot.core.ruling.exits import levels_for
from bot.core.sizing import Funds, guard_of, plan_of
from bot.core.supervisor import Levels, reward_risk
from bot.core.trade import Plan
from data.model import OrderKind
from data.money import ONE, ZERO, round_to


def proposed_plan(desk: Desk, config: BotConfig, event: SignalRaised) -> Plan | None:
    """The plan of a signal by itself; None when its levels make no trade.

    A quantity of ZERO says that the account could not have ordered it: it has no result in USDT.
    """
    signal, mark = event.signal, event.mark_price
    raw = (signal.entry_price, signal.stop_price, signal.target_price, mark)
    if not all(price.is_finite() and price > ZERO for price in raw):
        return None
    levels = levels_for(config, signal, None, event.instrument, mark)
    if config.entry_kind is OrderKind.MARKET:
        levels = replace(levels, entry_price=round_to(mark, event.instrument.tick_size))
    if not _is_a_trade(levels):
        return None
    funds = Funds(
        wallet_usdt=desk.wallet_usdt,
        free_usdt=desk.wallet_usdt,
        share=min(ONE, signal.size_share),
        earned_usdt=desk.memory.of_bot(config.bot_id).earned_usdt,
    )
    plan, _ = plan_of(config, levels, event.instrument, funds)
    if plan is None:
        plan = _unsized(config, levels)
    return replace(plan, guard=guard_of(config, plan, desk.stop_form, signal.atr))


def _is_a_trade(levels: Levels) -> bool:
    sign, entry = levels.direction.sign, levels.entry_price
    return (
        entry > ZERO
        and levels.stop_price > ZERO
        and (entry - levels.stop_price) * sign > ZERO
        and (levels.target_price - entry) * sign > ZERO
    )


def _unsized(config: BotConfig, levels: Levels) -> Plan:
    return Plan(
        direction=levels.direction,
        entry_kind=config.entry_kind,
        quantity=ZERO,
        entry_price=levels.entry_price,
        stop_price=levels.stop_price,
        target_price=levels.target_price,
        leverage=config.leverage,
        margin_type=config.margin_type,
        risk_usdt=ZERO,
        notional_usdt=ZERO,
        reward_risk=reward_risk(levels, levels.entry_price),
        entry_timeout_ms=config.entry_timeout_ms,
        hold_ms_max=config.position_timeout_ms,
    )
