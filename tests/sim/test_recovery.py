"""Start is recovery: whatever is left of the journal, the same state is reached."""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

from bot.core.life import facts
from bot.core.messages import Command, PlaceOrder
from bot.core.presets import BotConfig
from bot.core.trade import HOLDING, Role, read_order_id
from bot.replay import sim_world
from bot.replay.sim_cast import ACCOUNT, config_of
from bot.replay.sim_fate import Fate, Journal
from bot.replay.sim_world import World

KILL_MS = 26_000
LOOK_MS = 39_000
ROUND_TRIPS_MS = 500  # a reading and an order, on a good network
MOVE_PRICES = World._happenings["price"]
SEEDS = range(0, 480, 12)  # fair weather, entries without a card


@dataclass(frozen=True)
class State:
    """What counts after a restart: belief, the exchange, and what was newly done to it."""

    belief: frozenset[tuple[str, str, str, str]]
    orders_owned: frozenset[str]
    positions: frozenset[tuple[str, str]]
    orders_open: frozenset[str]
    closes: int
    entries: int
    foreign: frozenset[str]


def state_of(world: World) -> State:
    """Believed and real, in comparable form; phases, quantities, open client ids."""
    trades = [t for t in world.desk.trades.values() if t.phase in HOLDING]
    ours = [read_order_id(ACCOUNT, view.client_id) for view in world.exchange.orders()]
    roles = [name.role for name in ours if name]
    resting = [o.client_id for o in world.exchange.open_orders()]
    resting += [o.client_id for o in world.exchange.open_conditionals()]
    return State(
        belief=frozenset(
            (t.trade_id, t.symbol, t.phase.value, str(facts.held(t).normalize())) for t in trades
        ),
        orders_owned=frozenset(o.order_id for t in trades for o in t.orders if not o.is_over),
        positions=frozenset((v.symbol, str(v.quantity)) for v in world.exchange.positions()),
        orders_open=frozenset(resting),
        closes=roles.count(Role.CLOSE),
        entries=roles.count(Role.ENTRY),
        foreign=frozenset(world.desk.foreign),
    )


def quiet(lot: Fate, **parts: Any) -> Fate:
    """A lot without mishaps, in the same market; `parts` are those it has after all."""
    plain = Fate(
        start_ms=lot.start_ms, instruments=lot.instruments, funded=lot.funded, hedged=lot.hedged
    )
    return replace(plain, **parts)


def after_restart(seed: int, journal: Journal) -> State:
    """The state a few seconds after a kill, with that much left of the journal."""
    states: list[State] = []

    def watch(world: World) -> None:
        if world.now_ms < world.fate.start_ms + LOOK_MS:
            states[:] = [state_of(world)]

    world = World(seed, watch)
    world.faults.heal()  # No request is slow either: the look comes soon after the restart.
    world.fate = quiet(world.fate, journals=(journal,), kill_ms=KILL_MS)
    world.run()
    return states[0]


def patient(rng: Random, seed: int) -> BotConfig:
    """The usual bot without a holding time and reviews: those are lost with the plan."""
    return replace(config_of(rng, seed), position_timeout_ms=0, review_every_ms=0)


def still(world: World) -> None:
    """Prices move until the kill and then stand: what differs afterwards, the restart did."""
    if world.now_ms < world.fate.start_ms + KILL_MS:
        MOVE_PRICES(world)


@pytest.mark.parametrize("journal", [Journal.COLD, Journal.STALE])
def test_a_lost_and_an_old_journal_end_like_a_whole_one(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Positions protected, orders owned, nothing doubled, nothing flattened by a restart (7)."""
    monkeypatch.setitem(World._happenings, "price", still)
    monkeypatch.setattr(sim_world, "config_of", patient)
    held = 0
    for seed in SEEDS:
        warm, other = after_restart(seed, Journal.WARM), after_restart(seed, journal)
        assert other == warm, f"seed {seed}"
        assert {order for order in other.orders_open if order} == other.orders_owned, f"seed {seed}"
        held += bool(other.positions)
    assert held >= 8, "hardly any seed held a position at the restart"


class Deaf(World):
    """A world whose process dies over its first stop: the stop is kept and never sent."""

    def __init__(self, seed: int, journal: Journal) -> None:
        super().__init__(seed, Deaf.look)
        self.faults.heal()
        self.fate = quiet(self.fate, journals=(journal,))
        self.killed_ms: int | None = None
        self.guarded_ms: int | None = None
        self.closes = 0  # until then

    def _carry(self, command: Command) -> None:
        first = isinstance(command, PlaceOrder) and command.order.role is Role.STOP
        if first and self.killed_ms is None:
            self.killed_ms = self.now_ms
            return self._kill()
        return super()._carry(command)

    @staticmethod
    def look(world: World) -> None:
        """Note when the lost stop's position is guarded again."""
        assert isinstance(world, Deaf)
        if world.killed_ms is None or world.guarded_ms is not None:
            return
        ids = [o.client_id for o in world.exchange.open_conditionals()]
        names = [name for order_id in ids if (name := read_order_id(ACCOUNT, order_id))]
        if any(name.role is Role.STOP for name in names):
            world.guarded_ms = world.now_ms
        ours = [read_order_id(ACCOUNT, view.client_id) for view in world.exchange.orders()]
        world.closes = sum(name.role is Role.CLOSE for name in ours if name)


@pytest.mark.parametrize("journal", [Journal.WARM, Journal.COLD])
def test_a_stop_that_never_left_is_replaced_by_the_first_reading(journal: Journal) -> None:
    """Killed between commit and send: guarded again a round trip after the restart, not closed.

    With the journal lost as well nobody knows its level: it gets one at a default distance (2).
    """
    soon_ms = sim_world.RESTART_MS + ROUND_TRIPS_MS
    guarded = 0
    for seed in SEEDS:
        world = Deaf(seed, journal)
        world.run()
        if world.killed_ms is None or world.guarded_ms is None:
            continue  # no trade, or the market had already closed it
        guarded += 1
        assert world.guarded_ms - world.killed_ms <= soon_ms, f"seed {seed}"
        assert not world.closes, f"seed {seed}"
    assert guarded >= 8, "hardly any seed lost a stop"
