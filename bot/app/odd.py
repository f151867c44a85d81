"""Odd input of a whole world: the account's and the market's, counted and told together.

Must not know: what was said. The market counts by kind; what of it cannot be is told to the owner
by the same alert as the account's.
"""

from typing import Final

from bot.shell.clock import wall_sleep_s
from bot.venue.market import LiveMarket
from bot.venue.odd_input import OddInput

LOOK_S: Final = 1.0  # wall
MARKET: Final = "market data"
IMPOSSIBLE_KINDS: Final = (
    "malformed_market_frame",
    "malformed_klines",
    "malformed_premium_index",
    "bar_from_the_future",
    "mark_from_the_future",
)


def input_counts(market: LiveMarket, odd: OddInput) -> tuple[int, int]:
    """What was said that cannot be, and what was merely odd, since the start."""
    merely = sum(market.oddities.counts.values()) + sum(odd.unheard.values())
    cannot_be = sum(market.oddities.counts.get(kind, 0) for kind in IMPOSSIBLE_KINDS)
    rejected = sum(count for where, count in odd.rejected.items() if where != MARKET)
    return rejected + cannot_be, merely - cannot_be


async def watch_input(market: LiveMarket, odd: OddInput) -> None:
    """Raise the owner's alert for what the market was told and cannot be; forever."""
    known: dict[str, int] = {}
    while True:
        await wall_sleep_s(LOOK_S)
        for kind in IMPOSSIBLE_KINDS:
            count = market.oddities.counts.get(kind, 0)
            if count > known.get(kind, 0):
                known[kind] = count
                odd.reject(MARKET, kind.replace("_", " "))
