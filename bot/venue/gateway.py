"""Commands of the core -> requests -> events: the account at the exchange.

Must not know: why an order is wanted. A placed order has three outcomes: accepted (OrderReported),
refused (OrderRefused: surely not placed) and unknown (OrderUnknown: nobody can say). Nothing here
sends an order twice; what to do about an unknown one is the core's decision.
Source: reference sheet sections 3.2, 4 and 7 (2026-11).
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar, assert_never

import structlog

from bot.core.messages import (
    AskFills,
    AskFunding,
    AskOrder,
    AskPosition,
    CancelOrder,
    Event,
    OrderMissing,
    OrderRefused,
    OrderReported,
    OrderUnknown,
    PlaceOrder,
    SnapshotTaken,
    StreamLost,
    TakeSnapshot,
    VenueCommand,
)
from bot.core.trade import Order
from bot.shell.clock import wall_monotonic_s
from bot.shell.errors import SettingFault, Unknown
from bot.shell.ports import EventSink
from bot.venue.account import AccountReader
from bot.venue.checks import StartupCheck, startup_checks
from bot.venue.listing import load_instruments, must_read
from bot.venue.lookup import Absent, OrderLookup, Silent, unknown
from bot.venue.rest import RestClient
from bot.venue.streams import FrameHook, UserStream
from bot.venue.wire_answers import (
    AlgoCancelRow,
    AlgoRow,
    Malformed,
    OrderRow,
    PositionModeRow,
    SymbolConfigRow,
    algo_report,
    decode,
    margin_type_of,
    order_report,
)
from bot.venue.wire_errors import NOT_FOUND_CODES, Answer, ErrorClass, NotSent, Outcome, Refused
from bot.venue.wire_frames import UserNews
from bot.venue.wire_requests import (
    WorkingType,
    cancel_algo_request,
    cancel_request,
    open_algo_request,
    place_algo_request,
    place_request,
    position_mode_request,
    set_leverage_request,
    set_margin_type_request,
    symbol_config_request,
)
from data.model import Instrument, MarginType, OrderReport, OrderStatus
from data.money import ZERO

log = structlog.get_logger(__name__)

NOT_SENT_CODE: Final = 0  # the exchange said nothing: the request never left
DUPLICATE_ID_CODE: Final = -4116
DUPLICATE_STOP_CODE: Final = -4130
TRIGGERING_CODE: Final = -4117
T = TypeVar("T")

SentHook = Callable[[PlaceOrder, int], None]  # the command, wall monotonic nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """What an owner or a benchmark may choose.

    `on_sent` is called as an order's bytes are handed to the transport, `on_frame` as a frame of
    the user stream is read; both with wall monotonic nanoseconds.
    """

    working_type: WorkingType = WorkingType.MARK_PRICE
    on_sent: SentHook | None = None
    on_frame: FrameHook | None = None


class Gateway:
    """One account. `sink` gets what the user stream tells of its own accord."""

    def __init__(
        self,
        *,
        rest: RestClient,
        ws_url: str,
        dice: random.Random,
        sink: EventSink,
        options: GatewayOptions | None = None,
    ) -> None:
        self._rest = rest
        self._clock = rest.clock
        self._sink = sink
        self._options = options or GatewayOptions()
        self._reader = AccountReader(rest)
        self._lookup = OrderLookup(rest)
        self._instruments: dict[str, Instrument] = {}
        self._leverage: dict[str, int] = {}
        self._margin: dict[str, MarginType] = {}
        self.stream = UserStream(
            rest=rest,
            ws_url=ws_url,
            dice=dice,
            sink=self._pass_on,
            on_news=self._note_news,
            on_frame=self._options.on_frame,
        )

    async def prepare(self) -> dict[str, Instrument]:
        """Set the clock, check the position mode, read every symbol's settings and filters.

        Raises SettingFault in hedge mode, TheirWord or Unknown when a read is not answered.
        """
        if not await self._rest.sync_clock():
            raise Unknown("the exchange does not tell its time")
        mode = _must_decode(
            await must_read(self._rest, position_mode_request()), PositionModeRow, "positionSide"
        )
        if mode.dual_side_position:
            raise SettingFault(
                "the exchange account is in hedge mode (dualSidePosition=true); "
                "switch it to one-way mode: nothing else is supported"
            )
        await self._read_settings()
        self._instruments = await load_instruments(self._rest)
        return self._instruments

    async def startup_checks(self) -> tuple[StartupCheck, ...]:
        """What `python -m bot check` says of this account, worst news included; never raises."""
        return await startup_checks(self._rest)

    async def run(self) -> None:
        """Keep the user stream; forever. Ends only by cancellation."""
        await self.stream.run()

    async def ready(self, timeout_s: float) -> bool:
        """Wait in wall time until the user stream runs; False when it does not by then."""
        return await self.stream.ready(timeout_s)

    async def perform(self, command: VenueCommand) -> Sequence[Event]:
        """Carry one command out, once, and say what came of it."""
        match command:
            case PlaceOrder():
                return await self._place(command)
            case CancelOrder():
                return await self._cancel(command)
            case AskOrder():
                return await self._lookup.ask(command)
            case AskPosition(symbol=symbol):
                return await self._reader.position(symbol)
            case AskFills(symbol=symbol, since_ms=since_ms):
                return await self._reader.fills(symbol, since_ms)
            case AskFunding(symbol=symbol, since_ms=since_ms):
                return await self._reader.funding(symbol, since_ms)
            case TakeSnapshot():
                return [self._with_filters(event) for event in await self._reader.snapshot()]
            case _:
                assert_never(command)

    def _with_filters(self, event: Event) -> Event:
        # A position found without a record is adopted only with its symbol's filters.
        if not isinstance(event, SnapshotTaken):
            return event
        named = {p.symbol for p in event.positions} | {r.symbol for r in event.open_orders}
        known = (self._instruments.get(symbol) for symbol in sorted(named))
        return replace(event, instruments=tuple(one for one in known if one is not None))

    # ------------------------------------------------------------------------------- placing

    async def _place(self, command: PlaceOrder) -> Sequence[Event]:
        refusal = await self._make_settings(command)
        if refusal is not None:
            return [refusal]
        order = command.order
        if order.conditional:
            request = place_algo_request(order, self._options.working_type)
        else:
            request = place_request(order)
        outcome = await self._rest.send(request, on_sent=self._sent_hook(command))
        match outcome:
            case Answer():
                return [self._accepted(order, outcome)]
            case Refused():
                return await self._sort_refusal(order, outcome)
            case NotSent(reason=reason):
                return [self._refused(order.order_id, NOT_SENT_CODE, f"not sent: {reason}")]
            case _:
                return [OrderUnknown(order_id=order.order_id, reason=outcome.reason)]

    def _accepted(self, order: Order, answer: Answer) -> Event:
        try:
            report = self._report_of(answer.body, conditional=order.conditional)
        except Malformed as fault:
            return OrderUnknown(order_id=order.order_id, reason=f"unreadable answer: {fault}")
        if report.order_id != order.order_id:
            return OrderUnknown(
                order_id=order.order_id, reason=f"the answer is about {report.order_id[:40]!r}"
            )
        return OrderReported(report=report)

    async def _sort_refusal(self, order: Order, refused: Refused) -> Sequence[Event]:
        # Three refusals do not say that the order is not there.
        looks = refused.code in (DUPLICATE_ID_CODE, DUPLICATE_STOP_CODE) or refused.verify
        if not looks:
            return [self._refused(order.order_id, refused.code, refused.text)]
        if refused.code == DUPLICATE_STOP_CODE:
            rows = await self._lookup.get(open_algo_request(order.symbol), list[AlgoRow])
            return [self._own_stop(order, rows, refused)]
        found = await self._lookup.ask(
            AskOrder(order_id=order.order_id, symbol=order.symbol, conditional=order.conditional)
        )
        if isinstance(found[0], OrderReported):
            return found
        if isinstance(found[0], OrderMissing) and refused.verify:
            return [self._refused(order.order_id, refused.code, refused.text)]
        return [
            OrderUnknown(
                order_id=order.order_id,
                reason=f"{refused.code} {refused.text}, and the order could not be found",
            )
        ]

    def _own_stop(
        self, order: Order, rows: list[AlgoRow] | Absent | Silent, refused: Refused
    ) -> Event:
        if isinstance(rows, Silent):
            return OrderUnknown(
                order_id=order.order_id, reason=f"{refused.code}, then {rows.reason}"
            )
        for row in rows if isinstance(rows, list) else []:
            if row.client_algo_id == order.order_id:
                try:
                    return OrderReported(report=algo_report(row, now_ms=self._clock.now_ms()))
                except Malformed as fault:
                    return OrderUnknown(order_id=order.order_id, reason=str(fault))
        return self._refused(order.order_id, refused.code, refused.text)

    def _refused(self, order_id: str, code: int, text: str, action: str = "place") -> OrderRefused:
        log.warning("order_refused", order_id=order_id, code=code, text=text, action=action)
        return OrderRefused(
            order_id=order_id,
            code=code,
            text=text,
            action=action,
            refused_ms=self._clock.now_ms(),
        )

    def _sent_hook(self, command: PlaceOrder) -> Callable[[], None] | None:
        hook = self._options.on_sent
        if hook is None:
            return None
        return lambda: hook(command, round(wall_monotonic_s() * 1e9))

    # ------------------------------------------------------- leverage and margin type, per symbol

    async def _make_settings(self, command: PlaceOrder) -> OrderRefused | None:
        # A settings request without an answer is a refused order: surely nothing was placed.
        symbol = command.order.symbol
        margin_type = command.margin_type
        if margin_type is not None and self._margin.get(symbol) is not margin_type:
            outcome = await self._rest.send(set_margin_type_request(symbol, margin_type))
            if not _is_done(outcome):
                return self._not_set(command, "margin type", outcome)
            self._margin[symbol] = margin_type
        leverage = command.leverage
        if leverage is not None and self._leverage.get(symbol) != leverage:
            outcome = await self._rest.send(set_leverage_request(symbol, leverage))
            if not _is_done(outcome):
                return self._not_set(command, "leverage", outcome)
            self._leverage[symbol] = leverage
        return None

    def _not_set(self, command: PlaceOrder, what: str, outcome: Outcome) -> OrderRefused:
        self._leverage.pop(command.order.symbol, None)
        self._margin.pop(command.order.symbol, None)
        code, reason = NOT_SENT_CODE, "no answer"
        if isinstance(outcome, Refused):
            code, reason = outcome.code, outcome.text
        elif not isinstance(outcome, Answer):
            reason = outcome.reason
        return self._refused(command.order.order_id, code, f"{what} was not set: {reason}")

    async def _read_settings(self) -> None:
        rows = await self._lookup.get(symbol_config_request(), list[SymbolConfigRow])
        for row in rows if isinstance(rows, list) else []:
            self._leverage[row.symbol] = row.leverage
            margin_type = margin_type_of(row.margin_type)
            if margin_type is not None:
                self._margin[row.symbol] = margin_type

    def _note_news(self, news: UserNews) -> None:
        if news.leverage is not None:
            self._leverage[news.leverage[0]] = news.leverage[1]
        for symbol in news.margin_changed:
            self._margin.pop(symbol, None)

    def _pass_on(self, event: Event) -> None:
        if isinstance(event, StreamLost):
            # Somebody may change settings by hand while nobody tells us.
            self._leverage.clear()
            self._margin.clear()
        self._sink(event)

    # ---------------------------------------------------------------------- cancelling, asking

    async def _cancel(self, command: CancelOrder) -> Sequence[Event]:
        if command.conditional:
            request = cancel_algo_request(command.order_id)
        else:
            request = cancel_request(command.symbol, command.order_id)
        outcome = await self._rest.send(request)
        match outcome:
            case Answer():
                return [self._canceled(command, outcome)]
            case Refused(code=code) if code in NOT_FOUND_CODES or code == TRIGGERING_CODE:
                # It is over, was never there, or is triggering: only asking tells which.
                return await self._lookup.ask(
                    AskOrder(
                        order_id=command.order_id,
                        symbol=command.symbol,
                        conditional=command.conditional,
                    )
                )
            case Refused(code=code, text=text):
                return [self._refused(command.order_id, code, text, action="cancel")]
            case NotSent(reason=reason):
                text = f"not sent: {reason}"
                return [self._refused(command.order_id, NOT_SENT_CODE, text, action="cancel")]
            case _:
                return [unknown(command.order_id, outcome.reason, "cancel")]

    def _canceled(self, command: CancelOrder, answer: Answer) -> Event:
        try:
            if not command.conditional:
                return OrderReported(report=self._report_of(answer.body, conditional=False))
            decode(answer.body, AlgoCancelRow)
        except Malformed as fault:
            return unknown(command.order_id, f"unreadable answer: {fault}", "cancel")
        return OrderReported(
            report=OrderReport(
                order_id=command.order_id,
                symbol=command.symbol,
                status=OrderStatus.CANCELED,
                filled_quantity=ZERO,
                average_price=None,
                conditional=True,
                event_ms=self._clock.now_ms(),
            )
        )

    def _report_of(self, body: bytes, *, conditional: bool) -> OrderReport:
        now_ms = self._clock.now_ms()
        if conditional:
            return algo_report(decode(body, AlgoRow), now_ms=now_ms)
        return order_report(decode(body, OrderRow), now_ms=now_ms)


def _is_done(outcome: Outcome) -> bool:
    if isinstance(outcome, Refused):
        return outcome.kind is ErrorClass.BENIGN
    return isinstance(outcome, Answer)


def _must_decode(body: bytes, kind: type[T], what: str) -> T:
    try:
        return decode(body, kind)
    except Malformed as fault:
        raise Unknown(f"{what}: unreadable: {fault}") from fault
