"""`python -m bot bench`: measurements, each beside a floor taken in the same run.

Machines are shared and noisy, so a figure is judged by its ratio to the floor or by a generous
goal, and never inside a test. Must not know: settings; what it starts, it starts as a user would.
"""

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from bot.replay import bench_memory, bench_protect, bench_wire, sim
from bot.shell.clock import wall_monotonic_s

SIM_SEEDS: Final = 300
RUNS: Final = 5
READY_S_MAX: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measurement; `ratio` is value over floor, `ok` is whether `goal` is met."""

    name: str
    value: float
    unit: str
    floor: float
    ratio: float
    goal: str
    ok: bool


def figure(name: str, value: float, unit: str, floor: float, goal: tuple[str, bool]) -> Figure:
    """A figure with its ratio; numbers to four digits."""
    return Figure(
        name=name,
        value=round(value, 4),
        unit=unit,
        floor=round(floor, 4),
        ratio=round(value / floor, 3) if floor else 0.0,
        goal=goal[0],
        ok=goal[1],
    )


def protect() -> list[Figure]:
    """First fill on the socket to the stop's bytes; floor: one durable commit of the same row."""
    with exchange_sandbox() as ready:
        median_ms, floor_ms = asyncio.run(bench_protect.measure(ready))
    return [figure("protect", median_ms, "ms", floor_ms, ("<= 5 ms", median_ms <= 5))]


def post_overhead() -> list[Figure]:
    """CPU time of one signed order; floor: a bare POST of the same bytes in the same session.

    The second figure is the whole way from the core's order to its event, for comparison.
    """
    told = asyncio.run(bench_wire.measure_post())
    client, whole = round(told.client_ratio, 3), round(told.gateway_ratio, 3)
    return [
        replace(
            figure("post_overhead", told.client_us, "us", told.bare_us, ("<= 1.3x", client <= 1.3)),
            ratio=client,
        ),
        replace(
            figure("post_whole", told.gateway_us, "us", told.bare_us, ("<= 2x", whole <= 2)),
            ratio=whole,
        ),
    ]


def user_storm() -> list[Figure]:
    """5,000 frames a second for ten seconds into the journal; floors: what was sent, what runs."""
    told = asyncio.run(bench_wire.measure_storm())
    whole = told.lost == told.events_dropped == told.breaks == 0
    sent, heard = told.events_expected, told.events_applied
    pause_ms = told.pause_s_max * 1e3
    return [
        figure("user_storm", heard, "events", sent, ("none lost", whole)),
        figure("storm_backlog", told.backlog_max, "events", 20_000, ("<= 20000", whole)),
        figure("storm_pause", pause_ms, "ms", 30_000, ("<= 15000 ms", pause_ms <= 15_000)),
        figure(
            "storm_memory",
            told.rss_mb_peak,
            "MiB",
            told.rss_mb_before,
            ("<= 150 MiB", told.rss_mb_peak <= 150),
        ),
    ]


def sim_rate() -> list[Figure]:
    """Seeds a second on one core, each run twice; floor: the same worlds without invariants."""
    rate = _rate(lambda seed: sim.run_seed(seed))
    bare = _rate(sim.run_unwatched)
    return [figure("sim_rate", rate, "seeds/s", bare, (">= 100 seeds/s", rate >= 100))]


def memory_fold() -> list[Figure]:
    """10,000 trades folded, one more added, one signal asked about; floors: summing, copying."""
    told = bench_memory.measure()
    return [
        figure("memory_fold", told.fold_ms, "ms", told.sum_ms, ("<= 50 ms", told.fold_ms <= 50)),
        figure("memory_add", told.more_ms, "ms", told.copy_ms, ("<= 0.1 ms", told.more_ms <= 0.1)),
        figure("memory_ask", told.ask_ms, "ms", told.copy_ms, ("<= 0.2 ms", told.ask_ms <= 0.2)),
    ]


def startup() -> list[Figure]:
    """`--help`, and from start to ready to trade; floor: an interpreter that does nothing."""
    floor_s = _median_s([sys.executable, "-c", "pass"])
    help_s = _median_s([sys.executable, "-m", "bot", "--help"])
    with exchange_sandbox() as ready:
        ready_s = statistics.median(_until_ready_s(ready) for _ in range(3))
    return [
        figure("startup", ready_s, "s", floor_s, ("<= 3 s", ready_s <= 3)),
        figure("startup_help", help_s, "s", floor_s, ("<= 0.5 s", help_s <= 0.5)),
    ]


BENCHMARKS: Final[dict[str, Callable[[], list[Figure]]]] = {
    "protect": protect,
    "post_overhead": post_overhead,
    "user_storm": user_storm,
    "sim_rate": sim_rate,
    "memory_fold": memory_fold,
    "startup": startup,
}


def main(names: tuple[str, ...], as_json: bool) -> int:
    """Run the named benchmarks (all without a name); 1 when a goal was missed, 2 on a bad name."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        known = ", ".join(BENCHMARKS)
        sys.stderr.write(f"no benchmark is called {', '.join(unknown)}; there are {known}\n")
        return 2
    figures: list[Figure] = []
    for name in names or tuple(BENCHMARKS):
        sys.stderr.write(f"measuring {name} ...\n")
        figures += BENCHMARKS[name]()
    if as_json:
        sys.stdout.write(json.dumps([asdict(one) for one in figures]) + "\n")
    else:
        for one in figures:
            sys.stdout.write(
                f"{one.name:14} {one.value:>10g} {one.unit:8} floor {one.floor:g}, "
                f"{one.ratio:g}x  goal {one.goal}: {'met' if one.ok else 'MISSED'}\n"
            )
    return 0 if all(one.ok for one in figures) else 1


@contextmanager
def exchange_sandbox(*more: str) -> Iterator[dict[str, Any]]:
    """The pretend exchange in a process of its own; its ready line as a dict."""
    command = [sys.executable, "-m", "bot", "sandbox", "exchange", "--port", "0", *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the pretend exchange did not start"
        yield json.loads(line)
    finally:
        process.terminate()
        process.wait(timeout=10)
        if process.stdout is not None:
            process.stdout.close()


def _until_ready_s(ready: dict[str, Any]) -> float:
    """Start the service as systemd would and wait for its READY=1."""
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
    ):
        address = str(Path(folder) / "notify")
        notify.bind(address)
        notify.settimeout(READY_S_MAX)
        settings = {
            "PATH": os.defpath,
            "NOTIFY_SOCKET": address,
            "MODE": "testnet",
            "BINANCE_REST_URL": ready["rest"],
            "BINANCE_WS_URL": ready["ws"],
            "BINANCE_API_KEY": ready["api_key"],
            "BINANCE_API_SECRET": ready["api_secret"],
            "DATABASE_URL": f"sqlite+aiosqlite:///{folder}/bench.db",
            "FIXED_SYMBOLS": "BTCUSDT,ETHUSDT",
            "LOG_LEVEL": "error",
        }
        began_s = wall_monotonic_s()
        process = subprocess.Popen(
            [sys.executable, "-m", "bot", "run"],
            env=settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while b"READY=1" not in notify.recv(4096):
                pass
            return wall_monotonic_s() - began_s
        finally:
            process.terminate()
            process.wait(timeout=30)


def _median_s(command: list[str]) -> float:
    took = []
    for _ in range(RUNS):
        began_s = wall_monotonic_s()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
        took.append(wall_monotonic_s() - began_s)
    return statistics.median(took)


def _rate(run: Callable[[int], object]) -> float:
    began_s = wall_monotonic_s()
    for seed in range(SIM_SEEDS):
        run(seed)
    return SIM_SEEDS / (wall_monotonic_s() - began_s)
