"""Reads of the account that the core asks for: position, fills, funding, the whole of it.

Must not know: how an order is placed or what is concluded from an answer. Each read answers with
one event; anything but a usable answer is AskFailed, never a flat position or an empty list.
Source: reference sheet sections 3.4 and 8.16 (2026-11).
"""

from collections.abc import Sequence
from typing import Final, TypeVar

import structlog

from bot.core.messages import (
    AskFailed,
    Event,
    FillsListed,
    FundingListed,
    PositionSeen,
    SnapshotTaken,
)
from bot.venue.rest import RestClient
from bot.venue.wire import Request
from bot.venue.wire_answers import (
    AlgoRow,
    BalanceRow,
    IncomeRow,
    Malformed,
    OrderRow,
    PositionRow,
    TradeRow,
    algo_report,
    check_moment,
    decode,
    fill_of,
    funding_of,
    held_rows,
    order_report,
    position_of,
)
from bot.venue.wire_errors import Answer, Refused
from bot.venue.wire_requests import (
    INCOME_LIMIT,
    TRADES_LIMIT,
    IncomeKind,
    balance_request,
    income_request,
    open_algo_request,
    open_orders_request,
    positions_request,
    trades_request,
)
from data.model import Fill, Funding, OrderReport
from data.money import ZERO

log = structlog.get_logger(__name__)

WEEK_MS: Final = 7 * 86_400_000  # userTrades takes at most 7 days at once
DEPTH_MS: Final = 89 * 86_400_000  # userTrades and income go back three months
PAGES_MAX: Final = 50  # 50,000 fills of one symbol: far beyond one trade's life
CLOCK_MARGIN_MS: Final = 60_000
TRIES: Final = 2  # the core asks again by itself
WALLET_ASSET: Final = "USDT"
T = TypeVar("T")


class NoAnswer(Exception):
    """Inside this room only: a read got no usable answer; the text says why."""


class AccountReader:
    """The account as the exchange tells it, one read at a time."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest

    async def position(self, symbol: str) -> Sequence[Event]:
        """PositionSeen as of just before asking; a symbol the exchange leaves out is flat."""
        seen_ms = self._rest.clock.now_ms()
        try:
            rows = await self._fetch(positions_request(symbol), list[PositionRow])
            row = held_rows(rows).get(symbol)
            held = position_of(row) if row is not None else None
        except (NoAnswer, Malformed) as fault:
            return [AskFailed(what="position", symbol=symbol, reason=str(fault))]
        return [
            PositionSeen(
                symbol=symbol,
                quantity=held.quantity if held is not None else ZERO,
                entry_price=held.entry_price if held is not None else ZERO,
                seen_ms=seen_ms,
            )
        ]

    async def fills(self, symbol: str, since_ms: int) -> Sequence[Event]:
        """FillsListed, oldest first. The exchange keeps three months; earlier ones are gone."""
        asked_ms = self._rest.clock.now_ms()
        found: dict[int, Fill] = {}
        try:
            await self._list_fills(symbol, max(since_ms, asked_ms - DEPTH_MS), asked_ms, found)
        except (NoAnswer, Malformed) as fault:
            return [AskFailed(what="fills", symbol=symbol, reason=str(fault))]
        fills = sorted(found.values(), key=lambda fill: (fill.filled_ms, fill.fill_id))
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
        asked_ms = self._rest.clock.now_ms()
        found: dict[str, Funding] = {}
        try:
            for kind in IncomeKind:
                start_ms = max(since_ms, asked_ms - DEPTH_MS)
                end_ms = asked_ms + CLOCK_MARGIN_MS
                await self._list_income(symbol, kind, (start_ms, end_ms), found)
        except NoAnswer as fault:
            return [AskFailed(what="funding", symbol=symbol, reason=str(fault))]
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
        asked_ms = self._rest.clock.now_ms()
        try:
            algos = await self._fetch(open_algo_request(), list[AlgoRow])
            orders = await self._fetch(open_orders_request(), list[OrderRow])
            positions = await self._fetch(positions_request(), list[PositionRow])
            balances = await self._fetch(balance_request(), list[BalanceRow])
            held = tuple(position_of(row) for row in held_rows(positions).values())
            reports = _reports(orders, algos, asked_ms)
        except (NoAnswer, Malformed) as fault:
            return [AskFailed(what="snapshot", symbol="", reason=str(fault))]
        wallet = [row.balance for row in balances if row.asset == WALLET_ASSET]
        return [
            SnapshotTaken(
                asked_ms=asked_ms,
                wallet_usdt=wallet[0] if wallet else ZERO,
                positions=held,
                open_orders=reports,
            )
        ]

    async def _list_fills(
        self, symbol: str, start_ms: int, asked_ms: int, found: dict[int, Fill]
    ) -> None:
        # Within a week `limit` keeps the oldest rows: a full page goes on from its last id.
        from_id: int | None = None
        for _ in range(PAGES_MAX):
            rows = await self._fetch(
                trades_request(
                    symbol, start_ms=start_ms, end_ms=start_ms + WEEK_MS - 1, from_id=from_id
                ),
                list[TradeRow],
            )
            for row in rows:
                check_moment(row.time, now_ms=asked_ms)
            found.update({row.id: fill_of(row) for row in rows if row.symbol == symbol})
            if len(rows) >= TRADES_LIMIT:
                from_id = max(row.id for row in rows) + 1
            elif from_id is not None or start_ms + WEEK_MS > asked_ms:
                return
            else:
                start_ms += WEEK_MS
        raise NoAnswer(f"more than {PAGES_MAX} pages of fills")

    async def _list_income(
        self, symbol: str, kind: IncomeKind, span_ms: tuple[int, int], found: dict[str, Funding]
    ) -> None:
        start_ms, end_ms = span_ms
        for _ in range(PAGES_MAX):
            rows = await self._fetch(
                income_request(symbol, kind, start_ms=start_ms, end_ms=end_ms), list[IncomeRow]
            )
            for row in rows:
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

    async def _fetch(self, request: Request, kind: type[T]) -> T:
        outcome = await self._rest.read(request, tries=TRIES)
        if isinstance(outcome, Answer):
            try:
                return decode(outcome.body, kind)
            except Malformed as fault:
                raise NoAnswer(f"{request.path}: unreadable: {fault}") from fault
        if isinstance(outcome, Refused):
            raise NoAnswer(f"{request.path}: {outcome.code} {outcome.text}")
        raise NoAnswer(f"{request.path}: {outcome.reason}")


def _reports(
    orders: Sequence[OrderRow], algos: Sequence[AlgoRow], now_ms: int
) -> tuple[OrderReport, ...]:
    plain = [order_report(row, now_ms=now_ms) for row in orders]
    known = {(report.symbol, report.order_id) for report in plain}
    # One that triggered between the two reads is told once, by its child.
    conditional = [
        algo_report(row, now_ms=now_ms)
        for row in algos
        if (row.symbol, row.client_algo_id) not in known
    ]
    return (*plain, *conditional)
