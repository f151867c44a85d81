"""Lights of /status that need more than a line: how far the reading of history is.

Must not know: who asks.
"""

from typing import Protocol

from bot.control.views.status import Light
from bot.venue.filling import WarmUp


class Warming(Protocol):
    """A market that reads history."""

    def warmup(self) -> WarmUp:
        """How far it is."""


def bars_light(market: Warming) -> Light:
    """Windows ready of those watched, and the time the others will take."""
    told = market.warmup()
    left = f", about {told.eta_s:.0f} s left" if told.eta_s else ""
    return Light(name="Bars", ok=True, detail=f"{told.done} of {told.total} windows{left}")
