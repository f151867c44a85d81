"""`python -m bot shadow`: the shadow ledger's report over what is kept.

Must not know: how an end came about, or how a score is made.
"""

import asyncio
import json
import sys
from typing import Any

from bot import settings as configuration
from bot.shell.clock import SystemClock
from bot.shell.errors import SettingFault
from bot.shell.recorder import Recorder
from bot.shell.shadow_report import report_of
from data.store.errors import StoreError
from data.store.store import Store
from memory.scores import Report, Score
from memory.scores import as_json as plain_of

DAY_MS = 86_400_000


def main(days: int, account_id: str, *, as_json: bool) -> int:
    """Print the report; 2 on a wrong setting, 1 when the database cannot be read."""
    try:
        report = asyncio.run(_report(days, account_id))
    except SettingFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    except (StoreError, OSError) as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    plain = plain_of(report)
    sys.stdout.write(json.dumps(plain, ensure_ascii=False) + "\n" if as_json else _words(report))
    return 0


async def _report(days: int, account_id: str) -> Report:
    store = await Store.open(configuration.load().database_url, read_only=True)
    try:
        since_ms = SystemClock().now_ms() - days * DAY_MS if days else 0
        return await report_of(store, account_id, read_trade=Recorder.read_trade, since_ms=since_ms)
    finally:
        await store.close()


def _words(report: Report) -> str:
    lines = [f"{report.ended} ended, {report.followed} still followed"]
    lines += [_line(score) for score in report.scores]
    lines += [
        f"{one.model}: Brier {one.brier:.3f} (its own rate: {one.base_brier:.3f}) of {one.count}"
        + ("" if one.is_enough else ", too few to say")
        for one in report.calibrations
    ]
    return "".join(f"{line}\n" for line in lines)


def _line(score: Score) -> str:
    values: list[Any] = [score.mean_r, score.low_r, score.high_r]
    mean, low, high = ("-" if value is None else f"{value:+.2f}" for value in values)
    return (
        f"{score.judge.value:8} {score.name}: {score.finding.value.replace('_', ' ')}, "
        f"{score.scored} of {score.signals} scored, {mean} R ({low} to {high}), "
        f"{score.pnl_usdt:+.2f} USDT"
    )
