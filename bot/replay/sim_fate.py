"""What may befall a simulated world besides a bad network: drawn once, before anything happens.

Lost and old journals, hands on the exchange's own site, panic, funding, symbols whose market
orders are small or whose books are thin, readings that lag or tell half, taps without a fresh
price, bans, a full disk, a stepping clock, a silent stream, hedge mode. Must not know: the world.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from random import Random
from typing import Final

from bot.replay.sim_cast import INSTRUMENTS
from bot.sandbox.faults import PROFILES, FaultRates
from data.model import Instrument

START_MS: Final = 1_760_000_000_000
HOUR_MS: Final = 3_600_000
STALE_MS: Final = 21_000  # an old journal is older than every deadline of a bot here
DISK_FULL: Final = "disk full"
CLOCK_AHEAD_MS_MAX: Final = 900  # beyond a second the exchange refuses what it stamps
SMALL_MARKET: Final = Decimal(2)  # positions are up to about ten

WEATHERS: Final = (
    FaultRates(),
    replace(PROFILES["light"], cut_stream=0.01),
    replace(PROFILES["rough"], cut_stream=0.04),
    replace(PROFILES["storm"], cut_stream=0.08),
)


class Journal(StrEnum):
    """What a restart finds of what was written."""

    WARM = "warm"  # everything
    STALE = "stale"  # an old copy
    COLD = "cold"  # nothing


class Hand(StrEnum):
    """What somebody does on the exchange's own site."""

    CLOSE = "close"  # or the exchange itself: liquidation, deleveraging
    OPEN = "open"  # more, less, the other side, or where nothing was
    TURN = "turn"  # what is held is turned to the other side


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """One world's lot. Chances are of 1; moments in ms after the start; None: never."""

    start_ms: int = START_MS
    instruments: Mapping[str, Instrument]
    journals: tuple[Journal, ...] = (Journal.WARM,)
    kill_ms: int | None = None
    hand_ms: int | None = None
    hand: Hand = Hand.CLOSE
    panic_ms: int | None = None
    funded: bool = False
    unlisted: float = 0.0  # readings that name no instruments
    tap_without_price: float = 0.0
    thin: bool = False  # little to trade a second: market orders are filled in part
    lagging: bool = False  # readings may be up to a second old
    unseen: float = 0.0  # the conditional service does not see a young position yet
    hedged: bool = False
    uncover_ms: int | None = None  # our orders are cancelled by hand
    mute_ms: int | None = None  # the stream falls silent
    ban_ms: int | None = None
    full_ms: int | None = None
    clock_ms: int | None = None
    skew_ms: int = 0  # what the clock is wrong by from then on, until it is set again
    last_ms: int = 8_000  # how long a ban, a silence or a full disk lasts
    patience_ms: int = 12_000  # how long after healing everything is asked to close

    @property
    def is_fair(self) -> bool:
        """True when nothing here keeps a stop from being placed for long."""
        moments = (self.uncover_ms, self.mute_ms, self.ban_ms, self.full_ms, self.clock_ms)
        return not (self.thin or self.lagging or self.unseen) and set(moments) == {None}


def fate_of(seed: int) -> Fate:
    """The lot of a seed."""
    return _more(_plain(seed), seed)


def _plain(seed: int) -> Fate:
    rng = Random(f"fate {seed}")
    fate = Fate(instruments=INSTRUMENTS)
    if rng.random() < 0.5:
        return fate
    if rng.random() < 0.6:
        journals = (Journal.WARM, Journal.STALE, Journal.COLD)
        fate = replace(
            fate,
            journals=tuple(rng.choices(journals, weights=(1, 2, 2), k=4)),
            kill_ms=rng.randint(6_000, 38_000),
            unlisted=0.3 if rng.random() < 0.3 else 0.0,
        )
    if rng.random() < 0.3:
        hand = rng.choice((Hand.OPEN, Hand.TURN))
        fate = replace(fate, hand_ms=rng.randint(5_000, 35_000), hand=hand)
    if rng.random() < 0.2:
        fate = replace(fate, panic_ms=rng.randint(2_000, 30_000))
    if rng.random() < 0.3:
        hour_ms = (START_MS // HOUR_MS + 1) * HOUR_MS
        fate = replace(fate, start_ms=hour_ms - rng.randint(4_000, 38_000), funded=True)
    if rng.random() < 0.4:
        small = {
            symbol: replace(one, market_quantity_max=SMALL_MARKET)
            for symbol, one in INSTRUMENTS.items()
        }
        fate = replace(fate, instruments=small)
    if rng.random() < 0.3:
        fate = replace(fate, tap_without_price=0.3)
    return fate


def _more(fate: Fate, seed: int) -> Fate:
    """What may come besides, each for itself: in a plain world too."""
    rng = Random(f"more {seed}")

    def at_times(chance: float, latest_ms: int = 36_000) -> int | None:
        return rng.randint(3_000, latest_ms) if rng.random() < chance else None

    lagging = rng.random() < 0.12
    skew_ms = rng.randint(200, CLOCK_AHEAD_MS_MAX)
    if rng.random() < 0.5:
        skew_ms = -rng.randint(200, 9_000)
    return replace(
        fate,
        thin=rng.random() < 0.2,
        lagging=lagging,
        unseen=0.5 if rng.random() < 0.1 else 0.0,
        hedged=fate.hand_ms is None and rng.random() < 0.1,
        uncover_ms=at_times(0.12),
        mute_ms=at_times(0.12),
        ban_ms=at_times(0.1),
        full_ms=at_times(0.1),
        clock_ms=at_times(0.12),
        skew_ms=skew_ms,
        last_ms=rng.randint(3_000, 15_000),
        patience_ms=rng.choice((12_000, 12_000, 45_000)),
    )
