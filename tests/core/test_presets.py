"""A bot's configuration is judged field by field, in words."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bot.core.presets import (
    MINUTE_MS,
    PRESETS,
    BotConfig,
    Exits,
    Sizing,
    faults_of,
    from_preset,
    timeframes_of,
)
from bot.core.strategies.registry import STRATEGIES
from data.journal import decode_as, encode_as
from data.model import OrderKind
from memory.tuning import SHEET, Tuning


def tuned_badly(rule: str, **changes: int) -> Tuning:
    """The sheet's tuning but for one rule's numbers."""
    return replace(SHEET, **{rule: replace(getattr(SHEET, rule), **changes)})


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
        ("account_open_trades_max", 101),
        ("account_open_trades_max", -1),
        ("margin_target_usdt", Decimal(-1)),
        ("amount_usdt", Decimal(10_000_001)),
        ("stop_pct", Decimal(91)),
        ("target_pct", Decimal(1001)),
        ("notional_usdt_min", Decimal(-1)),
        ("wallet_usdt_min", Decimal(-1)),
        ("trading_weekdays", (7,)),
        ("trading_zone", "Mars/Base"),
        ("compounding", True),
        ("break_even_risks", Decimal("20.1")),
        ("trail_pct", Decimal("0.1")),
        ("trail_atr", Decimal(21)),
        ("callback_pct", Decimal("0.25")),
        ("callback_from_risks", Decimal(-1)),
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


def test_there_is_a_preset_for_each_ancestor() -> None:
    """The four, each with a strategy that exists."""
    assert set(PRESETS) == {"futures-ai", "signals", "scalper", "multi"}
    assert {preset.strategy for preset in PRESETS.values()} <= set(STRATEGIES)


def test_the_presets_have_their_ancestors_numbers() -> None:
    """As the product sheet names them."""
    signals, scalper = PRESETS["signals"], PRESETS["scalper"]
    assert (signals.risk_pct, signals.signals_per_day_max, signals.score_threshold) == (1, 5, 75)
    assert signals.exits is Exits.STRATEGY
    assert (scalper.open_trades_max, scalper.trades_per_day_max, scalper.confidence_min) == (
        1,
        10,
        60,
    )
    assert (scalper.wallet_usdt_min, scalper.notional_usdt_min, scalper.notional_pct_max) == (
        10,
        5,
        10,
    )
    assert (scalper.target_pct, scalper.stop_pct) == (Decimal("0.3"), Decimal("0.5"))
    assert scalper.position_timeout_ms == 30 * MINUTE_MS
    assert (scalper.trading_from, scalper.trading_to) == ("08:00", "16:00")
    futures, multi = PRESETS["futures-ai"], PRESETS["multi"]
    assert (futures.entry_kind, futures.entry_timeout_ms) == (OrderKind.LIMIT, MINUTE_MS)
    assert (futures.sizing, futures.exits) == (Sizing.MARGIN_TARGET, Exits.ADVISER)
    assert (multi.stop_pct, multi.target_pct, multi.compounding) == (2, 5, True)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sizing": Sizing.AMOUNT}, "amount_usdt is 0; with sizing amount it must be above 0."),
        (
            {"sizing": Sizing.MARGIN_TARGET},
            "margin_target_usdt is 0; with sizing margin_target it must be above 0.",
        ),
        (
            {"exits": Exits.PERCENT, "stop_pct": Decimal(1)},
            "target_pct is 0; with exits percent it must be above 0.",
        ),
        ({"compounding": True}, "compounding is True; it needs sizing amount, not risk."),
        (
            {"memory_tuning": tuned_badly("loss_streak_pause", losses_min=0)},
            "memory_tuning: loss_streak_pause.losses_min is 0; allowed is 1 to 20.",
        ),
    ],
)
def test_choices_that_do_not_go_together_are_refused(changes: dict[str, Any], words: str) -> None:
    """A choice without the number it needs, or with one out of bounds."""
    sound = from_preset("signals", bot_id="b1", user_id="u", account_id="a")
    assert faults_of(replace(sound, **changes)) == (words,)


def test_a_bot_kept_before_a_field_was_added_is_still_read() -> None:
    """Old rows decode: what is missing has its default."""
    old = '{"bot_id":"b1","user_id":"u","account_id":"a","memory_off":["model_off"]}'
    read = decode_as(BotConfig, old)
    assert read == BotConfig(bot_id="b1", user_id="u", account_id="a", memory_off=("model_off",))
    made = from_preset("multi", bot_id="b1", user_id="u", account_id="a")
    assert decode_as(BotConfig, encode_as(made)) == made


def test_a_stop_trails_in_one_way() -> None:
    """By percent or by ATR: both at once is a fault that names both."""
    sound = from_preset("signals", bot_id="b1", user_id="u", account_id="a")
    (fault,) = faults_of(replace(sound, trail_pct=Decimal(1), trail_atr=Decimal(2)))
    assert "trail_pct is 1" in fault
    assert "trail_atr" in fault
