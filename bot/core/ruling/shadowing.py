"""A trade that was never made, as memory sees it: what to follow, and who kept it out.

All of it is read off the trade's own row. Must not know: candles, or how a shadow ends.
"""

from typing import Final

from bot.core.guard import Guard
from bot.core.ruling.confidence import PREFIX as CAUTION
from bot.core.ruling.remembering import PREFIX as MEMORY
from bot.core.trade import Outcome, Phase, Plan, Trade
from data.model import Action, OrderKind, Signal
from data.money import ZERO
from memory.calibration import Outcome as Answered
from memory.scores import Judge
from memory.shadow import STILL, Idea, Moves

SHADOWED: Final = frozenset(
    {
        Outcome.BLOCKED,
        Outcome.DECLINED,
        Outcome.ABSTAINED,
        Outcome.SKIPPED,
        Outcome.ADVISED,
        Outcome.REJECTED,
        Outcome.EXPIRED,
    }
)  # ended before anything was ordered; what the exchange did not fill or take is no one's no
NOBODY: Final = "nobody"  # a card that no one answered
SILENT: Final = "no answer"
UNASKED: Final = "not asked"
UNNAMED: Final = "other"  # no check said it: no fresh price, a panic meanwhile


def is_shadow(trade: Trade) -> bool:
    """Whether it ended by somebody's no, with a signal to follow."""
    return trade.phase is Phase.IDLE and trade.outcome in SHADOWED and trade.signal is not None


def plan_followed(trade: Trade) -> Plan | None:
    """The plan that was on its card, else the signal's own; None in rows from before there were."""
    return trade.plan or trade.proposed


def idea_of(trade: Trade) -> Idea | None:
    """What is to be followed; None when its levels make no trade."""
    signal, plan = trade.signal, plan_followed(trade)
    if signal is None:
        return None
    if plan is None:
        return _bare(trade, signal)
    return Idea(
        shadow_id=trade.trade_id,
        symbol=trade.symbol,
        timeframe=signal.timeframe,
        direction=plan.direction,
        after_ms=signal.bar_open_ms,
        entry_price=float(plan.entry_price),
        stop_price=float(plan.stop_price),
        target_price=float(plan.target_price),
        tick=float(trade.instrument.tick_size),
        limit_ms=plan.entry_timeout_ms if plan.entry_kind is OrderKind.LIMIT else 0,
        hold_ms_max=plan.hold_ms_max,
        moves=moves_of(plan.guard),
    )


def moves_of(guard: Guard) -> Moves:
    """How a guard moves a stop, in the numbers of a shadow."""
    if not guard.moves and not guard.callback_pct:
        return STILL
    return Moves(
        break_even_risks=float(guard.break_even_risks),
        break_even_bps=float(guard.break_even_bps),
        trail_pct=float(guard.trail_pct),
        trail_offset=float(guard.trail_offset),
        trail_from_risks=float(guard.trail_from_risks),
        callback_pct=float(guard.callback_pct),
        callback_from_risks=float(guard.callback_from_risks),
    )


def judges_of(trade: Trade) -> tuple[tuple[Judge, str], ...]:
    """Everybody who kept it out, and whose signal it was."""
    assert trade.signal is not None, "nobody judges what nobody proposed"
    found: list[tuple[Judge, str]]
    match trade.outcome:
        case Outcome.BLOCKED:
            found = [_rule(name) for name in _failed(trade)] or [(Judge.LIMIT, UNNAMED)]
        case Outcome.DECLINED | Outcome.ABSTAINED:
            found = [(Judge.ADVISER, adviser_of(trade) or SILENT)]
        case Outcome.SKIPPED:
            found = [(Judge.ADVISER, UNASKED)]
        case Outcome.REJECTED:
            found = [(Judge.PERSON, trade.approval.user_id if trade.approval else NOBODY)]
        case Outcome.EXPIRED:
            found = [(Judge.PERSON, NOBODY)]
        case _:
            found = [(Judge.MODE, "signal-only")]
    return (*found, (Judge.STRATEGY, trade.signal.strategy))


def adviser_of(trade: Trade) -> str:
    """Who answered, with its version; "" when nobody did."""
    decision = trade.decision
    return f"{decision.advisor} {decision.model_version}".strip() if decision is not None else ""


def answered(trade: Trade, *, won: bool) -> Answered | None:
    """The adviser's confidence in a trade it would open, and whether it was right."""
    decision = trade.decision
    if (
        decision is None
        or decision.action is not Action.OPEN_POSITION
        or decision.confidence is None
    ):
        return None
    return Answered(model=adviser_of(trade), confidence=decision.confidence, won=won)


def _failed(trade: Trade) -> tuple[str, ...]:
    at_tap = trade.approval.checks if trade.approval is not None else ()
    failed = (check.rule for check in (*trade.checks, *at_tap) if not check.passed)
    return tuple(dict.fromkeys(failed))


def _rule(name: str) -> tuple[Judge, str]:
    if name.startswith(MEMORY):
        return Judge.MEMORY, name.removeprefix(MEMORY)
    return (Judge.MEMORY if name.startswith(CAUTION) else Judge.LIMIT), name


def _bare(trade: Trade, signal: Signal) -> Idea | None:
    """The signal's levels alone, at market: all that an older row has."""
    prices = (signal.entry_price, signal.stop_price, signal.target_price)
    if not all(price.is_finite() and price > ZERO for price in prices):
        return None
    entry, stop, target = prices
    sign = signal.direction.sign
    if (entry - stop) * sign <= ZERO or (target - entry) * sign <= ZERO:
        return None
    return Idea(
        shadow_id=trade.trade_id,
        symbol=trade.symbol,
        timeframe=signal.timeframe,
        direction=signal.direction,
        after_ms=signal.bar_open_ms,
        entry_price=float(entry),
        stop_price=float(stop),
        target_price=float(target),
        tick=float(trade.instrument.tick_size),
    )
