"""A bot whose adviser looks at the market by the clock, without a strategy's signal.

The question is asked only where an entry would be possible: every limit is asked beforehand, and a
look that could lead to nothing costs nothing and leaves no trade. If the model opens, its answer is
the signal from then on: direction and levels are its own, its confidence is the score. Must not
know: when the clock says so (`bot.shell.rounds`), or how an answer is judged.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from bot.core.advice import Advice
from bot.core.desk_draft import DeskDraft
from bot.core.directions import AnalysisDue
from bot.core.messages import AskAdvisor
from bot.core.presets import BotConfig
from bot.core.ruling import gates
from bot.core.ruling.directing import directed
from bot.core.ruling.hearing import check_pause
from bot.core.trade import Phase, Trade, trade_id_of
from data.model import Decision, Direction, Signal
from data.money import ZERO

BY_TIMER: Final = "ai"  # the strategy's name in a signal that a model made


def analysis_due(draft: DeskDraft, event: AnalysisDue) -> None:
    """Ask the adviser about one symbol, if an entry in it is possible now."""
    desk = draft.desk
    config = desk.bots.get(event.bot_id)
    if config is None or config.bot_id not in desk.running:
        return
    before = desk.advice.get(config.bot_id, Advice())
    looked = replace(before, asked_ms=draft.now_ms, turn=before.turn + 1)
    draft.set(advice={**desk.advice, config.bot_id: looked})
    config = directed(desk, config)
    probe = _probe(config, event.symbol, draft.now_ms)
    trade_id = trade_id_of(desk.account_id, config.bot_id, probe.signal_id)
    checks = (
        *gates.check_entry(desk, config, probe, draft.now_ms),
        *gates.check_signals(desk, config, draft.now_ms),
        check_pause(draft, config.bot_id),
    )
    if gates.failed(checks) or trade_id in desk.trades:
        return
    trade = Trade(
        trade_id=trade_id,
        user_id=config.user_id,
        account_id=desk.account_id,
        bot_id=config.bot_id,
        symbol=event.symbol,
        phase=Phase.EVALUATING,
        opened_ms=draft.now_ms,
        instrument=event.instrument,
        checks=checks,
        decide_by_ms=draft.now_ms + desk.timing.decide_within_ms,
    )
    draft.put(trade)
    draft.say(
        AskAdvisor(
            trade_id=trade_id,
            bot_id=config.bot_id,
            symbol=event.symbol,
            purpose="open",
            deadline_ms=draft.now_ms + desk.timing.answer_within_ms,
        )
    )


def with_signal(
    draft: DeskDraft, config: BotConfig, trade: Trade, decision: Decision, mark_price: Decimal
) -> Trade:
    """The trade with the signal that its adviser's opening is; one that has a signal as it is.

    An opening that names no direction, stop or target leaves it without: there is nothing to plan.
    """
    if trade.signal is not None or decision.direction is None:
        return trade
    if decision.stop_price is None or decision.target_price is None:
        return trade
    probe = _probe(config, trade.symbol, trade.opened_ms)
    signal = replace(
        probe,
        model=decision.advisor,
        raised_ms=draft.now_ms,
        direction=decision.direction,
        entry_price=decision.entry_price or mark_price,
        stop_price=decision.stop_price,
        target_price=decision.target_price,
        score=decision.confidence or 0.0,
        reasons=decision.reasons,
    )
    made = replace(trade, signal=signal)
    draft.put(replace(draft.desk.trades[trade.trade_id], signal=signal))
    draft.count_signal(trade.bot_id)
    return made


def _probe(config: BotConfig, symbol: str, now_ms: int) -> Signal:
    # What can be asked of the limits before anybody named a direction or a level.
    return Signal(
        signal_id=f"{config.bot_id}-{symbol}-{BY_TIMER}-{now_ms}",
        bot_id=config.bot_id,
        strategy=BY_TIMER,
        model="",
        symbol=symbol,
        timeframe=config.timeframe,
        bar_open_ms=now_ms,
        raised_ms=now_ms,
        direction=Direction.LONG,
        entry_price=ZERO,
        stop_price=ZERO,
        target_price=ZERO,
        score=100.0,
    )
