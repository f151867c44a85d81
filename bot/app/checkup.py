"""`python -m bot check`: settings, key, database, exchange, Telegram; trades nothing.

Must not know: how the service is put together.
"""

import asyncio
import sys
from random import Random

from bot import settings as configuration
from bot.app.keys import read_keys
from bot.app.live import ACCOUNT, default_bot, is_here, set_up_logs
from bot.control.probe import probe
from bot.settings import Mode, Settings
from bot.shell.clock import SystemClock
from bot.shell.errors import SettingFault
from bot.venue.checks import StartupCheck, startup_checks
from bot.venue.gateway import Gateway, GatewayOptions
from bot.venue.rest import Credentials, RestAddress, RestClient, open_session
from bot.venue.signers import signer_of
from bot.venue.wire_weight import WeightBudget
from data.store.errors import StoreError
from data.store.store import Store

PUBLIC = frozenset({"clock", "instruments"})  # what needs no key


def main() -> int:
    """0: all is well; 1: something is not; 2: a setting is wrong. One line a check."""
    try:
        settings = configuration.load()
        set_up_logs(settings)
        default_bot(settings)
        sys.stdout.write(f"ok    settings: MODE={settings.world.value}\n")
        found = asyncio.run(_checks(settings))
    except SettingFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    for one in found:
        sys.stdout.write(f"{'ok   ' if one.ok else 'WRONG'} {one.name}: {one.text}\n")
    return 0 if all(one.ok for one in found) else 1


async def _checks(settings: Settings) -> list[StartupCheck]:
    return [await _database(settings), *await _exchange(settings), await _telegram(settings)]


async def _telegram(settings: Settings) -> StartupCheck:
    if settings.telegram_bot_token is None:
        text = "no TELEGRAM_BOT_TOKEN: a chat page on this machine stands in"
        return StartupCheck(name="telegram", ok=True, text=text)
    base_url = f"{settings.telegram_base_url.rstrip('/')}/bot"
    ok, text = await probe(settings.telegram_bot_token.get_secret_value(), base_url)
    return StartupCheck(name="telegram", ok=ok, text=text)


async def _database(settings: Settings) -> StartupCheck:
    try:
        store = await Store.open(settings.database_url, read_only=True)
    except StoreError as fault:
        text = f"{fault}; `python -m bot db upgrade` makes or mends it"
        return StartupCheck(name="database", ok=False, text=text)
    try:
        owner = await store.owner()
        paired = owner is not None and owner.telegram_id is not None
        text = f"{store.path}, owner {'paired' if paired else 'not paired yet'}"
        return StartupCheck(name="database", ok=True, text=text)
    finally:
        await store.close()


async def _exchange(settings: Settings) -> list[StartupCheck]:
    credentials = None
    if settings.world is not Mode.PAPER:
        keys = await read_keys(settings, ACCOUNT)
        credentials = Credentials(api_key=keys.api_key, signer=signer_of(keys.api_secret))
    clock = SystemClock()
    session = open_session()

    def client(url: str) -> RestClient:
        return RestClient(
            address=RestAddress(base_url=url, sandbox_allowed=is_here(url)),
            session=session,
            clock=clock,
            budget=WeightBudget(),
            dice=Random(0),
            credentials=credentials,
        )

    try:
        rest = client(settings.rest_url)
        if credentials is None:
            return [one for one in await startup_checks(rest) if one.name in PUBLIC]
        gateway = Gateway(
            rest=rest,
            ws_url=settings.ws_url,
            dice=Random(0),
            sink=lambda event: None,
            options=GatewayOptions(
                permissions=client(settings.sapi_url) if settings.sapi_url else None
            ),
        )
        return list(await gateway.startup_checks())
    finally:
        await session.close()
