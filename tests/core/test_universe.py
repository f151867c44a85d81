"""The choice of symbols to watch."""

from hypothesis import given
from hypothesis import strategies as st

from bot.core.universe import watched

names = st.lists(st.sampled_from(["AUSDT", "BUSDT", "CUSDT", "DUSDT", "EUSDT"]), max_size=8)


@given(fixed=names, exposed=names, symbols_max=st.integers(0, 6))
def test_exposure_is_never_dropped(fixed: list[str], exposed: list[str], symbols_max: int) -> None:
    """Every exposed symbol is watched, once, and the cap binds only the others."""
    found = watched(fixed=fixed, exposed=exposed, symbols_max=symbols_max)
    assert set(exposed) <= set(found) <= {*fixed, *exposed}
    assert len(found) == len(set(found))
    assert len(found) <= max(symbols_max, len(set(exposed)))


def test_fixed_symbols_fill_what_exposure_leaves() -> None:
    """Exposed first, then the fixed ones in their order, up to the cap."""
    found = watched(fixed=["AUSDT", "BUSDT", "CUSDT"], exposed=["XUSDT", "BUSDT"], symbols_max=3)
    assert found == ("XUSDT", "BUSDT", "AUSDT")
