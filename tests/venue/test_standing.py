"""An account the exchange refuses halts once, and only after a doubtful key had its second try."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from bot.core.messages import EntriesHalted, Event
from bot.venue import standing
from bot.venue.rest import RestClient
from bot.venue.standing import AccountStanding, halt_reason
from bot.venue.wire_requests import balance_request
from tests.venue.fake import Handler, Script, client, exchange, no, ok, wait_for

BALANCE = "/fapi/v3/balance"
BAD_KEY = no(401, -2015, "Invalid API-key, IP, or permissions for action.")
GOOD = ok([])


@dataclass(slots=True)
class Watched:
    """A client whose outcomes are judged."""

    script: Script
    rest: RestClient
    told: list[Event]

    async def ask(self, *handlers: Handler) -> None:
        """One signed read for each answer."""
        for handler in handlers:
            self.script.on("GET", BALANCE, handler)
            await self.rest.read(balance_request(), tries=1)


@asynccontextmanager
async def _watched() -> AsyncIterator[Watched]:
    script = Script()
    async with exchange(script) as url, client(url) as rest:
        told: list[Event] = []
        account = AccountStanding(rest, sink=told.append)
        rest.watch_outcomes(account.note)
        task = asyncio.create_task(account.run())
        try:
            yield Watched(script, rest, told)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("handler", "code"),
    [
        (BAD_KEY, -2015),
        (no(401, -2014, "API-key format invalid."), -2014),
        (no(400, -2017, "API Keys are locked on this account."), -2017),
        (no(400, -4192, "cooling-off"), -4192),
        (no(451, None, "restricted location"), 451),
        (no(401, None, ""), 401),
    ],
)
async def test_a_refused_account_halts_entries_once(handler: Handler, code: int) -> None:
    """However often it is refused, the desk is told once in a while."""
    async with _watched() as watched:
        await watched.ask(handler, handler, handler)
        assert watched.told == [EntriesHalted(reason=halt_reason(code))]


async def test_a_refused_request_is_no_refused_account() -> None:
    """Nor is a passing failure, an unknown outcome or an answer."""
    async with _watched() as watched:
        await watched.ask(
            no(400, -1102, "missing"),
            no(503, None, "Service Unavailable."),
            no(500, None, ""),
            GOOD,
        )
        assert not watched.told


async def test_a_key_that_worked_has_a_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invalid after it was valid: a passing block was seen; only the second refusal halts."""
    monkeypatch.setattr(standing, "DOUBT_S", 0.02)
    async with _watched() as watched:
        await watched.ask(GOOD, BAD_KEY)
        assert not watched.told
        await wait_for(lambda: len(watched.script.asked("GET", BALANCE)) == 3)
        await wait_for(lambda: bool(watched.told))
        assert watched.told == [EntriesHalted(reason=halt_reason(-2015))]


async def test_a_passing_block_halts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second try was answered: the key is good, and a later doubt has its own second try."""
    monkeypatch.setattr(standing, "DOUBT_S", 0.05)
    async with _watched() as watched:
        await watched.ask(GOOD, BAD_KEY, BAD_KEY)
        watched.script.on("GET", BALANCE, GOOD)
        await wait_for(lambda: len(watched.script.asked("GET", BALANCE)) == 4)
        await asyncio.sleep(0.02)
        await watched.ask(BAD_KEY)
        assert not watched.told
        await wait_for(lambda: bool(watched.told))


async def test_a_wrong_secret_is_known_by_every_call_failing() -> None:
    """One bad signature is a fault of one request; all of them, and none ever good, is the key."""
    bad = no(400, -1022, "Signature for this request is not valid.")
    async with _watched() as watched:
        await watched.ask(GOOD, bad, bad, bad, bad)
        assert not watched.told
    async with _watched() as watched:
        await watched.ask(bad, bad)
        assert not watched.told
        await watched.ask(bad)
        assert watched.told == [EntriesHalted(reason=halt_reason(-1022))]
