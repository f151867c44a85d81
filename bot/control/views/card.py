"""A trade's card: the plan before a person (`offer`), then the trade's life in the same message.

Must not know: who redraws it or when, how tokens are kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from bot.control.html import (
    NOTHING,
    Html,
    bold,
    code,
    cut,
    italic,
    join,
    text,
    untrusted,
)
from bot.control.views.look import (
    Look,
    View,
    clock_time,
    duration,
    mark,
    percent,
    price,
    quantity,
    signed_money,
)
from bot.control.views.offer import blocked, plan_table, question, reasons, remembered, source
from bot.control.views.phrases import say_again
from bot.control.views.stages import STAGE_VERBS, Moved, Stage, keyboard
from bot.control.views.terms import ACTIONS, EXITS, KINDS, Verb, entered, result
from bot.core.trade import HOLDING, Approval, Order, Outcome, Phase, Role, Trade
from data.model import Action, ClosedTrade, Decision
from data.money import HUNDRED, bps_between
from memory.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a card shows beside its trade. `data`: what each button brings back."""

    stage: Stage
    wallet_usdt: Decimal
    data: Mapping[Verb, str]
    moved: Moved | None = None
    closed: ClosedTrade | None = None
    verdicts: tuple[Verdict, ...] = ()  # of memory, that bear on it


def card(look: Look, trade: Trade, shown: Shown) -> View:
    """The card as it looks now."""
    html = join(
        [
            header(look, trade),
            plan_table(look, trade, shown.wallet_usdt),
            _verdict(look, trade.decision),
            remembered(look, shown.verdicts),
            reasons(look, trade),
            source(look, trade),
            _life(look, trade, shown.closed),
            question(look, trade, shown.stage, shown.moved),
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
        confidence=_confidence(look, decision.confidence, decision.adjusted_confidence),
        model=model,
    )


def _confidence(look: Look, told: float, left: float | None) -> Html:
    if left is None or left == told:
        return text(f"{told:.0f}")
    return look.words.say("{told}, {left} after caution", told=f"{told:.0f}", left=f"{left:.0f}")


def _verdict(look: Look, decision: Decision | None) -> Html:
    return verdict(look, decision) if decision is not None else NOTHING


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
        said = say("Rejected by {name} {time}", name=name, time=time)
    elif approval.verb == "half":
        said = say("Approved at half size by {name} {time}", name=name, time=time)
    else:
        said = say("Approved by {name} {time}", name=name, time=time)
    waited = duration(approval.answered_ms - approval.shown_ms)
    return join([said, say("after {waited}", waited=waited)], ", ")


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
        return blocked(look, trade)
    if trade.outcome is None:
        return text(note)
    refusal = trade.latest(Role.ENTRY)
    if trade.outcome is Outcome.REFUSED and refusal is not None and refusal.refusal_text:
        note = untrusted(f"{refusal.refusal_code}: {refusal.refusal_text}", 200)
    return join([say(sentences[trade.outcome]), italic(note) if note else NOTHING])


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
