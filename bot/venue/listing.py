"""What can be traded: exchangeInfo joined with the leverage brackets.

Must not know: accounts, orders, prices. Raises what the exchange says; callers are at a start,
where a person reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from bot.core.universe import Contract
from bot.shell.errors import TheirWord, Unknown
from bot.venue.rest import RestClient
from bot.venue.wire import Request
from bot.venue.wire_answers import Malformed
from bot.venue.wire_errors import Answer, Refused
from bot.venue.wire_instruments import brackets_of, exchange_info_of
from bot.venue.wire_requests import exchange_info_request, leverage_bracket_request
from data.model import Instrument

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One reading of all that is listed: filters by symbol, and the state of our contracts."""

    instruments: Mapping[str, Instrument]
    contracts: Mapping[str, Contract]


async def load_instruments(rest: RestClient) -> dict[str, Instrument]:
    """Every instrument by symbol; brackets only when `rest` has a key (they need one).

    Also adopts the exchange's own weight limit. Raises TheirWord or Unknown.
    """
    return dict((await load_listing(rest)).instruments)


async def load_listing(rest: RestClient) -> Listing:
    """The same with every contract's state. Raises TheirWord or Unknown."""
    try:
        brackets = {}
        if rest.has_key:
            brackets = brackets_of(await must_read(rest, leverage_bracket_request()))
        info = exchange_info_of(await must_read(rest, exchange_info_request()), brackets)
    except Malformed as fault:
        raise Unknown(f"exchangeInfo or leverageBracket is unreadable: {fault}") from fault
    if info.weight_limit:
        rest.budget.set_limit(info.weight_limit)
    if info.unreadable:
        log.warning("instruments_left_out", count=info.unreadable)
    tradable = sum(1 for instrument in info.instruments.values() if instrument.tradable)
    log.info("instruments_loaded", count=len(info.instruments), tradable=tradable)
    return Listing(instruments=info.instruments, contracts=info.contracts)


async def must_read(rest: RestClient, request: Request) -> bytes:
    """The body of a read that a start cannot do without; raises TheirWord or Unknown."""
    outcome = await rest.read(request)
    if isinstance(outcome, Answer):
        return outcome.body
    if isinstance(outcome, Refused):
        raise TheirWord(outcome.code, outcome.text)
    raise Unknown(f"{request.path}: {outcome.reason}")
