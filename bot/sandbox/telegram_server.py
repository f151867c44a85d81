"""A pretend Telegram on loopback: the Bot API over HTTP and a chat page in the browser.

The bot's side: `/bot<token>/<method>` and `/file/bot<token>/<path>`, in Telegram's words, limits
and refusals, so that an unpatched client needs only another base address. The person's side:

    GET  /  or /chat[?user_id=&chat_id=]   the chat page
    POST /sandbox/message   {text, user_id?, chat_id?, reply_to?, first_name?, username?,
                             language_code?}          a person types -> {message_id}
    POST /sandbox/tap       {message_id, callback_data | text, user_id?, age_s?, force?}
                             a person taps -> {callback_query_id}; `age_s` makes the tap that old;
                             `force` sends data that is on no button now
    GET  /sandbox/messages?after=N[&chat_id=]   all messages with an id above N, as they are now:
                             text, html, entities, reply_markup, edits, ...
    GET  /sandbox/calls[?after=N&method=]       calls received (getUpdates only when refused)
    GET  /sandbox/answers[?callback_query_id=]  callback answers, with `accepted`
    GET  /sandbox/events[?after=SEQ]            server-sent events: message, edit, delete, tap,
                             answer, action, draft, pin, profile, info; tick every 2 s; `reload`
                             when some were lost. Each carries `now_ms` and `speed` of the clock
    POST /sandbox/fault     {kind, times?, method?, effect?, seconds?}; kinds: http_500, retry_after
                             (the call does not happen unless `effect`), timeout, drop (it happens
                             unless `effect` is false; the answer is lost), malformed_update.
                             Without `method` getUpdates is spared (malformed_update: only it)
    POST /sandbox/update    a raw update, also malformed; it goes out once -> {update_id}
    POST /sandbox/info      {"speed": "30x", ...} shown on the page; null removes
    POST /sandbox/block     {user_id?, blocked?}      a person blocks the bot: 403 from then on

The default person has user and chat id 1001; strangers come by another user_id. Requests from
other machines, for other host names or from other sites' pages are refused. This room must not
know what the bot trades, nor any of our adapters.
"""

import asyncio
import hmac
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random

from aiohttp import web

from bot.sandbox.telegram_checks import Json, Pace, Refused, too_many_requests
from bot.sandbox.telegram_control import ControlRoutes, loopback_only
from bot.sandbox.telegram_feed import POLL_LIMIT_MAX, POLL_TIMEOUT_S_MAX, Fault
from bot.sandbox.telegram_methods import MESSAGE_METHODS, PACED_METHODS, chat_of
from bot.sandbox.telegram_params import BODY_BYTES_MAX, Params, read_params
from bot.sandbox.telegram_profile import PROFILE_METHODS, allow_updates
from bot.sandbox.telegram_state import TelegramState
from bot.sandbox.telegram_webhook import deliver_forever
from bot.shell.clock import Clock, wall_monotonic_s

STOP_S = 2.0
_TOKEN = re.compile(r"[1-9][0-9]{5,15}:[A-Za-z0-9_-]{30,64}")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
_METHODS = {**MESSAGE_METHODS, **PROFILE_METHODS}
_CALL_FAULTS = ("http_500", "retry_after", "timeout", "drop")
_GARBLED: Json = {"update_id": 0, "message": {"message_id": "not a number", "date": "yesterday"}}


def make_token(rng: Random) -> str:
    """A token of Telegram's shape, the same for the same seed; it opens nothing real."""
    number = rng.randrange(100_000_000, 1_000_000_000)
    return f"{number}:AA{''.join(rng.choice(_LETTERS) for _ in range(33))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramAddress:
    """Where a started sandbox listens: `base_url` is the root a bot appends /bot<token> to."""

    base_url: str
    chat: str


class TelegramSandbox:
    """One pretend Telegram with one bot; `pace` multiplies the rates before a 429."""

    def __init__(self, *, token: str, clock: Clock, pace: float = 1.0) -> None:
        if _TOKEN.fullmatch(token) is None:
            raise ValueError("a bot token looks like 123456789:AA..., 30 or more characters")
        self.token = token
        self.state = TelegramState(token=token, clock=clock, now_s=wall_monotonic_s)
        self._pace = Pace(factor=pace, now_s=wall_monotonic_s)
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._address: TelegramAddress | None = None

    def app(self) -> web.Application:
        """The whole server as an aiohttp application."""
        app = web.Application(middlewares=[loopback_only], client_max_size=BODY_BYTES_MAX)
        app.add_routes(ControlRoutes(self.state).routes())
        for method in ("GET", "POST"):
            app.router.add_route(method, "/bot{token:[^/]+}/{method:[^/]+}", self._bot_call)
        app.router.add_get("/file/bot{token:[^/]+}/{path:.+}", self._bot_file)
        app.cleanup_ctx.append(self._courier)
        app.on_shutdown.append(self._let_go)
        return app

    async def start(self, port: int) -> TelegramAddress:
        """Listen on 127.0.0.1; port 0 takes a free one."""
        assert self._runner is None, "already started"
        self._runner = web.AppRunner(self.app(), access_log=None, shutdown_timeout=STOP_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        base_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self._address = TelegramAddress(base_url=base_url, chat=f"{base_url}/chat")
        return self._address

    @property
    def address(self) -> TelegramAddress:
        """Where it listens; only after `start`."""
        assert self._address is not None, "not started"
        return self._address

    async def stop(self) -> None:
        """Let pollers and pages go, then close."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _courier(self, app: web.Application) -> AsyncIterator[None]:
        del app
        async with asyncio.TaskGroup() as group:
            courier = group.create_task(deliver_forever(self.state))
            yield
            courier.cancel()

    async def _let_go(self, app: web.Application) -> None:
        del app
        self._closing.set()
        self.state.updates.close()
        self.state.feed.close()

    def _knows(self, request: web.Request) -> bool:
        given = request.match_info["token"].encode("utf-8", "surrogatepass")
        return hmac.compare_digest(given, self.token.encode())

    async def _bot_file(self, request: web.Request) -> web.StreamResponse:
        stored = self.state.files.at_path(request.match_info["path"])
        if not self._knows(request) or stored is None:
            raise Refused(404, "Not Found")
        return web.Response(body=stored.data, content_type="application/octet-stream")

    async def _bot_call(self, request: web.Request) -> web.StreamResponse:
        if not self._knows(request):
            raise Refused(401, "Unauthorized")
        name = request.match_info["method"]
        params = Params({})
        fault: Fault | None = None
        try:
            params = await read_params(request)
            fault = self.state.faults.take(name.lower(), _CALL_FAULTS)
            if fault is not None and fault.kind == "retry_after":
                raise too_many_requests(max(1, round(fault.seconds)))
            if fault is None or fault.effect:
                answer: Json = {"ok": True, "result": await self._perform(name.lower(), params)}
            else:
                answer = Refused(500, "Internal Server Error").wire()
        except Refused as refusal:
            answer = refusal.wire()
        except ConnectionResetError:
            return web.Response(status=400)  # Half a request, and whoever sent it has gone.
        if fault is not None and fault.kind == "http_500":
            answer = Refused(500, "Internal Server Error").wire()
        self._record(name, params, answer, fault)
        if fault is not None and fault.kind in {"timeout", "drop"}:
            await self._lose(request, fault)
        return web.json_response(answer, status=answer.get("error_code", 200))

    async def _perform(self, method: str, params: Params) -> object:
        if method == "getupdates":
            return await self._get_updates(params)
        perform = _METHODS.get(method)
        if perform is None:
            raise Refused(404, "Not Found: method not found")
        if method in PACED_METHODS:
            self._pace.take(int(chat_of(self.state, params)["id"]))
        return perform(self.state, params)

    async def _get_updates(self, params: Params) -> list[Json]:
        if self.state.webhook["url"]:
            raise Refused(
                409,
                "Conflict: can't use getUpdates method while webhook is active;"
                " use deleteWebhook to delete the webhook first",
            )
        allow_updates(self.state, params)
        garbled = self.state.faults.take("getupdates", ("malformed_update",)) is not None
        timeout_s = 0 if garbled else min(params.integer("timeout", 0), POLL_TIMEOUT_S_MAX)
        given = await self.state.updates.poll(
            offset=params.integer("offset", 0),
            limit=max(1, min(params.integer("limit", POLL_LIMIT_MAX), POLL_LIMIT_MAX)),
            timeout_s=max(0, timeout_s),
        )
        return [*given, _GARBLED] if garbled else given

    def _record(self, name: str, params: Params, answer: Json, fault: Fault | None) -> None:
        if name.lower() == "getupdates" and answer["ok"] and fault is None:
            return
        self.state.calls_count += 1
        self.state.calls.append(
            {
                "n": self.state.calls_count,
                "method": name,
                "params": params.shown(),
                "ok": answer["ok"],
                "status": answer.get("error_code", 200),
                "description": answer.get("description"),
                "fault": None if fault is None else fault.kind,
                "at_ms": self.state.clock.now_ms(),
            }
        )

    async def _lose(self, request: web.Request, fault: Fault) -> None:
        if fault.kind == "timeout":
            try:
                async with asyncio.timeout(fault.seconds):
                    await self._closing.wait()
            except TimeoutError:
                pass
        if request.transport is not None:
            request.transport.abort()


async def serve_telegram(
    port: int, *, token: str | None, seed: int, clock: Clock, pace: float
) -> TelegramSandbox:
    """Start a sandbox with the token given, or with one made from the seed; see its `address`."""
    sandbox = TelegramSandbox(
        token=token or make_token(Random(f"telegram/{seed}")), clock=clock, pace=pace
    )
    await sandbox.start(port)
    return sandbox
