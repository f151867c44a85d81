"""Seeded bad luck: repeatable, bounded, and ended by healing."""

from collections import Counter

import pytest

from bot.sandbox.faults import PROFILES, Fault, FaultPlan


def sample(plan: FaultPlan, count: int = 4000) -> Counter[Fault]:
    """How often each fault came in `count` messages of each kind."""
    seen: Counter[Fault] = Counter()
    for _ in range(count):
        seen.update(draw.fault for draw in (plan.request(), plan.answer(), plan.event()))
    return seen


def test_same_seed_same_luck() -> None:
    """Two plans with one seed answer alike; another seed does not."""
    draws = [[FaultPlan.named("storm", seed).event() for _ in range(1)] for seed in (1, 1)]
    assert draws[0] == draws[1]
    one, two, other = (FaultPlan.named("storm", seed) for seed in (5, 5, 6))
    first, second, third = ([p.event() for _ in range(200)] for p in (one, two, other))
    assert first == second
    assert first != third


def test_none_lets_everything_pass() -> None:
    """The profile `none` has no faults at all."""
    assert set(sample(FaultPlan.named("none", 1))) == {Fault.NONE}


def test_storm_brings_every_fault_at_about_its_rate() -> None:
    """Every kind comes, and lost answers near their 18 %."""
    seen = sample(FaultPlan.named("storm", 3))
    assert set(seen) == set(Fault)
    assert seen[Fault.LOSE_ANSWER] == pytest.approx(4000 * 0.18, rel=0.15)


def test_delays_are_bounded_and_refusals_carry_a_code() -> None:
    """A delay lies within the profile's bound, a refusal has its words."""
    plan = FaultPlan.named("storm", 4)
    draws = [plan.request() for _ in range(500)] + [plan.answer() for _ in range(500)]
    for draw in draws:
        if draw.fault is Fault.DELAY:
            assert 1 <= draw.delay_ms <= PROFILES["storm"].delay_ms_max
        assert (draw.refusal is not None) == (draw.fault is Fault.REFUSE)


def test_healing_ends_it() -> None:
    """After `heal` everything passes."""
    plan = FaultPlan.named("storm", 4)
    plan.heal()
    assert plan.healed
    assert set(sample(plan, 300)) == {Fault.NONE}


def test_profiles_get_worse_in_order() -> None:
    """No, light, rough, storm."""
    totals = [
        sum(sample(FaultPlan.named(name, 9)).values())
        - sample(FaultPlan.named(name, 9))[Fault.NONE]
        for name in ("none", "light", "rough", "storm")
    ]
    assert totals == sorted(totals)
    assert len(set(totals)) == 4
