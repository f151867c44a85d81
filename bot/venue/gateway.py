"""Commands of the core -> requests -> events: the account at the exchange.

Must not know: why an order is wanted. A placed order has three outcomes: accepted (OrderReported),
refused (OrderRefused: surely not placed) and unknown (OrderUnknown: nobody can say). Nothing here
sends an order twice; what to do about an unknown one is the core's decision.
Source: reference sheet sections 3.2, 4 and 7 (2026-11).
"""

import random
from asyncio import TaskGroup
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, assert_never

import structlog

from bot.core.messages import (
    AskFills,
    AskFunding,
    AskOrder,
    AskPosition,
    CancelOrder,
    EntriesHalted,
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
from bot.shell.errors import TheirWord, Unknown
from bot.shell.ports import EventSink
from bot.venue.account import AccountReader
from bot.venue.checks import StartupCheck, refuse_dangerous_key, startup_checks
from bot.venue.deadman import DeadMan
from bot.venue.entry_settings import EntrySettings
from bot.venue.hold import Hold
from bot.venue.listing import load_instruments
from bot.venue.lookup import Absent, OrderLookup, Silent, unknown
from bot.venue.odd_input import OddInput
from bot.venue.rest import RestClient
from bot.venue.standing import AccountStanding
from bot.venue.user_stream import FrameHook, StreamHooks, UserStream
from bot.venue.watch import SilenceWatch
from bot.venue.wire_answers import (
    AlgoCancelRow,
    AlgoRow,
    Malformed,
    OrderRow,
    algo_report,
    decode,
    order_report,
)
from bot.venue.wire_errors import ALERT_CODES, NOT_FOUND_CODES, Answer, NotSent, Refused
from bot.venue.wire_frames import UserNews
from bot.venue.wire_requests import (
    WorkingType,
    cancel_algo_request,
    cancel_request,
    conditional_request,
    open_algo_request,
    place_request,
)
from data.model import Instrument, OrderReport, OrderStatus
from data.money import ZERO

log = structlog.get_logger(__name__)

QUESTIONS: Final = (AskOrder, AskPosition, AskFills, AskFunding)
NOT_SENT_CODE: Final = 0  # the exchange said nothing: the request never left
DUPLICATE_ID_CODE: Final = -4116
DUPLICATE_STOP_CODE: Final = -4130
TRIGGERING_CODE: Final = -4117
MODE_CODE: Final = -4061

SentHook = Callable[[PlaceOrder, int], None]  # the command, wall monotonic nanoseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayOptions:
    """What an owner or a benchmark may choose.

    `on_sent` is called as an order's bytes are handed to the transport, `on_frame` as a frame of
    the user stream is read; both with wall monotonic nanoseconds. `permissions` is a client of the
    wallet service, where a key's permissions are told; None where there is no such service.
    """

    working_type: WorkingType = WorkingType.MARK_PRICE
    account_id: str = ""  # whose client ids are ours; "": resting entries of an older life are not
    live: bool = False  # real money: a key that may move it out is refused
    permissions: RestClient | None = None
    dead_man: bool = True  # resting entries are cancelled by the exchange when we fall silent
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
        self.odd_input = OddInput(sink)
        rest.watch_rejected(self.odd_input.note)
        self._clock = rest.clock
        self._sink = sink
        self._options = options or GatewayOptions()
        self._reader = AccountReader(rest)
        self._lookup = OrderLookup(rest)
        self._instruments: dict[str, Instrument] = {}
        self._settings = EntrySettings(rest)
        self._standing = AccountStanding(rest, sink=sink)
        rest.watch_outcomes(self._standing.note)
        self._watch = SilenceWatch(rest)
        self._deadman = DeadMan(rest, account_id=self._options.account_id)
        self._hold = Hold(sink)
        self._asking: set[VenueCommand] = set()
        self.stream = UserStream(
            rest=rest,
            ws_url=ws_url,
            dice=dice,
            sink=self._from_stream,
            hooks=StreamHooks(
                on_news=self._note_news,
                on_frame=self._options.on_frame,
                probe=self._watch.look,
            ),
        )

    async def prepare(self) -> dict[str, Instrument]:
        """Set the clock, read the account's modes and every symbol's settings and filters.

        Live, a key that may move money out is refused. Raises SettingFault for that, TheirWord or
        Unknown when a read is not answered.
        """
        if not await self._rest.sync_clock():
            raise Unknown("the exchange does not tell its time")
        if self._options.live:
            await refuse_dangerous_key(self._options.permissions)
        await self._settings.read_modes()
        await self._settings.read_all()
        self._instruments = await load_instruments(self._rest)
        return self._instruments

    async def startup_checks(self) -> tuple[StartupCheck, ...]:
        """What `python -m bot check` says of this account, worst news included; never raises."""
        return await startup_checks(self._rest, permissions=self._options.permissions)

    async def run(self) -> None:
        """Keep the user stream and what watches over it; forever. Ends only by cancellation."""
        async with TaskGroup() as group:
            group.create_task(self.stream.run())
            group.create_task(self._standing.run())
            if self._options.dead_man:
                group.create_task(self._deadman.run())

    async def ready(self, timeout_s: float) -> bool:
        """Wait in wall time until the user stream runs; False when it does not by then."""
        return await self.stream.ready(timeout_s)

    async def perform(self, command: VenueCommand) -> Sequence[Event]:
        """Carry one command out, once, and say what came of it.

        Nothing comes of a question that is being asked already: its answer is the other's.
        """
        if isinstance(command, QUESTIONS):
            if command in self._asking:
                return ()  # an exchange slower than our pauses would be asked ever more at once
            self._asking.add(command)
        epoch = self._hold.epoch
        try:
            events = await self._perform(command)
        finally:
            self._asking.discard(command)
        for event in events:
            self._note(event)
        if any(isinstance(event, SnapshotTaken) for event in events):
            # What the stream said meanwhile goes right behind the account's reading.
            return [*events, *self._hold.release(epoch)]
        return events

    async def _perform(self, command: VenueCommand) -> Sequence[Event]:
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
        order = command.order
        missing = await self._settings.make(order.symbol, command.leverage, command.margin_type)
        if missing is not None:
            return [self._refused(order.order_id, missing.code, missing.text)]
        hedge = self._settings.hedge
        if order.conditional:
            request = conditional_request(order, self._options.working_type, hedge=hedge)
        else:
            request = place_request(order, hedge=hedge)
        frames = self._watch.frames
        self._deadman.note_sent(order)
        outcome = await self._rest.send(request, on_sent=self._sent_hook(command))
        match outcome:
            case Answer():
                self._watch.accepted(frames)
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
            self._rest.reject("placing an order", fault)
            return OrderUnknown(order_id=order.order_id, reason=f"unreadable answer: {fault}")
        if report.order_id != order.order_id:
            return OrderUnknown(
                order_id=order.order_id, reason=f"the answer is about {report.order_id[:40]!r}"
            )
        return OrderReported(report=report)

    async def _sort_refusal(self, order: Order, refused: Refused) -> Sequence[Event]:
        # Three refusals do not say that the order is not there.
        looks = refused.code in (DUPLICATE_ID_CODE, DUPLICATE_STOP_CODE) or refused.verify
        if refused.code == MODE_CODE:
            await self._mode_changed()
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

    async def _mode_changed(self) -> None:
        # Stops must go on in the mode the account is in now; entries wait for a person.
        self._sink(EntriesHalted(reason="the account's position mode was changed"))
        try:
            await self._settings.read_modes()
        except (TheirWord, Unknown) as fault:
            log.warning("account_modes_not_read", reason=str(fault))

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
                    self._rest.reject("openAlgoOrders", fault)
                    return OrderUnknown(order_id=order.order_id, reason=str(fault))
        return self._refused(order.order_id, refused.code, refused.text)

    def _refused(self, order_id: str, code: int, text: str, action: str = "place") -> OrderRefused:
        say = log.error if code in ALERT_CODES else log.warning
        say("order_refused", order_id=order_id, code=code, text=text, action=action)
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

    # ------------------------------------------------------------------------- the user stream

    def _note_news(self, news: UserNews) -> None:
        self._watch.heard()
        self._settings.note_news(news)

    def _from_stream(self, event: Event) -> None:
        if isinstance(event, StreamLost):
            self._settings.forget()
        self._note(event)
        self._hold.pass_on(event)

    def _note(self, event: Event) -> None:
        self._watch.note(event)
        self._deadman.note(event)

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
            self._rest.reject("cancelling an order", fault)
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
