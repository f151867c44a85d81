"""The ranking by volume, and the rotation: bounded, steady within a slot, fair."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.core.universe import (
    Ranking,
    Reason,
    Rotation,
    Rules,
    advance,
    is_plain,
    missed,
    ranked,
    refresh_at_ms,
    slot_end_ms,
    slot_of,
)
from data.model import Instrument
from tests.core.build import instrument

NOW_MS = 1_790_000_000_000
DAY_MS = 86_400_000
MINUTE_MS = 60_000
NAMES = [f"{letter}{number}USDT" for letter in "ABCDEFGH" for number in range(5)]


def listed(*symbols: str, **changes: object) -> dict[str, Instrument]:
    """Instruments by symbol."""
    return {symbol: instrument(symbol=symbol, **changes) for symbol in symbols}


def rank(
    volumes: Mapping[str, int | str], rules: Rules | None = None, **instruments: Instrument
) -> Ranking:
    """A first ranking of these volumes, of these instruments or of all that have one."""
    known = instruments or listed(*volumes)
    wanted = {symbol: Decimal(volume) for symbol, volume in volumes.items()}
    return ranked(Ranking(), rules or Rules(), known, wanted, NOW_MS)


# ------------------------------------------------------------------------------ the ranking


def test_the_largest_volumes_come_first_up_to_the_limit() -> None:
    """By quote volume, equal ones by name, N of them."""
    found = rank({"AUSDT": 5, "BUSDT": 9, "CUSDT": 5, "DUSDT": 1}, Rules(top=3))
    assert found.symbols == ("BUSDT", "AUSDT", "CUSDT")
    assert not found.fault


def test_only_what_may_be_traded_is_ranked() -> None:
    """Coin-margined, delivery and delisted rows have no tradable instrument: passed over."""
    known = listed("AUSDT", "BUSDT") | listed("GONEUSDT", tradable=False)
    volumes = {"AUSDT": 1, "BUSDT": 2, "GONEUSDT": 9, "BTCUSD_PERP": 99, "BTCUSDT_251226": 99}
    assert rank(volumes, **known).symbols == ("BUSDT", "AUSDT")


def test_what_is_left_out_says_why() -> None:
    """Excluded, too young, in another script, without a volume: each set aside by its reason."""
    known = listed("AUSDT", "BUSDT", "币安人生USDT", "ZUSDT", "YUSDT", "QUSDT", onboard_ms=1)
    known |= listed("CUSDT", onboard_ms=NOW_MS - 2 * DAY_MS)
    volumes = {"AUSDT": 9, "BUSDT": 8, "CUSDT": 7, "币安人生USDT": 6, "YUSDT": 5, "QUSDT": 4}
    found = rank(volumes, Rules(excluded=("BUSDT",), age_ms_min=7 * DAY_MS), **known)
    assert found.symbols == ("AUSDT", "YUSDT", "QUSDT")
    assert {one.symbol: one.reason for one in found.set_aside} == {
        "BUSDT": Reason.EXCLUDED,
        "CUSDT": Reason.YOUNG,
        "币安人生USDT": Reason.OTHER_SCRIPT,
        "ZUSDT": Reason.NO_VOLUME,
    }


@pytest.mark.parametrize("told", [{}, {"AUSDT": 1}, {"XUSD_PERP": 9, "AUSDT": 0}])
def test_a_short_answer_leaves_the_last_good_ranking(told: dict[str, int]) -> None:
    """Fewer than half of what trades is no answer: the old order stands, and it is said."""
    known = listed("AUSDT", "BUSDT", "CUSDT")
    before = rank({"AUSDT": 3, "BUSDT": 2, "CUSDT": 1}, **known)
    volumes = {symbol: Decimal(volume) for symbol, volume in told.items()}
    after = ranked(before, Rules(), known, volumes, NOW_MS + 1)
    assert (after.symbols, after.ranked_ms) == (before.symbols, NOW_MS)
    assert after.tried_ms == NOW_MS + 1
    assert "of 3 symbols" in after.fault


def test_a_short_answer_is_taken_when_there_is_nothing_better() -> None:
    """At the first start a few symbols are better than none; it is read again soon."""
    found = rank({"AUSDT": 1}, **listed("AUSDT", "BUSDT", "CUSDT"))
    assert found.symbols == ("AUSDT",)
    assert found.fault
    assert refresh_at_ms(found, Rules(), 60_000) == NOW_MS + 60_000


def test_volumes_are_read_again_every_six_hours_and_sooner_after_a_fault() -> None:
    """At once when never read; a fault is tried again after the pause, not after six hours."""
    good = rank({"AUSDT": 1})
    assert refresh_at_ms(Ranking(), Rules(), 60_000) == 0
    assert refresh_at_ms(good, Rules(), 60_000) == NOW_MS + 6 * 3_600_000
    bad = missed(good, "no answer", NOW_MS + 5)
    assert refresh_at_ms(bad, Rules(), 60_000) == NOW_MS + 5 + 60_000
    assert bad.symbols == good.symbols


@pytest.mark.parametrize(
    ("symbol", "plain"),
    [
        ("BTCUSDT", True),
        ("1000PEPEUSDT", True),
        ("币安人生USDT", False),
        ("BTCUSDT_251226", False),
        ("ВTCUSDT", False),
        ("１INCHUSDT", False),
        ("", False),
    ],
)
def test_names_in_other_scripts_are_told(symbol: str, plain: bool) -> None:
    """Letters that only look Latin are not."""
    assert is_plain(symbol) is plain


# ----------------------------------------------------------------------------- the rotation


def turns(names: list[str], places: int, slots: int, start: Rotation | None = None) -> list[str]:
    """Everyone who had the turn in so many slots, nothing changing."""
    rotation, seen = start or Rotation(), []
    first = rotation.slot + 1
    for slot in range(first, first + slots):
        rotation = advance(rotation, candidates=names, pinned=(), places=places, slot=slot)
        assert len(rotation.turn) == min(places, len(names))
        seen += rotation.turn
    return seen


@given(count=st.integers(1, 40), places=st.integers(1, 40))
def test_everyone_has_a_turn_within_ceil_candidates_by_places(count: int, places: int) -> None:
    """From any point of the rotation on: n candidates, s places, ceil(n / s) rotations."""
    names, rounds = NAMES[:count], ceil(count / places)
    for before in range(3):
        rotation = Rotation()
        for slot in range(before):
            rotation = advance(rotation, candidates=names, pinned=(), places=places, slot=slot)
        assert set(turns(names, places, rounds, rotation)) == set(names)


@settings(max_examples=200)
@given(
    places=st.integers(1, 6),
    rounds=st.lists(st.sets(st.sampled_from(NAMES), min_size=1), min_size=1, max_size=25),
    stays=st.sampled_from(NAMES),
)
def test_who_stays_has_its_turn_in_time_whoever_comes_and_goes(
    places: int, rounds: list[set[str]], stays: str
) -> None:
    """A candidate waits at most ceil(n / s) rotations, n as it was when the waiting began."""
    rotation, waited, bound = Rotation(), 0, 0
    for slot, others in enumerate(rounds):
        names = sorted(others | {stays})
        rotation = advance(rotation, candidates=names, pinned=(), places=places, slot=slot)
        if waited == 0:
            bound = ceil(len(names) / places)
        waited = 0 if stays in rotation.turn else waited + 1
        assert waited < bound


@given(
    steps=st.lists(
        st.tuples(
            st.sets(st.sampled_from(NAMES[:12])),  # candidates
            st.sets(st.sampled_from(NAMES[:12])),  # pinned
            st.integers(0, 8),  # places
            st.integers(0, 2),  # slots passed
        ),
        max_size=20,
    )
)
def test_no_more_than_the_places_have_the_turn_and_nobody_is_lost_or_doubled(
    steps: list[tuple[set[str], set[str], int, int]],
) -> None:
    """Turn and queue are the candidates, each once; pinned ones in the turn take no place."""
    rotation, slot = Rotation(), 0
    for candidates, pinned, places, passed in steps:
        slot += passed
        rotation = advance(
            rotation, candidates=sorted(candidates), pinned=pinned, places=places, slot=slot
        )
        both = (*rotation.turn, *rotation.queue)
        assert len(both) == len(set(both))
        assert set(both) == candidates
        loose = [s for s in rotation.turn if s not in pinned]
        assert len(loose) == min(places, len(candidates - pinned))
        again = advance(
            rotation, candidates=sorted(candidates), pinned=pinned, places=places, slot=slot
        )
        assert again == rotation


def test_a_turn_stays_within_its_slot_and_ends_with_it() -> None:
    """The same slot gives the same turn, also after a restart from what was kept."""
    first = advance(Rotation(), candidates=NAMES[:6], pinned=(), places=2, slot=7)
    assert first.turn == tuple(NAMES[:2])
    assert advance(first, candidates=NAMES[:6], pinned=(), places=2, slot=7) == first
    second = advance(first, candidates=NAMES[:6], pinned=(), places=2, slot=8)
    assert second.turn == tuple(NAMES[2:4])


def test_a_place_that_comes_free_is_filled_and_one_that_goes_is_given_up() -> None:
    """Within a slot: a vanished symbol's place goes to the next, a lost place back to the queue."""
    first = advance(Rotation(), candidates=NAMES[:6], pinned=(), places=3, slot=1)
    gone = advance(first, candidates=NAMES[1:6], pinned=(), places=3, slot=1)
    assert gone.turn == (NAMES[1], NAMES[2], NAMES[3])
    less = advance(gone, candidates=NAMES[1:6], pinned=(), places=2, slot=1)
    assert less.turn == (NAMES[1], NAMES[2])
    assert less.queue[0] == NAMES[3]


def test_who_is_watched_anyway_takes_no_place() -> None:
    """A pinned candidate waits at the back while others have the places."""
    found = advance(Rotation(), candidates=NAMES[:4], pinned={NAMES[0]}, places=2, slot=1)
    assert found.turn == (NAMES[1], NAMES[2])
    assert found.queue == (NAMES[3], NAMES[0])


@pytest.mark.parametrize("minutes", [1, 30, 240])
def test_a_slot_ends_in_between_bars(minutes: int) -> None:
    """The bar that closes within a turn is seen: slots are shifted by a sixth of themselves."""
    slot_ms = minutes * MINUTE_MS
    on_the_hour_ms = NOW_MS - NOW_MS % (240 * MINUTE_MS)
    slot = slot_of(on_the_hour_ms, slot_ms)
    assert slot_of(on_the_hour_ms - 1, slot_ms) == slot
    assert slot_end_ms(slot, slot_ms) == on_the_hour_ms + slot_ms // 6
    assert slot_of(slot_end_ms(slot, slot_ms), slot_ms) == slot + 1
    assert slot_of(slot_end_ms(slot, slot_ms) - 1, slot_ms) == slot


def test_a_lost_queue_does_no_harm() -> None:
    """Without what was kept, all wait anew by volume."""
    kept = advance(Rotation(), candidates=NAMES[:9], pinned=(), places=3, slot=1)
    lost = replace(kept, turn=(), queue=())
    assert set(turns(NAMES[:9], 3, 3, lost)) == set(NAMES[:9])
