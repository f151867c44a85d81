"""A market for benchmarks: any number of symbols, four frames a second a stream, and a flood.

It keeps no state of trading and checks nothing, so that what is measured is the client. Frames are
encoded beforehand but for their moments, and a connection's frames of one tick are written at once.
`POST /bench/stop` ends it and tells how many frames were sent; `POST /bench/flood?frames=N` sends N
kline frames of one stream as fast as they are taken; `POST /bench/cut` breaks every connection.
Started as `python -m bot.sandbox.bench_market SYMBOLS [SPEED]`; prints one JSON line when ready.

Must not know: who measures.
"""

import asyncio
import json
import sys
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import WSMsgType, web

from bot.sandbox.exchange_answers import exchange_info
from bot.sandbox.tape import TIMEFRAMES_MS, bucket_start_ms
from bot.sandbox.tape_instruments import instruments_for
from bot.shell.clock import SystemClock, wall_monotonic_s, wall_sleep_s

UPDATES_PER_S: Final = 4  # of a kline stream; a mark price comes once a second
PHASES: Final = 25  # ticks between two updates of a stream: the frames are spread over them
MARKS_EVERY: Final = UPDATES_PER_S
BEHIND_BYTES_MAX: Final = 4 << 20  # a client this far behind is left alone until it has read
FLOOD_FRAMES: Final = 200  # written at once

KLINE: Final = (
    b'{"stream":"%b@kline_%b","data":{"e":"kline","E":',
    b',"s":"%b","k":{"t":',
    b',"T":',
    b',"s":"%b","i":"%b","f":1760000,"L":1760100,"o":"60000.10","c":"60001.20","h":"60010.30",'
    b'"l":"59990.40","v":"123.456","n":1234,"x":',
    b',"q":"7400000.1234","V":"60.123","Q":"3600000.1234","B":"0"}}}',
)
MARK: Final = (
    b'{"stream":"%b@markPrice@1s","data":{"e":"markPriceUpdate","E":',
    b',"s":"%b","p":"60000.10000000","i":"60000.10000000","P":"60000.10000000",'
    b'"ap":"60000.10000000","r":"0.00010000","T":1760000000000,"st":1}}',
)
ROW: Final = (
    '[{},"60000.10","60010.30","59990.40","60001.20","123.456",{},"7400000.1234",1234,"60.123",'
    '"3600000.1234","0"]'
)


def symbols_of(count: int) -> tuple[str, ...]:
    """So many made-up symbols."""
    return tuple(f"COIN{number:03}USDT" for number in range(count))


@dataclass(slots=True, eq=False)
class Stream:
    """The bars of one symbol and timeframe, encoded but for their moments."""

    timeframe: str
    parts: tuple[bytes, ...]
    open_ms: int = 0

    def frames(self, now_ms: int) -> list[bytes]:
        """The open bar now, after the final word of the one before if that has just ended."""
        open_ms = bucket_start_ms(now_ms, self.timeframe)
        told = [self._frame(open_ms, now_ms, final=False)]
        if self.open_ms and open_ms > self.open_ms:
            told.insert(0, self._frame(self.open_ms, now_ms, final=True))
        self.open_ms = open_ms
        return told

    def _frame(self, open_ms: int, now_ms: int, *, final: bool) -> bytes:
        end_ms = open_ms + TIMEFRAMES_MS[self.timeframe] - 1
        told, at, to, words, tail = self.parts
        x = b"true" if final else b"false"
        body = b"%b%d%b%d%b%d%b%b%b" % (told, now_ms, at, open_ms, to, end_ms, words, x, tail)
        return _framed(body)


@dataclass(slots=True, eq=False)
class _Mark:
    parts: tuple[bytes, bytes]

    def frames(self, now_ms: int) -> list[bytes]:
        """The price now."""
        return [_framed(b"%b%d%b" % (self.parts[0], now_ms, self.parts[1]))]


@dataclass(slots=True, eq=False)
class _Listener:
    transport: asyncio.WriteTransport
    streams: dict[str, tuple[int, Stream | _Mark]] = field(default_factory=dict)  # and its phase


class Peer:
    """Symbols, their listeners, and the clock that drives them."""

    def __init__(self, count: int, speed: float) -> None:
        self._clock = SystemClock(speed=speed)
        self._instruments = instruments_for(dict.fromkeys(symbols_of(count), 60_000.0))
        self._symbols = {one.symbol.lower(): one.symbol for one in self._instruments}
        self._listeners: set[_Listener] = set()
        self._sent = 0
        self._stopped = False
        self._next_phase = 0

    def app(self) -> web.Application:
        """Its doors."""
        app = web.Application()
        app.router.add_get("/market/stream", self._stream)
        app.router.add_get("/fapi/v1/klines", self._klines)
        app.router.add_get("/fapi/v1/premiumIndex", self._marks)
        app.router.add_get("/fapi/v1/ticker/24hr", self._tickers)
        app.router.add_get("/fapi/v1/time", self._time)
        app.router.add_get("/fapi/v1/exchangeInfo", self._info)
        app.router.add_post("/bench/stop", self._stop)
        app.router.add_post("/bench/flood", self._flood)
        app.router.add_post("/bench/cut", self._cut)
        return app

    async def run(self) -> None:
        """Four updates a second of everything anybody listens to; forever."""
        tick, tick_s = 0, 1 / UPDATES_PER_S / PHASES
        began_s = wall_monotonic_s()
        while True:
            tick += 1
            await wall_sleep_s(max(0.0, began_s + tick * tick_s - wall_monotonic_s()))
            now_ms, (turn, phase) = self._clock.now_ms(), divmod(tick, PHASES)
            for listener in self._listeners:
                self._tell(listener, now_ms, phase, marks=turn % MARKS_EVERY == 0)

    def _tell(self, listener: _Listener, now_ms: int, phase: int, *, marks: bool) -> None:
        if self._stopped or listener.transport.get_write_buffer_size() > BEHIND_BYTES_MAX:
            return
        told: list[bytes] = []
        for own_phase, stream in listener.streams.values():
            if own_phase == phase and (marks or isinstance(stream, Stream)):
                frames = stream.frames(now_ms)
                self._sent += len(frames)
                told += frames
        if told:
            listener.transport.write(b"".join(told))

    # Streams

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        assert isinstance(request.transport, asyncio.WriteTransport)
        listener = _Listener(request.transport)
        self._listeners.add(listener)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    await socket.send_str(self._answer(listener, json.loads(message.data)))
        finally:
            self._listeners.discard(listener)
        return socket

    def _answer(self, listener: _Listener, command: dict[str, Any]) -> str:
        for name in command["params"]:
            if command["method"] == "UNSUBSCRIBE":
                listener.streams.pop(name, None)
                continue
            stream = self._made(name)
            if stream is not None:
                self._next_phase = (self._next_phase + 1) % PHASES
                listener.streams[name] = (self._next_phase, stream)
        return json.dumps({"result": None, "id": command["id"]})

    def _made(self, name: str) -> Stream | _Mark | None:
        lower, _, channel = name.partition("@")
        symbol = self._symbols.get(lower)
        if symbol is None:
            return None
        low, up = lower.encode(), symbol.encode()
        if channel == "markPrice@1s":
            return _Mark((MARK[0] % low, MARK[1] % up))
        timeframe = channel.removeprefix("kline_")
        if timeframe not in TIMEFRAMES_MS:
            return None
        tf = timeframe.encode()
        parts = (KLINE[0] % (low, tf), KLINE[1] % up, KLINE[2], KLINE[3] % (up, tf), KLINE[4])
        return Stream(timeframe, parts)

    async def _flood(self, request: web.Request) -> web.Response:
        """Send so many frames of the first kline stream to its listener, then answer."""
        left = int(request.query["frames"])
        listener, stream = next(
            (one, stream)
            for one in self._listeners
            for _, stream in one.streams.values()
            if isinstance(stream, Stream)
        )
        while left > 0:
            count = min(left, FLOOD_FRAMES)
            listener.transport.write(stream.frames(self._clock.now_ms())[-1] * count)
            left -= count
            self._sent += count
            while listener.transport.get_write_buffer_size() > BEHIND_BYTES_MAX // 16:
                await wall_sleep_s(0.0005)
        return web.json_response({})

    async def _stop(self, _request: web.Request) -> web.Response:
        self._stopped = True
        return web.json_response({"frames": self._sent})

    async def _cut(self, _request: web.Request) -> web.Response:
        for listener in self._listeners:
            listener.transport.abort()
        return web.json_response({})

    # Requests

    async def _klines(self, request: web.Request) -> web.Response:
        timeframe, limit = request.query["interval"], int(request.query["limit"])
        step_ms = TIMEFRAMES_MS[timeframe]
        last_ms = bucket_start_ms(self._clock.now_ms(), timeframe)
        first_ms = int(request.query.get("startTime", last_ms - (limit - 1) * step_ms))
        moments = range(first_ms, last_ms + 1, step_ms)[:limit]
        rows = ",".join(ROW.format(at_ms, at_ms + step_ms - 1) for at_ms in moments)
        return web.Response(text=f"[{rows}]", content_type="application/json")

    async def _marks(self, request: web.Request) -> web.Response:
        now_ms = self._clock.now_ms()
        rows = [
            {"symbol": symbol, "markPrice": "60000.1", "time": now_ms}
            for symbol in self._symbols.values()
        ]
        one = request.query.get("symbol")
        return web.json_response({**rows[0], "symbol": one} if one else rows)

    async def _tickers(self, _request: web.Request) -> web.Response:
        now_ms = self._clock.now_ms()
        return web.json_response(
            [
                {"symbol": symbol, "lastPrice": "60000.1", "quoteVolume": str(10**9 - number)}
                | {"volume": "1000", "priceChangePercent": "0.1", "closeTime": now_ms}
                for number, symbol in enumerate(self._symbols.values())
            ]
        )

    async def _time(self, _request: web.Request) -> web.Response:
        return web.json_response({"serverTime": self._clock.now_ms()})

    async def _info(self, _request: web.Request) -> web.Response:
        return web.json_response(exchange_info(self._instruments, self._clock.now_ms()))


def _framed(body: bytes) -> bytes:
    # An unmasked text frame of RFC 6455; every body here is longer than 125 bytes.
    return b"\x81\x7e" + len(body).to_bytes(2, "big") + body


async def main(count: int, speed: float) -> None:
    """Serve on a free port of this machine until killed."""
    peer = Peer(count, speed)
    runner = web.AppRunner(peer.app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    ready = {"ready": True, "rest": f"http://127.0.0.1:{port}", "ws": f"ws://127.0.0.1:{port}"}
    sys.stdout.write(json.dumps({**ready, "symbols": symbols_of(count)}) + "\n")
    sys.stdout.flush()
    await peer.run()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0))
