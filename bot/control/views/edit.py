"""/set: a bot's configuration shown, or changed by one field, in words.

Must not know: who may edit; it hands back the event that would change the bot.
"""

from decimal import Decimal
from typing import Final

from bot.control.html import Html, bold, code, cut, join, untrusted
from bot.control.views.look import Look
from bot.control.views.phrases import say_again
from bot.core.desk import Desk
from bot.core.editing import FIELDS, MEMORY, edited
from bot.core.messages import BotConfigured
from bot.core.presets import BotConfig
from data.money import plain
from memory.tuning import values_of
from memory.verdict import RULE_IDS

WORD_LENGTH_MAX: Final = 64


def edit(look: Look, desk: Desk, argument: str, by: str) -> tuple[Html, BotConfigured | None]:
    """What to answer to "BOT FIELD VALUE", and the change it asks for; None when it asks none."""
    bot_id, _, rest = argument.partition(" ")
    field, _, text = rest.strip().partition(" ")
    config = desk.bots.get(bot_id)
    if config is None:
        said = look.words.say(
            "Say /set BOT FIELD VALUE. Bots: {known}", known=", ".join(desk.bots) or "-"
        )
        return said, None
    if not field:
        return _shown(look, config), None
    if not text.strip():
        return _field(look, config, field), None
    try:
        changed = edited(config, field, text.strip())
    except ValueError as fault:
        return look.words.say(
            "Refused: {why}", why=untrusted(say_again(look.words, str(fault)), 900)
        ), None
    if changed == config:
        return look.words.say("That is so already."), None
    answer = look.words.say(
        "{bot}: {field} was {before}, is {after} from now on. Open trades stay as they are.",
        bot=bold(bot_id),
        field=code(field),
        before=value_of(config, field),
        after=value_of(changed, field),
    )
    return answer, BotConfigured(config=changed, by=by)


def _shown(look: Look, config: BotConfig) -> Html:
    rules = [f"{MEMORY}{rule}" for rule in RULE_IDS]
    numbers = [f"{MEMORY}{rule}.{name}" for rule, name, _ in values_of(config.memory_tuning)]
    names = (*FIELDS, *rules, *numbers)
    lines = [join([code(name), value_of(config, name)], " = ") for name in names]
    title = look.words.say("{bot} is set so:", bot=bold(config.bot_id))
    return cut(join([title, *lines]))


def _field(look: Look, config: BotConfig, field: str) -> Html:
    try:
        edited(config, field, "?")
    except ValueError as fault:
        # What is wrong with a question mark says what is allowed.
        allowed = untrusted(say_again(look.words, str(fault)), 900)
        named = code(untrusted(field, WORD_LENGTH_MAX))
        return join([join([named, value_of(config, field)], " = "), allowed])
    return join([code(field), value_of(config, field)], " = ")


def value_of(config: BotConfig, field: str) -> str:
    """One field as it is shown; rules of memory by `memory.RULE` and `memory.RULE.NUMBER`."""
    if field.startswith(MEMORY):
        rule, _, number = field.removeprefix(MEMORY).partition(".")
        if number:
            return str(getattr(getattr(config.memory_tuning, rule, None), number, "-"))
        return "off" if rule in config.memory_off else "on"
    value = getattr(config, field, "-") if field in FIELDS else "-"
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value) or "-"
    return untrusted(str(value) if isinstance(value, str | bool) else _number(value), 200)


def _number(value: object) -> str:
    return plain(value) if isinstance(value, Decimal) else f"{value}"
