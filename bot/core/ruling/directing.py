"""Directives at the desk: who may write them, within whose bounds, and how they bear on entries.

An owner's configuration is the outermost bound. Within it a person's directives bound the model's:
in the two modes that let the model write (`AiMode.teaches`) an update is taken field by field, none
may loosen what a person set, and it becomes a version that a person can take back. In the other two
it stays in the decision's record and changes nothing. Must not know: prompts, chat.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from bot.core.desk_draft import DAY_MS, DeskDraft
from bot.core.desk_state import Desk
from bot.core.directions import DirectivesReverted, DirectivesTold
from bot.core.directives import (
    BOUNDING,
    Bias,
    Directives,
    Versions,
    allows,
    edited,
    narrowed,
)
from bot.core.messages import Level
from bot.core.presets import BotConfig
from bot.core.trade import Check
from data.model import Action, Decision, Direction

MODEL: Final = "model"
MODEL_VERSIONS_PER_DAY_MAX: Final = 10  # so half of what a revert can reach is always people's
UPDATES_MAX: Final = 24  # of one answer; there are half as many directives
REASON_LENGTH_MAX: Final = 600


def directives_of(desk: Desk, bot_id: str) -> Directives:
    """What is in force for a bot."""
    return desk.directives.get(bot_id, Versions()).current


def directed(desk: Desk, config: BotConfig) -> BotConfig:
    """The configuration entries are judged by: the bot's own, narrowed by its directives."""
    versions = desk.directives.get(config.bot_id)
    return config if versions is None else narrowed(config, versions.current)


def check_bias(desk: Desk, bot_id: str, direction: Direction) -> tuple[Check, ...]:
    """The bias's word on a direction; nothing without a bias."""
    told = directives_of(desk, bot_id)
    if told.bias is Bias.NEUTRAL:
        return ()
    return (
        Check(
            rule="directive_bias",
            passed=allows(told, direction),
            limit=f"{told.bias.value} only",
            value=direction.value,
        ),
    )


# ----------------------------------------------------------------------------- what people say


def told(draft: DeskDraft, event: DirectivesTold) -> None:
    """Set what a person told; with a fault in any of it nothing is set."""
    if event.bot_id not in draft.desk.bots:
        return
    versions = draft.desk.directives.get(event.bot_id, Versions())
    try:
        current, owners = versions.current, versions.owners
        for field, value in event.updates:
            current, owners = edited(current, field, value), edited(owners, field, value)
    except ValueError as fault:
        _refuse(draft, event.bot_id, event.by, str(fault))
        return
    after = versions.with_next(current, set_ms=draft.now_ms, by=event.by, owners=owners)
    _enact(draft, event.bot_id, after)


def reverted(draft: DeskDraft, event: DirectivesReverted) -> None:
    """Bring a version's content back as a new version; a stale or unknown one is refused."""
    versions = draft.desk.directives.get(event.bot_id, Versions())
    content = versions.at(event.to)
    if event.bot_id not in draft.desk.bots or content is None:
        _refuse(draft, event.bot_id, event.by, f"version {event.to} is not kept")
    elif versions.number != event.undoes:
        reason = f"version {versions.number} is in force now, not {event.undoes}"
        _refuse(draft, event.bot_id, event.by, reason)
    else:
        after = versions.with_next(
            content, set_ms=draft.now_ms, by=event.by, reverts=event.to, owners=content
        )
        _enact(draft, event.bot_id, after)


# --------------------------------------------------------------------------- what the model says


def learn(draft: DeskDraft, decision: Decision) -> None:
    """Take an answer's updates as far as the bot's mode and its owner's bounds let it."""
    config = draft.desk.bots.get(decision.bot_id)
    updates = decision.directive_updates[:UPDATES_MAX]
    if config is None or not updates or decision.action is Action.ABSTAIN or decision.abstained:
        return
    if not config.ai_mode.teaches:
        draft.tell(
            "directives_ignored",
            bot=config.bot_id,
            mode=config.ai_mode.value,
            what=", ".join(name for name, _ in updates)[:REASON_LENGTH_MAX],
        )
        return
    versions = draft.desk.directives.get(config.bot_id, Versions())
    if _taught_lately(versions, draft.now_ms) >= MODEL_VERSIONS_PER_DAY_MAX:
        reason = f"it changed them {MODEL_VERSIONS_PER_DAY_MAX} times within a day"
        _refuse(draft, config.bot_id, MODEL, reason)
        return
    directives, faults = learned(config, versions, updates)
    refused = " ".join(faults)[:REASON_LENGTH_MAX]
    if directives != versions.current:
        after = versions.with_next(directives, set_ms=draft.now_ms, by=MODEL)
        _enact(draft, config.bot_id, after, refused)
    elif faults:
        _refuse(draft, config.bot_id, MODEL, refused)


def learned(
    config: BotConfig, versions: Versions, updates: Iterable[tuple[str, object]]
) -> tuple[Directives, tuple[str, ...]]:
    """The directives after a model's updates, and one sentence for each that was not taken.

    A bound is taken only as tight as the owner's or tighter; cleared, it is the owner's again.
    """
    faults: list[str] = []
    directives, least = versions.current, narrowed(config, versions.owners)
    for field, value in updates:
        try:
            wanted = edited(directives, field, value)
        except ValueError as fault:
            faults.append(str(fault))
            continue
        if field in BOUNDING and getattr(wanted, field) is None:
            owners: Any = getattr(versions.owners, field)
            wanted = replace(wanted, **{field: owners})
        if (fault_found := _loosened(field, wanted, least)) is not None:
            faults.append(fault_found)
        else:
            directives = wanted
    return directives, tuple(faults)


def _loosened(field: str, wanted: Directives, least: BotConfig) -> str | None:
    name = BOUNDING.get(field)
    value: Any = getattr(wanted, field)
    if name is None or value is None:
        return None
    bound: Any = getattr(least, name)
    at_most = field.endswith("_max")
    if (value > bound) if at_most else (value < bound):
        side = "most" if at_most else "least"
        return f"{field} is {value}; the owner allows at {side} {bound}."
    return None


def _taught_lately(versions: Versions, now_ms: int) -> int:
    return sum(v.by == MODEL and v.set_ms > now_ms - DAY_MS for v in versions.kept)


# ------------------------------------------------------------------------------------- enacting


def _enact(draft: DeskDraft, bot_id: str, after: Versions, refused: str = "") -> None:
    before, by = draft.desk.directives.get(bot_id, Versions()), after.kept[-1].by
    if after.current == before.current:
        # Nothing new to trade by; a person may still have made a model's bound their own.
        after = replace(before, owners=after.owners)
    if after != before:
        draft.set(directives={**draft.desk.directives, bot_id: after})
    if after.number == before.number:
        draft.tell("directives_same", bot=bot_id, by=by)
    else:
        version = str(after.number)
        draft.tell("directives_changed", bot=bot_id, version=version, by=by, refused=refused)


def _refuse(draft: DeskDraft, bot_id: str, by: str, reason: str) -> None:
    draft.tell("directives_refused", Level.WARNING, bot=bot_id, by=by, reason=reason)
