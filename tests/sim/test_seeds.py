"""The machine under seeded faults: the right one breaks nothing, each wrong one is caught."""

from itertools import islice

import pytest

from bot.replay.sim import run_seed
from tests.sim.broken import VARIANTS, Variant
from tests.sim.known_seeds import KNOWN_SEEDS

SEEDS_EACH = 400  # the rarest variant needs about two hundred


@pytest.mark.parametrize("seed", KNOWN_SEEDS)
def test_a_seed_that_once_broke_something_holds(seed: int) -> None:
    """A bug that a seed found stays found."""
    breach = run_seed(seed)
    assert breach is None, f"{KNOWN_SEEDS[seed]}: {breach}"


def test_the_first_seeds_break_no_invariant() -> None:
    """Lost, late, doubled, reordered, refused, cut and killed: every invariant holds."""
    broken = [breach for seed in range(60) if (breach := run_seed(seed))]
    assert not broken, f"broken: {broken}"


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda v: v.name)
def test_a_broken_variant_is_caught(variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deliberate mistake is caught by at least one seed: the simulation can fail."""
    variant.apply(monkeypatch)
    caught = next(islice(filter(None, map(run_seed, range(SEEDS_EACH))), 1), None)
    assert caught is not None, f"nobody noticed that {variant.name}"
