"""Tapes: what is sound is served in order, what is not is named with file and row."""

from itertools import islice, pairwise
from pathlib import Path

import numpy as np
import pytest

from bot.sandbox.tape import RecordedTape, bucket_start_ms, path_of, to_price
from bot.sandbox.tape_instruments import instrument_of, instruments_for
from bot.sandbox.tape_walk import WALK_SYMBOLS, WalkTape
from bot.shell.errors import SettingFault
from data.model import Candle
from data.money import is_multiple
from tests.sandbox.exchange_cases import D

START_MS = 1_746_403_200_000
HEADER = "open_time,open,high,low,close,volume"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "1m"


def write(folder: Path, name: str, rows: list[str], header: str = HEADER) -> Path:
    """A CSV tape."""
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def row(index: int, prices: str = "10,11,9,10,5") -> str:
    """One sound minute."""
    return f"{START_MS + index * 60_000},{prices}"


def test_csv_tape_is_read_whole(tmp_path: Path) -> None:
    """Symbol and timeframe come from the name; rows come back as candles."""
    path = write(tmp_path, "AUSDT-1m.csv", [row(0), row(1, "10,12,10,12,6")])
    tape = RecordedTape.open(path)
    assert (tape.symbols, tape.timeframe, tape.start_ms) == (("AUSDT",), "1m", START_MS)
    assert tape.end_ms == START_MS + 120_000
    rows = list(tape.rows())
    assert [r.open_ms for r in rows] == [START_MS, START_MS + 60_000]
    assert rows[1].candles[0].close == 12


def test_timeframe_is_found_by_spacing_when_the_name_is_silent(tmp_path: Path) -> None:
    """Rows five minutes apart are 5m candles."""
    path = write(tmp_path, "AUSDT.csv", [row(0), row(5), row(10)])
    assert RecordedTape.open(path).timeframe == "5m"


def test_folder_is_merged_in_time_and_late_starters_come_later(tmp_path: Path) -> None:
    """A symbol that starts later is absent from the first rows."""
    write(tmp_path, "AUSDT-1m.csv", [row(0), row(1), row(2)])
    write(tmp_path, "BUSDT-1m.csv", [row(1), row(2), row(3)])
    rows = list(RecordedTape.open(tmp_path).rows())
    assert [[c.symbol[0] for c in r.candles] for r in rows] == [
        ["A"],
        ["A", "B"],
        ["A", "B"],
        ["B"],
    ]
    assert RecordedTape.open(tmp_path, ("BUSDT",)).symbols == ("BUSDT",)


def test_one_file_may_hold_several_symbols(tmp_path: Path) -> None:
    """A `symbol` column splits a file, and errors still name the file's own row."""
    header = HEADER + ",symbol"
    path = write(tmp_path, "all-1m.csv", [row(0) + ",A", row(0) + ",B", row(1) + ",B"], header)
    assert RecordedTape.open(path).symbols == ("A", "B")
    write(tmp_path, "all-1m.csv", [row(0) + ",A", row(0) + ",B", row(2) + ",B"], header)
    with pytest.raises(SettingFault, match=r"all-1m\.csv: row 3: gap"):
        RecordedTape.open(path)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row(0), row(1), row(3)], "row 3: gap"),
        ([row(0), row(1), row(1)], "row 3: open_time repeats"),
        ([row(0), row(2), row(1)], "row 2: gap|row 3: .*out of order"),
        ([row(1), row(0)], "row 2: .*out of order"),
        ([row(0), row(1, "nan,11,9,10,5")], "row 2: open is NaN"),
        ([row(0), row(1, "10,inf,9,10,5")], "row 2: high is NaN or infinite"),
        ([row(0), row(1, "10,9,11,10,5")], "row 2: high is below low"),
        ([row(0), row(1, "12,11,9,10,5")], "row 2: high is below open"),
        ([row(0), row(1, "10,11,9,8,5")], "row 2: low is above open or close"),
        ([row(0), row(1, "0,11,0,10,5")], "row 2: open is not above zero"),
        ([row(0), row(1, "10,11,9,10,-5")], "row 2: volume is below zero"),
        ([row(0), row(1, "ten,11,9,10,5")], "row 2: open is 'ten'"),
        ([row(0), "1746403200500,10,11,9,10,5"], "row 2: open_time is off"),
        ([], "no rows"),
    ],
)
def test_unsound_rows_are_named(tmp_path: Path, rows: list[str], words: str) -> None:
    """Gap, repeat, disorder, NaN, infinity, crossed extremes: file and row are said."""
    path = write(tmp_path, "AUSDT-1m.csv", rows)
    with pytest.raises(SettingFault, match=words) as caught:
        RecordedTape.open(path)
    assert "AUSDT-1m.csv" in str(caught.value)


def test_unusable_places_are_named(tmp_path: Path) -> None:
    """A missing path, an empty folder, a foreign suffix, a missing column, broken parquet."""
    with pytest.raises(SettingFault, match="no such file"):
        RecordedTape.open(tmp_path / "none")
    with pytest.raises(SettingFault, match=r"no \.parquet or \.csv"):
        RecordedTape.open(tmp_path)
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(SettingFault, match="allowed are"):
        RecordedTape.open(tmp_path / "x.txt")
    with pytest.raises(SettingFault, match="column volume is missing"):
        RecordedTape.open(write(tmp_path, "A-1m.csv", [], "open_time,open,high,low,close"))
    (tmp_path / "B-1m.parquet").write_bytes(b"nonsense")
    with pytest.raises(SettingFault, match="not a readable parquet"):
        RecordedTape.open(tmp_path / "B-1m.parquet")
    with pytest.raises(SettingFault, match="no candles for ZUSDT"):
        RecordedTape.open(write(tmp_path, "C-1m.csv", [row(0)]), ("ZUSDT",))


def test_files_of_two_timeframes_do_not_mix(tmp_path: Path) -> None:
    """One tape has one timeframe."""
    write(tmp_path, "AUSDT-1m.csv", [row(0), row(1)])
    write(tmp_path, "BUSDT-5m.csv", [row(0), row(5)])
    with pytest.raises(SettingFault, match="timeframe 5m, but other files have 1m"):
        RecordedTape.open(tmp_path)


def test_parquet_tape_is_read_and_checked(tmp_path: Path) -> None:
    """Parquet goes through the same checks as CSV."""
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {
        "open_time": [START_MS, START_MS + 60_000],
        "open": [10.0, 10.0],
        "high": [11.0, 11.0],
        "low": [9.0, 9.0],
        "close": [10.0, float("nan")],
        "volume": [1.0, 1.0],
    }
    path = tmp_path / "AUSDT-1m.parquet"
    parquet.write_table(pyarrow.table(columns), path)
    with pytest.raises(SettingFault, match="row 2: close is NaN"):
        RecordedTape.open(path)
    columns["close"][1] = 10.5
    parquet.write_table(pyarrow.table(columns), path)
    assert RecordedTape.open(path).first_prices == {"AUSDT": 10.0}


def test_recorded_days_open() -> None:
    """The real one-minute record is sound and merged over all its symbols."""
    if not SHARED.is_dir():
        pytest.skip("the shared recorded candles are not on this machine")
    tape = RecordedTape.open(SHARED, ("BTCUSDT", "ETHUSDT"))
    first = next(tape.rows())
    assert [c.symbol for c in first.candles] == ["BTCUSDT", "ETHUSDT"]
    assert first.candles[0].open == 94230.2


def candle(open_: float, high: float, low: float, close: float) -> Candle:
    """A one-minute candle."""
    return Candle(
        symbol="A",
        timeframe="1m",
        open_ms=0,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=1.0,
    )


@pytest.mark.parametrize(
    ("bar", "prices"),
    [
        (candle(10, 11, 8, 9), [10, 11, 8, 9]),  # the high is 1 away, the low 2
        (candle(10, 13, 9, 12), [10, 9, 13, 12]),  # the low is 1 away, the high 3
        (candle(10, 11, 9, 10), [10, 9, 11, 10]),  # equally near: the low first
    ],
)
def test_path_goes_to_the_nearer_extreme_first(bar: Candle, prices: list[float]) -> None:
    """Open, nearer extreme, other extreme, close; at 0, a third, two thirds, the last ms."""
    assert [p for _, p in path_of(bar)] == prices
    assert [t for t, _ in path_of(bar)] == [0, 20_000, 40_000, 59_999]


def test_walk_is_the_same_for_the_same_seed_and_joined_up() -> None:
    """Same seed, same candles; each opens where the last closed, on the tick, high over low."""
    first, again, other = (list(islice(WalkTape(s).rows(), 400)) for s in (7, 7, 8))
    assert first == again
    assert first != other
    for before, after in pairwise(first):
        assert after.open_ms - before.open_ms == 60_000
        for old, new in zip(before.candles, after.candles, strict=True):
            assert new.open == old.close
            assert new.low <= min(new.open, new.close) <= max(new.open, new.close) <= new.high
    for bar in first[-1].candles:
        tick = instrument_of(bar.symbol, 1.0).tick_size
        assert is_multiple(D(repr(bar.high)), tick)


def test_walk_has_the_habits_of_a_market() -> None:
    """Fat tails, clustered volatility, symbols that move together, and a daily range of some %."""
    rows = list(islice(WalkTape(1).rows(), 6000))
    closes = np.array([[c.close for c in r.candles] for r in rows])
    returns = np.diff(np.log(closes), axis=0)
    btc = returns[:, 0]
    kurtosis = ((btc - btc.mean()) ** 4).mean() / btc.var() ** 2
    assert kurtosis > 5
    sizes = np.abs(btc)
    assert np.corrcoef(sizes[1:], sizes[:-1])[0, 1] > 0.1
    assert np.corrcoef(btc, returns[:, 1])[0, 1] > 0.5
    assert 0.01 < btc.std() * np.sqrt(1440) < 0.08


def test_walk_takes_other_symbols_and_timeframes() -> None:
    """A stranger is walked too."""
    tape = WalkTape(1, ("BTCUSDT", "NEWUSDT"), timeframe="5m")
    rows = list(islice(tape.rows(), 3))
    assert rows[1].open_ms - rows[0].open_ms == 300_000
    assert tape.first_prices["NEWUSDT"] == 10.0


def test_buckets_follow_utc_and_weeks_open_on_monday() -> None:
    """2025-05-05 was a Monday."""
    noon = START_MS + 2 * 86_400_000 + 43_230_000
    assert bucket_start_ms(noon, "1h") == START_MS + 2 * 86_400_000 + 43_200_000
    assert bucket_start_ms(noon, "1d") == START_MS + 2 * 86_400_000
    assert bucket_start_ms(noon, "1w") == START_MS


def test_instruments_know_the_great_and_derive_the_rest() -> None:
    """BTC has its real filters; a stranger's tick follows its price; brackets stay continuous."""
    prices = {**{s: t[0] for s, t in WALK_SYMBOLS.items()}, "NEWUSDT": 0.0123}
    made = {i.symbol: i for i in instruments_for(prices)}
    btc = made["BTCUSDT"]
    assert (btc.tick_size, btc.step_size, btc.notional_min) == (D("0.1"), D("0.001"), D(50))
    assert made["NEWUSDT"].tick_size == D("0.000001")
    assert to_price(94230.2, btc.tick_size) == D("94230.2")
    assert to_price(94230.26, D("0.5")) == D("94230.5")
    for instrument in made.values():
        for low, high in pairwise(instrument.brackets):
            edge = low.notional_cap
            assert edge * low.maintenance_ratio - low.maintenance_amount == (
                edge * high.maintenance_ratio - high.maintenance_amount
            )
