"""Every question is kept before its answer is used, whoever answers it.

The snapshot's text is kept under its own hash, which is the `snapshot_id` of the decision: who asks
why finds the very facts. Must not know: where it is kept, or what is answered.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from bot.advisor.answer import Doubt, Receipt, abstain
from bot.advisor.prompt import snapshot_text
from bot.core.messages import Question
from bot.shell.ports import Advisor
from data.model import Decision

SNAPSHOT: Final = "snapshot"
Kept = Callable[[str, str], Awaitable[bool]]  # (kind, text) -> whether it is durable now


class RecordingAdvisor:
    """`ports.Advisor` around any other. What cannot be kept is not acted upon."""

    def __init__(self, advisor: Advisor, *, keep: Kept) -> None:
        self._advisor = advisor
        self._keep = keep

    @property
    def name(self) -> str:
        """What decisions call the adviser inside."""
        return self._advisor.name

    async def decide(self, question: Question, deadline_ms: int) -> Decision:
        """The answer, once the question is durable; both go on side by side."""
        keeping = asyncio.ensure_future(self._keep(SNAPSHOT, snapshot_text(question)))
        try:
            decision = await self._advisor.decide(question, deadline_ms)
        except BaseException:
            keeping.cancel()
            raise
        if await keeping:
            return decision
        receipt = Receipt(
            now_ms=decision.decided_ms,
            advisor=decision.advisor,
            model_version=decision.model_version,
            cost_usd=decision.cost_usd,
            answer_id=decision.answer_id,
        )
        return abstain(question, Doubt.FAULT, "the question could not be kept", receipt)
