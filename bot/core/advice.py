"""How a bot fares with its adviser: abstentions in a row, questions skipped, a pause.

Any doubt of a model is an abstention. Three in a row say that something is wrong with it: the bot
takes no entries on its word for an hour, or until a person starts the bot again. After the hour one
question is let through; one more abstention pauses it anew. What is held is looked at all along.

Questions that were skipped (asked a moment ago, or one is under way) are nobody's doubt: they are
counted apart, and neither lengthen nor break a row. The rules adviser is nobody's model: what it
cannot answer pauses nothing. Must not know: trades, or how an answer is found.
"""

from dataclasses import dataclass, replace
from typing import Final

from data.model import Action, Decision

RULES: Final = "rules"  # the adviser without a model, as decisions name it
IN_A_ROW_MAX: Final = 3
PAUSE_MS: Final = 3_600_000
DOUBT_LENGTH_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One bot's record with its adviser. `last_doubt`: why it abstained last, in words."""

    in_a_row: int = 0
    abstained: int = 0
    skipped: int = 0
    last_doubt: str = ""
    paused_until_ms: int | None = None
    asked_ms: int = 0  # when the timer last had the bot look
    turn: int = 0  # whose turn it is among the symbols of a timer

    def is_paused(self, now_ms: int) -> bool:
        """Whether no entry is taken on the model's word now."""
        return self.paused_until_ms is not None and now_ms < self.paused_until_ms


def is_model(decision: Decision | None) -> bool:
    """Whether a model gave this answer, not the rules."""
    return decision is not None and decision.advisor != RULES


def after(advice: Advice, decision: Decision, now_ms: int) -> Advice:
    """The record after one more answer; a pause begins with the last abstention of a row."""
    if decision.skipped:
        return replace(advice, skipped=advice.skipped + 1)
    if not is_model(decision):
        return advice
    if decision.action is not Action.ABSTAIN and not decision.abstained:
        return replace(advice, in_a_row=0, paused_until_ms=None)
    in_a_row = advice.in_a_row + 1
    return replace(
        advice,
        in_a_row=in_a_row,
        abstained=advice.abstained + 1,
        last_doubt=(decision.abstained or "no reason given")[:DOUBT_LENGTH_MAX],
        paused_until_ms=now_ms + PAUSE_MS if in_a_row >= IN_A_ROW_MAX else advice.paused_until_ms,
    )


def resumed(advice: Advice) -> Advice:
    """The record after a person let the bot go on."""
    return replace(advice, in_a_row=0, paused_until_ms=None)
