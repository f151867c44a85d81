"""`python -m bot sim`: many seeds, each run twice, invariants checked, hashes compared.

Prints what broke with its seed (seed and commit are the whole bug report), and how often each kind
of misfortune really befell somebody, so that a quiet simulation cannot pass for a good one.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from bot.replay import sim_invariants
from bot.replay.sim_kinds import Kind
from bot.replay.sim_world import World
from bot.shell.clock import wall_monotonic_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One seed that broke something."""

    seed: int
    what: str


class Ledger:
    """What befell the worlds of a run: how often, and in how many seeds; how long they settled."""

    def __init__(self) -> None:
        self.times: Counter[Kind] = Counter()
        self.seeds: Counter[Kind] = Counter()
        self.settled_ms_max = 0

    def add(self, world: World) -> None:
        """Count one world that ran."""
        self.times.update(world.tally)
        self.seeds.update(set(world.tally))
        self.settled_ms_max = max(self.settled_ms_max, world.settled_ms)

    def rows(self) -> list[dict[str, str | int]]:
        """Every kind, also those that never came."""
        return [
            {"kind": kind.value, "times": self.times[kind], "seeds": self.seeds[kind]}
            for kind in Kind
        ]


def run_seed(seed: int, ledger: Ledger | None = None) -> Breach | None:
    """Run one seed twice; None when every invariant held and both journals are equal.

    The second run is only compared: an equal journal says that it took the same steps.
    """
    world = World(seed, sim_invariants.check)
    try:
        journal = world.run()
        sim_invariants.check_end(world)
        again = World(seed, _unwatched).run()
    except AssertionError as broken:
        return Breach(seed=seed, what=str(broken) or repr(broken))
    if ledger is not None:
        ledger.add(world)
    if journal != again:
        return Breach(seed=seed, what="8: the same seed gave two journals")
    return None


def run_unwatched(seed: int) -> None:
    """Run one seed twice without looking: the floor of a benchmark."""
    for _ in range(2):
        World(seed, _unwatched).run()


def _unwatched(world: World) -> None:
    """Look at nothing."""


def run_seeds(seeds: Iterable[int]) -> list[Breach]:
    """Every breach among these seeds."""
    return [breach for seed in seeds if (breach := run_seed(seed)) is not None]


def main(first: int, last: int, as_json: bool = False) -> int:
    """Run seeds `first` to `last`, both included; 1 when any broke, else 0."""
    started_s = wall_monotonic_s()
    breaches: list[Breach] = []
    ledger = Ledger()
    count = last - first + 1
    for done, seed in enumerate(range(first, last + 1), start=1):
        breach = run_seed(seed, ledger)
        if breach is not None:
            breaches.append(breach)
            _say(f"seed {breach.seed} broke {breach.what}", as_json=as_json)
        if done % 250 == 0:
            _say(f"{done} of {count} seeds, {len(breaches)} broken", as_json=as_json)
    elapsed_s = wall_monotonic_s() - started_s
    rate = count / elapsed_s if elapsed_s else 0.0
    if as_json:
        report = {
            "seeds": count,
            "broken": [{"seed": b.seed, "what": b.what} for b in breaches],
            "seeds_per_s": round(rate, 1),
            "settled_ms_max": ledger.settled_ms_max,
            "faults": ledger.rows(),
        }
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        for row in ledger.rows():
            _say(f"  {row['times']:>8} in {row['seeds']:>6} seeds: {row['kind']}", as_json=False)
        _say(f"settled at the latest {ledger.settled_ms_max} ms after healing", as_json=False)
        _say(f"{count} seeds, {len(breaches)} broken, {rate:.0f} seeds/s", as_json=False)
    return 1 if breaches else 0


def _say(line: str, *, as_json: bool) -> None:
    (sys.stderr if as_json else sys.stdout).write(line + "\n")
