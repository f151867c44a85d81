"""A tape through the core: what comes out is exact, and the same each time."""

import csv
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.replay.backtest import ReplayOptions, main
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
        assert main(ReplayOptions(tape=tape, out=tmp_path / name)) == 0
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
    assert main(ReplayOptions(tape=tape, preset="nosuch", out=tmp_path)) == 2
    assert "--preset is 'nosuch'; allowed is" in capsys.readouterr().err


EAGER = """
from dataclasses import dataclass
from bot.core.strategies.strategy import Proposal, Strategy
from data.model import Direction

@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    every: int = 100

def evaluate(params, bars, context):
    if int(bars.open_ms[-1]) // 60_000 % params.every or WISH:
        return None
    return Proposal(direction=Direction.LONG, stop_distance=float(bars.close[-1]) * 0.005,
                    reward_risk=1.5, parts=(("all", 90.0),), reasons=("It is time.",))

STRATEGY = Strategy(name="eager", model="eager", summary="By the clock.", params_type=Params,
                    bounds={"every": (1, 1000)}, evaluate=evaluate, bars_needed=lambda p: 3,
                    wants_news=True)
"""


def trades_of(options: ReplayOptions) -> list[dict[str, str]]:
    """The trades of a replay that went well."""
    assert options.out is not None
    assert main(options) == 0
    trades: list[dict[str, str]] = json.loads((options.out / "report.json").read_text())["trades"]
    return trades


def test_a_strategy_of_ones_own_is_replayed(tape: Path, tmp_path: Path) -> None:
    """From a folder, by its name, with the higher timeframe folded from the tape."""
    wish = "context.trend is not None and (len(context.trend.close) < 100)"
    (tmp_path / "eager.py").write_text(EAGER.replace("WISH", "False"))
    options = ReplayOptions(
        tape=tape, strategy="eager", strategy_dir=tmp_path, out=tmp_path / "plain"
    )
    plain = trades_of(options)
    assert plain
    (tmp_path / "eager.py").write_text(EAGER.replace("WISH", wish))
    later = trades_of(replace(options, trend_timeframe="5m", out=tmp_path / "trend"))
    assert later
    first_ms = int(next(iter(WalkTape(3, ("BTCUSDT",)).rows())).open_ms)
    assert int(plain[0]["entry_ms"]) < first_ms + 500 * 60_000 <= int(later[0]["entry_ms"])


def test_recorded_news_reach_a_strategy_when_they_were_published(
    tape: Path, tmp_path: Path
) -> None:
    """No trade before the first item, whatever the file holds for later."""
    (tmp_path / "eager.py").write_text(EAGER.replace("WISH", "not (context.news_score or 0) > 0"))
    first_ms = int(next(iter(WalkTape(3, ("BTCUSDT",)).rows())).open_ms)
    told_ms = first_ms + 1_500 * 60_000
    news = tmp_path / "news.jsonl"
    news.write_text(json.dumps({"published_ms": told_ms, "title": "Bitcoin rallies"}))
    options = ReplayOptions(
        tape=tape, strategy="eager", strategy_dir=tmp_path, news=news, out=tmp_path / "out"
    )
    trades = trades_of(options)
    assert trades
    assert int(trades[0]["entry_ms"]) >= told_ms
    assert not trades_of(replace(options, news=None))


def test_a_broken_strategy_ends_the_replay_with_its_reason(
    tape: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named on stderr; a name that is not known is answered with those that are."""
    (tmp_path / "eager.py").write_text(EAGER.replace("WISH", "1 / (len(bars.close) - 600)"))
    options = ReplayOptions(tape=tape, strategy="eager", strategy_dir=tmp_path)
    assert main(options) == 0, "it broke in no bar of this tape: a window holds 500"
    (tmp_path / "eager.py").write_text(EAGER.replace("WISH", "bars.open_ms[-1] > 10**12 and 1 / 0"))
    assert main(options) == 1
    assert "eager: ZeroDivisionError: division by zero" in capsys.readouterr().err
    assert main(replace(options, strategy="astrology")) == 2
    assert "--strategy is 'astrology'; allowed is continuation, " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"trend_timeframe": "1m"}, "trend_timeframe is 1m; it must be longer than timeframe"),
        ({"news": Path("nowhere.jsonl")}, "nowhere.jsonl"),
    ],
)
def test_a_wrong_argument_is_named(
    tape: Path, changes: dict[str, Any], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2 and one line."""
    assert main(replace(ReplayOptions(tape=tape), **changes)) == 2
    assert why in capsys.readouterr().err
