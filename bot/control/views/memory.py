"""/memory: which rules are in force for a bot, why, on whose trades, and until when.

Must not know: how a verdict came about, who may ask. The prompt has sentences of its own.
"""

from collections.abc import Mapping
from typing import Final

from bot.control.html import NOTHING, Html, bold, cut, join, untrusted
from bot.control.views.look import Look, day_time, duration, mark
from bot.core.desk import Desk
from bot.core.presets import BotConfig
from bot.core.ruling.remembering import verdicts_for
from data.money import plain
from memory.recall import OF_BOT
from memory.tuning import changes_of
from memory.verdict import Verdict

BOTS_MAX: Final = 10
VERDICTS_MAX: Final = 12  # of one bot; more is said with a count

_SENTENCES: Final[dict[str, str]] = {
    "winrate_threshold": mark(
        "Score {threshold_add} points higher: {wins} of the last {trades} trades won."
    ),
    "loss_streak_pause": mark("No entries: {losses} losses in a row."),
    "drawdown_signals": mark(
        "At most {signals_per_day_max} signals a day: "
        "the wallet is {drawdown_pct} % below its peak of {peak_usdt} USDT."
    ),
    "drawdown_risk": mark(
        "Risk at most {risk_pct_max} % a trade: "
        "the wallet is {drawdown_pct} % below its peak of {peak_usdt} USDT."
    ),
    "symbol_cooldown": mark("No entries in {symbol}: {losses} losses in a row."),
    "symbol_threshold": mark(
        "Score {threshold_add} points higher in {symbol}: {wins} of the last {trades} trades won."
    ),
    "model_off": mark("The {model} model is off: {wins} of its last {trades} trades won."),
    "model_preferred": mark(
        "The {model} model goes first: {wins} of its last {trades} trades won."
    ),
}


def memory(look: Look, desk: Desk, bot_id: str = "") -> Html:
    """What memory says now, for one bot or (with "") for every one."""
    wanted = [config for name, config in desk.bots.items() if bot_id in ("", name)]
    counted = desk.memory.account.overall.count
    title = join([bold(look.words.label("Memory")), look.words.say(
        "{count} closed trades of the account", count=counted)], " · ")  # fmt: skip
    shown = [_bot(look, desk, config) for config in wanted[:BOTS_MAX]]
    return cut(join([title, *shown], "\n\n"))


def sentence(look: Look, verdict: Verdict) -> Html:
    """One verdict as a sentence: what it asks, why, on whose trades, until when."""
    effect = verdict.effect
    facts: dict[str, str | int] = dict(verdict.evidence)
    facts |= {"symbol": verdict.scope.symbol, "model": verdict.scope.model}
    if effect.threshold_add is not None:
        facts["threshold_add"] = effect.threshold_add
    if effect.signals_per_day_max is not None:
        facts["signals_per_day_max"] = effect.signals_per_day_max
    if effect.risk_pct_max is not None:
        facts["risk_pct_max"] = plain(effect.risk_pct_max)
    told = {name: untrusted(str(value), 40) for name, value in facts.items()}
    said = look.words.say(_SENTENCES[verdict.rule], **told)
    return join([said, _whose(look, facts), _until(look, verdict)], " ")


def of_notice(look: Look, fields: Mapping[str, str], desk: Desk) -> Html:
    """The sentence of a verdict that was just told; nothing when it holds no more."""
    config = desk.bots.get(fields.get("bot", ""))
    if config is None:
        return NOTHING
    for verdict in verdicts_for(desk, config, look.now_ms):
        scope = (verdict.scope.symbol, verdict.scope.model)
        told = (fields.get("symbol", ""), fields.get("model", ""))
        if verdict.rule == fields.get("rule") and scope == told:
            return join([bold(config.bot_id), sentence(look, verdict)], ": ")
    return NOTHING


def _bot(look: Look, desk: Desk, config: BotConfig) -> Html:
    verdicts = verdicts_for(desk, config, look.now_ms)
    lines = [join(["•", sentence(look, verdict)], " ") for verdict in verdicts[:VERDICTS_MAX]]
    if not lines:
        lines = [look.words.say("Nothing is in force.")]
    if len(verdicts) > VERDICTS_MAX:
        lines.append(look.words.say("… and {count} more", count=len(verdicts) - VERDICTS_MAX))
    return join([bold(config.bot_id), *lines, _off(look, config), _tuned(look, config)])


def _off(look: Look, config: BotConfig) -> Html:
    if not config.memory_off:
        return NOTHING
    return look.words.say("Switched off: {rules}", rules=", ".join(config.memory_off))


def _tuned(look: Look, config: BotConfig) -> Html:
    changes = changes_of(config.memory_tuning)
    if not changes:
        return NOTHING
    told = ", ".join(f"{rule}.{name} = {value}" for rule, name, value in changes)
    return look.words.say("Tuned: {changes}", changes=told)


def _whose(look: Look, facts: Mapping[str, str | int]) -> Html:
    if facts.get("trades_of") == OF_BOT:
        return look.words.say("(this bot's trades)")
    return look.words.say("(the account's trades)")


def _until(look: Look, verdict: Verdict) -> Html:
    if verdict.until_ms is None:
        return look.words.say("While this holds.")
    return look.words.say(
        "Until {moment}, {left} to go.",
        moment=day_time(verdict.until_ms),
        left=duration(verdict.until_ms - look.now_ms),
    )
