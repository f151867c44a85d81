"""Commands that need no service: memory's verdicts, a recorded decision, lists of what there is.

Must not know: the database or the network.
"""

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.shell.errors import SettingFault

if TYPE_CHECKING:
    from bot.shell.strategy_book import Loaded


def memory(trades: Path, now_ms: int, *, as_json: bool) -> int:
    """The verdicts in force at `now_ms` after the closed trades of a CSV file."""
    from memory.history import read_csv
    from memory.rules import verdicts_of
    from memory.verdict import as_json as rows_of

    def look() -> list[Any]:
        results = read_csv(trades.read_text(encoding="utf-8"))
        return list(rows_of(verdicts_of(results, now_ms)))

    return _print(look, as_json=as_json, line=_in_force)


def _in_force(row: Any) -> str:
    about = "".join(f" {name}" for name in row["scope"].values())
    effect = ", ".join(f"{name} {value}" for name, value in row["effect"].items())
    until_ms = row["until_ms"]
    end = "while this holds" if until_ms is None else f"until {_moment(until_ms)} ({until_ms})"
    return f"{row['rule']}{about}: {effect}, {end}: {row['reason']}"


def _moment(moment_ms: int) -> str:
    return f"{datetime.fromtimestamp(moment_ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def decide(snapshot: Path, answer: Path, *, as_json: bool) -> int:
    """A recorded raw answer through the same validation and supervisor as a live one."""
    from bot.app.decisions import decide_recorded

    def look() -> list[Any]:
        return [decide_recorded(snapshot.read_text("utf-8"), answer.read_text("utf-8"))]

    return _print(look, as_json=as_json, line=str, single=True)


def commands(*, as_json: bool) -> int:
    """Every chat command."""
    from bot.control.handlers import describe_commands

    def line(row: Any) -> str:
        return f"/{row['name']}  {row['help']['en']}"

    return _print(lambda: list(describe_commands()), as_json=as_json, line=line)


def strategies(*, as_json: bool) -> int:
    """Every strategy with its parameters and source; 1 when one is broken, with its reason."""
    from bot import settings as configuration
    from bot.app.analysis import plan_analysis

    rows: list[Any] = []

    def look() -> list[Any]:
        settings = configuration.load()
        rows.extend(_strategy_rows(plan_analysis(settings.strategy_dir, ()).loaded))
        return rows

    failed = _print(look, as_json=as_json, line=_strategy_lines)
    return failed or int(not all(row["ok"] for row in rows))


def _strategy_rows(loaded: "Loaded") -> list[Any]:
    from bot.core.strategies.registry import describe

    sound = [
        {**row, "source": loaded.sources[row["name"]], "ok": True}
        for row in describe(loaded.strategies)
    ]
    broken = [
        {
            "name": one.name,
            "params": [],
            "source": one.source,
            "ok": False,
            "reason": one.reason,
            "traceback": one.traceback,
        }
        for one in loaded.broken
    ]
    return [*sound, *broken]


def _strategy_lines(row: Any) -> str:
    if not row["ok"]:
        indented = "".join(f"  {line}\n" for line in row["traceback"].splitlines())
        return f"{row['name']}: BROKEN, {row['reason']} ({row['source']})\n{indented}".rstrip()
    params = "".join(
        f"\n  {p['name']} = {p['default']:g}  ({p['min']:g} to {p['max']:g})" for p in row["params"]
    )
    return f"{row['name']}: {row['summary']} ({row['source']}){params}"


def _print(
    look: Callable[[], list[Any]],
    *,
    as_json: bool,
    line: Callable[[Any], str],
    single: bool = False,
) -> int:
    try:
        rows = look()
    except (SettingFault, OSError, ValueError) as fault:
        sys.stderr.write(f"{fault}\n")
        return 2
    if as_json:
        sys.stdout.write(json.dumps(rows[0] if single else rows, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write("".join(f"{line(row)}\n" for row in rows))
    return 0
