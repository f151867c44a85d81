"""A tape through the core: what comes out is exact, and the same each time."""

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest

from bot.replay.backtest import main
from bot.sandbox.tape_walk import WalkTape

BARS = 4_000


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """Some days of a seeded walk as a CSV file."""
    file = tmp_path / "BTCUSDT-1m.csv"
    rows = WalkTape(3, ("BTCUSDT",)).rows()
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["open_time", "open", "high", "low", "close", "volume"])
        for _ in range(BARS):
            (c,) = next(rows).candles
            writer.writerow([c.open_ms, c.open, c.high, c.low, c.close, c.volume])
    return file


def test_the_same_tape_gives_the_same_trades_and_exact_books(tape: Path, tmp_path: Path) -> None:
    """Two runs agree, and the wallet has moved by the trades' results to the last digit."""
    reports = []
    for name in ("one", "two"):
        assert main(tape, "signals", (0, 2**53), (), tmp_path / name) == 0
        reports.append(json.loads((tmp_path / name / "report.json").read_text()))
    first, second = reports
    assert first["trades"] == second["trades"]
    assert first["bars"] == BARS
    assert first["trades"]
    total = sum(Decimal(trade["pnl_usdt"]) for trade in first["trades"])
    assert total == Decimal(first["metrics"]["pnl_usdt"])


def test_an_unknown_preset_is_named(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that says what is allowed, and exit code 2."""
    assert main(tape, "nosuch", (0, 1), (), tmp_path) == 2
    assert "--preset is 'nosuch'; allowed is" in capsys.readouterr().err
