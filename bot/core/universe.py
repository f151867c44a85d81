"""Which symbols may be watched, ranked by volume, and whose turn it is among them. Pure.

The ranking: perpetuals in USDT that may be traded, by the quote volume of 24 hours, the top N.
The rotation: a queue at a bus stop. Each slot the turn that is over goes to the back and the front
takes the places; who comes new joins at the back; nobody is let in before somebody who waits. So,
while the number of places stays, a candidate that stays gets its turn within ceil(n / places)
rotations, n being the candidates when its waiting began, whoever else comes and goes. (A slot
number alone, `candidates[slot * places % n]`, promises that only while nothing changes: with one
candidate more everybody's place jumps.) The queue is small, kept by the caller, and lost without
harm: all then wait by volume.

A slot begins in between bars, not at their end: a turn of half an hour from :05 to :35 sees the
bar that closes at :30, one from :00 to :30 would see none.

Must not know: prices, the exchange's words, who keeps the queue, what a bot wants (`watching`).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from data.model import Instrument
from data.money import ZERO

SYMBOLS_MAX: Final = 600  # watched at once, whatever is asked for: what is measured to work
SLOT_LEAD: Final = 6  # a slot begins a sixth of itself after the full hour
SHORT_SHARE: Final = 2  # an answer that names less than a half of what trades is no answer
PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


class Reason(StrEnum):
    """Why a symbol is not watched although it might be expected to be."""

    EXCLUDED = "excluded"  # by the setting
    YOUNG = "young"
    OTHER_SCRIPT = "other_script"  # how the exchange wants such a name signed is not documented
    NO_VOLUME = "no_volume"
    NOT_TRADED = "not_traded"  # delisted, halted, reduce-only, or unknown to the exchange
    NO_PLACE = "no_place"  # more is fixed and named than can be watched
    FEED = "feed"  # its prices or bars do not come as they should


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """One symbol that is left out. `moment_ms`: its delivery or its listing, 0 without one."""

    symbol: str
    reason: Reason
    note: str = ""  # in the words of whoever said so
    moment_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the universe is chosen; `top` 0: nothing rotates."""

    fixed: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    top: int = 300
    symbols_max: int = 40
    age_ms_min: int = 0  # since it was listed
    refresh_ms: int = 21_600_000
    slot_ms: int = 1_800_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What the exchange says of one contract's state. `delivery_ms` 0: none is set."""

    symbol: str
    status: str  # the exchange's word
    tradable: bool
    delivery_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """The candidates, largest volume first, and what was set aside on the way to them."""

    symbols: tuple[str, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    ranked_ms: int = 0  # when these volumes were read; 0: never
    tried_ms: int = 0  # when they were last asked for
    fault: str = ""  # why the last answer was not taken and an older ranking stands


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Who has the turn in a slot, and who waits, the next one first."""

    slot: int = -1
    turn: tuple[str, ...] = ()
    queue: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UniverseState:
    """What is worth keeping over a restart."""

    ranking: Ranking = field(default_factory=Ranking)
    rotation: Rotation = field(default_factory=Rotation)


# ------------------------------------------------------------------------------ the ranking


def ranked(
    before: Ranking,
    rules: Rules,
    instruments: Mapping[str, Instrument],
    volumes: Mapping[str, Decimal],
    now_ms: int,
) -> Ranking:
    """The ranking of these 24 h quote volumes (USDT), or the one before when they are too few.

    Volumes of symbols that are no instrument of ours, or not tradable, are passed over. Equal
    volumes rank by name. Without a ranking before, a short answer is better than none.
    """
    tradable = [i for i in instruments.values() if i.tradable]
    known = [i for i in tradable if volumes.get(i.symbol, ZERO) > ZERO]
    fault = ""
    if len(known) * SHORT_SHARE < len(tradable) or not known:
        fault = f"volumes of {len(known)} of {len(tradable)} symbols were told"
    if not known or (fault and before.symbols):
        return missed(before, fault, now_ms)
    known.sort(key=lambda one: (-volumes[one.symbol], one.symbol))
    taken: list[str] = []
    aside: list[SetAside] = []
    for one in known:
        if len(taken) >= rules.top:
            break
        refused = _refused(one, rules, now_ms)
        if refused is None:
            taken.append(one.symbol)
        else:
            aside.append(refused)
    silent = sorted({i.symbol for i in tradable} - {i.symbol for i in known})
    aside += [SetAside(symbol=symbol, reason=Reason.NO_VOLUME) for symbol in silent]
    return Ranking(
        symbols=tuple(taken),
        set_aside=tuple(aside),
        ranked_ms=now_ms,
        tried_ms=now_ms,
        fault=fault,
    )


def missed(before: Ranking, fault: str, now_ms: int) -> Ranking:
    """The ranking before stands: the volumes asked for at `now_ms` were no use."""
    return replace(before, tried_ms=now_ms, fault=fault)


def refresh_at_ms(ranking: Ranking, rules: Rules, retry_ms: int) -> int:
    """When volumes are to be read next; after a fault `retry_ms` after the last try."""
    if ranking.fault:
        return ranking.tried_ms + min(retry_ms, rules.refresh_ms)
    return ranking.ranked_ms + rules.refresh_ms if ranking.ranked_ms else 0


def _refused(one: Instrument, rules: Rules, now_ms: int) -> SetAside | None:
    if one.symbol in rules.excluded:
        return SetAside(symbol=one.symbol, reason=Reason.EXCLUDED)
    if not is_plain(one.symbol):
        return SetAside(symbol=one.symbol, reason=Reason.OTHER_SCRIPT)
    if rules.age_ms_min and now_ms - one.onboard_ms < rules.age_ms_min:
        return SetAside(symbol=one.symbol, reason=Reason.YOUNG, moment_ms=one.onboard_ms)
    return None


def is_plain(symbol: str) -> bool:
    """Whether a name is of capital Latin letters and digits only."""
    return bool(symbol) and PLAIN.issuperset(symbol)


# ----------------------------------------------------------------------------- the rotation


def slot_of(now_ms: int, slot_ms: int) -> int:
    """The slot a moment is in, counted from 1970."""
    return (now_ms - slot_ms // SLOT_LEAD) // slot_ms


def slot_end_ms(slot: int, slot_ms: int) -> int:
    """When the slot is over and the next begins."""
    return (slot + 1) * slot_ms + slot_ms // SLOT_LEAD


def advance(
    rotation: Rotation,
    *,
    candidates: Iterable[str],
    pinned: Collection[str],
    places: int,
    slot: int,
) -> Rotation:
    """The turn and the queue as they are in `slot`, with so many places for who is not pinned.

    In a new slot the old turn goes to the back; within one, places that came free are filled and
    places that went are given up from the end, back to the front of the queue. Pinned symbols are
    watched anyway: they take no place, and wait at the back.
    """
    known = dict.fromkeys(candidates)
    turn = [s for s in rotation.turn if s in known]
    queue = [s for s in rotation.queue if s in known]
    joined = {*turn, *queue}
    queue += [s for s in known if s not in joined]
    if slot != rotation.slot:
        queue, turn = queue + turn, []
    free = places - sum(1 for s in turn if s not in pinned)
    if free < 0:
        loose = [s for s in turn if s not in pinned][free:]
        queue, turn = loose + queue, [s for s in turn if s not in loose]
    waiting = [s for s in queue if s not in pinned]
    taken = waiting[: max(0, free)]
    return Rotation(
        slot=slot,
        turn=(*turn, *taken),
        queue=(*waiting[len(taken) :], *(s for s in queue if s in pinned)),
    )


def watched(*, fixed: Iterable[str], exposed: Iterable[str], symbols_max: int) -> tuple[str, ...]:
    """The symbols to watch, exposed ones first: they are never dropped, even beyond the cap."""
    held = tuple(dict.fromkeys(exposed))
    others = tuple(s for s in dict.fromkeys(fixed) if s not in held)
    return held + others[: max(0, symbols_max - len(held))]
