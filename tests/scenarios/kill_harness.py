"""Kill -9 at random moments: the real service in a process of its own, again and again.

One process trades by itself (signals, closes, moved prices); it is killed at a seeded moment, half
of the time just behind a request of a chosen kind, which may be on its way for seconds or never
arrive: a kill between keeping an order and sending it. The next one must agree with the exchange
within five seconds of its start: positions and orders as the database tells them, nothing naked,
doubled or orphaned. `python -m tests.scenarios.kill_harness --kills 200 --seed 1` prints what it
measured.

The five seconds are of a quiet machine like the one they were set on. Most of a start is Python
reading modules, so the bound grows with the processor time which that takes in the same run, and
by the time for which the machine let the process wait (the kernel's count, /proc/PID/schedstat).
What the service itself waits for (answers, deadlines) is never forgiven.
"""

import argparse
import asyncio
import json
import random
import resource
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from bot.app.people import OWNER
from bot.app.service import Service
from bot.core.life.facts import booked
from bot.core.messages import CloseRequested
from bot.core.presets import ApprovalMode, BotConfig
from bot.core.trade import HOLDING, UNHEARD, Order, Phase, Role, Trade, read_order_id
from bot.sandbox.exchange_control import CONTROL, Turn
from bot.sandbox.exchange_gate import Meter
from bot.sandbox.exchange_server import ExchangeSandbox
from bot.sandbox.tape_instruments import instruments_for
from bot.sandbox.tape_walk import WalkTape
from bot.sandbox.telegram_server import serve_telegram
from bot.shell import log as logs
from bot.shell.clock import SystemClock, wall_monotonic_s
from bot.shell.recorder import Recorder
from data.model import Direction, ExitReason
from data.store.store import Store
from memory.verdict import RULE_IDS
from tests.house import ROOT
from tests.scenarios import actor
from tests.scenarios.stage import KEY, SECRET, TOKEN

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
AGREE_S = 5.0  # from the start of the process
FLOOR = "import bot.app.service"  # what a start does before it does anything
FLOOR_S = 1.3  # of processor time, where AGREE_S was set
READY_S = 60.0
SURE_S = 15.0  # at the end: nothing is unknown any more, nothing is open
LATENCY_MS = 15  # of every order request: loopback alone would be killed between requests only
SAY_EVERY = 20  # kills
UNSURE_MS_MAX = 10_000  # surely expired after six seconds, then asked twice
HELD_MS = (300, 1_500, 4_000, 8_000)  # a request on its way while its sender is dead
AIMS = (
    ("POST", "/fapi/v1/order"),
    ("POST", "/fapi/v1/algoOrder"),
    ("DELETE", "/fapi/v1/algoOrder"),
)


Progress = Callable[[str], None]


def busy_bot() -> BotConfig:
    """A bot without limits of a day and without memory: every signal is traded."""
    return BotConfig(
        bot_id="story",
        user_id=OWNER,
        account_id="main",
        timeframe="1m",
        approval_mode=ApprovalMode.AUTO,
        risk_pct=Decimal("0.05"),
        score_threshold=99.5,  # only the driver's own signals
        drift_bps_max=Decimal(500),
        confirm_bps=Decimal(500),
        signals_per_day_max=0,
        trades_per_day_max=0,
        open_trades_max=len(SYMBOLS),
        daily_loss_pct_max=Decimal(0),
        memory_off=RULE_IDS,
    )


@dataclass
class Tally:
    """What a run of kills measured and found."""

    kills: int = 0
    trades: int = 0
    held: int = 0  # kills that found a position open
    bare: int = 0  # ... and without its stop
    unsent: int = 0  # ... and an order kept of which the exchange knew nothing (yet)
    unsent_stops: int = 0  # ... which was the stop of a position
    unsure: int = 0  # agreements with an order that was still UNKNOWN, within its bound
    stopless: int = 0  # trades that ended before the exchange had their stop
    slowness: float = 1.0  # how much longer than FLOOR_S this machine takes
    read_s: list[float] = field(default_factory=list)
    agree_s: list[float] = field(default_factory=list)
    behind_s: list[float] = field(default_factory=list)  # from the account's reading to agreement
    bound_s: list[float] = field(default_factory=list)
    protect_ms: list[int] = field(default_factory=list)  # alive between fill and stop
    across_ms: list[int] = field(default_factory=list)  # dead for a part of it
    faults: list[str] = field(default_factory=list)

    def words(self) -> str:
        """The distributions, for a person."""
        return (
            f"{self.kills} kills, {self.trades} trades; {self.held} kills with a position, "
            f"{self.bare} with a bare one, {self.unsure} with an unknown order at agreement\n"
            f"between keeping an order and its arrival: {self.unsent} kills, "
            f"{self.unsent_stops} of them with the stop of a bare position\n"
            f"account read after {_spread(self.read_s)} s from the process's start\n"
            f"agreed after       {_spread(self.agree_s)} s from the process's start\n"
            f"... that is        {_spread(self.behind_s)} s from the account's reading\n"
            f"allowed were       {_spread(self.bound_s)} s (a start costs {self.slowness:.2f} of "
            f"the processor time it should)\n"
            f"protected          {_spread(self.protect_ms)} ms after the fill\n"
            f"protected, killed  {_spread(self.across_ms)} ms after the fill, dead in between\n"
            f"ended before a stop was there: {self.stopless}; faults: {len(self.faults)}"
        )


class Belief:
    """What the service's database says, read beside it."""

    def __init__(self, database: Path) -> None:
        self._database = database

    async def trades(self) -> list[Trade]:
        """Every trade the desk still carries."""
        store = await Store.open(f"sqlite+aiosqlite:///{self._database}", read_only=True)
        try:
            row = await store.load_desk("main")
            assert row is not None, "no step was kept"
            ids = json.loads(row.body)["trades"]
            rows = [await store.trade(trade_id) for trade_id in ids]
        finally:
            await store.close()
        return [Recorder.read_trade(kept.body) for kept in rows if kept is not None]


def disagreements(trades: list[Trade], truth: dict[str, Any]) -> list[str]:
    """Where belief and exchange differ, and what is naked, doubled or orphaned."""
    positions = {row["symbol"]: Decimal(row["positionAmt"]) for row in truth["positions"]}
    return [
        *_positions(trades, positions),
        *_naked(positions, truth["open_conditionals"]),
        *_doubled(trades, truth),
        *_orphans(trades, truth),
    ]


def _positions(trades: list[Trade], positions: dict[str, Decimal]) -> list[str]:
    believed: dict[str, Decimal] = {}
    for trade in trades:
        if trade.phase in HOLDING and booked(trade) and trade.direction is not None:
            amount = booked(trade) * trade.direction.sign
            believed[trade.symbol] = believed.get(trade.symbol, Decimal(0)) + amount
    found = [f"believed {believed}, held {positions}"] if believed != positions else []
    found += [f"{t.trade_id} is halted" for t in trades if t.phase is Phase.HALTED]
    found += [f"{t.trade_id} was adopted though recorded" for t in trades if t.adopted]
    return found


def _naked(positions: dict[str, Decimal], conditionals: list[dict[str, Any]]) -> list[str]:
    found = []
    for symbol, amount in positions.items():
        side = "SELL" if amount > 0 else "BUY"
        stops = [
            row
            for row in conditionals
            if (row["symbol"], row["side"], row["orderType"]) == (symbol, side, "STOP_MARKET")
        ]
        if len(stops) != 1:
            found.append(f"{symbol} has {len(stops)} stops")
    return found


def _doubled(trades: list[Trade], truth: dict[str, Any]) -> list[str]:
    entered: dict[str, Decimal] = {}
    for fill in truth["fills"]:
        name = read_order_id("main", fill["clientOrderId"])
        if name is not None and name.role is Role.ENTRY:
            entered[name.trade_id] = entered.get(name.trade_id, Decimal(0)) + Decimal(fill["qty"])
    return [
        f"{trade.trade_id} was entered with {entered[trade.trade_id]} of {trade.plan.quantity}"
        for trade in trades
        if trade.plan is not None and entered.get(trade.trade_id, 0) > trade.plan.quantity
    ]


def _orphans(trades: list[Trade], truth: dict[str, Any]) -> list[str]:
    wanted = {o.order_id for t in trades for o in t.orders if not o.is_over}
    there = {row["clientOrderId"] for row in truth["open_orders"]}
    there |= {row["clientAlgoId"] for row in truth["open_conditionals"]}
    found = [f"{order_id} belongs to nothing" for order_id in there - wanted]
    for trade in trades:
        for order in trade.orders:
            if order.is_over or order.order_id in there:
                continue
            if order.state in UNHEARD:
                age_ms = truth["now_ms"] - order.sent_ms
                if age_ms > UNSURE_MS_MAX:
                    found.append(f"{order.order_id} is unknown for {age_ms} ms")
            else:
                found.append(f"{order.order_id} is believed {order.state} and is not there")
    return found


def _silently(line: str) -> None:
    del line


class Harness:
    """The pretend world and the process that is killed in it."""

    def __init__(
        self, exchange: ExchangeSandbox, telegram: str, folder: Path, seed: int, say: Progress
    ) -> None:
        self._exchange = exchange
        self._say_aloud = say
        self._dice = random.Random(seed)
        self._folder = folder
        self._part = actor.Part(
            rest=exchange.rest,
            ws=exchange.ws,
            telegram=telegram,
            token=TOKEN,
            api_key=KEY,
            api_secret=SECRET,
            database=str(folder / "bot.db"),
            symbol=SYMBOLS[0],
            approval="auto",
        )
        self._belief = Belief(folder / "bot.db")
        self._died_ms = 0
        self._dead_ms: list[tuple[int, int]] = []  # from a kill to the next reading
        self.tally = Tally()

    async def run(self, kills: int) -> Tally:
        """Start, let it trade, kill; so many times; then close everything and look once more."""
        self.tally.slowness = max(1.0, await _floor_s() / FLOOR_S)
        for number in range(kills):
            process = await self._start()
            try:
                await self._say(process, f"go {self._dice.randrange(1 << 30)}")
                await self._wait_for_the_moment(aimed=number % 2 == 1)
            finally:
                process.kill()
                await process.wait()
            await self._look_at_the_dead()
            await self._control("heal")
        process = await self._start()
        try:
            await self._say(process, "close")
            until_s = wall_monotonic_s() + SURE_S * self.tally.slowness
            await self._settle(self._empty, lambda: until_s, "everything is closed and known")
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0, "the last one ends in order"
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        self._measure_protection()
        return self.tally

    async def _start(self) -> asyncio.subprocess.Process:
        began_s = wall_monotonic_s()
        with (self._folder / "kill.log").open("a") as lines:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.scenarios.kill_harness",
                "--actor",
                self._part.as_json(),
                stdin=PIPE,
                stdout=PIPE,
                stderr=lines,
                cwd=ROOT,
            )
        waited_s = _waited_s("self")

        def until_s() -> float:
            starved_s = _waited_s(process.pid) + _waited_s("self") - waited_s
            return began_s + AGREE_S * self.tally.slowness + starved_s

        try:
            await self._hear(process, "recovered")
            self.tally.read_s.append(wall_monotonic_s() - began_s)
            self._dead_ms.append((self._died_ms, self._truth()["now_ms"]))
            await self._settle(self._disagreements, until_s, "belief equals exchange")
            self.tally.bound_s.append(until_s() - began_s)
            self.tally.agree_s.append(wall_monotonic_s() - began_s)
            self.tally.behind_s.append(self.tally.agree_s[-1] - self.tally.read_s[-1])
            await self._hear(process, "ready")
        except BaseException:
            if process.returncode is None:
                process.kill()
            await process.wait()
            raise
        return process

    @staticmethod
    async def _hear(process: asyncio.subprocess.Process, word: str) -> None:
        assert process.stdout is not None
        async with asyncio.timeout(READY_S):
            line = (await process.stdout.readline()).decode().strip()
        assert line == word, f"{line!r} instead of {word!r}: see kill.log"

    async def _settle(
        self, look: Callable[[], Awaitable[list[str]]], until_s: Callable[[], float], what: str
    ) -> None:
        while found := await look():
            if wall_monotonic_s() >= until_s():
                self.tally.faults.append(f"kill {self.tally.kills}: not {what}: {found}")
                self._say_aloud(self.tally.faults[-1])
                return
            await asyncio.sleep(0.05)

    async def _disagreements(self) -> list[str]:
        trades = await self._belief.trades()
        found = disagreements(trades, self._truth())
        if not found and any(o.state in UNHEARD for t in trades for o in t.orders):
            self.tally.unsure += 1
        return found

    async def _empty(self) -> list[str]:
        trades, truth = await self._belief.trades(), self._truth()
        found = disagreements(trades, truth)
        found += [f"{t.trade_id} is {t.phase}" for t in trades if t.phase is not Phase.IDLE]
        rows = (*truth["positions"], *truth["open_orders"], *truth["open_conditionals"])
        return found + [f"left at the exchange: {row}" for row in rows]

    async def _wait_for_the_moment(self, *, aimed: bool) -> None:
        await self._slow_down()
        until_s = wall_monotonic_s() + self._dice.uniform(0.2, 1.2)
        while wall_monotonic_s() < until_s:
            await self._shake()
            await asyncio.sleep(0.05)
        if not aimed:
            return
        aim = self._dice.choices(AIMS, weights=(2, 2, 1))[0]
        after_s = self._dice.uniform(0.0, 0.03)
        await self._hold(aim)
        seen, deadline_s = self._count(aim), wall_monotonic_s() + 1.0
        while self._count(aim) == seen and wall_monotonic_s() < deadline_s:
            await asyncio.sleep(0.001)
        await asyncio.sleep(after_s)

    async def _slow_down(self) -> None:
        for method, path in AIMS:
            shot = self._dice.choice(("delay", "delay_request"))
            body = {"method": method, "path": path, "count": 10_000, "delay_ms": LATENCY_MS}
            await self._control("inject", fault=shot, **body)

    async def _hold(self, aim: tuple[str, str]) -> None:
        """Now and then the request behind which we kill is under way for long, or for ever."""
        shot = self._dice.choice(("", "", "delay_request", "delay_request", "lost_request"))
        if shot:
            method, path = aim
            count, held_ms = self._dice.randint(1, 2), self._dice.choice(HELD_MS)
            body = {"method": method, "path": path, "count": count, "delay_ms": held_ms}
            await self._control("heal")  # The first that fits is taken.
            await self._control("inject", fault=shot, **body)
            await self._slow_down()

    def _count(self, aim: tuple[str, str]) -> int:
        return sum(1 for row in self._exchange.received if (row["method"], row["path"]) == aim)

    async def _shake(self) -> None:
        # Now and then far enough to reach a stop or a target one percent away.
        symbol = self._dice.choice(SYMBOLS)
        last = self._exchange.floor.exchange.markets[symbol].last
        assert last is not None
        move = self._dice.choice((0, 0, 0, 0, -120, 120))
        price = (last * (10_000 + move) / 10_000).quantize(Decimal("0.1"))
        if move:
            await self._control("price", symbol=symbol, price=str(price))

    async def _look_at_the_dead(self) -> None:
        truth = self._truth()
        self._exchange.received.clear()
        # Ten starts a minute would use up the minute's weight; nobody starts that often.
        self._exchange.door.meter = Meter()
        self._died_ms = truth["now_ms"]
        self.tally.kills += 1
        if self.tally.kills % SAY_EVERY == 0:
            self._say_aloud(f"{self.tally.kills} kills, {len(self.tally.faults)} faults")
        self.tally.held += bool(truth["positions"])
        positions = {row["symbol"]: Decimal(row["positionAmt"]) for row in truth["positions"]}
        self.tally.bare += bool(_naked(positions, truth["open_conditionals"]))
        unsent = await self._unsent(truth)
        self.tally.unsent += bool(unsent)
        bare = [s for s, n in positions.items() if _naked({s: n}, truth["open_conditionals"])]
        self.tally.unsent_stops += any(o.role is Role.STOP and o.symbol in bare for o in unsent)

    async def _unsent(self, truth: dict[str, Any]) -> list[Order]:
        """Orders that were kept as sent and of which the exchange knows nothing."""
        arrived = {row["clientOrderId"] for row in truth["orders"]}
        arrived |= {row["clientAlgoId"] for row in truth["conditionals"]}
        kept = [order for trade in await self._belief.trades() for order in trade.orders]
        return [o for o in kept if o.state in UNHEARD and o.order_id not in arrived]

    def _measure_protection(self) -> None:
        filled: dict[str, int] = {}
        stopped: dict[str, int] = {}
        truth = self._truth()
        for fill in truth["fills"]:
            name = read_order_id("main", fill["clientOrderId"])
            if name is not None and name.role is Role.ENTRY:
                filled.setdefault(name.trade_id, int(fill["time"]))
        for row in truth["conditionals"]:
            name = read_order_id("main", row["clientAlgoId"])
            if name is not None and name.role is Role.STOP:
                stopped.setdefault(name.trade_id, int(row["createTime"]))
        self.tally.trades = len(filled)
        for trade_id, since_ms in filled.items():
            if (until_ms := stopped.get(trade_id)) is None:
                self.tally.stopless += 1
                continue
            killed = any(since_ms <= back and died <= until_ms for died, back in self._dead_ms)
            chosen = self.tally.across_ms if killed else self.tally.protect_ms
            chosen.append(until_ms - since_ms)

    def _truth(self) -> dict[str, Any]:
        turn = Turn(world=self._exchange, body={}, query={})
        found = CONTROL[("GET", "/sandbox/truth")](turn)
        assert isinstance(found, dict)
        return found

    async def _control(self, route: str, **body: Any) -> None:
        CONTROL[("POST", f"/sandbox/{route}")](Turn(world=self._exchange, body=body, query={}))

    @staticmethod
    async def _say(process: asyncio.subprocess.Process, word: str) -> None:
        assert process.stdin is not None
        process.stdin.write(f"{word}\n".encode())
        await process.stdin.drain()


async def run(kills: int, seed: int, folder: Path, say: Progress = _silently) -> Tally:
    """So many kills in a world of their own; what was measured and found. `say` hears of both."""
    tape = WalkTape(seed, SYMBOLS)
    exchange = ExchangeSandbox(
        tape=tape,
        instruments=instruments_for(tape.first_prices),
        clock=SystemClock(),
        api_key=KEY,
        api_secret=SECRET,
    )
    await exchange.start()
    telegram = await serve_telegram(0, token=TOKEN, seed=seed, clock=SystemClock(), pace=50.0)
    try:
        return await Harness(exchange, telegram.address.base_url, folder, seed, say).run(kills)
    finally:
        await telegram.stop()
        await exchange.stop()


async def _serve(part: actor.Part) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    service = actor.service_of(part, busy_bot(), SYMBOLS)
    running = asyncio.create_task(service.run(stop))
    for word, moment in (("recovered", service.recovered), ("ready", service.ready)):
        waiting = asyncio.create_task(moment.wait())
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            waiting.cancel()
            running.result()
        print(word, flush=True)  # noqa: T201 - this is its answer
    driving: set[asyncio.Task[None]] = set()

    def hear() -> None:
        word, _, seed = sys.stdin.readline().strip().partition(" ")
        if word == "go":
            driving.add(asyncio.create_task(_drive(service, random.Random(int(seed)))))
        elif word == "close":
            _close(service, service.engine.desk.working())
        else:
            loop.remove_reader(sys.stdin.fileno())

    loop.add_reader(sys.stdin.fileno(), hear)
    await running


async def _drive(service: Service, dice: random.Random) -> None:
    while True:
        await asyncio.sleep(dice.uniform(0.03, 0.2))
        desk = service.engine.desk
        active = [t for t in desk.working() if t.phase is Phase.POSITION_ACTIVE]
        if active and dice.random() < 0.4:
            _close(service, (dice.choice(active),))
            continue
        symbol, name = dice.choice(SYMBOLS), f"{service.clock.now_ms()}"
        service.engine.post(actor.signal_of(service, symbol, name, direction=Direction.LONG))


def _close(service: Service, trades: tuple[Trade, ...]) -> None:
    for trade in trades:
        reason = ExitReason.MANUAL
        service.engine.post(
            CloseRequested(trade_id=trade.trade_id, reason=reason, by="kill harness")
        )


def _waited_s(pid: int | str) -> float:
    """For how long a process wanted to run and the machine ran something else; 0 if not told."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0


async def _floor_s() -> float:
    """Processor time of a bare start on this machine, now; the better of two."""
    costs = []
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", FLOOR, cwd=ROOT)
        assert await child.wait() == 0, "the service cannot be imported"
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        costs.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(costs)


def _spread(values: list[float] | list[int]) -> str:
    if not values:
        return "(none)"
    row = sorted(values)
    picks = [row[min(len(row) - 1, int(len(row) * part))] for part in (0.5, 0.95, 0.99)]
    median, p95, p99 = (round(pick, 2) for pick in picks)
    return f"n {len(row)}, p50 {median}, p95 {p95}, p99 {p99}, max {round(row[-1], 2)}"


def _aloud(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def main() -> int:
    """The command line: a soak of so many kills, or one actor."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--actor", default="")
    given = parser.parse_args()
    if given.actor:
        part = actor.Part(**json.loads(given.actor))
        logs.configure(json_lines=True, secrets=(part.token, part.api_key, part.api_secret))
        asyncio.run(_serve(part))
        return 0
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    tally = asyncio.run(run(given.kills, given.seed, folder, _aloud))
    lines = [tally.words(), *tally.faults]
    if tally.faults:
        lines.append(f"seed {given.seed}; log and database in {folder}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if tally.faults else 0


if __name__ == "__main__":
    sys.exit(main())
