"""The plan of a trade as it would be at this moment, with every check; and its going on or ending.

Asked twice of each trade that a person approves: when the card is made, and at the tap. Then the
card's own numbers are limits too. Must not know: who decides, or orders.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from bot.core.desk_draft import DeskDraft
from bot.core.presets import BotConfig
from bot.core.ruling import gates
from bot.core.ruling.confidence import caution_for, check_confidence
from bot.core.ruling.directing import check_bias
from bot.core.ruling.exits import levels_for
from bot.core.ruling.remembering import shrunk_to_nothing, verdicts_for
from bot.core.rulings import Drop, Proceed
from bot.core.sizing import Funds, guard_of, plan_of
from bot.core.supervisor import Levels, check_levels, check_leverage, with_leverage
from bot.core.trade import Approval, Check, Outcome, Plan, Trade
from data.model import Decision, OrderKind
from data.money import ONE, round_to
from memory.limits import combine

PRICE_AGE_MS_MAX: Final = 10_000  # of wall time: an entry is judged on a price no older than this
DRIFT_WITH_FEES: Final = Decimal("1.001")  # fees of both ways rise with the price


def is_fresh(draft: DeskDraft, mark_ms: int) -> bool:
    """Whether a price of that moment is young enough to order on."""
    age_ms_max = PRICE_AGE_MS_MAX * draft.desk.timing.receive_window_ms // 5_000
    return draft.now_ms - mark_ms <= age_ms_max


def plan_now(
    draft: DeskDraft,
    config: BotConfig,
    trade: Trade,
    decision: Decision | None,
    mark_price: Decimal,
    share: Decimal,
) -> tuple[Plan | None, tuple[Check, ...]]:
    """The plan at this moment's price, and every check that was asked, failed ones included."""
    signal, desk = trade.signal, draft.desk
    assert signal is not None, "an adopted trade is not planned"
    levels = levels_for(config, signal, decision, trade.instrument, mark_price)
    checks = gates.check_entry(desk, config, signal, draft.now_ms, besides=trade.trade_id)
    checks += check_bias(desk, config.bot_id, levels.direction)
    checks += check_confidence(config, decision, caution_for(config, decision, desk.closed))
    checks += check_leverage(config, decision, trade.instrument)
    config = with_leverage(config, decision)
    if trade.plan is not None:
        config = replace(config, leverage=min(config.leverage, trade.plan.leverage))
    checks += check_levels(config, levels, mark_price)
    if gates.failed(checks):
        return None, checks
    if config.entry_kind is OrderKind.MARKET:
        # A market order is filled near the mark: size and judge it by that.
        entry_price = round_to(mark_price, trade.instrument.tick_size)
        levels = replace(levels, entry_price=entry_price)
    verdicts = verdicts_for(desk, config, draft.now_ms, signal)
    funds = Funds(
        wallet_usdt=desk.wallet_usdt,
        free_usdt=gates.free_usdt(desk),
        risk_pct_max=combine(verdicts, draft.now_ms).risk_pct_max,
        share=share * min(ONE, signal.size_share),  # a strategy may shrink, never grow
        # Never more than what was on the card, whatever the wallet says now.
        quantity_max=trade.plan.quantity * share if trade.plan else None,
        risk_usdt_max=_risk_agreed(trade.plan, levels) * share if trade.plan else None,
        quantity_wanted=decision.quantity if decision is not None else None,
        earned_usdt=desk.memory.of_bot(config.bot_id).earned_usdt,
    )
    plan, sized = plan_of(config, levels, trade.instrument, funds)
    if plan is None and funds.risk_pct_max is not None:
        free_of_memory, _ = plan_of(
            config, levels, trade.instrument, replace(funds, risk_pct_max=None)
        )
        if free_of_memory is not None:
            sized += shrunk_to_nothing(verdicts)
    if plan is not None:
        plan = replace(plan, guard=guard_of(config, plan, desk.stop_form, signal.atr))
    return plan, checks + sized


def _risk_agreed(shown: Plan, levels: Levels) -> Decimal:
    # What the card said, and what the way of the price since then costs, which it asked about.
    drift = abs(levels.entry_price - shown.entry_price)
    return shown.risk_usdt + shown.quantity * drift * DRIFT_WITH_FEES


def proceed(
    draft: DeskDraft,
    config: BotConfig,
    trade_id: str,
    plan: Plan,
    checks: tuple[Check, ...],
    **parts: Decision | Approval | int | None,
) -> None:
    """The plan stands: a card comes with `card_expires_ms`, without it the entry is ordered."""
    ruling = Proceed(
        plan=plan,
        checks=checks,
        review_every_ms=config.review_every_ms,
        **parts,  # type: ignore[arg-type]  # decision, approval, card_expires_ms as named
    )
    draft.advance(trade_id, ruling)


def drop(  # noqa: PLR0913  # a record's fields, all optional
    draft: DeskDraft,
    trade_id: str,
    outcome: Outcome,
    note: str,
    checks: tuple[Check, ...] = (),
    decision: Decision | None = None,
    plan: Plan | None = None,
    approval: Approval | None = None,
) -> None:
    """End a trade before anything was ordered."""
    if plan is not None:
        draft.put(replace(draft.desk.trades[trade_id], plan=plan))
    ruling = Drop(outcome=outcome, note=note, checks=checks, decision=decision, approval=approval)
    draft.advance(trade_id, ruling)
