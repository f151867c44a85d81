"""Editing: what a person typed becomes a sound configuration, or a refusal in words."""

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.core.editing import FIELDS, edited, renewed
from bot.core.presets import BotConfig, Exits, Sizing, faults_of, from_preset
from data.model import OrderKind
from memory.verdict import RULE_IDS

BOT = from_preset("signals", bot_id="b1", user_id="u", account_id="a")


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("leverage", " 10 ", 10),
        ("risk_pct", "0.25", Decimal("0.25")),
        ("score_threshold", "80.5", 80.5),
        ("entry_kind", "LIMIT", OrderKind.LIMIT),
        ("exits", "adviser", Exits.ADVISER),
        ("position_timeout_ms", "30m", 1_800_000),
        ("approval_ttl_ms", "90000", 90_000),
        ("symbols", "btcusdt, ethusdt", ("BTCUSDT", "ETHUSDT")),
        ("symbols", "all", ()),
        ("trading_weekdays", "Mon,friday", (0, 4)),
        ("trading_weekdays", "all", ()),
        ("trading_zone", "Asia/Ho_Chi_Minh", "Asia/Ho_Chi_Minh"),
        ("strategy", "reversal", "reversal"),
        ("timeframe", "4h", "4h"),
        ("trend_timeframe", "-", ""),
    ],
)
def test_a_field_takes_what_a_person_types(field: str, text: str, value: Any) -> None:
    """And nothing else changes."""
    assert edited(BOT, field, text) == replace(BOT, **{field: value})


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("leverage", "200", "leverage is 200; allowed is 1 to 125."),
        ("leverage", "2.5", "leverage is '2.5'; allowed is a whole number from 1 to 125."),
        ("risk_pct", "nan", "risk_pct is 'nan'; allowed is a number from 0.01 to 10."),
        ("risk_pct", "much", "risk_pct is 'much'; allowed is a number from 0.01 to 10."),
        ("trail_pct", "x", "trail_pct is 'x'; allowed is a number."),
        ("trail_pct", "50", "trail_pct is 50; allowed is 0 (off), or 0.2 to 20."),
        ("approval_mode", "yolo", "approval_mode is 'yolo'; allowed is signal-only, approve, auto"),
        ("entry_kind", "stop_market", "entry_kind is stop_market; allowed is market or limit."),
        ("sizing", "amount", "amount_usdt is 0; with sizing amount it must be above 0."),
        ("compounding", "maybe", "compounding is 'maybe'; allowed is on, true, off, false."),
        ("entry_timeout_ms", "soon", "entry_timeout_ms is 'soon'; allowed is a time such as"),
        ("entry_timeout_ms", "9d", "entry_timeout_ms is 777600000; allowed is 1000 to 86400000."),
        ("symbols", "BTC/USDT", "symbols is 'BTC/USDT'; allowed is all, or 1 to 100 such as"),
        ("trading_weekdays", "Someday", "trading_weekdays is 'Someday'; allowed is all, or Mon"),
        ("trading_from", "08:00", "give both or none"),
        ("trading_zone", "Mars", "trading_zone is 'Mars'; allowed is a name such as"),
        ("strategy", "magic", "strategy is 'magic'; allowed is continuation"),
        ("preset", "magic", "preset is 'magic'; allowed is signals, futures-ai, scalper, multi."),
        ("timeframe", "7x", "timeframe: '7x' is no timeframe"),
        ("user_id", "me", "'user_id' is no field of a bot; there are"),
        ("memory.streaks", "off", "'streaks' is no rule of memory"),
        ("memory.model_off", "no", "memory.model_off is 'no'; allowed is on or off."),
        (
            "memory.model_off.off_hours",
            "0",
            "model_off.off_hours is 0; allowed is 1 to 168.",
        ),
    ],
)
def test_what_is_refused_is_refused_in_words(field: str, text: str, words: str) -> None:
    """The field, what was typed, what is allowed."""
    with pytest.raises(ValueError, match="is ") as refusal:
        edited(BOT, field, text)
    assert words in str(refusal.value)


def test_a_rule_of_memory_is_switched_and_tuned() -> None:
    """Off once, on again, and with a number of its own."""
    off = edited(edited(BOT, "memory.model_off", "off"), "memory.model_off", "off")
    assert off.memory_off == ("model_off",)
    assert edited(off, "memory.model_off", "On") == BOT
    tuned = edited(BOT, "memory.loss_streak_pause.losses_min", "2")
    assert tuned.memory_tuning.loss_streak_pause.losses_min == 2
    assert set(RULE_IDS) >= {"model_off", "loss_streak_pause"}


def test_a_preset_replaces_everything_but_who_and_where() -> None:
    """The bot keeps its name, its account and its symbols."""
    bot = edited(replace(BOT, symbols=("BTCUSDT",)), "preset", "multi")
    assert (bot.bot_id, bot.account_id, bot.symbols) == ("b1", "a", ("BTCUSDT",))
    assert (bot.preset, bot.sizing) == ("multi", Sizing.AMOUNT)


@given(st.sampled_from(FIELDS), st.text(max_size=30))
def test_whatever_is_typed_leaves_a_sound_bot_or_a_refusal(field: str, text: str) -> None:
    """No text makes a configuration that the desk would not take."""
    changed = BOT
    with suppress(ValueError):
        changed = edited(BOT, field, text)
    assert faults_of(changed) == ()


# --------------------------------------------------------------------------- settings and edits


def from_settings(**changes: Any) -> BotConfig:
    """A bot as the settings want it, which says so."""
    values = {"risk_pct": Decimal(1), "leverage": 5} | changes
    told = (("preset", "signals"), *((name, str(value)) for name, value in values.items()))
    return replace(BOT, from_settings=told, **values)


def test_an_edit_outlives_a_restart() -> None:
    """The settings did not change meanwhile."""
    kept = edited(from_settings(), "risk_pct", "0.5")
    assert renewed(kept, from_settings()) == kept


def test_a_changed_setting_goes_before_an_older_edit() -> None:
    """Only that one: the rest stays as it was edited."""
    kept = edited(edited(from_settings(), "risk_pct", "0.5"), "leverage", "3")
    again = renewed(kept, from_settings(leverage=8))
    assert (again.risk_pct, again.leverage) == (Decimal("0.5"), 8)
    assert renewed(again, from_settings(leverage=8)) == again


def test_another_preset_or_a_first_start_takes_the_settings_whole() -> None:
    """So does a configuration that does not come from settings, as in a test or the demo."""
    wanted = replace(from_settings(), from_settings=(("preset", "multi"),), preset="multi")
    assert renewed(from_settings(), wanted) == wanted
    assert renewed(None, wanted) == wanted
    assert renewed(from_settings(leverage=9), BOT) == BOT
