"""Asking Telegram whether it knows the bot."""

from bot.control.probe import probe
from tests.sandbox.telegram_world import TOKEN, telegram_world


async def test_a_known_bot_answers_by_its_name() -> None:
    """The right token at the right address: reached, and named."""
    async with telegram_world() as world:
        ok, text = await probe(TOKEN, f"{world.sandbox.address.base_url}/bot")
    assert ok
    assert text.startswith("@")


async def test_a_refused_token_is_said_without_showing_it() -> None:
    """A wrong token is no connection fault, and is never printed."""
    token = "42:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    async with telegram_world() as world:
        ok, text = await probe(token, f"{world.sandbox.address.base_url}/bot")
    assert not ok
    assert "refused" in text
    assert token not in text


async def test_nobody_there_is_said() -> None:
    """A closed port is told as not reached."""
    ok, text = await probe("42:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "http://127.0.0.1:9/bot")
    assert not ok
    assert "not reached" in text
