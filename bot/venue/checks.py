"""What a person wants to know before trading: does the exchange answer, know us, and let us trade.

Must not know: settings or how the lines are shown. Each check is one line; none raises.
"""

from dataclasses import dataclass
from typing import Final

from bot.venue.rest import RestClient
from bot.venue.wire import Method, Request
from bot.venue.wire_answers import BalanceRow, ListenKeyRow, Malformed, PositionModeRow, decode
from bot.venue.wire_errors import Answer, Refused
from bot.venue.wire_instruments import exchange_info_of
from bot.venue.wire_requests import (
    balance_request,
    exchange_info_request,
    listen_key_request,
    position_mode_request,
)
from data.money import plain


@dataclass(frozen=True, slots=True, kw_only=True)
class StartupCheck:
    """One line of `python -m bot check`."""

    name: str
    ok: bool
    text: str


async def startup_checks(rest: RestClient) -> tuple[StartupCheck, ...]:
    """Clock, instruments, key, position mode and user stream, in that order."""
    before_ms = rest.clock.now_ms()
    synced = await rest.sync_clock()
    moved_ms = rest.clock.now_ms() - before_ms
    return (
        _line("clock", synced, f"moved by {moved_ms} ms" if synced else "not answered"),
        await _check_instruments(rest),
        await _check_key(rest),
        await _check_mode(rest),
        await _check_stream(rest),
    )


async def _check_instruments(rest: RestClient) -> StartupCheck:
    body = await _body(rest, exchange_info_request())
    if isinstance(body, StartupCheck):
        return body
    try:
        info = exchange_info_of(body)
    except Malformed as fault:
        return _line("instruments", False, f"unreadable: {fault}")
    tradable = sum(1 for instrument in info.instruments.values() if instrument.tradable)
    return _line("instruments", tradable > 0, f"{tradable} tradable")


async def _check_key(rest: RestClient) -> StartupCheck:
    body = await _body(rest, balance_request())
    if isinstance(body, StartupCheck):
        return body
    try:
        rows = decode(body, list[BalanceRow])
    except Malformed as fault:
        return _line("key", False, f"unreadable: {fault}")
    wallet = [row.balance for row in rows if row.asset == "USDT"]
    return _line("key", True, f"wallet {plain(wallet[0]) if wallet else '0'} USDT")


async def _check_mode(rest: RestClient) -> StartupCheck:
    body = await _body(rest, position_mode_request())
    if isinstance(body, StartupCheck):
        return body
    try:
        hedged = decode(body, PositionModeRow).dual_side_position
    except Malformed as fault:
        return _line("position_mode", False, f"unreadable: {fault}")
    return _line("position_mode", not hedged, "hedge: not supported" if hedged else "one-way")


async def _check_stream(rest: RestClient) -> StartupCheck:
    outcome = await rest.send(listen_key_request(Method.POST))
    if isinstance(outcome, Answer):
        try:
            decode(outcome.body, ListenKeyRow)
        except Malformed as fault:
            return _line("user_stream", False, f"unreadable: {fault}")
        return _line("user_stream", True, "key given")
    return _line("user_stream", False, _why(outcome))


_NAMES: Final = {
    exchange_info_request().path: "instruments",
    balance_request().path: "key",
    position_mode_request().path: "position_mode",
}


async def _body(rest: RestClient, request: Request) -> bytes | StartupCheck:
    outcome = await rest.read(request, tries=2)
    if isinstance(outcome, Answer):
        return outcome.body
    return _line(_NAMES[request.path], False, _why(outcome))


def _why(outcome: object) -> str:
    if isinstance(outcome, Refused):
        return f"{outcome.code} {outcome.text}"
    return str(getattr(outcome, "reason", outcome))


def _line(name: str, ok: bool, text: str) -> StartupCheck:
    return StartupCheck(name=name, ok=ok, text=text)
