"""A started sandbox and an unpatched python-telegram-bot against it, for the tests of this room."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
from telegram import Bot

from bot.sandbox.telegram_server import TelegramSandbox
from bot.shell.clock import VirtualClock

TOKEN = "123456789:AAtesttesttesttesttesttesttesttest"
NOON_MS = 1_790_000_000_000
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
    + (640).to_bytes(4)
    + (480).to_bytes(4)
    + b"\x08\x02\x00\x00\x00"
)


@dataclass(slots=True)
class World:
    """What a test holds: the sandbox, an HTTP session on it and a bot."""

    sandbox: TelegramSandbox
    clock: VirtualClock
    http: aiohttp.ClientSession
    bot: Bot

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A Bot API call as JSON; the whole answer."""
        async with self.http.post(f"/bot{TOKEN}/{method}", json=params) as answer:
            found: dict[str, Any] = await answer.json()
            assert answer.status == found.get("error_code", 200)
            return found

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        """A control route's answer."""
        async with self.http.get(f"/sandbox/{path}", params=query) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def post(self, path: str, **body: Any) -> dict[str, Any]:
        """A control route's answer."""
        async with self.http.post(f"/sandbox/{path}", json=body) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def refusal(self, method: str, **params: Any) -> str:
        """The description of a call that must fail."""
        found = await self.call(method, **params)
        assert found["ok"] is False, found
        return str(found["description"])


@asynccontextmanager
async def telegram_world(*, pace: float = 1_000.0) -> AsyncIterator[World]:
    """A running sandbox on a free port, with a bot that knows only another address."""
    clock = VirtualClock(NOON_MS)
    sandbox = TelegramSandbox(token=TOKEN, clock=clock, pace=pace)
    address = await sandbox.start(0)
    try:
        async with aiohttp.ClientSession(address.base_url) as http:
            bot = Bot(
                TOKEN,
                base_url=f"{address.base_url}/bot",
                base_file_url=f"{address.base_url}/file/bot",
            )
            async with bot:
                yield World(sandbox, clock, http, bot)
    finally:
        await sandbox.stop()
