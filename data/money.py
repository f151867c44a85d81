"""Exact arithmetic for prices, quantities and money: Decimal in, Decimal out.

Must not know: what is being traded or why. Rounding is always explicit about its direction.
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
HUNDRED: Final = Decimal(100)
BPS: Final = Decimal(10_000)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Round `value` down to a multiple of `step` (both in the same unit; `step` > 0)."""
    return _to_step(value, step, ROUND_FLOOR)


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """Round `value` up to a multiple of `step` (`step` > 0)."""
    return _to_step(value, step, ROUND_CEILING)


def round_to(value: Decimal, step: Decimal) -> Decimal:
    """Round `value` to the nearest multiple of `step`, halves to even (`step` > 0)."""
    return _to_step(value, step, ROUND_HALF_EVEN)


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """Tell whether `value` lies exactly on the grid of `step` (`step` > 0)."""
    assert step > 0, f"step must be positive, not {step}"
    return value % step == 0


def percent_of(value: Decimal, percent: Decimal) -> Decimal:
    """`percent` per cent of `value`: percent_of(200, 1) is 2."""
    return value * percent / HUNDRED


def bps_between(reference: Decimal, other: Decimal) -> Decimal:
    """Distance of `other` from `reference` in basis points of it (signed, reference > 0)."""
    assert reference > 0, f"reference must be positive, not {reference}"
    return (other - reference) / reference * BPS


def plain(value: Decimal) -> str:
    """Write a Decimal without an exponent and without needless zeros: `1E+1` becomes `10`."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def _to_step(value: Decimal, step: Decimal, rounding: str) -> Decimal:
    assert step > 0, f"step must be positive, not {step}"
    return (value / step).to_integral_value(rounding=rounding) * step
