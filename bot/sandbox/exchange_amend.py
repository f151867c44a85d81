"""What changes or ends a resting order other than a fill or a cancel: amendments and deadlines.

Source: the facts sheet's section 3.2. An amended order loses its place in the queue, which here is
its number's: it keeps the number, so it stays ahead of younger orders at the same price. Deadlines
are those of good-till-date orders and of the countdown that cancels a symbol's orders when nobody
renews it; conditional orders are left alone. Must not know: who asks.
"""

from typing import Final

from bot.sandbox.exchange_book import cancel, expire, match_order
from bot.sandbox.exchange_fill import tell_order
from bot.sandbox.exchange_records import (
    Amendment,
    Execution,
    ExpiryReason,
    OrderView,
    Refusal,
    TimeInForce,
)
from bot.sandbox.exchange_rules import (
    check_band,
    check_funds,
    check_notional,
    check_price,
    check_quantity,
)
from bot.sandbox.exchange_state import Account, Market, Order, World
from data.model import OrderKind, Side

MODIFICATIONS_MAX: Final = 10_000

NOT_LIMIT: Final = Refusal(code=-5025, text="Limit order only.")
TOO_OFTEN: Final = Refusal(code=-5026, text="Exceed maximum modify order limit.")
SAME_ORDER: Final = Refusal(code=-5027, text="No need to modify the order.")
NOT_REDUCE_ONLY: Final = Refusal(code=-5047, text="The original order is not reduce only.")
OTHER_SIDE: Final = Refusal(code=-1117, text="Invalid side.")


def amend(world: World, account: Account, order: Order, wish: Amendment) -> OrderView | Refusal:
    """Give a resting LIMIT order a new price and size; -50xx when that makes no sense.

    An order whose new size is already filled, or a post-only one that would trade, is cancelled.
    """
    market = world.markets[order.symbol]
    refusal = _check(world, account, market, order, wish)
    if refusal is not None:
        return refusal
    order.modifications += 1
    if wish.quantity <= order.filled or _would_take(market, order, wish):
        cancel(world, account, order)
        return order.view()
    order.quantity, order.price = wish.quantity, wish.price
    order.updated_ms = world.now_ms
    tell_order(world, account, order, Execution.AMENDED, modify_id=wish.modify_id)
    match_order(world, account, market, order)
    return order.view()


def pass_deadlines(world: World, account: Account) -> bool:
    """End what was to end by now; whether anything did."""
    late = [one for one in account.dated.values() if one.good_till_ms <= world.now_ms]
    for order in late:
        expire(world, account, order, ExpiryReason.NONE)
    done = [symbol for symbol, at_ms in account.countdowns.items() if at_ms <= world.now_ms]
    for symbol in done:
        del account.countdowns[symbol]
        for order in list(account.open_orders.get(symbol, {}).values()):
            cancel(world, account, order)
    return bool(late or done)


def _check(
    world: World, account: Account, market: Market, order: Order, wish: Amendment
) -> Refusal | None:
    if order.kind is not OrderKind.LIMIT:
        return NOT_LIMIT
    if wish.side is not order.side:
        return OTHER_SIDE
    if wish.reduce_only and not order.reduce_only:
        return NOT_REDUCE_ONLY
    if (wish.quantity, wish.price) == (order.quantity, order.price):
        return SAME_ORDER
    if order.modifications >= MODIFICATIONS_MAX:
        return TOO_OFTEN
    refusal = (
        check_quantity(market, OrderKind.LIMIT, wish.quantity)
        or check_price(market, wish.price)
        or check_band(market, order.side, wish.price)
    )
    if refusal is not None or order.reduce_only:
        return refusal
    notional = wish.quantity * wish.price
    more = notional - order.quantity * order.price
    refusal = check_notional(market, notional)
    if refusal is not None or more <= 0:
        return refusal
    return check_funds(world, account, market, order.side, more)


def _would_take(market: Market, order: Order, wish: Amendment) -> bool:
    if order.time_in_force is not TimeInForce.POST_ONLY:
        return False
    assert market.last is not None, "a market without a price was let through"
    return market.last <= wish.price if order.side is Side.BUY else market.last >= wish.price
