"""Where a bot gets out: the strategy's levels, the adviser's, or percents of the real entry.

Must not know: sizes, limits, or whether the levels are sound (`supervisor` checks them).
"""

from dataclasses import replace
from decimal import Decimal

from bot.core.presets import BotConfig, Exits
from bot.core.supervisor import Levels, levels_of
from data.model import Decision, Instrument, OrderKind, Signal
from data.money import ONE, percent_of, round_to


def levels_for(
    config: BotConfig,
    signal: Signal,
    decision: Decision | None,
    instrument: Instrument,
    mark_price: Decimal,
) -> Levels:
    """Entry, stop and target on the tick, as the bot's `exits` says.

    Direction and entry are the adviser's where it names them. One that turns a signal round while
    the strategy's exits stand gets a stop on the wrong side, which a check refuses.
    """
    proposed = Levels(
        direction=signal.direction,
        entry_price=signal.entry_price,
        stop_price=signal.stop_price,
        target_price=signal.target_price,
    )
    if decision is not None and config.exits is not Exits.ADVISER:
        decision = replace(decision, stop_price=None, target_price=None)
    levels = proposed if decision is None else levels_of(decision, proposed, instrument)
    if config.exits is not Exits.PERCENT:
        return levels
    real_entry = mark_price if config.entry_kind is OrderKind.MARKET else levels.entry_price
    if not real_entry.is_finite():
        return levels  # No price to measure from: the checks will say so.
    tick, sign = instrument.tick_size, levels.direction.sign
    stop_price = real_entry * (ONE - sign * percent_of(ONE, config.stop_pct))
    target_price = real_entry * (ONE + sign * percent_of(ONE, config.target_pct))
    return replace(
        levels,
        stop_price=round_to(stop_price, tick),
        target_price=round_to(target_price, tick),
    )
