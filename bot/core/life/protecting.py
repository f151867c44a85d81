"""POSITION_UNPROTECTED, POSITION_ACTIVE: a stop and a target, or out at market in bounded time."""

from bot.core.life.asking import ask_fills, ask_position, settle_doubt
from bot.core.life.closing import close
from bot.core.life.draft import Draft
from bot.core.life.facts import booked, is_flat, is_turned
from bot.core.life.guarding import covers, has_level, thin_out, want
from bot.core.life.moving import finish_move, give_up_move, is_moving, take_level, watch
from bot.core.life.refusals import WOULD_TRIGGER
from bot.core.life.trailing import want_trail
from bot.core.messages import AskAdvisor, Level
from bot.core.trade import Order, OrderState, Phase, Role
from data.model import ExitReason, OrderKind
from data.money import ZERO


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
    stop = want(draft, Role.STOP) if has_level(trade) else trade.standing(Role.STOP)
    if stop is not None and stop.is_over:
        _give_up(draft, stop)
        return
    if trade.plan is not None:
        want(draft, Role.TARGET)
    stop = draft.trade.standing(Role.STOP)
    if stop is not None and stop.state is OrderState.LIVE and covers(draft.trade, stop):
        _protected(draft, stop)
    elif draft.trade.unprotected_since_ms is None:
        _start_clock(draft)
    else:
        _watch_clock(draft, "no stop was confirmed in time")


def _protected(draft: Draft, stop: Order) -> None:
    moving = is_moving(draft.trade)
    take_level(draft, stop)
    draft.set(phase=Phase.POSITION_ACTIVE)
    _stop_clock(draft)
    if moving or draft.trade.moves:
        finish_move(draft, stop)
    elif stop.attempt == 0:
        draft.tell("trade_opened")
    else:
        sent = len(draft.trade.of_role(Role.STOP))
        draft.tell("protected_again", attempt=str(sent - 1))


def _give_up(draft: Draft, stop: Order) -> None:
    if stop.refusal_code in WOULD_TRIGGER and is_moving(draft.trade, stop):
        close(draft, ExitReason.STOP_LOSS, "the price is back behind where the stop was moved to")
    else:
        close(draft, ExitReason.EMERGENCY, f"no stop could be placed: {stop.refusal_text}")


def _start_clock(draft: Draft) -> None:
    if draft.trade.unprotected_since_ms is None:
        draft.set(
            unprotected_since_ms=draft.now_ms,
            alarm_at_ms=draft.now_ms + draft.timing.unprotected_alarm_ms,
        )


def _stop_clock(draft: Draft) -> None:
    trade = draft.trade
    if trade.unprotected_since_ms is not None:
        bare_ms = draft.now_ms - trade.unprotected_since_ms
        draft.set(
            unprotected_ms=trade.unprotected_ms + bare_ms,
            unprotected_since_ms=None,
            alarm_at_ms=None,
        )


def _watch_clock(draft: Draft, note: str) -> bool:
    """Alarm, and in the end close, what is (or may be) bare; True when it was closed."""
    trade = draft.trade
    since_ms = trade.unprotected_since_ms
    if since_ms is None:
        return False
    if draft.now_ms >= since_ms + draft.timing.unprotected_max_ms:
        close(draft, ExitReason.EMERGENCY, note)
        return True
    if trade.alarm_at_ms is not None and draft.now_ms >= trade.alarm_at_ms:
        draft.set(alarm_at_ms=since_ms + draft.timing.unprotected_max_ms)
        draft.tell("unprotected", Level.ALARM, for_ms=str(draft.now_ms - since_ms))
    return False


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
        stop = trade.latest(Role.STOP)
        _lose_stop(draft, ours=stop is not None and is_moving(trade) and stop.cancels > 0)
        return
    if not has_level(trade):
        thin_out(draft, stop)
    elif not covers(trade, stop):
        _lose_stop(draft, ours=True)  # More was filled than it closes.
        return
    elif not _keep(draft, stop):
        return
    settle_doubt(draft)
    watch(draft)
    _review(draft)


def _keep(draft: Draft, stop: Order) -> bool:
    """Stop, target and trailing stop as the plan wants them; False when it was closed instead."""
    _withdraw_refused(draft, stop)
    take_level(draft, stop)
    wanted = want(draft, Role.STOP)
    if wanted is not None and wanted.is_over:
        _give_up(draft, wanted)
        return False
    now_stop = draft.trade.standing(Role.STOP)
    assert now_stop is not None
    finish_move(draft, now_stop)
    if now_stop.cancel_at_ms is not None:
        # Its cancel is on its way: from now on it may be bare.
        _start_clock(draft)
        if _watch_clock(draft, "the stop being moved was not answered for in time"):
            return False
    else:
        _stop_clock(draft)
    target = want(draft, Role.TARGET) if draft.trade.plan is not None else None
    if target is not None and target.refusal_code in WOULD_TRIGGER:
        close(draft, ExitReason.TAKE_PROFIT, "the price is already beyond the target")
        return False
    want_trail(draft)
    return True


def _withdraw_refused(draft: Draft, stop: Order) -> None:
    # Each cancel sent for the move was surely not taken: the stop stands, and stays where it is.
    refused = stop.cancel_at_ms is not None and stop.cancels_refused >= stop.cancels
    if refused and is_moving(draft.trade):
        draft.set_order(stop, cancel_at_ms=None, cancels=0, cancels_refused=0)
        give_up_move(draft, "the exchange would not cancel the stop at its old level")


def _review(draft: Draft) -> None:
    trade = draft.trade
    if trade.review_at_ms is not None and draft.now_ms >= trade.review_at_ms:
        draft.set(review_at_ms=draft.now_ms + trade.review_every_ms)
        draft.say(
            AskAdvisor(
                trade_id=trade.trade_id,
                bot_id=trade.bot_id,
                symbol=trade.symbol,
                purpose="manage",
                deadline_ms=draft.now_ms + draft.timing.answer_within_ms,
            )
        )


def _lose_stop(draft: Draft, *, ours: bool) -> None:
    draft.set(phase=Phase.POSITION_UNPROTECTED)
    _start_clock(draft)
    if ours:
        return
    # The exchange ended our stop while we think something is held. If the position is gone, the
    # answers will say so; until then it is bare, and a new stop is harmless.
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
    elif Role.TRAIL in fired:
        close(draft, ExitReason.STOP_LOSS, "the exchange's trailing stop fired")
    elif Role.TARGET in fired:
        close(draft, ExitReason.TAKE_PROFIT, "")
    elif is_flat(trade) or is_turned(trade) or booked(trade) < ZERO:
        close(draft, ExitReason.EXTERNAL, "the position is gone")
    else:
        return False
    return True
