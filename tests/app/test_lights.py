"""What /status says of the reading of history."""

from dataclasses import dataclass

from bot.app.lights import bars_light
from bot.venue.filling import WarmUp


@dataclass
class Told:
    """A market that is so far."""

    so_far: WarmUp

    def warmup(self) -> WarmUp:
        """As told."""
        return self.so_far


def test_what_is_ready_is_shown_with_the_time_the_rest_takes() -> None:
    """While it warms up with the seconds left, afterwards without."""
    warming = bars_light(Told(WarmUp(done=120, total=1_800, eta_s=111.4)))
    assert (warming.name, warming.ok) == ("Bars", True)
    assert warming.detail == "120 of 1800 windows, about 111 s left"
    assert bars_light(Told(WarmUp(done=9, total=9, eta_s=0.0))).detail == "9 of 9 windows"
