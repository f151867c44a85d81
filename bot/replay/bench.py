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
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from bot.advisor.prompt import PROMPT_TOKENS_MAX
from bot.replay import (
    bench_advice,
    bench_burst,
    bench_market,
    bench_memory,
    bench_protect,
    bench_shadow,
    bench_strategies,
    bench_wire,
    sim,
)
from bot.replay.bench_child import child
from bot.shell.bar_queue import SLICE_S
from bot.shell.clock import wall_monotonic_s
from bot.shell.log import configure
from bot.shell.process import cpu_s

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


def react_burst() -> list[Figure]:
    """120 bars closing at once, ten entries: last frame to last bytes; floor: disk and sockets.

    The floor is two commits of ten steps and ten bare POSTs, in the same run.
    """
    told = asyncio.run(bench_burst.measure())
    sys.stderr.write(told.in_words() + "\n")
    median_ms, slow_ms = told.percentile(0.5), told.percentile(0.99)
    floor = bench_burst.percentile_of(told.floor_ms, 0.5)
    return [
        figure("react_burst", median_ms, "ms", floor, ("<= 10 ms", median_ms <= 10)),
        figure("react_burst_p99", slow_ms, "ms", floor, ("<= 40 ms", slow_ms <= 40)),
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


def feed_frame() -> list[Figure]:
    """CPU time of a kline frame, socket to window; floor: a bare receive and decode of the same."""
    told = bench_market.measure_frame()
    ratio, rate = round(told.ratio, 3), 1e6 / told.ours_us
    goal = figure("feed_frame", told.ours_us, "us", told.bare_us, ("<= 1.5x", ratio <= 1.5))
    floor = 1e6 / told.bare_us
    return [
        replace(goal, ratio=ratio),
        figure("feed_rate", rate, "frames/s", floor, (">= 30000 frames/s", rate >= 30_000)),
    ]


def feed_600() -> list[Figure]:
    """600 symbols on three timeframes, four updates a second; floor: the frames that were sent."""
    told = bench_market.measure_feed(600)
    sent, memory = told.frames + told.lost, told.rss_mb_peak
    enough = told.frames_a_second >= 600 * 3 * 4
    lag_ms = told.lag_p99_ms
    return [
        figure("feed_600", told.frames, "frames", sent, ("none lost", told.lost == 0 and enough)),
        figure("feed_600_lag", lag_ms, "ms", told.lag_max_ms, ("p99 <= 50 ms", lag_ms <= 50)),
        figure("feed_600_memory", memory, "MiB", 0, ("<= 300 MiB", memory <= 300)),
    ]


def feed_growth() -> list[Figure]:
    """CPU time of a frame with 600 symbols; floor: with 40."""
    few, many = bench_market.measure_feed(40), bench_market.measure_feed(600)
    met = many.cpu_us <= 1.15 * few.cpu_us
    return [figure("feed_growth", many.cpu_us, "us", few.cpu_us, ("<= 1.15x", met))]


def memory_40() -> list[Figure]:
    """The whole service on paper with 40 symbols, all warm; floor: the same with one."""
    return [_memory("memory_40", 40, 150)]


def memory_600() -> list[Figure]:
    """The whole service on paper with 600 symbols, all warm; floor: the same with one."""
    return [_memory("memory_600", 600, 300)]


def warmup_40() -> list[Figure]:
    """40 symbols on three timeframes from cold to shown; floor: the same pages read bare.

    The second figure is the plan for 600, whose length is the weight limit's; trading is possible
    meanwhile on what is ready.
    """
    told = bench_market.measure_warm_up()
    least_s = 3_600 / 2_400 * 60  # weight of 1,800 pages at the whole limit of a minute
    within = told.warm_s <= 5 and told.weight <= 2_400
    sys.stderr.write(f"600 symbols: {told.plan}; {told.early} ready after {told.warm_s:.1f} s\n")
    return [
        figure("warmup_40", told.warm_s, "s", told.bare_s, ("<= 5 s", within)),
        figure("warmup_600_plan", told.plan_s, "s", least_s, ("some at once", told.early > 0)),
    ]


def strategies_bar() -> list[Figure]:
    """A bar through all six strategies, and 1,800 at once; floor: one call of each indicator."""
    bar, burst = bench_strategies.measure_bar(), asyncio.run(bench_strategies.measure_burst())
    floor_ms, took, lag = bar.floor_ms, burst.took_s, burst.lag_ms_p99
    return [
        figure("strategies_bar", bar.median_ms, "ms", floor_ms, ("<= 1.5", bar.median_ms <= 1.5)),
        figure("strategies_cpu", bar.cpu_ms, "ms cpu", floor_ms, ("<= 1.5", bar.cpu_ms <= 1.5)),
        figure("strategies_1800", took, "s", burst.floor_s, ("<= 1.5 s", took <= 1.5)),
        figure("strategies_lag", lag, "ms p99", 1e3 * SLICE_S, ("<= 50", lag <= 50)),
    ]


def strategies_year() -> list[Figure]:
    """A year of one-minute bars through the default strategy; floor: appending the bars."""
    year_s, bare_s = bench_strategies.measure_year()
    return [figure("strategies_year", year_s, "s", bare_s, ("<= 60 s", year_s <= 60))]


def sim_rate() -> list[Figure]:
    """Seeds a CPU second, each run twice; floor: the same worlds without invariants."""
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


def decide() -> list[Figure]:
    """Snapshot to prompt to validated decision; floor: hashing and JSON of the same bytes once."""
    told = bench_advice.measure()
    met = told.opened and told.decide_ms <= 3
    return [figure("decide", told.decide_ms, "ms", told.floor_ms, ("<= 3 ms", met))]


def prompt_tokens() -> list[Figure]:
    """Tokens of one symbol's request, on the high side, and its price; floor: the static part.

    The price's floor is the same with the static part from the provider's cache.
    """
    told = bench_advice.measure()
    met = told.tokens <= PROMPT_TOKENS_MAX
    cost, cached = float(told.cost_usd), float(told.cached_usd)
    return [
        figure("prompt_tokens", told.tokens, "tokens", told.static_tokens, ("<= 3000", met)),
        figure("prompt_cost", cost, "USD", cached, ("<= 0.01 USD", cost <= 0.01)),
    ]


def shadow() -> list[Figure]:
    """A closed bar with 1,000 shadows open; floor: the same bar with none.

    The others: what looking at those that were touched takes afterwards, beside the bars, and what
    the bar pays when all thousand are in its own symbol.
    """
    told = bench_shadow.measure()
    bare_us, ratio = told.bare_us, round(told.with_us / told.bare_us, 3)
    return [
        figure("shadow", told.with_us, "us", bare_us, ("<= 1.10x", ratio <= 1.10)),
        figure(
            "shadow_aside", told.aside_us, "us", bare_us, ("<= 0.5x", told.aside_us <= bare_us / 2)
        ),
        figure("shadow_one", told.one_us, "us", bare_us, ("<= 1x", told.one_us <= bare_us)),
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
    "react_burst": react_burst,
    "post_overhead": post_overhead,
    "user_storm": user_storm,
    "feed_frame": feed_frame,
    "feed_600": feed_600,
    "feed_growth": feed_growth,
    "memory_40": memory_40,
    "memory_600": memory_600,
    "warmup_40": warmup_40,
    "strategies_bar": strategies_bar,
    "strategies_year": strategies_year,
    "sim_rate": sim_rate,
    "memory_fold": memory_fold,
    "shadow": shadow,
    "decide": decide,
    "prompt_tokens": prompt_tokens,
    "startup": startup,
}


def main(names: tuple[str, ...], as_json: bool) -> int:
    """Run the named benchmarks (all without a name); 1 when a goal was missed, 2 on a bad name."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        known = ", ".join(BENCHMARKS)
        sys.stderr.write(f"no benchmark is called {', '.join(unknown)}; there are {known}\n")
        return 2
    configure(level="error")  # what is measured has nothing to say; stdout is the figures
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


def exchange_sandbox(*more: str) -> AbstractContextManager[dict[str, Any]]:
    """The pretend exchange in a process of its own; its ready line as a dict."""
    return child("bot", "sandbox", "exchange", "--port", "0", *more)


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


def _memory(name: str, symbols: int, most_mb: int) -> Figure:
    one_mb, all_mb = (bench_market.measure_memory(count) for count in (1, symbols))
    return figure(name, all_mb, "MiB", one_mb, (f"<= {most_mb} MiB", all_mb <= most_mb))


def _median_s(command: list[str]) -> float:
    took = []
    for _ in range(RUNS):
        began_s = wall_monotonic_s()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
        took.append(wall_monotonic_s() - began_s)
    return statistics.median(took)


def _rate(run: Callable[[int], object]) -> float:
    began_s = cpu_s()  # of this process: a neighbour on the machine does not count
    for seed in range(SIM_SEEDS):
        run(seed)
    return SIM_SEEDS / (cpu_s() - began_s)
