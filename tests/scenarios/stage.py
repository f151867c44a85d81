"""The stage of the scenarios: pretend exchange and Telegram on loopback, and a service on them.

The service is the real one, in this process or as a process of its own (`actor.py`). Signals are
handed in, so that a story does not wait for a market to make one.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp

from bot.app.service import Service
from bot.core.desk import Desk
from bot.core.messages import SignalRaised
from bot.core.trade import Trade
from bot.sandbox.exchange_server import ExchangeSandbox
from bot.sandbox.tape_instruments import instruments_for
from bot.sandbox.tape_walk import WalkTape
from bot.sandbox.telegram_server import TelegramSandbox, serve_telegram
from bot.shell.clock import SystemClock, wall_monotonic_s
from tests.house import ROOT
from tests.scenarios import actor

SYMBOL = "BTCUSDT"
PATIENCE_S = 60.0  # a start alone takes ten seconds where everything is busy
TOKEN = "7000000001:AAscenarioSecretTokenScenarioSecret12"
KEY = "scenarioKey" + "a" * 53
SECRET = "scenarioSecret" + "b" * 50


@dataclass
class Stage:
    """Everything a story needs to act and to look."""

    exchange: ExchangeSandbox
    telegram: TelegramSandbox
    http: aiohttp.ClientSession
    folder: Path
    actors: list["Actor"] = field(default_factory=list)

    def part(self, **changes: Any) -> actor.Part:
        """What a service is told: addresses, keys, database, bot."""
        values: dict[str, Any] = {
            "rest": self.exchange.rest,
            "ws": self.exchange.ws,
            "telegram": self.telegram.address.base_url,
            "token": TOKEN,
            "api_key": KEY,
            "api_secret": SECRET,
            "database": str(self.folder / "bot.db"),
            "symbol": SYMBOL,
        }
        return actor.Part(**{**values, **changes})

    @asynccontextmanager
    async def service(self, part: actor.Part, **more: Any) -> AsyncIterator[Service]:
        """A ready service in this process, its owner paired; stopped afterwards as by SIGTERM."""
        service, stop = actor.service_of(part, **more), asyncio.Event()
        task = asyncio.create_task(service.run(stop))
        try:
            await self.until(lambda: service.ready.is_set() or task.done(), "ready")
            if task.done():
                task.result()
            assert service.control is not None
            if service.control.pairing_code is not None:
                await self.say(f"/start {service.control.pairing_code}")
                await self.until(lambda: _paired(service), "paired")
            yield service
        finally:
            stop.set()
            await task

    async def process(self, part: actor.Part) -> "Actor":
        """A service in a process of its own, ready."""
        with (self.folder / "actor.log").open("a") as lines:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "tests.scenarios.actor",
                part.as_json(),
                stdin=PIPE,
                stdout=PIPE,
                stderr=lines,
                cwd=ROOT,
            )
        found = Actor(child)
        self.actors.append(found)
        assert (await found.line())["ready"]
        return found

    async def raise_signal(self, service: Service, **parts: Any) -> str:
        """Hand a signal in at the present price; the trade's id."""
        event = actor.signal_of(service, SYMBOL, **parts)
        service.engine.post(event)
        return await self.trade_of(service, event)

    async def trade_of(self, service: Service, event: SignalRaised) -> str:
        """The id of the trade that took a signal up."""

        def known() -> str | None:
            for trade in service.engine.desk.trades.values():
                if trade.signal == event.signal:
                    return trade.trade_id
            return None

        await self.until(lambda: known() is not None, "the signal was taken up")
        return str(known())

    async def say(self, text: str) -> None:
        """The owner types."""
        await self._post(self.telegram.address.base_url, "message", text=text)

    async def tap(self, label: str) -> None:
        """The owner taps the newest button of that label, once it is there."""
        message_id = 0

        async def look() -> bool:
            nonlocal message_id
            for message in reversed(await self.messages()):
                rows = (message["reply_markup"] or {}).get("inline_keyboard", [])
                if any(button["text"] == label for row in rows for button in row):
                    message_id = message["message_id"]
                    return True
            return False

        await self.until_async(look, f"a button {label}")
        base_url = self.telegram.address.base_url
        await self._post(base_url, "tap", message_id=message_id, text=label)

    async def messages(self) -> list[dict[str, Any]]:
        """The chat as it looks now, oldest first."""
        url = f"{self.telegram.address.base_url}/sandbox/messages"
        async with self.http.get(url, params={"after": "0"}) as answer:
            return list((await answer.json())["messages"])

    async def chat_says(self, words: str) -> None:
        """Wait until some message of the bot contains these words."""

        async def look() -> bool:
            return any(words in str(m["text"]) for m in await self.messages())

        await self.until_async(look, f"the chat says {words!r}")

    async def price(self, price: Decimal) -> None:
        """Move the market."""
        await self._post(self.exchange.rest, "price", symbol=SYMBOL, price=str(price))

    async def contract(self, symbol: str, **parts: Any) -> None:
        """Let a contract stop or start trading."""
        await self._post(self.exchange.rest, "contract", symbol=symbol, **parts)

    async def truth(self) -> dict[str, Any]:
        """The exchange's own books."""
        async with self.http.get(f"{self.exchange.rest}/sandbox/truth") as answer:
            return dict(await answer.json())

    async def inject(self, fault: str, **parts: Any) -> None:
        """Let the exchange misbehave."""
        await self._post(self.exchange.rest, "inject", fault=fault, **parts)

    async def heal(self) -> None:
        """Let the exchange behave again."""
        await self._post(self.exchange.rest, "heal")

    async def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait until it holds; fail by name when it does not in time."""

        async def look() -> bool:
            return true()

        await self.until_async(look, what)

    async def until_async(self, true: Callable[[], Any], what: str) -> None:
        """The same with a question that has to be awaited."""
        deadline_s = wall_monotonic_s() + PATIENCE_S
        while not await true():
            assert wall_monotonic_s() < deadline_s, f"waited {PATIENCE_S} s for: {what}"
            await asyncio.sleep(0.01)

    async def _post(self, base_url: str, route: str, **body: Any) -> None:
        async with self.http.post(f"{base_url}/sandbox/{route}", json=body) as answer:
            assert answer.status == 200, await answer.text()


class Actor:
    """A service in a process of its own: told by lines, answering in lines."""

    def __init__(self, process: Process) -> None:
        self.process = process

    async def ask(self, word: str) -> dict[str, Any]:
        """Say one word, hear one answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n".encode())
        await self.process.stdin.drain()
        return await self.line()

    async def line(self) -> dict[str, Any]:
        """The next answer."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            line = await self.process.stdout.readline()
        assert line, "the service's process has ended; see its log"
        return dict(json.loads(line))

    async def end(self) -> None:
        """Let go of the process, alive or not."""
        if self.process.returncode is None:
            self.process.kill()
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.process.communicate()

    async def until_phase(self, phase: str) -> dict[str, Any]:
        """Ask again and again until its one trade is in that phase."""
        deadline_s = wall_monotonic_s() + PATIENCE_S
        while True:
            told = await self.ask("trades")
            if phase in told["phases"]:
                return told
            assert wall_monotonic_s() < deadline_s, f"no trade became {phase}: {told}"
            await asyncio.sleep(0.02)


@asynccontextmanager
async def stage(folder: Path, symbols: tuple[str, ...] = (SYMBOL,)) -> AsyncIterator[Stage]:
    """A stage set up and taken down; its exchange trades these symbols."""
    tape = WalkTape(5, symbols)
    exchange = ExchangeSandbox(
        tape=tape,
        instruments=instruments_for(tape.first_prices),
        clock=SystemClock(),
        api_key=KEY,
        api_secret=SECRET,
    )
    await exchange.start()
    telegram = await serve_telegram(0, token=TOKEN, seed=1, clock=SystemClock(), pace=50.0)
    try:
        async with aiohttp.ClientSession() as http:
            found = Stage(exchange=exchange, telegram=telegram, http=http, folder=folder)
            try:
                yield found
            finally:
                for actor_ in found.actors:
                    await actor_.end()
    finally:
        await telegram.stop()
        await exchange.stop()


def trade_in(desk: Desk, trade_id: str) -> Trade:
    """The trade of that id."""
    return desk.trades[trade_id]


def _paired(service: Service) -> bool:
    assert service.control is not None
    return service.control.pairing_code is None
