"""What the live market costs: CPU a frame, lag of the loop, frames lost, memory, warm-up.

The other side is a peer in a process of its own that answers at once. Each measurement of a whole
market runs in a fresh process too (`python -m bot.replay.bench_market`), so that its memory is its
own. Must not know: how the result is shown.
"""

import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from bot.replay.bench_child import child
from bot.shell.clock import SystemClock, wall_monotonic_s, wall_sleep_s
from bot.shell.log import configure
from bot.shell.process import cpu_s, rss_mb, rss_mb_peak
from bot.venue.market import LiveMarket, MarketOptions
from bot.venue.rest import RestAddress, RestClient, open_session
from bot.venue.streams import Line, open_line
from bot.venue.wire_errors import Answer
from bot.venue.wire_requests import KLINES_LIMIT_MAX, klines_request
from bot.venue.wire_weight import LIMIT_DEFAULT, WeightBudget
from data.candles import CandleWindow

TIMEFRAMES: Final = ("1m", "30m", "4h")
STREAMS_PER_CONNECTION: Final = 50  # the service's default
UNLIMITED: Final = 10_000_000  # weight a minute, where the weight is not what is measured
FLOOD_FRAMES: Final = 60_000
FLOOD_BLOCKS: Final = 7
LAG_EVERY_S: Final = 0.01
SECONDS: Final = 20.0
DRAIN_S: Final = 10.0
LOOK_S: Final = 0.005
READY_S_MAX: Final = 60.0
SETTLE_S: Final = 15.0  # after ready: the last windows fill, streams run


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReport:
    """A market of so many symbols on three timeframes for a while; memory of that process."""

    symbols: int
    windows: int
    frames: int
    frames_a_second: float
    lost: int
    cpu_us: float  # a frame
    lag_p99_ms: float
    lag_max_ms: float
    warm_s: float
    rss_mb: float
    rss_mb_peak: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameReport:
    """CPU a frame, microseconds: bare receive and decode, our whole path, median of the ratios."""

    bare_us: float
    ours_us: float
    ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmReport:
    """Warm-up of 40 symbols, the bare reading of the same pages, and the plan for 600."""

    warm_s: float
    bare_s: float
    weight: int
    plan: str
    plan_s: float
    early: int  # windows of 600 symbols that could be traded on after as long as that took


class _Market(LiveMarket):
    """Counts what it hears."""

    frames = 0

    def hear(self, stream: bytes, frame: bytes) -> None:
        """Take one frame."""
        if stream:
            self.frames += 1
        super().hear(stream, frame)


# What the floor decodes: the fields that we use, and no others.
class _Bar(msgspec.Struct):
    t: int
    i: str
    o: float
    h: float
    l: float  # noqa: E741 - the exchange's name for low
    c: float
    v: float
    x: bool


class _Kline(msgspec.Struct):
    s: str
    k: _Bar
    st: int = 1


class _Frame(msgspec.Struct):
    stream: str
    data: _Kline


def measure_frame() -> FrameReport:
    """One stream's flood through a bare receive with decode, and through the live market."""
    with peer(1) as ready:
        return asyncio.run(_flood(ready))


def measure_feed(symbols: int, seconds: float = SECONDS) -> FeedReport:
    """A market of so many symbols in a process of its own, four updates a second a stream."""
    with peer(symbols) as ready:
        command = [sys.executable, "-m", "bot.replay.bench_market", json.dumps(ready), str(seconds)]
        told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
    return FeedReport(**json.loads(told.stdout.splitlines()[-1]))


def measure_warm_up() -> WarmReport:
    """Forty symbols within the exchange's own weight limit, and the plan for 600."""
    with peer(40) as ready:
        bare_s = asyncio.run(_read_bare(ready))
        warm_s, weight = asyncio.run(_warm_up(ready))
    with peer(600) as ready:
        plan, plan_s, early = asyncio.run(_plan(ready, warm_s))
    return WarmReport(
        warm_s=warm_s, bare_s=bare_s, weight=weight, plan=plan, plan_s=plan_s, early=early
    )


def measure_memory(symbols: int) -> float:
    """MiB resident of the whole service on paper with so many symbols, all warm."""
    with (
        peer(symbols) as ready,
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
    ):
        address = str(Path(folder) / "notify")
        notify.bind(address)
        notify.settimeout(READY_S_MAX)
        settings = {
            "PATH": os.defpath,
            "NOTIFY_SOCKET": address,
            "MODE": "paper",
            "BINANCE_REST_URL": ready["rest"],
            "BINANCE_WS_URL": ready["ws"],
            "DATABASE_URL": f"sqlite+aiosqlite:///{folder}/bench.db",
            "FIXED_SYMBOLS": ",".join(ready["symbols"]),
            "MAX_SYMBOLS_SUBSCRIBED": str(symbols),
            "LOG_LEVEL": "error",
        }
        command = [sys.executable, "-m", "bot", "run"]
        process = subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
        try:
            while b"READY=1" not in notify.recv(4096):
                pass
            asyncio.run(wall_sleep_s(SETTLE_S))
            return rss_mb(process.pid)
        finally:
            process.terminate()
            process.wait(timeout=30)


def peer(symbols: int, speed: float = 1.0) -> AbstractContextManager[dict[str, Any]]:
    """The pretend market of so many symbols; its ready line as a dict."""
    return child("bot.sandbox.bench_market", str(symbols), str(speed))


@asynccontextmanager
async def _market(ready: dict[str, Any], limit: int) -> AsyncIterator[tuple[_Market, RestClient]]:
    async with open_session() as session:
        rest = RestClient(
            address=RestAddress(base_url=ready["rest"]),
            session=session,
            clock=SystemClock(),
            budget=WeightBudget(limit=limit),
            dice=random.Random(1),
        )
        market = _Market(
            rest=rest,
            ws_url=ready["ws"],
            dice=random.Random(1),
            make_window=lambda symbol, timeframe: CandleWindow(symbol, timeframe),
            bar_sink=lambda _candle: None,
            options=MarketOptions(streams_per_connection=STREAMS_PER_CONNECTION),
        )
        running = asyncio.create_task(market.run())
        try:
            yield market, rest
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


def _watch_all(market: LiveMarket, ready: dict[str, Any]) -> list[tuple[str, str]]:
    for symbol in ready["symbols"]:
        market.watch(symbol, TIMEFRAMES)
    return [(symbol, timeframe) for symbol in ready["symbols"] for timeframe in TIMEFRAMES]


async def _shown(market: LiveMarket, keys: list[tuple[str, str]]) -> None:
    while any(market.window(*key) is None for key in keys):
        await wall_sleep_s(LOOK_S)


async def _call(ready: dict[str, Any], method: str, path: str) -> Any:
    async with open_session() as session, session.request(method, ready["rest"] + path) as response:
        return json.loads(await response.read())


# ------------------------------------------------------------------------------------- a frame


async def _flood(ready: dict[str, Any]) -> FrameReport:
    took = [(await _bare_flood(ready), await _our_flood(ready)) for _ in range(FLOOD_BLOCKS)]
    return FrameReport(
        bare_us=statistics.median(bare for bare, _ in took),
        ours_us=statistics.median(ours for _, ours in took),
        ratio=statistics.median(ours / bare for bare, ours in took),
    )


async def _bare_flood(ready: dict[str, Any]) -> float:
    line = await open_line(f"{ready['ws']}/market/stream")
    assert isinstance(line, Line), line
    decode = msgspec.json.Decoder(_Frame, strict=False).decode
    async with line.socket as socket:
        name = f"{ready['symbols'][0].lower()}@kline_{TIMEFRAMES[0]}"
        asked = {"method": "SUBSCRIBE", "params": [name], "id": 1}
        await line.send(msgspec.json.encode(asked))
        await socket.recv(decode=False)  # the acknowledgement
        flood = asyncio.create_task(_call(ready, "POST", f"/bench/flood?frames={FLOOD_FRAMES}"))
        began_s = cpu_s()
        for _ in range(FLOOD_FRAMES):
            decode(await socket.recv(decode=False))
        used_s = cpu_s() - began_s
        await flood
    return used_s / FLOOD_FRAMES * 1e6


async def _our_flood(ready: dict[str, Any]) -> float:
    async with _market(ready, UNLIMITED) as (market, _):
        symbol = ready["symbols"][0]
        market.watch(symbol, TIMEFRAMES[:1])
        await _shown(market, [(symbol, TIMEFRAMES[0])])
        while market.provisional(symbol, TIMEFRAMES[0]) is None:
            await wall_sleep_s(LOOK_S)
        began_s, before = cpu_s(), market.frames
        flood = asyncio.create_task(_call(ready, "POST", f"/bench/flood?frames={FLOOD_FRAMES}"))
        while market.frames - before < FLOOD_FRAMES:
            await wall_sleep_s(LOOK_S)
        used_s = cpu_s() - began_s
        await flood
    return used_s / FLOOD_FRAMES * 1e6


# ------------------------------------------------------------------------------ a whole market


async def _feed(ready: dict[str, Any], seconds: float) -> FeedReport:
    async with _market(ready, UNLIMITED) as (market, _):
        began_s = wall_monotonic_s()
        keys = _watch_all(market, ready)
        await _shown(market, keys)
        while any(market.provisional(*key) is None for key in keys):
            await wall_sleep_s(LOOK_S)
        warm_s = wall_monotonic_s() - began_s
        frames, used_s, began_s = market.frames, cpu_s(), wall_monotonic_s()
        lags_ms = await _lags(seconds)
        frames, used_s = market.frames - frames, cpu_s() - used_s
        took_s = wall_monotonic_s() - began_s
        sent = await _call(ready, "POST", "/bench/stop")
        until_s = wall_monotonic_s() + DRAIN_S
        while market.frames < sent["frames"] and wall_monotonic_s() < until_s:
            await wall_sleep_s(LOOK_S)
        return FeedReport(
            symbols=len(ready["symbols"]),
            windows=len(keys),
            frames=frames,
            frames_a_second=frames / took_s,
            lost=sent["frames"] - market.frames,
            cpu_us=used_s / max(1, frames) * 1e6,
            lag_p99_ms=statistics.quantiles(lags_ms, n=100)[98],
            lag_max_ms=max(lags_ms),
            warm_s=warm_s,
            rss_mb=rss_mb(),
            rss_mb_peak=rss_mb_peak(),
        )


async def _lags(seconds: float) -> list[float]:
    lags_ms: list[float] = []
    until_s = wall_monotonic_s() + seconds
    while (now_s := wall_monotonic_s()) < until_s:
        await wall_sleep_s(LAG_EVERY_S)
        lags_ms.append((wall_monotonic_s() - now_s - LAG_EVERY_S) * 1000)
    return lags_ms


# ------------------------------------------------------------------------------------- warm-up


async def _warm_up(ready: dict[str, Any]) -> tuple[float, int]:
    async with _market(ready, LIMIT_DEFAULT) as (market, rest):
        began_s = wall_monotonic_s()
        await _shown(market, _watch_all(market, ready))
        return wall_monotonic_s() - began_s, rest.budget.used


async def _plan(ready: dict[str, Any], seconds: float) -> tuple[str, float, int]:
    async with _market(ready, LIMIT_DEFAULT) as (market, _):
        keys = _watch_all(market, ready)
        told = market.warmup()
        await wall_sleep_s(seconds)
        early = sum(market.window(*key) is not None for key in keys)
        return told.plan, told.eta_s, early


async def _read_bare(ready: dict[str, Any]) -> float:
    limit = min(499, KLINES_LIMIT_MAX)
    async with _market(ready, UNLIMITED) as (_, rest):
        began_s = wall_monotonic_s()
        for symbol in ready["symbols"]:
            requests = [klines_request(symbol, frame, limit=limit) for frame in TIMEFRAMES]
            for outcome in await asyncio.gather(*(rest.read(one) for one in requests)):
                assert isinstance(outcome, Answer), outcome
        return wall_monotonic_s() - began_s


if __name__ == "__main__":
    configure(level="error")
    report = asyncio.run(_feed(json.loads(sys.argv[1]), float(sys.argv[2])))
    sys.stdout.write(json.dumps(asdict(report)) + "\n")
