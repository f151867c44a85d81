"""The first bot: a preset under the settings' limits."""

from decimal import Decimal

import pytest

from bot import settings as configuration
from bot.app.live import default_bot
from bot.core.presets import PRESETS, ApprovalMode
from bot.shell.errors import SettingFault


def test_the_default_bot_follows_the_settings() -> None:
    """Preset signals, with the five numbers that the settings hold."""
    bot = default_bot(configuration.load(None, leverage=3, risk_per_trade="0.5"))
    assert (bot.bot_id, bot.preset, bot.leverage, bot.risk_pct) == (
        "signals",
        "signals",
        3,
        Decimal("0.5"),
    )
    assert dict(bot.from_settings)["leverage"] == "3"


def test_another_preset_keeps_its_own_numbers_where_no_setting_names_one() -> None:
    """Its threshold and risk stay, the leverage that was set counts."""
    bot = default_bot(configuration.load(None, bot_preset="multi", leverage=2))
    multi = PRESETS["multi"]
    assert (bot.preset, bot.leverage, bot.bot_id) == ("multi", 2, "signals")
    assert (bot.risk_pct, bot.score_threshold) == (multi.risk_pct, multi.score_threshold)
    assert bot.approval_mode is ApprovalMode.APPROVE
    assert dict(bot.from_settings) == {"preset": "multi", "leverage": "2"}


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_can_be_chosen(name: str) -> None:
    """The setting knows them all."""
    assert default_bot(configuration.load(None, bot_preset=name)).preset == name


def test_an_unknown_preset_is_refused_in_words() -> None:
    """The setting, its value, what is allowed."""
    with pytest.raises(SettingFault, match=r"BOT_PRESET is .*; allowed is signals, futures-ai"):
        configuration.load(None, bot_preset="magic")
