"""/bot, /newbot, /deletebot: a bot at a glance, a new one, and the questions before a bold change.

Must not know: who may ask; it hands back the event that would make or change a bot.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Final

from bot.control.html import Html, bold, code, cut, folded, join, untrusted
from bot.control.views.directives import MODES as AI_MODES
from bot.control.views.edit import value_of
from bot.control.views.look import Look
from bot.control.views.phrases import say_again
from bot.control.views.status import MODES
from bot.control.views.terms import PHASES
from bot.core.desk import Desk
from bot.core.editing import FIELDS, edited
from bot.core.messages import BotConfigured
from bot.core.presets import PRESETS, BotConfig, faults_of, from_preset
from data.money import plain

BOTS_MAX: Final = 20  # each looks at every bar of its symbols
NAME_LENGTH_MAX: Final = 40
FAULT_LENGTH_MAX: Final = 900


def bot_page(look: Look, desk: Desk, bot_id: str) -> Html:
    """One bot: whether it runs, its modes, what differs from its preset, and every field."""
    config = desk.bots[bot_id]
    label, say = look.words.label, look.words.say
    running = label("running") if bot_id in desk.running else label("paused")
    symbols = ", ".join(config.symbols) or label("the whole universe")
    told = desk.directives.get(bot_id)
    changed = [_line(config, name) for name in _changed(config)]
    return cut(
        join(
            [
                join([bold(bot_id), config.preset, running, label(PHASES[desk.phase_of(bot_id)])],
                     " · "),
                say(
                    "{strategy} on {symbols}, {timeframe}, x{leverage}",
                    strategy=config.strategy,
                    symbols=untrusted(symbols, 200),
                    timeframe=config.timeframe,
                    leverage=config.leverage,
                ),
                join([label(MODES[config.approval_mode]), label(AI_MODES[config.ai_mode])], " · "),
                say("Risk {risk} % a trade. Directives: version {number}, /directives {bot}",
                    risk=plain(config.risk_pct), number=told.number if told else 0, bot=bot_id),
                say("Other than its preset:") if changed else say("As its preset says."),
                *changed,
                folded(join([_line(config, name) for name in FIELDS])),
                say("/bot {bot} FIELD VALUE changes one, /bot {bot} FIELD says what is allowed.",
                    bot=bot_id),
            ]
        )
    )  # fmt: skip


def new_bot(look: Look, desk: Desk, argument: str, by: str) -> tuple[Html, BotConfigured | None]:
    """What to answer to "NAME PRESET SYMBOLS", and the paused bot it asks for; None on a fault."""
    name, _, rest = argument.partition(" ")
    preset, _, symbols = rest.strip().partition(" ")
    presets = ", ".join(PRESETS)
    if not name or not preset:
        said = look.words.say(
            "Say /newbot NAME PRESET SYMBOLS. Presets: {presets}", presets=presets
        )
        return said, None
    if name in desk.bots:
        return look.words.say("There is a bot {bot} already.", bot=bold(name)), None
    if len(desk.bots) >= BOTS_MAX:
        return look.words.say("There are {count} bots; that is the most.", count=BOTS_MAX), None
    try:
        config = _made(desk, name, preset, symbols.strip())
    except ValueError as fault:
        why = untrusted(say_again(look.words, str(fault)), FAULT_LENGTH_MAX)
        return look.words.say("Refused: {why}", why=why), None
    made = look.words.say(
        "Made {bot} like {preset}, on {symbols}. It is paused: look at /bot {bot}, then /resume "
        "{bot}.",
        bot=bold(name),
        preset=preset,
        symbols=", ".join(config.symbols) or look.words.label("the whole universe"),
    )
    return made, BotConfigured(config=config, by=by)


def bold_question(look: Look, before: BotConfig, after: BotConfig, raised: Sequence[str]) -> Html:
    """What a change lets be lost more, before and after: the question of the confirming tap."""
    lines = [
        look.words.say(
            "{field}: {before} → {after}",
            field=code(name),
            before=value_of(before, name),
            after=value_of(after, name),
        )
        for name in raised
    ]
    title = look.words.say("<b>This lets {bot} risk more. Change it?</b>", bot=after.bot_id)
    return cut(join([title, *lines]))


def _made(desk: Desk, name: str, preset: str, symbols: str) -> BotConfig:
    if preset not in PRESETS:
        raise ValueError(
            f"preset is {preset[:NAME_LENGTH_MAX]!r}; allowed is {', '.join(PRESETS)}."
        )
    config = from_preset(
        preset, bot_id=name[:NAME_LENGTH_MAX], user_id=desk.user_id, account_id=desk.account_id
    )
    if faults := faults_of(config):
        raise ValueError(" ".join(faults))
    return edited(config, "symbols", symbols) if symbols else config


def _changed(config: BotConfig) -> tuple[str, ...]:
    usual = PRESETS.get(config.preset)
    if usual is None:
        return ()
    usual = replace(usual, preset=config.preset)
    names = {one.name for one in fields(BotConfig)} & set(FIELDS)
    return tuple(
        name for name in FIELDS if name in names and getattr(config, name) != getattr(usual, name)
    )


def _line(config: BotConfig, name: str) -> Html:
    return join([code(name), value_of(config, name)], " = ")
