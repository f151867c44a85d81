"""Whose orders made what is held: the recent fills of held symbols, named by their client ids.

A position whose stop no longer rests bears no mark of ours but its fills. userTrades names an
order by number only, and allOrders tells which client id a number belongs to (a triggered
conditional order's child bears its parent's). One week is read a symbol, ending with what moved
the position last: one page each as a rule, ten units of weight.

Must not know: which fills are ours, or what is concluded. Source: reference sheet sections 2.4,
3.2 and 3.4 (2026-11).
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import structlog

from bot.venue.reads import WEEK_MS, Reads, TooMany
from bot.venue.wire import Priority
from bot.venue.wire_answers import Malformed, OrderRow
from bot.venue.wire_frames import cause_of
from bot.venue.wire_requests import all_orders_request
from data.model import Fill, Position

log = structlog.get_logger(__name__)

SYMBOLS_MAX: Final = 20  # 200 units of weight in all, of 2,400 a minute
PAGES_MAX: Final = 5  # 5,000 fills of one symbol in a week are a machine's, and not ours
MARGIN_MS: Final = 60_000  # a position may be dated a little before its last fill


async def recent_fills(reads: Reads, positions: Sequence[Position]) -> tuple[Fill, ...]:
    """The fills of the week in which each position was last changed; newest positions first.

    Raises NoAnswer when a listing got no usable answer: without it a position of ours would be
    taken for somebody else's. One that cannot be true leaves its symbol out, under an alarm.
    """
    newest: dict[str, int] = {}
    for position in positions:
        newest[position.symbol] = max(position.updated_ms, newest.get(position.symbol, 0))
    symbols = sorted(newest, key=lambda symbol: (-newest[symbol], symbol))
    if len(symbols) > SYMBOLS_MAX:
        log.warning("history_left_out", symbols=symbols[SYMBOLS_MAX:])
    listed = await asyncio.gather(
        *(_of_symbol(reads, symbol, newest[symbol]) for symbol in symbols[:SYMBOLS_MAX])
    )
    return tuple(fill for fills in listed for fill in fills)


async def _of_symbol(reads: Reads, symbol: str, moved_ms: int) -> list[Fill]:
    now_ms = reads.now_ms()
    until_ms = min(now_ms, moved_ms + MARGIN_MS) if moved_ms else now_ms
    since_ms = max(0, until_ms - WEEK_MS + 1)
    try:
        fills = await reads.list_fills(
            symbol,
            since_ms,
            until_ms=until_ms,
            pages_max=PAGES_MAX,
            priority=Priority.ACCOUNT,
        )
        request = all_orders_request(symbol, start_ms=since_ms, end_ms=until_ms)
        rows = await reads.fetch(request, list[OrderRow])
    except Malformed as fault:
        reads.reject(f"history of {symbol}", fault)
        return []
    except TooMany as fault:
        log.warning("history_too_long", symbol=symbol, reason=str(fault))
        return []
    names = {row.order_id: row.client_order_id for row in rows if row.symbol == symbol}
    return [_named(fill, names.get(fill.venue_order_id, "")) for fill in fills]


def _named(fill: Fill, order_id: str) -> Fill:
    return replace(fill, order_id=order_id, cause=cause_of(order_id))
