"""What happens to a position without an order of its owner's program: funding, liquidation,
deleveraging, settlement of a delisted symbol, and a close by hand on the exchange's own site.

A liquidation closes the whole position at the last price; the insurance fund takes its fee from
what margin is left, or pays what is missing. Must not know: who asks.
"""

from decimal import Decimal

from bot.sandbox.exchange_algo import expire_dependents, finish_children
from bot.sandbox.exchange_book import expire
from bot.sandbox.exchange_fill import apply_fill, book_income, tell_account, tell_order
from bot.sandbox.exchange_margin import cross_health, maintenance, unrealized
from bot.sandbox.exchange_records import (
    AccountCause,
    Execution,
    ExpiryReason,
    IncomeKind,
    OrderView,
    TimeInForce,
)
from bot.sandbox.exchange_state import CENT, Account, Holding, Market, Order, World
from data.model import FillCause, MarginType, OrderKind, Side
from data.money import ZERO


def pay_funding(world: World, market: Market) -> None:
    """Pay every interval's funding that is due; a long pays when the rate is positive."""
    if not market.next_funding_ms:
        market.next_funding_ms = next_boundary(world.now_ms, market.funding_interval_ms)
    while world.now_ms >= market.next_funding_ms:
        market.next_funding_ms += market.funding_interval_ms
        for account in world.accounts.values():
            _pay_one(world, account, market)


def next_boundary(now_ms: int, interval_ms: int) -> int:
    """The first multiple of the interval after `now_ms`."""
    return (now_ms // interval_ms + 1) * interval_ms


def check_liquidation(world: World, account: Account, market: Market) -> None:
    """Liquidate when the margin no longer covers the maintenance of this symbol's positions."""
    symbol = market.instrument.symbol
    if account.margin_type_of(symbol) is MarginType.ISOLATED:
        for holding in account.held(symbol):
            balance = holding.isolated_wallet + unrealized(market, holding)
            if balance <= maintenance(market, holding.quantity):
                liquidate(world, account, holding)
        return
    balance, needed = cross_health(world, account)
    while needed and balance <= needed:
        liquidate(world, account, _worst_crossed(world, account))
        balance, needed = cross_health(world, account)


def liquidate(world: World, account: Account, holding: Holding) -> OrderView:
    """Take a whole position away, the orders its margin backs first."""
    assert holding.quantity, "nothing to liquidate"
    symbol = holding.symbol
    isolated = account.margin_type_of(symbol) is MarginType.ISOLATED
    cleared = [symbol] if isolated else list(account.open_orders)
    for one in cleared:
        for order in list(account.open_orders.get(one, {}).values()):
            expire(world, account, order, ExpiryReason.LIQUIDATION)
    backing = holding.isolated_wallet
    before = account.wallet
    client_id = f"autoclose-{world.now_ms}{world.order_number + 1}"
    order = _force(world, account, holding, client_id, FillCause.LIQUIDATION)
    left = backing + account.wallet - before if isolated else account.cross_wallet()
    fee = (order.quote * world.liquidation_fee_rate).quantize(CENT)
    amount = -min(fee, left) if left > 0 else _missing(account, holding, left, isolated=isolated)
    if amount:
        book_income(world, account, IncomeKind.INSURANCE, symbol, amount)
        tell_account(world, account, AccountCause.INSURANCE, symbol)
    expire_dependents(world, account, symbol)
    for one in tuple(account.working_children):
        finish_children(world, account, one)
    return order.view()


def deleverage(
    world: World, account: Account, holding: Holding, quantity: Decimal | None = None
) -> OrderView:
    """Close the position, or `quantity` of it, against somebody's bankruptcy."""
    order = _force(world, account, holding, "adl_autoclose", FillCause.ADL, quantity)
    expire_dependents(world, account, holding.symbol)
    return order.view()


def settle(world: World, account: Account, holding: Holding) -> OrderView:
    """Close the position because its symbol leaves the exchange; its resting orders go first."""
    symbol = holding.symbol
    for order in list(account.open_orders.get(symbol, {}).values()):
        expire(world, account, order, ExpiryReason.DELISTED)
    client_id = f"settlement_autoclose-{world.now_ms}{world.order_number + 1}"
    order = _force(world, account, holding, client_id, FillCause.SETTLEMENT)
    expire_dependents(world, account, symbol)
    return order.view()


def close_by_hand(
    world: World, account: Account, holding: Holding, quantity: Decimal | None = None
) -> OrderView:
    """Close the position, or `quantity` of it, as a person on the exchange's own site does."""
    client_id = f"web_{world.order_number + 1}"
    order = _force(world, account, holding, client_id, FillCause.ORDER, quantity)
    expire_dependents(world, account, holding.symbol)
    return order.view()


def _pay_one(world: World, account: Account, market: Market) -> None:
    symbol = market.instrument.symbol
    for holding in account.held(symbol):
        amount = (-holding.quantity * market.mark * market.funding_rate).quantize(CENT)
        isolated = account.margin_type_of(symbol) is MarginType.ISOLATED
        book_income(world, account, IncomeKind.FUNDING, symbol, amount)
        if isolated:
            holding.isolated_wallet += amount
        shown = holding if isolated else None
        tell_account(world, account, AccountCause.FUNDING, symbol, shown)


def _worst_crossed(world: World, account: Account) -> Holding:
    crossed = [
        h
        for h in account.holdings.values()
        if h.quantity and account.margin_type_of(h.symbol) is MarginType.CROSSED
    ]
    return min(crossed, key=lambda h: (unrealized(world.markets[h.symbol], h), h.symbol))


def _missing(account: Account, lost: Holding, left: Decimal, *, isolated: bool) -> Decimal:
    if isolated:
        return -left
    others = any(
        h.quantity and account.margin_type_of(h.symbol) is MarginType.CROSSED
        for h in account.holdings.values()
        if h is not lost
    )
    return ZERO if others else -left


def _force(
    world: World,
    account: Account,
    holding: Holding,
    client_id: str,
    cause: FillCause,
    quantity: Decimal | None = None,
) -> Order:
    symbol, position = holding.symbol, holding.quantity
    market = world.markets[symbol]
    assert position, "nothing to close"
    assert market.last is not None, "a position in a market without a price"
    size = abs(position) if quantity is None else min(quantity, abs(position))
    forced = cause is not FillCause.ORDER
    order = Order(
        number=world.next_order(),
        client_id=client_id,
        symbol=symbol,
        side=Side.SELL if position > 0 else Side.BUY,
        kind=OrderKind.LIMIT if forced else OrderKind.MARKET,
        time_in_force=TimeInForce.IOC if forced else TimeInForce.GTC,
        quantity=size,
        price=market.last if forced else ZERO,
        reduce_only=True,
        created_ms=world.now_ms,
        updated_ms=world.now_ms,
        cause=cause,
        position_side=holding.position_side,
    )
    account.remember(order)
    tell_order(world, account, order, Execution.NEW)
    apply_fill(world, account, order, size, market.last, maker=False)
    return order
