"""/status, /bots, /help: the desk at a glance and what can be said to it.

Must not know: how facts were gathered, who may ask.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bot.control.html import NOTHING, Html, bold, code, cut, join, pre, untrusted
from bot.control.views.look import (
    SECOND_MS,
    Look,
    change,
    clock_time,
    duration,
    mark,
    money,
    percent,
    quantity,
    share,
    signed_money,
    table,
)
from bot.control.views.phrases import say_again
from bot.control.views.terms import PHASES, entered
from bot.core.desk import Desk
from bot.core.presets import ApprovalMode, BotConfig
from bot.core.trade import HOLDING, OrderState, Role, Trade
from data.money import HUNDRED, ZERO, percent_of

LINES_MAX: Final = 20  # of one kind; more is said with a count

MODES: Final[dict[ApprovalMode, str]] = {
    ApprovalMode.SIGNAL_ONLY: mark("signals only"),
    ApprovalMode.APPROVE: mark("asks for approval"),
    ApprovalMode.AUTO: mark("trades by itself"),
    ApprovalMode.AUTO_BELOW: mark("trades by itself within its bounds, else asks"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """One connection: is it fine, and since when or how old."""

    name: str
    ok: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandHelp:
    """One line of /help. `usage` is what follows the command's name."""

    name: str
    usage: str
    help_text: str  # English source text
    roles: tuple[str, ...]


def status(
    look: Look, desk: Desk, lights: Sequence[Light], marks: dict[str, Decimal] | None = None
) -> Html:
    """The desk at a glance. `marks`: mark price by symbol, where known."""
    parts = [
        join([bold(look.words.label("Status")), code(look.badge), clock_time(look.now_ms)], " "),
        _lights(look, lights),
        _money(look, desk),
        _halts(look, desk),
        _bots(look, desk),
        _positions(look, desk, marks or {}),
        _unknown(look, desk),
        _foreign(look, desk),
    ]
    return cut(join(parts))


def bots(look: Look, desk: Desk) -> Html:
    """Every bot: what it does, whether it runs, where it stands."""
    if not desk.bots:
        return look.words.say("There is no bot yet.")
    shown = [_bot(look, desk, config) for config in list(desk.bots.values())[:LINES_MAX]]
    return cut(join([bold(look.words.label("Bots")), *shown, _more(look, len(desk.bots))], "\n\n"))


def help_page(look: Look, commands: Sequence[CommandHelp], role: str) -> Html:
    """The commands this role may use."""
    lines = [
        look.words.say(
            "/{command} {usage} - {text}",
            command=c.name,
            usage=code(c.usage) if c.usage else NOTHING,
            text=look.words.say(c.help_text),
        )
        for c in commands
        if role in c.roles
    ]
    tidy = [Html(line.markup.replace("  - ", " - ")) for line in lines]
    return cut(join([bold(look.words.label("What you can say")), *tidy]))


def _lights(look: Look, lights: Sequence[Light]) -> Html:
    shown = []
    for light in lights:
        state = look.words.label("ok") if light.ok else look.words.label("DOWN")
        told = untrusted(say_again(look.words, light.detail), 90)
        detail = f" ({told})" if told else ""
        name = say_again(look.words, light.name)
        shown.append(f"{'🟢' if light.ok else '🔴'} {name}: {state}{detail}")
    return join(shown)


def _money(look: Look, desk: Desk) -> Html:
    say = look.words.label
    realized = desk.day.realized_usdt
    allowed = max((percent_of(desk.wallet_usdt, b.daily_loss_pct_max) for b in desk.bots.values()),
                  default=ZERO)  # fmt: skip
    holding = sum(1 for t in desk.working() if t.phase in HOLDING)
    most = sum(b.open_trades_max for b in desk.bots.values())
    rows = [
        (say("Wallet"), f"{money(desk.wallet_usdt)} USDT"),
        (say("Today"), f"{signed_money(realized)} USDT ({_of(realized, desk.wallet_usdt)})"),
        (say("Loss limit"), f"{signed_money(-allowed)} USDT" if allowed > 0 else "-"),
        (say("Open"), f"{holding}/{most}"),
    ]
    return pre(table(rows))


def _of(part: Decimal, whole: Decimal) -> str:
    return percent(part / whole * HUNDRED) if whole > 0 else "-"


def _halts(look: Look, desk: Desk) -> Html:
    if not desk.ready:
        return look.words.say("<b>Starting</b>: the exchange has not been read yet.")
    if not desk.halts:
        return look.words.say("Entries: allowed")
    reasons = join(
        [untrusted(say_again(look.words, reason), 80) for reason in desk.halts[:LINES_MAX]], ", "
    )
    return look.words.say("<b>Entries halted</b>: {reasons}", reasons=reasons)


def _bots(look: Look, desk: Desk) -> Html:
    lines = [
        look.words.say(
            "{light} {bot}: {phase}",
            light="▶" if bot_id in desk.running else "⏸",
            bot=bold(bot_id),
            phase=look.words.label(PHASES[desk.phase_of(bot_id)]),
        )
        for bot_id in list(desk.bots)[:LINES_MAX]
    ]
    doubts = [_doubts(look, desk, bot_id) for bot_id in list(desk.bots)[:LINES_MAX]]
    return join([*lines, *doubts, _more(look, len(desk.bots))])


def _doubts(look: Look, desk: Desk, bot_id: str) -> Html:
    """A bot whose entries wait because its adviser is in doubt; nothing of any other."""
    advice = desk.advice.get(bot_id)
    if advice is None or advice.paused_until_ms is None or not advice.is_paused(look.now_ms):
        return NOTHING
    return look.words.say(
        "{bot}: the adviser <i>abstained</i> {count} times in a row, entries wait {time}: {reason}",
        bot=bold(bot_id),
        count=advice.in_a_row,
        time=duration(advice.paused_until_ms - look.now_ms),
        reason=untrusted(advice.last_doubt, 80),
    )


def _positions(look: Look, desk: Desk, marks: dict[str, Decimal]) -> Html:
    open_trades = [t for t in desk.working() if t.phase in HOLDING]
    lines = [_position(look, trade, marks.get(trade.symbol)) for trade in open_trades[:LINES_MAX]]
    return join([*lines, _more(look, len(open_trades))])


def _position(look: Look, trade: Trade, mark_price: Decimal | None) -> Html:
    got = entered(trade)
    direction = trade.direction.value.upper() if trade.direction is not None else ""
    parts = [f"{direction} {quantity(got.quantity)}"]
    if mark_price is not None and got.average_price is not None and trade.direction is not None:
        gain = (mark_price - got.average_price) * got.quantity * trade.direction.sign
        moved = (mark_price - got.average_price) / got.average_price * trade.direction.sign
        parts.append(f"{percent(moved * HUNDRED)} {signed_money(gain)} USDT")
    stop = trade.standing(Role.STOP)
    if stop is not None and not stop.is_over and stop.trigger_price and mark_price:
        label = look.words.label("stop")
        parts.append(f"{label} {change(mark_price, stop.trigger_price)}")
    parts.append(duration(look.now_ms - trade.opened_ms))
    return join([join([bold(trade.symbol), parts[0]], " "), *parts[1:], code(trade.trade_id)],
                " · ")  # fmt: skip


def _unknown(look: Look, desk: Desk) -> Html:
    lines = [
        look.words.say(
            "<b>UNKNOWN order</b> {order} ({symbol}): nobody has said for {age} what became of it",
            order=code(order.order_id),
            symbol=trade.symbol,
            age=duration(look.now_ms - order.sent_ms),
        )
        for trade in desk.working()
        for order in trade.orders
        if order.state is OrderState.UNKNOWN
        or (order.state is OrderState.SENT and look.now_ms - order.sent_ms > 5 * SECOND_MS)
    ]
    return join([*lines[:LINES_MAX], _more(look, len(lines))])


def _foreign(look: Look, desk: Desk) -> Html:
    lines = [
        look.words.say(
            "Not ours: {symbol} {quantity} @ {price}",
            symbol=position.symbol,
            quantity=f"{position.quantity:+f}",
            price=position.entry_price,
        )
        for position in list(desk.foreign.values())[:LINES_MAX]
    ]
    return join([*lines, _more(look, len(desk.foreign))])


def _more(look: Look, count: int) -> Html:
    if count <= LINES_MAX:
        return NOTHING
    return look.words.say("… and {count} more", count=count - LINES_MAX)


def _bot(look: Look, desk: Desk, config: BotConfig) -> Html:
    say = look.words.say
    running = config.bot_id in desk.running
    symbols = ", ".join(config.symbols[:8]) + (" …" if len(config.symbols) > 8 else "")
    done = [c for c in desk.closed if c.bot_id == config.bot_id]
    wins = sum(1 for c in done if c.pnl_usdt > 0)
    made = sum((c.pnl_usdt for c in done), ZERO)
    lines: list[Html | str] = [
        join([bold(config.bot_id), look.words.label("running" if running else "paused")], " · "),
        look.words.label(PHASES[desk.phase_of(config.bot_id)]),
        say(
            "{strategy} on {symbols}, {timeframe}, x{leverage}",
            strategy=config.strategy,
            symbols=symbols or look.words.label("the whole universe"),
            timeframe=config.timeframe,
            leverage=config.leverage,
        ),
        say(
            "{mode} · risk {risk} % a trade · {signals} signals today",
            mode=look.words.label(MODES[config.approval_mode]),
            risk=config.risk_pct,
            signals=desk.day.signals.get(config.bot_id, 0),
        ),
    ]
    if done:
        lines.append(
            say(
                "{count} trades, {rate} won, {made} USDT",
                count=len(done),
                rate=share(Decimal(wins), Decimal(len(done))),
                made=signed_money(made),
            )
        )
    lines.append(_doubts(look, desk, config.bot_id))
    return join(lines)


RUNNING: Final = (mark("running"), mark("paused"))  # both words of a bot's first line
