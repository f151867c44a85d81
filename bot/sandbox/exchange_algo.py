"""Conditional orders of the pretend exchange: their own store and life, apart from plain orders.

NEW -> TRIGGERING -> TRIGGERED -> FINISHED, or CANCELED, EXPIRED (its position is gone), REJECTED
(the child order was refused at the trigger). The child is an ordinary MARKET order, or a LIMIT one
when the conditional has a price; its client id is the conditional's. A LIMIT child may rest: the
conditional then stays TRIGGERED until the child ends. Must not know: who asks, or the exchange's
spelling.
"""

from decimal import Decimal

from bot.sandbox.exchange_book import expire_reduce_only, open_and_match
from bot.sandbox.exchange_records import (
    ConditionalEvent,
    ConditionalRequest,
    ConditionalStatus,
    ConditionalView,
    OrderRequest,
    PriceSource,
    Refusal,
    TimeInForce,
)
from bot.sandbox.exchange_rules import (
    BAD_SYMBOL,
    NO_DEPTH,
    REDUCE_ONLY,
    check_funds,
    check_patience,
    closes,
    reduces,
)
from bot.sandbox.exchange_rules_algo import (
    TRIGGER_PROTECT,
    check_conditional,
    fires_above,
    watched_price,
)
from bot.sandbox.exchange_state import HISTORY_MAX, Account, Conditional, Market, Order, World
from data.model import OrderKind, OrderStatus, Side
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
        reduce_only=closes(request) or request.close_position,
        price_source=request.price_source,
        time_in_force=TimeInForce.POSITION if request.close_position else request.time_in_force,
        created_ms=world.now_ms,
        updated_ms=world.now_ms,
        fires_above=fires_above(request.kind, request.side),
        position_side=request.position_side,
        price=request.price or ZERO,
        callback_rate=request.callback_rate,
        activate_price=request.activate_price,
        price_protect=request.price_protect,
    )
    if request.callback_rate is not None and request.activate_price is None:
        order.best_price = watched_price(market, request.price_source)
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
    touched = [c for c in waiting.values() if _touched(world, account, market, c)]
    for order in touched:
        if order.status is ConditionalStatus.NEW:
            _fire(world, account, market, order)
            expire_dependents(world, account, market.instrument.symbol)
    return bool(touched)


def finish_children(world: World, account: Account, symbol: str) -> None:
    """Finish the conditional orders whose LIMIT child rested and has ended since."""
    for order in account.working_children.pop(symbol, []):
        assert order.child is not None, "a working child that is none"
        if order.child.status in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED):
            account.working_children.setdefault(symbol, []).append(order)
        else:
            _move(world, account, order, ConditionalStatus.FINISHED)


def expire_dependents(world: World, account: Account, symbol: str) -> None:
    """Expire what lives only as long as the position: reduce-only orders, then position stops."""
    expire_reduce_only(world, account, symbol)
    if account.working_children:
        finish_children(world, account, symbol)
    waiting = account.open_conditionals.get(symbol)
    if not waiting:
        return
    for order in [c for c in waiting.values() if c.time_in_force is TimeInForce.POSITION]:
        if not reduces(account.quantity_of(symbol, order.position_side), order.side):
            _end(world, account, order, ConditionalStatus.EXPIRED)


def _touched(world: World, account: Account, market: Market, order: Conditional) -> bool:
    mark = order.price_source is PriceSource.MARK or market.last is None
    price = market.mark if mark else market.last
    assert price is not None, "a market without a price was let through"
    if order.callback_rate is not None:
        touched = _trails(world, account, order, price)
    elif order.fires_above:
        touched = price >= order.trigger_price
    else:
        touched = price <= order.trigger_price
    if not touched or not order.price_protect:
        return touched
    assert market.last is not None, "a market without a price was let through"
    return abs(market.mark - market.last) <= market.mark * TRIGGER_PROTECT


def _trails(world: World, account: Account, order: Conditional, price: Decimal) -> bool:
    rate, best = order.callback_rate, order.best_price
    assert rate is not None, "an order that does not trail"
    buys = order.side is Side.BUY
    if best is None:
        start = order.activate_price
        assert start is not None, "a trailing order that waits for no price"
        if price > start if buys else price < start:
            return False
        order.best_price = price
        _tell(world, account, order)  # a second NEW, now active
        return False
    best = order.best_price = min(best, price) if buys else max(best, price)
    return price >= best * (1 + rate) if buys else price <= best * (1 - rate)


def _fire(world: World, account: Account, market: Market, order: Conditional) -> None:
    del account.open_conditionals[order.symbol][order.number]
    order.triggered_ms = world.now_ms
    _move(world, account, order, ConditionalStatus.TRIGGERING)
    position = account.quantity_of(order.symbol, order.position_side)
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
        kind=OrderKind.LIMIT if order.price else OrderKind.MARKET,
        time_in_force=order.time_in_force if order.price else TimeInForce.GTC,
        quantity=quantity,
        price=order.price,
        reduce_only=order.reduce_only,
        close_position=order.close_position,
        created_ms=world.now_ms,
        updated_ms=world.now_ms,
        position_side=order.position_side,
    )
    order.child = child
    order.status = ConditionalStatus.TRIGGERED
    event = ConditionalEvent(account_id=account.account_id, at_ms=world.now_ms, order=order.view())
    told = len(world.outbox)
    open_and_match(world, account, child)
    # The child's NEW goes out first, then the word that it triggered, then the child's fills.
    world.outbox.insert(told + 1, event)
    if child.number in account.open_orders.get(child.symbol, ()):
        account.working_children.setdefault(child.symbol, []).append(order)
        return
    _move(world, account, order, ConditionalStatus.FINISHED)


def _check_child(
    world: World, account: Account, market: Market, order: Conditional
) -> Refusal | None:
    if order.reduce_only:
        position = account.quantity_of(order.symbol, order.position_side)
        return None if reduces(position, order.side) else REDUCE_ONLY
    assert market.last is not None, "a market without a price was let through"
    price = order.price or market.last
    refusal = check_funds(world, account, market, order.side, order.quantity * price)
    if refusal is not None or not order.price:
        return refusal
    asked = OrderRequest(
        symbol=order.symbol,
        side=order.side,
        kind=OrderKind.LIMIT,
        quantity=order.quantity,
        price=order.price,
        time_in_force=order.time_in_force,
    )
    return check_patience(market, asked)


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
