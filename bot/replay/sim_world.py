"""A seeded world for one desk: the pure exchange, a bad network, impatient people, sudden death.

One run is a function of its seed. First everything may go wrong (safety phase): requests and
answers are lost or late, answers are refusals, events come twice, late, out of order or never, the
stream is cut, queries do not yet find young orders, and the process is killed between any two
steps; `sim_kinds` names every kind. Then the world heals (liveness phase): CALM_MS later what is
held must be protected or on its way out, and within SETTLE_MS everything must have come right.
After every step the invariants are checked on the exchange's own books (`sim_invariants`).
"""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from bot.core import desk as desk_room
from bot.core.desk_state import Desk
from bot.core.life import moving
from bot.core.messages import (
    AskAdvisor,
    BotConfigured,
    BotSwitched,
    CardVerb,
    CloseRequested,
    Command,
    EntriesHalted,
    EntriesResumed,
    Event,
    OrderRefused,
    PanicPressed,
    PlaceOrder,
    ShowCard,
    StreamLost,
    StreamRestored,
    Tell,
    Woke,
)
from bot.core.trade import Phase, Role, Trade
from bot.replay.sim_answers import Arrival, what_is_left
from bot.replay.sim_belief import Told
from bot.replay.sim_cast import (
    SYMBOLS,
    USER,
    Quote,
    blank_desk,
    config_of,
    decision_of,
    signal_of,
    tap_of,
)
from bot.replay.sim_fate import DISK_FULL, HOUR_MS, STALE_MS, WEATHERS, Hand, Journal
from bot.replay.sim_hands import close_all_by_hand, meddle, strike, uncover
from bot.replay.sim_kinds import Kind, kinds_in
from bot.replay.sim_network import TIMING, Network
from data.journal import Codec
from data.model import ExitReason

SAFETY_MS: Final = 40_000  # how long everything may go wrong
SETTLE_MS: Final = 240_000  # how long after healing everything must be over, at most
TICK_MS: Final = 1_000  # one price a second
RESTART_MS: Final = 1_500
COMMITS_MAX: Final = 3_000  # a run takes about fifty; more is a loop
NOT_SENT: Final = -1  # code of a refusal of our own
CODEC: Final = Codec(desk_room.RECORDS)


class World(Network):
    """One run. `watch` is called after every step and price with this world."""

    def __init__(self, seed: int, watch: Callable[["World"], None]) -> None:
        super().__init__(seed)
        self.watch = watch
        self.fair = seed % len(WEATHERS) == 0 and self.fate.is_fair  # all arrives, if slowly
        self.kill_chance = (0.0, 0.01, 0.02, 0.03)[seed % len(WEATHERS)]
        self.prices = {s: Decimal(self.rng.randint(900, 1100)) for s in SYMBOLS}
        self.desk = blank_desk(seed, TIMING)
        self.told = Told(self.desk)
        self.journalled: set[str] = set()  # order ids committed before they were sent
        self.records: dict[str, Trade] = {}  # every planned trade, also of lives forgotten since
        self.not_ours: set[str] = set()  # symbols in which somebody else holds something
        self.meddled = False  # something was opened or turned by hand
        self.forgetful = False  # a journal was lost, or an old one was used
        self.priceless: set[str] = set()  # trades that were tapped without a fresh price only
        self.tapped: dict[str, CardVerb] = {}  # what a person really answered
        self.cards: dict[str, int] = {}
        self.bare_since_ms: dict[str, int] = {}
        self.healed_ms: int | None = None
        self.settled_ms = 0  # how long after healing everything was over
        self.commits = 0
        self._armed_ms: int | None = None
        self._due: tuple[Desk | None, int | None] = (None, None)  # of which desk, the moment
        self._hash = hashlib.sha256()
        self._signals = 0
        self._past: list[tuple[int, Desk]] = []  # older journals
        self._durable: Desk | None = None  # what the journal holds while the disk is full
        self._lives = 0

    # ------------------------------------------------------------------ running

    def run(self) -> str:
        """Both phases; the hash of the journal. Raises AssertionError on a broken invariant."""
        for symbol, price in self.prices.items():
            self.exchange.advance(symbol, price, self.now_ms)
        self.deliver(0, BotConfigured(config=config_of(self.rng, self.seed), by=USER))
        self.deliver(0, BotSwitched(bot_id="", running=True, by=USER))
        self.deliver(1, StreamRestored())
        self.push(TICK_MS, "price")
        for _ in range(self.rng.randint(1, 3)):
            self.push(self.rng.randint(500, 20_000), "signal")
        if self.rng.random() < 0.3:
            self.push(self.rng.randint(5_000, SAFETY_MS), "hand")
        self._fulfil()
        safe_ms = self.fate.start_ms + SAFETY_MS
        self._until(safe_ms, lambda: False)
        self._heal(safe_ms)
        self._until(safe_ms + SETTLE_MS, self._settled)
        assert self._settled(), f"3: not settled in {SETTLE_MS} ms: {self._unsettled()}"
        self.settled_ms = self.now_ms - safe_ms
        return self._hash.hexdigest()

    def _until(self, end_ms: int, done: Callable[[], bool]) -> None:
        while not done():
            item = self.next_by(end_ms)
            if item is None:
                return
            self.exchange_moved = False
            self._happen(item)
            if item != "price" or self.exchange_moved or self.bare_since_ms:
                self.watch(self)

    def _fulfil(self) -> None:
        fate = self.fate
        if fate.funded:
            for symbol in SYMBOLS:
                self.exchange.set_funding(symbol, Decimal("0.0003"), HOUR_MS)
        moments = {
            "kill": fate.kill_ms,
            "meddle": fate.hand_ms,
            "uncover": fate.uncover_ms,
            "mute": fate.mute_ms,
            "ban": fate.ban_ms,
            "full": fate.full_ms,
            "skew": fate.clock_ms,
        }
        for name, moment_ms in moments.items():
            if moment_ms is not None:
                self.push(moment_ms, name)
        if fate.panic_ms is not None:
            self.deliver(fate.panic_ms, PanicPressed(by=USER))
            resumed = EntriesResumed(reason=desk_room.PANIC, by=USER)
            self.deliver(fate.panic_ms + 6_000, resumed)

    def _heal(self, at_ms: int) -> None:
        self.heal()
        self.healed_ms = at_ms
        self.kill_chance = 0.0
        self._room()
        self._resync()
        if self.meddled or self.forgetful:
            self.push(self.fate.patience_ms + 8_000, "tidy")
        self.push(self.fate.patience_ms, "close")

    def _settled(self) -> bool:
        return not self._unsettled()

    def _unsettled(self) -> str:
        if not (self.stream_up and self.desk.ready):
            return "the stream is down"
        return what_is_left(self.desk, self.exchange)

    def _happen(self, item: Any) -> None:
        if isinstance(item, Arrival):
            self.arrive(item)
        elif isinstance(item, str):
            self._happenings[item](self)
        elif item[0] == self.epoch or item[0] is None:
            self._feed(item[1])

    # ---------------------------------------------------------------- the process

    def _feed(self, event: Event) -> None:
        if self.now_ms < self.down_ms:
            return None  # Nobody is there to hear it.
        if isinstance(event, Woke):
            self._armed_ms = None
        if isinstance(event, StreamRestored | StreamLost):
            self.stream_up = isinstance(event, StreamRestored)
        if self._dies():
            return self._kill(Kind.KILL_BEFORE_COMMIT)  # The event is lost.
        self.count(*kinds_in(event), *self.told.hear(self.desk, event))
        done = desk_room.step(self.desk, event, self.clock_ms)
        self.desk = done.desk
        self.commits += 1
        self._remember(done.changed)
        self.told.check(done.changed)
        assert self.commits <= COMMITS_MAX, "3: it spins and does not come to rest"
        self._hash.update(CODEC.encode_bytes(event))
        for command in done.commands:
            self._hash.update(CODEC.encode_bytes(command))
            if isinstance(command, PlaceOrder):
                self.journalled.add(command.order.order_id)
        for command in done.commands:
            if self._dies():
                return self._kill(Kind.KILL_BEFORE_SEND)
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

    def due_ms(self) -> int | None:
        """The earliest moment that the desk waits for."""
        desk, due_ms = self._due
        if desk is not self.desk:
            due_ms = desk_room.wake_ms(self.desk)
            self._due = (self.desk, due_ms)
        return due_ms

    def _arm(self) -> None:
        due_ms = self.due_ms()
        if due_ms is None or due_ms == self._armed_ms:
            return
        self._armed_ms = due_ms
        self.answer(max(1, due_ms - self.clock_ms), Woke())

    def _dies(self) -> bool:
        return self.kill_chance > 0 and self.rng.random() < self.kill_chance

    def _kill(self, kind: Kind = Kind.KILL) -> None:
        self.count(kind)
        self.epoch += 1
        self._armed_ms = None
        self.stream_up = False
        self.down_ms = self.now_ms + RESTART_MS
        self.push(RESTART_MS, "restart")
        if self._durable is not None:
            self.count(Kind.KILL_WHILE_FULL)
            self._find(self._durable)

    def _restart(self) -> None:
        found = self.fate.journals[self._lives % len(self.fate.journals)]
        self._lives += 1
        old = [desk for at_ms, desk in self._past if at_ms <= self.now_ms - STALE_MS]
        if found is Journal.STALE and old:
            self.count(Kind.JOURNAL_STALE)
            self._find(old[-1])
        elif found is not Journal.WARM:
            # Bots are settings and kept elsewhere; everything of the journal is lost.
            self.count(Kind.JOURNAL_LOST)
            new = blank_desk(self.seed, TIMING)
            self._find(replace(new, bots=self.desk.bots, running=self.desk.running))
        self.desk = desk_room.reopened(self.desk, TIMING, self.clock_ms)
        self.deliver(0, StreamRestored())

    def _find(self, desk: Desk) -> None:
        """A restart finds less than was known."""
        self.forgetful = True
        self._past.clear()
        self.told = Told(desk)
        self.desk = desk

    def _struck(self) -> None:
        if self.now_ms >= self.down_ms:
            self._kill()

    def _full(self) -> None:
        """The disk takes nothing more: what happens now, a restart does not know."""
        if self.now_ms >= self.down_ms and self.desk.bots:
            self.count(Kind.DISK_FULL)
            self._durable = self.desk
            self.deliver(0, EntriesHalted(reason=DISK_FULL))
            self.push(self.fate.last_ms, "room")

    def _room(self) -> None:
        if self._durable is not None:
            self._durable = None
            self.deliver(0, EntriesResumed(reason=DISK_FULL))

    def _skew(self) -> None:
        self.skew_ms = self.fate.skew_ms
        self.count(Kind.CLOCK_AHEAD if self.skew_ms > 0 else Kind.CLOCK_BEHIND)
        self._clock_was_set()
        self.push(self.fate.last_ms, "resync")

    def _resync(self) -> None:
        if self.skew_ms:
            self.skew_ms = 0
            self._clock_was_set()

    def _clock_was_set(self) -> None:
        self._armed_ms = None
        if self.now_ms >= self.down_ms:
            self._arm()

    def _carry(self, command: Command) -> None:
        match command:
            case Tell():
                pass
            case AskAdvisor():
                decided = decision_of(self.rng, command, self._quote(command.symbol))
                self.answer(self.rng.randint(10, 2_000), decided)
            case ShowCard():
                self.cards[command.trade_id] = command.expires_ms
                self._person(command)
            case PlaceOrder(order=order) if order.role is Role.ENTRY and self._durable is not None:
                barred = OrderRefused(order_id=order.order_id, code=NOT_SENT, text="not sent")
                self.answer(0, barred)
            case _:
                self.send(command)

    # ------------------------------------------------------------- people and prices

    def _signal(self) -> None:
        self._signals += 1
        raised = signal_of(self.rng, self._quote(self.rng.choice(SYMBOLS)), self._signals)
        self.deliver(0, raised)
        if self.rng.random() < 0.1:
            self.deliver(1, raised)

    def _quote(self, symbol: str) -> Quote:
        listing = self.fate.instruments[symbol]
        price = self.prices[symbol]
        return Quote(symbol=symbol, price=price, now_ms=self.clock_ms, instrument=listing)

    def _person(self, card: ShowCard) -> None:
        verb = self.rng.choice((CardVerb.APPROVE, CardVerb.APPROVE, CardVerb.HALF, CardVerb.REJECT))
        self.tapped[card.trade_id] = verb
        priceless = self.luck.random() < self.fate.tap_without_price
        if priceless:
            self.count(Kind.PRICELESS_TAP)
            self.priceless.add(card.trade_id)
        taps = 2 if self.rng.random() < 0.2 else 1
        self.count(*[Kind.REPEATED_TAP] * (taps - 1))
        for _ in range(taps):
            delay_ms = self.rng.randint(100, 10_000)
            price = self.prices[self.desk.trades[card.trade_id].symbol]
            tap = tap_of(card.trade_id, verb, price, self.now_ms)
            if priceless:
                old_ms = self.now_ms - 60_000
                shown = None if self.luck.random() < 0.5 else price
                tap = replace(tap, mark_price=shown, mark_ms=old_ms)
            self.deliver(delay_ms, tap)

    def _by_hand(self) -> None:
        self.count(*strike(self.exchange, self.luck, self.now_ms))
        self.tell()

    def _uncover(self) -> None:
        self.count(*uncover(self.exchange, self.luck, self.now_ms))
        self.tell()

    def _meddle(self) -> None:
        turn = self.fate.hand is Hand.TURN
        done = meddle(self.exchange, self.luck, turn=turn, now_ms=self.now_ms)
        if done is not None:
            touched, kind = done
            self.count(kind)
            self.meddled = True
            self.not_ours.add(touched)
            self.tell()

    def _silence(self) -> None:
        self.mute(self.now_ms + self.fate.last_ms)
        self.push(self.fate.last_ms, "notice")

    def _notice(self) -> None:
        if self.stream_up:
            self.cut()

    def _banned(self) -> None:
        self.ban(self.now_ms + self.fate.last_ms)

    def _close_all(self) -> None:
        for trade in self.desk.working():
            asked = CloseRequested(trade_id=trade.trade_id, reason=ExitReason.MANUAL, by=USER)
            self.deliver(0, asked)

    def _tidy(self) -> None:
        """What is not ours is closed by hand, what halted is asked to close."""
        for trade in self.desk.working():
            asked = CloseRequested(trade_id=trade.trade_id, reason=ExitReason.MANUAL, by=USER)
            self.deliver(5_000, asked)
        halted = {t.symbol for t in self.desk.working() if t.phase is Phase.HALTED}
        left_alone = set(self.desk.foreign) - self.not_ours - halted
        assert not left_alone, f"7: {sorted(left_alone)} is ours and was not adopted"
        close_all_by_hand(self.exchange, halted | set(self.desk.foreign), self.now_ms)
        self.tell()
        self.push(15_000, "tidy")

    def _move_prices(self) -> None:
        self.remember_readings()
        for symbol in SYMBOLS:
            step = Decimal(self.rng.randint(-30, 30)) / 10
            if self.rng.random() < 0.02:
                step *= 5
            self.prices[symbol] = max(Decimal(1), self.prices[symbol] + step)
            self.exchange.advance(symbol, self.prices[symbol], self.now_ms, self._liquidity())
            trades = self.desk.trades.values()
            for told in moving.reached(trades, symbol, self.prices[symbol], self.clock_ms):
                self.deliver(1, told)
            if symbol in self.not_ours and not self.quantity(symbol):
                self.not_ours.discard(symbol)
        self.tell()
        self.push(TICK_MS, "price")

    def _liquidity(self) -> Decimal | None:
        """Base units that may trade this second; None: as much as anybody wants."""
        if not self.fate.thin or self.healed_ms is not None or self.luck.random() < 0.4:
            return None
        return Decimal(self.luck.randint(0, 4_000)) / 1000

    _happenings: Final[dict[str, Callable[["World"], None]]] = {
        "price": _move_prices,
        "signal": _signal,
        "hand": _by_hand,
        "meddle": _meddle,
        "uncover": _uncover,
        "close": _close_all,
        "tidy": _tidy,
        "kill": _struck,
        "restart": _restart,
        "reconnect": Network.reconnect,
        "mute": _silence,
        "notice": _notice,
        "ban": _banned,
        "full": _full,
        "room": _room,
        "skew": _skew,
        "resync": _resync,
    }
