"""What is to be watched now: what trades hold, what people fixed and named, and whose turn it is.

Held symbols (a trade that is not over: a question out, a card, an order, a position) are never
dropped. Fixed ones and those a running bot names are always watched; the cap binds what rotates.
Only what some bot looks at gets bars: a symbol's timeframes are those of the bots that want it.

Must not know: how anything is watched, or where rankings come from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bot.core.desk_state import Desk
from bot.core.presets import BotConfig, timeframes_of
from bot.core.universe import (
    SYMBOLS_MAX,
    Contract,
    Ranking,
    Reason,
    Rotation,
    Rules,
    SetAside,
    UniverseState,
    advance,
    is_plain,
    refresh_at_ms,
    slot_end_ms,
    slot_of,
)
from data.model import Instrument

GONE: Final = "GONE"  # our word for a contract the exchange no longer lists


class Claim(StrEnum):
    """Why a symbol is watched; the first that holds."""

    HELD = "held"
    FIXED = "fixed"
    NAMED = "named"
    TURN = "turn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """One symbol to watch. Without timeframes only its mark price is followed."""

    symbol: str
    claim: Claim
    timeframes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """What is to be watched, by symbol, what is not and why, and the rotation it follows from."""

    watches: Mapping[str, Watch]
    set_aside: tuple[SetAside, ...]
    rotation: Rotation


@dataclass(frozen=True, slots=True, kw_only=True)
class UniverseView:
    """What /universe shows. A moment of None: it does not come."""

    watches: tuple[Watch, ...]
    waiting: tuple[str, ...]  # for their turn, the next one first
    set_aside: tuple[SetAside, ...]
    ranked_ms: int  # when volumes were read; 0: never
    fault: str  # why they could not be read since
    symbols_max: int
    next_rotation_ms: int | None
    next_refresh_ms: int | None
    warming: tuple[str, ...] = ()  # watched, and not all its bars are there yet


def watching(
    state: UniverseState,
    rules: Rules,
    desk: Desk,
    instruments: Mapping[str, Instrument],
    now_ms: int,
) -> Watching:
    """What is to be watched at this moment, by what the desk holds and its bots want."""
    bots = _bots(desk)
    claims, aside = _claims(rules, desk, bots, instruments)
    followed = any(not bot.symbols for bot in bots)
    alive = (s for s in state.ranking.symbols if is_traded(s, desk, instruments))
    rotation = advance(
        state.rotation,
        candidates=alive,
        pinned=frozenset(claims),
        places=max(0, min(rules.symbols_max, SYMBOLS_MAX) - len(claims)) if followed else 0,
        slot=slot_of(now_ms, rules.slot_ms),
    )
    for symbol in rotation.turn:
        claims.setdefault(symbol, Claim.TURN)
    return Watching(
        watches={
            symbol: Watch(symbol=symbol, claim=claim, timeframes=timeframes_for(symbol, bots))
            for symbol, claim in claims.items()
        },
        set_aside=aside,
        rotation=rotation,
    )


def is_traded(symbol: str, desk: Desk, instruments: Mapping[str, Instrument]) -> bool:
    """Whether entries in a symbol are possible, by its filters and by its contract's last word."""
    known = instruments.get(symbol)
    return known is not None and known.tradable and symbol not in desk.barred


def timeframes_for(symbol: str, bots: tuple[BotConfig, ...]) -> tuple[str, ...]:
    """The timeframes of the bots that want a symbol; of all bots when none does."""
    wanting = [bot for bot in bots if not bot.symbols or symbol in bot.symbols]
    return tuple(sorted({one for bot in wanting or bots for one in timeframes_of(bot)}))


def view_of(
    found: Watching,
    ranking: Ranking,
    rules: Rules,
    retry_ms: int,
    *,
    feed: Mapping[str, str] | None = None,
    warming: tuple[str, ...] = (),
) -> UniverseView:
    """What /universe shows; `feed`: watched symbols not to be traded on, with reasons in words."""
    turns = {s for s, watch in found.watches.items() if watch.claim is Claim.TURN}
    waiting = tuple(s for s in found.rotation.queue if s not in found.watches)
    rotates = bool(waiting and turns)
    aside = [*found.set_aside, *ranking.set_aside]
    aside += [
        SetAside(symbol=symbol, reason=Reason.FEED, note=why)
        for symbol, why in (feed or {}).items()
    ]
    return UniverseView(
        watches=tuple(found.watches.values()),
        waiting=waiting,
        set_aside=tuple(aside),
        ranked_ms=ranking.ranked_ms,
        fault=ranking.fault,
        symbols_max=rules.symbols_max,
        next_rotation_ms=slot_end_ms(found.rotation.slot, rules.slot_ms) if rotates else None,
        next_refresh_ms=refresh_at_ms(ranking, rules, retry_ms) if rules.top else None,
        warming=warming,
    )


def changes_of(
    desk: Desk, before: Mapping[str, Contract], now: Mapping[str, Contract]
) -> tuple[tuple[Contract, bool], ...]:
    """What a fresh reading of all contracts changes: (contract, newly listed), by symbol.

    A contract changed when it stopped being tradable, is again, or is new; with an empty `before`
    (a start) nothing is new. One the desk has trades in, or that a bot names, counts at a start
    too. Contracts that are gone altogether say so with the status GONE.
    """
    wanted = {trade.symbol for trade in desk.working()} | set(desk.barred)
    wanted |= {symbol for bot in desk.bots.values() for symbol in bot.symbols}
    found: list[tuple[Contract, bool]] = []
    for symbol in sorted({*before, *now, *wanted}):
        fresh = now.get(symbol) or Contract(symbol=symbol, status=GONE, tradable=False)
        known = before.get(symbol)
        barred = desk.barred.get(symbol)
        if fresh.tradable:
            listed = bool(before) and known is None
            if listed or barred is not None:
                found.append((fresh, listed))
        elif barred != fresh and ((known is not None and known.tradable) or symbol in wanted):
            found.append((fresh, False))
    return tuple(found)


def _bots(desk: Desk) -> tuple[BotConfig, ...]:
    busy = {trade.bot_id for trade in desk.working()}
    return tuple(
        bot for bot in desk.bots.values() if bot.bot_id in desk.running or bot.bot_id in busy
    )


def _claims(
    rules: Rules, desk: Desk, bots: tuple[BotConfig, ...], instruments: Mapping[str, Instrument]
) -> tuple[dict[str, Claim], tuple[SetAside, ...]]:
    claims = {trade.symbol: Claim.HELD for trade in desk.working()}
    aside: list[SetAside] = []
    wanted = dict.fromkeys(rules.fixed, Claim.FIXED)
    for bot in bots:
        for symbol in bot.symbols:
            wanted.setdefault(symbol, Claim.NAMED)
    for symbol, claim in wanted.items():
        if symbol in claims:
            continue
        if not is_plain(symbol):
            aside.append(SetAside(symbol=symbol, reason=Reason.OTHER_SCRIPT))
        elif not is_traded(symbol, desk, instruments):
            aside.append(_not_traded(symbol, desk))
        elif len(claims) >= SYMBOLS_MAX:
            aside.append(SetAside(symbol=symbol, reason=Reason.NO_PLACE))
        else:
            claims[symbol] = claim
    told = {one.symbol for one in aside}
    aside += [_not_traded(s, desk) for s in desk.barred if s not in told]
    return claims, tuple(aside)


def _not_traded(symbol: str, desk: Desk) -> SetAside:
    barred = desk.barred.get(symbol)
    return SetAside(
        symbol=symbol,
        reason=Reason.NOT_TRADED,
        note=barred.status if barred is not None else "",
        moment_ms=barred.delivery_ms if barred is not None else 0,
    )
