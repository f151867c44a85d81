"""What the pretend exchange refuses of conditional orders, with the real codes and texts.

Source: the facts sheet's section 4. Must not know: how a waiting order is fired. Checks read the
state and change nothing; each gives a Refusal or None.
"""

from decimal import Decimal
from typing import Final

from bot.sandbox.exchange_records import (
    ConditionalRequest,
    PositionSide,
    PriceSource,
    Refusal,
    TimeInForce,
)
from bot.sandbox.exchange_rules import (
    CLOSE_WITH_QUANTITY,
    CLOSE_WITH_REDUCE,
    DUPLICATE_ID,
    NEEDS_POSITION,
    OPEN_CONDITIONALS_MAX,
    STOP_EXISTS,
    TOO_MANY_STOPS,
    WOULD_TRIGGER,
    check_client_id,
    check_mode,
    check_notional,
    check_price,
    check_quantity,
    reduces,
)
from bot.sandbox.exchange_state import Account, Market
from data.model import OrderKind, Side

CALLBACK_MIN: Final = Decimal("0.001")
CALLBACK_MAX: Final = Decimal("0.2")
TRIGGER_PROTECT: Final = Decimal("0.05")  # how far mark and last may part under priceProtect

BAD_CALLBACK: Final = Refusal(
    code=-1130, text="Data sent for parameter 'callbackRate' is not valid."
)
BAD_TYPE: Final = Refusal(code=-4139, text="Order type is not supported for conditional orders.")


def fires_above(kind: OrderKind, side: Side) -> bool:
    """Whether a conditional order fires at or above its trigger (else at or below)."""
    return (kind is OrderKind.STOP_MARKET) == (side is Side.BUY)


def watched_price(market: Market, source: PriceSource) -> Decimal:
    """The price a conditional order compares with its trigger."""
    if source is PriceSource.MARK:
        return market.mark
    assert market.last is not None, "a market without a price was let through"
    return market.last


def check_conditional(
    account: Account, market: Market, request: ConditionalRequest
) -> Refusal | None:
    """Every rule a conditional order must pass before it waits. No margin is checked here."""
    if request.kind not in (OrderKind.STOP_MARKET, OrderKind.TAKE_PROFIT_MARKET):
        return BAD_TYPE
    return (
        check_mode(account, request)
        or check_client_id(request.client_id)
        or _check_form(market, request)
        or _check_size(market, request)
        or _check_trigger(market, request)
        or _check_waiting(account, request)
    )


def _check_form(market: Market, request: ConditionalRequest) -> Refusal | None:
    """Whether the prices this type needs are there and lie on the grid."""
    if request.callback_rate is None:
        refusal = check_price(market, request.trigger_price)
        limit = request.price
        return check_price(market, limit) if refusal is None and limit is not None else refusal
    if request.close_position:
        return BAD_TYPE
    if not CALLBACK_MIN <= request.callback_rate <= CALLBACK_MAX:
        return BAD_CALLBACK
    start = request.activate_price
    return check_price(market, start) if start is not None else None


def _check_trigger(market: Market, request: ConditionalRequest) -> Refusal | None:
    price = watched_price(market, request.price_source)
    if request.callback_rate is None:
        above = fires_above(request.kind, request.side)
        touched = price >= request.trigger_price if above else price <= request.trigger_price
        return WOULD_TRIGGER if touched else None
    start = request.activate_price
    if start is None:
        return None
    wrong = start >= price if request.side is Side.BUY else start <= price
    return WOULD_TRIGGER if wrong else None


def _check_size(market: Market, request: ConditionalRequest) -> Refusal | None:
    if request.close_position:
        if request.price is not None:
            return BAD_TYPE
        if request.quantity is not None:
            return CLOSE_WITH_QUANTITY
        return CLOSE_WITH_REDUCE if request.reduce_only else None
    if request.quantity is None:
        return Refusal(
            code=-1102,
            text="Mandatory parameter 'quantity' was not sent, was empty/null, or malformed.",
        )
    kind = OrderKind.LIMIT if request.price is not None else request.kind
    refusal = check_quantity(market, kind, request.quantity)
    one_way = request.position_side is PositionSide.BOTH
    if refusal is not None or request.reduce_only or not one_way:
        return refusal
    price = request.price or request.trigger_price or watched_price(market, request.price_source)
    return check_notional(market, request.quantity * price)


def _check_waiting(account: Account, request: ConditionalRequest) -> Refusal | None:
    waiting = [c for book in account.open_conditionals.values() for c in book.values()]
    if any(c.client_id == request.client_id for c in waiting):
        return DUPLICATE_ID
    if len(waiting) >= OPEN_CONDITIONALS_MAX:
        return TOO_MANY_STOPS
    needs_position = request.close_position or request.time_in_force is TimeInForce.POSITION
    position = account.quantity_of(request.symbol, request.position_side)
    if needs_position and not reduces(position, request.side):
        return NEEDS_POSITION
    if request.close_position and any(
        c.close_position
        and c.symbol == request.symbol
        and c.kind is request.kind
        and c.side is request.side
        for c in waiting
    ):
        return STOP_EXISTS
    return None
