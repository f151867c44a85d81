"""The part of a card that is there before anything is ordered: plan, reasons, what is asked.

Must not know: who redraws a card or when, how tokens are kept.
"""

from decimal import Decimal
from typing import Final

from bot.control.html import NOTHING, Html, folded, join, pre, text, untrusted
from bot.control.views.checks import check_line
from bot.control.views.look import (
    Look,
    change,
    clock_time,
    distance,
    from_now,
    money,
    price,
    quantity,
    ratio,
    share,
    table,
)
from bot.control.views.memory import sentence
from bot.control.views.phrases import say_again
from bot.control.views.stages import Moved, Stage
from bot.control.views.terms import KINDS
from bot.core.trade import Trade
from memory.verdict import Verdict

REASONS_MAX: Final = 6
CHECKS_MAX: Final = 4  # blocked by more than this is said with a count
SHARE_LENGTH: Final = 8  # "100.00 %"
VERDICTS_MAX: Final = 3  # of memory on one card; /memory has every one


def plan_table(look: Look, trade: Trade, wallet_usdt: Decimal) -> Html:
    """Levels with their distances, size, value, risk; aligned."""
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
        (say("Value"), money(plan.notional_usdt), _of_wallet(plan.notional_usdt, wallet_usdt)),
        (say("Risk"), money(plan.risk_usdt), _of_wallet(plan.risk_usdt, wallet_usdt)),
        ("R:R", ratio(plan.reward_risk), ""),
    ]
    return pre(table(rows))


def _of_wallet(part_usdt: Decimal, wallet_usdt: Decimal) -> str:
    return f"USDT {share(part_usdt, wallet_usdt):>{SHARE_LENGTH}}"


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


def remembered(look: Look, verdicts: tuple[Verdict, ...]) -> Html:
    """What memory's rules in force did to this plan."""
    if not verdicts:
        return NOTHING
    lines = [
        look.words.say("Memory: {sentence}", sentence=sentence(look, one))
        for one in verdicts[:VERDICTS_MAX]
    ]
    if len(verdicts) > VERDICTS_MAX:
        lines.append(look.words.say("… and {count} more", count=len(verdicts) - VERDICTS_MAX))
    return join(lines)


def reasons(look: Look, trade: Trade) -> Html:
    """Why, as the adviser and the strategy say it; folded."""
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


def source(look: Look, trade: Trade) -> Html:
    """Which strategy raised it, when, for which bot."""
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


def question(look: Look, trade: Trade, stage: Stage, moved: Moved | None) -> Html:
    """What is asked of the reader now, and until when."""
    say = look.words.say
    if stage is Stage.ANSWERED:
        return say("<i>Checking price, limits and balance…</i>")
    if stage is Stage.SURE:
        return say("<b>Close this position at market now?</b>")
    if stage not in (Stage.OFFER, Stage.MOVED):
        return NOTHING
    parts = [_why_asked(look, trade)]
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


def _why_asked(look: Look, trade: Trade) -> Html:
    beyond = [check for check in trade.auto_checks if not check.passed]
    if not beyond:
        return NOTHING
    told = "; ".join(check_line(look, check) for check in beyond)
    return look.words.say("You are asked because of {bounds}", bounds=told)


def blocked(look: Look, trade: Trade) -> Html:
    """Every limit that refused it, with its input; more than a few are said with a count."""
    found = trade.checks + (trade.approval.checks if trade.approval is not None else ())
    failed = [check for check in found if not check.passed]
    lines = [look.words.say("<b>Blocked</b>: nothing was ordered.")]
    lines += [text(f"• {check_line(look, check)}") for check in failed[:CHECKS_MAX]]
    if len(failed) > CHECKS_MAX:
        lines.append(look.words.say("… and {count} more", count=len(failed) - CHECKS_MAX))
    return join(lines)
