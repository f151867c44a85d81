"""What an answer costs, by a dated table, to the last digit."""

from decimal import Decimal

import pytest

from bot.advisor.budget import (
    DAY_MS,
    HOUR_MS,
    PRICES,
    YEAR_2027_MS,
    Usage,
    cost_usd_of,
    estimate_usd,
    price_of,
    prices_of,
    quota_resets_ms,
    tokens_of,
    worst_usd,
)

NOW_2026_MS = YEAR_2027_MS - DAY_MS


def test_cost_is_exact_and_thinking_is_output() -> None:
    """3,000 in, of which 1,000 cached, and 600 + 400 out on the default model in 2026."""
    usage = Usage(prompt=3000, cached=1000, output=600, thoughts=400)
    # 2000 x 0.75 + 1000 x 0.075 + 1000 x 3.75 = 1500 + 75 + 3750, for a million.
    assert cost_usd_of("gemini-3.8-flash", usage, NOW_2026_MS) == Decimal("0.005325")


def test_a_price_changes_on_its_day() -> None:
    """The promotion ends with 2026: the first millisecond of 2027 costs double."""
    usage = Usage(output=1_000_000)
    assert cost_usd_of("gemini-3.8-flash", usage, YEAR_2027_MS - 1) == Decimal("3.75")
    assert cost_usd_of("gemini-3.8-flash", usage, YEAR_2027_MS) == Decimal("7.50")


@pytest.mark.parametrize(
    ("model", "row"),
    [
        ("gemini-3.5-flash-lite", "gemini-3.5-flash-lite"),
        ("models/gemini-3.5-flash-002", "gemini-3.5-flash"),
        ("something-new", "gemini-3.1-pro"),
    ],
)
def test_the_longest_name_wins_and_the_unknown_is_dear(model: str, row: str) -> None:
    """A lite model is not charged as its big brother, a new one as the dearest."""
    assert price_of(model, NOW_2026_MS).model == row


def test_nonsense_usage_costs_nothing_negative() -> None:
    """A reply that counts backwards, or caches more than was sent, earns nobody money."""
    assert cost_usd_of("gemini-3.8-flash", Usage(prompt=-5, cached=9, output=-1), 0) == 0


def test_an_unanswered_call_is_charged_its_input() -> None:
    """3,000 characters are taken for 1,000 tokens at 0.75 a million."""
    assert estimate_usd("gemini-3.8-flash", 3000, NOW_2026_MS) == Decimal("0.00075")
    assert estimate_usd("gemini-3.8-flash", 0, NOW_2026_MS) == 0


@pytest.mark.parametrize(("hour", "reset_day", "reset_hour"), [(3, 0, 8), (8, 1, 8), (20, 1, 8)])
def test_a_daily_quota_is_back_after_midnight_pacific(
    hour: int, reset_day: int, reset_hour: int
) -> None:
    """08:00 UTC is past midnight there in summer and winter."""
    day_ms = NOW_2026_MS - NOW_2026_MS % DAY_MS
    resets_ms = day_ms + reset_day * DAY_MS + reset_hour * HOUR_MS
    assert quota_resets_ms(day_ms + hour * HOUR_MS) == resets_ms


def test_the_worst_case_is_nothing_cached_and_every_token_used() -> None:
    """3,000 in at 0.75 and 4,096 out at 3.75 a million."""
    worst = worst_usd("gemini-3.8-flash", 3000, 4096, NOW_2026_MS - DAY_MS)
    assert worst == Decimal("0.01761")
    # On the last day of the promotion a call may end in the next year, at double the price.
    assert worst_usd("gemini-3.8-flash", 3000, 4096, NOW_2026_MS) == 2 * worst


def test_tokens_are_estimated_on_the_high_side() -> None:
    """A digit is one token, three other bytes are; a letter beyond ASCII has all its bytes."""
    assert (tokens_of("0.12345"), tokens_of("12"), tokens_of("ab1")) == (7, 2, 2)
    assert (tokens_of(""), tokens_of("abcd"), tokens_of("\u20ac" * 3)) == (0, 2, 3)


def test_rows_of_ones_own_add_to_the_table_and_replace_it() -> None:
    """A new model, and a known one at another price from a day on."""
    prices = prices_of("gemini-4-flash=1.00/5, gemini-3.8-flash=2/9@2026-06-01")
    assert price_of("gemini-4-flash-001", 0, prices).output_usd == 5
    assert price_of("gemini-3.8-flash", NOW_2026_MS, prices).output_usd == 9
    assert price_of("gemini-3.8-flash", 0, prices).output_usd == Decimal("3.75")
    assert price_of("gemini-3.8-flash", NOW_2026_MS).output_usd == Decimal("3.75")
    assert prices_of("") == PRICES


@pytest.mark.parametrize(
    "text",
    ["x", "x=1", "=1/2", "x=1/", "x=a/b", "x=-1/2", "x=NaN/2", "x=1/99999", "x=1/2@soon"],
)
def test_a_row_that_is_no_price_is_refused_with_what_is_allowed(text: str) -> None:
    """The sentence names the row."""
    with pytest.raises(ValueError, match=r"is no price; allowed is MODEL=IN/OUT@YYYY-MM-DD"):
        prices_of(f"gemini-4=1/2,{text}")
