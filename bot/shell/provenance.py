"""One trade's whole chain, from its signal to its result, and which links of it are missing.

The trade's own row holds most of it; snapshot, prompt and raw answer are documents kept under
their digests. What is not there is said to be missing, with the reason, and never made up. Must
not know: how the record is shown.
"""

import json
from dataclasses import dataclass
from typing import Any, Final, Protocol

import msgspec

from bot.core.advice import RULES
from bot.core.life import results
from bot.core.ruling.confidence import PREFIX as CAUTION
from bot.core.ruling.remembering import PREFIX as MEMORY
from bot.core.ruling.shadowing import is_shadow
from bot.core.trade import Approval, Check, Trade
from data.money import plain
from data.store.rows import DocumentRow, ShadowRow

AT_DECISION: Final = "decision"
AT_TAP: Final = "tap"


class ChainStore(Protocol):
    """Where documents and shadows are kept."""

    async def document(self, digest: str, *, user_id: str | None = None) -> DocumentRow | None:
        """The text of that digest."""

    async def shadow(self, trade_id: str) -> ShadowRow | None:
        """How a trade that was never made would have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What is kept besides the trade's row. `missing`: (link, why it is not there)."""

    snapshot: str = ""
    prompt_id: str = ""
    prompt: str = ""
    answer: str = ""
    shadow: ShadowRow | None = None
    missing: tuple[tuple[str, str], ...] = ()


async def chain_of(store: ChainStore, trade: Trade) -> Chain:
    """Find every link; a link that never was has its reason, and one that was lost too."""
    decision, missing = trade.decision, list[tuple[str, str]]()

    async def find(link: str, digest: str, never: str) -> str:
        kept = await store.document(digest, user_id=trade.user_id) if digest else None
        if kept is None:
            missing.append((link, f"{digest} is not in the database" if digest else never))
        return kept.body if kept is not None else ""

    if trade.signal is None:
        missing.append(("signal", "adopted: found at the exchange"))
    if decision is None:
        never = "nobody was asked" if trade.outcome is not None else "nobody has answered yet"
        missing += [(link, never) for link in ("snapshot", "prompt", "answer", "decision")]
        prompt_id = snapshot = prompt = answer = ""
    else:
        snapshot = await find("snapshot", decision.snapshot_id, "no question could be made")
        without = "the rules are asked without words"
        by_rules = decision.advisor == RULES
        answer = await find("answer", decision.answer_id, without if by_rules else "none came")
        prompt_id = _prompt_id(answer)
        prompt = await find("prompt", prompt_id, without if by_rules else "no answer names it")
    shadow = await store.shadow(trade.trade_id)
    if shadow is None and is_shadow(trade):
        missing.append(("shadow", "still followed"))
    return Chain(
        snapshot=snapshot,
        prompt_id=prompt_id,
        prompt=prompt,
        answer=answer,
        shadow=shadow,
        missing=tuple(missing),
    )


def chain_as_json(trade: Trade, chain: Chain) -> dict[str, Any]:
    """The chain in its order under stable names; None for a link that is not there."""
    decision = trade.decision
    checks = [*_checks(trade.checks, AT_DECISION)]
    if trade.approval is not None:
        checks += _checks(trade.approval.checks, AT_TAP)
    remembered = (MEMORY, CAUTION)
    return {
        "signal": _plain(trade.signal),
        "proposed": _plain(trade.proposed),
        "snapshot": _document(decision.snapshot_id if decision else "", chain.snapshot),
        "prompt": _document(chain.prompt_id, chain.prompt),
        "answer": _document(decision.answer_id if decision else "", chain.answer),
        "decision": _plain(decision),
        "validation": [one for one in checks if not one["rule"].startswith(remembered)],
        "verdicts": [one for one in checks if one["rule"].startswith(remembered)],
        "supervisor": _plain(trade.supervised),
        "plan": _plain(trade.plan),
        "person": _person(trade.approval),
        "orders": _plain(trade.orders),
        "fills": _plain(trade.fills),
        "funding": _plain(trade.funding),
        "result": _result(trade),
        "shadow": _plain(chain.shadow),
        "missing": [{"link": link, "reason": reason} for link, reason in chain.missing],
    }


def _prompt_id(answer: str) -> str:
    try:
        record = json.loads(answer) if answer else {}
    except ValueError:
        return ""
    return str(record.get("prompt_id", "")) if isinstance(record, dict) else ""


def _document(digest: str, body: str) -> dict[str, Any] | None:
    if not digest:
        return None
    return {"id": digest, "kept": bool(body), "body": _as_json(body) if body else None}


def _as_json(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


def _checks(checks: tuple[Check, ...], at: str) -> list[dict[str, Any]]:
    return [{"at": at, **_plain(check)} for check in checks]


def _person(approval: Approval | None) -> dict[str, Any] | None:
    if approval is None:
        return None
    return {
        "verb": approval.verb,
        "user_id": approval.user_id,
        "shown_ms": approval.shown_ms,
        "answered_ms": approval.answered_ms,
        "took_ms": approval.answered_ms - approval.shown_ms,
        "mark_price": None if approval.mark_price is None else plain(approval.mark_price),
    }


def _result(trade: Trade) -> dict[str, Any] | None:
    if not trade.fills:
        return None
    realized, fees = results.realized_usdt(trade), results.fees_usdt(trade)
    funding = results.funding_usdt(trade)
    return {
        "exit_reason": trade.exit_reason.value if trade.exit_reason else None,
        "entry_price": plain(results.average_price(trade, entry=True)),
        "exit_price": plain(results.average_price(trade, entry=False)),
        "realized_usdt": plain(realized),
        "fees_usdt": plain(fees),
        "funding_usdt": plain(funding),
        "pnl_usdt": plain(realized - fees + funding),
    }


def _plain(record: Any) -> Any:
    return json.loads(msgspec.json.encode(record))
