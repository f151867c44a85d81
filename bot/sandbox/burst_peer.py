"""A peer for the burst benchmark: bars of many symbols close in one write, orders rest at once.

It keeps no books and checks nothing, so that what is measured is the client. `POST /burst?at_ms=M`
sets its clock and sends, in one write, a mark price and the closing bar of every symbol for the
minute that ends at M. Started as `python -m bot.sandbox.burst_peer --symbols N`; prints one JSON
line when ready. Must not know: who measures.
"""

import asyncio
import json
import sys
from typing import Any, Final

from aiohttp import WSMsgType, web

from bot.sandbox.bench_peer import CANNED, ORDER
from bot.sandbox.exchange_answers import bracket_rows, exchange_info
from bot.sandbox.exchange_margin import brackets_of
from bot.sandbox.tape_instruments import instruments_for
from bot.shell.clock import SystemClock

MINUTE_MS: Final = 60_000
SYMBOLS: Final = 120
PRICE: Final = 60_000.0
LEVERAGE: Final = 5
ROW: Final = '[{},"60000.1","60010.3","59990.4","60001.2","123.4",{},"74.1",12,"60.1","36.1","0"]'


def symbols_of(count: int) -> tuple[str, ...]:
    """So many made-up symbols."""
    return tuple(f"COIN{number:03}USDT" for number in range(count))


class _Peer:
    def __init__(self, count: int) -> None:
        self._clock = SystemClock()
        self._symbols = symbols_of(count)
        self._instruments = instruments_for(dict.fromkeys(self._symbols, PRICE))
        self._market: asyncio.WriteTransport | None = None
        self._private: web.WebSocketResponse | None = None

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/market/stream", self._market_stream)
        app.router.add_get("/private/ws", self._private_stream)
        app.router.add_get("/fapi/v1/klines", self._klines)
        app.router.add_post("/burst", self._burst)
        app.router.add_post("/bare", self._bare)
        app.router.add_route("*", "/fapi/v1/order", self._order)
        app.router.add_route("*", "/{rest:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        now_ms = self._clock.now_ms()
        made: dict[str, Any] = {
            "/fapi/v1/time": lambda: {"serverTime": now_ms},
            "/fapi/v1/exchangeInfo": lambda: exchange_info(self._instruments, now_ms),
            "/fapi/v1/leverageBracket": lambda: [
                bracket_rows(one, brackets_of(one)) for one in self._instruments
            ],
            "/fapi/v1/premiumIndex": lambda: self._marks(now_ms),
            "/fapi/v1/symbolConfig": lambda: [
                {"symbol": symbol, "marginType": "ISOLATED", "leverage": LEVERAGE}
                for symbol in self._symbols
            ],
        }
        known = made.get(request.path)
        return web.json_response(known() if known else CANNED.get(request.path, {}))

    async def _order(self, request: web.Request) -> web.Response:
        """A limit order rests; asked for or cancelled, it is cancelled and unfilled."""
        name = "newClientOrderId" if request.method == "POST" else "origClientOrderId"
        changes = {
            "clientOrderId": request.query[name],
            "symbol": request.query["symbol"],
            "status": "NEW" if request.method == "POST" else "CANCELED",
            "type": "LIMIT",
            "executedQty": "0",
            "cumQty": "0",
            "updateTime": self._clock.now_ms(),
        }
        if self._private is not None:  # an accepted order nobody tells of would be a mute stream
            await self._private.send_str(_update(changes))
        return web.json_response(ORDER | changes)

    async def _bare(self, _request: web.Request) -> web.Response:
        return web.json_response(ORDER)

    def _marks(self, now_ms: int) -> list[dict[str, object]]:
        return [{"symbol": s, "markPrice": "60000.1", "time": now_ms} for s in self._symbols]

    async def _klines(self, request: web.Request) -> web.Response:
        last_ms = self._clock.now_ms() // MINUTE_MS * MINUTE_MS
        limit = int(request.query["limit"])
        first_ms = int(request.query.get("startTime", last_ms - (limit - 1) * MINUTE_MS))
        moments = range(first_ms, last_ms + 1, MINUTE_MS)[:limit]
        rows = ",".join(ROW.format(at_ms, at_ms + MINUTE_MS - 1) for at_ms in moments)
        return web.Response(text=f"[{rows}]", content_type="application/json")

    # Streams

    async def _market_stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        assert isinstance(request.transport, asyncio.WriteTransport)
        self._market = request.transport
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                command = json.loads(message.data)
                await socket.send_str(json.dumps({"result": None, "id": command["id"]}))
        return socket

    async def _private_stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self._private = socket
        async for _message in socket:
            pass
        return socket

    async def _burst(self, request: web.Request) -> web.Response:
        at_ms = int(request.query["at_ms"])
        self._clock.set_now(at_ms)
        assert self._market is not None, "nobody listens"
        marks = [_mark(symbol, at_ms) for symbol in self._symbols]
        bars = [_bar(symbol, at_ms - MINUTE_MS) for symbol in self._symbols]
        self._market.write(b"".join((*marks, *bars)))
        return web.json_response({"frames": len(marks) + len(bars)})


def _update(order: dict[str, Any]) -> str:
    at_ms, status = order["updateTime"], order["status"]
    body = {"s": order["symbol"], "c": order["clientOrderId"], "S": "BUY", "o": "LIMIT", "q": "1"}
    body |= {"x": status, "X": status, "i": ORDER["orderId"], "T": at_ms, "z": "0", "l": "0"}
    return json.dumps({"e": "ORDER_TRADE_UPDATE", "T": at_ms, "E": at_ms, "o": body})


def _mark(symbol: str, at_ms: int) -> bytes:
    body: dict[str, Any] = {
        "e": "markPriceUpdate",
        "E": at_ms,
        "s": symbol,
        "p": "60000.1",
        "i": "60000.1",
    }
    body |= {"P": "60000.1", "ap": "60000.1", "r": "0.0001", "T": at_ms, "st": 1}
    return _framed(f"{symbol.lower()}@markPrice@1s", body)


def _bar(symbol: str, open_ms: int) -> bytes:
    close_ms = open_ms + MINUTE_MS - 1
    kline: dict[str, Any] = {
        "t": open_ms,
        "T": close_ms,
        "s": symbol,
        "i": "1m",
        "f": 1,
        "L": 2,
        "o": "60000.1",
    }
    kline |= {"c": "60001.2", "h": "60010.3", "l": "59990.4", "v": "123.4", "n": 12, "x": True}
    kline |= {"q": "74.1", "V": "60.1", "Q": "36.1", "B": "0"}
    body = {"e": "kline", "E": close_ms + 1, "s": symbol, "k": kline}
    return _framed(f"{symbol.lower()}@kline_1m", body)


def _framed(stream: str, body: dict[str, Any]) -> bytes:
    text = json.dumps({"stream": stream, "data": body}, separators=(",", ":")).encode()
    assert 125 < len(text) < 1 << 16, "this header is for middling frames"
    return b"\x81\x7e" + len(text).to_bytes(2, "big") + text  # unmasked text, RFC 6455


async def main(count: int) -> None:
    """Serve on a free port of this machine until killed."""
    runner = web.AppRunner(_Peer(count).app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    ready = {"ready": True, "rest": f"http://127.0.0.1:{port}", "ws": f"ws://127.0.0.1:{port}"}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[2]) if sys.argv[1:2] == ["--symbols"] else SYMBOLS))
