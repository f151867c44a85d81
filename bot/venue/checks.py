"""What a person wants to know before trading: does the exchange answer, know us, and let us trade.

Must not know: settings or how the lines are shown. Each check is one line; none raises.
"""

from dataclasses import dataclass
from typing import Final

import structlog

from bot.shell.errors import SettingFault
from bot.venue.rest import RestClient
from bot.venue.wire import Method, Request
from bot.venue.wire_answers import (
    AccountConfigRow,
    ApiRestrictionsRow,
    BalanceRow,
    ListenKeyRow,
    Malformed,
    decode,
)
from bot.venue.wire_errors import Answer, Refused
from bot.venue.wire_instruments import exchange_info_of
from bot.venue.wire_requests import (
    account_config_request,
    api_restrictions_request,
    balance_request,
    exchange_info_request,
    listen_key_request,
)
from data.money import plain

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartupCheck:
    """One line of `python -m bot check`."""

    name: str
    ok: bool
    text: str


async def startup_checks(
    rest: RestClient, *, permissions: RestClient | None = None
) -> tuple[StartupCheck, ...]:
    """Clock, instruments, key, its permissions, the account's modes and user stream, in that order.

    `permissions` is a client of the wallet service; without one that check is left out.
    """
    before_ms = rest.clock.now_ms()
    synced = await rest.sync_clock()
    moved_ms = rest.clock.now_ms() - before_ms
    return (
        _line("clock", synced, f"moved by {moved_ms} ms" if synced else "not answered"),
        await _check_instruments(rest),
        await _check_key(rest),
        *([await check_permissions(permissions)] if permissions is not None else []),
        *await _check_modes(rest),
        await _check_stream(rest),
    )


async def check_permissions(permissions: RestClient) -> StartupCheck:
    """Whether the key may only trade: one that may also move money out is wrong."""
    outcome = await permissions.read(api_restrictions_request(), tries=2)
    if not isinstance(outcome, Answer):
        return _line("permissions", False, f"not told: {_why(outcome)}")
    try:
        row = decode(outcome.body, ApiRestrictionsRow)
    except Malformed as fault:
        return _line("permissions", False, f"unreadable: {fault}")
    given = [name for name, is_given in _dangers(row) if is_given]
    if given:
        return _line("permissions", False, f"the key allows {', '.join(given)}: switch it off")
    if not row.enable_futures:
        return _line("permissions", False, "the key does not allow futures: switch it on")
    if not row.ip_restrict:
        return _line("permissions", True, "trading only; warning: any address may use the key")
    return _line("permissions", True, "trading only, from listed addresses")


async def refuse_dangerous_key(permissions: RestClient | None) -> None:
    """Live needs a key whose permissions are told and harmless; raises SettingFault otherwise."""
    if permissions is None:
        raise SettingFault("BINANCE_SAPI_URL is not set; MODE=live needs it to check the key")
    found = await check_permissions(permissions)
    if not found.ok:
        raise SettingFault(f"the exchange key is refused: {found.text}")
    if "warning" in found.text:
        log.warning("key_from_any_address", text=found.text)


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


async def _check_modes(rest: RestClient) -> tuple[StartupCheck, ...]:
    body = await _body(rest, account_config_request())
    if isinstance(body, StartupCheck):
        return (body,)
    try:
        modes = decode(body, AccountConfigRow)
    except Malformed as fault:
        return (_line("position_mode", False, f"unreadable: {fault}"),)
    multi = "multi-assets: isolated margin is refused" if modes.multi_assets_margin else "single"
    return (
        _line("position_mode", True, "hedge" if modes.dual_side_position else "one-way"),
        _line("margin_mode", True, multi),
        _line("trading", modes.can_trade, "allowed" if modes.can_trade else "switched off"),
    )


def _dangers(row: ApiRestrictionsRow) -> tuple[tuple[str, bool], ...]:
    return (
        ("withdrawals", row.enable_withdrawals),
        ("internal transfers", row.enable_internal_transfer),
        ("universal transfers", row.permits_universal_transfer),
    )


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
    account_config_request().path: "position_mode",
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
