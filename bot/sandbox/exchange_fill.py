"""One fill of the pretend exchange: position, wallet, fee, books and the three events of a fill.

The sum of realised profit over a position's life equals exit minus entry notionals to the last
digit: each reduction books its share rounded to the smallest unit and takes exactly that share off
the position's cost, so the last one absorbs what rounding left. Must not know: why the fill
happened or what depends on the position.
"""

from decimal import Decimal

from bot.sandbox.exchange_margin import break_even, unrealized
from bot.sandbox.exchange_records import (
    AccountCause,
    AccountEvent,
    Execution,
    FillEvent,
    Income,
    IncomeKind,
    OrderEvent,
    PositionChange,
)
from bot.sandbox.exchange_state import CENT, Account, Holding, Order, World
from data.model import Fill, FillCause, MarginType, OrderStatus, Side
from data.money import ZERO

FEE_ASSET = "USDT"


def book_income(
    world: World, account: Account, kind: IncomeKind, symbol: str, amount: Decimal, trade: int = 0
) -> None:
    """Change the wallet by `amount` and write the row that explains it."""
    account.wallet += amount
    account.updated_ms = world.now_ms
    account.income.append(
        Income(
            number=world.next_income(),
            kind=kind,
            symbol=symbol,
            amount_usdt=amount,
            paid_ms=world.now_ms,
            trade=trade,
        )
    )


def position_change(world: World, account: Account, holding: Holding) -> PositionChange:
    """The position as an account event shows it."""
    return PositionChange(
        symbol=holding.symbol,
        quantity=holding.quantity,
        entry_price=holding.entry_price,
        break_even_price=break_even(world, holding),
        realized_usdt=holding.realized,
        unrealized_usdt=unrealized(world.markets[holding.symbol], holding),
        margin_type=account.margin_type_of(holding.symbol),
        isolated_wallet_usdt=holding.isolated_wallet,
        position_side=holding.position_side,
    )


def tell_account(
    world: World,
    account: Account,
    cause: AccountCause,
    symbol: str,
    holding: Holding | None = None,
) -> None:
    """Put an account event into the outbox, with the position when it is part of the news."""
    positions: tuple[PositionChange, ...] = ()
    if holding is not None:
        positions = (position_change(world, account, holding),)
    world.outbox.append(
        AccountEvent(
            account_id=account.account_id,
            at_ms=world.now_ms,
            cause=cause,
            symbol=symbol,
            wallet_usdt=account.wallet,
            cross_wallet_usdt=account.cross_wallet(),
            positions=positions,
        )
    )


def tell_order(
    world: World,
    account: Account,
    order: Order,
    execution: Execution,
    fill: Fill | None = None,
    modify_id: int | None = None,
) -> None:
    """Put an order event into the outbox."""
    world.outbox.append(
        OrderEvent(
            account_id=account.account_id,
            at_ms=world.now_ms,
            execution=execution,
            order=order.view(),
            fill=fill,
            modify_id=modify_id,
        )
    )


def apply_fill(
    world: World, account: Account, order: Order, quantity: Decimal, price: Decimal, *, maker: bool
) -> None:
    """Trade `quantity` of `order` at `price`: state first, then the events in their real order."""
    assert 0 < quantity <= order.quantity - order.filled, "a fill beyond its order"
    symbol = order.symbol
    market = world.markets[symbol]
    if market.liquidity is not None:
        market.liquidity -= quantity
    holding = account.holding(symbol, order.position_side)
    signed = quantity if order.side is Side.BUY else -quantity
    realized = _move_position(account, holding, signed, price)
    rate = world.maker_rate if maker else world.taker_rate
    fee = (quantity * price * rate).quantize(CENT)
    holding.fees = holding.fees + fee if holding.quantity else ZERO
    holding.updated_ms = world.now_ms
    fill = Fill(
        fill_id=world.next_fill(),
        symbol=symbol,
        order_id=order.client_id,
        venue_order_id=order.number,
        side=order.side,
        quantity=quantity,
        price=price,
        fee=fee,
        fee_asset=FEE_ASSET,
        realized_pnl_usdt=realized,
        filled_ms=world.now_ms,
        maker=maker,
        cause=order.cause,
        position_side=order.position_side.direction,
    )
    account.fills.append(fill)
    if realized:
        book_income(world, account, IncomeKind.REALIZED, symbol, realized, fill.fill_id)
    book_income(world, account, IncomeKind.COMMISSION, symbol, -fee, fill.fill_id)
    _advance_order(world, account, order, quantity, price)
    world.outbox.append(
        FillEvent(account_id=account.account_id, at_ms=world.now_ms, order=order.view(), fill=fill)
    )
    tell_account(world, account, AccountCause.ORDER, symbol, holding)
    forced = order.cause is not FillCause.ORDER
    tell_order(world, account, order, Execution.FORCED if forced else Execution.TRADE, fill)


def _advance_order(
    world: World, account: Account, order: Order, quantity: Decimal, price: Decimal
) -> None:
    order.filled += quantity
    order.quote += quantity * price
    order.updated_ms = world.now_ms
    if order.filled == order.quantity:
        order.status = OrderStatus.FILLED
        account.settle(order)
    else:
        order.status = OrderStatus.PARTIALLY_FILLED


def _move_position(account: Account, holding: Holding, signed: Decimal, price: Decimal) -> Decimal:
    held = holding.quantity
    realized = ZERO
    opening = signed
    if held and (held > 0) != (signed > 0):
        closing = -min(abs(held), abs(signed)) if held > 0 else min(abs(held), abs(signed))
        opening = signed - closing
        realized = _reduce(holding, closing, price)
    if opening:
        _increase(account, holding, opening, price)
    return realized


def _reduce(holding: Holding, closing: Decimal, price: Decimal) -> Decimal:
    held = holding.quantity
    paid = -closing * price  # what closing brings in, signed like the cost
    if closing == -held:
        realized = paid - holding.cost
        holding.cost = holding.entry_price = holding.isolated_wallet = ZERO
        holding.quantity = ZERO
    else:
        share = -closing / held
        realized = (paid - holding.cost * share).quantize(CENT)
        holding.cost -= paid - realized
        holding.isolated_wallet -= (holding.isolated_wallet * share).quantize(CENT)
        holding.quantity = held + closing
    holding.realized += realized
    return realized


def _increase(account: Account, holding: Holding, opening: Decimal, price: Decimal) -> None:
    holding.quantity += opening
    holding.cost += opening * price
    holding.entry_price = (holding.cost / holding.quantity).quantize(CENT)
    if account.margin_type_of(holding.symbol) is MarginType.ISOLATED:
        margin = abs(opening) * price / account.leverage_of(holding.symbol)
        holding.isolated_wallet += margin.quantize(CENT)
