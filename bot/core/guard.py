"""How a position is guarded: the form of its stop, and the rules that move it. Pure data.

Fixed when a trade is planned, so a bot edited later does not change what is open. Must not know:
prices as they come, or orders.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from data.money import ZERO


class StopForm(StrEnum):
    """What a stop or a target tells the exchange to close."""

    CLOSE_POSITION = "close_position"  # whatever is held when it fires; one of a kind may rest
    QUANTITY = "quantity"  # so much, reduce-only; several may rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One trade's protection besides its two prices. Zero is "off"; risks: entry to first stop."""

    form: StopForm = StopForm.CLOSE_POSITION
    break_even_risks: Decimal = ZERO  # the price has gone this many risks: stop to the entry
    break_even_bps: Decimal = ZERO  # and this much beyond it, for the fees
    trail_pct: Decimal = ZERO  # the stop follows at this distance, percent of the price
    trail_offset: Decimal = ZERO  # or at this one, in price units (from the ATR at the entry)
    trail_from_risks: Decimal = ZERO  # once the price has gone this many risks
    callback_pct: Decimal = ZERO  # the exchange's own trailing stop, beside the fixed one
    callback_from_risks: Decimal = ZERO

    @property
    def moves(self) -> bool:
        """Whether any rule of ours moves the stop."""
        return bool(self.break_even_risks or self.trail_pct or self.trail_offset)


PLAIN: Final = Guard()
