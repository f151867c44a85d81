"""The exchange's own trailing stop: beside the fixed one, never in its place.

It follows the price without us, also while we are not there. Until its activation price is reached
it guards nothing, so the fixed stop stays at the exchange, and nothing is made of a refusal: the
position is protected without it. Must not know: how our own rules move the fixed stop.
"""

from decimal import Decimal
from typing import Final

from bot.core.life.draft import Draft
from bot.core.life.facts import held
from bot.core.life.guarding import PASSING, is_by_quantity, waits
from bot.core.life.refusals import WOULD_TRIGGER
from bot.core.life.results import average_price
from bot.core.messages import Level
from bot.core.trade import Order, OrderState, Plan, Role, Trade
from data.model import OrderKind
from data.money import ZERO, round_to

ATTEMPTS_MAX: Final = 3


def want_trail(draft: Draft) -> None:
    """Place the trailing stop that the plan asks for, once; a refused one a few times more."""
    trade = draft.trade
    plan = trade.plan
    if plan is None or not plan.guard.callback_pct or not is_by_quantity(trade):
        return
    last = trade.latest(Role.TRAIL)
    if last is None:
        _place(draft, plan, at_once=not plan.guard.callback_from_risks)
        return
    if last.state is not OrderState.REFUSED or len(trade.of_role(Role.TRAIL)) >= ATTEMPTS_MAX:
        return  # It rests, is asked about, or somebody took it away: the fixed stop is there.
    if last.refusal_code in WOULD_TRIGGER and last.activation_price is not None:
        _place(draft, plan, at_once=True)  # The price is beyond the activation already.
    elif last.refusal_code in PASSING and not waits(draft, last):
        _place(draft, plan, at_once=last.activation_price is None)


def _place(draft: Draft, plan: Plan, *, at_once: bool) -> Order:
    trade = draft.trade
    if trade.latest(Role.TRAIL) is not None:
        draft.tell("protection_refused", Level.WARNING, role=Role.TRAIL.name)
    return draft.place(
        Role.TRAIL,
        side=plan.direction.exit_side,
        kind=OrderKind.TRAILING_STOP_MARKET,
        quantity=held(trade),
        reduce_only=True,
        callback_pct=plan.guard.callback_pct,
        activation_price=None if at_once else _activation(trade, plan),
    )


def _activation(trade: Trade, plan: Plan) -> Decimal | None:
    entry = average_price(trade, entry=True) or plan.entry_price
    risk = abs(plan.entry_price - plan.stop_price)
    gone = plan.direction.sign * plan.guard.callback_from_risks * risk
    price = round_to(entry + gone, trade.instrument.tick_size)
    return price if price > ZERO else None
