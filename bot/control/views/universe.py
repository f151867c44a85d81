"""/universe: what is watched and why, whose turn is next and when, what is set aside and why.

Must not know: how any of it was chosen.
"""

from collections.abc import Sequence
from typing import Final

from bot.control.html import NOTHING, Html, bold, code, cut, join, untrusted
from bot.control.views.look import Look, clock_time, day_time, duration, from_now, mark
from bot.control.views.phrases import say_again
from bot.core.universe import Reason, SetAside
from bot.core.watching import Claim, UniverseView

NAMES_MAX: Final = 60  # of one kind; more is said with a count
NEXT_MAX: Final = 12
ASIDE_MAX: Final = 25

CLAIMS: Final[dict[Claim, str]] = {
    Claim.HELD: mark("With a trade"),
    Claim.FIXED: mark("Fixed"),
    Claim.NAMED: mark("Named by a bot"),
    Claim.TURN: mark("In turn"),
}
REASONS: Final[dict[Reason, str]] = {
    Reason.EXCLUDED: mark("excluded by the settings"),
    Reason.YOUNG: mark("listed too recently"),
    Reason.OTHER_SCRIPT: mark("its name is in another script"),
    Reason.NO_VOLUME: mark("no volume was told"),
    Reason.NOT_TRADED: mark("not traded"),
    Reason.NO_PLACE: mark("no place left"),
    Reason.FEED: mark("its prices cannot be relied on"),
}


def universe(look: Look, view: UniverseView) -> Html:
    """The universe at a glance; long lists are cut with a count."""
    head = join(
        [bold(look.words.label("Universe")), code(look.badge), clock_time(look.now_ms)], " "
    )
    return cut(join([head, *_numbers(look, view), *_watched(look, view), *_aside(look, view)]))


def _numbers(look: Look, view: UniverseView) -> list[Html]:
    say = look.words.say
    turn = view.next_rotation_ms
    refresh = view.next_refresh_ms
    lines = [
        say(
            "Watched: <b>{count}</b> of {places} · waiting for a turn: {waiting}",
            count=len(view.watches),
            places=view.symbols_max,
            waiting=len(view.waiting),
        ),
        say("Next rotation in {span} ({moment})", span=_span(look, turn), moment=from_now(turn))
        if turn is not None
        else say("Nothing rotates: everybody who may be watched is, or no running bot follows."),
    ]
    if refresh is not None:
        lines.append(
            say(
                "Next refresh in {span} ({moment})",
                span=_span(look, refresh),
                moment=from_now(refresh),
            )
        )
    if view.ranked_ms and refresh is not None:
        lines.append(say("Volumes read {age} ago", age=duration(look.now_ms - view.ranked_ms)))
    if view.fault:
        lines.append(
            say(
                "⚠️ The newest volumes could not be used, the last good order stands: {reason}",
                reason=untrusted(say_again(look.words, view.fault), 200),
            )
        )
    return lines


def _span(look: Look, moment_ms: int) -> str:
    return duration(max(0, moment_ms - look.now_ms))


def _watched(look: Look, view: UniverseView) -> list[Html]:
    parts = []
    for claim, title in CLAIMS.items():
        names = [watch.symbol for watch in view.watches if watch.claim is claim]
        parts.append(_names(look, look.words.label(title), names, NAMES_MAX))
    parts.append(_names(look, look.words.label("Next"), view.waiting, NEXT_MAX))
    parts.append(_names(look, look.words.label("Warming up"), view.warming, NEXT_MAX))
    return parts


def _names(look: Look, title: str, names: Sequence[str], most: int) -> Html:
    if not names:
        return NOTHING
    shown = ", ".join(untrusted(name, 40) for name in names[:most])
    more = look.words.say("… and {count} more", count=len(names) - most)
    return join(
        [join([bold(f"{title} ({len(names)})"), shown], ": "), more if len(names) > most else ""],
        " ",
    )


def _aside(look: Look, view: UniverseView) -> list[Html]:
    if not view.set_aside:
        return []
    lines = [_one_aside(look, one) for one in view.set_aside[:ASIDE_MAX]]
    if len(view.set_aside) > ASIDE_MAX:
        more = len(view.set_aside) - ASIDE_MAX
        lines.append(look.words.say("… and {count} more", count=more))
    return [bold(look.words.label("Set aside")), *lines]


def _one_aside(look: Look, one: SetAside) -> Html:
    parts: list[Html | str] = [look.words.label(REASONS[one.reason])]
    if one.note:
        parts.append(untrusted(say_again(look.words, one.note), 100))
    if one.moment_ms:
        title = mark("listed") if one.reason is Reason.YOUNG else mark("delivery")
        parts.append(join([look.words.label(title), day_time(one.moment_ms)], " "))
    return join([join(["•", untrusted(one.symbol, 40)], " "), join(parts, ", ")], ": ")
