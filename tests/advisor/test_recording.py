"""Every question is durable before its answer is used, the rules' too."""

import asyncio
from dataclasses import dataclass, field
from hashlib import sha256

import msgspec
import pytest

from bot.advisor.offline import RulesAdvisor
from bot.advisor.prompt import snapshot_id_of, snapshot_text
from bot.advisor.recording import RecordingAdvisor
from bot.core.messages import Question
from bot.shell.clock import VirtualClock
from data.model import Action, Decision
from tests.advisor.cases import MANAGING, NOW_MS, OPENING


@dataclass
class Shelf:
    """Keeps documents when it is let, or says that it cannot."""

    works: bool = True
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    kept: list[tuple[str, str]] = field(default_factory=list)

    async def keep(self, kind: str, text: str) -> bool:
        await self.gate.wait()
        self.kept.append((kind, text))
        return self.works


def adviser(shelf: Shelf) -> RecordingAdvisor:
    """The rules behind a shelf."""
    return RecordingAdvisor(RulesAdvisor(clock=VirtualClock(NOW_MS)), keep=shelf.keep)


async def test_no_answer_is_handed_on_before_its_question_is_durable() -> None:
    """The rules answer at once, and wait for the disk all the same."""
    shelf = Shelf()
    asking = asyncio.create_task(adviser(shelf).decide(OPENING, NOW_MS + 1_000))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not asking.done()
    shelf.gate.set()
    decision = await asking
    ((kind, text),) = shelf.kept
    assert kind == "snapshot"
    assert sha256(text.encode()).hexdigest() == decision.snapshot_id
    assert decision.action is Action.OPEN_POSITION


async def test_a_question_that_cannot_be_kept_opens_nothing() -> None:
    """A decision nobody could explain is not made."""
    shelf = Shelf(works=False)
    shelf.gate.set()
    decision = await adviser(shelf).decide(OPENING, NOW_MS + 1_000)
    assert decision.abstained == "fault: the question could not be kept"


@pytest.mark.parametrize("question", [OPENING, MANAGING], ids=["open", "manage"])
def test_a_kept_question_reads_back_as_the_same_question(question: Question) -> None:
    """Equal, with the same text and the same id: a replay asks what was asked."""
    text = snapshot_text(question)
    again = msgspec.json.decode(text.encode(), type=Question)
    assert again == question
    assert snapshot_text(again) == text
    assert snapshot_id_of(again) == snapshot_id_of(question)


async def test_a_cancelled_question_cancels_its_keeping() -> None:
    """Nothing is left running behind a service that stops."""

    class Hanging:
        name = "gemini"

        async def decide(self, question: Question, deadline_ms: int) -> Decision:
            await asyncio.Event().wait()
            raise AssertionError

    shelf = Shelf()
    asking = asyncio.create_task(
        RecordingAdvisor(Hanging(), keep=shelf.keep).decide(OPENING, NOW_MS + 1_000)
    )
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == 1
