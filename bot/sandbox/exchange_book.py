"""Plain orders of the pretend exchange: placing, resting, filling, cancelling.

A MARKET order trades at the last price (worsened by seeded slippage when asked for). A LIMIT that
the last price already crosses trades there at once as taker; otherwise it rests and trades at its
own price as maker as soon as the last price touches it. The liquidity of a price step, when
capped, is shared by all who trade in it. Must not know: conditional orders.
"""

from decimal import Decimal

from bot.sandbox.exchange_fill import apply_fill, tell_order
from bot.sandbox.exchange_records import (
    Execution,
    ExpiryReason,
    OrderRequest,
    OrderView,
    Refusal,
    TimeInForce,
)
from bot.sandbox.exchange_rules import (
    BAD_SYMBOL,
    NO_DEPTH,
    check_order,
    check_patience,
    closes,
    reduces,
)
from bot.sandbox.exchange_state import Account, Market, Order, World
from data.model import FillCause, OrderKind, OrderStatus, Side
from data.money import BPS, ZERO, ceil_to, floor_to


def place(world: World, account: Account, request: OrderRequest) -> OrderView | Refusal:
    """Check, store and match one plain order; the view is the order after matching."""
    refusal = check(world, account, request)
    if refusal is not None:
        return refusal
    number = world.next_order()
    quantity = request.quantity
    closing = closes(request)
    if closing and _at_once(request):
        quantity = min(quantity, abs(account.quantity_of(request.symbol, request.position_side)))
    order = Order(
        number=number,
        client_id=request.client_id or f"auto{number}",
        symbol=request.symbol,
        side=request.side,
        kind=request.kind,
        time_in_force=request.time_in_force,
        quantity=quantity,
        price=request.price if request.price is not None and _is_limit(request) else ZERO,
        reduce_only=closing,
        created_ms=world.now_ms,
        updated_ms=world.now_ms,
        position_side=request.position_side,
        good_till_ms=request.good_till_ms,
    )
    open_and_match(world, account, order)
    return order.view()


def check(world: World, account: Account, request: OrderRequest) -> Refusal | None:
    """Everything a plain order may be refused for."""
    market = world.markets.get(request.symbol)
    if market is None:
        return BAD_SYMBOL
    if market.last is None:
        return NO_DEPTH
    return check_order(world, account, market, request) or check_patience(market, request)


def open_and_match(world: World, account: Account, order: Order) -> None:
    """Put an order that passed its checks on the book and trade what can trade now."""
    market = world.markets[order.symbol]
    account.remember(order)
    tell_order(world, account, order, Execution.NEW)
    if order.kind is OrderKind.MARKET:
        quantity = _tradable(account, market, order)
        if quantity:
            price = market_price(world, market, order.side)
            apply_fill(world, account, order, quantity, price, maker=False)
        if order.filled < order.quantity:
            expire(world, account, order, ExpiryReason.MARKET_REMAINDER)
        return
    match_order(world, account, market, order)
    if order.time_in_force is TimeInForce.IOC and order.filled < order.quantity:
        expire(world, account, order, ExpiryReason.IOC_REMAINDER)


def match_order(world: World, account: Account, market: Market, order: Order) -> None:
    """Trade an open LIMIT order that the last price crosses, as taker."""
    assert market.last is not None, "a market without a price was let through"
    if crosses(order, market.last):
        quantity = _tradable(account, market, order)
        if quantity:
            apply_fill(world, account, order, quantity, market.last, maker=False)


def match_resting(world: World, account: Account, market: Market) -> bool:
    """Fill the resting orders that the last price touches; whether any was."""
    last = market.last
    assert last is not None, "a market without a price was let through"
    resting = account.open_orders[market.instrument.symbol]
    touched = [order for order in resting.values() if crosses(order, last)]
    if not touched:
        return False
    touched.sort(key=_priority)
    for order in touched:
        quantity = _tradable(account, market, order)
        if quantity:
            apply_fill(world, account, order, quantity, order.price, maker=True)
    return True


def crosses(order: Order, last: Decimal) -> bool:
    """Whether the last price lets a LIMIT order trade."""
    return last <= order.price if order.side is Side.BUY else last >= order.price


def market_price(world: World, market: Market, side: Side) -> Decimal:
    """The last price, worsened by up to `slippage_bps` and rounded against the taker."""
    assert market.last is not None, "a market without a price was let through"
    if not world.slippage_bps or world.rng is None:
        return market.last
    tick = market.instrument.tick_size
    worse = market.last * world.slippage_bps * Decimal(world.rng.randint(0, 1000)) / 1000 / BPS
    if side is Side.BUY:
        return ceil_to(market.last + worse, tick)
    return max(tick, floor_to(market.last - worse, tick))


def cancel(world: World, account: Account, order: Order) -> None:
    """Take an open order off the book at somebody's wish."""
    order.status = OrderStatus.CANCELED
    order.updated_ms = world.now_ms
    account.settle(order)
    tell_order(world, account, order, Execution.CANCELED)


def expire(world: World, account: Account, order: Order, reason: ExpiryReason) -> None:
    """Take an open order off the book by the exchange's own rule."""
    order.status = OrderStatus.EXPIRED
    order.expiry = reason
    order.updated_ms = world.now_ms
    account.settle(order)
    tell_order(world, account, order, Execution.EXPIRED)


def expire_reduce_only(world: World, account: Account, symbol: str) -> None:
    """Expire the resting reduce-only orders that have nothing left to reduce."""
    resting = account.open_orders.get(symbol)
    if not resting:
        return
    for order in [o for o in resting.values() if o.reduce_only]:
        if not reduces(account.quantity_of(symbol, order.position_side), order.side):
            expire(world, account, order, ExpiryReason.REDUCE_ONLY)


def _is_limit(request: OrderRequest) -> bool:
    return request.kind is OrderKind.LIMIT


def _at_once(request: OrderRequest) -> bool:
    return not _is_limit(request) or request.time_in_force in (TimeInForce.IOC, TimeInForce.FOK)


def _tradable(account: Account, market: Market, order: Order) -> Decimal:
    quantity = order.quantity - order.filled
    if order.reduce_only and order.cause is FillCause.ORDER:
        position = account.quantity_of(order.symbol, order.position_side)
        quantity = min(quantity, abs(position)) if reduces(position, order.side) else ZERO
    if market.liquidity is not None:
        quantity = min(quantity, floor_to(max(ZERO, market.liquidity), market.instrument.step_size))
    return quantity


def _priority(order: Order) -> tuple[Decimal, int]:
    return (-order.price if order.side is Side.BUY else order.price, order.number)
