"""The benchmark of an analysis measures one that really opens."""

from bot.advisor.prompt import PROMPT_TOKENS_MAX
from bot.replay import bench_advice


def test_what_is_measured_is_a_decision_that_opens_within_the_prompts_bound() -> None:
    """A refusal would be quick, and prove nothing; a cached prefix is cheaper."""
    told = bench_advice.measure(runs=3)
    assert told.opened
    assert told.static_tokens < told.tokens <= PROMPT_TOKENS_MAX
    assert told.cached_usd < told.cost_usd
