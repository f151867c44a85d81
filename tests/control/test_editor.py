"""Bots and their directives from the chat: made, shown, changed, told, taken back, deleted."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from bot.control.handlers import COMMANDS
from bot.control.html import plain_text
from bot.control.views.directives import directives, of_notice, refusal
from bot.control.views.making import bot_page
from bot.core import desk as core
from bot.core.directives import ALLOWED, Bias, Directives, Versions
from bot.core.messages import BotConfigured, BotSwitched, DecisionArrived, Event, Tell
from bot.core.presets import AiMode, BotConfig
from bot.core.ruling.directing import MODEL
from bot.core.trade import Phase
from bot.sandbox.telegram_server import TelegramSandbox
from bot.shell.clock import VirtualClock
from data.model import Action
from data.store.rows import UserRole
from tests.control.samples import DECISION, NOW_MS, OPEN, WAITING, Stage, desk, look
from tests.control.test_telegram import TOKEN, Person, Room, living, until


class Trading(Stage):
    """A stage whose desk is the real one: events are stepped, notices go to the room."""

    room: Room | None = None

    def sink(self, event: Event) -> None:
        """Step the desk and tell what it says."""
        super().sink(event)
        done = core.step(self.desk, event, NOW_MS + 20_000)
        self.desk = done.desk
        for command in done.commands:
            if isinstance(command, Tell) and self.room is not None:
                self.room.control.tell(command, None, done.desk)


class Chat:
    """One chat with one desk behind it."""

    def __init__(self, folder: Path, stage: Trading) -> None:
        self.stage = stage
        self.clock = VirtualClock(NOW_MS + 10_000)
        self.sandbox = TelegramSandbox(token=TOKEN, clock=self.clock, pace=1000.0)
        self._folder = folder

    @asynccontextmanager
    async def life(self) -> AsyncIterator[Person]:
        """The control room running, with somebody in front of it."""
        async with (
            aiohttp.ClientSession() as http,
            living(self._folder, self.stage, self.sandbox, self.clock) as room,
        ):
            self.stage.room = room
            yield Person(http, self.sandbox.address.base_url)


@pytest.fixture
async def chat(tmp_path: Path) -> AsyncIterator[Chat]:
    """A desk with the one bot `signals`, which runs."""
    found = Chat(tmp_path, Trading(desk()))
    await found.sandbox.start(0)
    yield found
    await found.sandbox.stop()


def config_of(chat: Chat, bot_id: str) -> BotConfig:
    """A bot as the desk has it."""
    return chat.stage.desk.bots[bot_id]


async def test_a_bot_is_made_from_a_preset_and_begins_paused(chat: Chat) -> None:
    """Name, preset and symbols are checked first; nothing runs before somebody resumes it."""
    async with chat.life() as person:
        await person.say("/newbot")
        await person.see("Presets: ", "multi")
        await person.say("/newbot Swing! multi")
        await person.see("Refused: bot_id is 'Swing!'; use 1 to")
        await person.say("/newbot swing nosuch")
        await person.see("preset is 'nosuch'; allowed is", "scalper")
        await person.say("/newbot swing multi BTCUSDT,b@d")
        await person.see("symbols is 'BD'")
        assert not chat.stage.events
        await person.say("/newbot swing multi BTCUSDT,ethusdt")
        await person.see("Made swing like multi, on BTCUSDT, ETHUSDT. It is paused")
        assert config_of(chat, "swing").symbols == ("BTCUSDT", "ETHUSDT")
        assert config_of(chat, "swing").account_id == chat.stage.desk.account_id
        assert "swing" not in chat.stage.desk.running
        await person.say("/newbot swing multi")
        await person.see("There is a bot swing already.")
        await person.say("/resume swing")
        await person.see("Resuming swing")
        assert "swing" in chat.stage.desk.running


async def test_what_risks_more_is_asked_about_and_what_risks_less_is_not(chat: Chat) -> None:
    """A lower leverage counts at once, a higher one after a second tap, an absurd one never."""
    async with chat.life() as person:
        await person.say("/bot signals leverage 999")
        await person.see("leverage is 999; allowed is 1 to 125.")
        await person.say("/bot signals leverage 3")
        await person.see("leverage was 5, is 3 from now on")
        await person.say("/bot signals leverage 7")
        question = await person.see("lets signals risk more", "leverage: 3 → 7")
        assert config_of(chat, "signals").leverage == 3
        for _ in range(2):
            await person.toast(await person.tap(question, "Yes, change it"))
        await person.see("signals: leverage is changed")
        assert config_of(chat, "signals").leverage == 7
        assert len(chat.stage.of_kind(BotConfigured)) == 2
        await person.say("/bot signals ai_mode adaptive")
        await person.tap(await person.see("ai_mode: executor → adaptive"), "Yes, change it")
        await until(lambda: config_of(chat, "signals").ai_mode is AiMode.ADAPTIVE)
        await person.say("/bot signals")
        await person.see("adaptive: the adviser sizes", "Other than its preset:", "leverage = 7")


async def test_a_bot_changed_since_the_question_is_not_changed_unseen(chat: Chat) -> None:
    """The button holds the configuration that was shown."""
    async with chat.life() as person:
        await person.say("/set signals risk_pct 2")
        question = await person.see("risk_pct: 1 → 2")
        await person.say("/set signals timeframe 1h")
        await person.see("is 1h from now on")
        await person.tap(question, "Yes, change it")
        await person.see("changed meanwhile")
        assert config_of(chat, "signals").risk_pct == 1
        await person.say("/set signals risk_pct 3")
        await person.tap(await person.see("risk_pct: 1 → 3"), "Cancel")
        await person.see("Nothing was done.")
        assert config_of(chat, "signals").risk_pct == 1


async def test_directives_are_told_shown_and_taken_back(chat: Chat) -> None:
    """Each change is announced with what differs, and one tap brings back what was before."""
    async with chat.life() as person:
        await person.say("/directives signals leverage_max 500")
        await person.see("leverage_max is '500'; allowed is a whole number from 1 to 125.")
        await person.say("/directives signals mood good")
        await person.see("'mood' is no directive; known: bias, timeframes")
        assert not chat.stage.events
        await person.say("/directives signals bias long")
        await person.see("Directives of signals: version 1, by Lan", "bias: neutral → long")
        await person.say("/directives signals notes wait for a retest")
        await person.see("version 2", "notes: - → wait for a retest")
        await person.say("/directives")
        await person.see("Directives of signals, version 2", "bias = long", "cannot change")
        await person.say("/directives signals bias -")
        told = await person.see("version 3", "bias: long → neutral")
    async with chat.life() as person:  # The button outlives the process.
        await person.toast(await person.tap(told, "Revert"))
        await person.see("version 4", "bias: neutral → long")
        current = chat.stage.desk.directives["signals"].current
        assert current == Directives(bias=Bias.LONG, notes="wait for a retest")
        await person.tap(told, "Revert")
        await person.say("/directives signals revert 1")
        await person.see("version 5", "notes: wait for a retest → -")
        assert chat.stage.desk.directives["signals"].number == 5, "a used button does nothing"
        await person.say("/directives signals revert 99")
        await person.see("That version is not kept. Kept: 1, 2, 3, 4, 5")


async def test_a_models_change_is_announced_with_what_was_not_taken(chat: Chat) -> None:
    """In a teaching mode a person reads what the adviser changed, and may take it back once."""
    evaluating = replace(WAITING, phase=Phase.EVALUATING, decision=None, plan=None)
    bot = replace(chat.stage.desk.bots["signals"], ai_mode=AiMode.MECHANICAL)
    chat.stage.desk = replace(
        chat.stage.desk,
        bots={"signals": bot},
        trades={evaluating.trade_id: evaluating},
    )
    updates = (("bias", "short"), ("leverage_max", "50"), ("notes", "see @pump www.evil.example"))
    answer = replace(DECISION, action=Action.DO_NOTHING, directive_updates=updates)
    async with chat.life() as person:
        chat.stage.sink(
            DecisionArrived(
                trade_id=evaluating.trade_id,
                decision=answer,
                mark_price=DECISION.entry_price or WAITING.instrument.tick_size,
                mark_ms=NOW_MS,
            )
        )
        told = await person.see("version 1, by the adviser", "bias: neutral → short")
        assert "Not taken: leverage_max is 50; the owner allows at most 5." in told["text"]
        assert "notes: - → see pump […]" in told["text"]
        await person.say("/directives signals bias long")
        await person.see("version 2, by Lan")
        await person.tap(told, "Revert")
        await person.see("stay as they are", "version 2 is in force now, not 1")
        assert chat.stage.desk.directives["signals"].current.bias is Bias.LONG


async def test_deleting_asks_first_and_keeps_a_bot_with_a_trade(chat: Chat) -> None:
    """Whose trade is at work is only paused; without one it is gone, in /bots too."""
    chat.stage.put(OPEN)
    async with chat.life() as person:
        await person.say("/deletebot nobody")
        await person.see("There is no bot nobody")
        await person.say("/deletebot signals")
        await person.tap(await person.see("Delete signals?"), "Yes, delete it")
        await person.see("paused, not deleted")
        assert chat.stage.desk.running == ()
        chat.stage.put()
        await person.see("Deleting signals.")  # The first question has become this.
        await person.say("/deletebot signals")
        await person.tap(await person.see("Delete signals?"), "Yes, delete it")
        await until(lambda: not chat.stage.desk.bots)


# ------------------------------------------------------------------------------------ views


@pytest.mark.parametrize("field", ALLOWED)
def test_what_is_allowed_is_said_in_the_reader_s_language(field: str) -> None:
    """One truth about ranges: the core's, said again."""
    refused = refusal(look("vi"), Directives(), field, "?" * 600)
    assert refused is not None
    said = plain_text(refused)
    assert field in said
    assert "được phép" in said
    assert not re.search(r"\b(at|most|whole|number|to)\b", said)


@pytest.mark.parametrize("language", ["en", "vi"])
def test_pages_and_refusals_exist_in_both_languages(language: str) -> None:
    """Every mode, a full set of directives, a change and a refusal can be drawn."""
    told = Directives(
        bias=Bias.SHORT, leverage_max=2, entry_words=("retest", "volume"), notes="quiet"
    )
    versions = Versions().with_next(told, set_ms=NOW_MS, by=MODEL)
    versions = versions.with_next(Directives(), set_ms=NOW_MS, by="owner", reverts=0)
    state = desk(directives={"signals": versions})
    for mode in AiMode:
        bot = replace(state.bots["signals"], ai_mode=mode)
        shown = replace(state, bots={"signals": bot})
        assert mode.value in plain_text(directives(look(language), shown, "signals"))
        assert mode.value in plain_text(bot_page(look(language), shown, "signals"))
    said = plain_text(of_notice(look(language), {"bot": "signals", "version": "1"}, state))
    assert "bias: neutral → short" in said
    refused = refusal(look(language), told, "bias", "up")
    assert refused is not None
    assert ("allowed is" in plain_text(refused)) == (language == "en")


def test_a_viewer_may_look_but_not_tell() -> None:
    """/bot and /directives are open to everyone, what makes or deletes is not."""
    roles = {command.name: command.roles for command in COMMANDS}
    assert UserRole.VIEWER in roles["bot"]
    assert UserRole.VIEWER in roles["directives"]
    for name in ("newbot", "deletebot", "set"):
        assert UserRole.VIEWER not in roles[name]


def test_events_name_who_did_it(chat: Chat) -> None:
    """A switch of a stage that nobody looks at steps the desk all the same."""
    chat.stage.sink(BotSwitched(bot_id="signals", running=False, by="owner"))
    assert chat.stage.desk.running == ()
