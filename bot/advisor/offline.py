"""The rules adviser behind the adviser's port: it needs no key, no network and no time.

Must not know: how the rules judge; that is `bot.advisor.rules`, which stays synchronous.
"""

from bot.advisor.rules import NAME, SCORE_THRESHOLD, decide_by_rules
from bot.core.messages import Question
from bot.shell.clock import Clock
from data.model import Decision


class RulesAdvisor:
    """`ports.Advisor` by the rules alone. Never abstains on a well-formed question."""

    def __init__(self, *, clock: Clock, score_threshold: float = SCORE_THRESHOLD) -> None:
        self._clock = clock
        self._score_threshold = score_threshold

    @property
    def name(self) -> str:
        """What decisions call this adviser."""
        return NAME

    async def decide(self, question: Question, deadline_ms: int) -> Decision:
        """Answer at once; a deadline cannot be missed here, so `deadline_ms` is not looked at."""
        return decide_by_rules(
            question, now_ms=self._clock.now_ms(), score_threshold=self._score_threshold
        )
