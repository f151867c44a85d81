"""A pause of a model's entries is seen in /status and /bots, in both languages, while it lasts."""

from dataclasses import replace

import pytest

from bot.control.views import status
from bot.core.advice import Advice
from tests.control.samples import look as look_in
from tests.core.build import BOT, desk


@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_pause_is_shown_with_its_reason_while_it_lasts(language: str) -> None:
    """And not a millisecond longer."""
    look = look_in(language)
    paused = Advice(in_a_row=3, last_doubt="timeout: <b>", paused_until_ms=look.now_ms + 60_000)
    shown = replace(desk(), advice={BOT: paused})
    over = replace(shown, advice={BOT: replace(paused, paused_until_ms=look.now_ms)})
    for draw in (lambda d: status.bots(look, d), lambda d: status.status(look, d, [])):
        assert "timeout: &lt;b&gt;" in draw(shown).markup
        assert "timeout" not in draw(over).markup
