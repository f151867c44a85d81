"""The simulation itself: deterministic, honest about what broke, and not idle."""

import json

import pytest

from bot.core.trade import Role
from bot.replay import sim, sim_invariants
from bot.replay.sim_kinds import Kind
from bot.replay.sim_world import SETTLE_MS, World


def test_the_seeds_reach_what_is_rare() -> None:
    """Lost and old journals, hands, panic, funding, split closes, blind taps: all come."""
    seen: set[str] = set()
    for seed in range(150):
        world = World(seed, lambda world: None)
        world.run()
        trades = world.desk.trades.values()
        seen |= {"forgetful"} if world.forgetful else set()
        seen |= {"adopted"} if any(t.adopted for t in trades) else set()
        seen |= (
            {"whole book"} if any(t.adopted and t.of_role(Role.ENTRY) for t in trades) else set()
        )
        seen |= {"meddled"} if world.meddled else set()
        seen |= {"panic"} if world.fate.panic_ms is not None else set()
        seen |= {"funding"} if any(t.funding for t in trades) else set()
        seen |= {"pieces"} if any(len(t.of_role(Role.CLOSE)) > 1 for t in trades) else set()
        seen |= {"priceless"} if world.priceless else set()
    assert seen >= {"forgetful", "adopted", "whole book", "meddled", "panic", "funding", "pieces"}
    assert "priceless" in seen


def test_every_kind_of_misfortune_comes_within_the_seeds_of_ci() -> None:
    """No kind that is named is idle: each really befell somebody before CI's 2,000 seeds end."""
    ledger = sim.Ledger()
    for seed in range(2_000):
        world = World(seed, lambda world: None)
        world.run()
        ledger.add(world)
        if all(ledger.times[kind] for kind in Kind):
            break
    missing = [row["kind"] for row in ledger.rows() if not row["times"]]
    assert not missing, f"never came: {missing}"
    assert ledger.settled_ms_max <= SETTLE_MS


def test_one_seed_is_one_run() -> None:
    """The same seed gives the same journal hash; another seed another (8)."""
    one, again, other = (World(seed, sim_invariants.check).run() for seed in (7, 7, 8))
    assert one == again
    assert one != other


@pytest.mark.parametrize("seed", [246, 1209, 6370])
def test_watching_changes_nothing(seed: int) -> None:
    """Clocks that step back among them: the journal is the same when nobody looks (8)."""
    watched = World(seed, sim_invariants.check).run()
    assert watched == World(seed, lambda world: None).run()


def test_a_breach_names_its_seed_and_what_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seed and sentence are the whole bug report."""

    def breaks(world: World) -> None:
        raise AssertionError(f"2: {world.seed} was bare")

    monkeypatch.setattr(sim_invariants, "check_end", breaks)
    breach = sim.run_seed(3)
    assert breach is not None
    assert (breach.seed, breach.what) == (3, "2: 3 was bare")
    assert [b.seed for b in sim.run_seeds([4, 5])] == [4, 5]


def test_the_command_fails_when_a_seed_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 with a broken seed, 0 without; with --json, stdout is one record."""
    assert sim.main(0, 3, as_json=True) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["broken"] == []
    assert [row["kind"] for row in report["faults"]] == [kind.value for kind in Kind]

    def broken(seed: int, ledger: sim.Ledger) -> sim.Breach:
        del ledger
        return sim.Breach(seed=seed, what="3: it spins")

    monkeypatch.setattr(sim, "run_seed", broken)
    assert sim.main(0, 2, as_json=True) == 1
    found = json.loads(capsys.readouterr().out)["broken"]
    assert {b["what"] for b in found} == {"3: it spins"}


def test_the_seeds_reach_every_weather_and_most_ends() -> None:
    """The first seeds together open, protect, close and lose trades: the world is not idle."""
    reasons: set[str] = set()
    outcomes: set[str] = set()
    for seed in range(60):
        world = World(seed, lambda world: None)
        world.run()
        reasons |= {closed.exit_reason.value for closed in world.desk.closed}
        outcomes |= {t.outcome.value for t in world.desk.trades.values() if t.outcome}
    assert {"stop_loss", "take_profit", "manual", "timeout", "external"} <= reasons
    assert {"closed", "rejected", "declined", "blocked"} <= outcomes
