"""What the pretend exchange refuses, with the real codes and texts.

Source: the facts sheet's sections 3 and 7. Must not know: how an accepted order is matched. Checks
read the state and change nothing; each gives a Refusal or None.
"""

import re
from decimal import Decimal
from typing import Final

from bot.sandbox.exchange_margin import available, exposure, notional_max, open_notionals
from bot.sandbox.exchange_records import (
    ConditionalRequest,
    OrderRequest,
    PositionSide,
    Refusal,
    TimeInForce,
)
from bot.sandbox.exchange_state import Account, Market, World
from data.model import OrderKind, Side
from data.money import is_multiple, plain

OPEN_ORDERS_MAX: Final = 200  # a symbol
OPEN_CONDITIONALS_MAX: Final = 200  # an account, all symbols
CLIENT_ID: Final = re.compile(r"[.A-Z:/a-z0-9_-]{1,36}")
PRICE_MAX: Final = Decimal(10_000_000)
GTD_LEAST_MS: Final = 600_000
GTD_END_MS: Final = 253_402_300_799_000
EXTRA_DECIMALS: Final = 1  # precision is one digit finer than the grid, as BTCUSDT's price is

BAD_SYMBOL: Final = Refusal(code=-1121, text="Invalid symbol.")
NO_DEPTH: Final = Refusal(code=-1112, text="No orders on book for symbol.")
NO_ORDER: Final = Refusal(code=-2013, text="Order does not exist.")
UNKNOWN_ORDER: Final = Refusal(code=-2011, text="Unknown order sent.")
NO_MARGIN: Final = Refusal(code=-2019, text="Margin is insufficient.")
WOULD_TRIGGER: Final = Refusal(code=-2021, text="Order would immediately trigger.")
REDUCE_ONLY: Final = Refusal(code=-2022, text="ReduceOnly Order is rejected.")
TOO_MANY_ORDERS: Final = Refusal(code=-2025, text="Reach max open order limit.")
ABOVE_LEVERAGE: Final = Refusal(
    code=-2027, text="Exceeded the maximum allowable position at current leverage."
)
BAD_PRICE: Final = Refusal(code=-4001, text="Price less than 0.")
PRICE_ABOVE_MAX: Final = Refusal(code=-4002, text="Price greater than max price.")
BAD_QUANTITY: Final = Refusal(code=-4003, text="Quantity less than or equal to zero.")
QUANTITY_BELOW_MIN: Final = Refusal(code=-4004, text="Quantity less than min quantity.")
QUANTITY_ABOVE_MAX: Final = Refusal(code=-4005, text="Quantity greater than max quantity.")
PRICE_BELOW_MIN: Final = Refusal(code=-4013, text="Price less than min price.")
OFF_TICK: Final = Refusal(code=-4014, text="Price not increased by tick size.")
NOT_OPEN: Final = Refusal(code=-4140, text="Invalid symbol status for opening position.")
BAD_CLIENT_ID: Final = Refusal(code=-4015, text="Client order id is not valid.")
BAD_GTD: Final = Refusal(
    code=-5040, text="Good till date must be more than 600 seconds away and before 9999."
)
MODE_MISMATCH: Final = Refusal(
    code=-4061, text="Order's position side does not match user's setting."
)
OFF_STEP: Final = Refusal(code=-4023, text="Quantity not increased by step size.")
BAD_LEVERAGE: Final = Refusal(code=-4028, text="Leverage {} is not valid")
TOO_MANY_STOPS: Final = Refusal(code=-4045, text="Reach max stop order limit.")
SAME_MARGIN_TYPE: Final = Refusal(code=-4046, text="No need to change margin type.")
ORDERS_BLOCK_MARGIN_TYPE: Final = Refusal(
    code=-4047, text="Margin type cannot be changed if there exists open orders."
)
POSITION_BLOCKS_MARGIN_TYPE: Final = Refusal(
    code=-4048, text="Margin type cannot be changed if there exists position."
)
DUPLICATE_ID: Final = Refusal(code=-4116, text="ClientOrderId is duplicated.")
SAME_MODE: Final = Refusal(code=-4059, text="No need to change position side.")
ORDERS_BLOCK_MODE: Final = Refusal(
    code=-4067, text="Position side cannot be changed if there exists open orders."
)
POSITION_BLOCKS_MODE: Final = Refusal(
    code=-4068, text="Position side cannot be changed if there exists position."
)
USE_ALGO: Final = Refusal(
    code=-4120,
    text="Order type not supported for this endpoint. Please use the Algo Order API endpoints"
    " instead.",
)
STOP_EXISTS: Final = Refusal(
    code=-4130,
    text="An open stop or take profit order with GTE and closePosition in the direction is"
    " existing.",
)
CLOSE_WITH_QUANTITY: Final = Refusal(
    code=-4137, text="Quantity must be zero with closePosition equals true."
)
CLOSE_WITH_REDUCE: Final = Refusal(
    code=-4138, text="Reduce only must be true with closePosition equals true."
)
ISOLATED_LEVERAGE: Final = Refusal(
    code=-4161,
    text="Leverage reduction is not supported in Isolated Margin Mode with open positions.",
)
NEEDS_POSITION: Final = Refusal(
    code=-4509,
    text="Time in Force (TIF) GTE can only be used with open positions. Please ensure that"
    " positions are available.",
)
FOK_REJECTED: Final = Refusal(
    code=-5021,
    text="Due to the order could not be filled immediately, the FOK order has been rejected.",
)
POST_ONLY_REJECTED: Final = Refusal(
    code=-5022,
    text="Due to the order could not be executed as maker, the Post Only order will be rejected.",
)


def too_precise(name: str) -> Refusal:
    """-1111 for the named parameter."""
    return Refusal(
        code=-1111, text=f"Precision is over the maximum defined for this asset. ({name})"
    )


def decimals(value: Decimal) -> int:
    """Digits behind the point that carry information."""
    text = plain(value)
    return len(text) - text.index(".") - 1 if "." in text else 0


def check_client_id(client_id: str | None) -> Refusal | None:
    """Form of a caller's id; None passes (one will be made up)."""
    if client_id is None or CLIENT_ID.fullmatch(client_id):
        return None
    return BAD_CLIENT_ID


def check_price(market: Market, price: Decimal) -> Refusal | None:
    """Sign, bounds and grid of a price."""
    tick = market.instrument.tick_size
    if price < 0:
        return BAD_PRICE
    if price > PRICE_MAX:
        return PRICE_ABOVE_MAX
    if price < tick:
        return PRICE_BELOW_MIN
    if is_multiple(price, tick):
        return None
    return too_precise("price") if decimals(price) > decimals(tick) + EXTRA_DECIMALS else OFF_TICK


def check_quantity(market: Market, kind: OrderKind, quantity: Decimal) -> Refusal | None:
    """Sign, bounds and grid of a quantity; market orders have their own maximum and step."""
    instrument = market.instrument
    limit = kind is OrderKind.LIMIT
    if quantity <= 0:
        return BAD_QUANTITY
    if quantity < instrument.quantity_min:
        return QUANTITY_BELOW_MIN
    if quantity > (instrument.quantity_max if limit else instrument.market_quantity_max):
        return QUANTITY_ABOVE_MAX
    step = instrument.step_size if limit else instrument.market_step_size
    if is_multiple(quantity, step):
        return None
    if decimals(quantity) > decimals(step) + EXTRA_DECIMALS:
        return too_precise("quantity")
    return OFF_STEP


def check_notional(market: Market, notional: Decimal) -> Refusal | None:
    """The smallest order in quote units; the caller exempts reduce-only orders."""
    least = market.instrument.notional_min
    if notional >= least:
        return None
    return Refusal(
        code=-4164,
        text=f"Order's notional must be no smaller than {plain(least)}"
        " (unless you choose reduce only).",
    )


def check_band(market: Market, side: Side, price: Decimal) -> Refusal | None:
    """A buy may not exceed the mark by too much, a sell not undercut it."""
    instrument = market.instrument
    if side is Side.BUY:
        highest = market.mark * instrument.price_up_ratio
        if price > highest:
            return Refusal(code=-4016, text=f"Limit price can't be higher than {plain(highest)}.")
        return None
    lowest = market.mark * instrument.price_down_ratio
    if price < lowest:
        return Refusal(code=-4024, text=f"Limit price can't be lower than {plain(lowest)}.")
    return None


def check_funds(
    world: World, account: Account, market: Market, side: Side, notional: Decimal
) -> Refusal | None:
    """Margin (-2019) and bracket (-2027) for `notional` more on `side`; reducing needs neither."""
    symbol = market.instrument.symbol
    leverage = account.leverage_of(symbol)
    bids, asks = open_notionals(account, symbol)
    before = exposure(account, market, bids, asks)
    if side is Side.BUY:
        after = exposure(account, market, bids + notional, asks)
    else:
        after = exposure(account, market, bids, asks + notional)
    if after <= before:
        return None
    if after > notional_max(market.instrument, leverage):
        return ABOVE_LEVERAGE
    needed = (after - before) / leverage + (after - before) * world.taker_rate
    return NO_MARGIN if needed > available(world, account) else None


def reduces(position: Decimal, side: Side) -> bool:
    """Whether an order on `side` would make the position smaller."""
    return position < 0 if side is Side.BUY else position > 0


def closes(request: OrderRequest | ConditionalRequest) -> bool:
    """Whether a request may only make a position smaller: told, or by hedge mode's own rule."""
    match request.position_side:
        case PositionSide.LONG:
            return request.side is Side.SELL
        case PositionSide.SHORT:
            return request.side is Side.BUY
    return request.reduce_only


def check_mode(account: Account, request: OrderRequest | ConditionalRequest) -> Refusal | None:
    """-4061 when the position side does not suit the account's mode."""
    both = request.position_side is PositionSide.BOTH
    return MODE_MISMATCH if both is account.hedged else None


def check_order(
    world: World, account: Account, market: Market, request: OrderRequest
) -> Refusal | None:
    """Every rule a plain order must pass before it is matched."""
    if request.kind not in (OrderKind.MARKET, OrderKind.LIMIT):
        return USE_ALGO
    refusal = (
        check_mode(account, request)
        or check_client_id(request.client_id)
        or check_quantity(market, request.kind, request.quantity)
        or _check_date(world, request)
    )
    if refusal is not None:
        return refusal
    assert market.last is not None, "a market without a price was let through"
    price = market.last
    if request.kind is OrderKind.LIMIT:
        if request.price is None:
            return Refusal(
                code=-1102,
                text="Mandatory parameter 'price' was not sent, was empty/null, or malformed.",
            )
        price = request.price
        refusal = check_price(market, price) or check_band(market, request.side, price)
        if refusal is not None:
            return refusal
    return _check_place(world, account, market, request, price)


def _check_place(
    world: World, account: Account, market: Market, request: OrderRequest, price: Decimal
) -> Refusal | None:
    symbol = request.symbol
    if (symbol, request.client_id) in account.open_clients:
        return DUPLICATE_ID
    if len(account.open_orders.get(symbol, ())) >= OPEN_ORDERS_MAX:
        return TOO_MANY_ORDERS
    if closes(request):
        return _check_closing(account, request)
    if not (
        market.instrument.tradable
        or reduces(account.quantity_of(symbol, request.position_side), request.side)
    ):
        return NOT_OPEN
    notional = price * request.quantity
    return check_notional(market, notional) or check_funds(
        world, account, market, request.side, notional
    )


def _check_closing(account: Account, request: OrderRequest) -> Refusal | None:
    position = account.quantity_of(request.symbol, request.position_side)
    if not reduces(position, request.side):
        return REDUCE_ONLY
    # One-way mode cuts a reduce-only order to the position; a hedge book refuses the excess.
    beyond = account.hedged and request.quantity > abs(position)
    return REDUCE_ONLY if beyond else None


def _check_date(world: World, request: OrderRequest) -> Refusal | None:
    if request.time_in_force is not TimeInForce.GTD:
        return None
    soonest_ms = world.now_ms + GTD_LEAST_MS
    return None if soonest_ms < request.good_till_ms < GTD_END_MS else BAD_GTD


def check_patience(market: Market, request: OrderRequest) -> Refusal | None:
    """What an order that will not wait, or will not take, refuses at once."""
    if request.kind is not OrderKind.LIMIT:
        return None
    last, price = market.last, request.price
    assert last is not None, "a market without a price was let through"
    assert price is not None, "a checked limit order without a price"
    crossing = last <= price if request.side is Side.BUY else last >= price
    if request.time_in_force is TimeInForce.POST_ONLY and crossing:
        return POST_ONLY_REJECTED
    if request.time_in_force is not TimeInForce.FOK:
        return None
    enough = market.liquidity is None or market.liquidity >= request.quantity
    return None if crossing and enough else FOK_REJECTED
