"""Details of a card: every check by name with its input and limit, and every answer to the card.

Must not know: how it is sent, or who may ask.
"""

from typing import Final

from bot.control.html import NOTHING, Html, bold, code, cut, join, text, untrusted
from bot.control.views.card import header
from bot.control.views.checks import check_line
from bot.control.views.look import Look, clock_time, duration, mark, money
from bot.core.trade import Answer, Check, Effect, Trade

ANSWERS: Final[dict[str, str]] = {
    "approve": mark("approve"),
    "half": mark("half size"),
    "reject": mark("reject"),
}
EFFECTS: Final[dict[Effect, str]] = {
    Effect.ORDERED: mark("ordered"),
    Effect.ASKED_AGAIN: mark("the price had moved, asked again"),
    Effect.NO_PRICE: mark("no fresh price, nothing done"),
    Effect.BLOCKED: mark("refused by a limit"),
    Effect.REJECTED: mark("rejected"),
    Effect.TAKEN_BACK: mark("approval taken back"),
    Effect.TOO_LATE: mark("too late"),
    Effect.DECIDED: mark("it was decided already"),
}


def details(look: Look, trade: Trade) -> Html:
    """What a card has no room for."""
    at_tap = trade.approval.checks if trade.approval is not None else ()
    return cut(
        join(
            [
                join([header(look, trade), code(trade.trade_id)], " "),
                _margin(look, trade),
                _group(look, mark("Checks"), trade.checks),
                _group(look, mark("Bounds of auto-below"), trade.auto_checks),
                _group(look, mark("Checks at the tap"), at_tap),
                answers(look, trade),
            ]
        )
    )


def answers(look: Look, trade: Trade) -> Html:
    """Every answer to the card: when, who, what, how long it took, what came of it."""
    if not trade.answers:
        return NOTHING
    lines = [_answer(look, one) for one in trade.answers]
    return join([bold(look.words.label("Answers")), *lines])


def _answer(look: Look, one: Answer) -> Html:
    return look.words.say(
        "{time} {name}: {verb} after {waited}, {effect}",
        time=clock_time(one.answered_ms),
        name=untrusted(look.name_of(one.user_id), 64),
        verb=look.words.label(ANSWERS.get(one.verb, one.verb)),
        waited=duration(one.answered_ms - one.shown_ms),
        effect=look.words.label(EFFECTS[one.effect]),
    )


def _margin(look: Look, trade: Trade) -> Html:
    plan = trade.plan
    if plan is None:
        return NOTHING
    return look.words.say(
        "Margin {margin} USDT ({type}), x{leverage}",
        margin=money(plan.notional_usdt / plan.leverage),
        type=plan.margin_type.value,
        leverage=plan.leverage,
    )


def _group(look: Look, title: str, checks: tuple[Check, ...]) -> Html:
    if not checks:
        return NOTHING
    lines = [text(f"{'✓' if c.passed else '✗'} {check_line(look, c)}") for c in checks]
    return join([bold(look.words.label(title)), *lines])
