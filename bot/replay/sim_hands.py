"""What somebody else does with the account on the exchange's own site, or the exchange itself.

Must not know: the desk. Orders by hand carry the site's client ids, which are not ours.
"""

from collections.abc import Iterable
from decimal import Decimal
from random import Random

from bot.replay.sim_cast import SYMBOLS
from bot.replay.sim_kinds import Kind
from bot.sandbox.exchange import Exchange
from bot.sandbox.exchange_records import OrderRequest, PositionView, Refusal, TimeInForce
from data.model import OrderKind, Side
from data.money import ZERO, floor_to


def meddle(exchange: Exchange, rng: Random, *, turn: bool, now_ms: int) -> tuple[str, Kind] | None:
    """Open or turn a position by a market order; the symbol touched, None when refused."""
    held = [view for view in exchange.positions() if view.quantity]
    symbol, side = rng.choice(SYMBOLS), rng.choice((Side.BUY, Side.SELL))
    quantity = Decimal(rng.randint(100, 2_000)) / 1000
    kind = Kind.HAND_OPEN
    if turn and held:
        view = rng.choice(held)
        symbol, side = view.symbol, Side.SELL if view.quantity > ZERO else Side.BUY
        quantity = 2 * abs(view.quantity)
        kind = Kind.HAND_TURN
    pieces = _pieces(exchange, symbol, quantity)
    done = [_order(exchange, symbol, side, piece, now_ms) for piece in pieces]
    return (symbol, kind) if any(done) else None


def strike(exchange: Exchange, rng: Random, now_ms: int) -> list[Kind]:
    """Take each position, or half of it: by hand, by liquidation, deleveraging or settlement."""
    return [_strike_one(exchange, view, rng, now_ms) for view in exchange.positions()]


def _strike_one(exchange: Exchange, view: PositionView, rng: Random, now_ms: int) -> Kind:
    symbol = view.symbol
    half = floor_to(abs(view.quantity) / 2, exchange.markets[symbol].instrument.step_size)
    part = half if half and rng.random() < 0.4 else None
    chance = rng.random()
    if chance < 0.5:
        exchange.close_by_hand(symbol, now_ms, part)
        return Kind.HAND_CLOSE if part is None else Kind.HAND_CLOSE_PART
    if chance < 0.7:
        exchange.force_liquidation(symbol, now_ms)
        return Kind.LIQUIDATION
    if chance < 0.9:
        exchange.force_adl(symbol, now_ms, part)
        return Kind.ADL
    exchange.force_settlement(symbol, now_ms)
    return Kind.SETTLEMENT


def uncover(exchange: Exchange, rng: Random, now_ms: int) -> list[Kind]:
    """Cancel our orders on the site: most of what waits for a price, some of what rests."""
    waiting = [o for o in exchange.open_conditionals() if rng.random() < 0.7]
    resting = [o for o in exchange.open_orders() if rng.random() < 0.4]
    for stop in waiting:
        exchange.cancel_conditional(stop.number, now_ms)
    for order in resting:
        exchange.cancel(order.symbol, order.number, now_ms)
    return [Kind.HAND_CANCEL] * (len(waiting) + len(resting))


def close_all_by_hand(exchange: Exchange, symbols: Iterable[str], now_ms: int) -> None:
    """Close whatever is held in these symbols."""
    wanted = set(symbols)
    for view in exchange.positions():
        if view.symbol in wanted:
            exchange.close_by_hand(view.symbol, now_ms)


def _pieces(exchange: Exchange, symbol: str, quantity: Decimal) -> list[Decimal]:
    largest = exchange.markets[symbol].instrument.market_quantity_max
    pieces = [largest] * int(quantity // largest)
    return [*pieces, quantity % largest] if quantity % largest else pieces


def _order(exchange: Exchange, symbol: str, side: Side, quantity: Decimal, now_ms: int) -> bool:
    request = OrderRequest(
        symbol=symbol,
        side=side,
        kind=OrderKind.MARKET,
        quantity=quantity,
        price=None,
        time_in_force=TimeInForce.GTC,
        reduce_only=False,
        client_id=f"web_hand{now_ms}",
    )
    return not isinstance(exchange.place(request, now_ms), Refusal)
