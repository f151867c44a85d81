"""The shadow ledger's report: what every no was worth, and whether models know what they say.

Read from the store page by page, so that however long the history is, the loop is held for a few
milliseconds at a time. Must not know: how it is shown.
"""

from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from typing import Final, Protocol

from bot.core.desk_draft import closed_trade_of
from bot.core.ruling.shadowing import SHADOWED, answered, judges_of
from bot.core.trade import Outcome, Trade
from data.money import ZERO
from data.store.rows import ScoredRow, TradeRow
from memory.calibration import Outcome as Answered
from memory.calibration import calibrations_of
from memory.scores import Miss, Report, scores_of
from memory.shadow import SCORED, ShadowEnd

PAGE: Final = 100


class ReportStore(Protocol):
    """What a report asks of the store."""

    async def count_unfollowed(self, account_id: str, outcomes: Collection[str]) -> int:
        """How many are open."""

    async def scored(
        self, account_id: str, *, since_ms: int = ..., after_id: str = "", limit: int = ...
    ) -> Sequence[ScoredRow]:
        """A page of ends with their trades."""

    async def closed_trades(
        self, account_id: str, *, after_id: str = "", limit: int = ...
    ) -> Sequence[TradeRow]:
        """A page of trades that had a position."""


async def report_of(
    store: ReportStore,
    account_id: str,
    *,
    read_trade: Callable[[str], Trade],
    since_ms: int = 0,
) -> Report:
    """The scores of shadows that ended from `since_ms` on; calibration with closed trades too."""
    misses: list[Miss] = []
    told: list[Answered | None] = []
    after_id = ""
    while page := await store.scored(account_id, since_ms=since_ms, after_id=after_id, limit=PAGE):
        after_id = page[-1].trade_id
        for row in page:
            trade, end = read_trade(row.body), ShadowEnd(row.end)
            multiple = None if row.risk_multiple is None else float(row.risk_multiple)
            misses.append(
                Miss(
                    judges=judges_of(trade) if trade.signal is not None else (),
                    end=end,
                    risk_multiple=multiple,
                    pnl_usdt=None if row.pnl_usdt is None else Decimal(row.pnl_usdt),
                )
            )
            if end in SCORED and multiple is not None:
                told.append(answered(trade, won=multiple > 0))
    told += await _of_closed(store, account_id, read_trade, since_ms)
    return Report(
        since_ms=since_ms,
        followed=await store.count_unfollowed(account_id, [one.value for one in SHADOWED]),
        ended=len(misses),
        scores=scores_of(misses),
        calibrations=calibrations_of(one for one in told if one is not None),
    )


async def _of_closed(
    store: ReportStore, account_id: str, read_trade: Callable[[str], Trade], since_ms: int
) -> list[Answered | None]:
    told: list[Answered | None] = []
    after_id = ""
    while page := await store.closed_trades(account_id, after_id=after_id, limit=PAGE):
        after_id = page[-1].trade_id
        for row in page:
            if row.outcome != Outcome.CLOSED or (row.closed_ms or 0) < since_ms:
                continue
            trade = read_trade(row.body)
            told.append(answered(trade, won=closed_trade_of(trade).pnl_usdt > ZERO))
    return told
