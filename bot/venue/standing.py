"""How the account stands with the exchange: once it is refused as a whole, entries halt.

A refusal of the class "fatal for the account" goes to the desk as EntriesHalted, once: protective
orders stay, and the desk tells the owner. An invalid key after it was valid before was seen to be
a passing block: it is tried once more after a minute. Must not know: what was asked, or for whom.
Source: reference sheet section 7 (2026-11).
"""

from asyncio import Event as Flag
from typing import Final

import structlog

from bot.core.messages import EntriesHalted
from bot.shell.clock import wall_monotonic_s, wall_sleep_s
from bot.shell.ports import EventSink
from bot.venue.rest import RestClient
from bot.venue.wire import Request, Security
from bot.venue.wire_errors import (
    KEY_DOUBT_CODE,
    SIGNATURE_CODE,
    Answer,
    ErrorClass,
    Outcome,
    Refused,
)
from bot.venue.wire_requests import balance_request

log = structlog.get_logger(__name__)

DOUBT_S: Final = 60.0  # before an invalid key is tried once more
SIGNATURES_MAX: Final = 3  # refused in a row and none ever taken: the secret is wrong
AGAIN_S: Final = 60.0  # a person may resume too early: the same refusal is then told again


class AccountStanding:
    """Hears every outcome of one account's requests."""

    def __init__(self, rest: RestClient, *, sink: EventSink) -> None:
        self._rest = rest
        self._sink = sink
        self._proved = False  # a signed request was answered since the start
        self._signatures = 0
        self._doubt = Flag()
        self._last_try = False
        self._told_s: dict[int, float] = {}

    def note(self, request: Request, outcome: Outcome) -> None:
        """Judge the account by one outcome."""
        if request.security is not Security.SIGNED:
            return
        if isinstance(outcome, Answer):
            self._proved = True
            self._signatures = 0
        elif isinstance(outcome, Refused):
            self._note_refusal(outcome)

    async def run(self) -> None:
        """Try a doubtful key once more after a minute; forever. Ends only by cancellation."""
        while True:
            await self._doubt.wait()
            await wall_sleep_s(DOUBT_S)
            self._last_try = True
            await self._rest.read(balance_request(), tries=1)
            self._last_try = False
            self._doubt.clear()

    def _note_refusal(self, refused: Refused) -> None:
        if refused.code == SIGNATURE_CODE and not self._proved:
            self._signatures += 1
            if self._signatures < SIGNATURES_MAX:
                return
        elif refused.kind is not ErrorClass.FATAL_ACCOUNT:
            return
        if refused.code == KEY_DOUBT_CODE and self._proved and not self._last_try:
            if not self._doubt.is_set():
                log.warning("key_doubted", code=refused.code, text=refused.text)
                self._doubt.set()
            return
        self._halt(refused)

    def _halt(self, refused: Refused) -> None:
        now_s = wall_monotonic_s()
        if now_s - self._told_s.get(refused.code, -AGAIN_S) < AGAIN_S:
            return
        self._told_s[refused.code] = now_s
        log.error("account_refused", code=refused.code, text=refused.text)
        self._sink(EntriesHalted(reason=halt_reason(refused.code)))


def halt_reason(code: int) -> str:
    """The halt's name: the same for the same code, so that the desk knows it again."""
    return f"exchange refuses the account ({code})"
