"""What lies between a simulated desk and the pretend exchange: a bad network and a bad server.

Requests are lost, late, refused or banned; answers are lost or late; readings lag, tell half, or do
not find a young order; the user stream drops, repeats and reorders, is cut, or falls silent.
Must not know: the desk.
"""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from bot.core.messages import (
    AskOrder,
    Event,
    OrderMissing,
    PlaceOrder,
    SnapshotTaken,
    StreamLost,
    StreamRestored,
    VenueCommand,
)
from bot.core.timing import Timing
from bot.replay.sim_agenda import Agenda
from bot.replay.sim_answers import Arrival, Earlier, as_of, no_answer, refused
from bot.replay.sim_cast import SYMBOLS, refusal_of
from bot.replay.sim_fate import WEATHERS
from bot.replay.sim_kinds import Kind
from bot.sandbox.exchange import Exchange
from bot.sandbox.exchange_records import Refusal
from bot.sandbox.faults import Fault, FaultPlan
from bot.sandbox.paper_desk import carry_out
from bot.sandbox.paper_words import events_of

TIMING: Final = Timing(audit_every_ms=15_000)
AHEAD_MS_MAX: Final = 1_000  # the exchange refuses what is dated further ahead
YOUNG_MS: Final = 1_500  # for this long the conditional service may not see a position


class Network(Agenda):
    """The exchange and every way to it."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        weather = seed % len(WEATHERS)
        self.faults = FaultPlan(seed, WEATHERS[weather])
        self.lag_ms_max = (0, 0, 5_000, 30_000)[weather]
        self.exchange = Exchange(self.fate.instruments.values())
        self.exchange_moved = False  # whether this step changed anything there
        self.moved_ms = 0  # when that was last so
        self.stream_up = False
        self._mute_ms = 0  # until when the stream is silent
        self._ban_ms = 0  # until when every request is refused
        self._earlier: Earlier | None = None
        self._moved_since = True  # whether anything changed at the exchange since that was kept
        if self.fate.hedged and self.exchange.set_hedged(True, self.now_ms) is None:
            self.count(Kind.HEDGE_MODE)

    def quantity(self, symbol: str) -> Decimal:
        """What is held, signed; in hedge mode of the one book that holds something."""
        if not self.fate.hedged:
            return self.exchange.quantity(symbol)
        held = [view.quantity for view in self.exchange.positions() if view.symbol == symbol]
        return sum(held, Decimal(0))

    # ---------------------------------------------------------------- requests and answers

    def send(self, command: VenueCommand) -> None:
        """Put a request on its way, or tell why it has none."""
        if self.now_ms < self._ban_ms:
            self.count(Kind.BAN)
            return self.answer(5, refused(command, 418, "banned"))
        draw = self.faults.request()
        if draw.fault is Fault.LOSE_REQUEST:
            self.count(Kind.LOSE_REQUEST)
            return self.answer(self.rng.randint(1_000, 5_000), no_answer(command))
        if draw.refusal is not None:
            self.count(Kind.REFUSE)
            told = refused(command, draw.refusal.code, draw.refusal.text)
            return self.answer(self.rng.randint(10, 200), told)
        unwanted = None if self.faults.healed else refusal_of(self.luck, command, self.seed)
        if unwanted is not None:
            self.count(Kind.REFUSE)
            return self.answer(self.luck.randint(10, 200), unwanted)
        slow = not self.faults.healed and self.rng.random() < 0.1
        self.count(*[Kind.DELAY_REQUEST] * slow)
        delay_ms = self.rng.randint(1, 7_000 if slow else 60)
        return self.push(delay_ms, Arrival(command, self.clock_ms, self.epoch))

    def arrive(self, arrival: Arrival) -> None:
        """A request reaches the exchange."""
        command = arrival.command
        refusal = self._turned_away(arrival)
        if refusal is not None:
            return self._reply(arrival, refusal)
        answer = self._carried_out(arrival)
        draw = self.faults.answer()
        lost = draw.fault is Fault.LOSE_ANSWER
        self.count(*[Kind.LOSE_ANSWER] * lost, *[Kind.DELAY_ANSWER] * bool(draw.delay_ms))
        if lost and self.rng.random() < 0.5:
            self.cut()  # What loses an answer often takes the stream with it.
        self.tell()
        answer = no_answer(command) if lost else as_of(answer, command, arrival.sent_ms)
        return self._reply(arrival, answer, draw.delay_ms)

    def ban(self, until_ms: int) -> None:
        """Refuse everything until then."""
        self._ban_ms = until_ms

    def heal(self) -> None:
        """From now on everything gets through, at once and in order."""
        self.faults.heal()
        self.lag_ms_max = self._ban_ms = self._mute_ms = 0
        self._earlier = None

    def remember_readings(self) -> None:
        """Keep what readings show now, for those that lag."""
        if self.fate.lagging and self._moved_since and not self.faults.healed:
            self._moved_since = False
            self._earlier = Earlier.of(self.exchange, SYMBOLS, self.now_ms)

    def _turned_away(self, arrival: Arrival) -> Event | None:
        command = arrival.command
        age_ms = self.now_ms - arrival.sent_ms
        if isinstance(command, PlaceOrder):
            if not -AHEAD_MS_MAX <= age_ms <= TIMING.receive_window_ms:
                self.push(50, "resync")  # The client sets its clock by the exchange's.
                return refused(command, -1021, "outside of the window")
            if command.order.conditional and self._unseen(command.order.symbol):
                return refused(command, -4509, "no open position")
        if isinstance(command, AskOrder) and self._lags(command):
            self.count(Kind.YOUNG_ORDER)
            return OrderMissing(order_id=command.order_id, asked_ms=arrival.sent_ms)
        return None

    def _carried_out(self, arrival: Arrival) -> Event:
        answer = carry_out(self.exchange, arrival.command, self.now_ms)
        if isinstance(answer, SnapshotTaken):
            answer = self._as_read(answer)
        if self._earlier is not None and self.luck.random() < 0.4:
            older = self._earlier.instead_of(answer)
            self.count(*[Kind.LAGGING_READ] * (older is not None))
            answer = older or answer
        return answer

    def _as_read(self, snapshot: SnapshotTaken) -> SnapshotTaken:
        """Half of it may be missing: the listings of what is held, and often its fills too."""
        if self.faults.healed or self.luck.random() >= self.fate.unlisted:
            return snapshot
        self.count(Kind.HALF_READING)
        fills = snapshot.recent_fills if self.luck.random() < 0.3 else ()
        return replace(snapshot, instruments=(), recent_fills=fills)

    def _unseen(self, symbol: str) -> bool:
        if self.faults.healed or self.luck.random() >= self.fate.unseen:
            return False
        held = [view for view in self.exchange.positions() if view.symbol == symbol]
        return any(self.now_ms - view.updated_ms < YOUNG_MS for view in held)

    def _lags(self, command: AskOrder) -> bool:
        if not self.lag_ms_max or self.rng.random() > 0.8:
            return False
        view: object = self.exchange.order(command.symbol, command.order_id)
        if command.conditional and isinstance(view, Refusal):
            view = self.exchange.conditional(command.order_id)
        created_ms = getattr(view, "created_ms", None)
        return created_ms is not None and self.now_ms - created_ms < self.lag_ms_max

    def _reply(self, arrival: Arrival, answer: Event, delay_ms: int = 0) -> None:
        self.push(delay_ms or self.rng.randint(1, 60), (arrival.epoch, answer))

    # ------------------------------------------------------------------- the user stream

    def tell(self) -> None:
        """Hand what the exchange has to say to the stream."""
        for news in self.exchange.drain_events():
            self.exchange_moved = self._moved_since = True
            self.moved_ms = self.now_ms
            for event in events_of(news):
                self._stream(event)

    def cut(self) -> None:
        """The stream ends, is noticed, and comes back after a while."""
        self.stream_up = False
        self.count(Kind.CUT_STREAM)
        self.answer(1, StreamLost(reason="cut"))
        self.push(self.rng.randint(500, 8_000), "reconnect")

    def mute(self, until_ms: int) -> None:
        """The stream stays open and says nothing: its listen key has expired."""
        self._mute_ms = until_ms

    def reconnect(self) -> None:
        """The stream is back, if there is anybody to hear it."""
        if self.now_ms >= self.down_ms and not self.stream_up:
            self.deliver(0, StreamRestored())

    def _stream(self, event: Event) -> None:
        if not self.stream_up or self.now_ms < self.down_ms:
            return None  # Told to nobody.
        if self.now_ms < self._mute_ms:
            return self.count(Kind.MUTE_STREAM)
        draw = self.faults.event()
        match draw.fault:
            case Fault.DROP:
                return self.count(Kind.DROP_EVENT)
            case Fault.CUT:
                return self.cut()
            case Fault.DUPLICATE:
                self.count(Kind.REPEAT_EVENT)
                self.answer(self.rng.randint(1, 3_000), event)
            case Fault.REORDER:
                self.count(Kind.REORDER_EVENT)
                return self.answer(self.rng.randint(50, 400), event)
            case _:
                self.count(*[Kind.DELAY_EVENT] * bool(draw.delay_ms))
        return self.answer(draw.delay_ms or 5, event)
