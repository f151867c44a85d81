"""What must be so at the exchange before an entry: leverage, margin type, the account's modes.

Settings are set when they differ, then read back: only what symbolConfig confirms is believed.
Must not know: orders. A setting that cannot be had refuses the entry; nothing was placed then.
Source: reference sheet section 3.4 (2026-11).
"""

from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from bot.shell.errors import Unknown
from bot.venue.listing import must_read
from bot.venue.rest import RestClient
from bot.venue.wire import Request
from bot.venue.wire_answers import (
    AccountConfigRow,
    Malformed,
    SymbolConfigRow,
    decode,
    margin_type_of,
)
from bot.venue.wire_errors import Answer, ErrorClass, Outcome, Refused
from bot.venue.wire_frames import UserNews
from bot.venue.wire_requests import (
    account_config_request,
    set_leverage_request,
    set_margin_type_request,
    symbol_config_request,
)
from data.model import MarginType

log = structlog.get_logger(__name__)

NO_CODE: Final = 0  # the exchange said nothing
MULTI_ASSETS_CODE: Final = -4168
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSet:
    """Why an entry's settings could not be had; `code` is the exchange's, 0 without one."""

    code: int
    text: str


class EntrySettings:
    """Leverage and margin type by symbol, and the account's two modes, as last confirmed."""

    def __init__(self, rest: RestClient) -> None:
        self._rest = rest
        self._leverage: dict[str, int] = {}
        self._margin: dict[str, MarginType] = {}
        self.hedge = False
        self.multi_assets = False

    async def read_modes(self) -> None:
        """Ask for position mode and multi-assets mode. Raises TheirWord or Unknown."""
        body = await must_read(self._rest, account_config_request())
        try:
            modes = decode(body, AccountConfigRow)
        except Malformed as fault:
            raise Unknown(f"accountConfig: unreadable: {fault}") from fault
        self.hedge = modes.dual_side_position
        self.multi_assets = modes.multi_assets_margin
        log.info("account_modes_read", hedge=self.hedge, multi_assets=self.multi_assets)

    async def read_all(self) -> None:
        """Adopt every symbol's settings; without an answer they are set again when needed."""
        for row in await self._read(symbol_config_request()) or ():
            self._adopt(row)

    async def make(
        self, symbol: str, leverage: int | None, margin_type: MarginType | None
    ) -> NotSet | None:
        """Make the symbol's settings these, and see that they are; None when they are."""
        if margin_type is MarginType.ISOLATED and self.multi_assets:
            text = "the account is in multi-assets mode, which has no isolated margin: leave it"
            return NotSet(code=MULTI_ASSETS_CODE, text=text)
        set_any = False
        if margin_type is not None and self._margin.get(symbol) is not margin_type:
            outcome = await self._rest.send(set_margin_type_request(symbol, margin_type))
            if not _is_done(outcome):
                return self._not_set(symbol, "margin type", outcome)
            set_any = True
        if leverage is not None and self._leverage.get(symbol) != leverage:
            outcome = await self._rest.send(set_leverage_request(symbol, leverage))
            if not _is_done(outcome):
                return self._not_set(symbol, "leverage", outcome)
            set_any = True
        return await self._verify(symbol, leverage, margin_type) if set_any else None

    def note_news(self, news: UserNews) -> None:
        """Somebody changed a setting."""
        if news.leverage is not None:
            self._leverage[news.leverage[0]] = news.leverage[1]
        for symbol in news.margin_changed:
            self._margin.pop(symbol, None)

    def forget(self) -> None:
        """Somebody may change settings by hand while nobody tells us."""
        self._leverage.clear()
        self._margin.clear()

    async def _verify(
        self, symbol: str, leverage: int | None, margin_type: MarginType | None
    ) -> NotSet | None:
        self._drop(symbol)
        for row in await self._read(symbol_config_request(symbol)) or ():
            if row.symbol == symbol:
                self._adopt(row)
        for what, is_so, wanted in (
            ("leverage", self._leverage.get(symbol), leverage),
            ("margin type", self._margin.get(symbol), margin_type),
        ):
            if wanted is not None and is_so != wanted:
                self._drop(symbol)
                text = f"{what} was set to {wanted}, but symbolConfig says {is_so}"
                return NotSet(code=NO_CODE, text=text)
        return None

    async def _read(self, request: Request) -> list[SymbolConfigRow] | None:
        outcome = await self._rest.read(request, tries=2)
        if not isinstance(outcome, Answer):
            return None
        try:
            return decode(outcome.body, list[SymbolConfigRow])
        except Malformed as fault:
            self._rest.reject(request.path, fault)
            return None

    def _adopt(self, row: SymbolConfigRow) -> None:
        self._leverage[row.symbol] = row.leverage
        margin_type = margin_type_of(row.margin_type)
        if margin_type is not None:
            self._margin[row.symbol] = margin_type

    def _drop(self, symbol: str) -> None:
        self._leverage.pop(symbol, None)
        self._margin.pop(symbol, None)

    def _not_set(self, symbol: str, what: str, outcome: Outcome) -> NotSet:
        self._drop(symbol)
        code, reason = NO_CODE, "no answer"
        if isinstance(outcome, Refused):
            code, reason = outcome.code, outcome.text
        elif not isinstance(outcome, Answer):
            reason = outcome.reason
        return NotSet(code=code, text=f"{what} was not set: {reason}")


def _is_done(outcome: Outcome) -> bool:
    if isinstance(outcome, Refused):
        return outcome.kind is ErrorClass.BENIGN
    return isinstance(outcome, Answer)
