"""A trade's card: the plan before a person, then the trade's whole life in the same message.

Must not know: who redraws it or when, how tokens are kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from bot.control.html import (
    NOTHING,
    Html,
    bold,
    code,
    cut,
    folded,
    italic,
    join,
    pre,
    text,
    untrusted,
)
from bot.control.views.checks import check_line
from bot.control.views.look import (
    Button,
    Keyboard,
    Look,
    Style,
    View,
    Words,
    change,
    clock_time,
    distance,
    duration,
    from_now,
    mark,
    money,
    percent,
    price,
    quantity,
    ratio,
    share,
    signed_money,
    table,
)
from bot.control.views.phrases import say_again
from bot.control.views.terms import ACTIONS, EXITS, KINDS, Verb, entered, result
from bot.core.trade import HOLDING, Approval, Order, Outcome, Phase, Role, Trade
from data.model import Action, ClosedTrade, Decision
from data.money import HUNDRED, bps_between

REASONS_MAX: Final = 6
CHECKS_MAX: Final = 4  # blocked by more than this is said with a count

_BUTTONS: Final[dict[Verb, tuple[str, Style]]] = {
    Verb.APPROVE: (mark("Approve"), Style.SUCCESS),
    Verb.HALF: (mark("Half size"), Style.PLAIN),
    Verb.ANYWAY: (mark("Approve anyway"), Style.SUCCESS),
    Verb.REJECT: (mark("Reject"), Style.DANGER),
    Verb.CLOSE: (mark("Close"), Style.DANGER),
    Verb.CLOSE_SURE: (mark("Yes, close now"), Style.DANGER),
    Verb.KEEP: (mark("Keep it open"), Style.PLAIN),
    Verb.CHART: (mark("Chart"), Style.PLAIN),
    Verb.PANIC_SURE: (mark("Yes, close everything"), Style.DANGER),
    Verb.RESUME_SURE: (mark("Yes, resume"), Style.SUCCESS),
    Verb.EDIT_SURE: (mark("Yes, change it"), Style.DANGER),
    Verb.DELETE_SURE: (mark("Yes, delete it"), Style.DANGER),
    Verb.REVERT: (mark("Revert"), Style.PLAIN),
    Verb.DISMISS: (mark("Cancel"), Style.PLAIN),
}


class Stage(StrEnum):
    """What a card asks of its reader; kept with the card."""

    OFFER = "offer"  # approve or reject
    MOVED = "moved"  # the price moved: approve anyway?
    ANSWERED = "answered"  # a tap was taken, the core decides
    OPEN = "open"  # a position that can be closed
    SURE = "sure"  # close it, really?
    OVER = "over"  # nothing to ask any more


STAGE_VERBS: Final[dict[Stage, tuple[tuple[Verb, ...], ...]]] = {
    Stage.OFFER: ((Verb.APPROVE, Verb.REJECT), (Verb.HALF, Verb.CHART)),
    Stage.MOVED: ((Verb.ANYWAY, Verb.REJECT),),
    Stage.ANSWERED: (),
    Stage.OPEN: ((Verb.CLOSE, Verb.CHART),),
    Stage.SURE: ((Verb.CLOSE_SURE, Verb.KEEP),),
    Stage.OVER: (),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What changed between the card and the tap."""

    drift_bps: Decimal
    reward_risk_before: Decimal | None
    reward_risk_now: Decimal | None


def stage_of(trade: Trade, kept: Stage) -> Stage:
    """The stage a card should show: the trade's phase decides, the kept stage refines it."""
    if trade.phase is Phase.AWAITING_APPROVAL:
        return kept if kept in (Stage.OFFER, Stage.MOVED, Stage.ANSWERED) else Stage.OFFER
    if trade.phase in (Phase.POSITION_UNPROTECTED, Phase.POSITION_ACTIVE):
        return Stage.SURE if kept is Stage.SURE else Stage.OPEN
    return Stage.OVER


def keyboard(
    words: Words, rows: tuple[tuple[Verb, ...], ...], data: Mapping[Verb, str]
) -> Keyboard:
    """Buttons for the verbs that have data to bring back; the others are left out."""
    drawn = (
        tuple(
            Button(label=words.label(_BUTTONS[v][0]), data=data[v], style=_BUTTONS[v][1])
            for v in row
            if v in data
        )
        for row in rows
    )
    return tuple(row for row in drawn if row)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a card shows beside its trade. `data`: what each button brings back."""

    stage: Stage
    wallet_usdt: Decimal
    data: Mapping[Verb, str]
    moved: Moved | None = None
    closed: ClosedTrade | None = None


def card(look: Look, trade: Trade, shown: Shown) -> View:
    """The card as it looks now."""
    html = join(
        [
            header(look, trade),
            _plan(look, trade, shown.wallet_usdt),
            _verdict(look, trade.decision),
            _reasons(look, trade),
            _source(look, trade),
            _life(look, trade, shown.closed),
            _question(look, trade, shown.stage, shown.moved),
        ]
    )
    rows = STAGE_VERBS[shown.stage]
    return View(html=cut(html), keyboard=keyboard(look.words, rows, shown.data))


def header(look: Look, trade: Trade) -> Html:
    """`LONG BTCUSDT · 30m · x5` and the mode badge."""
    direction = trade.direction.value.upper() if trade.direction is not None else ""
    name = bold(f"{direction} {trade.symbol}".strip())
    timeframe = trade.signal.timeframe if trade.signal is not None else ""
    leverage = f"x{trade.plan.leverage}" if trade.plan is not None else ""
    return join([join([name, timeframe, leverage], " · "), code(look.badge)], "  ")


def _plan(look: Look, trade: Trade, wallet_usdt: Decimal) -> Html:
    plan = trade.plan
    if plan is None:
        return _signal_prices(look, trade)
    say, tick = look.words.label, trade.instrument.tick_size
    rows = [
        (say("Entry"), price(plan.entry_price, tick), say(KINDS[plan.entry_kind])),
        (say("Stop"), price(plan.stop_price, tick), change(plan.entry_price, plan.stop_price)),
        (
            say("Target"),
            price(plan.target_price, tick),
            change(plan.entry_price, plan.target_price),
        ),
        (say("Size"), quantity(plan.quantity), trade.instrument.base_asset),
        (say("Value"), money(plan.notional_usdt), "USDT"),
        (say("Risk"), money(plan.risk_usdt), f"USDT  {share(plan.risk_usdt, wallet_usdt)}"),
        ("R:R", ratio(plan.reward_risk), ""),
    ]
    return pre(table(rows))


def _signal_prices(look: Look, trade: Trade) -> Html:
    signal = trade.signal
    if signal is None:
        return NOTHING
    say, tick = look.words.label, trade.instrument.tick_size
    rows = [
        (say("Entry"), price(signal.entry_price, tick), ""),
        (
            say("Stop"),
            price(signal.stop_price, tick),
            change(signal.entry_price, signal.stop_price),
        ),
        (
            say("Target"),
            price(signal.target_price, tick),
            change(signal.entry_price, signal.target_price),
        ),
    ]
    return pre(table(rows))


def verdict(look: Look, decision: Decision) -> Html:
    """The adviser's answer in one line: action, confidence, model; or why it abstained."""
    say = look.words.say
    model = untrusted(decision.model_version or decision.advisor, 40)
    if decision.action is Action.ABSTAIN:
        told = untrusted(say_again(look.words, decision.abstained), 200)
        reason = italic(told or look.words.label("no reason given"))
        return say("Adviser <i>abstained</i>: {reason} ({model})", reason=reason, model=model)
    action = bold(look.words.label(ACTIONS[decision.action]))
    if decision.confidence is None:
        return say("Adviser: {action} ({model})", action=action, model=model)
    return say(
        "Adviser: {action}, confidence {confidence} ({model})",
        action=action,
        confidence=f"{decision.confidence:.0f}",
        model=model,
    )


def _verdict(look: Look, decision: Decision | None) -> Html:
    return verdict(look, decision) if decision is not None else NOTHING


def _reasons(look: Look, trade: Trade) -> Html:
    found: list[str] = []
    if trade.decision is not None:
        found += trade.decision.reasons
    if trade.signal is not None:
        found += trade.signal.reasons
    told = (untrusted(say_again(look.words, reason), 200) for reason in found)
    unique = list(dict.fromkeys(told))[:REASONS_MAX]
    rows: list[Html | str] = [f"• {reason}" for reason in unique if reason]
    if trade.decision is not None and trade.decision.invalidation:
        what = untrusted(say_again(look.words, trade.decision.invalidation), 200)
        rows.append(look.words.say("• Wrong if: {what}", what=what))
    return folded(join(rows)) if rows else NOTHING


def _source(look: Look, trade: Trade) -> Html:
    signal = trade.signal
    if signal is None:
        return look.words.say("Adopted: found at the exchange, not opened by a signal.")
    return look.words.say(
        "{model}, score {score} · {time} · bot {bot}",
        model=untrusted(signal.model, 40),
        score=f"{signal.score:.0f}",
        time=clock_time(signal.raised_ms),
        bot=trade.bot_id,
    )


def _question(look: Look, trade: Trade, stage: Stage, moved: Moved | None) -> Html:
    say = look.words.say
    if stage is Stage.ANSWERED:
        return say("<i>Checking price, limits and balance…</i>")
    if stage is Stage.SURE:
        return say("<b>Close this position at market now?</b>")
    if stage not in (Stage.OFFER, Stage.MOVED):
        return NOTHING
    parts = []
    if stage is Stage.MOVED and moved is not None:
        parts.append(_moved(look, moved))
    if trade.card_expires_ms is not None:
        parts.append(say("Expires {when}", when=from_now(trade.card_expires_ms)))
    return join(parts)


def _moved(look: Look, moved: Moved) -> Html:
    drift = distance(moved.drift_bps)
    if moved.reward_risk_before is None or moved.reward_risk_now is None:
        return look.words.say("<b>The price moved {drift}. Approve anyway?</b>", drift=drift)
    return look.words.say(
        "<b>The price moved {drift}, R:R {before} → {now}. Approve anyway?</b>",
        drift=drift,
        before=ratio(moved.reward_risk_before),
        now=ratio(moved.reward_risk_now),
    )


def _life(look: Look, trade: Trade, closed: ClosedTrade | None) -> Html:
    parts = [_answer(look, trade)]
    if trade.phase in HOLDING or trade.outcome is Outcome.CLOSED:
        parts.append(_entry(look, trade))
    if trade.phase is Phase.IDLE:
        parts.append(_end(look, trade, closed))
    elif trade.phase is Phase.POSITION_UNPROTECTED:
        parts.append(_bare(look, trade))
    elif trade.phase is Phase.POSITION_ACTIVE:
        parts.append(_protected(look, trade))
    elif trade.phase is Phase.CLOSING:
        parts.append(_closing(look, trade))
    elif trade.phase is Phase.HALTED:
        parts.append(look.words.say("<b>Halted: an owner must look.</b>"))
    return join(parts)


def answer(look: Look, approval: Approval) -> Html:
    """Who decided, how, when."""
    say, time = look.words.say, clock_time(approval.answered_ms)
    name = bold(untrusted(look.name_of(approval.user_id), 64))
    if approval.verb == "auto":
        return say("Approved automatically {time}", time=time)
    if approval.verb == "reject":
        return say("Rejected by {name} {time}", name=name, time=time)
    if approval.verb == "half":
        return say("Approved at half size by {name} {time}", name=name, time=time)
    return say("Approved by {name} {time}", name=name, time=time)


def _answer(look: Look, trade: Trade) -> Html:
    return answer(look, trade.approval) if trade.approval is not None else NOTHING


def _entry(look: Look, trade: Trade) -> Html:
    say, tick = look.words.say, trade.instrument.tick_size
    got, plan = entered(trade), trade.plan
    if got.quantity == 0 or got.average_price is None:
        if plan is None or trade.phase is not Phase.ORDER_PENDING:
            return NOTHING
        return say(
            "→ entry sent: {quantity} @ {price} ({kind})",
            quantity=quantity(plan.quantity),
            price=price(plan.entry_price, tick),
            kind=look.words.label(KINDS[plan.entry_kind]),
        )
    at = {"quantity": quantity(got.quantity), "price": price(got.average_price, tick)}
    if plan is None or trade.direction is None:
        return say("→ filled {quantity} @ {price}", **at)
    slip = round(bps_between(plan.entry_price, got.average_price)) * trade.direction.sign
    if got.quantity < plan.quantity:
        return say(
            "→ filled {quantity} of {wanted} @ {price} (slip {slip} bps)",
            **at,
            wanted=quantity(plan.quantity),
            slip=f"{slip:+d}",
        )
    return say("→ filled {quantity} @ {price} (slip {slip} bps)", **at, slip=f"{slip:+d}")


def _bare(look: Look, trade: Trade) -> Html:
    since = trade.unprotected_since_ms
    waited = duration(look.now_ms - since) if since is not None else "-"
    return look.words.say("<b>! Stop not confirmed yet ({waited}).</b>", waited=waited)


def _protected(look: Look, trade: Trade) -> Html:
    tick = trade.instrument.tick_size
    stop, target = trade.standing(Role.STOP), trade.standing(Role.TARGET)
    return look.words.say(
        "Protected: stop {stop} · target {target}", stop=_at(stop, tick), target=_at(target, tick)
    )


def _at(order: Order | None, tick: Decimal) -> str:
    if order is None or order.is_over or order.trigger_price is None:
        return "-"
    return price(order.trigger_price, tick)


def _closing(look: Look, trade: Trade) -> Html:
    if trade.exit_reason is None:
        return look.words.say("Closing…")
    return look.words.say("Closing: {reason}…", reason=look.words.label(EXITS[trade.exit_reason]))


def _end(look: Look, trade: Trade, closed: ClosedTrade | None) -> Html:
    if trade.outcome is Outcome.CLOSED:
        return closing(look, trade, closed)
    say = look.words.say
    said = trade.outcome in (Outcome.REJECTED, Outcome.EXPIRED)  # the sentence says it all
    note = "" if said else untrusted(say_again(look.words, trade.note), 200)
    sentences = {
        Outcome.DECLINED: mark("<b>Not traded</b>: the adviser declined."),
        Outcome.ABSTAINED: mark("<b>Not traded</b>: the adviser abstained."),
        Outcome.SKIPPED: mark("<b>Not traded</b>: the adviser had just been asked."),
        Outcome.ADVISED: mark("Signal only: this bot does not trade it."),
        Outcome.REJECTED: mark("<b>Rejected.</b> Nothing was ordered."),
        Outcome.EXPIRED: mark("<b>Expired</b>: nobody answered in time. Nothing was ordered."),
        Outcome.UNFILLED: mark("<b>Not filled</b>: the entry order ended without a fill."),
        Outcome.REFUSED: mark("<b>Refused</b>: the exchange did not take the entry order."),
    }
    if trade.outcome is Outcome.BLOCKED:
        return join([_blocked(look, trade)])
    if trade.outcome is None:
        return text(note)
    refusal = trade.latest(Role.ENTRY)
    if trade.outcome is Outcome.REFUSED and refusal is not None and refusal.refusal_text:
        note = untrusted(f"{refusal.refusal_code}: {refusal.refusal_text}", 200)
    return join([say(sentences[trade.outcome]), italic(note) if note else NOTHING])


def _blocked(look: Look, trade: Trade) -> Html:
    checks = trade.checks + (trade.approval.checks if trade.approval is not None else ())
    failed = [check for check in checks if not check.passed]
    lines = [look.words.say("<b>Blocked</b>: nothing was ordered.")]
    lines += [text(f"• {check_line(look, check)}") for check in failed[:CHECKS_MAX]]
    if len(failed) > CHECKS_MAX:
        lines.append(look.words.say("… and {count} more", count=len(failed) - CHECKS_MAX))
    return join(lines)


def closing(look: Look, trade: Trade, closed: ClosedTrade | None) -> Html:
    """How a trade ended and what it made."""
    say = look.words.say
    made, plan = result(trade, closed), trade.plan
    reason = look.words.label(EXITS[trade.exit_reason]) if trade.exit_reason is not None else "-"
    when = clock_time(trade.closed_ms) if trade.closed_ms is not None else NOTHING
    margin = plan.notional_usdt / plan.leverage if plan is not None else None
    on_margin = f" ({percent(made.pnl_usdt / margin * HUNDRED)})" if margin else ""
    return join(
        [
            say("<b>Closed</b> {when}: {reason}", when=when, reason=reason),
            say(
                "Result <b>{pnl} USDT</b>{on_margin}",
                pnl=signed_money(made.pnl_usdt),
                on_margin=on_margin,
            ),
            say(
                "fees {fees} · funding {funding}",
                fees=signed_money(-made.fees_usdt),
                funding=signed_money(made.funding_usdt),
            ),
        ]
    )
