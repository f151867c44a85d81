"""The chat page and the control routes of the pretend Telegram: the person's side of the chat.

Routes (JSON in, JSON out; loopback only; see `telegram_server` for their description). It must not
know the Bot API: it types, taps and looks through the state, like a person with a phone would.
"""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.sandbox.telegram_checks import Json, Refused, bad_request
from bot.sandbox.telegram_feed import FAULT_KINDS, Fault, Subscriber
from bot.sandbox.telegram_profile import commands_for, text_for
from bot.sandbox.telegram_state import INFO_MAX, PERSON_ID, Message, TelegramState

STATIC = Path(__file__).parent / "static"
PAGE_MESSAGES_MAX = 300
TYPED_MAX = 4096
TICK_S = 2.0
FAULT_TIMES_MAX = 1_000
TIMEOUT_S_MAX = 120.0
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_STATIC_TYPES = {"chat.css": "text/css", "chat.js": "text/javascript"}
_EFFECT_KINDS = frozenset({"timeout", "drop"})  # the call happened; only its answer is lost
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def _field(body: Json, name: str, kind: type, default: Any = None) -> Any:
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    if kind is float and isinstance(value, int):
        return float(value)
    raise bad_request(f'"{name}" must be {kind.__name__}')


async def _body(request: web.Request) -> Json:
    try:
        body = json.loads(await request.read() or b"{}")
    except ValueError:
        raise bad_request("the body must be JSON") from None
    if not isinstance(body, dict):
        raise bad_request("the body must be a JSON object")
    return body


def _number(request: web.Request, name: str, default: int) -> int:
    try:
        return int(request.query.get(name, default))
    except ValueError:
        raise bad_request(f'"{name}" must be a number') from None


class ControlRoutes:
    """Handlers of the page and of /sandbox over one state."""

    def __init__(self, state: TelegramState) -> None:
        self._state = state

    def routes(self) -> list[web.RouteDef]:
        """What the server mounts beside the Bot API."""
        return [
            web.get("/", self._chat_page),
            web.get("/chat", self._chat_page),
            web.get("/static/{name}", self._static),
            web.get("/sandbox/page", self._page),
            web.get("/sandbox/file/{file_id}", self._file),
            web.get("/sandbox/messages", self._messages),
            web.get("/sandbox/calls", self._calls),
            web.get("/sandbox/answers", self._answers),
            web.get("/sandbox/events", self._events),
            web.post("/sandbox/message", self._message),
            web.post("/sandbox/tap", self._tap),
            web.post("/sandbox/update", self._update),
            web.post("/sandbox/fault", self._fault),
            web.post("/sandbox/info", self._info),
            web.post("/sandbox/block", self._block),
        ]

    async def _chat_page(self, request: web.Request) -> web.StreamResponse:
        del request
        text = (STATIC / "chat.html").read_text("utf-8")
        return web.Response(text=text, content_type="text/html", headers=PAGE_HEADERS)

    async def _static(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in _STATIC_TYPES:
            raise web.HTTPNotFound
        text = (STATIC / name).read_text("utf-8")
        return web.Response(text=text, content_type=_STATIC_TYPES[name], headers=PAGE_HEADERS)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        stored = self._state.files.get(request.match_info["file_id"])
        if stored is None:
            raise web.HTTPNotFound
        headers = {**PAGE_HEADERS, "Cache-Control": "private, max-age=3600"}
        if stored.picture is not None:
            kind = stored.picture.content_type
        else:
            kind = "application/octet-stream"
            headers["Content-Disposition"] = "attachment"
        return web.Response(body=stored.data, content_type=kind, headers=headers)

    async def _page(self, request: web.Request) -> web.StreamResponse:
        state = self._state
        user_id = _number(request, "user_id", PERSON_ID)
        chat_id = _number(request, "chat_id", user_id)
        person = state.persons.get(user_id, {"id": user_id, "first_name": f"Stranger {user_id}"})
        language = str(person.get("language_code", ""))[:2]
        shown = [m for m in state.messages.values() if m.chat["id"] == chat_id]
        return web.json_response(
            {
                **self._now(),
                "bot": {**state.bot, "name": self._bot_name(language)},
                "person": person,
                "chat_id": chat_id,
                "description": text_for(state, "description", language),
                "commands": commands_for(state, chat_id, user_id),
                "menu_button": state.menu_buttons.get(chat_id) or state.menu_buttons.get(None),
                "pinned": state.pins.get(chat_id, []),
                "info": state.info,
                "messages": [message.view() for message in shown[-PAGE_MESSAGES_MAX:]],
            }
        )

    def _bot_name(self, language: str) -> str:
        return text_for(self._state, "name", language) or str(self._state.bot["first_name"])

    def _now(self) -> Json:
        clock = self._state.clock
        return {"seq": self._state.feed.last_seq, "now_ms": clock.now_ms(), "speed": clock.speed}

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        after = _number(request, "after", 0)
        messages = [m.view() for n, m in self._state.messages.items() if n > after]
        if "chat_id" in request.query:
            chat_id = _number(request, "chat_id", 0)
            messages = [message for message in messages if message["chat_id"] == chat_id]
        return web.json_response({**self._now(), "messages": messages})

    async def _calls(self, request: web.Request) -> web.StreamResponse:
        after = _number(request, "after", 0)
        method = request.query.get("method", "").lower()
        calls = [
            call
            for call in self._state.calls
            if call["n"] > after and (not method or str(call["method"]).lower() == method)
        ]
        return web.json_response({"calls": calls, "count": self._state.calls_count})

    async def _answers(self, request: web.Request) -> web.StreamResponse:
        query_id = request.query.get("callback_query_id")
        answers = [
            answer
            for answer in self._state.answers
            if query_id is None or answer["callback_query_id"] == query_id
        ]
        return web.json_response({"answers": answers})

    async def _message(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        text = _field(body, "text", str, "").strip()
        if not 1 <= len(text) <= TYPED_MAX:
            raise bad_request('"text" must have 1 to 4096 characters')
        user_id = _field(body, "user_id", int, PERSON_ID)
        chat_id = _field(body, "chat_id", int, user_id)
        if user_id <= 0 or (chat_id > 0 and chat_id != user_id):
            raise bad_request("a person writes in the own private chat or in a group (negative id)")
        names = ("first_name", "username", "language_code")
        self._state.person(user_id, **{name: _field(body, name, str) for name in names})
        message = self._state.say(user_id, chat_id, text, _field(body, "reply_to", int))
        return web.json_response({"ok": True, "message_id": message.message_id})

    async def _tap(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        message = self._state.messages.get(_field(body, "message_id", int, 0))
        if message is None or not message.from_bot:
            raise bad_request("no such message of the bot")
        data = _field(body, "callback_data", str)
        text = _field(body, "text", str)
        if not (data and body.get("force") is True):
            data = _button_data(message, data, text)
        user_id = _field(body, "user_id", int, PERSON_ID)
        age_s = _field(body, "age_s", float, 0.0)
        query = self._state.tap(user_id, message, data, age_s)
        return web.json_response({"ok": True, "callback_query_id": query.query_id})

    async def _update(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"ok": True, "update_id": self._state.updates.put_raw(await _body(request))}
        )

    async def _fault(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        kind = _field(body, "kind", str, "")
        times = _field(body, "times", int, 1)
        seconds = _field(body, "seconds", float, 1.0 if kind == "retry_after" else 30.0)
        if kind not in FAULT_KINDS:
            raise bad_request(f'"kind" must be one of {", ".join(sorted(FAULT_KINDS))}')
        if not 1 <= times <= FAULT_TIMES_MAX or not 0 <= seconds <= TIMEOUT_S_MAX:
            raise bad_request('"times" must be 1 to 1000, "seconds" 0 to 120')
        method = _field(body, "method", str)
        self._state.faults.add(
            Fault(
                kind=kind,
                times=times,
                method=None if method is None else method.lower(),
                effect=bool(_field(body, "effect", bool, kind in _EFFECT_KINDS)),
                seconds=seconds,
            )
        )
        return web.json_response({"ok": True})

    async def _info(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        info = {**self._state.info, **{str(k)[:40]: v for k, v in body.items()}}
        kept = {name: str(value)[:120] for name, value in info.items() if value is not None}
        if len(kept) > INFO_MAX:
            raise bad_request(f"at most {INFO_MAX} pieces of information")
        self._state.info = kept
        self._state.emit("info", chat_id=None, info=kept)
        return web.json_response({"ok": True, "info": kept})

    async def _block(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        user_id = _field(body, "user_id", int, PERSON_ID)
        self._state.person(user_id)
        if body.get("blocked", True):
            self._state.blocked.add(user_id)
        else:
            self._state.blocked.discard(user_id)
        return web.json_response({"ok": True})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        last = request.headers.get("Last-Event-ID") or request.query.get("after")
        after = int(last) if last and last.isascii() and last.isdigit() else None
        subscriber = self._state.feed.subscribe(after)
        response = web.StreamResponse(
            headers={**PAGE_HEADERS, "Content-Type": "text/event-stream", "X-Accel-Buffering": "no"}
        )
        try:
            await response.prepare(request)
            await response.write(_frame({"event": "hello", **self._now()}))
            while await self._send_next(response, subscriber):
                pass
        except ConnectionResetError:
            pass  # the page was closed
        finally:
            self._state.feed.unsubscribe(subscriber)
        return response

    async def _send_next(self, response: web.StreamResponse, subscriber: Subscriber) -> bool:
        if subscriber.lost:
            subscriber.lost = False
            await response.write(_frame({"event": "reload", **self._now()}))
        event = await subscriber.next_event(TICK_S)
        if event is None:
            return False
        # A tick keeps the page's clock right and finds out that a page has gone.
        await response.write(_frame(event or {"event": "tick", **self._now()}))
        return True


def _button_data(message: Message, data: str | None, text: str | None) -> str:
    rows = (message.markup or {}).get("inline_keyboard", [])
    for button in (button for row in rows for button in row):
        wanted = button["text"] == text if data is None else button.get("callback_data") == data
        if wanted and "callback_data" in button:
            return str(button["callback_data"])
    raise bad_request("no such button on this message now")


def _frame(event: Json) -> bytes:
    number = f"id: {event['seq']}\n" if event["event"] not in {"tick", "reload", "hello"} else ""
    return f"{number}data: {json.dumps(event)}\n\n".encode()


@web.middleware
async def loopback_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse other machines, rebound host names and other sites' pages."""
    host = request.headers.get("Host", "")
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    peer = request.remote or ""
    if name not in {"127.0.0.1", "localhost", "[::1]"} or peer not in {"127.0.0.1", "::1"}:
        raise web.HTTPForbidden(text="loopback only")
    origin = request.headers.get("Origin")
    foreign = request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}
    opens_page = request.method == "GET" and request.path in {"/", "/chat"}
    if (origin is not None and origin != f"http://{host}") or (foreign and not opens_page):
        raise web.HTTPForbidden(text="same origin only")
    try:
        return await handler(request)
    except Refused as refusal:
        return web.json_response(refusal.wire(), status=refusal.code)
