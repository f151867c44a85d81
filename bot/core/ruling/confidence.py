"""How sure a model must be: the bot's least confidence, under the caution of its last results.

A model is asked for this in its prompt; here it is enforced. Both numbers are kept: what the model
said and what is left of it. Must not know: how caution is computed (`memory.caution`), or any other
limit. The rules have no confidence of their own: theirs is the score, which memory watches.
"""

from collections.abc import Iterable
from typing import Final

from bot.core.advice import is_model
from bot.core.presets import BotConfig
from bot.core.trade import Check
from data.model import ClosedTrade, Decision
from data.records import revised
from memory.caution import Caution, caution_of

PREFIX: Final = "caution:"
NO_CAUTION: Final = Caution()


def caution_for(
    config: BotConfig, decision: Decision | None, closed: Iterable[ClosedTrade]
) -> Caution:
    """What the bot's own last trades ask of this answer; nothing of the rules'."""
    if not is_model(decision):
        return NO_CAUTION
    return caution_of(trade for trade in closed if trade.bot_id == config.bot_id)


def weighed(decision: Decision, caution: Caution) -> Decision:
    """The decision with what caution leaves of its confidence beside what the model said."""
    if decision.confidence is None:
        return decision
    return revised(decision, adjusted_confidence=caution.adjusted(decision.confidence))


def check_confidence(
    config: BotConfig, decision: Decision | None, caution: Caution
) -> tuple[Check, ...]:
    """The least confidence, and each demand of caution that is in force."""
    if decision is None or decision.confidence is None:
        return ()
    told, least = decision.confidence, config.confidence_min
    checks = [_check("confidence", told >= least, f">= {least:g}", f"{told:g}")]
    why = ", ".join(caution.reasons)
    if (above := caution.demanded_above) is not None:
        passed = told > above
        text = "" if passed else f"{PREFIX}demand: > {above:g}, not {told:g} ({why})"
        checks.append(_check(f"{PREFIX}demand", passed, f"> {above:g}", f"{told:g}", text))
    if caution.points_off:
        left = caution.adjusted(told)
        passed, value = left >= least, f"{left:g} of {told:g}"
        text = "" if passed else f"{PREFIX}points: >= {least:g}, not {value} ({why})"
        checks.append(_check(f"{PREFIX}points", passed, f">= {least:g}", value, text))
    return tuple(checks)


def _check(rule: str, passed: bool, limit: str, value: str, text: str = "") -> Check:
    return Check(rule=rule, passed=bool(passed), limit=limit, value=value, text=text)
