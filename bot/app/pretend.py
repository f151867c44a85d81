"""The pretend servers as a process: what `python -m bot sandbox ...` runs.

One JSON line on stdout says where they listen; SIGTERM or SIGINT ends them. With `parent` set the
process also ends when its parent has gone, so that no demo leaves a server behind.

Must not know: the service.
"""

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from bot.sandbox.exchange_server import ExchangeSandbox
from bot.sandbox.faults import FaultPlan
from bot.sandbox.gemini_server import serve_gemini
from bot.sandbox.tape import RecordedTape, Tape
from bot.sandbox.tape_instruments import instruments_for
from bot.sandbox.tape_walk import WalkTape
from bot.sandbox.telegram_server import make_token, serve_telegram
from bot.shell.clock import SystemClock
from bot.shell.errors import SettingFault

ORPHAN_LOOK_S: Final = 1.0
HISTORY_BARS: Final = 2_000  # minutes: 400 bars of 5m for whoever warms up on them
GEMINI_KEY: Final = "AIzaPretend"  # opens nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class PretendOptions:
    """What the servers play. Ports of 0 are free ones; `faults` names a plan."""

    exchange_port: int = 0
    chat_port: int = 0
    gemini_port: int = 0
    tape: Path | None = None
    symbols: tuple[str, ...] = ()
    seed: int = 1
    speed: float = 1.0
    faults: str = "none"
    pace: float = 1.0  # Telegram's limits on messages; 0 lifts them


def main(kind: str, options: PretendOptions) -> int:
    """Serve "exchange", "telegram", "gemini" or all ("world") until told to stop."""
    try:
        return asyncio.run(_serve(kind, options))
    except (SettingFault, OSError) as fault:
        sys.stderr.write(f"{fault}\n")
        return 2


async def _serve(kind: str, options: PretendOptions) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    clock = SystemClock(speed=options.speed)
    async with AsyncExitStack() as stack:
        ready: dict[str, object] = {"ready": True}
        if kind in ("exchange", "world"):
            ready |= await _exchange(stack, options, clock)
        if kind in ("telegram", "world"):
            told = await _telegram(stack, options, clock)
            ready |= told if kind == "telegram" else {"telegram": told}
        if kind in ("gemini", "world"):
            told = await _gemini(stack, options, clock)
            ready |= told if kind == "gemini" else {"gemini": told}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        parent = os.getppid() if kind == "world" else 0
        while not stop.is_set() and parent in (0, os.getppid()):
            try:
                async with asyncio.timeout(ORPHAN_LOOK_S):
                    await stop.wait()
            except TimeoutError:
                continue
    return 0


async def _exchange(
    stack: AsyncExitStack, options: PretendOptions, clock: SystemClock
) -> dict[str, object]:
    tape: Tape
    if options.tape is None:
        tape = WalkTape(options.seed)
    else:
        tape = RecordedTape.open(options.tape, options.symbols)
    sandbox = ExchangeSandbox(
        tape=tape,
        instruments=instruments_for(tape.first_prices),
        clock=clock,
        speed=options.speed,
        seed=options.seed,
        faults=FaultPlan.named(options.faults, options.seed),
        history_bars=HISTORY_BARS,
    )
    await sandbox.start(options.exchange_port)
    stack.push_async_callback(sandbox.stop)
    return {
        "rest": sandbox.rest,
        "ws": sandbox.ws,
        "api_key": sandbox.api_key,
        "api_secret": sandbox.api_secret,
        # Only what trades from the first bar on: others have neither price nor history yet.
        "symbols": sorted(candle.symbol for candle in next(tape.rows()).candles),
        "timeframe": tape.timeframe,
    }


async def _telegram(
    stack: AsyncExitStack, options: PretendOptions, clock: SystemClock
) -> dict[str, object]:
    token = make_token(Random(f"telegram/{options.seed}"))
    sandbox = await serve_telegram(
        options.chat_port, token=token, seed=options.seed, clock=clock, pace=options.pace
    )
    stack.push_async_callback(sandbox.stop)
    return {"base_url": sandbox.address.base_url, "token": token, "chat": sandbox.address.chat}


async def _gemini(
    stack: AsyncExitStack, options: PretendOptions, clock: SystemClock
) -> dict[str, object]:
    sandbox = await serve_gemini(
        options.gemini_port, seed=options.seed, clock=clock, api_key=GEMINI_KEY
    )
    stack.push_async_callback(sandbox.stop)
    return {"base_url": sandbox.base_url, "api_key": GEMINI_KEY}
