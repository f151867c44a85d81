"""What people type, turned into engine events and answers: one table of commands.

A handler enqueues an event or draws a view from records at hand, and returns at once. Verbs that
reduce risk (/pause, /panic, /close) count however late they arrive; /resume asks again when late.
Must not know: any Telegram library, how events are carried out.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import structlog

from bot.control import digests, editor, scores
from bot.control.approvals import CLOSABLE, Tap
from bot.control.catalog import LANGUAGES, words
from bot.control.html import Html, plain_text
from bot.control.outbox import Priority
from bot.control.spoken import (
    EVERYONE,
    TRADERS,
    Command,
    Said,
    World,
    ask,
    no_such_bot,
    reply,
    rewrite,
)
from bot.control.views.card import header
from bot.control.views.look import Look, View, mark
from bot.control.views.memory import memory
from bot.control.views.risk import risk
from bot.control.views.status import bots, help_page, status
from bot.control.views.terms import Verb, closed_of
from bot.control.views.universe import universe
from bot.control.views.why import Story, why
from bot.core.desk import Desk
from bot.core.messages import BotSwitched, EntriesResumed, PanicPressed
from bot.core.trade import HOLDING, Trade
from bot.shell.engine import DISK_FULL
from bot.shell.provenance import chain_of
from data.store.errors import AmbiguousPrefix
from data.store.rows import TokenRow, UserRow

RESUME_FRESH_MS: Final = 60_000
ENDS_BY_ITSELF: Final = frozenset({DISK_FULL})  # every other halt waits for a person

log = structlog.get_logger()


# ------------------------------------------------------------------------------ the commands


async def _start(world: World, said: Said) -> View:
    look = await world.look(said.user)
    return View(
        html=look.words.say(
            "Hello {name}. This bot trades on Binance Futures and asks you here. "
            "Mode: <b>{badge}</b>. /help shows what you can say.",
            name=said.user.name,
            badge=look.badge,
        )
    )


async def _help(world: World, said: Said) -> View:
    look = await world.look(said.user)
    return View(html=help_page(look, [c.help() for c in COMMANDS], said.user.role))


async def _status(world: World, said: Said) -> View:
    desk = world.desk_of()
    marks: dict[str, Decimal] = {}
    for trade in desk.working():
        found = world.market.mark_price(trade.symbol)
        if found is not None:
            marks[trade.symbol] = found[0]
    return View(html=status(await world.look(said.user), desk, world.lights(), marks))


async def _bots(world: World, said: Said) -> View:
    return View(html=bots(await world.look(said.user), world.desk_of()))


async def _universe(world: World, said: Said) -> View:
    look, view = await world.look(said.user), world.universe()
    if view is None:
        return View(html=look.words.say("What is watched is fixed here."))
    return View(html=universe(look, view))


async def _memory(world: World, said: Said) -> View:
    return await _of_bot(world, said, memory)


async def _risk(world: World, said: Said) -> View:
    return await _of_bot(world, said, risk)


async def _of_bot(world: World, said: Said, draw: Callable[[Look, Desk, str], Html]) -> View:
    look, desk = await world.look(said.user), world.desk_of()
    if said.argument and said.argument not in desk.bots:
        return no_such_bot(look, world, said.argument)
    return View(html=draw(look, desk, said.argument))


async def _pause(world: World, said: Said) -> View:
    look, wanted = await world.look(said.user), said.argument
    if wanted and wanted not in world.desk_of().bots:
        return no_such_bot(look, world, wanted)
    world.sink(BotSwitched(bot_id=wanted, running=False, by=said.user.user_id))
    log.info("pause_requested", bot=wanted, user=said.user.user_id)
    if wanted:
        return View(
            html=look.words.say(
                "Pausing <b>{bot}</b>: no new entries. Open trades are still managed.", bot=wanted
            )
        )
    return View(html=look.words.say("Pausing all bots. Open trades are still managed."))


async def _resume(world: World, said: Said) -> View:
    look, wanted = await world.look(said.user), said.argument
    if wanted and wanted not in world.desk_of().bots:
        return no_such_bot(look, world, wanted)
    # Market time may run faster than the wall, and a message's age grows with it.
    fresh_ms = RESUME_FRESH_MS * max(1.0, world.clock.speed)
    if abs(world.clock.now_ms() - said.sent_ms) > fresh_ms:
        return await ask(
            world,
            said.user,
            look.words.say("That message came late. <b>Resume now?</b>"),
            (Verb.RESUME_SURE, Verb.DISMISS),
            wanted,
        )
    _do_resume(world, said.user, wanted)
    return View(html=_resumed(look, wanted))


async def _panic(world: World, said: Said) -> View:
    look = await world.look(said.user)
    holding = sum(1 for t in world.desk_of().working() if t.phase in HOLDING)
    question = look.words.say(
        "<b>Close everything at market and stop entering?</b>\nOpen trades: {count}. "
        "Entries stay off until /resume.",
        count=holding,
    )
    return await ask(world, said.user, question, (Verb.PANIC_SURE, Verb.DISMISS), "")


async def _why(world: World, said: Said) -> View:
    look = await world.look(said.user)
    trade = await _find(world, said)
    if isinstance(trade, Html):
        return View(html=trade)
    chain = await chain_of(world.store, trade)
    closed = closed_of(world.desk_of(), trade.trade_id)
    return View(html=why(look, Story(trade=trade, closed=closed, chain=chain)))


async def _close(world: World, said: Said) -> View:
    look = await world.look(said.user)
    trade = await _find(world, said)
    if isinstance(trade, Html):
        return View(html=trade)
    if trade.phase not in CLOSABLE:
        return View(html=look.words.say("This trade has no open position."))
    question = header(look, trade) + Html("\n")
    question += look.words.say("<b>Close this position at market now?</b>")
    verbs = (Verb.CLOSE_SURE, Verb.DISMISS)
    return await ask(world, said.user, question, verbs, "", card_id=trade.trade_id)


COMMANDS: Final[tuple[Command, ...]] = tuple(
    Command(name=name, usage=usage, help_text=text, roles=roles, handler=handler)
    for name, usage, text, roles, handler in (
        ("start", "", mark("say hello; with the code from the log: become the owner"), EVERYONE,
         _start),
        ("help", "", mark("show this list"), EVERYONE, _help),
        ("status", "", mark("connections, wallet, today, open trades"), EVERYONE, _status),
        ("bots", "", mark("every bot and where it stands"), EVERYONE, _bots),
        ("universe", "", mark("what is watched, whose turn is next, what is set aside"),
         EVERYONE, _universe),
        ("memory", "BOT", mark("memory's rules in force: why, and until when"), EVERYONE,
         _memory),
        ("risk", "BOT", mark("a bot's limits and what is used of them"), EVERYONE, _risk),
        ("shadow", "DAYS", mark("what each no was worth: people, adviser, memory"), EVERYONE,
         scores.shadows),
        ("digest", "", mark("the UTC day so far: trades, fees, memory, shadows"), EVERYONE,
         digests.digest),
        ("why", "TRADE", mark("a trade's whole record; without an id: the latest"), EVERYONE,
         _why),
        ("bot", "BOT FIELD VALUE", mark("a bot's configuration, or one field of it changed"),
         EVERYONE, editor.bot),
        ("set", "BOT FIELD VALUE", mark("show or change how a bot is set"), TRADERS,
         editor.change),
        ("newbot", "NAME PRESET SYMBOLS", mark("make a bot from a preset; it begins paused"),
         TRADERS, editor.new),
        ("deletebot", "BOT", mark("delete a bot that has no trade at work"), TRADERS,
         editor.delete),
        ("directives", "BOT FIELD VALUE", mark("what a bot is told about how to trade"),
         EVERYONE, editor.direct),
        ("pause", "BOT", mark("no new entries, for one bot or all"), TRADERS, _pause),
        ("resume", "BOT", mark("allow entries again, for one bot or all"), TRADERS, _resume),
        ("close", "TRADE", mark("close a trade's position at market"), TRADERS, _close),
        ("panic", "", mark("close everything and stop entering"), TRADERS, _panic),
    )
)  # fmt: skip


def describe_commands() -> list[dict[str, object]]:
    """Every command with its usage, roles and help text in each language; JSON-ready."""
    return [
        {
            "name": command.name,
            "usage": command.usage,
            "roles": [role.value for role in command.roles],
            "help": {
                language: plain_text(words(language).say(command.help_text))
                for language in LANGUAGES
            },
        }
        for command in COMMANDS
    ]


# ------------------------------------------------------------------------------- dispatching


async def obey(world: World, heard: Said) -> bool:
    """Obey a command and answer; False when there is no such command for this person."""
    command = next((c for c in COMMANDS if c.name == heard.command), None)
    look = await world.look(heard.user)
    if command is None:
        view = View(html=look.words.say("I do not know that command. /help shows what I know."))
    elif heard.user.role not in command.roles:
        view = View(html=look.words.say("You may look, but not decide."))
    else:
        view = await command.handler(world, heard)
    if view.html:  # Nothing is said where the desk's own word follows.
        reply(world, heard.user, view, priority=_urgency(heard.command))
    return command is not None


async def answered(world: World, tap: Tap, token: TokenRow) -> None:
    """A question's button was pressed: panic, resume, or never mind."""
    verb, look = Verb(token.verb), await world.look(tap.user)
    now_ms = world.clock.now_ms()
    if tap.user.role not in TRADERS:
        await tap.answer(look.words.label("You may look, but not decide."), True)
        return
    if verb in editor.VERBS:
        await editor.tapped(world, tap, token)
        return
    if verb is Verb.RESUME_SURE:
        await _resume_sure(world, tap, token, look)
        return
    if verb is Verb.DISMISS:
        rewrite(world, tap, look.words.say("Nothing was done."))
        await tap.answer("", False)
        return
    assert verb is Verb.PANIC_SURE, f"not a question's verb: {verb}"
    # However late: closing everything is never the wrong side to err on.
    if await world.tokens.use(token, now_ms, late=True):
        world.sink(PanicPressed(by=tap.user.user_id))
        log.warning("panic_pressed", user=tap.user.user_id)
        rewrite(
            world,
            tap,
            look.words.say("<b>Panic</b>: closing everything, no entries until /resume."),
        )
    await tap.answer(look.words.label("Closing everything."), False)


def settle(world: World, tap: Tap) -> None:
    """Take the buttons off a /close question that was answered; the card tells the rest."""
    words_of = words(tap.user.language)
    rewrite(world, tap, words_of.say("Closing at market."))


def _urgency(command: str) -> Priority:
    return Priority.NOW if command in {"panic", "close", "pause"} else Priority.STATUS


async def _resume_sure(world: World, tap: Tap, token: TokenRow, look: Look) -> None:
    fresh = await tap.answer(look.words.label("Resuming."), False)
    if not fresh or not await world.tokens.use(token, world.clock.now_ms()):
        rewrite(world, tap, look.words.say("That answer came too late. Say /resume again."))
        return
    _do_resume(world, tap.user, token.subject)
    rewrite(world, tap, _resumed(look, token.subject))


def _do_resume(world: World, user: UserRow, bot_id: str) -> None:
    for reason in world.desk_of().halts:
        if not bot_id and reason not in ENDS_BY_ITSELF:
            world.sink(EntriesResumed(reason=reason, by=user.user_id))
    world.sink(BotSwitched(bot_id=bot_id, running=True, by=user.user_id))
    log.info("resume_requested", bot=bot_id, user=user.user_id)


def _resumed(look: Look, bot_id: str) -> Html:
    if bot_id:
        return look.words.say("Resuming <b>{bot}</b>.", bot=bot_id)
    return look.words.say("Resuming all bots.")


async def _find(world: World, heard: Said) -> Trade | Html:
    look, wanted = await world.look(heard.user), heard.argument
    desk = world.desk_of()
    fitting = [t for t in desk.trades.values() if t.trade_id.startswith(wanted)]
    if not wanted and fitting:
        return max(fitting, key=lambda t: t.opened_ms)
    if len(fitting) == 1:
        return fitting[0]
    if wanted:
        try:
            row = await world.store.trade(wanted, user_id=desk.user_id)
        except AmbiguousPrefix as error:
            several = ", ".join(error.candidates)
            return look.words.say("Several trades begin so: {trades}", trades=several)
        if row is not None:
            return world.read_trade(row.body)
    return look.words.say("There is no such trade.")
