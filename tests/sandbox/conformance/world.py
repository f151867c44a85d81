"""The exchange's own SDK against the pretend exchange: REST in a thread, streams on the loop.

The SDK shares no line with our client, checks every answer against its models, and signs in its own
way (everything in the query, insertion order). What it cannot express (a missing signature, a
stale timestamp, more frames a second than it allows itself) is said in plain aiohttp by `raw`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.sandbox.exchange_client import Client, flat_tape, running

WAIT_S = 5.0
BTC = "BTCUSDT"


class Sdk:
    """The SDK's clients of one sandbox. `raw` speaks plain aiohttp to the same one."""

    def __init__(self, parts: SimpleNamespace, raw: Client) -> None:
        self.raw = raw
        self.turn = raw.turn
        sandbox = raw.sandbox
        self._parts = parts
        keys = {"api_key": sandbox.api_key, "api_secret": sandbox.api_secret}
        self.whole = parts.DerivativesTradingUsdsFutures(
            config_rest_api=parts.ConfigurationRestAPI(
                **keys, base_path=sandbox.rest, retries=0, timeout=5_000
            ),
            config_ws_api=parts.ConfigurationWebSocketAPI(
                **keys, stream_url=f"{sandbox.ws}/ws-fapi/v1"
            ),
            config_ws_streams=parts.ConfigurationWebSocketStreams(stream_url=sandbox.ws),
        )
        self.rest = self.whole.rest_api
        self.rest._session.trust_env = False  # a machine's proxy has no business on loopback

    async def ask(self, method: str, **params: Any) -> Any:
        """One REST call by the SDK's name; its answer as plain JSON, checked by its model."""
        answer = await asyncio.to_thread(getattr(self.rest, method), **params)
        told = await asyncio.to_thread(answer.data)
        return _plain(told)

    async def refused(self, method: str, **params: Any) -> int:
        """The code of the refusal the call must meet."""
        try:
            answer = await self.ask(method, **params)
        except self._parts.errors.Error as error:
            return int(getattr(error, "status_code", 0) or 0)
        raise AssertionError(f"{method} was not refused: {answer}")

    async def buy(self, quantity: float = 0.1, **more: Any) -> Any:
        """A MARKET order that opens or adds to a long."""
        named = {"symbol": BTC, "side": "BUY", "type": "MARKET", "quantity": quantity, **more}
        return await self.ask("new_order", **named)

    async def algo(self, kind: str = "STOP_MARKET", trigger: float = 9_900, **more: Any) -> Any:
        """A conditional SELL that closes the position unless a quantity is named."""
        return await self.ask("new_algo_order", **algo_words(kind, trigger, **more))

    async def algo_refused(self, kind: str, trigger: float, **more: Any) -> int:
        """The refusal of a conditional order."""
        return await self.refused("new_algo_order", **algo_words(kind, trigger, **more))


def limit_words(price: float, side: str = "BUY", quantity: float = 0.1, **more: Any) -> Any:
    """A LIMIT order's words."""
    return {
        "symbol": BTC,
        "side": side,
        "type": "LIMIT",
        "time_in_force": "GTC",
        "quantity": quantity,
        "price": price,
        **more,
    }


def algo_words(kind: str, trigger: float, **more: Any) -> Any:
    """A conditional order's words."""
    words = {
        "algo_type": "CONDITIONAL",
        "symbol": BTC,
        "side": "SELL",
        "type": kind,
        "trigger_price": trigger,
        **more,
    }
    if "quantity" not in words:
        words["close_position"] = "true"
    return words


class Ear:
    """A user stream of the SDK: what it heard, oldest first, in one word each."""

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self._news = asyncio.Event()

    def hear(self, told: Any) -> None:
        """Keep one event."""
        inner = getattr(told, "actual_instance", None) or told
        self.frames.append({**_plain(inner), "e": type(inner).__name__})
        self._news.set()

    async def until(self, count: int) -> list[Any]:
        """The frames, once there are so many."""
        async with asyncio.timeout(WAIT_S):
            while len(self.frames) < count:
                self._news.clear()
                await self._news.wait()
        return self.frames

    @property
    def words(self) -> list[str]:
        """Each frame in one word."""
        return [word_of(frame) for frame in self.frames]


def word_of(frame: Any) -> str:
    """A user frame in one word; "e" is the SDK's model, whose own data drop the field."""
    name = str(frame["e"])
    match name:
        case "OrderTradeUpdate":
            return f"ORDER {frame['o']['x']}/{frame['o']['X']}"
        case "AlgoUpdate":
            return f"ALGO {frame['o']['X']}"
        case "AccountUpdate":
            return f"ACCOUNT {frame['a']['m']}"
    return name


@asynccontextmanager
async def sdk_world(
    parts: SimpleNamespace, folder: Path, patch: pytest.MonkeyPatch
) -> AsyncIterator[Sdk]:
    """A sandbox whose time stands still at price 10,001, and the SDK with its clock set to it."""
    async with running(flat_tape(folder)) as raw:
        patch.setattr(parts.utils, "get_timestamp", raw.sandbox.now_ms)
        # It waits half a second before each SUBSCRIBE, to spare the real exchange's limit.
        patch.setattr(parts.websocket, "SUBSCRIBE_MESSAGE_DELAY_SECONDS", 0)
        yield Sdk(parts, raw)


@asynccontextmanager
async def user_stream(sdk: Sdk) -> AsyncIterator[Ear]:
    """The SDK's user stream with a fresh listen key."""
    key = (await sdk.ask("start_user_data_stream"))["listenKey"]
    streams = sdk.whole.websocket_streams
    await streams.create_connection()
    try:
        ear = Ear()
        handle = await streams.user_data(key)
        handle.on("message", ear.hear)
        await _settled(sdk, key)
        yield ear
    finally:
        await streams.close_connection(close_session=True)


async def _settled(sdk: Sdk, stream: str) -> None:
    """Wait until the sandbox has read the subscription."""
    async with asyncio.timeout(WAIT_S):
        while not any(stream in one["streams"] for one in sdk.raw.sandbox.hub.connections):
            await asyncio.sleep(0.005)


def _plain(told: Any) -> Any:
    if isinstance(told, list):
        return [_plain(one) for one in told]
    inner = getattr(told, "actual_instance", None)
    if inner is not None:
        return _plain(inner)
    if hasattr(told, "to_dict"):
        return told.to_dict()
    return (
        told.model_dump(by_alias=True, exclude_none=True) if hasattr(told, "model_dump") else told
    )
