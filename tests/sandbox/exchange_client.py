"""A plain client of the pretend exchange, written with aiohttp and nothing of ours."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from bot.sandbox.exchange_server import ExchangeSandbox
from bot.sandbox.faults import FaultPlan
from bot.sandbox.tape import RecordedTape, Tape
from bot.sandbox.tape_instruments import instruments_for
from bot.shell.clock import SystemClock, VirtualClock

START_MS = 1_746_403_200_000
WAIT_S = 5.0


class Client:
    """Signs and sends; gives (status, JSON body)."""

    def __init__(self, sandbox: ExchangeSandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session
        self.headers: dict[str, str] = {}

    async def call(
        self, method: str, path: str, *, signed: bool = True, key: bool = True, **params: Any
    ) -> tuple[int, Any]:
        """One request with everything in the query."""
        if signed:
            params.setdefault("timestamp", self.sandbox.now_ms())
        query = urlencode(params)
        if signed:
            secret = self.sandbox.api_secret.encode()
            digest = hmac.new(secret, query.encode(), hashlib.sha256).hexdigest()
            query = f"{query}&signature={digest}"
        return await self.raw(method, path, query, key=key)

    async def raw(
        self, method: str, path: str, query: str, *, body: bytes = b"", key: bool = True
    ) -> tuple[int, Any]:
        """One request with exactly this query and body."""
        headers = {"X-MBX-APIKEY": self.sandbox.api_key} if key else {}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        url = f"{self.sandbox.rest}{path}" + (f"?{query}" if query else "")
        async with self.session.request(
            method, URL(url, encoded=True), headers=headers, data=body or None
        ) as answer:
            self.headers = dict(answer.headers)
            return answer.status, await answer.json()

    async def order(self, side: str, quantity: str, **more: Any) -> tuple[int, Any]:
        """A MARKET order unless a price is given."""
        kind: dict[str, Any] = {"type": "MARKET"}
        if "price" in more:
            kind = {"type": "LIMIT", "timeInForce": "GTC"}
        named = {"symbol": "BTCUSDT", "side": side, "quantity": quantity, **kind, **more}
        return await self.call("POST", "/fapi/v1/order", **named)

    async def algo(self, kind: str, trigger: str, **more: Any) -> tuple[int, Any]:
        """A closing conditional SELL unless more is said."""
        named = {
            "algoType": "CONDITIONAL",
            "symbol": "BTCUSDT",
            "side": "SELL",
            "type": kind,
            "triggerPrice": trigger,
            **more,
        }
        if "quantity" not in named:
            named["closePosition"] = "true"
        return await self.call("POST", "/fapi/v1/algoOrder", **named)

    async def turn(self, path: str, /, **body: Any) -> Any:
        """A control call."""
        url = f"{self.sandbox.rest}/sandbox/{path}"
        async with self.session.post(url, json=body) as answer:
            told = await answer.json()
            assert answer.status == 200, told
            return told

    async def look(self, path: str, /, **params: str) -> Any:
        """A control question."""
        url = f"{self.sandbox.rest}/sandbox/{path}"
        async with self.session.get(url, params=params) as answer:
            assert answer.status == 200
            return await answer.json()

    async def listen(self, path: str) -> aiohttp.ClientWebSocketResponse:
        """A WebSocket."""
        return await self.session.ws_connect(f"{self.sandbox.ws}{path}")

    async def user_stream(self) -> aiohttp.ClientWebSocketResponse:
        """A private socket with a fresh listen key."""
        _, answer = await self.call("POST", "/fapi/v1/listenKey", signed=False)
        return await self.listen(f"/private/ws?listenKey={answer['listenKey']}")


async def hear(ws: aiohttp.ClientWebSocketResponse) -> Any:
    """The next frame."""
    message = await asyncio.wait_for(ws.receive(), WAIT_S)
    assert message.type is aiohttp.WSMsgType.TEXT, message
    return json.loads(message.data)


async def hear_all(ws: aiohttp.ClientWebSocketResponse, fence: int = 999) -> list[Any]:
    """Every frame up to now: what comes before the answer to a question asked now."""
    await ws.send_json({"method": "LIST_SUBSCRIPTIONS", "id": fence})
    frames = []
    while True:
        frame = await hear(ws)
        if isinstance(frame, dict) and frame.get("id") == fence:
            return frames
        frames.append(frame)


def flat_tape(folder: Path, minutes: int = 40, price: float = 10_000.0) -> RecordedTape:
    """Two symbols that hardly move, one minute a bar."""
    for symbol, level in (("BTCUSDT", price), ("ETHUSDT", price / 40)):
        rows = []
        for i in range(minutes):
            close = level + i % 2
            rows.append(f"{START_MS + i * 60_000},{level},{level + 2},{level - 1},{close},9")
        text = "open_time,open,high,low,close,volume\n" + "\n".join(rows) + "\n"
        (folder / f"{symbol}-1m.csv").write_text(text)
    return RecordedTape.open(folder)


@asynccontextmanager
async def running(
    tape: Tape,
    *,
    clock: SystemClock | VirtualClock | None = None,
    speed: float = 1.0,
    history_bars: int = 20,
    faults: FaultPlan | None = None,
) -> AsyncIterator[Client]:
    """A sandbox on a free port and its client; time stands still unless a clock is given."""
    sandbox = ExchangeSandbox(
        tape=tape,
        instruments=instruments_for(tape.first_prices),
        clock=clock or VirtualClock(),
        speed=speed,
        seed=1,
        faults=faults,
        history_bars=history_bars,
    )
    await sandbox.start(0)
    try:
        async with aiohttp.ClientSession() as session:
            yield Client(sandbox, session)
    finally:
        await sandbox.stop()
