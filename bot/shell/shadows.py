"""The shadow ledger at work: follows what was kept out on the bars that come, and keeps the ends.

What is open is not kept: at a start it is found again in the trades without an end, and followed
over the candles of the warm windows. Where those do not reach back, or have a hole, the end is
written down as unknown. Nothing here is on a trade's way: a bar is heard in passing, all else is
done by a task of its own, a few milliseconds at a time.

Must not know: who says no, or what becomes of the scores.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol

import structlog

from bot.core.ruling.shadowing import SHADOWED, idea_of, is_shadow, plan_followed
from bot.core.trade import Trade
from bot.shell.clock import Clock, wall_monotonic_s, wall_sleep_s
from bot.shell.hush import Hush
from bot.shell.ports import Market, Window
from bot.shell.steps import StepRecord
from data.candles import timeframe_ms
from data.model import Candle
from data.money import ZERO, plain
from data.store.errors import StoreError
from data.store.rows import ShadowRow, TradeRow
from memory.shadow import BARS_MAX, SCORED, Costs, Idea, ShadowResult
from memory.shadow_book import ShadowBook, unknown

OPEN_MAX: Final = (
    5_000  # followed at once, a few MB; what is beyond is looked for at the next start
)
PATIENCE_BARS: Final = 20  # after its last bar; then nobody brings the candles any more
SLICE_S: Final = 0.005  # how long the loop may be held
LOOK_EVERY_S: Final = 1.0  # wall; how soon a window that has become warm is noticed
ROUND_EVERY_S: Final = 600.0  # wall; how soon a symbol without candles is noticed
CENT: Final = Decimal("0.00000001")

log = structlog.get_logger(__name__)


class ShadowStore(Protocol):
    """What the ledger asks of the store."""

    async def put_shadows(self, rows: Sequence[ShadowRow]) -> None:
        """Keep ends."""

    async def unfollowed(
        self, account_id: str, outcomes: Collection[str], *, after_id: str = "", limit: int = ...
    ) -> tuple[TradeRow, ...]:
        """Trades of these outcomes without an end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    idea: Idea
    user_id: str
    quantity: Decimal


class ShadowLedger:
    """One account's shadows. `hear` and `observe` never block; `run` does the rest."""

    def __init__(
        self,
        *,
        account_id: str,
        store: ShadowStore,
        market: Market,
        clock: Clock,
        read_trade: Callable[[str], Trade],
        costs: Costs | None = None,
    ) -> None:
        self._account_id = account_id
        self._store = store
        self._market = market
        self._clock = clock
        self._read_trade = read_trade
        self._book = ShadowBook(costs or Costs())
        self._entries: dict[str, _Entry] = {}  # open ones, followed or waiting
        self._waiting: dict[str, None] = {}  # for a window that reaches back to their bar
        self._ended: list[ShadowRow] = []  # not kept yet
        self._hush = Hush()
        self._some = asyncio.Event()

    def __len__(self) -> int:
        return len(self._entries)

    def observe(self, record: StepRecord) -> None:
        """A step was kept: whatever was kept out by it is followed from now on."""
        if record.seq is None:  # its trade has no row yet: a start finds it
            return
        for trade in record.changed:
            self._follow(trade)

    def hear(self, candle: Candle) -> None:
        """A bar has closed."""
        if self._book.hear(candle):
            self._some.set()

    async def run(self) -> None:
        """Find what is open, then follow and keep until cancelled."""
        await self._load()
        while True:
            await self.settle()
            if self._waiting or self._ended:
                await wall_sleep_s(LOOK_EVERY_S)
                continue
            self._some.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(ROUND_EVERY_S):
                    await self._some.wait()

    async def settle(self) -> None:
        """One round: what bars touched, what waits, what nobody brings candles for, the ends."""
        while self._look():
            await _breathe()
        began_s = wall_monotonic_s()
        for shadow_id in list(self._waiting):
            self._take(self._entries[shadow_id])
            if wall_monotonic_s() - began_s > SLICE_S:
                await _breathe()
                began_s = wall_monotonic_s()
        self.give_up()
        await self._keep()

    def give_up(self) -> None:
        """End as unknown what should have ended long ago: its symbol is not watched any more."""
        now_ms = self._clock.now_ms()
        for entry in list(self._entries.values()):
            idea = entry.idea
            patience_ms = (BARS_MAX + PATIENCE_BARS) * timeframe_ms(idea.timeframe)
            if now_ms > idea.after_ms + patience_ms:
                self._book.drop(idea.shadow_id)
                self._end(idea.shadow_id, unknown(idea.after_ms))
        if self._ended:
            self._some.set()

    def _look(self) -> bool:
        heard = self._book.look()
        for idea, result in heard.ended:
            self._end(idea.shadow_id, result)
        for idea in heard.gapped:
            self._waiting[idea.shadow_id] = None
        return heard.more

    async def _load(self) -> None:
        after_id, outcomes = "", [outcome.value for outcome in SHADOWED]
        while page := await self._store.unfollowed(self._account_id, outcomes, after_id=after_id):
            after_id = page[-1].trade_id
            for row in page:
                self._follow(self._read_trade(row.body))
        if self._entries:
            log.info("shadows_found", open=len(self._entries))

    def _follow(self, trade: Trade) -> None:
        if not is_shadow(trade) or trade.trade_id in self._entries:
            return
        if len(self._entries) >= OPEN_MAX:
            if count := self._hush.count("full"):
                log.warning("shadow_not_followed", open=OPEN_MAX, count=count)
            return
        idea, plan = idea_of(trade), plan_followed(trade)
        if idea is None:  # no trade could have come of it
            result = unknown(trade.opened_ms)
            self._ended.append(self._row(trade.trade_id, trade.user_id, ZERO, result))
        else:
            quantity = plan.quantity if plan is not None else ZERO
            entry = _Entry(idea=idea, user_id=trade.user_id, quantity=quantity)
            self._entries[trade.trade_id] = entry
            self._waiting[trade.trade_id] = None
        self._some.set()

    def _take(self, entry: _Entry) -> None:
        idea = entry.idea
        window = self._market.window(idea.symbol, idea.timeframe)
        if window is None or not len(window.open_ms):
            return
        step_ms = timeframe_ms(idea.timeframe)
        next_ms = int(window.open_ms[-1]) + step_ms
        known_ms = self._book.next_ms(idea.symbol, idea.timeframe)
        if next_ms <= idea.after_ms or known_ms not in (None, next_ms):
            return  # The next bar brings them together.
        del self._waiting[idea.shadow_id]
        result = self._book.take(idea, candles_after(window, idea))
        if result is not None:
            self._end(idea.shadow_id, result)

    def _end(self, shadow_id: str, result: ShadowResult) -> None:
        entry = self._entries.pop(shadow_id)
        self._waiting.pop(shadow_id, None)
        self._ended.append(self._row(shadow_id, entry.user_id, entry.quantity, result))

    def _row(
        self, trade_id: str, user_id: str, quantity: Decimal, result: ShadowResult
    ) -> ShadowRow:
        scored, sized = result.end in SCORED, quantity > ZERO
        costs = self._book.costs

        def text(value: float, *, when: bool, times: Decimal = Decimal(1)) -> str | None:
            return plain((Decimal(str(value)) * times).quantize(CENT)) if when else None

        return ShadowRow(
            trade_id=trade_id,
            user_id=user_id,
            account_id=self._account_id,
            end=result.end.value,
            ended_ms=result.ended_ms,
            entry_price=text(result.entry_price, when=scored),
            exit_price=text(result.exit_price, when=scored),
            risk_multiple=text(result.risk_multiple, when=scored),
            pnl_usdt=text(result.profit_per_unit, when=scored and sized, times=quantity),
            fees_usdt=text(result.fees_per_unit, when=scored and sized, times=quantity),
            fee_bps=f"{costs.fee_bps:g}",
            slippage_bps=f"{costs.slippage_bps:g}",
        )

    async def _keep(self) -> None:
        rows = list(self._ended)
        if not rows:
            return
        try:
            await self._store.put_shadows(rows)
        except StoreError as fault:  # kept at the next look; the engine raises the alarm
            if count := self._hush.count("unkept"):
                log.warning("shadows_not_kept", reason=str(fault), count=count)
            return
        del self._ended[: len(rows)]
        log.debug("shadows_ended", count=len(rows), open=len(self._entries))


async def _breathe() -> None:
    await asyncio.sleep(0)  # noqa: TID251 - it waits for nothing, it lets others run


def candles_after(window: Window, idea: Idea) -> list[Candle]:
    """The closed bars after an idea's own, oldest first."""
    first = int(window.open_ms.searchsorted(idea.after_ms, side="right"))
    columns = (window.open_ms, window.open, window.high, window.low, window.close)
    return [
        Candle(
            symbol=idea.symbol,
            timeframe=idea.timeframe,
            open_ms=open_ms,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=0.0,  # nobody asks
        )
        for open_ms, opened, high, low, close in zip(
            *(column[first:].tolist() for column in columns), strict=True
        )
    ]
