"""The command line. Every import of ours happens inside a command: `--help` stays quick.

Exit codes: 0 done; 1 something is wrong (a check failed, belief differs); 2 a wrong setting or
argument. With `--json` stdout holds JSON and nothing else. Must not know: how anything is done.
"""

from pathlib import Path
from typing import Annotated

import typer

JSON_OPTION = Annotated[bool, typer.Option("--json", help="JSON on stdout, nothing else.")]
PORT = Annotated[int, typer.Option(help="Port on loopback; 0 is a free one.", min=0, max=65535)]
SEED = Annotated[int, typer.Option(help="Of everything random.")]
SPEED = Annotated[float, typer.Option(help="Market seconds in a second.", min=0.1, max=10_000)]
FAULTS = Annotated[str, typer.Option(help="A named fault plan.")]
TAPE = Annotated[
    Path | None, typer.Option(help="A tape: a parquet or CSV file, or a folder of them.")
]

app = typer.Typer(
    name="bot",
    help="Telegram-controlled trading service for Binance USD-M Futures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
sandbox = typer.Typer(help="Pretend servers on loopback.", no_args_is_help=True)
vault = typer.Typer(help="Exchange keys; secrets by prompt or stdin.", no_args_is_help=True)
db = typer.Typer(help="The database.", no_args_is_help=True)
app.add_typer(sandbox, name="sandbox")
app.add_typer(vault, name="vault")
app.add_typer(db, name="db")


@app.command()
def run(
    record: Annotated[
        Path | None, typer.Option(help="Also write every step as a line of a file in here.")
    ] = None,
) -> None:
    """The live service; MODE is paper unless told otherwise."""
    from bot.app.live import main
    from bot.shell.process import settle

    settle()
    raise typer.Exit(main(record))


@app.command()
def demo(  # noqa: PLR0913 - the command line's own options
    tape: TAPE = None,
    speed: SPEED = 30.0,
    port: PORT = 0,
    headless: Annotated[bool, typer.Option(help="A scripted person taps.")] = False,
    seconds: Annotated[int, typer.Option(help="Seconds to trade; 0 without end.", min=0)] = 0,
    report: Annotated[Path | None, typer.Option(help="Write the result as JSON.")] = None,
    seed: SEED = 1,
    advisor: Annotated[str, typer.Option(help="rules or gemini.")] = "rules",
) -> None:
    """The whole service in a pretend world; prints the address of its chat page."""
    from bot.app.demo import DemoOptions, main

    if advisor not in ("rules", "gemini"):
        raise typer.BadParameter(f"--advisor is {advisor!r}; allowed is rules or gemini")
    options = DemoOptions(
        tape=tape,
        speed=speed,
        port=port,
        headless=headless,
        seconds=seconds or (90 if headless else 0),
        report=report,
        seed=seed,
        advisor=advisor,
    )
    raise typer.Exit(main(options))


@sandbox.command("exchange")
def sandbox_exchange(
    port: PORT = 0, tape: TAPE = None, seed: SEED = 1, speed: SPEED = 1.0, faults: FAULTS = "none"
) -> None:
    """The pretend exchange in Binance's dialect."""
    from bot.app.pretend import PretendOptions, main

    options = PretendOptions(exchange_port=port, tape=tape, seed=seed, speed=speed, faults=faults)
    raise typer.Exit(main("exchange", options))


@sandbox.command("telegram")
def sandbox_telegram(port: PORT = 0, seed: SEED = 1, speed: SPEED = 1.0) -> None:
    """The pretend Telegram with its chat page."""
    from bot.app.pretend import PretendOptions, main

    raise typer.Exit(main("telegram", PretendOptions(chat_port=port, seed=seed, speed=speed)))


@sandbox.command("gemini")
def sandbox_gemini(port: PORT = 0, seed: SEED = 1) -> None:
    """The pretend Gemini."""
    from bot.app.pretend import PretendOptions, main

    raise typer.Exit(main("gemini", PretendOptions(gemini_port=port, seed=seed)))


@sandbox.command("world", hidden=True)
def sandbox_world(
    port: PORT = 0, tape: TAPE = None, seed: SEED = 1, speed: SPEED = 1.0, faults: FAULTS = "none"
) -> None:
    """All three in one process, for the demo. `--port` is the chat page's."""
    from bot.app.pretend import PretendOptions, main

    options = PretendOptions(
        chat_port=port,
        tape=tape,
        seed=seed,
        speed=speed,
        faults=faults,
        pace=max(1.0, speed / 10),
    )
    raise typer.Exit(main("world", options))


@app.command()
def replay(  # noqa: PLR0913 - the command line's own options
    tape: Annotated[Path, typer.Option(help="A parquet or CSV file, or a folder of them.")],
    preset: Annotated[str, typer.Option(help="Of the bot.")] = "signals",
    strategy: Annotated[str, typer.Option(help="Another than the preset's.")] = "",
    trend: Annotated[str, typer.Option(help="A longer timeframe to follow: 4h.")] = "",
    strategy_dir: Annotated[Path | None, typer.Option(help="Strategies of your own.")] = None,
    news: Annotated[Path | None, typer.Option(help="Recorded news, JSON lines.")] = None,
    first_ms: Annotated[int, typer.Option("--from", help="First moment, Unix ms.")] = 0,
    last_ms: Annotated[int, typer.Option("--to", help="First moment after, Unix ms.")] = 2**53,
    out: Annotated[Path | None, typer.Option(help="A folder for the report.")] = None,
) -> None:
    """A recorded tape through the service's own core; nobody is asked."""
    from bot.replay.backtest import ReplayOptions, main

    options = ReplayOptions(
        tape=tape,
        preset=preset,
        strategy=strategy,
        trend_timeframe=trend,
        strategy_dir=strategy_dir,
        news=news,
        span_ms=(first_ms, last_ms),
        out=out,
    )
    raise typer.Exit(main(options))


@app.command()
def sim(
    seeds: Annotated[str, typer.Option(help="First and last seed: 0-1000.")] = "0-1000",
    as_json: JSON_OPTION = False,
) -> None:
    """Seeded fault simulation; exit 1 on a broken invariant, with its seed."""
    first, _, last = seeds.partition("-")
    if not (first.isdecimal() and (last or first).isdecimal() and int(first) <= int(last or first)):
        raise typer.BadParameter(f"--seeds is {seeds!r}; allowed is FIRST-LAST such as 0-1000")
    from bot.replay.sim import main

    raise typer.Exit(main(int(first), int(last or first), as_json))


@app.command()
def bench(
    names: Annotated[list[str] | None, typer.Argument(help="Which; all without.")] = None,
    as_json: JSON_OPTION = False,
) -> None:
    """Benchmarks, each against a floor measured in the same run."""
    from bot.replay.bench import main

    raise typer.Exit(main(tuple(names or ()), as_json))


@app.command()
def check() -> None:
    """Settings, keys and their permissions, database, connectivity; trades nothing."""
    from bot.app.checkup import main

    raise typer.Exit(main())


@vault.command("init")
def vault_init() -> None:
    """Make the key that protects all others, and print it once."""
    from bot.app.keys import init

    raise typer.Exit(init())


@vault.command("rotate")
def vault_rotate() -> None:
    """Seal every secret anew under a new key, read from a prompt or stdin."""
    from bot.app.keys import rotate

    raise typer.Exit(rotate())


@vault.command("add-account")
def vault_add_account(
    account: Annotated[str, typer.Option(help="Name of the account.")] = "main",
) -> None:
    """Keep an exchange key and its secret, read from a prompt or stdin."""
    from bot.app.keys import add_account

    raise typer.Exit(add_account(account))


@db.command("upgrade")
def db_upgrade(
    url: Annotated[str, typer.Option(help="Another database than DATABASE_URL.")] = "",
) -> None:
    """Make the database, or bring it to this version."""
    from bot.app.records import upgrade

    raise typer.Exit(upgrade(url))


@db.command("backup")
def db_backup(file: Annotated[Path, typer.Argument(help="A file that does not exist.")]) -> None:
    """Write a consistent copy while the service runs."""
    from bot.app.records import backup

    raise typer.Exit(backup(file))


@app.command()
def why(
    id_or_prefix: Annotated[str, typer.Argument(metavar="ID", help="A trade's id or its start.")],
    as_json: JSON_OPTION = False,
) -> None:
    """One trade's or decision's whole record."""
    from bot.app.records import why as tell

    raise typer.Exit(tell(id_or_prefix, as_json=as_json))


@app.command()
def shadow(
    days: Annotated[int, typer.Option(help="Ended in the last so many days; 0: all.", min=0)] = 0,
    account: Annotated[str, typer.Option(help="Name of the account.")] = "main",
    as_json: JSON_OPTION = False,
) -> None:
    """What each no was worth: people, adviser, memory's rules, limits; calibration."""
    from bot.app.scores import main

    raise typer.Exit(main(days, account, as_json=as_json))


@app.command()
def memory(
    trades: Annotated[Path, typer.Option(help="CSV of closed trades.")],
    now: Annotated[int, typer.Option(help="The moment, in Unix milliseconds.")],
    as_json: JSON_OPTION = False,
) -> None:
    """The verdicts in force after these closed trades."""
    from bot.app.lookups import memory as look

    raise typer.Exit(look(trades, now, as_json=as_json))


@app.command()
def decide(
    snapshot: Annotated[Path, typer.Option(help="A question, as it was recorded.")],
    answer: Annotated[Path, typer.Option(help="A model's raw answer.")],
    as_json: JSON_OPTION = False,
) -> None:
    """A recorded model answer through validation and supervisor."""
    from bot.app.lookups import decide as look

    raise typer.Exit(look(snapshot, answer, as_json=as_json))


@app.command()
def commands(as_json: JSON_OPTION = False) -> None:
    """Every chat command with roles and help text in each language."""
    from bot.app.lookups import commands as look

    raise typer.Exit(look(as_json=as_json))


@app.command()
def strategies(as_json: JSON_OPTION = False) -> None:
    """Strategies and their parameters."""
    from bot.app.lookups import strategies as look

    raise typer.Exit(look(as_json=as_json))


if __name__ == "__main__":
    app()
