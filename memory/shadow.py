"""What a signal that was not taken would have made: its stop and target on the later candles.

Inside a bar the price is assumed to go from the open to the nearer extreme, to the other, to the
close: the same rule by which the pretend exchange plays a tape. Pure; no fees (a report adds them).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from data.candles import price_path
from data.model import Candle, Direction, Signal


class ShadowEnd(StrEnum):
    """How it would have ended."""

    STOP = "stop"
    TARGET = "target"
    OPEN = "open"  # neither was reached on the candles given


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowResult:
    """The result per base unit, before fees. `ended_ms` is the open of the deciding bar."""

    end: ShadowEnd
    exit_price: Decimal
    profit_per_unit: Decimal
    ended_ms: int


def follow(signal: Signal, candles: Iterable[Candle]) -> ShadowResult | None:
    """Follow a signal over closed candles after its bar, oldest first; None without any."""
    newest: Candle | None = None
    for candle in candles:
        if candle.open_ms <= signal.bar_open_ms:
            continue
        newest = candle
        for step, price in enumerate(price_path(candle)):
            end = _reached(signal, price)
            if end is not None:
                level = signal.stop_price if end is ShadowEnd.STOP else signal.target_price
                # Between points the price passes the level itself; an open may have jumped it.
                paid = Decimal(str(price)) if step == 0 else level
                return _result(signal, end, paid, candle.open_ms)
    if newest is None:
        return None
    return _result(signal, ShadowEnd.OPEN, Decimal(str(newest.close)), newest.open_ms)


def _reached(signal: Signal, price: float) -> ShadowEnd | None:
    sign = signal.direction.sign
    if (price - float(signal.stop_price)) * sign <= 0:
        return ShadowEnd.STOP
    if (price - float(signal.target_price)) * sign >= 0:
        return ShadowEnd.TARGET
    return None


def _result(signal: Signal, end: ShadowEnd, price: Decimal, ended_ms: int) -> ShadowResult:
    gain = price - signal.entry_price
    if signal.direction is Direction.SHORT:
        gain = -gain
    return ShadowResult(end=end, exit_price=price, profit_per_unit=gain, ended_ms=ended_ms)
