"""Lights of /status: what is heard of the world, and how far the reading of history is.

Must not know: who asks.
"""

from typing import Protocol

from bot.app.worlds import World
from bot.control.views.status import Light
from bot.core.desk import Desk
from bot.shell.clock import Clock
from bot.venue.filling import WarmUp


class Warming(Protocol):
    """A market that reads history."""

    def warmup(self) -> WarmUp:
        """How far it is."""


def bars_light(market: Warming) -> Light:
    """Windows ready of those watched, and the time the others will take."""
    told = market.warmup()
    ready, left_s = f"{told.done} of {told.total}", told.eta_s
    detail = f"{ready} windows, about {left_s:.0f} s left" if left_s else f"{ready} windows"
    return Light(name="Bars", ok=True, detail=detail)


def lights_of(world: World, desk: Desk, clock: Clock, adviser: str) -> list[Light]:
    """What /status shows of the connections; ages in wall seconds. `adviser`: in words."""
    moments = [mark[1] for s in world.symbols if (mark := world.market.mark_price(s)) is not None]
    age_s = (clock.now_ms() - min(moments)) / 1000 / clock.speed if moments else 0.0
    heard, wanted = len(moments), len(world.symbols)
    return [
        Light(
            name="Prices",
            ok=heard == wanted,
            detail=f"{heard} of {wanted}, oldest {max(age_s, 0):.1f} s",
        ),
        bars_light(world.market),
        Light(name="Account", ok=desk.stream_ok and desk.ready, detail=""),
        Light(name="REST", ok=True, detail=f"weight {world.weight_used} this minute"),
        Light(name="Input", ok=True, detail="{} impossible, {} odd".format(*world.input_counts)),
        Light(name="Adviser", ok=True, detail=adviser),
    ]
