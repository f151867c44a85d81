"""The wait for an exchange that does not answer a start, and for whichever of two comes first.

Must not know: what a world does to be prepared.
"""

import asyncio
from typing import Final

import structlog

from bot.app.worlds import World
from bot.shell.clock import wall_monotonic_s, wall_sleep_s
from bot.shell.errors import Unknown

READY_S: Final = 90.0  # for clock and contracts, then again for the account; the unit allows 240
PREPARE_AGAIN_S: Final = 2.0  # an exchange that does not answer a start is asked again

log = structlog.get_logger(__name__)


async def prepared(world: World, began_s: float, stop: asyncio.Event) -> bool:
    """Prepare the world, for READY_S while nobody answers; False: told to stop meanwhile.

    Raises Unknown when that time is over, and whatever else preparing raises.
    """
    preparing = asyncio.create_task(_prepare(world, began_s))
    try:
        await first(stop, preparing)
        if preparing.done():
            await preparing
    finally:
        preparing.cancel()
        await asyncio.gather(preparing, return_exceptions=True)
    return not stop.is_set()


async def first(stop: asyncio.Event, task: asyncio.Task[None]) -> None:
    """Wait until `stop` is set or the task is done, whichever comes first."""
    waiting = asyncio.ensure_future(stop.wait())
    await asyncio.wait({waiting, task}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def _prepare(world: World, began_s: float) -> None:
    while True:
        try:
            return await world.prepare()
        except Unknown as fault:
            if wall_monotonic_s() - began_s + PREPARE_AGAIN_S >= READY_S:
                raise
            log.warning("exchange_not_reached", reason=str(fault))
            await wall_sleep_s(PREPARE_AGAIN_S)
