"""A day's money for models: set aside before, booked after, durable, and never overrun."""

import asyncio
import json
from decimal import Decimal

import pytest

from bot.advisor.budget import DAY_MS
from bot.advisor.purse import Step
from tests.advisor.purses import Note, purse_of

USD = Decimal("0.10")


async def spend(purse, usd: Decimal, user: str = "u1") -> None:  # type: ignore[no-untyped-def]
    """One request that cost so much."""
    ticket = await purse.reserve(user, usd)
    assert ticket is not None, f"{usd} does not fit"
    purse.settle(ticket, usd)


async def test_what_is_set_aside_is_durable_before_the_request() -> None:
    """A crash in the middle of a call leaves the whole reservation spent."""
    note = Note()
    purse = await purse_of(note)
    assert await purse.reserve("u1", USD) is not None
    assert note.text is not None
    assert json.loads(note.text)["spent"] == {"u1": "0.10"}
    again = await purse_of(note)
    assert again.spent_usd() == USD


async def test_what_was_not_needed_is_free_again() -> None:
    """Ten cents aside, one cent spent: ninety-nine are left, also after a restart."""
    note = Note()
    purse = await purse_of(note)
    ticket = await purse.reserve("u1", USD)
    assert ticket is not None
    purse.settle(ticket, Decimal("0.01"))
    purse.settle(ticket, Decimal("0.50"))  # a second word on the same request counts nothing
    await purse.close()
    assert purse.spent_usd() == Decimal("0.01")
    assert (await purse_of(note)).spent_usd() == Decimal("0.01")


async def test_calls_side_by_side_cannot_overrun_the_budget() -> None:
    """Thirty at once want ten cents each of one dollar: ten get it."""
    purse = await purse_of(Note())
    tickets = await asyncio.gather(*(purse.reserve("u1", USD) for _ in range(30)))
    assert sum(ticket is not None for ticket in tickets) == 10
    assert purse.spent_usd() == Decimal(1)
    assert purse.step("u1") is Step.RULES


@pytest.mark.parametrize(
    ("spent", "step"),
    [
        ("0", Step.FULL),
        ("0.59", Step.FULL),
        ("0.60", Step.FEWER),
        ("0.79", Step.FEWER),
        ("0.80", Step.CHEAPER),
        ("0.99", Step.CHEAPER),
        ("1", Step.RULES),
    ],
)
async def test_steps_follow_the_share_that_is_spent(spent: str, step: Step) -> None:
    """60 %: fewer symbols; 80 %: the cheaper model; all of it: rules only."""
    purse = await purse_of(Note())
    await spend(purse, Decimal(spent))
    assert purse.step("u1") is step
    words = purse.told("u1")
    assert words.startswith(f"{Decimal(spent):.2f} of 1.00 USD today")
    assert words.endswith(step.value) is (step is not Step.FULL)


async def test_a_request_that_does_not_fit_means_rules_until_something_is_free() -> None:
    """95 cents spent or aside, ten wanted: rules. The call turns out cheap: a model again."""
    purse = await purse_of(Note())
    ticket = await purse.reserve("u1", Decimal("0.95"))
    assert ticket is not None
    assert await purse.reserve("u1", USD) is None
    assert purse.step("u1") is Step.RULES
    purse.settle(ticket, Decimal("0.10"))
    assert purse.step("u1") is Step.FULL
    assert await purse.reserve("u1", USD) is not None


async def test_one_users_limit_is_not_anothers() -> None:
    """A user has twenty cents of the service's dollar; another still has theirs."""
    purse = await purse_of(Note(), user="0.20")
    await spend(purse, Decimal("0.20"), "u1")
    assert await purse.reserve("u1", Decimal("0.01")) is None
    assert purse.step("u1") is Step.RULES
    assert await purse.reserve("u2", USD) is not None


async def test_the_services_limit_binds_every_user() -> None:
    """Ten users of fifty cents share one dollar."""
    purse = await purse_of(Note(), user="0.50")
    got = [await purse.reserve(f"u{n}", Decimal("0.20")) for n in range(10)]
    assert sum(ticket is not None for ticket in got) == 5


async def test_a_new_day_begins_at_midnight_utc_with_nothing_spent() -> None:
    """To the millisecond; what is under way then is booked on the new day."""
    note = Note(now_ms=10 * DAY_MS - 1)
    purse = await purse_of(note)
    await spend(purse, Decimal("0.50"))
    late = await purse.reserve("u1", USD)
    assert late is not None
    note.now_ms += 1
    assert purse.spent_usd() == USD
    purse.settle(late, Decimal("0.02"))
    assert purse.spent_usd() == Decimal("0.02")


async def test_yesterdays_note_is_not_todays() -> None:
    """A restart on the next day starts from nothing; on the same day it does not."""
    note = Note()
    await spend(await purse_of(note), Decimal("0.70"))
    assert (await purse_of(note)).step("u1") is Step.FEWER
    note.now_ms += DAY_MS
    assert (await purse_of(note)).step("u1") is Step.FULL


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"day":99999999,"spent":{"u":"NaN"}}', '{"day":99999999,"spent":3}'],
)
async def test_an_unreadable_note_is_a_spent_day(text: str) -> None:
    """Nobody knows what was spent: no model today."""
    assert (await purse_of(Note(text=text))).step("u1") is Step.RULES


async def test_what_cannot_be_kept_is_not_spent() -> None:
    """A full disk: the reservation fails, and nothing stays set aside."""
    note = Note(full=True)
    purse = await purse_of(note)
    with pytest.raises(OSError, match="disk full"):
        await purse.reserve("u1", USD)
    assert purse.spent_usd() == 0


async def test_a_budget_of_nothing_is_rules_only() -> None:
    """0 USD switches the model off."""
    purse = await purse_of(Note(), service="0")
    assert purse.step("u1") is Step.RULES
    assert await purse.reserve("u1", Decimal("0.001")) is None


async def test_the_day_before_is_told_until_it_is_not_known() -> None:
    """After midnight with the step it ended on, also over a restart; later only what is certain."""
    note = Note()
    day = note.now_ms // DAY_MS
    assert (await purse_of(note)).told_of("u1", day - 1) == "0.00 of 1.00 USD that day"
    await spend(await purse_of(note), Decimal("0.70"))
    note.now_ms += DAY_MS
    purse = await purse_of(note)
    assert purse.told_of("u1", day) == "0.70 of 1.00 USD that day, fewer symbols"
    assert purse.told_of("u1", day + 1) == "0.00 of 1.00 USD today"
    await spend(purse, Decimal("0.10"))
    await purse.close()
    assert purse.told_of("u1", day) == "0.70 of 1.00 USD that day, fewer symbols"
    assert (await purse_of(note)).told_of("u1", day) == ""
    note.now_ms += 2 * DAY_MS
    assert purse.told_of("u1", day + 2) == "0.00 of 1.00 USD that day"
