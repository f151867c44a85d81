"""The pretend exchange over real HTTP and WebSocket on loopback, in Binance's dialect.

Market time is the tape's time and moves `speed` times faster than the wall; with a VirtualClock it
stands still until `/sandbox/advance` moves it. The first bars of the tape are history. When a
recorded tape ends, prices stop and everything else goes on. If this process falls behind its own
tape by more than a bar, market time waits for it. With speed X every network tolerance (recvWindow,
the second a clock may run ahead, a listen key's life) is X times as long, because one wall
millisecond is X market milliseconds; every answer says so in the header `X-Sandbox-Speed`.

Control routes (loopback, no signature, JSON in and out; moments are market ms, `?` is optional):

    GET    /sandbox/state       now_ms, speed, tape, rows_played, ended, connections, counters
    POST   /sandbox/advance     {ms}: let manual time pass (VirtualClock only)
    POST   /sandbox/price       {symbol, price?, liquidity?, mark?}: set the last price and what may
                                trade at it; part the mark price from it, or join them again with
                                mark null
    POST   /sandbox/inject      {fault, method?, path?, event?, count?, executed?, code?, text?,
                                http_status?, retry_after_s?, delay_ms? (wall), route?}
                                503_unknown, -1007, timeout     executed or not, as told
                                503_unavailable, 503_internal   a definite failure
                                throttle                        -1008; exits pass
                                429, 418                        with Retry-After
                                refuse                          code, text, http_status
                                lost_request, lost_answer       the connection ends
                                delay, delay_request            the answer, or the deed, is late
                                ws_cut                          a route's sockets, or all, at once
                                ws_drop, ws_duplicate, ws_delay the next user event
    POST   /sandbox/heal        forget waiting faults and end the fault plan
    GET    /sandbox/received    requests as they came: method, path, params, at_ms; ?path= ?method=
    DELETE /sandbox/received    forget them
    GET    /sandbox/truth       wallet, income, positions, orders, conditionals, fills; ?symbol=
    POST   /sandbox/close       {symbol, quantity?}: a person closes on the exchange's own site
    POST   /sandbox/liquidate   {symbol}
    POST   /sandbox/adl         {symbol, quantity?}
    POST   /sandbox/settle      {symbol}: the symbol leaves the exchange
    POST   /sandbox/contract    {symbol, status?, delivery_ms?}: its status (SETTLING) is told and
                                shown; unless it is TRADING nothing can be opened in it
    POST   /sandbox/young       {ms}: orders newer than this are not found (-2013); 0 ends it
    POST   /sandbox/lag         {ms}: signed reads show the account as it is now for so long
    POST   /sandbox/ban         {ms}: nothing but 418 for so long
    POST   /sandbox/expire-listen-key
    POST   /sandbox/funding     {symbol, rate, interval_ms?}
    POST   /sandbox/permissions fields of the API key's restrictions to change

Simplified on purpose, beside what `exchange` lists: no depth streams and no order book answer; one
coin-margined row stands for all of them; a modification's price match, multi-assets mode and RSA
keys are refused, and so is a good-till date of a conditional order; the WebSocket API knows no
faults; GTE_GTC of a quantity order is accepted; a countdown is looked at when a request comes and
every 50 ms of the wall.

Must not know: the trading service, or how its client speaks.
"""

import asyncio
from decimal import Decimal
from typing import Any, Final

import msgspec
from aiohttp import web

from bot.sandbox.exchange import WALLET_USDT, Exchange
from bot.sandbox.exchange_control import CONTROL, Turn, Wrong
from bot.sandbox.exchange_dialect import Json
from bot.sandbox.exchange_door import Door, is_local, json_answer
from bot.sandbox.exchange_floor import Floor
from bot.sandbox.exchange_gate import (
    ListenKeys,
)
from bot.sandbox.exchange_injection import Injections
from bot.sandbox.exchange_keys import Ed25519Verifier, HmacVerifier, Verifier
from bot.sandbox.exchange_streams import Hub
from bot.sandbox.exchange_ws_api import WsApi
from bot.sandbox.faults import FaultPlan
from bot.sandbox.tape import TIMEFRAMES_MS, Tape
from bot.shell.clock import SystemClock, VirtualClock, wall_monotonic_s, wall_sleep_s
from data.model import Instrument

HISTORY_BARS: Final = 500
BODY_MAX: Final = 1 << 20
TICK_S: Final = 0.05
PULSE_TICKS: Final = 5  # so every 250 ms each open bar is told though nothing moves
MARK_PULSES: Final = 4  # a mark price comes once a second
API_KEY: Final = "sandboxkey" + "0" * 54
API_SECRET: Final = "sandboxsecret" + "0" * 51
PERMISSIONS: Final = {
    "ipRestrict": False,
    "createTime": 1_700_000_000_000,
    "enableReading": True,
    "enableFutures": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "enableMargin": False,
    "enableSpotAndMarginTrading": False,
    "enableVanillaOptions": False,
    "permitsUniversalTransfer": False,
    "enablePortfolioMarginTrading": False,
    "enableFixApiTrade": False,
    "enableFixReadOnly": False,
}


class ExchangeSandbox:
    """One pretend exchange with its tape, doors and control routes; loopback only."""

    def __init__(  # noqa: PLR0913 - a whole world is put together here, part by part
        self,
        *,
        tape: Tape,
        instruments: tuple[Instrument, ...],
        clock: SystemClock | VirtualClock,
        speed: float = 1.0,
        seed: int = 0,
        api_key: str = API_KEY,
        api_secret: str = API_SECRET,
        api_public_key: bytes | None = None,  # Ed25519: then it signs instead of the secret
        wallet_usdt: Decimal = WALLET_USDT,
        faults: FaultPlan | None = None,
        history_bars: int = HISTORY_BARS,
    ) -> None:
        self.api_key = api_key
        self.api_secret = api_secret
        self.rest = ""
        self.ws = ""
        self.clock = clock
        self.speed = speed
        self.plan = faults or FaultPlan.named("none", seed)
        self.injections = Injections()
        self.listen_keys = ListenKeys(seed=seed, speed=speed)
        self.hub = Hub(self.listen_keys, self.plan, self.injections, speed, self.now_ms)
        self.received: list[Json] = []
        self.permissions: dict[str, object] = dict(PERMISSIONS)
        self.stalls = 0
        self._played_s = 0.0
        self._tape = tape
        self.floor = Floor(
            tape=tape,
            instruments=instruments,
            exchange=Exchange(instruments, wallet_usdt=wallet_usdt),
            listener=self.hub,
            history_bars=history_bars,
        )
        verifier: Verifier = HmacVerifier(api_secret)
        if api_public_key is not None:
            verifier = Ed25519Verifier(api_public_key)
        self.door = Door(
            floor=self.floor,
            listen_keys=self.listen_keys,
            injections=self.injections,
            plan=self.plan,
            permissions=self.permissions,
            api_key=api_key,
            verifier=verifier,
            speed=speed,
            now_ms=self.now_ms,
            received=self.received,
        )
        self._ws_api = WsApi(door=self.door)
        self._runner: web.AppRunner | None = None
        self._driver: asyncio.Task[None] | None = None
        self._ticker: asyncio.Task[None] | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on a loopback port (0 chooses a free one) and let the tape run."""
        app = web.Application(client_max_size=BODY_MAX)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        chosen = self._runner.addresses[0][1]
        self.rest, self.ws = f"http://127.0.0.1:{chosen}", f"ws://127.0.0.1:{chosen}"
        if isinstance(self.clock, SystemClock):
            self.clock.set_now(self.floor.now_ms, speed=self.speed)
            self._driver = asyncio.create_task(self._drive(self.clock))
            self._ticker = asyncio.create_task(self._tick())
        else:
            self.clock.advance_to(max(self.clock.now_ms(), self.floor.now_ms))

    async def run(self) -> None:
        """Serve until cancelled; a fault that stops the tape is raised here, never swallowed."""
        if self._driver is not None:
            await self._driver
        if self._ticker is not None:
            await self._ticker
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Stop the tape and close every door."""
        running = [task for task in (self._driver, self._ticker) if task is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self.hub.close()
        if self._runner is not None:
            await self._runner.cleanup()

    def now_ms(self) -> int:
        """Market time."""
        return max(self.clock.now_ms(), self.floor.now_ms)

    def state(self) -> Json:
        """What a viewer wants to know."""
        return {
            "now_ms": self.now_ms(),
            "speed": 0 if isinstance(self.clock, VirtualClock) else self.speed,
            "tape": self._tape.name,
            "timeframe": self._tape.timeframe,
            "symbols": list(self.floor.instruments),
            "rows_played": self.floor.rows_played,
            "ended": self.floor.ended,
            "stalls": self.stalls,
            "connections": self.hub.connections,
            "frames_sent": self.hub.frames_sent,
            "requests": len(self.received),
            "healed": self.plan.healed,
        }

    def advance(self, duration_ms: int) -> None:
        """Let manual time pass, playing every moment of the tape on the way."""
        if not isinstance(self.clock, VirtualClock):
            raise Wrong("advance: time moves by itself here")
        target_ms = self.now_ms() + duration_ms
        while (moment_ms := self._next_ms()) is not None and moment_ms <= target_ms:
            self.clock.advance_to(max(self.clock.now_ms(), moment_ms))
            self.floor.pass_time(moment_ms)
            if moment_ms == self.floor.next_moment_ms():
                self.floor.play()
        self.clock.advance_to(target_ms)
        self.floor.pass_time(target_ms)
        self.hub.expire(target_ms)

    def _next_ms(self) -> int | None:
        moments = (self.floor.next_moment_ms(), self.floor.exchange.next_deadline_ms())
        return min((one for one in moments if one is not None), default=None)

    async def _tick(self) -> None:
        ticks, began_s = 0, wall_monotonic_s()
        while True:
            # On the beat, so that a part comes when it should; beats that were missed are missed.
            ticks = max(ticks + 1, int((wall_monotonic_s() - began_s) / TICK_S))
            await wall_sleep_s(max(0.0, began_s + ticks * TICK_S - wall_monotonic_s()))
            self.floor.pass_time(self.now_ms())
            self.hub.expire(self.now_ms())
            if wall_monotonic_s() - self._played_s >= PULSE_TICKS * TICK_S:
                pulse, part = divmod(ticks, PULSE_TICKS)
                marks = pulse % MARK_PULSES == 0
                self.floor.pulse(marks=marks, part=part, parts=PULSE_TICKS)

    async def _drive(self, clock: SystemClock) -> None:
        patience_ms = TIMEFRAMES_MS[self._tape.timeframe]
        while (moment_ms := self.floor.next_moment_ms()) is not None:
            behind_ms = clock.now_ms() - moment_ms
            if behind_ms < 0:
                await clock.sleep_ms(-behind_ms)
                continue
            if behind_ms > patience_ms:
                self.stalls += 1
                clock.set_now(moment_ms)
            self.floor.play()
            self._played_s = wall_monotonic_s()
            await wall_sleep_s(0)

    # Requests

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if not is_local(request):
            return json_answer({"error": "loopback only"}, 403)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            if request.path.startswith("/ws-fapi/"):
                return await self._ws_api.serve(request)
            return await self.hub.serve(request)
        body = await request.read()
        if request.path.startswith("/sandbox/"):
            return self._control(request, body)
        return await self.door.handle(request, body)

    def _control(self, request: web.Request, body: bytes) -> web.Response:
        act = CONTROL.get((request.method, request.path))
        if act is None:
            return json_answer({"error": f"no such route: {request.method} {request.path}"}, 404)
        try:
            told = msgspec.json.decode(body, type=dict[str, Any]) if body else {}
            return json_answer(act(Turn(world=self, body=told, query=dict(request.query))), 200)
        except (Wrong, msgspec.DecodeError) as error:
            return json_answer({"error": str(error)}, 400)


async def serve_exchange(sandbox: ExchangeSandbox, port: int = 0) -> None:
    """Start a sandbox and serve until cancelled, then stop it in order."""
    await sandbox.start(port)
    try:
        await sandbox.run()
    finally:
        await sandbox.stop()
