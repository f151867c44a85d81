"""Conditional orders of the pretend exchange: their own store and life, apart from plain orders.

NEW -> TRIGGERING -> TRIGGERED -> FINISHED, or CANCELED, EXPIRED (its position is gone), REJECTED
(the child order was refused at the trigger). The child is an ordinary MARKET order whose client id
is the conditional's. Must not know: who asks, or the exchange's spelling.
"""

from decimal import Decimal

from bot.sandbox.exchange_book import expire_reduce_only, open_and_match
from bot.sandbox.exchange_records import (
    ConditionalEvent,
    ConditionalRequest,
    ConditionalStatus,
    ConditionalView,
    Refusal,
    TimeInForce,
)
from bot.sandbox.exchange_rules import (
    BAD_SYMBOL,
    NO_DEPTH,
    REDUCE_ONLY,
    check_conditional,
    check_funds,
    fires_above,
    reduces,
    watched_price,
)
from bot.sandbox.exchange_state import HISTORY_MAX, Account, Conditional, Market, Order, World
from data.model import OrderKind
from data.money import ZERO


def place_conditional(
    world: World, account: Account, request: ConditionalRequest
) -> ConditionalView | Refusal:
    """Check and store one conditional order."""
    market = world.markets.get(request.symbol)
    if market is None:
        return BAD_SYMBOL
    if market.last is None:
        return NO_DEPTH
    refusal = check_conditional(account, market, request)
    if refusal is not None:
        return refusal
    number = world.next_conditional()
    order = Conditional(
        number=number,
        client_id=request.client_id or f"auto{number}",
        symbol=request.symbol,
        side=request.side,
        kind=request.kind,
        trigger_price=request.trigger_price,
        quantity=request.quantity or ZERO,
        close_position=request.close_position,
        reduce_only=request.reduce_only or request.close_position,
        price_source=request.price_source,
        time_in_force=TimeInForce.POSITION if request.close_position else request.time_in_force,
        created_ms=world.now_ms,
        updated_ms=world.now_ms,
        fires_above=fires_above(request.kind, request.side),
    )
    account.conditionals[number] = order
    account.newest_conditional[order.client_id] = number
    account.open_conditionals.setdefault(order.symbol, {})[number] = order
    if len(account.conditionals) > HISTORY_MAX:
        oldest = account.conditionals.pop(next(iter(account.conditionals)))
        if account.newest_conditional.get(oldest.client_id) == oldest.number:
            del account.newest_conditional[oldest.client_id]
    _tell(world, account, order)
    return order.view()


def cancel_conditional(world: World, account: Account, order: Conditional) -> None:
    """End a waiting conditional order at somebody's wish."""
    _end(world, account, order, ConditionalStatus.CANCELED)


def fire_touched(world: World, account: Account, market: Market) -> bool:
    """Fire every waiting order whose watched price reached its trigger; whether any did."""
    waiting = account.open_conditionals[market.instrument.symbol]
    touched = [c for c in waiting.values() if _touched(c, watched_price(market, c.price_source))]
    for order in touched:
        if order.status is ConditionalStatus.NEW:
            _fire(world, account, market, order)
            expire_dependents(world, account, market.instrument.symbol)
    return bool(touched)


def expire_dependents(world: World, account: Account, symbol: str) -> None:
    """Expire what lives only as long as the position: reduce-only orders, then position stops."""
    expire_reduce_only(world, account, symbol)
    waiting = account.open_conditionals.get(symbol)
    if not waiting:
        return
    position = account.quantity_of(symbol)
    for order in [c for c in waiting.values() if c.time_in_force is TimeInForce.POSITION]:
        if not reduces(position, order.side):
            _end(world, account, order, ConditionalStatus.EXPIRED)


def _touched(order: Conditional, price: Decimal) -> bool:
    return price >= order.trigger_price if order.fires_above else price <= order.trigger_price


def _fire(world: World, account: Account, market: Market, order: Conditional) -> None:
    del account.open_conditionals[order.symbol][order.number]
    order.triggered_ms = world.now_ms
    _move(world, account, order, ConditionalStatus.TRIGGERING)
    position = account.quantity_of(order.symbol)
    quantity = abs(position) if order.close_position else order.quantity
    refusal = _check_child(world, account, market, order)
    if refusal is not None:
        order.reject_text = refusal.text
        _move(world, account, order, ConditionalStatus.REJECTED)
        return
    if order.reduce_only:
        quantity = min(quantity, abs(position))
    child = Order(
        number=world.next_order(),
        client_id=order.client_id,
        symbol=order.symbol,
        side=order.side,
        kind=OrderKind.MARKET,
        time_in_force=TimeInForce.GTC,
        quantity=quantity,
        price=ZERO,
        reduce_only=order.reduce_only,
        close_position=order.close_position,
        created_ms=world.now_ms,
        updated_ms=world.now_ms,
    )
    order.child = child
    order.status = ConditionalStatus.TRIGGERED
    event = ConditionalEvent(account_id=account.account_id, at_ms=world.now_ms, order=order.view())
    told = len(world.outbox)
    open_and_match(world, account, child)
    # The child's NEW goes out first, then the word that it triggered, then the child's fills.
    world.outbox.insert(told + 1, event)
    _move(world, account, order, ConditionalStatus.FINISHED)


def _check_child(
    world: World, account: Account, market: Market, order: Conditional
) -> Refusal | None:
    if order.reduce_only:
        return None if reduces(account.quantity_of(order.symbol), order.side) else REDUCE_ONLY
    assert market.last is not None, "a market without a price was let through"
    return check_funds(world, account, market, order.side, order.quantity * market.last)


def _end(world: World, account: Account, order: Conditional, status: ConditionalStatus) -> None:
    del account.open_conditionals[order.symbol][order.number]
    _move(world, account, order, status)


def _move(world: World, account: Account, order: Conditional, status: ConditionalStatus) -> None:
    order.status = status
    order.updated_ms = world.now_ms
    _tell(world, account, order)


def _tell(world: World, account: Account, order: Conditional) -> None:
    world.outbox.append(
        ConditionalEvent(account_id=account.account_id, at_ms=world.now_ms, order=order.view())
    )
