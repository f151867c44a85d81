"""What the pretend Telegram remembers stays bounded."""

import pytest

from bot.sandbox import telegram_state
from bot.sandbox.telegram_checks import Refused
from bot.sandbox.telegram_state import PERSON_ID, FileStore, TelegramState
from bot.shell.clock import VirtualClock
from tests.sandbox.telegram_world import NOON_MS, TOKEN


@pytest.fixture
def state() -> TelegramState:
    """A fresh memory with a clock that stands still."""
    return TelegramState(token=TOKEN, clock=VirtualClock(NOON_MS), now_s=lambda: 0.0)


async def test_old_messages_are_forgotten(
    state: TelegramState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beyond the limit the oldest message is gone and cannot be edited."""
    monkeypatch.setattr(telegram_state, "MESSAGES_MAX", 3)
    for number in range(5):
        state.say(PERSON_ID, PERSON_ID, f"m{number}")
    assert list(state.messages) == [3, 4, 5]
    with pytest.raises(Refused, match="gone"):
        state.message(PERSON_ID, 1, "gone")


async def test_a_crowd_of_strangers_cannot_push_out_the_owner(
    state: TelegramState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes, the bot can still reach its owner."""
    monkeypatch.setattr(telegram_state, "PERSONS_MAX", 5)
    for number in range(2_000, 2_020):
        state.say(number, number, "hi")
    assert state.chat(PERSON_ID)["id"] == PERSON_ID
    assert len(state.chats) == 5


async def test_a_quote_is_a_copy(state: TelegramState) -> None:
    """A chain of replies keeps one level, as Telegram sends it, and holds nothing else alive."""
    first = state.say(PERSON_ID, PERSON_ID, "one")
    second = state.say(PERSON_ID, PERSON_ID, "two", reply_to=first.message_id)
    third = state.say(PERSON_ID, PERSON_ID, "three", reply_to=second.message_id)
    quoted = third.wire()["reply_to_message"]
    assert quoted["text"] == "two"
    assert "reply_to_message" not in quoted


async def test_a_message_belongs_to_its_chat(state: TelegramState) -> None:
    """A right number in a wrong chat is not found."""
    sent = state.say(PERSON_ID, PERSON_ID, "one")
    state.person(7)
    with pytest.raises(Refused, match="message to edit not found"):
        state.message(7, sent.message_id, "message to edit not found")


def test_files_are_bounded_by_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest uploads go when the store weighs too much; ids stay distinct."""
    monkeypatch.setattr(telegram_state, "FILES_BYTES_MAX", 25)
    files = FileStore()
    kept = [files.add(b"0123456789", name="a.csv", picture=None) for _ in range(3)]
    assert len({item.file_id for item in kept}) == 3
    assert files.get(kept[0].file_id) is None
    assert files.at_path(kept[2].path) == kept[2]
