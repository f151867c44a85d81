"""Commands that look at what is kept: the database itself, and one trade's whole record.

Must not know: how any of it came to be.
"""

import asyncio
import json
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from bot import settings as configuration
from bot.shell.errors import SettingFault
from bot.shell.provenance import chain_as_json, chain_of
from bot.shell.recorder import Recorder
from data.store.errors import AmbiguousPrefix, StoreError
from data.store.rows import JournalRow, TradeRow
from data.store.store import Store

LINK_LENGTH_MAX: Final = 300  # of one link on a terminal; --json has all of it


def upgrade(url: str = "") -> int:
    """Make the database of the settings (or at `url`), or bring it to this version."""
    return _command(_upgrade(url))


def backup(file: Path) -> int:
    """Write a consistent copy; an existing file is never overwritten."""
    return _command(_backup(file))


def why(id_or_prefix: str, *, as_json: bool) -> int:
    """Print a trade's record with every step of the journal that names it."""
    return _command(_why(id_or_prefix, as_json=as_json))


def _command(work: Coroutine[None, None, int]) -> int:
    try:
        return asyncio.run(work)
    except SettingFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    except (StoreError, OSError) as fault:
        sys.stderr.write(f"{fault}\n")
        return 1


async def _upgrade(url: str) -> int:
    store = await Store.open(url or configuration.load().database_url)
    path = store.path
    await store.close()
    sys.stdout.write(f"{path} is at this version.\n")
    return 0


async def _backup(file: Path) -> int:
    store = await Store.open(configuration.load().database_url, read_only=True)
    try:
        await store.backup(file)
    except FileExistsError:
        sys.stderr.write(f"{file} exists; name a file that does not\n")
        return 2
    finally:
        await store.close()
    sys.stdout.write(f"{file} is a copy of {store.path}.\n")
    return 0


async def _why(id_or_prefix: str, *, as_json: bool) -> int:
    store = await Store.open(configuration.load().database_url, read_only=True)
    try:
        row = await store.trade(id_or_prefix)
        if row is None:
            sys.stderr.write(f"no trade begins with {id_or_prefix!r}\n")
            return 1
        steps = await store.journal_rows(row.account_id, trade_id=row.trade_id)
        record = await _record_of(store, row, steps)
    except AmbiguousPrefix as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    finally:
        await store.close()
    if as_json:
        sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(_words(record))
    return 0


async def _record_of(store: Store, row: TradeRow, steps: tuple[JournalRow, ...]) -> dict[str, Any]:
    trade = Recorder.read_trade(row.body)
    chain = await chain_of(store, trade)
    return {
        "trade_id": row.trade_id,
        "bot_id": row.bot_id,
        "symbol": row.symbol,
        "phase": row.phase,
        "outcome": row.outcome,
        "opened_ms": row.opened_ms,
        "closed_ms": row.closed_ms,
        "pnl_usdt": row.pnl_usdt,
        "trade": json.loads(row.body),
        "answer": chain.answer or None,
        "chain": chain_as_json(trade, chain),
        "steps": [
            {
                "seq": step.seq,
                "at_ms": step.at_ms,
                "kind": step.kind,
                "event": json.loads(step.event),
                "commands": json.loads(step.commands),
            }
            for step in steps
        ],
    }


def _words(record: dict[str, Any]) -> str:
    head = (
        f"{record['trade_id']}  {record['bot_id']}  {record['symbol']}  {record['phase']}"
        f"  {record['outcome'] or ''}  PnL {record['pnl_usdt'] or '-'}\n"
    )
    lines = [
        f"{step['seq']:6} {step['at_ms']} {step['kind']}"
        + "".join(f"\n         -> {_name_of(command)}" for command in step["commands"])
        for step in record["steps"]
    ]
    chain = record["chain"]
    links = [
        f"{name:10} {json.dumps(link, ensure_ascii=False)[:LINK_LENGTH_MAX]}"
        for name, link in chain.items()
        if link and name != "missing"
    ]
    missing = [f"{one['link']:10} missing: {one['reason']}" for one in chain["missing"]]
    return head + "\n".join([*links, *missing, *lines]) + "\n"


def _name_of(command: dict[str, Any]) -> str:
    return str(command.get("kind", "?"))
