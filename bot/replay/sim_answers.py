"""What a simulated exchange's answers become on a bad network, and what is left to settle.

Must not know: the world.
"""

from dataclasses import dataclass, replace

from bot.core.desk_state import Desk
from bot.core.messages import (
    AskFailed,
    AskFills,
    AskOrder,
    CancelOrder,
    Event,
    FillsListed,
    OrderMissing,
    OrderUnknown,
    PlaceOrder,
    TakeSnapshot,
    VenueCommand,
)
from bot.replay.sim_cast import SYMBOLS
from bot.sandbox.exchange import Exchange


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
    held = [symbol for symbol in SYMBOLS if exchange.quantity(symbol)]
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


def as_of(answer: Event, command: VenueCommand, sent_ms: int) -> Event:
    """Answers know no more than the moment the question left; listed fills bear no client id."""
    if isinstance(answer, OrderMissing | FillsListed):
        answer = replace(answer, asked_ms=sent_ms)
    if isinstance(answer, FillsListed) and isinstance(command, AskFills):
        answer = replace(answer, fills=tuple(replace(f, order_id="") for f in answer.fills))
    return answer
