"""/shadow as a command: how far back to look, and the report over what is kept.

Must not know: how a shadow was followed, or how the report is drawn.
"""

from typing import Final

from bot.control.spoken import ARGUMENT_LENGTH_MAX, Said, World
from bot.control.views.look import DAY_MS, View
from bot.control.views.shadow import shadow
from bot.shell.shadow_report import report_of

DAYS: Final = 90
DAYS_MAX: Final = 3_650


async def shadows(world: World, said: Said) -> View:
    """What each no of the last days was worth."""
    look, desk = await world.look(said.user), world.desk_of()
    days = _days_of(said.argument)
    if days is None:
        return View(
            html=look.words.say(
                "{wanted} is no number of days; allowed is 1 to {most}.",
                wanted=said.argument[:ARGUMENT_LENGTH_MAX],
                most=DAYS_MAX,
            )
        )
    since_ms = world.clock.now_ms() - days * DAY_MS
    report = await report_of(
        world.store, desk.account_id, read_trade=world.read_trade, since_ms=since_ms
    )
    return View(html=shadow(look, report, days))


def _days_of(argument: str) -> int | None:
    if not argument:
        return DAYS
    if not (argument.isascii() and argument.isdecimal() and len(argument) < 6):
        return None
    days = int(argument)
    return days if 1 <= days <= DAYS_MAX else None
