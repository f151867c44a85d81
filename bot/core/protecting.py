"""POSITION_UNPROTECTED, POSITION_ACTIVE: a stop and a target, or out at market in bounded time."""

from typing import Final

from bot.core.asking import ask_fills, ask_position, settle_doubt
from bot.core.closing import close
from bot.core.draft import Draft
from bot.core.facts import booked, is_flat, is_turned, seen
from bot.core.messages import AskAdvisor, Level
from bot.core.refusals import ALREADY_THERE, NEEDS_POSITION, WOULD_TRIGGER
from bot.core.trade import UNHEARD, Order, OrderState, Phase, Role, Trade
from data.model import ExitReason, OrderKind
from data.money import ZERO

STOP_ATTEMPTS_MAX: Final = 4  # protection is tried this often before the position is closed
TARGET_ATTEMPTS_MAX: Final = 4


def expires(order: Order) -> bool:
    """True for a resting entry: a market order is over at once or not at all."""
    return order.role is Role.ENTRY and order.kind is OrderKind.LIMIT


def expire_entry(draft: Draft) -> None:
    """Cancel what rests of the entry when its time is up or it is no longer wanted."""
    trade = draft.trade
    # A trade that had ended has no deadline any more: what rests of its entry is not wanted.
    late = trade.entry_expires_ms is None or draft.now_ms >= trade.entry_expires_ms
    if late or trade.exit_reason is not None:
        for order in filter(expires, trade.orders):
            draft.cancel(order)


def attend_unprotected(draft: Draft) -> None:
    """Place stop and target; ACTIVE once the stop is confirmed, CLOSING when it takes too long."""
    trade = draft.trade
    if _leaves(draft):
        return
    expire_entry(draft)
    planned = trade.plan is not None
    # An adopted one has no levels: the stop that was on its way when we died may still arrive.
    stop = _want(draft, Role.STOP, STOP_ATTEMPTS_MAX) if planned else trade.standing(Role.STOP)
    if stop is not None and stop.is_over:
        close(draft, ExitReason.EMERGENCY, f"no stop could be placed: {stop.refusal_text}")
        return
    if planned:
        _want(draft, Role.TARGET, TARGET_ATTEMPTS_MAX)
    since_ms = draft.trade.unprotected_since_ms or draft.now_ms
    if stop is not None and stop.state is OrderState.LIVE:
        draft.set(
            phase=Phase.POSITION_ACTIVE,
            unprotected_ms=draft.trade.unprotected_ms + draft.now_ms - since_ms,
            unprotected_since_ms=None,
            alarm_at_ms=None,
        )
        if stop.attempt == 0:
            draft.tell("trade_opened")
        else:
            draft.tell("protected_again", attempt=str(stop.attempt))
    elif draft.now_ms >= since_ms + draft.timing.unprotected_max_ms:
        close(draft, ExitReason.EMERGENCY, "no stop was confirmed in time")
    elif draft.trade.alarm_at_ms is not None and draft.now_ms >= draft.trade.alarm_at_ms:
        draft.set(alarm_at_ms=since_ms + draft.timing.unprotected_max_ms)
        draft.tell("unprotected", Level.ALARM, for_ms=str(draft.now_ms - since_ms))


def _want(draft: Draft, role: Role, attempts_max: int) -> Order | None:
    """The protective order of that role, placed (again) when there is none under way.

    None while the exchange says that there is no position to protect: that is asked first.
    """
    order = draft.trade.standing(role)
    if order is not None and not order.is_over:
        if not _wants_another(draft, order):
            _thin_out(draft, order)
            return order
        order = draft.trade.latest(role)
    if order is not None and not order.is_over:
        if len(draft.trade.of_role(role)) >= attempts_max:
            return order
    elif order is not None:
        hopeless = order.refusal_code in WOULD_TRIGGER
        if hopeless or len(draft.trade.of_role(role)) >= attempts_max:
            return order
        if order.refusal_code in ALREADY_THERE and (hidden := _hidden(draft.trade, role)):
            ask_at_ms = draft.now_ms + draft.timing.ask_after_ms
            return draft.set_order(hidden, state=OrderState.UNKNOWN, ask_at_ms=ask_at_ms)
        shown = seen(draft.trade)
        if order.refusal_code in NEEDS_POSITION and (
            not shown or draft.trade.position_seen_ms <= order.sent_ms
        ):
            ask_position(draft)
            ask_fills(draft)
            return None
        draft.tell("protection_refused", Level.WARNING, role=role.name, reason=order.refusal_text)
    trade = draft.trade
    assert trade.plan is not None
    stop = role is Role.STOP
    return draft.place(
        role,
        side=trade.plan.direction.exit_side,
        kind=OrderKind.STOP_MARKET if stop else OrderKind.TAKE_PROFIT_MARKET,
        quantity=ZERO,
        trigger_price=trade.plan.stop_price if stop else trade.plan.target_price,
        close_position=True,
    )


def _wants_another(draft: Draft, order: Order) -> bool:
    """Whether a second one goes out beside one that nobody answered for.

    Six seconds must pass before that one surely never comes; no position is bare for so long. If it
    does come, the exchange refuses one of the two (closing the whole position), or the older is
    cancelled (`_thin_out`): both only reduce. See docs/decisions/0013.
    """
    if order.state not in UNHEARD:
        return False
    last = draft.trade.latest(order.role)
    assert last is not None
    if last.is_over:
        return last.refusal_code not in ALREADY_THERE  # Then this one is there: it is asked about.
    return order.unfound_ms >= order.sent_ms + draft.timing.ask_after_ms


def _thin_out(draft: Draft, order: Order) -> None:
    # One is enough. The newest stays: it is the one that the record was waiting for.
    for other in draft.trade.of_role(order.role):
        if order.state is OrderState.LIVE is other.state and other.order_id != order.order_id:
            draft.cancel(other)


def _hidden(trade: Trade, role: Role) -> Order | None:
    # The exchange keeps one closing stop of a kind: one that we gave up as absent must be it.
    absent = [o for o in trade.of_role(role) if o.state is OrderState.ABSENT]
    return absent[-1] if absent else None


def attend_active(draft: Draft) -> None:
    """Keep stop and target; leave when one fired, time is up or somebody asked."""
    if _leaves(draft):
        return
    trade = draft.trade
    expire_entry(draft)
    if trade.close_by_ms is not None and draft.now_ms >= trade.close_by_ms:
        close(draft, ExitReason.TIMEOUT, "held for as long as allowed")
        return
    stop = trade.standing(Role.STOP)
    if stop is None or stop.state is not OrderState.LIVE:
        _lose_stop(draft)
        return
    _thin_out(draft, stop)
    if trade.plan is not None:
        target = _want(draft, Role.TARGET, TARGET_ATTEMPTS_MAX)
        if target is not None and target.refusal_code in WOULD_TRIGGER:
            close(draft, ExitReason.TAKE_PROFIT, "the price is already beyond the target")
            return
    settle_doubt(draft)
    if trade.review_at_ms is not None and draft.now_ms >= trade.review_at_ms:
        draft.set(review_at_ms=draft.now_ms + trade.review_every_ms)
        draft.say(
            AskAdvisor(
                trade_id=trade.trade_id,
                bot_id=trade.bot_id,
                symbol=trade.symbol,
                purpose="manage",
                deadline_ms=draft.now_ms + draft.timing.decide_within_ms,
            )
        )


def _lose_stop(draft: Draft) -> None:
    # The exchange ended our stop while we think something is held. If the position is gone, the
    # answers will say so; until then it is bare, and a new stop is harmless.
    draft.set(
        phase=Phase.POSITION_UNPROTECTED,
        unprotected_since_ms=draft.now_ms,
        alarm_at_ms=draft.now_ms + draft.timing.unprotected_alarm_ms,
    )
    ask_position(draft)
    ask_fills(draft)


def _leaves(draft: Draft) -> bool:
    """Go to CLOSING when something already ended, or should end, the position."""
    trade = draft.trade
    done = (OrderState.TRIGGERED, OrderState.FILLED)
    fired = {order.role for order in trade.orders if order.state in done}
    if trade.exit_reason is not None:
        close(draft, trade.exit_reason, trade.note)
    elif Role.STOP in fired:
        close(draft, ExitReason.STOP_LOSS, "")
    elif Role.TARGET in fired:
        close(draft, ExitReason.TAKE_PROFIT, "")
    elif is_flat(trade) or is_turned(trade) or booked(trade) < ZERO:
        close(draft, ExitReason.EXTERNAL, "the position is gone")
    else:
        return False
    return True
