"""Margin arithmetic of the pretend exchange: brackets, initial and maintenance margin, liquidation.

Source: the facts sheet's section 8.21. Must not know: orders' life cycle or who asks. Functions
read the state and change nothing.
"""

from decimal import Decimal

from bot.sandbox.exchange_records import BalanceView, PositionSide, PositionView
from bot.sandbox.exchange_state import CENT, Account, Holding, Market, World
from data.model import Bracket, Instrument, MarginType, Side
from data.money import ZERO

_ENDLESS = Decimal("1E+12")
_NO_BRACKETS = (
    Bracket(
        leverage_max=125,
        notional_floor=ZERO,
        notional_cap=_ENDLESS,
        maintenance_ratio=Decimal("0.01"),
        maintenance_amount=ZERO,
    ),
)


def brackets_of(instrument: Instrument) -> tuple[Bracket, ...]:
    """The instrument's brackets, or one generous bracket when it has none."""
    return instrument.brackets or _NO_BRACKETS


def bracket_for(instrument: Instrument, notional: Decimal) -> Bracket:
    """The bracket of an absolute notional; the last one above its cap."""
    brackets = brackets_of(instrument)
    for bracket in brackets:
        if notional <= bracket.notional_cap:
            return bracket
    return brackets[-1]


def leverage_max(instrument: Instrument) -> int:
    """The highest leverage any bracket allows."""
    return max(bracket.leverage_max for bracket in brackets_of(instrument))


def notional_max(instrument: Instrument, leverage: int) -> Decimal:
    """The largest position notional at this leverage; zero when no bracket allows it."""
    caps = [b.notional_cap for b in brackets_of(instrument) if b.leverage_max >= leverage]
    return max(caps, default=ZERO)


def maintenance(market: Market, quantity: Decimal) -> Decimal:
    """The margin below which a position of `quantity` is liquidated, at the mark price."""
    if not quantity:
        return ZERO
    notional = abs(quantity) * market.mark
    bracket = bracket_for(market.instrument, notional)
    return notional * bracket.maintenance_ratio - bracket.maintenance_amount


def unrealized(market: Market, holding: Holding) -> Decimal:
    """Profit the position would realise at the mark price, before fees."""
    return holding.quantity * market.mark - holding.cost if holding.quantity else ZERO


def open_notionals(account: Account, symbol: str) -> tuple[Decimal, Decimal]:
    """What resting orders that may open would buy and sell, in quote units."""
    bids = asks = ZERO
    for order in account.open_orders.get(symbol, {}).values():
        if order.reduce_only:
            continue
        notional = (order.quantity - order.filled) * order.price
        if order.side is Side.BUY:
            bids += notional
        else:
            asks += notional
    return bids, asks


def exposure(account: Account, market: Market, bids: Decimal, asks: Decimal) -> Decimal:
    """The larger absolute notional the position may reach through its resting orders.

    In hedge mode nothing nets: both books and all orders that may open count together.
    """
    if account.hedged:
        return size_of(account, market.instrument.symbol) * market.mark + bids + asks
    notional = account.quantity_of(market.instrument.symbol) * market.mark
    return max(abs(notional), abs(notional + bids), abs(notional - asks))


def size_of(account: Account, symbol: str) -> Decimal:
    """What is held of a symbol, without sign; hedge mode's two books together."""
    if account.hedged:
        return sum((abs(one.quantity) for one in account.held(symbol)), ZERO)
    return abs(account.quantity_of(symbol))


def symbol_margins(account: Account, market: Market) -> tuple[Decimal, Decimal]:
    """(position margin, order margin) of one symbol at its leverage."""
    symbol = market.instrument.symbol
    leverage = account.leverage_of(symbol)
    position = size_of(account, symbol) * market.mark / leverage
    if not account.open_orders.get(symbol):
        return position, ZERO
    bids, asks = open_notionals(account, symbol)
    return position, exposure(account, market, bids, asks) / leverage - position


def available(world: World, account: Account) -> Decimal:
    """USDT that may back new orders; never below zero."""
    free = account.wallet
    for holding in account.holdings.values():
        if not holding.quantity:
            continue
        symbol = holding.symbol
        market = world.markets[symbol]
        if account.margin_type_of(symbol) is MarginType.ISOLATED:
            free -= holding.isolated_wallet
        else:
            position = abs(holding.quantity) * market.mark / account.leverage_of(symbol)
            free += unrealized(market, holding) - position
    for symbol, orders in account.open_orders.items():
        if orders:
            free -= symbol_margins(account, world.markets[symbol])[1]
    return max(ZERO, free)


def cross_health(world: World, account: Account) -> tuple[Decimal, Decimal]:
    """(margin balance, maintenance) of the crossed positions together."""
    balance = account.wallet
    needed = ZERO
    for holding in account.holdings.values():
        if not holding.quantity:
            continue
        symbol = holding.symbol
        if account.margin_type_of(symbol) is MarginType.ISOLATED:
            balance -= holding.isolated_wallet
            continue
        market = world.markets[symbol]
        balance += unrealized(market, holding)
        needed += maintenance(market, holding.quantity)
    return balance, needed


def liquidation_price(world: World, account: Account, holding: Holding) -> Decimal | None:
    """The mark price that ends the position; None when no positive price does."""
    market = world.markets[holding.symbol]
    quantity = holding.quantity
    if not quantity:
        return None
    if account.margin_type_of(holding.symbol) is MarginType.ISOLATED:
        wallet = holding.isolated_wallet
    else:
        balance, needed = cross_health(world, account)
        wallet = balance - unrealized(market, holding)
        wallet -= needed - maintenance(market, quantity)
    bracket = bracket_for(market.instrument, abs(quantity) * market.mark)
    divisor = abs(quantity) * bracket.maintenance_ratio - quantity
    price = (wallet + bracket.maintenance_amount - holding.cost) / divisor
    return price if price > 0 else None


def break_even(world: World, holding: Holding) -> Decimal:
    """The exit price that pays the fees so far and the exit's own (taker)."""
    quantity = holding.quantity
    if not quantity:
        return ZERO
    sign = 1 if quantity > 0 else -1
    return ((holding.cost + holding.fees) / (quantity * (1 - sign * world.taker_rate))).quantize(
        CENT
    )


def position_view(
    world: World, account: Account, symbol: str, side: PositionSide = PositionSide.BOTH
) -> PositionView:
    """Everything about one symbol's position, also when flat."""
    holding = account.peek(symbol, side)
    market = world.markets[symbol]
    position_margin, order_margin = symbol_margins(account, market)
    bids, asks = open_notionals(account, symbol)
    return PositionView(
        symbol=symbol,
        quantity=holding.quantity,
        entry_price=holding.entry_price,
        break_even_price=break_even(world, holding),
        mark_price=market.mark,
        unrealized_usdt=unrealized(market, holding),
        notional_usdt=holding.quantity * market.mark,
        liquidation_price=liquidation_price(world, account, holding),
        leverage=account.leverage_of(symbol),
        margin_type=account.margin_type_of(symbol),
        isolated_wallet_usdt=holding.isolated_wallet,
        position_margin_usdt=position_margin,
        order_margin_usdt=order_margin,
        maintenance_usdt=maintenance(market, holding.quantity),
        bid_notional_usdt=bids,
        ask_notional_usdt=asks,
        realized_usdt=holding.realized,
        updated_ms=holding.updated_ms,
        position_side=side,
    )


def balance_view(world: World, account: Account) -> BalanceView:
    """The wallet and every total that follows from positions and orders."""
    total = cross = position_margin = order_margin = needed = ZERO
    symbols = {h.symbol for h in account.holdings.values() if h.quantity}
    symbols |= {s for s, orders in account.open_orders.items() if orders}
    for symbol in symbols:
        market = world.markets[symbol]
        books = account.held(symbol)
        profit = sum((unrealized(market, one) for one in books), ZERO)
        total += profit
        if account.margin_type_of(symbol) is MarginType.CROSSED:
            cross += profit
        of_position, of_orders = symbol_margins(account, market)
        position_margin += of_position
        order_margin += of_orders
        needed += sum((maintenance(market, one.quantity) for one in books), ZERO)
    return BalanceView(
        wallet_usdt=account.wallet,
        cross_wallet_usdt=account.cross_wallet(),
        unrealized_usdt=total,
        cross_unrealized_usdt=cross,
        position_margin_usdt=position_margin,
        order_margin_usdt=order_margin,
        maintenance_usdt=needed,
        available_usdt=available(world, account),
        updated_ms=account.updated_ms,
    )
