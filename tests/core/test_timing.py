"""Deadlines on a faster clock."""

from dataclasses import fields

from bot.core.timing import Timing


def test_every_network_deadline_is_stretched_by_the_speed() -> None:
    """At 600 times the wall's speed each patience is 600 times as long in market time."""
    plain, fast = Timing(), Timing().at_speed(600)
    for field in fields(Timing):
        assert getattr(fast, field.name) == 600 * getattr(plain, field.name)


def test_at_the_walls_own_speed_nothing_changes() -> None:
    """Speed one is the same record."""
    assert Timing().at_speed(1) == Timing()


def test_the_alarm_comes_before_the_emergency_close() -> None:
    """The owner hears of a bare position before it is closed."""
    timing = Timing()
    assert timing.ask_after_ms < timing.unprotected_alarm_ms < timing.unprotected_max_ms
