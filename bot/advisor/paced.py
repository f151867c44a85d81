"""How often and how many at once a model is asked, for all bots together.

At most five analyses run at a time; a further one waits within its deadline. A bot has one under
way: a question about an entry is skipped while there is one, and within 30 seconds (exchange time)
of the bot's last. Skipping is told as such, and is nobody's doubt. Reviews of what is held are not
skipped for another's sake: they wait for their bot's turn, and only the same position's own second
review within that time is left out. Must not know: which model, or what it costs.
"""

import asyncio
from typing import Final

from bot.advisor.answer import Doubt, Receipt, abstain
from bot.core.messages import Question
from bot.shell.clock import Clock
from bot.shell.ports import Advisor
from data.model import Decision

AT_ONCE_MAX: Final = 5
PAUSE_MS: Final = 30_000
KEPT_MAX: Final = 2_000  # moments remembered; those older than the pause are forgotten first


class PacedAdvisor:
    """`ports.Advisor` around a model. `skipped` counts what was not asked."""

    def __init__(
        self,
        advisor: Advisor,
        *,
        clock: Clock,
        at_once: int = AT_ONCE_MAX,
        pause_ms: int = PAUSE_MS,
    ) -> None:
        self._advisor = advisor
        self._clock = clock
        self._pause_ms = pause_ms
        self._places = asyncio.Semaphore(at_once)
        self._turns: dict[str, asyncio.Lock] = {}
        self._asked_ms: dict[str, int] = {}
        self.skipped = 0

    @property
    def name(self) -> str:
        """What decisions call the adviser inside."""
        return self._advisor.name

    async def decide(self, question: Question, deadline_ms: int) -> Decision:
        """The model's answer; a skip; or an abstention when its turn does not come in time."""
        now_ms = self._clock.now_ms()
        turn = self._turns.setdefault(question.bot_id, asyncio.Lock())
        if why := self._why_not(question, turn, now_ms):
            return self._skip(question, why)
        self._remember(_subject(question), now_ms)
        wall_s = (deadline_ms - now_ms) / 1000 / self._clock.speed
        try:
            async with asyncio.timeout(max(0.0, wall_s)):
                await turn.acquire()
                try:
                    await self._places.acquire()
                except BaseException:
                    turn.release()
                    raise
        except TimeoutError:
            receipt = Receipt(now_ms=self._clock.now_ms(), advisor=self.name)
            return abstain(question, Doubt.BUSY, "other analyses took all the time", receipt)
        try:
            return await self._advisor.decide(question, deadline_ms)
        finally:
            self._places.release()
            turn.release()

    def _why_not(self, question: Question, turn: asyncio.Lock, now_ms: int) -> str:
        if question.purpose == "open" and turn.locked():
            return "an analysis of this bot is under way"
        ago_ms = now_ms - self._asked_ms.get(_subject(question), now_ms - self._pause_ms)
        if 0 <= ago_ms < self._pause_ms:
            return f"the last analysis began {ago_ms / 1000:.1f} s ago"
        return ""

    def _skip(self, question: Question, why: str) -> Decision:
        self.skipped += 1
        receipt = Receipt(now_ms=self._clock.now_ms(), advisor=self.name)
        return abstain(question, Doubt.SKIPPED, why, receipt)

    def _remember(self, subject: str, now_ms: int) -> None:
        if len(self._asked_ms) >= KEPT_MAX:
            since_ms = now_ms - self._pause_ms
            self._asked_ms = {k: ms for k, ms in self._asked_ms.items() if ms > since_ms}
        self._asked_ms[subject] = now_ms


def _subject(question: Question) -> str:
    if question.purpose == "open":
        return f"open {question.bot_id}"
    return f"{question.purpose} {question.bot_id} {question.trade_id}"
