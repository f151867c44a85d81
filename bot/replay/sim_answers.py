"""What a simulated exchange's answers become on a bad network, and what is left to settle.

Must not know: the world.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from bot.core.desk_state import Desk
from bot.core.messages import (
    AskFailed,
    AskFills,
    AskOrder,
    AskPosition,
    CancelOrder,
    Event,
    FillsListed,
    OrderMissing,
    OrderRefused,
    OrderUnknown,
    PlaceOrder,
    PositionSeen,
    SnapshotTaken,
    TakeSnapshot,
    VenueCommand,
)
from bot.sandbox.exchange import Exchange
from bot.sandbox.paper_desk import carry_out
from data.model import Fill


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request on its way to the exchange. `epoch` is the life of the process that sent it."""

    command: VenueCommand
    sent_ms: int
    epoch: int


def what_is_left(desk: Desk, exchange: Exchange) -> str:
    """What still has to come right, in words; "" when belief and exchange are at rest."""
    working = desk.working()
    if working:
        return f"working: {[f'{t.trade_id} {t.phase.value}' for t in working]}"
    held = [view.symbol for view in exchange.positions()]
    if held:
        return f"held at the exchange: {held}"
    if exchange.open_orders() or exchange.open_conditionals():
        return "orders are open at the exchange"
    if desk.foreign:
        return f"believed to be foreign: {sorted(desk.foreign)}"
    if desk.wallet_usdt != exchange.balances().wallet_usdt:
        return f"the wallet is believed to be {desk.wallet_usdt}"
    return ""


def no_answer(command: VenueCommand) -> Event:
    """What a client says when a request or its answer was lost."""
    match command:
        case PlaceOrder():
            return OrderUnknown(order_id=command.order.order_id, reason="lost")
        case CancelOrder():
            return OrderUnknown(order_id=command.order_id, reason="lost", action="cancel")
        case AskOrder():
            return OrderUnknown(order_id=command.order_id, reason="lost", action="ask")
        case TakeSnapshot():
            return AskFailed(what="snapshot", symbol="", reason="lost")
        case _:
            return AskFailed(what=type(command).__name__, symbol=command.symbol, reason="lost")


def refused(command: VenueCommand, code: int, text: str) -> Event:
    """What a client says when the exchange surely did not take a request."""
    match command:
        case PlaceOrder():
            return OrderRefused(order_id=command.order.order_id, code=code, text=text)
        case CancelOrder():
            return OrderRefused(order_id=command.order_id, code=code, text=text, action="cancel")
        case _:
            return no_answer(command)


def as_of(answer: Event, command: VenueCommand, sent_ms: int) -> Event:
    """Answers know no more than the moment the question left; listed fills bear no client id."""
    match answer:
        case OrderMissing() | SnapshotTaken():
            return replace(answer, asked_ms=sent_ms)
        case PositionSeen():
            return replace(answer, seen_ms=sent_ms)
        case FillsListed() if isinstance(command, AskFills):
            nameless = tuple(replace(f, order_id="") for f in answer.fills)
            return replace(answer, asked_ms=sent_ms, fills=nameless)
        case _:
            return answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What readings showed a moment ago: a copy of the exchange that lags behind."""

    at_ms: int
    positions: dict[str, PositionSeen]
    account: SnapshotTaken

    @classmethod
    def of(cls, exchange: Exchange, symbols: Iterable[str], now_ms: int) -> "Earlier":
        """As of now."""
        positions = {s: carry_out(exchange, AskPosition(symbol=s), now_ms) for s in symbols}
        account = carry_out(exchange, TakeSnapshot(), now_ms)
        assert isinstance(account, SnapshotTaken)
        return cls(
            at_ms=now_ms,
            positions={s: p for s, p in positions.items() if isinstance(p, PositionSeen)},
            account=account,
        )

    def instead_of(self, answer: Event) -> Event | None:
        """The answer as it would have been then; None when it is no reading that can lag."""
        match answer:
            case PositionSeen():
                return self.positions[answer.symbol]
            case FillsListed():
                return replace(answer, fills=self._known(answer.fills))
            case SnapshotTaken():
                return self.account
            case _:
                return None

    def _known(self, fills: tuple[Fill, ...]) -> tuple[Fill, ...]:
        return tuple(fill for fill in fills if fill.filled_ms <= self.at_ms)
