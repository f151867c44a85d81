"""Twenty thousand broken inputs; the million is `make soak`."""

import pytest

from tests.venue.fuzz import Crash, Fuzzer


def test_twenty_thousand_broken_inputs_break_nothing() -> None:
    """No crash and no order, and enough of them get far enough to mean something."""
    fuzzer = Fuzzer(seed=0)
    fuzzer.run(20_000)
    assert fuzzer.counts["events"] > 2_000
    assert fuzzer.counts["malformed"] > 2_000


def test_a_crash_is_told_with_its_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fuzzer itself notices: a reader that raises anything but Malformed is a crash."""

    def broken(*_: object, **__: object) -> None:
        raise KeyError("s")

    monkeypatch.setattr("tests.venue.fuzz.read_market_frame", broken)
    with pytest.raises(Crash, match="KeyError"):
        Fuzzer(seed=0).run(100)
