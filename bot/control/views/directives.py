"""/directives: what a bot was told about how to trade, its versions, and each change as a diff.

Must not know: who may tell it; how a directive bears on a trade.
"""

from collections.abc import Mapping
from typing import Final

from bot.control.html import NOTHING, Html, bold, code, cut, folded, join, untrusted
from bot.control.views.look import Look, day_time, mark
from bot.control.views.phrases import say_again
from bot.core.desk import Desk
from bot.core.directives import (
    ALLOWED,
    Directives,
    Version,
    Versions,
    changes_between,
    edited,
    said_pairs,
)
from bot.core.presets import AiMode
from bot.core.ruling.directing import MODEL

VALUE_LENGTH_MAX: Final = 200
FAULT_LENGTH_MAX: Final = 900
VERSIONS_SHOWN: Final = 5
CLEARS: Final = "-"  # typed for nothing

MODES: Final[dict[AiMode, str]] = {
    AiMode.EXECUTOR: mark("executor: our size, the adviser cannot change directives"),
    AiMode.TACTICAL: mark("tactical: the adviser sizes, it cannot change directives"),
    AiMode.MECHANICAL: mark("mechanical: our size, the adviser may change directives"),
    AiMode.ADAPTIVE: mark("adaptive: the adviser sizes and may change directives"),
}


def directives(look: Look, desk: Desk, bot_id: str) -> Html:
    """What is in force for a bot, who said it, and the latest versions."""
    config, versions = desk.bots[bot_id], desk.directives.get(bot_id, Versions())
    set_ones = [
        join([code(name), untrusted(value, VALUE_LENGTH_MAX)], " = ")
        for name, value in said_pairs(versions.current)
    ]
    nothing = look.words.say("Nothing beyond the configuration.")
    ranges = [
        join([code(name), say_again(look.words, text)], ": ") for name, text in ALLOWED.items()
    ]
    return cut(
        join(
            [
                look.words.say(
                    "Directives of {bot}, version {number}",
                    bot=bold(bot_id),
                    number=versions.number,
                ),
                look.words.label(MODES[config.ai_mode]),
                join(set_ones) if set_ones else nothing,
                look.words.say(
                    "/directives {bot} FIELD VALUE sets one, {clears} clears it, "
                    "/directives {bot} revert NUMBER brings a version back.",
                    bot=bot_id,
                    clears=code(CLEARS),
                ),
                folded(join(ranges)),
                _history(look, versions),
            ]
        )
    )


def refusal(look: Look, before: Directives, field: str, value: str) -> Html | None:
    """What is wrong with a value, in the reader's language; None when nothing is."""
    try:
        edited(before, field, value)
    except ValueError as fault:
        why = untrusted(say_again(look.words, str(fault)), FAULT_LENGTH_MAX)
        return look.words.say("Refused: {why}", why=why)
    return None


def of_notice(look: Look, fields: Mapping[str, str], desk: Desk) -> Html:
    """A change as it is announced: who, which version, what differs; NOTHING when it is unknown."""
    versions = desk.directives.get(fields.get("bot", ""), Versions())
    version = _version(versions, fields.get("version", ""))
    if version is None:
        return NOTHING
    before = versions.at(version.number - 1) or Directives()
    lines = [
        look.words.say(
            "{field}: {before} → {after}",
            field=code(change.field),
            before=untrusted(change.before, VALUE_LENGTH_MAX),
            after=untrusted(change.after, VALUE_LENGTH_MAX),
        )
        for change in changes_between(before, version.directives)
    ]
    refused = fields.get("refused", "")
    return join(
        [
            look.words.say(
                "Directives of {bot}: version {number}, by {by}",
                bot=bold(fields["bot"]),
                number=version.number,
                by=_by(look, version.by),
            ),
            *lines,
            _not_taken(look, refused) if refused else NOTHING,
        ]
    )


def _not_taken(look: Look, refused: str) -> Html:
    why = untrusted(say_again(look.words, refused), FAULT_LENGTH_MAX)
    return look.words.say("Not taken: {why}", why=why)


def _history(look: Look, versions: Versions) -> Html:
    lines = []
    for version in reversed(versions.kept[-VERSIONS_SHOWN:]):
        before = versions.at(version.number - 1)
        names = [c.field for c in changes_between(before or Directives(), version.directives)]
        what = ", ".join(names) if before is not None else ""
        if version.reverts:
            what = look.words.label("back to {number}", number=version.reverts)
        head = join([code(version.number), day_time(version.set_ms), _by(look, version.by)], " ")
        lines.append(join([head, what], ": "))
    return join(lines)


def _by(look: Look, by: str) -> str:
    return look.words.label("the adviser") if by == MODEL else untrusted(look.name_of(by), 64)


def _version(versions: Versions, number: str) -> Version | None:
    return next((one for one in versions.kept if str(one.number) == number), None)
