"""Reading recorded candles from parquet and CSV, and refusing what is not sound.

A file holds `open_time` (Unix ms), `open high low close volume`, closed bars only, oldest first,
and optionally `symbol`. Rows are counted from 1, a CSV header not counted. Anything wrong is a
SettingFault that names the file and the row. Must not know: what the candles are for.
"""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bot.shell.errors import SettingFault

COLUMNS: Final = ("open_time", "open", "high", "low", "close", "volume")
SUFFIXES: Final = (".parquet", ".csv")
NAMED: Final = re.compile(r"(?P<symbol>[^-]+)-(?P<timeframe>\d+[mhdw])")

Floats = npt.NDArray[np.float64]
Raw = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """One symbol's candles as arrays of one length, oldest first."""

    open_ms: npt.NDArray[np.int64]
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats


def read_tape_files(
    path: Path, symbols: tuple[str, ...], timeframes_ms: Mapping[str, int]
) -> tuple[dict[str, Columns], str]:
    """Every symbol's candles under `path` and their common timeframe; SettingFault if unsound."""
    files = _files_of(path, symbols)
    found: dict[str, Columns] = {}
    timeframe = ""
    for file in files:
        for symbol, (raw, rows) in _symbols_in(file).items():
            if symbols and symbol not in symbols:
                continue
            if symbol in found:
                raise SettingFault(f"tape {file}: {symbol} was already read from another file")
            interval_ms = _interval_of(file, raw, rows, timeframes_ms)
            found[symbol] = _checked(file, raw, rows, interval_ms)
            name = next(n for n, ms in timeframes_ms.items() if ms == interval_ms)
            if timeframe not in ("", name):
                raise SettingFault(
                    f"tape {file}: timeframe {name}, but other files have {timeframe}"
                )
            timeframe = name
    missing = [symbol for symbol in symbols if symbol not in found]
    if missing or not found:
        raise SettingFault(f"tape {path}: no candles for {', '.join(missing) or 'any symbol'}")
    return found, timeframe


def _files_of(path: Path, symbols: tuple[str, ...]) -> list[Path]:
    if path.is_file():
        if path.suffix not in SUFFIXES:
            raise SettingFault(f"tape {path}: allowed are {' and '.join(SUFFIXES)} files")
        return [path]
    if not path.is_dir():
        raise SettingFault(f"tape {path}: no such file or folder")
    files = sorted(one for one in path.iterdir() if one.suffix in SUFFIXES)
    if symbols:
        named = [one for one in files if _name_of(one)[0] in symbols]
        files = named or files
    if not files:
        raise SettingFault(f"tape {path}: no .parquet or .csv file in this folder")
    return files


def _name_of(file: Path) -> tuple[str, str]:
    match = NAMED.fullmatch(file.stem)
    return (match["symbol"], match["timeframe"]) if match else (file.stem, "")


def _symbols_in(file: Path) -> dict[str, tuple[Raw, npt.NDArray[np.int64]]]:
    raw = _read_parquet(file) if file.suffix == ".parquet" else _read_csv(file)
    missing = [name for name in COLUMNS if name not in raw]
    if missing:
        raise SettingFault(f"tape {file}: column {missing[0]} is missing")
    count = len(raw["open_time"])
    if not count:
        raise SettingFault(f"tape {file}: no rows")
    rows = np.arange(1, count + 1, dtype=np.int64)
    names = raw.pop("symbol", None)
    if names is None:
        return {_name_of(file)[0]: (raw, rows)}
    places: dict[str, list[int]] = {}
    for place, symbol in enumerate(names.tolist()):
        places.setdefault(str(symbol), []).append(place)
    return {
        symbol: ({name: column[chosen] for name, column in raw.items()}, rows[chosen])
        for symbol, chosen in places.items()
    }


def _read_parquet(file: Path) -> Raw:
    # Imported here: pyarrow is large, and a walk needs none of it.
    from pyarrow import lib, parquet

    try:
        # pyarrow ships no types of its own.
        table = parquet.read_table(file)  # type: ignore[no-untyped-call]
    except (OSError, lib.ArrowException) as error:
        raise SettingFault(f"tape {file}: not a readable parquet file ({error})") from error
    wanted = [name for name in (*COLUMNS, "symbol") if name in table.column_names]
    return {name: table.column(name).to_numpy(zero_copy_only=False) for name in wanted}


def _read_csv(file: Path) -> Raw:
    kept: dict[str, list[Any]] = {}
    try:
        with file.open(newline="", encoding="utf-8") as source:
            reader = csv.DictReader(source)
            names = [n for n in (*COLUMNS, "symbol") if n in (reader.fieldnames or ())]
            kept = {name: [] for name in names}
            for number, row in enumerate(reader, start=1):
                for name in names:
                    kept[name].append(_cell(file, number, name, row[name]))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingFault(f"tape {file}: not a readable CSV file ({error})") from error
    return {name: np.asarray(values) for name, values in kept.items()}


def _cell(file: Path, row: int, name: str, text: str | None) -> float | int | str:
    if name == "symbol":
        return text or ""
    try:
        return int(text or "") if name == "open_time" else float(text or "")
    except ValueError:
        raise SettingFault(f"tape {file}: row {row}: {name} is {text!r}, not a number") from None


def _interval_of(
    file: Path, raw: Raw, rows: npt.NDArray[np.int64], timeframes_ms: Mapping[str, int]
) -> int:
    times = _whole(file, raw["open_time"], rows)
    named = timeframes_ms.get(_name_of(file)[1])
    if named is not None:
        return named
    steps = np.diff(times)
    steps = steps[steps > 0]
    if not len(steps):
        raise SettingFault(f"tape {file}: the timeframe is neither in the name nor in the rows")
    values, counts = np.unique(steps, return_counts=True)
    interval_ms = int(values[np.argmax(counts)])
    if interval_ms not in timeframes_ms.values():
        raise SettingFault(f"tape {file}: rows are {interval_ms} ms apart, which is no timeframe")
    return interval_ms


def _whole(
    file: Path, values: npt.NDArray[Any], rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    if values.dtype.kind not in "iuf":
        raise SettingFault(f"tape {file}: open_time is no number")
    bad = np.flatnonzero(~np.isfinite(values.astype(np.float64)))
    if len(bad):
        raise SettingFault(f"tape {file}: row {rows[bad[0]]}: open_time is not a finite number")
    return values.astype(np.int64)


def _checked(file: Path, raw: Raw, rows: npt.NDArray[np.int64], interval_ms: int) -> Columns:
    times = _whole(file, raw["open_time"], rows)
    floats: dict[str, Floats] = {}
    for name in COLUMNS[1:]:
        if raw[name].dtype.kind not in "iuf":
            raise SettingFault(f"tape {file}: column {name} is no number")
        floats[name] = raw[name].astype(np.float64)
        _refuse(file, rows, ~np.isfinite(floats[name]), f"{name} is NaN or infinite")
    for name in COLUMNS[1:5]:
        _refuse(file, rows, floats[name] <= 0, f"{name} is not above zero")
    _refuse(file, rows, floats["volume"] < 0, "volume is below zero")
    _refuse(file, rows, floats["high"] < floats["low"], "high is below low")
    body_top = np.maximum(floats["open"], floats["close"])
    body_low = np.minimum(floats["open"], floats["close"])
    _refuse(file, rows, floats["high"] < body_top, "high is below open or close")
    _refuse(file, rows, floats["low"] > body_low, "low is above open or close")
    _refuse(file, rows, times % interval_ms != 0, "open_time is off the timeframe's grid")
    steps = np.diff(times)
    for wrong, words in (
        (steps == 0, "open_time repeats the row before"),
        (steps < 0, "open_time is before the row before (out of order)"),
        (steps > interval_ms, f"gap: more than {interval_ms} ms after the row before"),
    ):
        _refuse(file, rows[1:], wrong, words)
    return Columns(
        open_ms=times,
        open=floats["open"],
        high=floats["high"],
        low=floats["low"],
        close=floats["close"],
        volume=floats["volume"],
    )


def _refuse(
    file: Path, rows: npt.NDArray[np.int64], wrong: npt.NDArray[np.bool_], words: str
) -> None:
    found = np.flatnonzero(wrong)
    if len(found):
        raise SettingFault(f"tape {file}: row {rows[found[0]]}: {words}")
