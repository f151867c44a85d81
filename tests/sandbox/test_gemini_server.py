"""The pretend Gemini on loopback: the wire, the key, the script, and sensible default answers."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, ServerDisconnectedError

from bot.sandbox.gemini_server import GeminiSandbox
from bot.shell.clock import VirtualClock

KEY = "fake-key"
PATH = "/v1beta/models/gemini-3.8-flash:generateContent"
QUESTION: dict[str, Any] = {
    "bot_id": "b1",
    "symbol": "BTCUSDT",
    "snapshot_id": "s1",
    "purpose": "open",
    "mark_price": "100",
    "signal": {
        "direction": "short",
        "entry_price": "100.0",
        "stop_price": "101.0",
        "target_price": "98.2",
        "score": 82.0,
    },
}


@pytest.fixture
async def sandbox() -> AsyncIterator[GeminiSandbox]:
    made = GeminiSandbox(seed=3, clock=VirtualClock(1_000), api_key=KEY)
    await made.start(0)
    yield made
    await made.stop()


def body_of(question: dict[str, Any], **config: Any) -> dict[str, Any]:
    """A request as a client writes it."""
    text = f"QUESTION_JSON\n{json.dumps(question)}"
    return {
        "contents": [{"role": "user", "parts": [{"text": text}]}],
        "generationConfig": {"responseMimeType": "application/json"} | config,
    }


async def post(
    sandbox: GeminiSandbox, body: object, *, path: str = PATH, key: str = KEY
) -> tuple[int, dict[str, Any]]:
    """Status and JSON of one request."""
    async with ClientSession() as session:
        reply = await session.post(
            sandbox.base_url + path, json=body, headers={"x-goog-api-key": key}
        )
        return reply.status, await reply.json()


async def get(sandbox: GeminiSandbox, path: str, *, key: str = KEY) -> tuple[int, Any]:
    """Status and JSON of one read."""
    async with ClientSession() as session:
        reply = await session.get(sandbox.base_url + path, headers={"x-goog-api-key": key})
        return reply.status, await reply.json()


async def answer_to(sandbox: GeminiSandbox, question: dict[str, Any]) -> dict[str, Any]:
    """The answer object inside a reply."""
    _, reply = await post(sandbox, body_of(question))
    answer: dict[str, Any] = json.loads(reply["candidates"][0]["content"]["parts"][0]["text"])
    return answer


async def test_a_good_signal_is_opened_as_proposed(sandbox: GeminiSandbox) -> None:
    """The default answer echoes the question and keeps the signal's direction and prices."""
    answers = [await answer_to(sandbox, QUESTION | {"snapshot_id": f"s{i}"}) for i in range(40)]
    opened = [a for a in answers if a["action"] == "open_position"]
    assert 25 <= len(opened) < 40
    assert {a["action"] for a in answers} == {"open_position", "do_nothing"}
    assert all(a["symbol"] == "BTCUSDT" for a in answers)
    assert [a["snapshot_id"] for a in answers] == [f"s{i}" for i in range(40)]
    assert all((a["direction"], a["stop_price"]) == ("short", "101.0") for a in opened)
    assert all(0 <= a["confidence"] <= 100 for a in answers)


async def test_a_poor_signal_is_left_alone(sandbox: GeminiSandbox) -> None:
    """A score under 60 is never opened."""
    poor = QUESTION | {"signal": QUESTION["signal"] | {"score": 59.0}}
    answers = [await answer_to(sandbox, poor | {"snapshot_id": f"s{i}"}) for i in range(20)]
    assert {a["action"] for a in answers} == {"do_nothing"}


async def test_a_position_is_mostly_held_and_sometimes_closed(sandbox: GeminiSandbox) -> None:
    """Under review both answers occur, holding far more often."""
    managing = QUESTION | {"purpose": "manage", "signal": None}
    answers = [await answer_to(sandbox, managing | {"snapshot_id": f"s{i}"}) for i in range(100)]
    closed = sum(a["action"] == "close_position" for a in answers)
    assert 1 <= closed <= 25
    assert closed + sum(a["action"] == "hold_position" for a in answers) == 100


async def test_the_same_seed_and_question_give_the_same_answer(sandbox: GeminiSandbox) -> None:
    """Nothing but seed and snapshot decides, so a run can be repeated."""
    assert await answer_to(sandbox, QUESTION) == await answer_to(sandbox, QUESTION)


@pytest.mark.parametrize("version", ["v1", "v1beta"])
async def test_both_versions_answer_with_usage_and_model(
    sandbox: GeminiSandbox, version: str
) -> None:
    """The envelope has what a client bills and shows."""
    path = PATH.replace("v1beta", version)
    status, reply = await post(sandbox, body_of(QUESTION), path=path)
    assert status == 200
    assert reply["modelVersion"] == "gemini-3.8-flash"
    usage = reply["usageMetadata"]
    assert usage["totalTokenCount"] == sum(
        usage[name] for name in ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
    )


async def test_a_wrong_key_is_a_400(sandbox: GeminiSandbox) -> None:
    """The real service answers a bad key with INVALID_ARGUMENT, not with 401."""
    status, reply = await post(sandbox, body_of(QUESTION), key="other")
    assert status == 400
    assert reply["error"]["details"][0]["reason"] == "API_KEY_INVALID"
    assert (await get(sandbox, "/v1/models", key=""))[0] == 400


@pytest.mark.parametrize("body", [[], {}, {"contents": []}, {"contents": [{"parts": []}]}])
async def test_a_request_without_text_is_refused(sandbox: GeminiSandbox, body: object) -> None:
    """Contents are not optional."""
    status, reply = await post(sandbox, body)
    assert (status, reply["error"]["status"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    "config",
    [
        {"generationConfig": {"responseSchema": {"type": "OBJECT"}}},
        {"generation_config": {"response_schema": {"type": "OBJECT"}}},
    ],
)
async def test_a_schema_needs_the_json_type_in_either_spelling(
    sandbox: GeminiSandbox, config: dict[str, Any]
) -> None:
    """camelCase and snake_case are the same field."""
    body = {"contents": body_of(QUESTION)["contents"]} | config
    assert (await post(sandbox, body))[0] == 400


async def test_unknown_models_and_methods_are_not_found(sandbox: GeminiSandbox) -> None:
    """A typo in a model's name is told as the real service tells it."""
    for path in (PATH.replace("gemini", "gemma"), PATH.replace("generateContent", "think")):
        assert (await post(sandbox, body_of(QUESTION), path=path))[0] == 404


async def test_models_and_tokens_can_be_asked_for(sandbox: GeminiSandbox) -> None:
    """The reads a service makes at its start."""
    _, listed = await get(sandbox, "/v1/models")
    assert "models/gemini-3.8-flash" in [m["name"] for m in listed["models"]]
    assert (await get(sandbox, "/v1beta/models/gemini-3.8-flash"))[0] == 200
    path = PATH.replace("generateContent", "countTokens")
    _, counted = await post(sandbox, body_of(QUESTION), path=path)
    assert counted["totalTokens"] > 10


async def test_the_script_answers_in_order_and_then_ends(sandbox: GeminiSandbox) -> None:
    """Scripted steps come first, one a request; afterwards the default answers again."""
    steps = [{"do": "overloaded"}, {"do": "internal"}, {"do": "quota", "retry_s": 2.5}]
    status, told = await post(sandbox, steps, path="/sandbox/script")
    assert (status, told["steps"]) == (200, 3)
    replies = [await post(sandbox, body_of(QUESTION)) for _ in range(4)]
    assert [status for status, _ in replies] == [503, 500, 429, 200]
    violations, retry = replies[2][1]["error"]["details"]
    assert "PerMinute" in violations["violations"][0]["quotaId"]
    assert retry["retryDelay"] == "2.5s"
    _, calls = await get(sandbox, "/sandbox/calls")
    assert [call["step"] for call in calls] == ["overloaded", "internal", "quota", "default"]
    assert calls[0]["body"] == body_of(QUESTION)


@pytest.mark.parametrize("steps", [[{"do": "explode"}], {"do": "empty"}, [3], 3, None])
async def test_a_script_it_cannot_play_is_refused(sandbox: GeminiSandbox, steps: object) -> None:
    """A typo in a test's script is an error at once, not a default answer later."""
    assert (await post(sandbox, steps, path="/sandbox/script"))[0] == 400


async def test_a_dropped_connection_has_no_reply(sandbox: GeminiSandbox) -> None:
    """The socket is cut without a status line."""
    sandbox.script({"do": "drop"})
    with pytest.raises(ServerDisconnectedError):
        await post(sandbox, body_of(QUESTION))


async def test_a_delay_passes_on_the_sandboxs_clock(sandbox: GeminiSandbox) -> None:
    """A virtual clock jumps over the delay; the answer comes all the same."""
    sandbox.script({"do": "default", "delay_ms": 30_000})
    assert (await post(sandbox, body_of(QUESTION)))[0] == 200
    assert sandbox._clock.now_ms() == 31_000


async def test_it_listens_on_loopback_only(sandbox: GeminiSandbox) -> None:
    """A pretend service is for this machine."""
    assert sandbox.base_url.startswith("http://127.0.0.1:")
