"""/memory and /risk: what is in force, why and until when, and what is used of every limit."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.control.html import Html, plain_text
from bot.control.views.edit import edit
from bot.control.views.memory import memory, sentence
from bot.control.views.notices import notice
from bot.control.views.risk import risk
from bot.core.desk import Desk
from bot.core.desk_state import DayCount
from bot.core.messages import BotConfigured, Level, Tell
from bot.core.presets import PRESETS, from_preset
from bot.core.ruling.remembering import verdicts_for
from data.model import ClosedTrade
from memory.recall import remember
from memory.tuning import SHEET, tuned
from memory.verdict import RULE_IDS
from tests.control.samples import CLOSED_TRADE, NOW_MS, OPEN, desk, look

MINUTE_MS = 60_000
BOT = "signals"


def ended(letters: str, **changes: object) -> list[ClosedTrade]:
    """Closed trades a minute apart, the last a minute ago: W won, L lost."""
    return [
        replace(
            CLOSED_TRADE,
            trade_id=f"{letters}{n}",
            closed_ms=NOW_MS - (len(letters) - n) * MINUTE_MS,
            pnl_usdt=Decimal(1 if letter == "W" else -1),
            **changes,  # type: ignore[arg-type]
        )
        for n, letter in enumerate(letters)
    ]


def everything() -> Desk:
    """A desk whose history calls for all eight rules."""
    closed = [
        *ended("W" * 14 + "L" * 2, bot_id="other"),
        *ended("L" * 16, model="reversal", symbol="ADAUSDT", bot_id="other"),
        *ended("L", equity_usdt=Decimal(800)),
    ]
    return desk(memory=remember(closed))


def words_of(html: Html) -> str:
    """What a person reads."""
    return plain_text(html)


def test_an_account_without_lessons_says_so() -> None:
    """Nothing in force, of nothing."""
    said = words_of(memory(look(), desk()))
    assert said == "Memory · 0 closed trades of the account\n\nsignals\nNothing is in force."


def test_every_rule_says_why_and_until_when() -> None:
    """Eight lines: the demand, the evidence, whose trades, and an end where there is one."""
    said = words_of(memory(look(), everything()))
    lines = [line for line in said.splitlines() if line.startswith("•")]
    assert len(lines) == len(RULE_IDS) + 1  # two symbols are cold
    assert "• No entries: 2 losses in a row." not in said
    assert "The reversal model is off: 0 of its last 16 trades won. (the account's trades)" in said
    assert "Until 20" in said
    assert "to go." in said
    assert "goes first: 14 of its last 17 trades won. (the account's trades) While this" in said
    assert "Risk at most 0.5 % a trade: the wallet is 21.37 % below its peak of 1017.4584" in said
    assert "{" not in said


@pytest.mark.parametrize("language", ["en", "vi"])
def test_both_languages_have_every_sentence(language: str) -> None:
    """No placeholder is left over in any of them."""
    shown = everything()
    for verdict in verdicts_for(shown, shown.bots[BOT], NOW_MS):
        said = words_of(sentence(look(language), verdict))
        assert "{" not in said
        assert said.endswith((".", "…"))
    assert "{" not in words_of(risk(look(language), shown))


def test_what_is_switched_off_or_tuned_is_shown() -> None:
    """A rule that is not obeyed is named, and so is every number that differs from the sheet's."""
    changed = replace(
        from_preset(BOT, bot_id=BOT, user_id="u", account_id="a"),
        memory_off=("model_off",),
        memory_tuning=tuned(SHEET, "loss_streak_pause", "pause_hours", "6"),
    )
    said = words_of(memory(look(), replace(everything(), bots={BOT: changed}), BOT))
    assert "Switched off: model_off" in said
    assert "Tuned: loss_streak_pause.pause_hours = 6" in said
    assert "model is off" not in said


def test_a_verdict_is_told_in_the_readers_language() -> None:
    """The notice says what /memory says; when it holds no more, its plain fields."""
    closed = ended("LLL", symbol="ADAUSDT", bot_id="other")
    told = Tell(
        kind="memory_verdict",
        level=Level.WARNING,
        fields=(("rule", "loss_streak_pause"), ("bot", BOT), ("reason", "3 losses in a row")),
    )
    shown = desk(memory=remember(closed))
    assert "signals: No entries: 3 losses in a row." in words_of(notice(look(), told, None, shown))
    assert "thua 3 lần liên tiếp" in words_of(notice(look("vi"), told, None, shown))
    assert "A memory rule is in force." in words_of(notice(look(), told, None, desk()))


def test_the_limits_show_what_is_used() -> None:
    """Signals, trades, places, the day's loss, and memory's own limits beside the bot's."""
    shown = replace(
        everything(),
        trades={OPEN.trade_id: OPEN},
        day=DayCount(
            day=NOW_MS // 86_400_000,
            signals={BOT: 2},
            entries={BOT: 1},
            realized_usdt=Decimal("-12.5"),
        ),
    )
    lines = [" ".join(line.split()) for line in words_of(risk(look(), shown, BOT)).splitlines()]
    for line in (
        "signals · signals",
        "Signals today 2/5 memory: 2",
        "Trades today 1/10",
        "Open 1/1",
        "Account open 1/-",
        "Score at least 75 memory: 80",
        "Day's loss 12.50/50.00 USDT",
        "Risk a trade 1 % memory: 0.5 %",
        "Hours all day UTC now open",
    ):
        assert line in lines, lines


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_presets_limits_can_be_shown(name: str) -> None:
    """Also those of a bot that is shut now and sizes in its own way."""
    bot = from_preset(name, bot_id="b", user_id="u", account_id="a")
    said = words_of(risk(look(), desk(bots={"b": bot})))
    assert f"b · {name}" in said


def asked(argument: str) -> tuple[str, BotConfigured | None]:
    """What /set answers, and the change it asks for."""
    said, change = edit(look(), desk(), argument, "u1")
    return words_of(said), change


def test_a_bot_is_changed_by_one_field() -> None:
    """The answer says what it was and is; the event carries the whole configuration."""
    said, change = asked("signals leverage 7")
    assert said.startswith("signals: leverage was 5, is 7 from now on.")
    assert change is not None
    assert (change.config.leverage, change.by) == (7, "u1")
    said, change = asked("signals memory.model_off off")
    assert said.startswith("signals: memory.model_off was on, is off from now on.")
    assert change is not None
    said, change = asked("signals memory.model_off.off_hours 24")
    assert said.startswith("signals: memory.model_off.off_hours was 48, is 24 from now on.")


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("", "Say /set BOT FIELD VALUE. Bots: signals"),
        ("nobody leverage 3", "Say /set BOT FIELD VALUE."),
        ("signals leverage 126", "Refused: leverage is 126; allowed is 1 to 125."),
        ("signals leverage 5", "That is so already."),
        ("signals leverage", "leverage = 5\nleverage is '?'; allowed is a whole number from 1"),
        ("signals <b>x</b> 1", "is no field of a bot"),
        ("signals", "memory.loss_streak_pause.pause_hours = 12"),
        ("signals", "risk_pct = 1\n"),
    ],
)
def test_what_changes_nothing_says_what_is_and_what_is_allowed(argument: str, words: str) -> None:
    """A wrong field, a value out of range, or a question."""
    said, change = asked(argument)
    assert words in said
    assert change is None
