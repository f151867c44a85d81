"""A peer for benchmarks: canned answers as fast as they go, and a storm of user-stream frames.

It keeps no state and checks nothing, so that what is measured is the client. Started as
`python -m bot.sandbox.bench_peer`; prints one JSON line when ready. Must not know: who measures.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any, Final

from aiohttp import WSMsgType, web

from bot.shell.clock import SystemClock, wall_monotonic_s, wall_sleep_s

TICK_S: Final = 0.01
SYMBOL: Final = "BTCUSDT"
ORDER: Final = {
    "clientOrderId": "",
    "cumQty": "0.002",
    "executedQty": "0.002",
    "orderId": 4611686018427387904,
    "origQty": "0.002",
    "price": "0",
    "reduceOnly": False,
    "side": "BUY",
    "positionSide": "BOTH",
    "status": "FILLED",
    "stopPrice": "0",
    "closePosition": False,
    "symbol": SYMBOL,
    "timeInForce": "GTC",
    "type": "MARKET",
    "origType": "MARKET",
    "updateTime": 1_760_000_000_000,
    "workingType": "CONTRACT_PRICE",
    "priceProtect": False,
    "priceMatch": "NONE",
    "selfTradePreventionMode": "EXPIRE_MAKER",
    "goodTillDate": 0,
}
CANNED: Final[dict[str, Any]] = {
    "/fapi/v1/accountConfig": {"dualSidePosition": False, "multiAssetsMargin": False},
    "/fapi/v1/symbolConfig": [],
    "/fapi/v1/leverageBracket": [],
    "/fapi/v1/exchangeInfo": {"symbols": [], "rateLimits": []},
    "/fapi/v1/listenKey": {"listenKey": "storm"},
    "/fapi/v1/openAlgoOrders": [],
    "/fapi/v1/openOrders": [],
    "/fapi/v3/positionRisk": [],
    "/fapi/v3/balance": [{"asset": "USDT", "balance": "10000"}],
}


def storm_frames(number: int, now_ms: int) -> Iterator[bytes]:
    """The five frames of one fill of somebody else's order: as a busy neighbour makes them.

    Three are reports of its order, two of them fills (one told twice), one is early word of it,
    and one says what the wallet and the position are now: seven events of ours.
    """
    order = {
        "s": "ETHUSDT",
        "c": f"web_{number:012d}",
        "S": "BUY",
        "o": "MARKET",
        "f": "GTC",
        "q": "0.010",
        "p": "0",
        "ap": "2000",
        "x": "NEW",
        "X": "NEW",
        "i": 8_000_000_000 + number,
        "l": "0",
        "z": "0",
        "L": "0",
        "T": now_ms,
        "t": 0,
        "m": False,
        "R": False,
        "ps": "BOTH",
        "rp": "0",
        "er": "0",
    }
    head = {"e": "ORDER_TRADE_UPDATE", "T": now_ms, "E": now_ms}
    yield _text({**head, "o": order})
    yield _text(
        {"e": "TRADE_LITE", "E": now_ms, "T": now_ms, "s": "ETHUSDT", "q": "0.010", "p": "0.00"}
        | {"m": False, "c": order["c"], "S": "BUY", "L": "2000", "l": "0.010", "t": number + 1}
        | {"i": order["i"]}
    )
    account = {
        "m": "ORDER",
        "B": [{"a": "USDT", "wb": f"{10_000 - number / 1_000:.3f}", "cw": "0", "bc": "0"}],
        "P": [{"s": "ETHUSDT", "pa": f"{0.01 * (number + 1):.3f}", "ep": "2000", "ps": "BOTH"}],
    }
    yield _text({"e": "ACCOUNT_UPDATE", "T": now_ms, "E": now_ms, "a": account})
    filled = {"x": "TRADE", "X": "FILLED", "l": "0.010", "z": "0.010", "L": "2000"}
    told = _text({**head, "o": order | filled | {"t": number + 1, "n": "0.008", "N": "USDT"}})
    yield told
    yield told


EVENTS_OF_FIVE: Final = 7  # a new order, wallet and position, twice a fill with its report


def _text(frame: dict[str, Any]) -> bytes:
    return json.dumps(frame, separators=(",", ":")).encode()


class _Peer:
    def __init__(self) -> None:
        self._clock = SystemClock()
        self._listener: web.WebSocketResponse | None = None

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/private/ws", self._stream)
        app.router.add_post("/storm", self._storm)
        app.router.add_route("*", "/{rest:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        if request.path == "/fapi/v1/order":
            body: Any = ORDER | {"clientOrderId": request.query.get("newClientOrderId", "")}
        elif request.path == "/fapi/v1/time":
            body = {"serverTime": self._clock.now_ms()}
        else:
            body = CANNED.get(request.path, {})
        return web.json_response(body)

    async def _stream(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        self._listener = socket
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                break
        return socket

    async def _storm(self, request: web.Request) -> web.Response:
        """Send `rate` frames a second for `seconds`; answers with how it went when all are sent."""
        rate, seconds = int(request.query["rate"]), float(request.query["seconds"])
        assert self._listener is not None, "nobody listens"
        total, sent = int(rate * seconds), 0
        frames = self._frames()
        began_s = wall_monotonic_s()
        while sent < total:
            due = min(total, int((wall_monotonic_s() - began_s) * rate) + 1)
            while sent < due:
                await self._listener.send_frame(next(frames), WSMsgType.TEXT)
                sent += 1
            await wall_sleep_s(TICK_S)
        return web.json_response({"sent": sent, "took_s": wall_monotonic_s() - began_s})

    def _frames(self) -> Iterator[bytes]:
        number = 0
        while True:
            yield from storm_frames(number, self._clock.now_ms())
            number += 1


async def main() -> None:
    """Serve on a free port of this machine until killed."""
    runner = web.AppRunner(_Peer().app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    ready = {"ready": True, "rest": f"http://127.0.0.1:{port}", "ws": f"ws://127.0.0.1:{port}"}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
