"""Kill -9 while trades open, fill, protect and close: what is left agrees with the exchange."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SHOWN
from tests.scenarios import kill_harness

KILLS = 10  # `make soak` does 200


@pytest.mark.slow
async def test_after_each_kill_belief_equals_exchange_within_five_seconds(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Nothing is naked, doubled or orphaned five seconds after any restart, nor at the end."""
    tally = await kill_harness.run(KILLS, 1, tmp_path)
    record_property(SHOWN, tally.words())
    assert not tally.faults, tally.faults
    assert tally.kills == KILLS
    assert tally.trades >= KILLS, "it traded between the kills"
