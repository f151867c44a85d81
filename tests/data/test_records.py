"""Frozen records with fields changed."""

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from data.records import revised


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    left: int = 1
    right: str = "r"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Checked:
    left: int = 1
    right: int = 2

    def __post_init__(self) -> None:
        assert self.left < self.right


@dataclass(frozen=True, slots=True, kw_only=True)
class _Single:
    only: int = 1


@given(
    changes=some.fixed_dictionaries({}, optional={"left": some.integers(), "right": some.text()})
)
def test_a_revised_record_equals_a_replaced_one_and_the_first_stays(
    changes: dict[str, int],
) -> None:
    """It is what `dataclasses.replace` gives, and the record it came from is as it was."""
    record = _Pair()
    assert revised(record, **changes) == replace(record, **changes)
    assert record == _Pair()


def test_what_is_no_field_is_not_taken() -> None:
    """A misspelt name raises, as it does with `replace`."""
    with pytest.raises(AttributeError):
        revised(_Pair(), middle=1)


@pytest.mark.parametrize("record", [_Checked(), _Single()])
def test_a_class_it_would_not_do_justice_to_is_refused(record: object) -> None:
    """A class that checks itself would be changed unchecked."""
    with pytest.raises(AssertionError):
        revised(record)
