"""What a card asks of its reader at each stage of its trade, and the buttons it asks with.

Must not know: what a card says, or what a button does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from bot.control.views.look import Button, Keyboard, Style, Words, mark
from bot.control.views.terms import Verb
from bot.core.trade import Phase, Trade

_BUTTONS: Final[dict[Verb, tuple[str, Style]]] = {
    Verb.APPROVE: (mark("Approve"), Style.SUCCESS),
    Verb.HALF: (mark("Half size"), Style.PLAIN),
    Verb.ANYWAY: (mark("Approve anyway"), Style.SUCCESS),
    Verb.REJECT: (mark("Reject"), Style.DANGER),
    Verb.CLOSE: (mark("Close"), Style.DANGER),
    Verb.CLOSE_SURE: (mark("Yes, close now"), Style.DANGER),
    Verb.KEEP: (mark("Keep it open"), Style.PLAIN),
    Verb.DETAILS: (mark("Details"), Style.PLAIN),
    Verb.CHART: (mark("Chart"), Style.PLAIN),
    Verb.PANIC_SURE: (mark("Yes, close everything"), Style.DANGER),
    Verb.RESUME_SURE: (mark("Yes, resume"), Style.SUCCESS),
    Verb.EDIT_SURE: (mark("Yes, change it"), Style.DANGER),
    Verb.DELETE_SURE: (mark("Yes, delete it"), Style.DANGER),
    Verb.REVERT: (mark("Revert"), Style.PLAIN),
    Verb.DISMISS: (mark("Cancel"), Style.PLAIN),
}


class Stage(StrEnum):
    """What a card asks of its reader; kept with the card."""

    OFFER = "offer"  # approve or reject
    MOVED = "moved"  # the price moved: approve anyway?
    ANSWERED = "answered"  # a tap was taken, the core decides
    OPEN = "open"  # a position that can be closed
    SURE = "sure"  # close it, really?
    OVER = "over"  # nothing to ask any more


STAGE_VERBS: Final[dict[Stage, tuple[tuple[Verb, ...], ...]]] = {
    Stage.OFFER: ((Verb.APPROVE, Verb.REJECT), (Verb.HALF, Verb.DETAILS, Verb.CHART)),
    Stage.MOVED: ((Verb.ANYWAY, Verb.REJECT), (Verb.DETAILS,)),
    Stage.ANSWERED: (),
    Stage.OPEN: ((Verb.CLOSE, Verb.DETAILS, Verb.CHART),),
    Stage.SURE: ((Verb.CLOSE_SURE, Verb.KEEP),),
    Stage.OVER: (),
}
# Who may look but not decide still wants to look closer.
LOOKING: Final = frozenset({Verb.DETAILS, Verb.CHART})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What changed between the card and the tap."""

    drift_bps: Decimal
    reward_risk_before: Decimal | None
    reward_risk_now: Decimal | None


def stage_of(trade: Trade, kept: Stage) -> Stage:
    """The stage a card should show: the trade's phase decides, the kept stage refines it."""
    if trade.phase is Phase.AWAITING_APPROVAL:
        return kept if kept in (Stage.OFFER, Stage.MOVED, Stage.ANSWERED) else Stage.OFFER
    if trade.phase in (Phase.POSITION_UNPROTECTED, Phase.POSITION_ACTIVE):
        return Stage.SURE if kept is Stage.SURE else Stage.OPEN
    return Stage.OVER


def keyboard(
    words: Words, rows: tuple[tuple[Verb, ...], ...], data: Mapping[Verb, str]
) -> Keyboard:
    """Buttons for the verbs that have data to bring back; the others are left out."""
    drawn = (
        tuple(
            Button(label=words.label(_BUTTONS[v][0]), data=data[v], style=_BUTTONS[v][1])
            for v in row
            if v in data
        )
        for row in rows
    )
    return tuple(row for row in drawn if row)
