"""/why: one trade's whole record, in the order it happened.

Signal, question, raw answer, checks, person and delay, orders, fills, fees, funding, result.
Must not know: where the record and the documents are kept.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bot.control.html import NOTHING, Html, bold, code, folded, join, text, untrusted
from bot.control.views.card import answer, closing, header, verdict
from bot.control.views.checks import check_line
from bot.control.views.look import (
    Look,
    change,
    clock_time,
    day_time,
    duration,
    mark,
    money,
    price,
    quantity,
    ratio,
    signed_money,
)
from bot.control.views.phrases import say_again
from bot.control.views.terms import EXITS, KINDS, OUTCOMES, PHASES, ROLES, result
from bot.core.trade import Check, Order, Outcome, Trade
from bot.shell.provenance import Chain
from data.model import ClosedTrade, Fill
from memory.shadow import ShadowEnd

DOCUMENT_LENGTH_MAX: Final = 700
FILLS_MAX: Final = 20
ORDERS_MAX: Final = 20
NO_CHAIN: Final = Chain()

_ENDS: Final = {
    ShadowEnd.STOP: mark("stopped"),
    ShadowEnd.TARGET: mark("target reached"),
    ShadowEnd.TIMEOUT: mark("its time was up"),
    ShadowEnd.HORIZON: mark("neither reached"),
    ShadowEnd.UNFILLED: mark("its entry was not filled"),
    ShadowEnd.UNKNOWN: mark("unknown: candles are missing"),
}
_LINKS: Final = {
    "signal": mark("Signal"),
    "snapshot": mark("Snapshot"),
    "prompt": mark("Prompt"),
    "answer": mark("Raw answer"),
    "decision": mark("Decision"),
    "shadow": mark("Shadow"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A trade with what is kept besides its row: documents, shadow, and what is missing."""

    trade: Trade
    chain: Chain = NO_CHAIN
    closed: ClosedTrade | None = None


def why(look: Look, story: Story) -> Html:
    """The whole record; it may be longer than one message."""
    trade = story.trade
    return join(
        [
            join([header(look, trade), code(trade.trade_id)], " "),
            _standing(look, trade),
            _signal(look, trade),
            _decision(look, story),
            _checks(look, trade),
            _plan(look, trade),
            _person(look, trade),
            _orders(look, trade),
            _fills(look, trade),
            _result(look, story),
            _shadow(look, story),
            _missing(look, story),
        ]
    )


def _standing(look: Look, trade: Trade) -> Html:
    now = OUTCOMES[trade.outcome] if trade.outcome is not None else PHASES[trade.phase]
    note = untrusted(say_again(look.words, trade.note), 200)
    return join([look.words.label(now), note], ": ")


def _titled(look: Look, title: str, *lines: Html) -> Html:
    return join([bold(look.words.label(title)), *lines])


def _signal(look: Look, trade: Trade) -> Html:
    signal = trade.signal
    if signal is None and not trade.adopted:
        return look.words.say("Looked at by the clock; no strategy proposed it.")
    if signal is None:
        return look.words.say("Adopted: found at the exchange, not opened by a signal.")
    tick = trade.instrument.tick_size
    parts = ", ".join(
        f"{untrusted(say_again(look.words, name), 30)} {points:.0f}"
        for name, points in signal.parts
    )
    said = look.words.say(
        "{strategy}/{model}, {timeframe}, {time}: entry {entry}, stop {stop} ({risk}), "
        "target {target} ({reward}), score {score}",
        strategy=untrusted(signal.strategy, 40),
        model=untrusted(signal.model, 40),
        timeframe=signal.timeframe,
        time=day_time(signal.raised_ms),
        entry=price(signal.entry_price, tick),
        stop=price(signal.stop_price, tick),
        risk=change(signal.entry_price, signal.stop_price),
        target=price(signal.target_price, tick),
        reward=change(signal.entry_price, signal.target_price),
        score=f"{signal.score:.0f}",
    )
    return _titled(look, mark("Signal"), said, text(parts))


def _decision(look: Look, story: Story) -> Html:
    decision = story.trade.decision
    if decision is None:
        return NOTHING
    question = untrusted(story.chain.snapshot, DOCUMENT_LENGTH_MAX)
    prompt = untrusted(story.chain.prompt, DOCUMENT_LENGTH_MAX)
    raw = untrusted(story.chain.answer, DOCUMENT_LENGTH_MAX)
    told = [say_again(look.words, reason) for reason in decision.reasons[:6]]
    reasons = [text(f"• {untrusted(reason, 200)}") for reason in told]
    snapshot = decision.snapshot_id[:12]
    return _titled(
        look,
        mark("Adviser"),
        look.words.say("Question {id}", id=code(snapshot)) if snapshot else NOTHING,
        folded(question) if question else NOTHING,
        look.words.say("Prompt {text}", text=folded(prompt)) if prompt else NOTHING,
        verdict(look, decision),
        *reasons,
        look.words.say("Raw answer {text}", text=folded(raw)) if raw else NOTHING,
        look.words.say("cost {cost} USD", cost=decision.cost_usd) if decision.cost_usd else NOTHING,
    )


def _checks(look: Look, trade: Trade) -> Html:
    at_tap = trade.approval.checks if trade.approval is not None else ()
    found = [
        _titled(look, title, *(_check(look, check) for check in checks))
        for title, checks in ((mark("Checks"), trade.checks), (mark("Checks at the tap"), at_tap))
        if checks
    ]
    return join(found, "\n") if found else NOTHING


def _check(look: Look, check: Check) -> Html:
    return text(f"{'✓' if check.passed else '✗'} {check_line(look, check)}")


def _plan(look: Look, trade: Trade) -> Html:
    plan = trade.plan
    if plan is None:
        return NOTHING
    tick = trade.instrument.tick_size
    said = look.words.say(
        "{kind} {quantity} @ {entry}, stop {stop}, target {target}, x{leverage}; "
        "value {value} USDT, risk {risk} USDT, R:R {rr}",
        kind=look.words.label(KINDS[plan.entry_kind]),
        quantity=quantity(plan.quantity),
        entry=price(plan.entry_price, tick),
        stop=price(plan.stop_price, tick),
        target=price(plan.target_price, tick),
        leverage=plan.leverage,
        value=money(plan.notional_usdt),
        risk=money(plan.risk_usdt),
        rr=ratio(plan.reward_risk),
    )
    return _titled(look, mark("Plan"), said)


def _person(look: Look, trade: Trade) -> Html:
    approval = trade.approval
    if approval is None:
        return NOTHING
    lines = [answer(look, approval)]
    if approval.verb != "auto" and approval.shown_ms:
        waited = duration(approval.answered_ms - approval.shown_ms)
        lines.append(look.words.say("{waited} after the card was shown", waited=waited))
    if approval.mark_price is not None:
        at = price(approval.mark_price, trade.instrument.tick_size)
        lines.append(look.words.say("mark price at the tap: {price}", price=at))
    return _titled(look, mark("Person"), join(lines, ", "))


def _orders(look: Look, trade: Trade) -> Html:
    if not trade.orders:
        return NOTHING
    lines = [_order(look, trade, order) for order in trade.orders[:ORDERS_MAX]]
    return _titled(look, mark("Orders"), *lines, _more(look, len(trade.orders), ORDERS_MAX))


def _order(look: Look, trade: Trade, order: Order) -> Html:
    at = order.trigger_price or order.price
    where = f"@ {price(at, trade.instrument.tick_size)}" if at is not None else ""
    amount = quantity(order.quantity) if order.quantity else look.words.label("whole position")
    refusal = f"{order.refusal_code}: {order.refusal_text}" if order.refusal_text else ""
    said = look.words.say(
        "{time} {role}: {side} {amount} {where} - <b>{state}</b>, filled {filled}",
        time=clock_time(order.sent_ms),
        role=look.words.label(ROLES[order.role]),
        side=order.side.value,
        amount=amount,
        where=where,
        state=order.state.value,
        filled=quantity(order.filled),
    )
    return join([said, code(order.order_id), untrusted(refusal, 200)])


def _fills(look: Look, trade: Trade) -> Html:
    if not trade.fills:
        return NOTHING
    lines = [_fill(look, trade, fill) for fill in trade.fills[:FILLS_MAX]]
    return _titled(look, mark("Fills"), *lines, _more(look, len(trade.fills), FILLS_MAX))


def _fill(look: Look, trade: Trade, fill: Fill) -> Html:
    return look.words.say(
        "{time} {side} {quantity} @ {price}, fee {fee} {asset}, realised {realized}",
        time=clock_time(fill.filled_ms),
        side=fill.side.value,
        quantity=quantity(fill.quantity),
        price=price(fill.price, trade.instrument.tick_size),
        fee=fill.fee,
        asset=fill.fee_asset,
        realized=signed_money(fill.realized_pnl_usdt),
    )


def _result(look: Look, story: Story) -> Html:
    trade = story.trade
    if trade.outcome is Outcome.CLOSED:
        return _titled(look, mark("Result"), closing(look, trade, story.closed))
    if not trade.fills:
        return NOTHING
    made = result(trade, story.closed)
    reason = look.words.label(EXITS[trade.exit_reason]) if trade.exit_reason is not None else ""
    said = look.words.say(
        "so far {pnl} USDT, fees {fees}, funding {funding}",
        pnl=signed_money(made.pnl_usdt),
        fees=signed_money(-made.fees_usdt),
        funding=signed_money(made.funding_usdt),
    )
    return _titled(look, mark("Result"), said, text(reason))


def _shadow(look: Look, story: Story) -> Html:
    row = story.chain.shadow
    if row is None:
        return NOTHING
    end = look.words.label(_ENDS[ShadowEnd(row.end)])
    if row.risk_multiple is None:
        return _titled(look, mark("Shadow"), text(end))
    pnl = signed_money(Decimal(row.pnl_usdt)) if row.pnl_usdt is not None else "-"
    said = look.words.say(
        "{end}: it would have made {multiple} R, {pnl} USDT, after fees and slippage",
        end=end,
        multiple=f"{Decimal(row.risk_multiple):+.2f}",
        pnl=pnl,
    )
    return _titled(look, mark("Shadow"), said)


def _missing(look: Look, story: Story) -> Html:
    lines = [
        join([look.words.label(_LINKS[link]), untrusted(reason, 120)], ": ")
        for link, reason in story.chain.missing
    ]
    return _titled(look, mark("Not in the record"), *lines) if lines else NOTHING


def _more(look: Look, count: int, most: int) -> Html:
    return look.words.say("… and {count} more", count=count - most) if count > most else NOTHING
