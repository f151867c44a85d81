"""What a model's text means: a decision, or an abstention that says what is wrong with it. Pure.

Must not know: the network, a client library, or what will be done with a decision.

An answer is believed only when it is whole, in bounds, and names the bot, the symbol and the
snapshot it was asked about. Any doubt is an abstention: never a HOLD, never an approval. Whether a
stop lies on the right side of a price is the supervisor's to judge: it knows the live price.
"""

import json
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from bot.advisor.prompt import (
    CONFIDENCE_MAX,
    LEVERAGE_MAX,
    NAME_LENGTH_MAX,
    REASON_LENGTH_MAX,
    REASONS_MAX,
    TEXT_LENGTH_MAX,
    clean,
    snapshot_id_of,
)
from bot.core.messages import Question
from data.model import Action, Decision, Direction
from data.money import ZERO

GEMINI: Final = "gemini"
ANSWER_CHARS_MAX: Final = 16_000  # an honest answer is under 2,000
UPDATES_MAX: Final = 24
UPDATE_LENGTH_MAX: Final = 500
# Wide enough for every coin, narrow enough that arithmetic on it stays exact and cheap.
AMOUNT_MIN: Final = Decimal("1E-12")
AMOUNT_MAX: Final = Decimal("1E+12")


class Doubt(StrEnum):
    """Why an adviser abstained; the first word of `Decision.abstained`."""

    TIMEOUT = "timeout"
    OVERLOADED = "overloaded"
    QUOTA = "quota"
    BLOCKED = "blocked"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    MISMATCH = "mismatch"  # the answer echoes another bot, symbol or snapshot
    KEY_REFUSED = "key_refused"
    REFUSED = "refused"  # the service did not take the request for another reason
    UNREACHABLE = "unreachable"
    BUDGET = "budget"  # the day's money for models is spent
    BUSY = "busy"  # its turn did not come in time
    SKIPPED = "skipped"  # not asked at all: it had just been; nobody's doubt
    FAULT = "fault"  # ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Who answered, when, at what price, and where the raw answer is kept."""

    now_ms: int
    advisor: str = GEMINI
    model_version: str = ""
    cost_usd: Decimal = ZERO
    answer_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawAnswer:
    """What came back, before anyone believed it. `finish_reason` None: no candidate at all."""

    text: str | None
    finish_reason: str | None
    block_reason: str | None = None


Amount = Annotated[Decimal, Field(ge=AMOUNT_MIN, le=AMOUNT_MAX, allow_inf_nan=False)]
Identity = Annotated[str, StringConstraints(min_length=1, max_length=128)]


def _updates(given: object) -> tuple[tuple[str, str], ...]:
    """What of the field can be read as (name, value): a broken wish is no reason for a doubt.

    An object of scalars or lists of them, or a list of {"name", "value"}.
    """
    if isinstance(given, list):
        rows = [(row.get("name"), row.get("value")) for row in given if isinstance(row, dict)]
    else:
        rows = list(given.items()) if isinstance(given, dict) else []
    found = [
        (clean(name, NAME_LENGTH_MAX), text)
        for name, value in rows[:UPDATES_MAX]
        if isinstance(name, str) and (text := _scalar(value)) is not None
    ]
    return tuple(found)


def _scalar(value: object) -> str | None:
    if isinstance(value, list):
        parts = [_scalar(one) for one in value[:UPDATES_MAX] if not isinstance(one, list)]
        return clean(", ".join(part for part in parts if part), UPDATE_LENGTH_MAX)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}" if value - value == 0 else None
    return clean(str(value), UPDATE_LENGTH_MAX) if isinstance(value, str | int) else None


class Answer(BaseModel):
    """The model's answer as the schema asks for it; anything beyond is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bot_id: Identity
    symbol: Identity
    snapshot_id: Identity
    action: Action
    direction: Direction | None = None
    entry_price: Amount | None = None
    stop_price: Amount | None = None
    target_price: Amount | None = None
    quantity: Amount | None = None
    leverage: Annotated[int, Field(ge=1, le=LEVERAGE_MAX, strict=True)] | None = None
    confidence: Annotated[float, Field(ge=0, le=CONFIDENCE_MAX, allow_inf_nan=False, strict=True)]
    reasons: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=REASON_LENGTH_MAX)], ...],
        Field(min_length=1, max_length=REASONS_MAX),
    ]
    invalidation: Annotated[str, StringConstraints(max_length=TEXT_LENGTH_MAX)] | None = None
    directive_updates: Annotated[tuple[tuple[str, str], ...], BeforeValidator(_updates)] = ()


def read_answer(raw: RawAnswer, question: Question, receipt: Receipt) -> Decision:
    """The decision in an answer, or an abstention that says what is wrong with it. Never raises."""
    outcome = _checked(raw, question)
    if isinstance(outcome, _Doubted):
        return abstain(question, outcome.doubt, outcome.detail, receipt)
    return Decision(
        advisor=receipt.advisor,
        model_version=clean(receipt.model_version, NAME_LENGTH_MAX),
        bot_id=outcome.bot_id,
        symbol=outcome.symbol,
        snapshot_id=outcome.snapshot_id,
        action=outcome.action,
        direction=outcome.direction,
        entry_price=outcome.entry_price,
        stop_price=outcome.stop_price,
        target_price=outcome.target_price,
        quantity=outcome.quantity,
        leverage=outcome.leverage,
        confidence=outcome.confidence,
        reasons=tuple(clean(reason, REASON_LENGTH_MAX) for reason in outcome.reasons),
        invalidation=clean(outcome.invalidation or "", TEXT_LENGTH_MAX),
        directive_updates=outcome.directive_updates,
        decided_ms=receipt.now_ms,
        cost_usd=receipt.cost_usd,
        answer_id=receipt.answer_id,
    )


def abstain(question: Question, doubt: Doubt, detail: str, receipt: Receipt) -> Decision:
    """The decision not to decide. `detail` is our own words, shown to people."""
    return Decision(
        advisor=receipt.advisor,
        model_version=clean(receipt.model_version, NAME_LENGTH_MAX),
        bot_id=question.bot_id,
        symbol=question.symbol,
        snapshot_id=snapshot_id_of(question),
        action=Action.ABSTAIN,
        abstained=f"{doubt.value}: {detail}",
        skipped=doubt is Doubt.SKIPPED,
        decided_ms=receipt.now_ms,
        cost_usd=receipt.cost_usd,
        answer_id=receipt.answer_id,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Doubted:
    doubt: Doubt
    detail: str


def _checked(raw: RawAnswer, question: Question) -> Answer | _Doubted:
    if raw.block_reason:
        return _Doubted(
            doubt=Doubt.BLOCKED, detail=f"the prompt was blocked ({clean(raw.block_reason, 40)})"
        )
    if raw.finish_reason == "MAX_TOKENS":
        return _Doubted(doubt=Doubt.TRUNCATED, detail="the answer was cut at the token limit")
    if raw.finish_reason is None:
        return _Doubted(doubt=Doubt.MALFORMED, detail="the answer was empty")
    if raw.finish_reason != "STOP":
        return _Doubted(
            doubt=Doubt.BLOCKED, detail=f"the answer was withheld ({clean(raw.finish_reason, 40)})"
        )
    if not raw.text or not raw.text.strip():
        return _Doubted(doubt=Doubt.MALFORMED, detail="the answer was empty")
    return _parsed(raw.text, question)


def _parsed(text: str, question: Question) -> Answer | _Doubted:
    if len(text) > ANSWER_CHARS_MAX:
        return _Doubted(
            doubt=Doubt.MALFORMED, detail=f"the answer is longer than {ANSWER_CHARS_MAX} characters"
        )
    try:
        answer = Answer.model_validate_json(text)
        json.loads(text, object_pairs_hook=_once)
    except ValidationError as error:
        return _Doubted(doubt=Doubt.MALFORMED, detail=_fault_of(error))
    except ValueError:  # also what UnicodeEncodeError and JSONDecodeError are
        return _Doubted(doubt=Doubt.MALFORMED, detail="the answer is not one plain JSON object")
    expected = (question.bot_id, question.symbol, snapshot_id_of(question))
    for name, want, got in zip(
        ("bot_id", "symbol", "snapshot_id"),
        expected,
        (answer.bot_id, answer.symbol, answer.snapshot_id),
        strict=True,
    ):
        if want != got:
            return _Doubted(doubt=Doubt.MISMATCH, detail=f"the answer is about another {name}")
    return _whole(answer)


def _whole(answer: Answer) -> Answer | _Doubted:
    if answer.action is Action.ABSTAIN:
        return _Doubted(doubt=Doubt.MALFORMED, detail="action is none of those offered")
    if answer.action is Action.OPEN_POSITION:
        for name in ("direction", "stop_price", "target_price"):
            if getattr(answer, name) is None:
                return _Doubted(doubt=Doubt.MALFORMED, detail=f"open_position without {name}")
    return answer


def _fault_of(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"] if not isinstance(part, str)) or ""
    known = [part for part in first["loc"] if part in Answer.model_fields]
    if first["type"] == "json_invalid":
        return "the answer is not one plain JSON object"
    name = ".".join([*map(str, known), *([where] if where else [])])
    return f"{name or 'a field we did not ask for'}: {first['type'].replace('_', ' ')}"


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # Two values under one name: which one the model meant is a doubt.
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


assert {field.name for field in fields(Decision)} >= set(Answer.model_fields), "answer != decision"
