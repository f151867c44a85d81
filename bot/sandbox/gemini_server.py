"""A pretend Gemini on loopback: `generateContent` with a model's good and bad days, on demand.

Must not know: `bot.advisor`. It is written from the provider's published wire format
(generativelanguage v1 and v1beta, read 2026-11-21), accepts camelCase and snake_case alike, and
checks the key as the real one does (400 with API_KEY_INVALID).

The contract with whoever asks: the user content holds the marker `QUESTION_JSON` and after it one
JSON object with `bot_id`, `symbol`, `snapshot_id`, `purpose` ("open" or "manage"), `mark_price`,
`signal` ({"direction", "entry_price", "stop_price", "target_price", "score"} or null). The answer
is one JSON object: the echo of those three names, `action` (open_position, close_position,
hold_position, do_nothing), `confidence` 0..100, `reasons`, `invalidation`, and for an opening
`direction`, `entry_price`, `stop_price`, `target_price` as decimal text.

Without a script it answers as a sensible model would, a function of the seed and the snapshot.

Routes: POST `/{v1,v1beta}/models/{model}:generateContent` and `:countTokens`, GET
`/{v1,v1beta}/models` and `/models/{model}`; for tests, POST `/sandbox/script` with a JSON list of
steps that answer the next requests in order, and GET `/sandbox/calls`: what was received.

A step is {"do": KIND, "delay_ms": wall milliseconds, ...}; KIND is one of: default; answer (`text`
verbatim); refusal (words instead of JSON); safety; blocked (`reason`); max_tokens; empty;
wrong_echo; malformed_json; quota (`retry_s`, `per_day`); overloaded; internal; bad_key; drop.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from bot.sandbox.gemini_answers import (
    BAD_KEY,
    STEPS,
    Asked,
    Json,
    Refusal,
    either,
    text_of,
    tokens,
    usage_of,
)
from bot.shell.clock import Clock

HOST: Final = "127.0.0.1"
BODY_BYTES_MAX: Final = 4 * 1024 * 1024
SCRIPT_MAX: Final = 10_000
CALLS_MAX: Final = 1_000
DELAY_MS_MAX: Final = 600_000
MODELS: Final = ("gemini-3.8-flash", "gemini-3.7-flash", "gemini-3.5-flash-lite")
VERSIONS: Final = ("v1", "v1beta")


@dataclass(slots=True, kw_only=True)
class _Call:
    at_ms: int
    model: str
    method: str
    step: str
    body: Json


class GeminiSandbox:
    """The server. Deterministic: the same seed, script and questions give the same answers."""

    def __init__(self, *, seed: int, clock: Clock, api_key: str) -> None:
        self._seed = seed
        self._clock = clock
        self._api_key = api_key
        self._script: deque[Json] = deque()
        self._calls: deque[_Call] = deque(maxlen=CALLS_MAX)
        self._count = 0
        self._runner: web.AppRunner | None = None
        self._base_url = ""

    @property
    def base_url(self) -> str:
        """Where it listens, without a version; empty before `start`."""
        return self._base_url

    async def start(self, port: int = 0) -> None:
        """Listen on loopback; port 0 takes a free one."""
        assert self._runner is None, "started twice"
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        for version in VERSIONS:
            app.router.add_get(f"/{version}/models", self._on_list)
            app.router.add_get(f"/{version}/models/{{model}}", self._on_get)
            app.router.add_post(f"/{version}/models/{{model}}:{{method}}", self._on_post)
        app.router.add_post("/sandbox/script", self._on_script)
        app.router.add_get("/sandbox/calls", self._on_calls)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, HOST, port).start()
        bound: tuple[str, int] = self._runner.addresses[0]
        self._base_url = f"http://{bound[0]}:{bound[1]}"

    async def stop(self) -> None:
        """Stop listening; requests under way are cut."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def script(self, *steps: Mapping[str, Any]) -> None:
        """Answer the next requests with these steps. Raises ValueError for a kind it has not."""
        for step in steps:
            kind = step.get("do", "default")
            if kind not in STEPS:
                raise ValueError(f"do is {kind!r}; known are {', '.join(sorted(STEPS))}")
            if len(self._script) >= SCRIPT_MAX:
                raise ValueError(f"the script holds at most {SCRIPT_MAX} steps")
            self._script.append(dict(step))

    async def _on_script(self, request: web.Request) -> web.Response:
        try:
            steps = await request.json()
            self.script(*steps)
        except (ValueError, TypeError, AttributeError) as error:
            return web.json_response({"ok": False, "error": str(error)}, status=400)
        return web.json_response({"ok": True, "steps": len(self._script)})

    async def _on_calls(self, request: web.Request) -> web.Response:
        return web.json_response(
            [
                {
                    "at_ms": call.at_ms,
                    "model": call.model,
                    "method": call.method,
                    "step": call.step,
                    "body": call.body,
                }
                for call in self._calls
            ]
        )

    async def _on_list(self, request: web.Request) -> web.Response:
        refusal = self._key_refusal(request)
        if refusal:
            return _refused(refusal)
        return web.json_response({"models": [_model(name) for name in MODELS]})

    async def _on_get(self, request: web.Request) -> web.Response:
        name = request.match_info["model"]
        refusal = self._key_refusal(request) or _unknown_model(name)
        return _refused(refusal) if refusal else web.json_response(_model(name))

    async def _on_post(self, request: web.Request) -> web.Response:
        model, method = request.match_info["model"], request.match_info["method"]
        refusal = self._key_refusal(request) or _unknown_model(model)
        if refusal:
            self._note(model, method, "refused", {})
            return _refused(refusal)
        body = await _body_of(request)
        if isinstance(body, Refusal):
            self._note(model, method, "refused", {})
            return _refused(body)
        if method == "countTokens":
            self._note(model, method, "count", body)
            return web.json_response({"totalTokens": tokens(text_of(body))})
        if method != "generateContent":
            return _refused(Refusal(code=404, status="NOT_FOUND", message="No such method."))
        return await self._generate(request, model, body)

    async def _generate(self, request: web.Request, model: str, body: Json) -> web.Response:
        step = self._script.popleft() if self._script else {"do": "default"}
        kind = str(step.get("do", "default"))
        self._note(model, "generateContent", kind, body)
        delay_ms = min(max(0.0, float(step.get("delay_ms", 0))), DELAY_MS_MAX)
        if delay_ms:
            # A model's slowness is the wall's, however fast the pretend market runs.
            await self._clock.sleep_ms(delay_ms * self._clock.speed)
        self._count += 1
        outcome = STEPS[kind](Asked(seed=self._seed, step=step, body=body))
        if outcome is None:
            # The connection is cut as a dying server cuts it: no status line, no body.
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if isinstance(outcome, Refusal):
            return _refused(outcome)
        if isinstance(outcome, str):
            return web.Response(text=outcome, content_type="application/json")
        return web.json_response(
            outcome
            | {
                "usageMetadata": usage_of(body, outcome),
                "modelVersion": model,
                "responseId": f"sandbox-{self._seed}-{self._count}",
            }
        )

    def _key_refusal(self, request: web.Request) -> Refusal | None:
        key = request.headers.get("x-goog-api-key") or request.query.get("key", "")
        return None if key == self._api_key else BAD_KEY

    def _note(self, model: str, method: str, step: str, body: Json) -> None:
        self._calls.append(
            _Call(at_ms=self._clock.now_ms(), model=model, method=method, step=step, body=body)
        )


async def serve_gemini(port: int, *, seed: int, clock: Clock, api_key: str) -> GeminiSandbox:
    """Start a pretend Gemini on loopback and hand it back listening; the caller stops it."""
    sandbox = GeminiSandbox(seed=seed, clock=clock, api_key=api_key)
    await sandbox.start(port)
    return sandbox


async def _body_of(request: web.Request) -> Json | Refusal:
    invalid = Refusal(code=400, status="INVALID_ARGUMENT", message="Request body is not valid.")
    try:
        body = await request.json()
    except ValueError:
        return invalid
    if not isinstance(body, dict) or not text_of(body):
        return Refusal(
            code=400, status="INVALID_ARGUMENT", message="* contents: contents is not specified"
        )
    settings = either(body, "generationConfig", "generation_config") or {}
    schema = either(settings, "responseSchema", "response_schema")
    mime = either(settings, "responseMimeType", "response_mime_type")
    if schema is not None and mime != "application/json":
        return Refusal(
            code=400,
            status="INVALID_ARGUMENT",
            message="response_schema requires response_mime_type application/json.",
        )
    return body


def _refused(refusal: Refusal) -> web.Response:
    error: Json = {"code": refusal.code, "message": refusal.message, "status": refusal.status}
    if refusal.details:
        error["details"] = list(refusal.details)
    return web.json_response({"error": error}, status=refusal.code)


def _model(name: str) -> Json:
    return {
        "name": f"models/{name}",
        "displayName": name,
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }


def _unknown_model(name: str) -> Refusal | None:
    if name.startswith("gemini-"):
        return None
    message = f"models/{name} is not found for this API version."
    return Refusal(code=404, status="NOT_FOUND", message=message)
