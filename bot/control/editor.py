"""Making, changing and deleting bots, and telling them directives: commands and their buttons.

An edit that lets more be lost is asked about once more; its button holds the very configuration
that was shown, so a bot changed meanwhile is not changed again unseen. Must not know: how the desk
judges an edit or a directive.
"""

import hashlib
import json
from typing import Final

import structlog

from bot.control.approvals import Tap
from bot.control.html import Html
from bot.control.spoken import TRADERS, Said, World, ask, no_such_bot, rewrite
from bot.control.views.directives import CLEARS, directives, refusal
from bot.control.views.edit import edit
from bot.control.views.look import NO_KEYBOARD, Keyboard, Look, View
from bot.control.views.making import bold_question, bot_page, new_bot
from bot.control.views.stages import keyboard
from bot.control.views.status import bots
from bot.control.views.terms import Verb
from bot.core.boldness import bolder
from bot.core.directions import BotRemoved, DirectivesReverted, DirectivesTold
from bot.core.directives import Versions
from bot.core.editing import edited
from bot.core.messages import BotConfigured, Tell
from bot.core.presets import BotConfig
from data.store.rows import TokenRow, UserRow

REVERT_LIFE_MS: Final = 7 * 24 * 3_600_000
VERBS: Final = frozenset({Verb.EDIT_SURE, Verb.DELETE_SURE, Verb.REVERT})

log = structlog.get_logger()


# ---------------------------------------------------------------------------------- bots


async def bot(world: World, said: Said) -> View:
    """/bot: a bot at a glance, or one field of it changed."""
    look, desk = await world.look(said.user), world.desk_of()
    bot_id, _, rest = said.argument.partition(" ")
    if not bot_id:
        return View(html=bots(look, desk))
    if bot_id not in desk.bots:
        return no_such_bot(look, world, bot_id)
    if not rest.strip():
        return View(html=bot_page(look, desk, bot_id))
    if said.user.role not in TRADERS:
        return View(html=look.words.say("You may look, but not decide."))
    return await change(world, said)


async def change(world: World, said: Said) -> View:
    """/set: show a bot's fields, or change one; what risks more is asked about first."""
    look, desk = await world.look(said.user), world.desk_of()
    answer, wanted = edit(look, desk, said.argument, said.user.user_id)
    if wanted is None:
        return View(html=answer)
    before = desk.bots[wanted.config.bot_id]
    if raised := bolder(before, wanted.config):
        _, _, rest = said.argument.partition(" ")
        field, _, text = rest.strip().partition(" ")
        subject = json.dumps([before.bot_id, field, text.strip(), digest_of(before)])
        question = bold_question(look, before, wanted.config, raised)
        return await ask(world, said.user, question, (Verb.EDIT_SURE, Verb.DISMISS), subject)
    _configure(world, wanted)
    return View(html=answer)


async def new(world: World, said: Said) -> View:
    """/newbot: a bot from a preset; it begins paused."""
    look = await world.look(said.user)
    answer, wanted = new_bot(look, world.desk_of(), said.argument, said.user.user_id)
    if wanted is not None:
        _configure(world, wanted)
    return View(html=answer)


async def delete(world: World, said: Said) -> View:
    """/deletebot: asks, then takes a bot away."""
    look, bot_id = await world.look(said.user), said.argument
    if bot_id not in world.desk_of().bots:
        return no_such_bot(look, world, bot_id)
    question = look.words.say(
        "<b>Delete {bot}?</b> Its configuration and directives are gone then; its trades stay in "
        "the record. With a trade at work it is only paused.",
        bot=bot_id,
    )
    return await ask(world, said.user, question, (Verb.DELETE_SURE, Verb.DISMISS), bot_id)


# ------------------------------------------------------------------------------ directives


async def direct(world: World, said: Said) -> View:
    """/directives: show a bot's, set or clear one, or go back to a version."""
    look, desk = await world.look(said.user), world.desk_of()
    bot_id, _, rest = said.argument.partition(" ")
    if not bot_id and len(desk.bots) == 1:
        bot_id = next(iter(desk.bots))
    if bot_id not in desk.bots:
        return no_such_bot(look, world, bot_id)
    field, _, text = rest.strip().partition(" ")
    if not field:
        return View(html=directives(look, desk, bot_id))
    if said.user.role not in TRADERS:
        return View(html=look.words.say("You may look, but not decide."))
    if not text.strip():
        said_how = look.words.say(
            "Say /directives {bot} FIELD VALUE; {clears} clears it.", bot=bot_id, clears=CLEARS
        )
        return View(html=said_how)
    refused = _direct(world, said.user, look, bot_id, field, text.strip())
    return View(html=refused)


def _direct(
    world: World, user: UserRow, look: Look, bot_id: str, field: str, text: str
) -> Html:  # fmt: skip
    versions = world.desk_of().directives.get(bot_id, Versions())
    if field == "revert":
        if not text.isdecimal() or versions.at(int(text[:9])) is None:
            kept = ", ".join(str(one.number) for one in versions.kept) or "-"
            return look.words.say("That version is not kept. Kept: {kept}", kept=kept)
        world.sink(
            DirectivesReverted(
                bot_id=bot_id, to=int(text[:9]), undoes=versions.number, by=user.user_id
            )
        )
    else:
        value = "" if text == CLEARS else text
        refused = refusal(look, versions.current, field, value)
        if refused is not None:
            return refused
        world.sink(DirectivesTold(bot_id=bot_id, updates=((field, value),), by=user.user_id))
    log.info("directives_told", bot=bot_id, field=field, user=user.user_id)
    return Html("")  # The desk's own word follows: what differs, with a button to take it back.


async def revert_button(world: World, reader: UserRow | None, told: Tell) -> Keyboard:
    """The button under a change of directives: one tap brings back what was before it."""
    fields = dict(told.fields)
    number = fields.get("version", "")
    if told.kind != "directives_changed" or not number.isdecimal():
        return NO_KEYBOARD
    if reader is None or reader.telegram_id is None:
        return NO_KEYBOARD
    subject = json.dumps([fields.get("bot", ""), int(number) - 1, int(number)])
    life_ms = round(REVERT_LIFE_MS * max(1.0, world.clock.speed))
    data = await world.tokens.issue(
        reader,
        (Verb.REVERT,),
        card_id="",
        subject=subject,
        expires_ms=world.clock.now_ms() + life_ms,
    )
    return keyboard((await world.look(reader)).words, ((Verb.REVERT,),), data)


# -------------------------------------------------------------------------------- buttons


async def tapped(world: World, tap: Tap, token: TokenRow) -> None:
    """A change, a deletion or a revert was confirmed; a late tap does nothing."""
    look, verb = await world.look(tap.user), Verb(token.verb)
    assert verb in VERBS, f"not an editor's verb: {verb}"
    now_ms = world.clock.now_ms()
    if not await tap.answer("", False):
        return  # Telegram held it back for too long; the button still stands.
    if not await world.tokens.use(token, now_ms):
        if now_ms >= token.expires_ms and verb is not Verb.REVERT:
            rewrite(world, tap, look.words.say("That answer came too late. Please say it again."))
        return
    by = tap.user.user_id
    if verb is Verb.DELETE_SURE:
        world.sink(BotRemoved(bot_id=token.subject, by=by))
        log.warning("bot_deleted", bot=token.subject, user=by)
        rewrite(world, tap, look.words.say("Deleting <b>{bot}</b>.", bot=token.subject))
    elif verb is Verb.REVERT:
        bot_id, to, undoes = json.loads(token.subject)
        world.sink(DirectivesReverted(bot_id=bot_id, to=to, undoes=undoes, by=by))
        log.info("directives_reverted", bot=bot_id, to=to, user=by)
    else:
        rewrite(world, tap, _changed(world, token, look, by))


def _changed(world: World, token: TokenRow, look: Look, by: str) -> Html:
    bot_id, field, text, digest = json.loads(token.subject)
    config = world.desk_of().bots.get(bot_id)
    if config is None or digest_of(config) != digest:
        return look.words.say("The bot was changed meanwhile. Please say it again.")
    try:
        changed = edited(config, field, text)
    except ValueError:
        return look.words.say("The bot was changed meanwhile. Please say it again.")
    _configure(world, BotConfigured(config=changed, by=by))
    return look.words.say("<b>{bot}</b>: {field} is changed.", bot=bot_id, field=field)


def digest_of(config: BotConfig) -> str:
    """A short name of a configuration: another one has another."""
    return hashlib.sha256(repr(config).encode()).hexdigest()[:16]


def _configure(world: World, wanted: BotConfigured) -> None:
    world.sink(wanted)
    log.info("bot_edited", bot=wanted.config.bot_id, user=wanted.by)
