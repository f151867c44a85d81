"""What the pretend Gemini says: good answers by the seed, and every bad one on demand. Pure.

Must not know: `bot.advisor`, HTTP. The wire format and the contract with whoever asks are told in
`bot.sandbox.gemini_server`.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

MARKER: Final = "QUESTION_JSON"
SCORE_GOOD: Final = 60.0
OPEN_CHANCE: Final = 0.85  # of a signal with a good score
CLOSE_CHANCE: Final = 0.08  # of a position under review
TYPE_PREFIX: Final = "type.googleapis.com/google.rpc."

Json = dict[str, Any]  # a body of the wire: its shape is checked where it is read


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error reply."""

    code: int
    status: str
    message: str
    details: tuple[Json, ...] = ()


def text_of(body: Json) -> str:
    """All text of the contents, in order; empty when there is none."""
    contents = body.get("contents")
    turns = contents if isinstance(contents, list) else [contents]
    parts = [
        part
        for turn in turns
        if isinstance(turn, dict)
        for part in turn.get("parts") or []
        if isinstance(part, dict)
    ]
    return "".join(str(part.get("text", "")) for part in parts)


def _question_of(body: Json) -> Json:
    text = text_of(body)
    start = text.find("{", text.find(MARKER) + 1) if MARKER in text else -1
    if start < 0:
        return {}
    try:
        found, _ = json.JSONDecoder().raw_decode(text, start)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def either(record: Mapping[str, Any], camel: str, snake: str) -> Any:
    """A field under either of its two spellings; None when it is absent."""
    return record.get(camel, record.get(snake))


def tokens(text: str) -> int:
    """About how many tokens a text has."""
    return max(1, len(text) // 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: the server's seed, the step to take, the body that came."""

    seed: int
    step: Json
    body: Json


Outcome = Json | str | Refusal | None  # a reply, raw bytes' text, an error, a cut connection


def _sensible(asked: Asked) -> Json:
    return _finished(json.dumps(_sensible_answer(asked)))


def _sensible_answer(asked: Asked) -> Json:
    question = _question_of(asked.body)
    echo = {name: question.get(name, "") for name in ("bot_id", "symbol", "snapshot_id")}
    dice = random.Random(f"{asked.seed}:{echo['snapshot_id']}")
    signal = question.get("signal") or {}
    if question.get("purpose") == "manage":
        closing = dice.random() < CLOSE_CHANCE
        return echo | {
            "action": "close_position" if closing else "hold_position",
            "confidence": round(dice.uniform(60, 90), 1),
            "reasons": ["Momentum has turned." if closing else "The move is intact."],
            "invalidation": "A close beyond the stop.",
        }
    score = float(signal.get("score") or 0)
    if not signal or score < SCORE_GOOD or dice.random() >= OPEN_CHANCE:
        return echo | {
            "action": "do_nothing",
            "confidence": round(dice.uniform(30, 60), 1),
            "reasons": ["The setup is not convincing."],
            "invalidation": "A stronger signal.",
        }
    prices = {name: signal.get(name) for name in ("entry_price", "stop_price", "target_price")}
    confidence = min(95.0, max(60.0, score + dice.uniform(-5, 8)))
    return (
        echo
        | {"action": "open_position", "direction": signal.get("direction")}
        | prices
        | {
            "confidence": round(confidence, 1),
            "reasons": ["Trend and momentum agree.", f"The signal scores {score:.0f}."],
            "invalidation": f"The price reaches {signal.get('stop_price')}.",
        }
    )


def _wrong_echo(asked: Asked) -> Json:
    return _finished(json.dumps(_sensible_answer(asked) | {"symbol": "OTHERUSDT"}))


def _answer(asked: Asked) -> Json:
    return _finished(str(asked.step.get("text", "")))


def _refusal(asked: Asked) -> Json:
    return _finished(str(asked.step.get("text", "I cannot help with financial decisions.")))


def _safety(asked: Asked) -> Json:
    return {"candidates": [{"finishReason": "SAFETY", "index": 0}]}


def _blocked(asked: Asked) -> Json:
    return {"promptFeedback": {"blockReason": str(asked.step.get("reason", "PROHIBITED_CONTENT"))}}


def _max_tokens(asked: Asked) -> Json:
    text = json.dumps(_sensible_answer(asked))
    return _finished(text[: len(text) // 2], "MAX_TOKENS")


def _empty(asked: Asked) -> Json:
    return {}


def _malformed_json(asked: Asked) -> str:
    return '{"candidates": [{"content": {"parts": [{"text": "{'


def _quota(asked: Asked) -> Refusal:
    period = "Day" if asked.step.get("per_day") else "Minute"
    violation = {
        "quotaMetric": "generativelanguage.googleapis.com/generate_requests",
        "quotaId": f"GenerateRequestsPer{period}PerProjectPerModel",
        "quotaValue": "10",
    }
    details: list[Json] = [{"@type": f"{TYPE_PREFIX}QuotaFailure", "violations": [violation]}]
    if (retry_s := asked.step.get("retry_s", 1)) is not None:
        details.append({"@type": f"{TYPE_PREFIX}RetryInfo", "retryDelay": f"{retry_s}s"})
    return Refusal(
        code=429,
        status="RESOURCE_EXHAUSTED",
        message="You exceeded your current quota.",
        details=tuple(details),
    )


def _overloaded(asked: Asked) -> Refusal:
    return Refusal(code=503, status="UNAVAILABLE", message="The model is overloaded.")


def _internal(asked: Asked) -> Refusal:
    return Refusal(code=500, status="INTERNAL", message="An internal error has occurred.")


def _bad_key(asked: Asked) -> Refusal:
    return BAD_KEY


def _drop(asked: Asked) -> None:
    return None


STEPS: Final[Mapping[str, Callable[[Asked], Outcome]]] = {
    "default": _sensible,
    "answer": _answer,
    "refusal": _refusal,
    "safety": _safety,
    "blocked": _blocked,
    "max_tokens": _max_tokens,
    "empty": _empty,
    "wrong_echo": _wrong_echo,
    "malformed_json": _malformed_json,
    "quota": _quota,
    "overloaded": _overloaded,
    "internal": _internal,
    "bad_key": _bad_key,
    "drop": _drop,
}

BAD_KEY: Final = Refusal(
    code=400,
    status="INVALID_ARGUMENT",
    message="API key not valid. Please pass a valid API key.",
    details=(
        {
            "@type": f"{TYPE_PREFIX}ErrorInfo",
            "reason": "API_KEY_INVALID",
            "domain": "googleapis.com",
        },
    ),
)


def _finished(text: str, reason: str = "STOP") -> Json:
    content = {"role": "model", "parts": [{"text": text}]}
    return {"candidates": [{"content": content, "finishReason": reason, "index": 0}]}


def usage_of(body: Json, reply: Json) -> Json:
    """The usage a reply is billed with, thinking included."""
    prompt = tokens(json.dumps(body))
    output = tokens(json.dumps(reply)) if reply.get("candidates") else 0
    thoughts = output // 2
    return {
        "promptTokenCount": prompt,
        "candidatesTokenCount": output,
        "thoughtsTokenCount": thoughts,
        "totalTokenCount": prompt + output + thoughts,
    }
