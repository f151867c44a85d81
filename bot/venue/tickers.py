"""How much was traded in 24 hours, by symbol: what the universe is ranked by.

A row that cannot be read, has no sane volume or comes twice is passed over or counted once, and
counted as odd: one bad row must not cost the ranking. Rows of other markets (coin-margined,
delivery) are told as they came: who ranks knows what may be traded.

Must not know: what a ranking is. Source: reference sheet section 3 (ticker/24hr, 2026-11).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec
import structlog

from bot.shell.errors import Unknown
from bot.venue.listing import must_read
from bot.venue.rest import RestClient
from bot.venue.wire_answers import Malformed, Row, decode
from bot.venue.wire_requests import ticker_day_request
from data.money import ZERO

SYMBOL_LENGTH_MAX: Final = 40
VOLUME_MAX: Final = Decimal(10) ** 15  # USDT a day; all markets together trade a thousandth of it

log = structlog.get_logger(__name__)


class _TickerRow(Row):
    symbol: str
    quote_volume: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """Quote volume of 24 hours by symbol, and how many rows were passed over."""

    by_symbol: Mapping[str, Decimal]
    odd: int


async def load_volumes(rest: RestClient) -> Mapping[str, Decimal]:
    """Quote volume of 24 hours, by symbol. Raises TheirWord or Unknown."""
    try:
        found = volumes_of(await must_read(rest, ticker_day_request()))
    except Malformed as fault:
        raise Unknown(f"ticker/24hr is unreadable: {fault}") from fault
    if found.odd:
        log.warning("tickers_left_out", count=found.odd)
    return found.by_symbol


def volumes_of(body: bytes) -> Volumes:
    """The volumes of an answer; of a symbol told twice the larger one. Raises Malformed."""
    volumes: dict[str, Decimal] = {}
    odd = 0
    for raw in decode(body, list[msgspec.Raw]):
        try:
            row = decode(raw, _TickerRow)
        except Malformed:
            odd += 1
            continue
        volume = row.quote_volume
        sane = volume.is_finite() and ZERO <= volume <= VOLUME_MAX
        if not sane or not 0 < len(row.symbol) <= SYMBOL_LENGTH_MAX:
            odd += 1
            continue
        odd += row.symbol in volumes
        volumes[row.symbol] = max(volume, volumes.get(row.symbol, ZERO))
    return Volumes(by_symbol=volumes, odd=odd)
