"""Journal lines: exact there and back, and clear words about anything that is not one."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.journal import (
    LINE_LENGTH_MAX,
    Codec,
    JournalFault,
    decode_as,
    encode_as,
    read_lines,
    write_lines,
)


class Mood(StrEnum):
    """A closed set."""

    CALM = "calm"
    WILD = "wild"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """A nested record."""

    quantity: Decimal
    price: Decimal | None = None
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """Every shape that the core's records have."""

    name: str
    mood: Mood
    score: float
    lead: Leg | None
    legs: tuple[Leg, ...] = ()
    by_name: dict[str, Leg] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    parts: tuple[tuple[str, float], ...] = ()
    until_ms: int | None = None
    done: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """A record without fields, like an alarm clock's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A record that the codec was not told of."""


CODEC = Codec((Journey, Pause))
exact = st.decimals(allow_nan=False, allow_infinity=False)
names = st.text(max_size=12)
legs = st.builds(
    Leg,
    quantity=exact,
    price=st.none() | exact,
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3).map(tuple),
)
finite = st.floats(allow_nan=False, allow_infinity=False)
journeys = st.builds(
    Journey,
    name=st.text(),
    mood=st.sampled_from(Mood),
    score=finite,
    lead=st.none() | legs,
    legs=st.lists(legs, max_size=3).map(tuple),
    by_name=st.dictionaries(names, legs, max_size=3),
    counts=st.dictionaries(names, st.integers(0, 9), max_size=3),
    parts=st.lists(st.tuples(names, finite), max_size=3).map(tuple),
    until_ms=st.none() | st.integers(0, 2**53),
    done=st.booleans(),
)


def texts(journey: Journey) -> list[str]:
    """Every decimal of a journey as it is written: equal numbers may differ in their text."""
    every = [*journey.legs, *journey.by_name.values(), *([journey.lead] if journey.lead else [])]
    return [str(leg.quantity) for leg in every] + [str(leg.price) for leg in every]


@given(journeys)
def test_a_record_comes_back_exactly(journey: Journey) -> None:
    """Equal, of the same types, with decimals written the same: 1.50 does not become 1.5."""
    line = CODEC.encode(journey)
    back = CODEC.decode(line)
    assert back == journey
    assert isinstance(back, Journey)
    assert texts(back) == texts(journey)
    assert type(back.mood) is Mood
    assert type(back.legs) is tuple
    assert "\n" not in line
    assert CODEC.encode(back) == line == CODEC.encode_bytes(journey).decode()


def test_a_line_names_version_and_kind() -> None:
    """The format is the documented one, whatever wrote it."""
    assert CODEC.encode(Pause()) == '{"v":1,"kind":"Pause","body":{}}'
    line = CODEC.encode(Journey(name="a", mood=Mood.WILD, score=1.5, lead=Leg(quantity=Decimal(0))))
    assert json.loads(line)["body"]["mood"] == "wild"
    assert json.loads(line)["body"]["lead"]["quantity"] == "0"


def test_a_field_added_later_reads_old_lines() -> None:
    """Missing fields take their defaults; unknown ones of the same version are left out."""
    body = '{"name":"a","mood":"calm","score":2,"lead":null,"colour":"red"}'
    back = CODEC.decode(f'{{"v":1,"kind":"Journey","body":{body}}}')
    assert back == Journey(name="a", mood=Mood.CALM, score=2.0, lead=None)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "not a journal line"),
        ("{", "not a journal line"),
        ("[]", "not a journal line"),
        ('{"v":1,"kind":"Pause"}', "not a journal line"),
        ('{"v":"1","kind":"Pause","body":{}}', "not a journal line"),
        ('{"v":2,"kind":"Pause","body":{}}', "version 2; this program reads 1"),
        ('{"v":1,"kind":"Holiday","body":{}}', "unknown kind 'Holiday'"),
        ('{"v":1,"kind":"Journey","body":{}}', "a broken Journey"),
        (
            '{"v":1,"kind":"Journey","body":{"name":"a","mood":"sad","score":1,"lead":null}}',
            r"Invalid enum value 'sad'",
        ),
        (
            '{"v":1,"kind":"Journey",'
            '"body":{"name":"a","mood":"calm","score":1,"lead":{"quantity":"much"}}}',
            "a broken Journey",
        ),
        ("x" * (LINE_LENGTH_MAX + 1), "is no record"),
    ],
)
def test_a_line_that_is_no_record_is_named(line: str, words: str) -> None:
    """Each way of being wrong has its own words."""
    with pytest.raises(JournalFault, match=words):
        CODEC.decode(line)


@given(st.text() | st.binary())
def test_garbage_raises_only_our_fault(line: str | bytes) -> None:
    """Whatever a file holds, decoding ends in a record or in a JournalFault."""
    with pytest.raises(JournalFault):
        CODEC.decode(line)


def test_a_stranger_is_not_written() -> None:
    """A class that could not be read back is refused before it is written."""
    with pytest.raises(JournalFault, match="Stranger is not a record"):
        CODEC.encode(Stranger())


@given(journeys)
def test_one_known_type_needs_no_envelope(journey: Journey) -> None:
    """A record alone in its column comes back exactly too."""
    assert decode_as(Journey, encode_as(journey)) == journey


def test_a_broken_bare_record_is_named() -> None:
    """The type that was expected is in the message."""
    with pytest.raises(JournalFault, match="a broken Journey"):
        decode_as(Journey, "{}")


STEPS = [(n, 1_000 + n, Leg(quantity=Decimal(f"{n}.10"))) for n in range(5, 9)]
LEGS = Codec((Leg,))


def test_a_recorded_day_is_read_back() -> None:
    """Numbers, moments and records come back in order."""
    lines = list(write_lines(LEGS, STEPS))
    assert list(read_lines(LEGS, lines)) == STEPS
    assert list(read_lines(LEGS, [])) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda lines: [lines[0], *lines[2:]], "line 2: step 7 follows 5"),
        (lambda lines: [lines[0], *lines], "line 2: step 5 follows 5"),
        (lambda lines: lines[::-1], "line 2: step 7 follows 8"),
        (lambda lines: [*lines[:2], lines[2][:20]], "line 3: not a recorded step"),
        (lambda lines: [lines[0].replace("Leg", "Arm")], "line 1: a record of unknown kind 'Arm'"),
    ],
)
def test_a_damaged_day_is_named_by_its_line(
    damage: Callable[[list[str]], list[str]], words: str
) -> None:
    """Gaps, repeats, disorder and cut lines are refused with the line's number."""
    with pytest.raises(JournalFault, match=words):
        list(read_lines(LEGS, damage(list(write_lines(LEGS, STEPS)))))
