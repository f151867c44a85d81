"""Gemini as an adviser: one question, at most two requests, one deadline, and never an exception.

Must not know: settings, chat, orders. The client library costs 64 MB and over a second to import,
so it is imported by the first use, in a worker thread, never by importing this module.

What goes wrong, and what becomes of it (reference: the provider's client 3.4, tried 2026-11-21):
every failure is an abstention that begins with its `Doubt`. The library's own retries are off
(`attempts=1` also switches off a hidden nine-second one), its own deadline is unset (the service
refuses short ones), its environment variables are overridden, and `.parsed` is never read because
it swallows errors. One second request is made, to the fallback model, when the first was refused
by overload (5xx) or by a short quota (429 with a RetryInfo that fits), and time remains.
The key appears in no text made here: errors are told by class, code and status only.
"""

import asyncio
import json
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import structlog

from bot.advisor.answer import GEMINI, Doubt, RawAnswer, Receipt, abstain, read_answer
from bot.advisor.budget import (
    PRICES,
    Price,
    Usage,
    cost_usd_of,
    estimate_usd,
    quota_resets_ms,
    worst_usd,
)
from bot.advisor.prompt import ANSWER_SCHEMA, Prompt, clean, prompt_of, tokens_of_prompt
from bot.advisor.purse import Purse, Step, Ticket
from bot.core.messages import Question
from bot.shell.clock import Clock, wall_monotonic_s, wall_sleep_s
from bot.shell.hush import Hush
from data.model import Decision
from data.money import ZERO

if TYPE_CHECKING:
    from google.genai import Client, types

Keep = Callable[[str, str], str]  # (kind, text) -> the digest it is kept under

OUTPUT_TOKENS_MAX: Final = 4096  # thinking is paid from it too: under 2,048 it eats the answer
FALLBACK_TIME_MIN_S: Final = 2.0  # a second request with less time left is money for nothing
STATUS_LENGTH_MAX: Final = 40
TRANSPORTS: Final = ("aiohttp", "httpx", "httpx2", "httpcore")  # whichever the library found
# Models that think before they answer, and how long we let them. Others keep their default.
THINKING_LEVELS: Final = (
    ("gemini-3.8-flash", "LOW"),
    ("gemini-3.7-flash", "LOW"),
    ("gemini-3.6-flash", "LOW"),
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeminiConfig:
    """Where and what to ask. `base_url` without a version; `fallback` "" for none."""

    api_key: str = field(repr=False)
    base_url: str
    api_version: str = "v1beta"
    model: str = "gemini-3.8-flash"
    fallback: str = "gemini-3.5-flash-lite"  # also the cheaper one, when the budget runs low
    prices: tuple[Price, ...] = PRICES


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    doubt: Doubt
    detail: str
    again: bool = False  # another model may succeed
    wait_s: float = 0.0  # before it is asked
    spent_day: bool = False


@dataclass(slots=True)
class _Round:
    """What one decision has gathered so far, whatever way it ends."""

    prompt: Prompt
    prompt_id: str = ""
    answer_id: str = ""
    model: str = ""
    model_version: str = ""
    cost_usd: Decimal = ZERO
    unpaid_model: str = ""  # a request is out and nobody has told its cost
    unpaid_worst: bool = True  # it may have been answered, and at length
    ticket: Ticket | None = None  # what the purse has set aside for it
    ticket_usd: Decimal = ZERO  # what had been spent before it


class GeminiAdvisor:
    """`ports.Advisor` by Gemini. `keep` stores prompts and raw answers; an answer names its prompt.

    The record kept for an answer is JSON: {"version", "trade_id", "snapshot_id", "prompt_id",
    "model", "response" | "error"}.
    """

    def __init__(
        self, config: GeminiConfig, *, clock: Clock, keep: Keep, purse: Purse | None = None
    ) -> None:
        assert config.api_key, "a Gemini adviser needs a key"
        self._config = config
        self._clock = clock
        self._keep = keep
        self._purse = purse
        self._loading: asyncio.Task[Client] | None = None
        self._spent_until_ms: dict[str, int] = {}
        self._hush = Hush()
        self.doubts: Counter[str] = Counter()  # abstentions by Doubt, for metrics

    @property
    def name(self) -> str:
        """What decisions call this adviser."""
        return GEMINI

    async def warm_up(self) -> None:
        """Import and build the client ahead of the first question, in a worker thread."""
        await self._client()

    async def aclose(self) -> None:
        """Close the client's connections; the adviser is not used afterwards."""
        loading, self._loading = self._loading, None
        if loading is None:
            return
        # A thread cannot be stopped: an import under way is waited for, a failed one is over.
        await asyncio.wait({loading})
        if loading.exception() is None:
            await loading.result().aio.aclose()
            loading.result().close()

    async def decide(self, question: Question, deadline_ms: int) -> Decision:
        """One answer by the deadline (exchange time), or an abstention that says why."""
        state = _Round(prompt=Prompt(system="", user="", snapshot_id=""))
        wall_s = (deadline_ms - self._clock.now_ms()) / 1000 / self._clock.speed
        due_s = wall_monotonic_s() + wall_s
        try:
            state.prompt = prompt_of(question)
            state.prompt_id = self._keep("prompt", _prompt_record(state.prompt))
            try:
                if wall_s <= 0:
                    raise TimeoutError
                async with asyncio.timeout(wall_s):
                    outcome = await self._ask(question, state, due_s)
            except TimeoutError:
                outcome = _Failure(doubt=Doubt.TIMEOUT, detail="no answer within the deadline")
                state.answer_id = self._keep_answer(question, state, error=outcome)
        except Exception as error:  # noqa: BLE001 - the boundary: any fault is an abstention
            outcome = _Failure(doubt=Doubt.FAULT, detail=type(error).__name__)
        finally:
            self._settle(state)  # also of what was cancelled: it may have been answered
        return self._conclude(question, state, outcome)

    async def _ask(self, question: Question, state: _Round, due_s: float) -> RawAnswer | _Failure:
        client = await self._client()
        outcome: RawAnswer | _Failure = _Failure(
            doubt=Doubt.QUOTA, detail="the daily quota of every model is spent"
        )
        for model in self._models(question):
            left_s = due_s - wall_monotonic_s()
            if isinstance(outcome, _Failure) and state.model:
                if not outcome.again or left_s < outcome.wait_s + FALLBACK_TIME_MIN_S:
                    break
                await wall_sleep_s(outcome.wait_s)
            state.model = model
            outcome = await self._request(client, question, state)
            if isinstance(outcome, RawAnswer):
                break
        return outcome

    def _models(self, question: Question) -> list[str]:
        now_ms, config = self._clock.now_ms(), self._config
        names = dict.fromkeys((config.model, config.fallback))
        if config.fallback and self._is_short(question):
            names = dict.fromkeys((config.fallback,))
        return [m for m in names if m and self._spent_until_ms.get(m, 0) <= now_ms]

    def _is_short(self, question: Question) -> bool:
        return self._purse is not None and self._purse.step(question.user_id) is Step.CHEAPER

    async def _request(
        self, client: "Client", question: Question, state: _Round
    ) -> RawAnswer | _Failure:
        if self._purse is not None:
            state.ticket_usd = state.cost_usd
            state.ticket = await self._purse.reserve(question.user_id, self._worst_usd(state))
            if state.ticket is None:
                return _Failure(doubt=Doubt.BUDGET, detail="the day's budget is spent", again=True)
        state.unpaid_model, state.unpaid_worst = state.model, True
        try:
            response = await client.aio.models.generate_content(
                model=state.model,
                contents=state.prompt.user,
                config=_request_config(state.prompt, state.model),
            )
        except Exception as error:  # noqa: BLE001 - whatever is raised, one request has failed
            failure = _failure_of(error)
            if failure.doubt not in {Doubt.TIMEOUT, Doubt.UNREACHABLE, Doubt.MALFORMED}:
                state.unpaid_model = ""  # a refusal costs nothing
            state.unpaid_worst = failure.doubt is not Doubt.UNREACHABLE
            if failure.spent_day:
                self._spent_until_ms[state.model] = quota_resets_ms(self._clock.now_ms())
            self._settle(state)
            state.answer_id = self._keep_answer(question, state, error=failure)
            return failure
        state.unpaid_model = ""
        state.model_version = response.model_version or state.model
        # Charged as the dearer of what was asked for and what answered: routing is silent.
        usage = _usage_of(response)
        now_ms = self._clock.now_ms()
        state.cost_usd += max(
            cost_usd_of(model, usage, now_ms, self._config.prices)
            for model in (state.model, state.model_version)
        )
        self._settle(state)
        state.answer_id = self._keep_answer(
            question, state, response=response.model_dump_json(exclude_none=True)
        )
        return _raw_of(response)

    def _conclude(
        self, question: Question, state: _Round, outcome: RawAnswer | _Failure
    ) -> Decision:
        receipt = Receipt(
            now_ms=self._clock.now_ms(),
            model_version=state.model_version or state.model,
            cost_usd=state.cost_usd,
            answer_id=state.answer_id,
        )
        if isinstance(outcome, RawAnswer):
            decision = read_answer(outcome, question, receipt)
        else:
            decision = abstain(question, outcome.doubt, outcome.detail, receipt)
        if decision.abstained:
            doubt = decision.abstained.split(":", 1)[0]
            self.doubts[doubt] += 1
            if count := self._hush.count(doubt):
                log.warning(
                    "adviser_abstained", kind=doubt, count=count, detail=decision.abstained[:200]
                )
        return decision

    def _settle(self, state: _Round) -> None:
        if state.unpaid_model:
            chars = len(state.prompt.system) + len(state.prompt.user)
            state.cost_usd += (
                self._worst_usd(state)
                if state.unpaid_worst
                else estimate_usd(
                    state.unpaid_model, chars, self._clock.now_ms(), self._config.prices
                )
            )
            state.unpaid_model = ""
        if self._purse is not None and state.ticket is not None:
            self._purse.settle(state.ticket, state.cost_usd - state.ticket_usd)
            state.ticket = None

    def _worst_usd(self, state: _Round) -> Decimal:
        tokens = tokens_of_prompt(state.prompt)
        now_ms, prices = self._clock.now_ms(), self._config.prices
        return worst_usd(state.model, tokens, OUTPUT_TOKENS_MAX, now_ms, prices)

    def _keep_answer(
        self,
        question: Question,
        state: _Round,
        *,
        response: str | None = None,
        error: _Failure | None = None,
    ) -> str:
        record: dict[str, object] = {
            "version": 1,
            "trade_id": question.trade_id,
            "snapshot_id": state.prompt.snapshot_id,
            "prompt_id": state.prompt_id,
            "model": state.model,
        }
        if response is not None:
            record["response"] = json.loads(response)
        if error is not None:
            record["error"] = f"{error.doubt.value}: {error.detail}"
        text = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
        return self._keep("answer", text.replace(self._config.api_key, "[key]"))

    async def _client(self) -> "Client":
        # Shielded: a deadline that passes during the import must not throw the import away.
        if self._loading is None or (self._loading.done() and self._loading.exception()):
            self._loading = asyncio.create_task(asyncio.to_thread(_build_client, self._config))
        return await asyncio.shield(self._loading)


def _build_client(config: GeminiConfig) -> "Client":
    from google.genai import Client, types

    # The library subclasses aiohttp's session at its first request, and where warnings are errors
    # that would look like a failed answer.
    warnings.filterwarnings(
        "ignore", message="Inheritance class AiohttpClientSession", category=DeprecationWarning
    )
    return Client(
        api_key=config.api_key,
        vertexai=False,
        http_options=types.HttpOptions(
            base_url=config.base_url,
            api_version=config.api_version,
            retry_options=types.HttpRetryOptions(attempts=1),
        ),
    )


def _request_config(prompt: Prompt, model: str) -> "types.GenerateContentConfig":
    from google.genai import types

    level = next((level for prefix, level in THINKING_LEVELS if model.startswith(prefix)), None)
    return types.GenerateContentConfig(
        system_instruction=prompt.system,
        max_output_tokens=OUTPUT_TOKENS_MAX,
        response_mime_type="application/json",
        response_schema=types.Schema.model_validate(ANSWER_SCHEMA),
        thinking_config=None
        if level is None
        else types.ThinkingConfig(thinking_level=types.ThinkingLevel(level)),
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )


def _prompt_record(prompt: Prompt) -> str:
    return json.dumps(
        {"version": 1, "system": prompt.system, "user": prompt.user, "schema": ANSWER_SCHEMA},
        separators=(",", ":"),
        ensure_ascii=False,
    )


def _raw_of(response: "types.GenerateContentResponse") -> RawAnswer:
    feedback = response.prompt_feedback
    blocked = feedback.block_reason if feedback else None
    first = response.candidates[0] if response.candidates else None
    finish = first.finish_reason if first else None
    return RawAnswer(
        text=response.text,
        finish_reason=finish.value if finish else None,
        block_reason=blocked.value if blocked else None,
    )


def _usage_of(response: "types.GenerateContentResponse") -> Usage:
    told = response.usage_metadata
    if told is None:
        return Usage()
    return Usage(
        prompt=told.prompt_token_count or 0,
        cached=told.cached_content_token_count or 0,
        output=told.candidates_token_count or 0,
        thoughts=told.thoughts_token_count or 0,
    )


def _failure_of(error: Exception) -> _Failure:
    from google.genai import errors

    if isinstance(error, errors.APIError):
        return _refusal_of(error.code, error.status, _details_of(error.details))
    if isinstance(error, TimeoutError):
        return _Failure(doubt=Doubt.TIMEOUT, detail="the service took too long")
    if isinstance(error, ValueError):  # JSONDecodeError and pydantic's ValidationError are such
        return _Failure(doubt=Doubt.MALFORMED, detail="the reply was not readable")
    kind = type(error)
    if isinstance(error, OSError) or kind.__module__.split(".")[0] in TRANSPORTS:
        return _Failure(doubt=Doubt.UNREACHABLE, detail=kind.__name__)
    return _Failure(doubt=Doubt.FAULT, detail=kind.__name__)


def _refusal_of(code: object, status: object, details: list[dict[str, object]]) -> _Failure:
    told = f"HTTP {code} {clean(str(status or ''), STATUS_LENGTH_MAX)}".strip()
    number = code if isinstance(code, int) else 0
    reasons = {str(detail.get("reason")) for detail in details}
    if reasons & {"API_KEY_INVALID", "API_KEY_EXPIRED"} or number in {401, 403}:
        return _Failure(doubt=Doubt.KEY_REFUSED, detail=told)
    if number == 429:
        wait_s = _retry_delay_s(details)
        spent_day = "PerDay" in json.dumps(details, default=str)
        return _Failure(
            doubt=Doubt.QUOTA,
            detail=f"{told}, for the day" if spent_day else told,
            again=wait_s is not None and not spent_day,
            wait_s=wait_s or 0.0,
            spent_day=spent_day,
        )
    if number >= 500:
        return _Failure(doubt=Doubt.OVERLOADED, detail=told, again=True)
    return _Failure(doubt=Doubt.REFUSED, detail=told)


def _details_of(body: object) -> list[dict[str, object]]:
    error = body.get("error", body) if isinstance(body, dict) else None
    details = error.get("details") if isinstance(error, dict) else None
    return [d for d in details if isinstance(d, dict)] if isinstance(details, list) else []


def _retry_delay_s(details: list[dict[str, object]]) -> float | None:
    for detail in details:
        text = str(detail.get("retryDelay", ""))
        if text.endswith("s"):
            try:
                delay_s = float(text[:-1])
            except ValueError:
                return None
            return delay_s if 0 <= delay_s < float("inf") else None
    return None
