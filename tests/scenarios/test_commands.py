"""The command line as scripts use it: wrong settings, servers, paper mode, a short demo."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from tests.house import ROOT
from tests.scenarios.stage import stage

REPORT_KEYS = {
    "signals",
    "cards",
    "approved",
    "rejected",
    "expired",
    "trades_opened",
    "trades_closed",
    "exits",
    "unprotected_ms_p50",
    "unprotected_ms_max",
    "belief_equals_exchange",
    "orphan_orders",
    "our_pnl_usdt",
    "exchange_income_usdt",
    "journal_events",
    "advisor",
    "rss_mb_peak",
}


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """An environment with these settings and none of the machine's own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    base = {"PYTHONPATH": str(ROOT), "DATABASE_URL": f"sqlite+aiosqlite:///{folder}/bot.db"}
    return {**kept, **base, **settings}


def bot(folder: Path, *arguments: str, stdin: str = "", **settings: str) -> Any:
    """One command, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env=environment(folder, **settings),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"MODE": "real"}, "MODE is 'real'; allowed is paper, testnet, live"),
        ({"RISK_PER_TRADE": "50"}, "RISK_PER_TRADE is '50'; allowed is 0.01 to 10"),
        ({"FIXED_SYMBOLS": "btc/usdt"}, "FIXED_SYMBOLS is 'btc/usdt'; allowed is a list of"),
        ({"BINANCE_REST_URL": "ftp://x"}, "BINANCE_REST_URL is 'ftp://x'; allowed is an http"),
        ({"MODE": "live"}, "TELEGRAM_BOT_TOKEN is not set; MODE=live needs it"),
        ({"MODE": "testnet"}, "APP_ENCRYPTION_KEY is not set; allowed is"),
        ({"BINANCE_TESTNET": "true", "MODE": "live"}, "BINANCE_TESTNET is true and MODE is live"),
        ({"MODE": "testnet", "APP_ENCRYPTION_KEY": "short"}, "APP_ENCRYPTION_KEY is a secret"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_2(
    tmp_path: Path, settings: dict[str, str], words: str
) -> None:
    """The line names the setting, its value and what is allowed; no traceback, nothing started."""
    done = bot(tmp_path, "run", **settings)
    assert done.returncode == 2
    assert done.stderr.startswith(words)
    assert done.stderr.count("\n") == 1
    assert not done.stdout


def test_a_secret_is_never_shown_when_it_is_wrong(tmp_path: Path) -> None:
    """A key that cannot be used is named, not repeated."""
    done = bot(tmp_path, "run", MODE="testnet", APP_ENCRYPTION_KEY="verysecrettext")
    assert "verysecrettext" not in done.stderr + done.stdout


def test_keys_go_into_the_vault_and_only_their_key_opens_them(tmp_path: Path) -> None:
    """init, add-account, rotate; then the old key is refused and nothing is overwritten."""
    old = bot(tmp_path, "vault", "init").stdout.strip()
    added = bot(
        tmp_path, "vault", "add-account", stdin="the-key\nthe-secret\n", APP_ENCRYPTION_KEY=old
    )
    assert added.returncode == 0
    new = bot(tmp_path, "vault", "rotate", stdin="\n", APP_ENCRYPTION_KEY=old).stdout.strip()
    assert new
    assert new != old
    before = (tmp_path / "bot.db").read_bytes()
    refused = bot(tmp_path, "check", MODE="testnet", APP_ENCRYPTION_KEY=old)
    assert refused.returncode == 2
    assert "does not match" in refused.stderr
    assert (tmp_path / "bot.db").read_bytes() == before
    for done in (added, refused):
        assert "the-secret" not in done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["exchange", "telegram", "gemini"])
async def test_a_sandbox_says_one_ready_line_and_ends_on_sigterm(kind: str, tmp_path: Path) -> None:
    """Scripts read one JSON line, then talk to it; SIGTERM ends it with 0."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "sandbox",
        kind,
        "--port",
        "0",
        env=environment(tmp_path),
        stdout=PIPE,
    )
    assert child.stdout is not None
    async with asyncio.timeout(120):
        told = json.loads(await child.stdout.readline())
        assert told["ready"] is True
        assert any(str(value).startswith("http://127.0.0.1:") for value in told.values())
        child.send_signal(signal.SIGTERM)
        assert await child.wait() == 0
        assert await child.stdout.read() == b""


def test_json_commands_print_json_and_nothing_else(tmp_path: Path) -> None:
    """`--json` keeps stdout pure."""
    (tmp_path / "trades.csv").write_text(
        "symbol,model,closed_ms,pnl_usdt,equity_usdt\n"
        + "".join(f"BTCUSDT,continuation,{n},-1,{100 - n}\n" for n in (1, 2, 3))
    )
    verdicts = bot(tmp_path, "memory", "--trades", "trades.csv", "--now", "10", "--json")
    assert [row["rule"] for row in json.loads(verdicts.stdout)] == [
        "loss_streak_pause",
        "symbol_cooldown",
    ]
    assert json.loads(bot(tmp_path, "commands", "--json").stdout)
    assert json.loads(bot(tmp_path, "strategies", "--json").stdout)


async def test_paper_mode_trades_nothing_real_and_stops_on_sigterm(tmp_path: Path) -> None:
    """`run` without keys: the exchange's prices, orders in here, a chat page; ends with 0."""
    async with stage(tmp_path) as scene:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot",
            "run",
            cwd=tmp_path,
            env=environment(
                tmp_path,
                BINANCE_REST_URL=scene.exchange.rest,
                BINANCE_WS_URL=scene.exchange.ws,
                FIXED_SYMBOLS="BTCUSDT",
                LOG_FORMAT="json",
            ),
            stdout=PIPE,
            stderr=PIPE,
        )
        assert child.stdout is not None
        assert child.stderr is not None
        async with asyncio.timeout(120):
            assert b"Chat page: http://127.0.0.1:" in await child.stdout.readline()
            while json.loads(await child.stderr.readline())["event"] != "service_ready":
                pass
            child.send_signal(signal.SIGTERM)
            rest = await child.stderr.read()
            assert await child.wait() == 0
        assert b"service_stopped" in rest
        assert not (await scene.truth())["orders"]
        seen = {row["path"] for row in scene.exchange.received}
        assert "/fapi/v1/listenKey" not in seen


@pytest.mark.slow
def test_a_short_demo_keeps_exact_books(tmp_path: Path) -> None:
    """The demo headless, at high speed: a whole report, and our books are the exchange's."""
    done = bot(
        tmp_path,
        "demo",
        "--headless",
        "--seconds",
        "12",
        "--speed",
        "600",
        "--report",
        "report.json",
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report) == REPORT_KEYS
    assert report["belief_equals_exchange"] is True
    assert report["orphan_orders"] == 0
    assert report["our_pnl_usdt"] == report["exchange_income_usdt"]
    assert report["cards"] > 0
    assert report["rss_mb_peak"] < 150
