"""Finding strategies: the documented example runs, the broken are reported, the rest go on."""

import re
from pathlib import Path

import pytest

from bot.core.strategies.registry import STRATEGIES, evaluate, params_of
from bot.shell import strategy_files
from bot.shell.strategy_files import load
from tests.core.markets import CONTEXT, window
from tests.house import ROOT

EXAMPLE_LINES_MAX = 30


def example() -> str:
    """The strategy that docs/strategies.md shows."""
    found = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs/strategies.md").read_text("utf-8"), re.DOTALL
    )
    assert len(found) == 1
    return str(found[0])


def test_the_documented_example_is_a_strategy(tmp_path: Path) -> None:
    """Copied out of the document it loads, and fires where its average is passed, both ways."""
    assert sum(bool(line) for line in example().splitlines()) <= EXAMPLE_LINES_MAX
    (tmp_path / "cross.py").write_text(example())
    loaded = load(tmp_path)
    assert loaded.broken == ()
    assert loaded.sources["cross"] == str(tmp_path / "cross.py")
    params = params_of("cross", [("bars", 20)], loaded.strategies)
    fall, rise = [140 - 0.1 * i for i in range(240)], [100 + 0.1 * i for i in range(240)]
    for closes, direction in (([*fall, 130.0], "long"), ([*rise, 100.0], "short")):
        signal = evaluate("cross", params, window(closes), CONTEXT, loaded.strategies)
        assert signal is not None
        assert signal.direction == direction
        assert evaluate("cross", params, window(closes[:-1]), CONTEXT, loaded.strategies) is None


def test_without_a_folder_there_are_ours() -> None:
    """Nothing of anybody else's is looked for."""
    assert dict(load(None).strategies) == dict(STRATEGIES)


BROKEN = {
    "no_import.py": ("import astrology_of_markets\n", "ModuleNotFoundError"),
    "syntax.py": ("def broken(:\n", "SyntaxError"),
    "raises.py": ("raise RuntimeError('at import')\n", "RuntimeError: at import"),
    "leaves.py": ("import sys\nsys.exit('bye')\n", "SystemExit: bye"),
    "nothing.py": ("x = 1\n", "it has no STRATEGY"),
    "odd.py": ("STRATEGY = 7\n", "STRATEGY is a int; allowed is a Strategy record"),
    "arguments.py": (
        example().replace("(params, bars, context)", "(params, bars)").replace('"cross"', '"args"'),
        "evaluate must take (params, bars, context)",
    ),
    "taken.py": (example().replace('"cross"', '"reversal"'), "'reversal', which another strategy"),
    "fails.py": (
        example().replace('"cross"', '"fails"').replace("bars.close[-2]", "1 / 0"),
        "ZeroDivisionError: division by zero",
    ),
    "nonsense.py": (
        example().replace('"cross"', '"nonsense"').replace("reward_risk=1.8", "reward_risk=-1.8"),
        "StrategyFault: nonsense: reward_risk is -1.8",
    ),
    "binary.py": ("\x00\x00", "SyntaxError"),
}


def test_what_is_broken_is_reported_and_the_rest_go_on(tmp_path: Path) -> None:
    """Each with its file, its reason and its traceback; hidden files are left alone."""
    for name, (text, _) in BROKEN.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "zcross.py").write_text(example())
    (tmp_path / "_helper.py").write_text("raise RuntimeError\n")
    (tmp_path / "notes.txt").write_text("raise RuntimeError\n")
    loaded = load(tmp_path)
    told = {one.name: one for one in loaded.broken}
    assert {f"{name}.py" for name in told} == set(BROKEN)
    for name, (_, why) in BROKEN.items():
        one = told[name.removesuffix(".py")]
        assert why in one.reason, name
        assert "Traceback" in one.traceback
        assert one.source == str(tmp_path / name)
    assert set(loaded.strategies) == {*STRATEGIES, "cross"}


class FakePoint:
    """An entry point that gives what the test wants, or raises it."""

    def __init__(self, name: str, gives: object) -> None:
        self.name = name
        self.value = f"package:{name}"
        self._gives = gives

    def load(self) -> object:
        """What the package would hand over."""
        if isinstance(self._gives, Exception):
            raise self._gives
        return self._gives


def test_an_installed_entry_point_is_a_strategy_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record itself, or a module that holds one; a broken package hurts nobody else."""
    (tmp_path / "cross.py").write_text(example())
    record = load(tmp_path).strategies["cross"]
    points = [FakePoint("cross", record), FakePoint("gone", ImportError("no such package"))]

    def entry_points(*, group: str) -> list[FakePoint]:
        assert group == "trading_bot.strategies"
        return points

    monkeypatch.setattr(strategy_files, "entry_points", entry_points)
    loaded = load(None)
    assert loaded.sources["cross"] == "entry point package:cross"
    assert [(one.name, one.reason) for one in loaded.broken] == [
        ("gone", "ImportError: no such package")
    ]


def test_a_file_hides_no_module_of_the_service(tmp_path: Path) -> None:
    """Its name is its own affair; modern annotations, which look their module up, work too."""
    (tmp_path / "json.py").write_text(f"from __future__ import annotations\n{example()}")
    assert set(load(tmp_path).strategies) - set(STRATEGIES) == {"cross"}
    import json

    assert json.dumps({}) == "{}"
