"""Frames and answers of the real exchange, re-played through the client over loopback sockets."""

import asyncio
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bot.core.messages import Event, StreamRestored
from bot.venue.shard import MarketStream
from bot.venue.user_stream import UserStream
from bot.venue.wire_answers import Malformed
from bot.venue.wire_frames import read_user_frame
from bot.venue.wire_market import NAME_AT, OPEN, NotOurs, read_market_frame
from data.model import Candle
from tests.house import ROOT
from tests.venue.fake import Script, client, exchange, ok, stream_host, wait_for

FIXTURES = ROOT.parent / "shared/fixtures"
CAPTURED_MS = 1_800_000_000_000  # later than every captured frame
pytestmark = pytest.mark.skipif(
    not FIXTURES.exists(), reason="the shared fixtures are not beside this checkout"
)


def _frames(*patterns: str) -> list[bytes]:
    found: list[bytes] = []
    for pattern in patterns:
        for path in sorted(FIXTURES.glob(pattern)):
            found += _texts(path)
    return found


def _texts(path: Path) -> list[bytes]:
    if path.suffix != ".jsonl":
        return [json.dumps(json.loads(path.read_bytes())).encode()]
    lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    return [_payload(json.loads(line)) for line in lines]


def _payload(line: Any) -> bytes:
    # Captures keep a frame bare, or beside notes of when and where it came.
    for name in ("frame", "raw", "payload"):
        if isinstance(line, dict) and name in line:
            inner = line[name]
            return inner.encode() if isinstance(inner, str) else json.dumps(inner).encode()
    return json.dumps(line).encode()


def _meant(frames: list[bytes]) -> list[Event]:
    events: list[Event] = []
    for frame in frames:
        try:
            events += read_user_frame(frame).events
        except Malformed:
            continue
    return events


async def test_real_user_frames_come_through_the_client_in_order() -> None:
    """All of them: orders, fills, positions and wallet as they were told, and no break."""
    frames = _frames("captured-frames/user*.jsonl", "nautilus/ws-user/*.json")
    assert len(frames) >= 5
    script = Script()
    script.on("POST", "/fapi/v1/listenKey", ok({"listenKey": "k"}))
    async with exchange(script) as url, client(url) as rest, stream_host() as sockets:
        rest.clock.set_now(CAPTURED_MS)
        told: list[Event] = []
        stream = UserStream(rest=rest, ws_url=sockets.url, dice=Random(1), sink=told.append)
        task = asyncio.create_task(stream.run())
        try:
            await sockets.until(1)
            for frame in frames:
                await sockets.tell(frame)
            wanted = _meant(frames)
            await wait_for(lambda: len(told) >= len(wanted) + 1)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert wanted
    assert [event for event in told[:-1] if not isinstance(event, StreamRestored)] == wanted


async def test_real_market_frames_come_through_the_client() -> None:
    """Marks and klines are told; every other kind is known not to be ours; none is malformed."""
    frames = _frames("captured-frames/kline*.jsonl", "captured-frames/market*.jsonl")
    assert len(frames) >= 5
    async with stream_host() as sockets:
        heard: list[bytes] = []
        stream = MarketStream(
            ws_url=sockets.url, dice=Random(1), hear=lambda _stream, frame: heard.append(frame)
        )
        task = asyncio.create_task(stream.run())
        try:
            await sockets.until(1)
            for frame in frames:
                await sockets.tell(frame)
            await wait_for(lambda: len(heard) == len(frames))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    read = [read_market_frame(frame) for frame in heard]
    assert any(not isinstance(one, NotOurs) for one in read)


def test_real_open_bars_are_recognised_without_decoding() -> None:
    """The exchange spells a kline frame as the short way expects: no bar takes the long one."""
    frames = (FIXTURES / "captured-frames/kline_open_2026-08-01.jsonl").read_bytes().splitlines()
    assert frames
    for raw in frames:
        told = read_market_frame(raw)
        assert isinstance(told, Candle)
        assert not told.closed
        assert OPEN in raw
        assert b'"t":%d,' % told.open_ms in raw
        assert raw[NAME_AT : raw.find(b'"', NAME_AT)] == b"btcusdt@kline_1m"
