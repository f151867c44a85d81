"""How often and how many at once: five together, one a bot, thirty seconds between."""

import asyncio
from dataclasses import dataclass, field, replace

from bot.advisor.answer import Doubt, Receipt, abstain
from bot.advisor.paced import AT_ONCE_MAX, PAUSE_MS, PacedAdvisor
from bot.core.messages import Question
from bot.shell.clock import VirtualClock
from data.model import Decision
from tests.advisor.cases import MANAGING, NOW_MS, OPENING


@dataclass
class Slow:
    """An adviser that answers when it is let go."""

    clock: VirtualClock
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[str] = field(default_factory=list)
    at_once: int = 0
    most: int = 0
    name: str = "gemini"

    async def decide(self, question: Question, deadline_ms: int) -> Decision:
        self.asked.append(question.bot_id)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.gate.wait()
        finally:
            self.at_once -= 1
        return replace(_said(question), decided_ms=self.clock.now_ms())


def _said(question: Question) -> Decision:
    return abstain(question, Doubt.TIMEOUT, "said", Receipt(now_ms=NOW_MS))


def world() -> tuple[PacedAdvisor, Slow, VirtualClock]:
    """A paced adviser at a standing clock."""
    clock = VirtualClock(NOW_MS)
    slow = Slow(clock)
    return PacedAdvisor(slow, clock=clock), slow, clock


def of(bot: str, question: Question = OPENING, trade: str = "t1") -> Question:
    """A question of another bot."""
    return replace(question, bot_id=bot, trade_id=trade)


async def settled() -> None:
    """Let every task run as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_five_analyses_run_at_once_and_the_sixth_waits() -> None:
    """Nine bots ask in the same instant: five run, the others follow."""
    paced, slow, _ = world()
    tasks = [asyncio.create_task(paced.decide(of(f"b{n}"), NOW_MS + 30_000)) for n in range(9)]
    await settled()
    assert (len(slow.asked), slow.at_once) == (AT_ONCE_MAX, AT_ONCE_MAX)
    slow.gate.set()
    await asyncio.gather(*tasks)
    assert (len(slow.asked), slow.most) == (9, AT_ONCE_MAX)


async def test_a_bot_has_one_analysis_under_way() -> None:
    """Its second question is skipped, and says so; another bot's is not."""
    paced, slow, clock = world()
    first = asyncio.create_task(paced.decide(of("b1"), NOW_MS + 90_000))
    await settled()
    clock.advance_to(NOW_MS + PAUSE_MS + 1)
    second = await paced.decide(of("b1"), NOW_MS + 90_000)
    assert second.skipped
    assert second.abstained == "skipped: an analysis of this bot is under way"
    slow.gate.set()
    assert not (await first).skipped
    assert (slow.asked, paced.skipped) == (["b1"], 1)


async def test_an_analysis_within_thirty_seconds_of_the_last_is_skipped() -> None:
    """29,999 ms: skipped; 30,000 ms: asked. A skip does not begin the time anew."""
    paced, slow, clock = world()
    slow.gate.set()
    assert not (await paced.decide(of("b1"), NOW_MS + 90_000)).skipped
    for ms in (1, 15_000, PAUSE_MS - 1):
        clock.advance_to(NOW_MS + ms)
        told = await paced.decide(of("b1"), NOW_MS + 90_000)
        assert told.skipped, ms
        assert told.abstained.startswith("skipped: the last analysis began ")
    clock.advance_to(NOW_MS + PAUSE_MS)
    assert not (await paced.decide(of("b1"), NOW_MS + 90_000)).skipped
    assert len(slow.asked) == 2


async def test_a_review_waits_for_its_bots_turn_and_is_not_skipped_for_another() -> None:
    """Two positions of one bot are looked at one after the other, in the same seconds."""
    paced, slow, _ = world()
    questions = [of("b1", MANAGING, trade) for trade in ("t1", "t2")]
    tasks = [asyncio.create_task(paced.decide(q, NOW_MS + 30_000)) for q in questions]
    await settled()
    assert slow.at_once == 1
    slow.gate.set()
    told = await asyncio.gather(*tasks)
    assert not any(one.skipped for one in told)
    assert (slow.most, len(slow.asked)) == (1, 2)
    assert (await paced.decide(questions[0], NOW_MS + 30_000)).skipped


async def test_a_turn_that_does_not_come_in_time_is_an_abstention() -> None:
    """Not a skip: it was to be asked, and nobody could."""
    paced, slow, _ = world()
    tasks = [asyncio.create_task(paced.decide(of(f"b{n}"), NOW_MS + 10**6)) for n in range(5)]
    await settled()
    told = await paced.decide(of("late"), NOW_MS + 10)
    assert told.abstained == "busy: other analyses took all the time"
    assert not told.skipped
    slow.gate.set()
    await asyncio.gather(*tasks)
    assert len(slow.asked) == 5


async def test_a_cancelled_question_leaves_its_place_to_others() -> None:
    """A service that stops, or a deadline in the line: nothing is held for nobody."""
    paced, slow, _ = world()
    tasks = [asyncio.create_task(paced.decide(of(f"b{n}"), NOW_MS + 10**6)) for n in range(7)]
    await settled()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    slow.gate.set()
    told = [paced.decide(of(f"c{n}"), NOW_MS + 30_000) for n in range(7)]
    await asyncio.gather(*told)
    assert len(slow.asked) == 5 + 7
