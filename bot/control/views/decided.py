"""Who has already answered a card, in one line for a toast.

Must not know: where that is kept.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from bot.control.html import untrusted
from bot.control.views.look import Look, mark
from bot.core.trade import Outcome, Trade

NAME_LENGTH_MAX: Final = 40  # a toast has two hundred letters
SENTENCES: Final[dict[str, str]] = {
    "approve": mark("Already approved by {name} at {time}."),
    "half": mark("Already approved at half size by {name} at {time}."),
    "reject": mark("Already rejected by {name} at {time}."),
}


def decided(look: Look, trade: Trade, kept: Mapping[str, Any]) -> str:
    """ "Already approved by Lan at 14:03:22 UTC."; "" when nobody has answered.

    The trade's own record counts; until it is there, what the card `kept`: verb, by, at_ms.
    """
    approval = trade.approval
    if approval is not None:
        verb, who, at_ms = approval.verb, approval.user_id, approval.answered_ms
    elif "by" in kept:
        verb, who, at_ms = str(kept["verb"]), str(kept["by"]), int(kept["at_ms"])
    else:
        return ""
    time = f"{datetime.fromtimestamp(at_ms / 1_000, UTC):%H:%M:%S} UTC"
    if verb == "auto":
        return look.words.label(mark("Already approved automatically at {time}."), time=time)
    name = untrusted(look.name_of(who), NAME_LENGTH_MAX)
    if trade.outcome is Outcome.BLOCKED:
        said = mark("Already answered by {name} at {time}; a limit refused it.")
        return look.words.label(said, name=name, time=time)
    return look.words.label(SENTENCES[verb], name=name, time=time)
