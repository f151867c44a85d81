"""The webhook's courier: posts pending updates one by one and tries again until they are taken.

It must not know what an update holds. Waits are wall time: they pace a network, not a market.
"""

import aiohttp

from bot.sandbox.telegram_state import TelegramState
from bot.shell.clock import wall_sleep_s

POST_TIMEOUT_S = 10.0
RETRY_S = 0.2
RETRY_S_MAX = 5.0


async def deliver_forever(state: TelegramState) -> None:
    """Post updates to the webhook while one is set; ends when cancelled."""
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=POST_TIMEOUT_S)
    ) as session:
        retry_s = RETRY_S
        while True:
            await state.updates.wait()
            if not state.webhook["url"]:
                await state.updates.wait_news()
                continue
            trouble = await _deliver(session, state)
            if trouble is None:
                retry_s = RETRY_S
                continue
            state.webhook["last_error_date"] = state.clock.now_ms() // 1000
            state.webhook["last_error_message"] = trouble
            await wall_sleep_s(retry_s)
            retry_s = min(retry_s * 2, RETRY_S_MAX)


async def _deliver(session: aiohttp.ClientSession, state: TelegramState) -> str | None:
    given = state.updates.take(offset=0, limit=1)
    if not given:
        return None
    secret = state.webhook.get("secret")
    headers = {"X-Telegram-Bot-Api-Secret-Token": secret} if secret else {}
    try:
        async with session.post(state.webhook["url"], json=given[0], headers=headers) as answer:
            if answer.status // 100 != 2:
                return f"Wrong response from the webhook: {answer.status} {answer.reason}"
    except (aiohttp.ClientError, TimeoutError) as error:
        return f"Connection failed: {type(error).__name__}"
    number = given[0]["update_id"]
    if isinstance(number, int):
        state.updates.take(offset=number + 1, limit=0)
    return None
