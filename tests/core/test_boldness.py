"""Which edits are asked about once more."""

from dataclasses import fields, replace
from decimal import Decimal

import pytest

from bot.core.boldness import bolder
from bot.core.presets import PRESETS, AiMode, ApprovalMode, BotConfig, Sizing
from tests.core.build import config

BEFORE = replace(config(), daily_loss_pct_max=Decimal(5), trades_per_day_max=10)


@pytest.mark.parametrize(
    ("field", "bold", "mild"),
    [
        ("leverage", 6, 4),
        ("risk_pct", Decimal("1.5"), Decimal("0.5")),
        ("confidence_min", 50.0, 70.0),
        ("reward_risk_min", Decimal(-1), Decimal(2)),
        ("daily_loss_pct_max", Decimal(0), Decimal(3)),
        ("trades_per_day_max", 20, 5),
        ("signals_per_day_max", None, 5),
        ("ai_mode", AiMode.ADAPTIVE, None),
        ("approval_mode", None, ApprovalMode.APPROVE),
        ("memory_off", ("model_off",), None),
        ("compounding", True, None),
        ("sizing", Sizing.AMOUNT, None),
        ("strategy", "reversal", None),
        ("symbols", None, ("BTCUSDT",)),
    ],
)
def test_only_the_side_that_risks_more_is_bold(field: str, bold: object, mild: object) -> None:
    """A tightened bound is never asked about; a loosened one, and every open question, is."""
    if bold is not None:
        assert bolder(BEFORE, replace(BEFORE, **{field: bold})) == (field,)
    if mild is not None:
        assert bolder(BEFORE, replace(BEFORE, **{field: mild})) == ()


def test_an_unknown_field_is_asked_about() -> None:
    """Whatever is neither mild nor a number with a known side is bold."""
    named = {one.name for one in fields(BotConfig)}
    assert {"margin_type", "exits", "trading_from", "memory_tuning"} <= named
    assert bolder(BEFORE, replace(BEFORE, trading_from="08:00", trading_to="16:00")) == (
        "trading_from",
        "trading_to",
    )


def test_the_way_back_of_a_bold_mode_is_mild() -> None:
    """Down from Adaptive and from trading by itself nobody is asked."""
    wild = replace(BEFORE, ai_mode=AiMode.ADAPTIVE)
    calm = replace(BEFORE, approval_mode=ApprovalMode.APPROVE)
    assert bolder(wild, replace(wild, ai_mode=AiMode.TACTICAL)) == ()
    assert bolder(calm, replace(calm, approval_mode=ApprovalMode.AUTO)) == ("approval_mode",)


def test_a_preset_of_the_same_kind_is_compared_field_by_field() -> None:
    """Each field that lets more be lost is named."""
    before, after = PRESETS["signals"], PRESETS["multi"]
    assert {"risk_pct", "sizing", "amount_usdt", "compounding"} <= set(bolder(before, after))
    assert "leverage" not in bolder(before, after), "from 5 to 1"
