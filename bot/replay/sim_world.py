"""A seeded world for one desk: the pure exchange, a bad network, impatient people, sudden death.

One run is a function of its seed. First everything may go wrong (safety phase): requests and
answers are lost or late, answers are refusals, events come twice, late, out of order or never, the
stream is cut, queries do not yet find young orders, and the process is killed between any two
steps. Then the world heals (liveness phase) and everything must come right in bounded time. After
every step the invariants are checked on the exchange's own books (`sim_invariants`).
"""

import hashlib
import heapq
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any, Final

from bot.core import desk as desk_room
from bot.core import moving
from bot.core.desk_state import Desk
from bot.core.messages import (
    AskAdvisor,
    AskOrder,
    BotConfigured,
    BotSwitched,
    CardVerb,
    CloseRequested,
    Command,
    EntriesResumed,
    Event,
    OrderMissing,
    OrderRefused,
    PanicPressed,
    PlaceOrder,
    ShowCard,
    SnapshotTaken,
    StreamLost,
    StreamRestored,
    Tell,
    VenueCommand,
    Woke,
)
from bot.core.timing import Timing
from bot.core.trade import Phase, Trade
from bot.replay.sim_answers import Arrival, as_of, no_answer, what_is_left
from bot.replay.sim_cast import (
    SYMBOLS,
    USER,
    Quote,
    blank_desk,
    config_of,
    decision_of,
    refusal_of,
    signal_of,
    tap_of,
)
from bot.replay.sim_fate import HOUR_MS, STALE_MS, WEATHERS, Hand, Journal, fate_of
from bot.replay.sim_hands import close_all_by_hand, meddle, strike
from bot.sandbox.exchange import Exchange
from bot.sandbox.faults import Fault, FaultPlan
from bot.sandbox.paper_desk import carry_out
from bot.sandbox.paper_words import events_of
from data.journal import Codec
from data.model import ExitReason

SAFETY_MS: Final = 40_000  # how long everything may go wrong
SETTLE_MS: Final = 240_000  # how long healing may take at most
TICK_MS: Final = 1_000  # one price a second
RESTART_MS: Final = 1_500
COMMITS_MAX: Final = 3_000  # a run takes about fifty; more is a loop
TIMING: Final = Timing(audit_every_ms=15_000)
CODEC: Final = Codec(desk_room.RECORDS)


class World:
    """One run. `watch` is called after every step and price with this world."""

    def __init__(self, seed: int, watch: Callable[["World"], None]) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.watch = watch
        self.fate = fate_of(seed)
        self.now_ms = self.fate.start_ms
        weather = seed % len(WEATHERS)
        self.fair = weather == 0  # no message is lost, though one in ten is slow
        self.faults = FaultPlan(seed, WEATHERS[weather])
        self.kill_chance = (0.0, 0.01, 0.02, 0.03)[weather]
        self.lag_ms_max = (0, 0, 5_000, 30_000)[weather]
        self.exchange = Exchange(self.fate.instruments.values())
        self.prices = {s: Decimal(self.rng.randint(900, 1100)) for s in SYMBOLS}
        self.desk = blank_desk(seed, TIMING)
        self.journalled: set[str] = set()  # order ids committed before they were sent
        self.records: dict[str, Trade] = {}  # every planned trade, also of lives forgotten since
        self.not_ours: set[str] = set()  # symbols in which somebody else holds something
        self.meddled = False  # something was opened or turned by hand
        self.forgetful = False  # a journal was lost, or an old one was used
        self.priceless: set[str] = set()  # trades that were tapped without a fresh price only
        self.tapped: dict[str, CardVerb] = {}  # what a person really answered
        self.cards: dict[str, int] = {}
        self.bare_since_ms: dict[str, int] = {}
        self.exchange_moved = False  # whether this step changed anything there
        self.down_ms = 0  # until when the process is dead
        self.commits = 0
        self._heap: list[tuple[int, int, Any]] = []
        self._pushed = 0
        self._epoch = 0
        self._stream_up = False
        self._armed_ms: int | None = None
        self._hash = hashlib.sha256()
        self._signals = 0
        self._past: list[tuple[int, Desk]] = []  # older journals
        self._lives = 0
        self._luck = Random(f"luck {seed}")  # for what `fate` allows: other draws stay as they are

    # ------------------------------------------------------------------ running

    def run(self) -> str:
        """Both phases; the hash of the journal. Raises AssertionError on a broken invariant."""
        for symbol, price in self.prices.items():
            self.exchange.advance(symbol, price, self.now_ms)
        self._deliver(0, BotConfigured(config=config_of(self.rng, self.seed), by=USER))
        self._deliver(0, BotSwitched(bot_id="", running=True, by=USER))
        self._deliver(1, StreamRestored())
        self._push(TICK_MS, "price")
        for _ in range(self.rng.randint(1, 3)):
            self._push(self.rng.randint(500, 20_000), "signal")
        if self.rng.random() < 0.3:
            self._push(self.rng.randint(5_000, SAFETY_MS), "hand")
        self._fulfil()
        safe_ms = self.fate.start_ms + SAFETY_MS
        self._until(safe_ms, lambda: False)
        self._heal()
        self._until(safe_ms + SETTLE_MS, lambda: not self._unsettled())
        assert not self._unsettled(), f"did not settle: {self._unsettled()}"
        return self._hash.hexdigest()

    def _until(self, end_ms: int, done: Callable[[], bool]) -> None:
        while self._heap and self._heap[0][0] <= end_ms and not done():
            self.now_ms, _, item = heapq.heappop(self._heap)
            self.exchange_moved = False
            self._happen(item)
            if item != "price" or self.exchange_moved or self.bare_since_ms:
                self.watch(self)

    def _fulfil(self) -> None:
        fate = self.fate
        if fate.funded:
            for symbol in SYMBOLS:
                self.exchange.set_funding(symbol, Decimal("0.0003"), HOUR_MS)
        if fate.kill_ms is not None:
            self._push(fate.kill_ms, "kill")
        if fate.hand_ms is not None:
            self._push(fate.hand_ms, "meddle")
        if fate.panic_ms is not None:
            self._deliver(fate.panic_ms, PanicPressed(by=USER))
            resumed = EntriesResumed(reason=desk_room.PANIC, by=USER)
            self._deliver(fate.panic_ms + 6_000, resumed)

    def _heal(self) -> None:
        self.faults.heal()
        if self.meddled or self.forgetful:
            self._push(20_000, "tidy")
        self.kill_chance, self.lag_ms_max = 0.0, 0
        for trade in self.desk.working():
            asked = CloseRequested(trade_id=trade.trade_id, reason=ExitReason.MANUAL, by=USER)
            self._deliver(12_000, asked)

    def _unsettled(self) -> str:
        up = self._stream_up and self.desk.ready
        return what_is_left(self.desk, self.exchange) if up else "the stream is down"

    def _happen(self, item: Any) -> None:
        if isinstance(item, Arrival):
            self._arrive(item)
        elif isinstance(item, str):
            self._happenings[item](self)
        elif item[0] == self._epoch or item[0] is None:
            self._feed(item[1])

    # ---------------------------------------------------------------- the process

    def _feed(self, event: Event) -> None:
        if self.now_ms < self.down_ms:
            return None  # Nobody is there to hear it.
        if isinstance(event, Woke):
            self._armed_ms = None
        if isinstance(event, StreamRestored):
            self._stream_up = True
        if isinstance(event, StreamLost):
            self._stream_up = False
        if self._dies():
            return self._kill()  # Before the commit: the event is lost.
        done = desk_room.step(self.desk, event, self.now_ms)
        self.desk = done.desk
        self.commits += 1
        self._remember(done.changed)
        assert self.commits <= COMMITS_MAX, "3: it spins and does not come to rest"
        self._hash.update(CODEC.encode_bytes(event))
        for command in done.commands:
            self._hash.update(CODEC.encode_bytes(command))
            if isinstance(command, PlaceOrder):
                self.journalled.add(command.order.order_id)
        for command in done.commands:
            if self._dies():
                return self._kill()  # After the commit: some commands were never sent.
            self._carry(command)
        self._arm()
        return None

    def _remember(self, changed: tuple[Trade, ...]) -> None:
        for trade in changed:
            known = self.records.get(trade.trade_id)
            worse = known is not None and known.approval is not None and trade.approval is None
            if trade.plan is not None and not trade.adopted and not worse:
                self.records[trade.trade_id] = trade
        if self.fate.kill_ms is not None and self.desk.running:
            self._past.append((self.now_ms, self.desk))

    def _arm(self) -> None:
        due_ms = desk_room.wake_ms(self.desk)
        if due_ms is None or due_ms == self._armed_ms:
            return
        self._armed_ms = due_ms
        self._push(max(1, due_ms - self.now_ms), (self._epoch, Woke()))

    def _dies(self) -> bool:
        return self.kill_chance > 0 and self.rng.random() < self.kill_chance

    def _kill(self) -> None:
        self._epoch += 1
        self._armed_ms = None
        self._stream_up = False
        self.down_ms = self.now_ms + RESTART_MS
        self._push(RESTART_MS, "restart")

    def _restart(self) -> None:
        found = self.fate.journals[self._lives % len(self.fate.journals)]
        self._lives += 1
        old = [desk for at_ms, desk in self._past if at_ms <= self.now_ms - STALE_MS]
        if found is not Journal.WARM:
            self.forgetful = True
            self._past.clear()
            if found is Journal.STALE and old:
                self.desk = old[-1]
            else:
                # Bots are settings and kept elsewhere; everything of the journal is lost.
                new = blank_desk(self.seed, TIMING)
                self.desk = replace(new, bots=self.desk.bots, running=self.desk.running)
        self.desk = desk_room.reopened(self.desk, TIMING, self.now_ms)
        self._deliver(0, StreamRestored())

    def _struck(self) -> None:
        if self.now_ms >= self.down_ms:
            self._kill()

    def _carry(self, command: Command) -> None:
        match command:
            case Tell():
                pass
            case AskAdvisor():
                self._push(
                    self.rng.randint(10, 2_000),
                    (self._epoch, decision_of(self.rng, command, self._quote(command.symbol))),
                )
            case ShowCard():
                self.cards[command.trade_id] = command.expires_ms
                self._person(command)
            case _:
                self._send(command)

    # --------------------------------------------------------------- the network

    def _send(self, command: VenueCommand) -> None:
        draw = self.faults.request()
        if draw.fault is Fault.LOSE_REQUEST:
            return self._answer(self.rng.randint(1_000, 5_000), no_answer(command))
        if draw.refusal is not None and isinstance(command, PlaceOrder):
            refused = OrderRefused(
                order_id=command.order.order_id, code=draw.refusal.code, text=draw.refusal.text
            )
            return self._answer(self.rng.randint(10, 200), refused)
        refusal = None if self.faults.healed else refusal_of(self._luck, command, self.seed)
        if refusal is not None:
            return self._answer(self._luck.randint(10, 200), refusal)
        slow = not self.faults.healed and self.rng.random() < 0.1
        delay_ms = self.rng.randint(1, 7_000 if slow else 60)
        return self._push(delay_ms, Arrival(command, self.now_ms, self._epoch))

    def _arrive(self, arrival: Arrival) -> None:
        command = arrival.command
        age_ms = self.now_ms - arrival.sent_ms
        if age_ms > TIMING.receive_window_ms and isinstance(command, PlaceOrder):
            late = OrderRefused(order_id=command.order.order_id, code=-1021, text="too old")
            return self._reply(arrival, late)
        if isinstance(command, AskOrder) and self._lags(command):
            missing = OrderMissing(order_id=command.order_id, asked_ms=arrival.sent_ms)
            return self._reply(arrival, missing)
        answer = carry_out(self.exchange, command, self.now_ms)
        if isinstance(answer, SnapshotTaken):
            answer = self._as_read(answer)
        draw = self.faults.answer()
        lost = draw.fault is Fault.LOSE_ANSWER
        if lost and self.rng.random() < 0.5:
            self._cut()  # What loses an answer often takes the stream with it.
        self._tell()
        answer = no_answer(command) if lost else as_of(answer, command, arrival.sent_ms)
        return self._reply(arrival, answer, draw.delay_ms)

    def _as_read(self, snapshot: SnapshotTaken) -> SnapshotTaken:
        """With the fills of what is held, named by their orders; listings may be missing."""
        if not self.faults.healed and self._luck.random() < self.fate.unlisted:
            return replace(snapshot, instruments=())
        fills = [f for p in snapshot.positions for f in self.exchange.fills(p.symbol, 0)]
        return replace(snapshot, recent_fills=tuple(fills))

    def _lags(self, command: AskOrder) -> bool:
        if not self.lag_ms_max or self.rng.random() > 0.4:
            return False
        view = self.exchange.order(command.symbol, command.order_id)
        created_ms = getattr(view, "created_ms", None)
        return created_ms is not None and self.now_ms - created_ms < self.lag_ms_max

    def _reply(self, arrival: Arrival, answer: Event, delay_ms: int = 0) -> None:
        self._push(delay_ms or self.rng.randint(1, 60), (arrival.epoch, answer))

    def _answer(self, delay_ms: int, event: Event) -> None:
        self._push(delay_ms, (self._epoch, event))

    def _tell(self) -> None:
        for news in self.exchange.drain_events():
            self.exchange_moved = True
            for event in events_of(news):
                self._stream(event)

    def _stream(self, event: Event) -> None:
        if not self._stream_up or self.now_ms < self.down_ms:
            return None  # Told to nobody.
        draw = self.faults.event()
        match draw.fault:
            case Fault.DROP:
                return None
            case Fault.CUT:
                return self._cut()
            case Fault.DUPLICATE:
                self._answer(self.rng.randint(1, 3_000), event)
            case Fault.REORDER:
                return self._answer(self.rng.randint(50, 400), event)
            case _:
                pass
        return self._answer(draw.delay_ms or 5, event)

    def _cut(self) -> None:
        self._stream_up = False
        self._answer(1, StreamLost(reason="cut"))
        self._push(self.rng.randint(500, 8_000), "reconnect")

    def _reconnect(self) -> None:
        if self.now_ms >= self.down_ms and not self._stream_up:
            self._deliver(0, StreamRestored())

    # ------------------------------------------------------------- people and prices

    def _signal(self) -> None:
        self._signals += 1
        raised = signal_of(self.rng, self._quote(self.rng.choice(SYMBOLS)), self._signals)
        self._deliver(0, raised)
        if self.rng.random() < 0.1:
            self._deliver(1, raised)

    def _quote(self, symbol: str) -> Quote:
        listing = self.fate.instruments[symbol]
        price = self.prices[symbol]
        return Quote(symbol=symbol, price=price, now_ms=self.now_ms, instrument=listing)

    def _person(self, card: ShowCard) -> None:
        verb = self.rng.choice((CardVerb.APPROVE, CardVerb.APPROVE, CardVerb.HALF, CardVerb.REJECT))
        self.tapped[card.trade_id] = verb
        priceless = self._luck.random() < self.fate.tap_without_price
        if priceless:
            self.priceless.add(card.trade_id)
        for _ in range(2 if self.rng.random() < 0.2 else 1):
            delay_ms = self.rng.randint(100, 10_000)
            price = self.prices[self.desk.trades[card.trade_id].symbol]
            tap = tap_of(card.trade_id, verb, price, self.now_ms)
            if priceless:
                old_ms = self.now_ms - 60_000
                shown = None if self._luck.random() < 0.5 else price
                tap = replace(tap, mark_price=shown, mark_ms=old_ms)
            self._push(delay_ms, (None, tap))

    def _by_hand(self) -> None:
        strike(self.exchange, self.rng, self.now_ms)
        self._tell()

    def _meddle(self) -> None:
        touched = meddle(
            self.exchange, self._luck, turn=self.fate.hand is Hand.TURN, now_ms=self.now_ms
        )
        if touched is not None:
            self.meddled = True
            self.not_ours.add(touched)
            self._tell()

    def _tidy(self) -> None:
        """What is not ours is closed by hand, what halted is asked to close."""
        for trade in self.desk.working():
            asked = CloseRequested(trade_id=trade.trade_id, reason=ExitReason.MANUAL, by=USER)
            self._deliver(5_000, asked)
        halted = {t.symbol for t in self.desk.working() if t.phase is Phase.HALTED}
        left_alone = set(self.desk.foreign) - self.not_ours - halted
        assert not left_alone, f"7: {sorted(left_alone)} is ours and was not adopted"
        close_all_by_hand(self.exchange, halted | set(self.desk.foreign), self.now_ms)
        self._tell()
        self._push(15_000, "tidy")

    def _move_prices(self) -> None:
        for symbol in SYMBOLS:
            step = Decimal(self.rng.randint(-30, 30)) / 10
            if self.rng.random() < 0.02:
                step *= 5
            self.prices[symbol] = max(Decimal(1), self.prices[symbol] + step)
            self.exchange.advance(symbol, self.prices[symbol], self.now_ms)
            trades = self.desk.trades.values()
            for told in moving.reached(trades, symbol, self.prices[symbol], self.now_ms):
                self._deliver(1, told)
            if symbol in self.not_ours and not self.exchange.quantity(symbol):
                self.not_ours.discard(symbol)
        self._tell()
        self._push(TICK_MS, "price")

    def _deliver(self, delay_ms: int, event: Event) -> None:
        self._push(delay_ms, (None, event))

    def _push(self, delay_ms: int, item: Any) -> None:
        self._pushed += 1
        heapq.heappush(self._heap, (self.now_ms + delay_ms, self._pushed, item))

    _happenings: Final[dict[str, Callable[["World"], None]]] = {
        "price": _move_prices,
        "signal": _signal,
        "hand": _by_hand,
        "meddle": _meddle,
        "tidy": _tidy,
        "kill": _struck,
        "restart": _restart,
        "reconnect": _reconnect,
    }
