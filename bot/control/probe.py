"""Whether Telegram knows this bot: one call, for `python -m bot check`.

Must not know: anything about trading.
"""

from telegram import Bot
from telegram.error import InvalidToken, TelegramError
from telegram.request import HTTPXRequest

WAIT_S = 10.0


async def probe(token: str, base_url: str) -> tuple[bool, str]:
    """(reached and known, a sentence that says so); never raises for what Telegram does."""
    request = HTTPXRequest(connect_timeout=WAIT_S, read_timeout=WAIT_S)
    try:
        async with Bot(token, base_url=base_url, request=request) as bot:
            return True, f"@{bot.username} answers"
    except InvalidToken:
        return False, "TELEGRAM_BOT_TOKEN is refused; it must be the token BotFather gave"
    except TelegramError as fault:
        return False, f"not reached ({type(fault).__name__}); try again, or see TELEGRAM_BASE_URL"
