"""A day in one message: trades, where the money went, wallet, answers, model, memory, shadows.

Must not know: when it is sent, or where its record was read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from bot.control.html import NOTHING, Html, bold, code, cut, join, pre, untrusted
from bot.control.views.look import DAY_MS, Look, money, percent, share, signed_money, table
from bot.control.views.phrases import say_again
from bot.control.views.shadow import brief
from bot.core.desk import Desk
from bot.core.ruling.remembering import verdicts_for
from data.model import ClosedTrade
from data.money import HUNDRED, ZERO
from memory.scores import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What became of the day's signals at people's hands."""

    approved: int = 0
    rejected: int = 0
    expired: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a digest tells. `day`: UTC days since 1970-01-01; `cost`: in our English words."""

    day: int
    closed: tuple[ClosedTrade, ...] = ()
    answers: Answers = field(default_factory=Answers)
    cost: str = ""
    shadows: Report = field(default_factory=lambda: Report(since_ms=0))


def draw(look: Look, desk: Desk, day: Day) -> Html:
    """The digest. Wallet and memory are as they are now."""
    date = datetime.fromtimestamp(day.day * DAY_MS / 1000, tz=UTC).date().isoformat()
    head = join([bold(look.words.label("Digest")), code(look.badge), f"{date} UTC"], " ")
    parts = [
        join([head, _trades(look, day.closed)]),
        join([_wallet(look, desk), _answers(look, day.answers), _cost(look, day.cost)]),
        _memory(look, desk),
        brief(look, day.shadows),
    ]
    return cut(join(parts, "\n\n"))


def _trades(look: Look, closed: Sequence[ClosedTrade]) -> Html:
    if not closed:
        return look.words.say("No trade was closed.")
    won = sum(1 for one in closed if one.pnl_usdt > ZERO)
    counted = look.words.say(
        "{count} trades closed: {won} won, {lost} not ({rate})",
        count=len(closed),
        won=won,
        lost=len(closed) - won,
        rate=share(Decimal(won), Decimal(len(closed))),
    )
    say = look.words.label
    rows = [
        (say("Result"), _sum(one.pnl_usdt for one in closed)),
        (say("realised"), _sum(one.realized_usdt for one in closed)),
        (say("fees"), _sum(-one.fees_usdt for one in closed)),
        (say("funding"), _sum(one.funding_usdt for one in closed)),
    ]
    ranked = sorted(closed, key=lambda one: one.pnl_usdt)
    best = look.words.say("Best: {trade}", trade=_one(ranked[-1]))
    worst = look.words.say("Worst: {trade}", trade=_one(ranked[0])) if len(ranked) > 1 else NOTHING
    return join([counted, pre(table(rows)), best, worst])


def _sum(values: Iterable[Decimal]) -> str:
    return f"{signed_money(sum(values, ZERO))} USDT"


def _one(trade: ClosedTrade) -> Html:
    made = f"{trade.direction.value.upper()} {signed_money(trade.pnl_usdt)} USDT"
    return join([bold(trade.symbol), made, code(trade.trade_id)], " ")


def _wallet(look: Look, desk: Desk) -> Html:
    peak = max(desk.wallet_peak_usdt, desk.wallet_usdt)
    below = (desk.wallet_usdt - peak) / peak * HUNDRED if peak > ZERO else ZERO
    return look.words.say(
        "Wallet {wallet} USDT, {below} from its peak of {peak}",
        wallet=money(desk.wallet_usdt),
        below=percent(below),
        peak=money(peak),
    )


def _answers(look: Look, answers: Answers) -> Html:
    return look.words.say(
        "Cards: {approved} approved, {rejected} rejected, {expired} expired",
        approved=answers.approved,
        rejected=answers.rejected,
        expired=answers.expired,
    )


def _cost(look: Look, cost: str) -> Html:
    if not cost:
        return NOTHING
    return look.words.say("Model: {cost}", cost=say_again(look.words, cost))


def _memory(look: Look, desk: Desk) -> Html:
    held = [
        verdict.rule
        for bot in desk.bots.values()
        for verdict in verdicts_for(desk, bot, look.now_ms)
    ]
    names = ", ".join(dict.fromkeys(held))
    said = look.words.say("Memory: {count} rules in force", count=len(held))
    return join([said, untrusted(names, 200)], ": ")
