"""Exchange keys: from the vault to a world, and the commands that put them there.

Secrets come from a prompt that does not echo, or from stdin, never as an argument; none is printed,
but for a fresh application key, once. Must not know: what a key opens at the exchange.
"""

import asyncio
import getpass
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Final

from bot import settings as configuration
from bot.app.people import OWNER, ensure_people
from bot.settings import Settings
from bot.shell.clock import SystemClock
from bot.shell.errors import SettingFault
from data.store.errors import DatabaseUnusable, SchemaMismatch, StoreError
from data.store.rows import SecretRow
from data.store.store import Store
from data.vault import (
    KEY_CHECK_NOTE,
    KeyUnreadable,
    Secret,
    Vault,
    VaultError,
    WrongKey,
    new_key_text,
)

API_KEY: Final = "api_key"
API_SECRET: Final = "api_secret"  # noqa: S105 - the field's name, not a secret
HINT: Final = "`python -m bot vault init` makes one, `python -m bot vault add-account` uses it"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeKeys:
    """What opens an account at the exchange; never shown."""

    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)

    def secrets(self) -> tuple[str, ...]:
        """Both texts, for the log's redaction."""
        return self.api_key, self.api_secret


def open_vault(settings: Settings) -> Vault:
    """The vault under the key of the settings. Raises SettingFault when there is none."""
    text = configuration.master_key_text(settings)
    if text is None:
        raise SettingFault(f"APP_ENCRYPTION_KEY is not set; allowed is the vault's key: {HINT}")
    try:
        return Vault.from_text(text)
    except KeyUnreadable as fault:
        raise SettingFault(f"APP_ENCRYPTION_KEY is a secret that cannot be used: {fault}") from None


async def read_keys(settings: Settings, account_id: str) -> ExchangeKeys:
    """The account's keys, from the settings (testnet only) or the vault. Raises SettingFault."""
    if settings.binance_api_key is not None and settings.binance_api_secret is not None:
        return ExchangeKeys(
            api_key=settings.binance_api_key.get_secret_value(),
            api_secret=settings.binance_api_secret.get_secret_value(),
        )
    if (settings.binance_api_key is None) != (settings.binance_api_secret is None):
        missing = "SECRET" if settings.binance_api_secret is None else "KEY"
        raise SettingFault(f"BINANCE_API_{missing} is not set; allowed is both or neither")
    vault = open_vault(settings)
    try:
        store = await Store.open(settings.database_url, read_only=True)
    except (DatabaseUnusable, SchemaMismatch) as fault:
        raise SettingFault(
            f"DATABASE_URL is {settings.database_url!r}, which holds no exchange keys ({fault});"
            f" MODE={settings.world.value} needs them: {HINT}"
        ) from None
    try:
        return await _from_vault(store, vault, settings, account_id)
    finally:
        await store.close()


async def _from_vault(
    store: Store, vault: Vault, settings: Settings, account_id: str
) -> ExchangeKeys:
    rows = {row.field: row for row in await store.secrets(account_id)}
    if API_KEY not in rows or API_SECRET not in rows:
        raise SettingFault(
            f"MODE is {settings.world.value!r}, but account {account_id!r} has no exchange keys in"
            f" the database; {HINT}"
        )
    try:
        opened = {
            name: vault.open(
                rows[name].envelope, user_id=rows[name].user_id, account_id=account_id, field=name
            ).reveal()
            for name in (API_KEY, API_SECRET)
        }
    except WrongKey as fault:
        raise SettingFault(f"APP_ENCRYPTION_KEY: {fault}") from None
    except VaultError as fault:
        raise SettingFault(f"DATABASE_URL holds exchange keys that do not open: {fault}") from None
    return ExchangeKeys(api_key=opened[API_KEY], api_secret=opened[API_SECRET])


# ----------------------------------------------------------------------------------- commands


def init() -> int:
    """Print a fresh application key; where to put it goes to stderr."""
    try:
        settings = configuration.load()
        if configuration.master_key_text(settings) is not None:
            raise SettingFault(
                "APP_ENCRYPTION_KEY is set already; `python -m bot vault rotate` changes the key"
            )
    except SettingFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    sys.stdout.write(f"{new_key_text()}\n")
    sys.stderr.write(
        "This is the key that opens all others; it is shown once. Keep it as APP_ENCRYPTION_KEY or"
        " in the file named by APP_ENCRYPTION_KEY_FILE, and a copy off this machine.\n"
    )
    return 0


def add_account(account_id: str) -> int:
    """Seal a key and a secret for an account: asked for on a terminal, else two lines of stdin."""
    return _command(_add_account(account_id))


def rotate() -> int:
    """Seal everything anew under another key: from stdin, or made here when the answer is empty."""
    return _command(_rotate())


def _command(work: Coroutine[None, None, None]) -> int:
    try:
        asyncio.run(work)
    except SettingFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    except (StoreError, VaultError) as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    return 0


async def _add_account(account_id: str) -> None:
    settings = configuration.load()
    vault = open_vault(settings)
    store = await Store.open(settings.database_url)
    try:
        await _recognise(store, vault)
        api_key = _ask("Exchange API key: ")
        api_secret = _ask("Exchange API secret: ")
        if not (api_key and api_secret):
            raise SettingFault("an API key and its secret are needed: two lines, neither empty")
        now_ms = SystemClock().now_ms()
        await ensure_people(store, account_id, settings.world.value, now_ms)
        parts = {API_KEY: Secret(api_key), API_SECRET: Secret(api_secret)}
        rows = tuple(
            SecretRow(
                user_id=OWNER,
                account_id=account_id,
                field=name,
                envelope=vault.seal(secret, user_id=OWNER, account_id=account_id, field=name),
            )
            for name, secret in parts.items()
        )
        await store.put_secrets(rows)
    finally:
        await store.close()
    sys.stderr.write(f"Account {account_id}: key and secret are sealed in the database.\n")


async def _rotate() -> None:
    settings = configuration.load()
    old = configuration.master_key_text(settings)
    open_vault(settings)
    store = await Store.open(settings.database_url)
    try:
        await _recognise(store, Vault.from_text(old or ""))
        new = _ask("New application key (empty: make one): ")
        if not new:
            new = new_key_text()
            sys.stdout.write(f"{new}\n")  # before anything is sealed with it
            sys.stdout.flush()
        both = Vault.from_text(f"{new},{old}")
        rows = tuple(
            SecretRow(
                user_id=row.user_id,
                account_id=row.account_id,
                field=row.field,
                envelope=both.reseal(
                    row.envelope, user_id=row.user_id, account_id=row.account_id, field=row.field
                ),
            )
            for row in await store.secrets()
        )
        await store.put_secrets(rows)
        await _recognise(store, both)
    finally:
        await store.close()
    sys.stderr.write(f"{len(rows)} secrets are sealed anew. Put the new key in place of the old.\n")


async def _recognise(store: Store, vault: Vault) -> None:
    envelopes = [row.envelope for row in await store.secrets()]
    try:
        check = vault.recognise(await store.note(KEY_CHECK_NOTE), envelopes)
    except WrongKey as fault:
        raise SettingFault(f"APP_ENCRYPTION_KEY: {fault}") from None
    if check is not None:
        await store.set_note(KEY_CHECK_NOTE, check)


def _ask(question: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(question).strip()
    return sys.stdin.readline().strip()
