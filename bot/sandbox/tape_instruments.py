"""Filters and brackets for a tape's symbols: like the real ones, or derived from the price.

Source: exchangeInfo and leverageBracket dumps of 2025 and the facts sheet's section 3.1. Must not
know: how the exchange uses them.
"""

from collections.abc import Mapping
from decimal import Decimal
from math import floor, log10
from types import MappingProxyType
from typing import Final

from data.model import Bracket, Instrument
from data.money import ZERO

# symbol: tick, step, largest limit and market quantity, smallest notional, mark multiplier +-
_KNOWN: Final[Mapping[str, tuple[str, str, str, str, str, str]]] = MappingProxyType(
    {
        "BTCUSDT": ("0.1", "0.001", "1000", "120", "50", "0.05"),
        "ETHUSDT": ("0.01", "0.001", "10000", "2000", "20", "0.05"),
        "SOLUSDT": ("0.01", "0.01", "100000", "5000", "5", "0.05"),
        "BNBUSDT": ("0.01", "0.01", "10000", "2000", "5", "0.05"),
        "XRPUSDT": ("0.0001", "0.1", "10000000", "2000000", "5", "0.05"),
        "DOGEUSDT": ("0.00001", "1", "50000000", "30000000", "5", "0.10"),
        "ADAUSDT": ("0.0001", "1", "20000000", "3000000", "5", "0.10"),
        "LINKUSDT": ("0.001", "0.01", "200000", "20000", "5", "0.10"),
    }
)
# leverage, notional cap, maintenance ratio; floors and amounts follow from the row before.
_LARGE: Final = (
    (125, 300_000, "0.004"),
    (100, 800_000, "0.005"),
    (75, 3_000_000, "0.0065"),
    (50, 12_000_000, "0.01"),
    (25, 70_000_000, "0.02"),
    (20, 100_000_000, "0.025"),
    (10, 230_000_000, "0.05"),
    (5, 480_000_000, "0.1"),
    (1, 1_800_000_000, "0.5"),
)
_SMALL: Final = (
    (75, 10_000, "0.01"),
    (50, 50_000, "0.015"),
    (25, 300_000, "0.02"),
    (20, 600_000, "0.025"),
    (10, 1_600_000, "0.05"),
    (5, 3_200_000, "0.1"),
    (1, 30_000_000, "0.5"),
)


def instruments_for(first_prices: Mapping[str, float]) -> tuple[Instrument, ...]:
    """An instrument a symbol; strangers get a tick of about five digits of their first price."""
    return tuple(instrument_of(symbol, price) for symbol, price in first_prices.items())


def instrument_of(symbol: str, price: float) -> Instrument:
    """One symbol's filters; `price` matters only for a symbol that is not known here."""
    row = _KNOWN.get(symbol) or _derived(price)
    tick, step, quantity_max, market_max, notional, band = (Decimal(text) for text in row)
    return Instrument(
        symbol=symbol,
        base_asset=symbol.removesuffix("USDT"),
        quote_asset="USDT",
        tradable=True,
        tick_size=tick,
        step_size=step,
        market_step_size=step,
        quantity_min=step,
        quantity_max=quantity_max,
        market_quantity_max=market_max,
        notional_min=notional,
        price_up_ratio=1 + band,
        price_down_ratio=1 - band,
        onboard_ms=1_569_398_400_000,
        brackets=_brackets(_LARGE if symbol in {"BTCUSDT", "ETHUSDT"} else _SMALL),
    )


def _derived(price: float) -> tuple[str, str, str, str, str, str]:
    magnitude = floor(log10(price))
    tick = Decimal(1).scaleb(max(-8, magnitude - 4))
    step = Decimal(1).scaleb(min(0, max(-3, -magnitude)))
    # Enough for ten million USDT in one limit order, a fifth of that at market.
    largest = Decimal(1).scaleb(7 - magnitude)
    return (
        format(tick, "f"),
        format(step, "f"),
        format(largest, "f"),
        format(largest / 5, "f"),
        "5",
        "0.10",
    )


def _brackets(rows: tuple[tuple[int, int, str], ...]) -> tuple[Bracket, ...]:
    made: list[Bracket] = []
    notional_floor = amount = ratio_before = ZERO
    for leverage, cap, ratio_text in rows:
        ratio = Decimal(ratio_text)
        # Keeps the maintenance margin continuous where two brackets meet.
        amount += notional_floor * (ratio - ratio_before)
        made.append(
            Bracket(
                leverage_max=leverage,
                notional_floor=notional_floor,
                notional_cap=Decimal(cap),
                maintenance_ratio=ratio,
                maintenance_amount=amount,
            )
        )
        notional_floor, ratio_before = Decimal(cap), ratio
    return tuple(made)
