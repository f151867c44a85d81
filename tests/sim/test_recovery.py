"""Start is recovery: whatever is left of the journal, the same state is reached."""

from dataclasses import dataclass, replace
from random import Random

import pytest

from bot.core import facts
from bot.core.presets import BotConfig
from bot.core.trade import HOLDING, Role, read_order_id
from bot.replay import sim_world
from bot.replay.sim_cast import ACCOUNT, config_of
from bot.replay.sim_fate import Journal
from bot.replay.sim_world import World

KILL_MS = 26_000
LOOK_MS = 39_000
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


def after_restart(seed: int, journal: Journal) -> State:
    """The state a few seconds after a kill, with that much left of the journal."""
    states: list[State] = []

    def watch(world: World) -> None:
        if world.now_ms < world.fate.start_ms + LOOK_MS:
            states[:] = [state_of(world)]

    world = World(seed, watch)
    world.faults.heal()  # No request is slow either: the look comes soon after the restart.
    world.fate = replace(
        world.fate, journals=(journal,), kill_ms=KILL_MS, hand_ms=None, panic_ms=None, unlisted=0.0
    )
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
