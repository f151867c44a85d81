"""The stop and the target a position should have, and what to send so that it has them.

Two forms. *Closing the position*: the exchange sizes the order when it fires and keeps one of a
kind, so another level is cancel, then place: bare for that one round trip, with a clock. *A
quantity, reduce-only*: several may rest, so the new one is placed first and the old one cancelled
when the new one is confirmed: never bare. More is filled: the same, by a larger one.
Conditional orders cannot be amended (reference sheet, section 4). Must not know: phases, or why a
level is wanted.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bot.core.guard import StopForm
from bot.core.life.asking import ask_fills, ask_position
from bot.core.life.draft import Draft
from bot.core.life.facts import held, seen
from bot.core.life.moving import give_up_move, is_moving, is_tighter
from bot.core.life.refusals import (
    ALREADY_THERE,
    NEEDS_POSITION,
    OUT_OF_DATE,
    TOO_MANY_STOPS,
    TRY_AGAIN,
    WOULD_TRIGGER,
)
from bot.core.messages import Level
from bot.core.trade import UNHEARD, Order, OrderState, Role, Trade
from data.model import OrderKind
from data.money import ZERO, is_multiple

ATTEMPTS_MAX: Final = 4  # protection is tried this often before the position is closed
MOVED_ATTEMPTS_MAX: Final = 2  # a moved stop: at its new level, then back at the old one
PASSING_ATTEMPTS_MAX: Final = 12  # refused for a reason that passes: with growing pauses
PAUSE_DOUBLINGS_MAX: Final = 6
PASSING: Final = TRY_AGAIN | TOO_MANY_STOPS
AT_ONCE: Final = OUT_OF_DATE | {0}  # the first of these is no sign of a limit: again at once
FORM_STAYS: Final = PASSING | WOULD_TRIGGER | NEEDS_POSITION


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an order of protection should be. `quantity` ZERO: close the whole position."""

    level: Decimal
    quantity: Decimal


def level_of(trade: Trade, role: Role) -> Decimal:
    """Where the stop or the target belongs now."""
    if role is Role.STOP and trade.stop_level is not None:
        return trade.stop_level
    assert trade.plan is not None, "an adopted position has no other levels"
    return trade.plan.target_price if role is Role.TARGET else trade.plan.stop_price


def has_level(trade: Trade) -> bool:
    """Whether anybody knows where its stop belongs: not of one taken up by an older version."""
    return trade.plan is not None or trade.stop_level is not None


def wish_of(trade: Trade, role: Role) -> Wish:
    """The order of that role as it should be now."""
    quantity = held(trade) if _by_quantity(trade, role) else ZERO
    return Wish(level=level_of(trade, role), quantity=quantity)


def covers(trade: Trade, order: Order) -> bool:
    """Whether an order closes all that is held."""
    return order.close_position or order.quantity >= held(trade)


def serves(trade: Trade, order: Order) -> bool:
    """Whether an order is as it should be; one found without its level is taken as it is.

    A stop tighter than wished serves too (an old record finds one that was moved since): it is
    never loosened.
    """
    if not covers(trade, order):
        return False
    wished, level = level_of(trade, order.role), order.trigger_price
    if trade.plan is None:
        return True  # What was found is better than our default.
    if order.role is not Role.STOP or level is None:
        return level is None or level == wished
    return not is_tighter(trade.plan, wished, level)


def want(draft: Draft, role: Role) -> Order | None:
    """The protective order of that role, placed, placed again or replaced as it needs to be.

    An order that is over means that there will be none. None: it is waited for, because the
    exchange says that there is no position (that is asked first) or has to be given time.
    """
    order = draft.trade.standing(role)
    if order is None:
        return _place(draft, role)
    if order.is_over:
        return _want_again(draft, order)
    if order.state in UNHEARD:
        return _want_beside(draft, order)
    if serves(draft.trade, order):
        thin_out(draft, order)
        last = draft.trade.latest(role)
        if last is not None and last.again_at_ms is not None:
            draft.set_order(last, again_at_ms=None)  # Nothing is to be sent again.
        return order
    return _replace(draft, order)


def thin_out(draft: Draft, order: Order) -> None:
    """Cancel what rests beside the order that serves: one is enough, and all only reduce."""
    for other in draft.trade.of_role(order.role):
        if order.state is OrderState.LIVE is other.state and other.order_id != order.order_id:
            draft.cancel(other)


def is_by_quantity(trade: Trade) -> bool:
    """Whether one market order can close what is held, as a quantity needs it.

    Not while the exchange shows nothing: it would let a quantity rest without a position, whereas
    an order that closes the position says whether there is one.
    """
    listing, quantity = trade.instrument, held(trade)
    if quantity <= ZERO or seen(trade) == ZERO:
        return False
    step = max(listing.step_size, listing.market_step_size)
    small = listing.quantity_min <= quantity <= listing.market_quantity_max
    return small and is_multiple(quantity, step)


def waits(draft: Draft, order: Order) -> bool:
    """True while an order refused for a passing reason is not to be sent again yet."""
    again_at_ms = order.again_at_ms
    if again_at_ms is None:
        again_at_ms = draft.now_ms + _pause_ms(draft, order)
        if order.refusal_code in TOO_MANY_STOPS:
            draft.tell("too_many_stops", Level.ALARM, role=order.role.name)
    waiting = draft.now_ms < again_at_ms
    draft.set_order(order, again_at_ms=again_at_ms if waiting else None)
    return waiting


def _by_quantity(trade: Trade, role: Role) -> bool:
    wanted = trade.plan is not None and trade.plan.guard.form is StopForm.QUANTITY
    last = trade.latest(role)
    if last is not None and last.state is OrderState.REFUSED:
        # What one form is refused for, the other may be let in with.
        if last.close_position and last.refusal_code in ALREADY_THERE:
            wanted = True  # Somebody else's closing order rests there.
        elif not last.close_position and last.refusal_code not in FORM_STAYS:
            wanted = False
    return wanted and is_by_quantity(trade)


def _place(draft: Draft, role: Role) -> Order:
    trade, direction = draft.trade, draft.trade.direction
    assert direction is not None, "what is guarded is held"
    wish = wish_of(trade, role)
    stop = role is Role.STOP
    return draft.place(
        role,
        side=direction.exit_side,
        kind=OrderKind.STOP_MARKET if stop else OrderKind.TAKE_PROFIT_MARKET,
        quantity=wish.quantity,
        trigger_price=wish.level,
        close_position=wish.quantity == ZERO,
        reduce_only=wish.quantity > ZERO,
    )


def _want_again(draft: Draft, last: Order) -> Order | None:
    """After one that is over: the next, unless it is hopeless or has to wait."""
    role, code = last.role, last.refusal_code
    if code in WOULD_TRIGGER:
        return last
    refused = last.state is OrderState.REFUSED
    if refused and code not in ALREADY_THERE | NEEDS_POSITION and is_moving(draft.trade, last):
        give_up_move(draft, last.refusal_text)
    if _is_exhausted(draft.trade, role):
        return last
    if code in ALREADY_THERE and (hidden := _hidden(draft.trade, role)):
        ask_at_ms = draft.now_ms + draft.timing.ask_after_ms
        return draft.set_order(hidden, state=OrderState.UNKNOWN, ask_at_ms=ask_at_ms)
    shown = seen(draft.trade)
    if code in NEEDS_POSITION and (not shown or draft.trade.position_seen_ms <= last.sent_ms):
        ask_position(draft)
        ask_fills(draft)
        return None
    if refused and code in PASSING and waits(draft, last):
        return None
    if not _is_moved_away(last):
        draft.tell("protection_refused", Level.WARNING, role=role.name, reason=last.refusal_text)
    return _place(draft, role)


def _want_beside(draft: Draft, order: Order) -> Order | None:
    """Whether a second one goes out beside one that nobody answered for.

    Six seconds must pass before that one surely never comes; no position is bare for so long. If it
    does come, the exchange refuses one of the two (closing the whole position), or the older is
    cancelled (`thin_out`): both only reduce. See docs/decisions/0013.
    """
    last = draft.trade.latest(order.role)
    assert last is not None
    if last is not order and last.is_over:
        # Refused because one is there: then this one is, and it is asked about.
        return order if last.refusal_code in ALREADY_THERE else _want_again(draft, last)
    looked = order.unfound_ms >= order.sent_ms + draft.timing.ask_after_ms
    if last is not order or not looked or _is_exhausted(draft.trade, order.role):
        return order
    return _place(draft, order.role)


def _replace(draft: Draft, order: Order) -> Order | None:
    """One rests that closes too little, or at another level."""
    trade, role = draft.trade, order.role
    last = trade.latest(role)
    assert last is not None
    if last.attempt > order.attempt:
        if not last.is_over:
            return last  # The next one is on its way.
        if last.refusal_code in WOULD_TRIGGER and is_moving(trade, last):
            return last
        if last.state is OrderState.REFUSED and is_moving(trade, last):
            give_up_move(draft, last.refusal_text)
            if serves(draft.trade, order):
                return order
        if not covers(draft.trade, order):
            return _want_again(draft, last)
    if order.close_position and wish_of(draft.trade, role).quantity == ZERO:
        draft.cancel(order)  # One of a kind: the next goes out when this one is gone.
        return order
    return _place(draft, role)


def _hidden(trade: Trade, role: Role) -> Order | None:
    # The exchange keeps one closing stop of a kind: one that we gave up as absent must be it.
    absent = [o for o in trade.of_role(role) if o.state is OrderState.ABSENT]
    return absent[-1] if absent else None


def _is_moved_away(order: Order) -> bool:
    return order.state is OrderState.CANCELED and order.cancels > 0


def _tries(trade: Trade, role: Role) -> tuple[list[Order], bool]:
    """The orders of a role since we last took one away ourselves, newest first; whether we did."""
    tries: list[Order] = []
    for order in reversed(trade.of_role(role)):
        if _is_moved_away(order):
            return tries, True
        tries.append(order)
    return tries, False


def _is_passing(order: Order) -> bool:
    return order.state is OrderState.REFUSED and order.refusal_code in PASSING


def _is_exhausted(trade: Trade, role: Role) -> bool:
    tries, moved = _tries(trade, role)
    lasting = sum(1 for order in tries if not _is_passing(order))
    bound = MOVED_ATTEMPTS_MAX if moved and role is Role.STOP else ATTEMPTS_MAX
    return lasting >= bound or len(tries) - lasting >= PASSING_ATTEMPTS_MAX


def _pause_ms(draft: Draft, last: Order) -> int:
    tries, _ = _tries(draft.trade, last.role)
    in_a_row = 0
    for order in tries:
        if not _is_passing(order):
            break
        in_a_row += 1
    if last.refusal_code in AT_ONCE and in_a_row <= 1:
        return 0
    doublings = min(max(0, in_a_row - 1), PAUSE_DOUBLINGS_MAX)
    return draft.timing.protect_again_ms * int(2**doublings)
