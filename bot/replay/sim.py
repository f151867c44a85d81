"""`python -m bot sim`: many seeds, each run twice, invariants checked, hashes compared.

Prints what broke with its seed: seed and commit are the whole bug report.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from bot.replay import sim_invariants
from bot.replay.sim_world import World
from bot.shell.clock import wall_monotonic_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One seed that broke something."""

    seed: int
    what: str


def run_seed(seed: int) -> Breach | None:
    """Run one seed twice; None when every invariant held and both journals are equal."""
    hashes = []
    for _ in range(2):
        world = World(seed, sim_invariants.check)
        try:
            hashes.append(world.run())
            sim_invariants.check_end(world)
        except AssertionError as broken:
            return Breach(seed=seed, what=str(broken) or repr(broken))
    if hashes[0] != hashes[1]:
        return Breach(seed=seed, what="8: the same seed gave two journals")
    return None


def run_unwatched(seed: int) -> None:
    """Run one seed twice without looking: the floor of a benchmark."""
    for _ in range(2):
        World(seed, lambda _world: None).run()


def run_seeds(seeds: Iterable[int]) -> list[Breach]:
    """Every breach among these seeds."""
    return [breach for seed in seeds if (breach := run_seed(seed)) is not None]


def main(first: int, last: int, as_json: bool = False) -> int:
    """Run seeds `first` to `last`, both included; 1 when any broke, else 0."""
    started_s = wall_monotonic_s()
    breaches: list[Breach] = []
    count = last - first + 1
    for done, seed in enumerate(range(first, last + 1), start=1):
        breach = run_seed(seed)
        if breach is not None:
            breaches.append(breach)
            _say(f"seed {breach.seed} broke {breach.what}", as_json=as_json)
        if done % 250 == 0:
            _say(f"{done} of {count} seeds, {len(breaches)} broken", as_json=as_json)
    elapsed_s = wall_monotonic_s() - started_s
    rate = count / elapsed_s if elapsed_s else 0.0
    if as_json:
        found = [{"seed": b.seed, "what": b.what} for b in breaches]
        report = {"seeds": count, "broken": found, "seeds_per_s": round(rate, 1)}
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        _say(f"{count} seeds, {len(breaches)} broken, {rate:.0f} seeds/s", as_json=False)
    return 1 if breaches else 0


def _say(line: str, *, as_json: bool) -> None:
    (sys.stderr if as_json else sys.stdout).write(line + "\n")
