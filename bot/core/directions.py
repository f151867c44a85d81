"""Events by which people direct bots: what is to be traded how, and which bots there are.

Must not know: who may direct (chat asks that), or what becomes of it (`directing`, `desk`).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectivesTold:
    """A person set some of a bot's directives; the desk reads and bounds each value."""

    bot_id: str
    updates: tuple[tuple[str, str], ...]  # (directive, value as text; "" clears it)
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectivesReverted:
    """A person wants the content of version `to` back, as long as `undoes` is in force."""

    bot_id: str
    to: int
    undoes: int  # a version; another one in force meanwhile makes the wish stale
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BotRemoved:
    """A person wants a bot gone; one with a trade at work is only paused."""

    bot_id: str
    by: str
