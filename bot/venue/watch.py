"""Is the user stream mute? What its silence is compared with, and one cheap look to be sure.

An account that does nothing is silent for days; one whose orders were just accepted is not. So
patience depends on what is going on: an order accepted without a word of the stream, open orders
or positions (which fill, and pay funding), or nothing at all. The look: every fill, funding payment
and transfer moves a wallet, so a wallet that moved while nothing was said proves a mute stream.

Must not know: orders' purposes. Patience is wall time. Source: reference sheet section 5.3.
"""

from decimal import Decimal
from typing import Final

import structlog

from bot.core.messages import Event, OrderReported, PositionSeen, SnapshotTaken, WalletSeen
from bot.shell.clock import wall_monotonic_s, wall_sleep_s
from bot.venue.rest import RestClient
from bot.venue.wire import Method
from bot.venue.wire_answers import BalanceRow, Malformed, decode
from bot.venue.wire_errors import Answer, Refused
from bot.venue.wire_frames import WALLET_ASSET
from bot.venue.wire_requests import balance_request, listen_key_request
from data.model import Direction, OrderStatus

log = structlog.get_logger(__name__)

OWED_S: Final = 10.0  # an accepted order is told within a second
BUSY_S: Final = 60.0  # open orders or positions; funding comes at the full hour
IDLE_S: Final = 600.0
GRACE_S: Final = 2.0  # the answer may overtake the frame
OPEN_MAX: Final = 2_000  # the exchange allows a few hundred
KEY_GONE_CODE: Final = -1125
OVER: Final = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED}
)


class SilenceWatch:
    """What one account is doing, as far as it bears on the stream's silence."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest
        self._open: dict[str, None] = {}
        self._held: set[tuple[str, Direction | None]] = set()
        self._wallets: dict[str, Decimal] = {}
        self._frames = 0
        self._owed_s: float | None = None
        self._next_look_s = 0.0

    @property
    def frames(self) -> int:
        """Frames heard so far; take it before an order is sent."""
        return self._frames

    @property
    def patience_s(self) -> float:
        """Wall seconds of silence that are plausible now."""
        if self._owed_s is not None:
            return OWED_S
        return BUSY_S if self._open or self._held else IDLE_S

    def heard(self) -> None:
        """The stream said something, whatever it was."""
        self._frames += 1
        self._owed_s = None

    def accepted(self, frames_before: int) -> None:
        """An order was accepted, or ended, by an answer: the stream owes a word of it."""
        if self._frames == frames_before and self._owed_s is None:
            self._owed_s = wall_monotonic_s()

    def note(self, event: Event) -> None:
        """Keep up with what is open, held and owned, whoever told it."""
        match event:
            case OrderReported(report=report):
                if report.status in OVER:
                    self._open.pop(report.order_id, None)
                elif len(self._open) < OPEN_MAX:
                    self._open[report.order_id] = None
            case PositionSeen(symbol=symbol, quantity=quantity, side=side):
                (self._held.add if quantity else self._held.discard)((symbol, side))
            case WalletSeen(wallet_usdt=wallet_usdt):
                self._wallets[WALLET_ASSET] = wallet_usdt
            case SnapshotTaken():
                self._open = {report.order_id: None for report in event.open_orders[:OPEN_MAX]}
                self._held = {(position.symbol, position.side) for position in event.positions}
                self._wallets = {WALLET_ASSET: event.wallet_usdt}
            case _:
                pass

    async def look(self, silent_s: float) -> str:
        """Why the stream must be mute after `silent_s` wall seconds; "" when it need not be."""
        now_s = wall_monotonic_s()
        if silent_s < self.patience_s:
            return ""
        if self._owed_s is not None:
            self._owed_s = None
            return "an order was accepted and nothing was said of it"
        if now_s < self._next_look_s:
            return ""
        self._next_look_s = now_s + self.patience_s
        kept = await self._rest.send(listen_key_request(Method.PUT))
        if isinstance(kept, Refused) and kept.code == KEY_GONE_CODE:
            return "the listen key is gone"
        return await self._compare()

    async def _compare(self) -> str:
        frames = self._frames
        outcome = await self._rest.read(balance_request(), tries=1)
        if not isinstance(outcome, Answer):
            return ""
        try:
            now = {row.asset: row.balance for row in decode(outcome.body, list[BalanceRow])}
        except Malformed:
            return ""
        moved = [a for a, amount in self._wallets.items() if now.get(a, amount) != amount]
        if moved:
            await wall_sleep_s(GRACE_S)
        if self._frames != frames:
            return ""  # it speaks; what it said is newer than what was read
        log.info("silent_stream_looked_at", moved=moved)
        self._wallets = now
        return f"{', '.join(moved)} moved and nothing was said of it" if moved else ""
