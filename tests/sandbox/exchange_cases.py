"""Instruments and short ways to build requests, shared by the tests of the pretend exchange."""

from decimal import Decimal

from bot.sandbox.exchange import Exchange
from bot.sandbox.exchange_records import ConditionalRequest, OrderRequest, OrderView, TimeInForce
from data.model import Bracket, Instrument, OrderKind, Side
from data.money import ZERO

BTC = "BTCUSDT"
D = Decimal
START_MS = 1_746_403_200_000  # 2025-05-05 00:00 UTC


def instrument(symbol: str = BTC) -> Instrument:
    """BTCUSDT's filters with two leverage brackets."""
    return Instrument(
        symbol=symbol,
        base_asset=symbol.removesuffix("USDT"),
        quote_asset="USDT",
        tradable=True,
        tick_size=D("0.1"),
        step_size=D("0.001"),
        market_step_size=D("0.001"),
        quantity_min=D("0.001"),
        quantity_max=D(1000),
        market_quantity_max=D(120),
        notional_min=D(50),
        price_up_ratio=D("1.05"),
        price_down_ratio=D("0.95"),
        brackets=(
            Bracket(
                leverage_max=125,
                notional_floor=ZERO,
                notional_cap=D(50_000),
                maintenance_ratio=D("0.004"),
                maintenance_amount=ZERO,
            ),
            Bracket(
                leverage_max=20,
                notional_floor=D(50_000),
                notional_cap=D(1_000_000),
                maintenance_ratio=D("0.01"),
                maintenance_amount=D(300),
            ),
        ),
    )


def exchange(price: str = "10000", *symbols: str) -> Exchange:
    """An exchange with one price step taken in every symbol."""
    made = Exchange([instrument(s) for s in symbols or (BTC,)])
    for symbol in symbols or (BTC,):
        made.advance(symbol, D(price), START_MS)
    return made


def market(side: Side, quantity: str, **more: object) -> OrderRequest:
    """A MARKET request."""
    return OrderRequest(symbol=BTC, side=side, kind=OrderKind.MARKET, quantity=D(quantity), **more)


def limit(
    side: Side, quantity: str, price: str, patience: TimeInForce = TimeInForce.GTC, **more: object
) -> OrderRequest:
    """A LIMIT request."""
    return OrderRequest(
        symbol=BTC,
        side=side,
        kind=OrderKind.LIMIT,
        quantity=D(quantity),
        price=D(price),
        time_in_force=patience,
        **more,
    )


def stop(trigger: str, side: Side = Side.SELL, **more: object) -> ConditionalRequest:
    """A stop that closes the position unless a quantity is named."""
    return conditional(OrderKind.STOP_MARKET, trigger, side, **more)


def target(trigger: str, side: Side = Side.SELL, **more: object) -> ConditionalRequest:
    """A target that closes the position unless a quantity is named."""
    return conditional(OrderKind.TAKE_PROFIT_MARKET, trigger, side, **more)


def conditional(kind: OrderKind, trigger: str, side: Side, **more: object) -> ConditionalRequest:
    """Any conditional request; `close_position` is the default size."""
    more.setdefault("close_position", "quantity" not in more)
    return ConditionalRequest(symbol=BTC, side=side, kind=kind, trigger_price=D(trigger), **more)


def placed(answer: object) -> OrderView:
    """The view, failing when it was refused."""
    assert isinstance(answer, OrderView), answer
    return answer
