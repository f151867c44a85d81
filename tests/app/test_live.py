"""The first bot: a preset under the settings' limits."""

from decimal import Decimal

import pytest

from bot import settings as configuration
from bot.app.live import default_bot, model_plan
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


def test_the_models_money_and_prices_come_from_the_settings() -> None:
    """Two dollars a day unless told otherwise; a row of one's own joins the table."""
    settings = configuration.load(
        None, gemini_api_key="k", gemini_user_budget_usd="0.5", gemini_prices="gemini-4=1/2"
    )
    plan = model_plan(settings)
    assert (plan.service_usd, plan.user_usd) == (Decimal(2), Decimal("0.5"))
    assert plan.gemini.prices[-1].model == "gemini-4"
    assert plan.gemini.fallback == "gemini-3.5-flash-lite"
    assert plan.always == settings.fixed_symbols


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"gemini_budget_usd": "-1"}, r"GEMINI_BUDGET_USD is .*; allowed is 0 to 1000"),
        ({"gemini_user_budget_usd": "1001"}, r"GEMINI_USER_BUDGET_USD is .*; allowed is 0 to"),
    ],
)
def test_a_budget_out_of_range_is_refused_by_name(given: dict[str, str], words: str) -> None:
    """Field, value, range."""
    with pytest.raises(SettingFault, match=words):
        configuration.load(None, **given)


def test_a_price_that_is_none_is_refused_by_name() -> None:
    """Before anything is asked."""
    settings = configuration.load(None, gemini_api_key="k", gemini_prices="gemini-4=cheap")
    with pytest.raises(SettingFault, match="GEMINI_PRICES: 'gemini-4=cheap' is no price"):
        model_plan(settings)
