"""A bot's configuration is judged field by field, in words."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.core.presets import PRESETS, faults_of, from_preset, timeframes_of
from data.model import OrderKind


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_is_sound(name: str) -> None:
    """A preset can be used as it is."""
    made = from_preset(name, bot_id="b1", user_id="u", account_id="a")
    assert faults_of(made) == ()
    assert (made.bot_id, made.user_id, made.account_id, made.preset) == ("b1", "u", "a", name)


def test_an_unknown_preset_is_a_key_error() -> None:
    """There is nothing to start from."""
    with pytest.raises(KeyError):
        from_preset("nobody", bot_id="b", user_id="u", account_id="a")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bot_id", ""),
        ("bot_id", "ninechars"),
        ("bot_id", "a-b"),
        ("leverage", 0),
        ("leverage", 126),
        ("risk_pct", Decimal(0)),
        ("risk_pct", Decimal("10.01")),
        ("open_trades_max", 0),
        ("approval_ttl_ms", 999),
        ("entry_kind", OrderKind.STOP_MARKET),
        ("stop_distance_bps_min", Decimal(2000)),
        ("daily_loss_pct_max", Decimal(101)),
    ],
)
def test_each_fault_is_one_sentence_that_names_field_and_value(field: str, value: Any) -> None:
    """Saying which field, what it is, and what is allowed."""
    sound = from_preset("signals", bot_id="b1", user_id="u", account_id="a")
    (fault,) = faults_of(replace(sound, **{field: value}))
    assert fault.startswith(f"{field} is ")
    assert str(value) in fault


def test_every_fault_is_found_at_once() -> None:
    """Nobody has to correct one field to hear of the next."""
    sound = from_preset("signals", bot_id="b1", user_id="u", account_id="a")
    assert len(faults_of(replace(sound, leverage=0, risk_pct=Decimal(99), bot_id=""))) == 3


@pytest.mark.parametrize(
    ("trend", "why"),
    [
        ("30m", "trend_timeframe is 30m; it must be longer than timeframe, which is 30m."),
        ("5m", "trend_timeframe is 5m; it must be longer than timeframe, which is 30m."),
        ("long", "timeframe: 'long' is no timeframe; use e.g. 1m, 30m, 4h or 1d."),
    ],
)
def test_the_trends_timeframe_is_a_longer_one(trend: str, why: str) -> None:
    """A higher timeframe that is none is refused in words."""
    assert why in faults_of(replace(PRESETS["signals"], trend_timeframe=trend))


def test_a_bot_needs_the_bars_of_its_timeframes() -> None:
    """Its own first, the trend's when it follows one."""
    assert timeframes_of(PRESETS["signals"]) == ("30m",)
    followed = replace(PRESETS["signals"], trend_timeframe="4h")
    assert timeframes_of(followed) == ("30m", "4h")
    assert not [fault for fault in faults_of(followed) if "timeframe" in fault]
