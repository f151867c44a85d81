"""Notices: one sentence for each kind the core can tell, and a plain one for any other kind.

Must not know: who is told, how loud, or whether it arrived.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from bot.control.html import NOTHING, Html, bold, code, cut, join, untrusted
from bot.control.views import directives, memory
from bot.control.views.card import closing, header, verdict
from bot.control.views.look import Look, day_time, distance, duration, mark, price, quantity
from bot.control.views.phrases import say_again
from bot.control.views.terms import closed_of, entered
from bot.core.desk import Desk
from bot.core.messages import Level, Tell
from bot.core.trade import Trade

FIELDS_MAX: Final = 8

# What is said; the fields the core sends along follow as details.
_SENTENCES: Final[dict[str, str]] = {
    "trade_opened": mark("Position open and protected."),
    "trade_closed": mark("Trade closed."),
    "trade_blocked": mark("Signal blocked by a limit; nothing was ordered."),
    "trade_expired": mark("Nobody answered in time; nothing was ordered."),
    "trade_rejected": mark("Rejected; nothing was ordered."),
    "trade_unfilled": mark("The entry ended without a fill; nothing is open."),
    "entry_refused": mark("The exchange refused the entry order; nothing is open."),
    "signal_advice": mark("Signal only: this bot does not trade it."),
    "abstained": mark("The adviser abstained; nothing was ordered."),
    "card_moved": mark("The price moved since the card was sent; please look at it again."),
    "card_refused": mark("The approval could not be carried out."),
    "unprotected": mark("This position has no confirmed stop. It is being protected or closed."),
    "protected_again": mark("The position has a confirmed stop again."),
    "protection_refused": mark("The exchange refused a protective order; it is being tried again."),
    "close_refused": mark("The exchange refused the closing order; it is being tried again."),
    "emergency_close": mark("Emergency: the position is being closed at market."),
    "unknown_outcome": mark("Nobody can say yet what became of an order. It is being asked about."),
    "late_fill": mark("A fill arrived after the trade had ended. Its position is being closed."),
    "foreign_position": mark("There is a position on the account that this bot did not open."),
    "foreign_fill": mark("Somebody else traded in this bot's symbol."),
    "unaccounted": mark("Part of this position is gone and no fill says how; please look at it."),
    "adopted": mark("A position of ours without a record was found and taken over."),
    "orphan_order": mark("An order of ours without a trade was found; it is being cancelled."),
    "halted": mark(
        "Halted: no new entries. Open trades keep their stops and are still managed."
        " When the cause is gone, say /resume."
    ),
    "resumed": mark("Resumed: entries are allowed again."),
    "paused": mark("Paused: no new entries. Open trades are still managed."),
    "panic": mark("Panic: everything is being closed, no entries until /resume."),
    "impossible_input": mark(
        "The exchange said something that cannot be. It was dropped and nothing was done for it."
    ),
    "stream_lost": mark("The account stream broke; what it missed will be read again."),
    "stream_restored": mark("The account stream is back."),
    "storage_full": mark("The disk is full: no new entries. Open trades are still managed."),
    "stop_moved": mark("The stop was moved; it is only ever tightened."),
    "stop_not_moved": mark("The stop stays where it was: it could not be moved."),
    "too_many_stops": mark(
        "The exchange takes no more stop orders on this account; cancel some that are not needed."
    ),
    "unknown_for_long": mark(
        "Nobody could say for a long time what became of an order; please look at the exchange."
    ),
    "liquidated": mark("The exchange liquidated this position."),
    "listed": mark("A new contract is listed and may be traded."),
    "traded_again": mark("A contract is traded again: entries are possible."),
    "delisting": mark("A contract is no longer traded: no entries in it."),
    "delisting_held": mark(
        "A contract with a position of yours is no longer traded: no entries in it, and what is "
        "open at its delivery is settled by the exchange. Please look at it."
    ),
    "ready": mark("Ready: the exchange was read, entries are possible."),
    "ai_paused": mark(
        "The adviser is in doubt again and again; the bot's entries wait. /resume lets it go on."
    ),
    "ai_budget": mark("The day's budget for the model: how far it may still be asked has changed."),
    "memory_verdict": mark("A memory rule is in force."),
    "directives_changed": mark("A bot's directives were changed."),
    "directives_same": mark("Its directives say so already."),
    "directives_refused": mark("The bot's directives stay as they are."),
    "directives_ignored": mark("The adviser would change directives; the bot's mode says no."),
    "bot_removed": mark("The bot is deleted."),
    "bot_kept": mark("The bot is paused, not deleted."),
    "strategy_disabled": mark("A strategy is broken and switched off; the others go on."),
}
_FIELDS: Final[dict[str, str]] = {
    "age_ms": mark("age"),
    "attempt": mark("attempt"),
    "bot": mark("bot"),
    "bot_id": mark("bot"),
    "bots": mark("bots"),
    "by": mark("by"),
    "cause": mark("cause"),
    "code": mark("code"),
    "delivery_ms": mark("delivery"),
    "drift_bps": mark("drift"),
    "effect": mark("effect"),
    "evidence": mark("evidence"),
    "for_ms": mark("for"),
    "limit": mark("limit"),
    "mode": mark("mode"),
    "model": mark("model"),
    "order_id": mark("order"),
    "price": mark("price"),
    "price_before": mark("before"),
    "quantity": mark("quantity"),
    "reason": mark("reason"),
    "reward_risk": "R:R",
    "reward_risk_before": mark("R:R before"),
    "role": mark("role"),
    "rule": mark("rule"),
    "side": mark("side"),
    "status": mark("status"),
    "strategy": mark("strategy"),
    "symbol": mark("symbol"),
    "step": mark("step"),
    "times": mark("times"),
    "until_ms": mark("until"),
    "value": mark("value"),
    "wallet": mark("wallet"),
    "what": mark("what"),
    "where": mark("where"),
}
_MARKS: Final = {Level.INFO: "", Level.WARNING: "⚠️", Level.ALARM: "🚨"}
# Kinds whose whole news is on the card, which is redrawn at that very moment.
ON_CARD: Final = frozenset({"card_moved", "trade_expired", "trade_rejected"})


def notice(look: Look, command: Tell, trade: Trade | None, desk: Desk) -> Html:
    """One notice, whatever its kind."""
    special = _SPECIAL.get(command.kind)
    whole = _WHOLE.get(command.kind)
    if whole is not None:
        told = whole(look, dict(command.fields), desk)
        if told != NOTHING:
            return cut(join([_mark(look, command.level), told], " "))
    body = special(look, trade, desk) if special is not None and trade is not None else NOTHING
    head = join([_mark(look, command.level), _head(look, trade)], " ")
    return cut(join([head, body or _sentence(look, command.kind), _details(look, command)]))


def is_known(kind: str) -> bool:
    """Whether there is a sentence of its own for this kind."""
    return kind in _SENTENCES


def _mark(look: Look, level: Level) -> Html:
    if level is not Level.ALARM:
        return Html(_MARKS[level])
    return join([_MARKS[level], bold(look.words.label("ALARM"))], " ")


def _head(look: Look, trade: Trade | None) -> Html:
    return header(look, trade) if trade is not None else code(look.badge)


def _sentence(look: Look, kind: str) -> Html:
    known = _SENTENCES.get(kind)
    if known is None:
        return look.words.say("Notice: {kind}.", kind=untrusted(kind.replace("_", " "), 64))
    return look.words.say(known)


def _details(look: Look, command: Tell) -> Html:
    parts = [
        join([look.words.label(_FIELDS.get(name, name)), _value(look, name, value)], ": ")
        for name, value in command.fields[:FIELDS_MAX]
        if value
    ]
    return join(parts, " · ")


def _value(look: Look, name: str, value: str) -> Html:
    if name == "delivery_ms" and value.isdecimal():
        return day_time(int(value))
    if name.endswith("_ms") and value.isdecimal():
        span_ms = int(value)
        return Html(duration(span_ms - look.now_ms if name == "until_ms" else span_ms))
    if name == "drift_bps" and (number := decimal_or_none(value)) is not None:
        return Html(distance(number))
    if name == "by":
        return join([untrusted(look.name_of(value), 64)])
    if name == "order_id":
        return code(untrusted(value, 40))
    return join([untrusted(say_again(look.words, value), 300)])


def decimal_or_none(value: str) -> Decimal | None:
    """The number a field holds, or None when it holds none."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _opened(look: Look, trade: Trade, desk: Desk) -> Html:
    del desk
    got = entered(trade)
    if got.average_price is None:
        return NOTHING
    return look.words.say(
        "Position open and protected: {quantity} @ {price}.",
        quantity=quantity(got.quantity),
        price=price(got.average_price, trade.instrument.tick_size),
    )


def _closed(look: Look, trade: Trade, desk: Desk) -> Html:
    return closing(look, trade, closed_of(desk, trade.trade_id))


def _abstained(look: Look, trade: Trade, desk: Desk) -> Html:
    del desk
    return verdict(look, trade.decision) if trade.decision is not None else NOTHING


_WHOLE: Final[dict[str, Callable[[Look, Mapping[str, str], Desk], Html]]] = {
    "memory_verdict": memory.of_notice,
    "directives_changed": directives.of_notice,
}
_SPECIAL: Final[dict[str, Callable[[Look, Trade, Desk], Html]]] = {
    "trade_opened": _opened,
    "trade_closed": _closed,
    "abstained": _abstained,
}
