"""Reads of the account that the core asks for: position, fills, funding, the whole of it.

Must not know: how an order is placed or what is concluded from an answer. Each read answers with
one event; anything but a usable answer is AskFailed, never a flat position or an empty list.
Source: reference sheet sections 3.4 and 8.16 (2026-11).
"""

from collections.abc import Callable, Sequence
from typing import Final

import structlog

from bot.core.messages import (
    AskFailed,
    Event,
    FillsListed,
    FundingListed,
    PositionSeen,
    SnapshotTaken,
)
from bot.venue.history import recent_fills
from bot.venue.reads import NoAnswer, Reads
from bot.venue.rest import RestClient
from bot.venue.wire_answers import (
    AlgoRow,
    BalanceRow,
    IncomeRow,
    Malformed,
    OrderRow,
    PositionRow,
    Row,
    Unheard,
    algo_report,
    check_moment,
    funding_of,
    meant_rows,
    order_report,
    position_of,
)
from bot.venue.wire_requests import (
    INCOME_LIMIT,
    IncomeKind,
    balance_request,
    income_request,
    open_algo_request,
    open_orders_request,
    positions_request,
)
from data.model import Direction, Funding, OrderReport, Position
from data.money import ZERO

log = structlog.get_logger(__name__)

DEPTH_MS: Final = 89 * 86_400_000  # userTrades and income go back three months
PAGES_MAX: Final = 50  # 50,000 payments of one symbol
CLOCK_MARGIN_MS: Final = 60_000
WALLET_ASSET: Final = "USDT"


class AccountReader:
    """The account as the exchange tells it, one read at a time."""

    def __init__(self, rest: RestClient) -> None:
        self._reads = Reads(rest)

    async def position(self, symbol: str) -> Sequence[Event]:
        """PositionSeen as of just before asking; a symbol the exchange leaves out is flat.

        In hedge mode it is one of each side, so that a side that is flat is told to be.
        """
        seen_ms = self._reads.now_ms()
        try:
            rows = await self._reads.fetch(positions_request(symbol), list[PositionRow])
            held = [p for p in _positions(rows, seen_ms) if p.symbol == symbol]
        except (NoAnswer, Malformed) as fault:
            return [self._failed("position", symbol, fault)]
        by_side = {position.side: position for position in held}
        sides = tuple(Direction) if any(by_side) else (None,)
        return [_seen(symbol, side, by_side.get(side), seen_ms) for side in sides]

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Event]:
        """FillsListed, oldest first. The exchange keeps three months; earlier ones are gone."""
        asked_ms = self._reads.now_ms()
        try:
            fills = await self._reads.list_fills(symbol, max(since_ms, asked_ms - DEPTH_MS))
        except (NoAnswer, Malformed) as fault:
            return [self._failed("fills", symbol, fault)]
        return [
            FillsListed(
                symbol=symbol,
                since_ms=since_ms,
                asked_ms=asked_ms,
                fills=tuple(fill for fill in fills if fill.filled_ms >= since_ms),
            )
        ]

    async def funding(self, symbol: str, since_ms: int) -> Sequence[Event]:
        """FundingListed in USDT, oldest first: funding payments and liquidation fees."""
        asked_ms = self._reads.now_ms()
        found: dict[str, Funding] = {}
        try:
            for kind in IncomeKind:
                start_ms = max(since_ms, asked_ms - DEPTH_MS)
                end_ms = asked_ms + CLOCK_MARGIN_MS
                await self._list_income(symbol, kind, (start_ms, end_ms), found)
        except (NoAnswer, Malformed) as fault:
            return [self._failed("funding", symbol, fault)]
        return [
            FundingListed(
                symbol=symbol,
                since_ms=since_ms,
                asked_ms=asked_ms,
                funding=tuple(sorted(found.values(), key=lambda f: (f.paid_ms, f.funding_id))),
            )
        ]

    async def snapshot(self) -> Sequence[Event]:
        """SnapshotTaken, all of it or AskFailed.

        The order of reading matters: a conditional order that triggers meanwhile leaves its own
        list for the plain one and then becomes a position, so it is looked for in that order.
        """
        asked_ms = self._reads.now_ms()
        try:
            algos = await self._reads.fetch(open_algo_request(), list[AlgoRow])
            orders = await self._reads.fetch(open_orders_request(), list[OrderRow])
            positions = await self._reads.fetch(positions_request(), list[PositionRow])
            balances = await self._reads.fetch(balance_request(), list[BalanceRow])
            held = tuple(p for p in _positions(positions, asked_ms) if p.quantity != ZERO)
            reports = self._reports(orders, algos, asked_ms)
            fills = await recent_fills(self._reads, held)
        except (NoAnswer, Malformed) as fault:
            return [self._failed("snapshot", "", fault)]
        wallet = [row.balance for row in balances if row.asset == WALLET_ASSET]
        return [
            SnapshotTaken(
                asked_ms=asked_ms,
                wallet_usdt=wallet[0] if wallet else ZERO,
                positions=held,
                open_orders=reports,
                recent_fills=fills,
            )
        ]

    def _reports(
        self, orders: Sequence[OrderRow], algos: Sequence[AlgoRow], now_ms: int
    ) -> tuple[OrderReport, ...]:
        plain = self._readable(order_report, orders, now_ms)
        known = {(report.symbol, report.order_id) for report in plain}
        # One that triggered between the two reads is told once, by its child.
        left = [row for row in algos if (row.symbol, row.client_algo_id) not in known]
        return (*plain, *self._readable(algo_report, left, now_ms))

    def _readable(
        self, report_of: Callable[..., OrderReport], rows: Sequence[Row], now_ms: int
    ) -> list[OrderReport]:
        # An order in a state that is new to us is left out: if it is ours, it is asked about.
        reports = []
        for row in rows:
            try:
                reports.append(report_of(row, now_ms=now_ms))
            except Unheard as fault:
                self._reads.reject("open orders", fault)
        return reports

    def _failed(self, what: str, symbol: str, fault: NoAnswer | Malformed) -> AskFailed:
        if isinstance(fault, Malformed):
            self._reads.reject(what, fault)
        return AskFailed(what=what, symbol=symbol, reason=str(fault))

    async def _list_income(
        self, symbol: str, kind: IncomeKind, span_ms: tuple[int, int], found: dict[str, Funding]
    ) -> None:
        start_ms, end_ms = span_ms
        for _ in range(PAGES_MAX):
            rows = await self._reads.fetch(
                income_request(symbol, kind, start_ms=start_ms, end_ms=end_ms), list[IncomeRow]
            )
            for row in rows:
                check_moment(row.time, now_ms=end_ms)
                if row.symbol != symbol or row.income_type != kind:
                    continue
                if row.asset == WALLET_ASSET:
                    funding = funding_of(row)
                    found[funding.funding_id] = funding
                else:
                    log.warning("income_in_other_asset", symbol=symbol, asset=row.asset)
            if len(rows) < INCOME_LIMIT:
                return
            # The last moment may have more rows than the page: read it again, ids are unique.
            start_ms = max(start_ms + 1, rows[-1].time)
        raise NoAnswer(f"more than {PAGES_MAX} pages of income")


def _positions(rows: Sequence[PositionRow], now_ms: int) -> list[Position]:
    meant = meant_rows(rows, lambda row: (row.symbol, row.position_side, row.position_amt))
    return [position_of(row, now_ms=now_ms) for row in meant]


def _seen(symbol: str, side: Direction | None, held: Position | None, seen_ms: int) -> PositionSeen:
    return PositionSeen(
        symbol=symbol,
        quantity=held.quantity if held is not None else ZERO,
        entry_price=held.entry_price if held is not None else ZERO,
        seen_ms=seen_ms,
        side=side,
    )
