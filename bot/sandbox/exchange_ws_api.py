"""The pretend exchange's WebSocket API: a REST call in one frame, its answer in another.

Source: the facts sheet's section 2.3. The same endpoints as REST, the same limits, no faults of the
plan. A signature covers every other parameter in alphabetical order. Must not know: streams, or
what an endpoint does.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import msgspec
from aiohttp import WSMsgType, web

from bot.sandbox.exchange_answers import RATE_LIMITS
from bot.sandbox.exchange_call import Result, Route, Security
from bot.sandbox.exchange_dialect import Json
from bot.sandbox.exchange_door import Door
from bot.sandbox.exchange_gate import BAD_KEY, BAD_SIGNATURE, NO_KEY, check_time, missing
from bot.sandbox.exchange_records import Refusal
from bot.sandbox.exchange_rest import ROUTES

METHODS: Final = MappingProxyType(
    {
        "order.place": ("POST", "/fapi/v1/order"),
        "order.modify": ("PUT", "/fapi/v1/order"),
        "order.cancel": ("DELETE", "/fapi/v1/order"),
        "order.status": ("GET", "/fapi/v1/order"),
        "algoOrder.place": ("POST", "/fapi/v1/algoOrder"),
        "algoOrder.cancel": ("DELETE", "/fapi/v1/algoOrder"),
        "v2/account.position": ("GET", "/fapi/v3/positionRisk"),
        "account.position": ("GET", "/fapi/v2/positionRisk"),
        "v2/account.balance": ("GET", "/fapi/v3/balance"),
        "account.balance": ("GET", "/fapi/v2/balance"),
        "v2/account.status": ("GET", "/fapi/v3/account"),
        "account.status": ("GET", "/fapi/v2/account"),
        "ticker.price": ("GET", "/fapi/v2/ticker/price"),
        "ticker.book": ("GET", "/fapi/v1/ticker/bookTicker"),
        "userDataStream.start": ("POST", "/fapi/v1/listenKey"),
        "userDataStream.ping": ("PUT", "/fapi/v1/listenKey"),
        "userDataStream.stop": ("DELETE", "/fapi/v1/listenKey"),
    }
)
NO_METHOD: Final = Refusal(code=-1020, text="This operation is not supported.")
BAD_REQUEST: Final = Refusal(code=-1130, text="Malformed request.")


class _Frame(msgspec.Struct):
    method: str
    id: int | str | None = None
    params: dict[str, Any] = msgspec.field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WsApi:
    """Answers requests on `/ws-fapi/v1`."""

    door: Door

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One client's whole connection."""
        ws = web.WebSocketResponse(compress=False, max_msg_size=1 << 20)
        await ws.prepare(request)
        async for message in ws:
            if message.type is WSMsgType.TEXT:
                await ws.send_str(msgspec.json.encode(self._reply(message.data)).decode())
        return ws

    def _reply(self, text: str) -> Json:
        try:
            frame = msgspec.json.decode(text, type=_Frame)
        except msgspec.DecodeError:
            return _told(None, BAD_REQUEST)
        named = METHODS.get(frame.method)
        if named is None:
            return _told(frame.id, NO_METHOD)
        params = {name: _text(value) for name, value in frame.params.items()}
        quiet = params.pop("returnRateLimits", "true") == "false"
        route = ROUTES[named]
        door, now_ms = self.door, self.door.now_ms()
        result: Result | None = door.meter.charge(now_ms, route.cost(params), route.orders)
        result = result or self._check(route, {**params}, frame.params, now_ms)
        if result is None:
            reads = named[0] == "GET" and route.security is Security.SIGNED
            result = door.call(route, params, now_ms, reads=reads)
        answer = _told(frame.id, result)
        if not quiet:
            answer["rateLimits"] = [{**RATE_LIMITS[0], "count": door.meter.weight}]
        return answer

    def _check(
        self, route: Route, params: dict[str, str], told: dict[str, Any], now_ms: int
    ) -> Refusal | None:
        if route.security is Security.NONE:
            return None
        key = params.get("apiKey", "")
        if key != self.door.api_key:
            return BAD_KEY if key else NO_KEY
        if route.security is Security.KEY:
            return None
        if "signature" not in told:
            return missing("signature")
        late = check_time(params, now_ms, self.door.speed)
        given = params.pop("signature")
        payload = "&".join(f"{name}={told[name]}" for name in sorted(params))
        fits = self.door.verifier.verify(payload.encode(), given)
        return late or (None if fits else BAD_SIGNATURE)


def _told(number: int | str | None, result: Result) -> Json:
    if isinstance(result, Refusal):
        error = {"code": result.code, "msg": result.text}
        return {"id": number, "status": result.http_status, "error": error}
    return {"id": number, "status": 200, "result": result}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
