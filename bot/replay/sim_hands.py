"""What somebody else does with the account on the exchange's own site.

Must not know: the desk. Orders by hand carry the site's client ids, which are not ours.
"""

from collections.abc import Iterable
from decimal import Decimal
from random import Random

from bot.replay.sim_cast import SYMBOLS
from bot.sandbox.exchange import Exchange
from bot.sandbox.exchange_records import OrderRequest, Refusal, TimeInForce
from data.model import OrderKind, Side
from data.money import ZERO


def meddle(exchange: Exchange, rng: Random, *, turn: bool, now_ms: int) -> str | None:
    """Open or turn a position by a market order; the symbol touched, None when refused."""
    held = [view for view in exchange.positions() if view.quantity]
    symbol, side = rng.choice(SYMBOLS), rng.choice((Side.BUY, Side.SELL))
    quantity = Decimal(rng.randint(100, 2_000)) / 1000
    if turn and held:
        view = rng.choice(held)
        symbol, side = view.symbol, Side.SELL if view.quantity > ZERO else Side.BUY
        quantity = 2 * abs(view.quantity)
    pieces = _pieces(exchange, symbol, quantity)
    done = [_order(exchange, symbol, side, piece, now_ms) for piece in pieces]
    return symbol if any(done) else None


def strike(exchange: Exchange, rng: Random, now_ms: int) -> None:
    """Close each position by hand, or as the exchange does: by liquidation or deleveraging."""
    for view in exchange.positions():
        if rng.random() < 0.5:
            exchange.close_by_hand(view.symbol, now_ms)
        elif rng.random() < 0.5:
            exchange.force_liquidation(view.symbol, now_ms)
        else:
            exchange.force_adl(view.symbol, now_ms)


def close_all_by_hand(exchange: Exchange, symbols: Iterable[str], now_ms: int) -> None:
    """Close whatever is held in these symbols."""
    for symbol in sorted(symbols):
        if exchange.quantity(symbol):
            exchange.close_by_hand(symbol, now_ms)


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
