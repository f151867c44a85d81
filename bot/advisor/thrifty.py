"""A model within its day's budget: fewer symbols, a cheaper model, then the rules alone.

Must not know: prices, or how often anybody is asked. What the rules answer in a model's place says
so in its first reason.
"""

from collections.abc import Callable, Collection
from dataclasses import replace

from bot.advisor.answer import Doubt
from bot.advisor.prompt import REASONS_MAX
from bot.advisor.purse import Purse, Step
from bot.core.messages import Level, Question, Tell
from bot.shell.ports import Advisor
from data.model import Decision
from data.money import ZERO


class ThriftyAdvisor:
    """`ports.Advisor`: `model` while the purse lets it, else `rules`."""

    def __init__(
        self, *, model: Advisor, rules: Advisor, purse: Purse, always: Collection[str]
    ) -> None:
        self._model = model
        self._rules = rules
        self._purse = purse
        self._always = frozenset(always)  # symbols that stay with the model when money is short
        self._step = Step.FULL
        self.on_tell: Callable[[Tell], None] = _nobody

    @property
    def name(self) -> str:
        """What decisions call the model inside."""
        return self._model.name

    async def decide(self, question: Question, deadline_ms: int) -> Decision:
        """The model's answer, or the rules' where there is no money for the model's."""
        await self._purse.open()
        step = self._purse.step(question.user_id)
        decision = None
        if step is Step.FULL or (step is not Step.RULES and self._stays(question)):
            decision = await self._model.decide(question, deadline_ms)
            if decision.abstained.startswith(f"{Doubt.BUDGET.value}:"):
                decision = None
        self._say(question.user_id)
        if decision is not None:
            return decision
        told = await self._rules.decide(question, deadline_ms)
        why = f"The rules answer: {self._purse.told(question.user_id)}."
        return replace(told, reasons=(why, *told.reasons)[:REASONS_MAX])

    def _stays(self, question: Question) -> bool:
        holds = question.position_quantity != ZERO
        return holds or question.purpose == "manage" or question.symbol in self._always

    def _say(self, user_id: str) -> None:
        step = self._purse.step(user_id)
        if step is self._step:
            return
        self._step = step
        level = Level.WARNING if step in (Step.CHEAPER, Step.RULES) else Level.INFO
        fields = (("step", step.value), ("what", self._purse.told(user_id)))
        self.on_tell(Tell(kind="ai_budget", level=level, fields=fields))


def _nobody(told: Tell) -> None:
    del told
