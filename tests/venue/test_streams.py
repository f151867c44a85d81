"""The pieces every stream is made of: pauses between tries, and counts of what was dropped."""

from random import Random

from bot.venue.streams import BACKOFF_S_MAX, Backoff, Oddities


def test_backoff_grows_to_a_cap_with_jitter() -> None:
    """Pauses double up to the cap, never more, and the same seed gives the same pauses."""
    pauses = [Backoff(Random(3)).next_s() for _ in range(2)]
    assert pauses[0] == pauses[1]
    backoff = Backoff(Random(3))
    grown = [backoff.next_s() for _ in range(60)]
    assert grown[0] <= 0.1
    assert all(pause <= BACKOFF_S_MAX for pause in grown)
    assert min(grown[-20:]) >= BACKOFF_S_MAX / 2
    backoff.reset()
    assert backoff.next_s() <= 0.1


def test_oddities_are_counted_by_kind_and_bounded() -> None:
    """The wire cannot make us remember more kinds than the limit."""
    oddities = Oddities()
    for number in range(Oddities.KINDS_MAX + 50):
        oddities.note(f"kind-{number}")
    assert len(oddities.counts) == Oddities.KINDS_MAX + 1
    assert oddities.counts["other"] == 50
