"""A scripted person before the pretend Telegram: pairs as owner, then answers cards in turn.

The turn is fixed: approve, reject, approve, let expire. So half of the cards are approved, a
quarter rejected, a quarter expires, whatever the cards say. A card that asks "anyway?" gets yes.
Must not know: the bot behind the chat; it reads messages and taps buttons, as people do.
"""

from collections.abc import Mapping
from typing import Any, Final

import aiohttp

from bot.shell.clock import wall_sleep_s

LOOK_EVERY_S: Final = 0.1
APPROVE: Final = "Approve"
ANYWAY: Final = "Approve anyway"
REJECT: Final = "Reject"
TURN: Final = (APPROVE, REJECT, APPROVE, "")
TAPS_MAX: Final = 3  # of one card; a tap may find that the card has just expired


class Person:
    """Answers cards until `stop`; counts what was wanted of each."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._session: aiohttp.ClientSession | None = None
        self._wanted: dict[int, str] = {}
        self._taps: dict[int, int] = {}
        self._stopped = False

    @property
    def cards(self) -> int:
        """Cards seen so far."""
        return len(self._wanted)

    async def say(self, text: str) -> None:
        """Type a message."""
        await self._post("/sandbox/message", {"text": text})

    async def show(self, info: Mapping[str, str]) -> None:
        """Put lines on the chat page, such as the speed."""
        await self._post("/sandbox/info", dict(info))

    def stop(self) -> None:
        """Answer no more."""
        self._stopped = True

    async def run(self) -> None:
        """Look at the chat again and again, and tap; until `stop`."""
        while not self._stopped:
            first = min((n for n, w in self._wanted.items() if w and self._may_tap(n)), default=0)
            after = first - 1 if first else max(self._wanted, default=0)
            for message in await self._messages(max(0, after)):
                await self._answer(message)
            await wall_sleep_s(LOOK_EVERY_S)

    async def close(self) -> None:
        """Put the phone away."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _may_tap(self, message_id: int) -> bool:
        return self._taps.get(message_id, 0) < TAPS_MAX

    async def _answer(self, message: Mapping[str, Any]) -> None:
        labels = _labels(message)
        message_id = int(message["message_id"])
        if message_id not in self._wanted:
            if not (_has(labels, APPROVE) and _has(labels, REJECT)):
                return
            self._wanted[message_id] = TURN[len(self._wanted) % len(TURN)]
        wanted = self._wanted[message_id]
        if not wanted or not self._may_tap(message_id):
            return
        label = _has(labels, ANYWAY) if wanted == APPROVE else None
        label = label or _has(labels, wanted)
        if label is None:
            self._taps[message_id] = TAPS_MAX  # answered, or over
            return
        self._taps[message_id] = self._taps.get(message_id, 0) + 1
        await self._post("/sandbox/tap", {"message_id": message_id, "text": label})

    async def _messages(self, after: int) -> list[dict[str, Any]]:
        session = self._open()
        url = f"{self._base_url}/sandbox/messages"
        async with session.get(url, params={"after": str(after)}) as response:
            body = await response.json()
        return [m for m in body["messages"] if m["from"] == "bot"]

    async def _post(self, path: str, body: Mapping[str, object]) -> None:
        # A button that has just gone is answered with 400: the next look shows what is there now.
        async with self._open().post(f"{self._base_url}{path}", json=dict(body)) as response:
            await response.read()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        return self._session


def _labels(message: Mapping[str, Any]) -> list[str]:
    rows = (message.get("reply_markup") or {}).get("inline_keyboard", [])
    return [str(button["text"]) for row in rows for button in row]


def _has(labels: list[str], wanted: str) -> str | None:
    found = [label for label in labels if label == wanted or label.endswith(f" {wanted}")]
    return found[0] if found else None
