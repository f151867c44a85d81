"""What is written agrees with what is built: settings, commands, targets, phases, links, pins."""

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from bot.core.trade import Phase
from docs import draw_machine
from tests.house import ROOT

TARGETS = [
    "demo",
    "test",
    "setup",
    "fmt",
    "lint",
    "types",
    "rooms",
    "tidy",
    "sim",
    "bench",
    "replay",
    "docs",
    "lock",
    "check",
    "soak",
]
PAGE_LINES_MAX = 60
ENV_LINE = re.compile(r"^#?([A-Z][A-Z0-9_]+)=(.*)$", re.MULTILINE)
README_ROW = re.compile(r"^\| `([A-Z][A-Z0-9_]+)` \| (.+?) \|", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")
PIN = re.compile(r"^([a-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def test_settings_are_the_same_in_code_example_and_readme() -> None:
    """Each setting the code reads is in .env.example and in README's table, and no other."""
    names = _settings_names()
    assert set(_example()) == names
    assert set(_readme_defaults()) == names


def test_each_setting_is_written_once() -> None:
    """Neither list names a setting twice."""
    for names in (
        [name for name, _ in ENV_LINE.findall(_text(".env.example"))],
        [name for name, _ in README_ROW.findall(_text("README.md"))],
    ):
        assert len(names) == len(set(names))


def test_readme_and_example_show_the_same_defaults() -> None:
    """A default in README's table is the one .env.example shows."""
    example = _example()
    for name, default in _readme_defaults().items():
        if default.startswith("`"):
            assert example[name] == default.strip("`"), name


def test_the_example_uncommented_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """.env.example shows the code's own defaults: with every line taken in, settings are equal."""
    kind = _settings_class()
    for name in _settings_names():
        monkeypatch.delenv(name, raising=False)
    whole = tmp_path / "env"
    whole.write_text("".join(f"{name}={value}\n" for name, value in _example().items() if value))
    assert kind(_env_file=whole) == kind(_env_file=None)


def test_make_has_every_target() -> None:
    """The targets the house promises exist, each with a line of help."""
    assert set(TARGETS) <= _targets()


def test_targets_named_in_the_documents_exist() -> None:
    """A `make` target that a document tells the reader to run is in the Makefile."""
    named = {(p.name, t) for p in _documents() for t in _named_targets(p.read_text("utf-8"))}
    assert not {(page, target) for page, target in named if target not in _targets()}


def test_commands_named_in_the_documents_exist() -> None:
    """A `python -m bot` command in the documents, the Makefile or the unit is in its --help."""
    shown = subprocess.run(
        [sys.executable, "-m", "bot", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env={"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"},
    ).stdout
    places = [*_documents(), ROOT / "Makefile", ROOT / "trading-bot.service"]
    named = {
        (place.name, command)
        for place in places
        for command in _named_commands(place.read_text("utf-8"))
    }
    assert named
    assert not {(p, c) for p, c in named if not re.search(rf"^\W*{c}\b", shown, re.MULTILINE)}


def test_every_phase_is_in_the_drawing_of_the_trade_machine() -> None:
    """docs/trade-machine.md knows every phase of the code."""
    drawing = _text("docs/trade-machine.md")
    missing = [p for p in Phase if p.name not in drawing and p.value not in drawing]
    assert not missing


def test_the_drawing_of_the_trade_machine_agrees_with_its_table() -> None:
    """docs/trade-machine.md is what `make docs` would draw now."""
    assert _text("docs/trade-machine.md") == draw_machine.page()


def test_decision_records_are_numbered_listed_and_short() -> None:
    """Records count up from 0001 without a gap, are listed under their title, and fit a page."""
    folder = ROOT / "docs" / "decisions"
    records = sorted(folder.glob("[0-9]*.md"))
    assert [r.name[:4] for r in records] == [f"{n:04}" for n in range(1, len(records) + 1)]
    index = (folder / "README.md").read_text("utf-8")
    for record in records:
        text = record.read_text("utf-8")
        title = text.splitlines()[0].removeprefix(f"# {record.name[:4]} ")
        assert f"[{record.name[:4]}]({record.name}) | {title} |" in index, record.name
        headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert headings == ["Context", "Choice", "Alternatives", "What would change our mind"]
        assert text.count("\n") <= PAGE_LINES_MAX, record.name


def test_links_in_the_documents_lead_somewhere() -> None:
    """Every relative link and picture in a document exists."""
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in _documents()
        for target, _ in LINK.findall(page.read_text("utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken


def test_pinned_requirements_cover_the_project() -> None:
    """Every dependency of pyproject.toml is pinned, with a hash, and the two files agree."""
    project = tomllib.loads(_text("pyproject.toml"))["project"]
    runtime, development = _pins("requirements.txt"), _pins("requirements-dev.txt")
    assert {_name(d) for d in project["dependencies"]} <= set(runtime)
    extra = project["optional-dependencies"]["dev"]
    assert {_name(d) for d in extra} <= set(development)
    assert {name: development[name] for name in runtime} == runtime


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_pinned_requirements_are_hashed_and_name_no_index(name: str) -> None:
    """Each pin carries hashes, and no address of a package index is written down."""
    text = _text(name)
    blocks = re.split(r"^(?=[a-z0-9._-]+==)", text, flags=re.MULTILINE)[1:]
    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)
    assert not re.search(r"://|--index|--find-links|--extra", text)


def _text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _documents() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _settings_class() -> type[BaseSettings]:
    module = importlib.import_module("bot.settings")
    kinds = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, BaseSettings)
        and kind.__module__ == module.__name__
    ]
    assert len(kinds) == 1, f"one class of settings, not {kinds}"
    return kinds[0]


def _settings_names() -> set[str]:
    fields = _settings_class().model_fields
    return {str(field.validation_alias or name).upper() for name, field in fields.items()}


def _example() -> dict[str, str]:
    return dict(ENV_LINE.findall(_text(".env.example")))


def _readme_defaults() -> dict[str, str]:
    return dict(README_ROW.findall(_text("README.md")))


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):.*## ", _text("Makefile"), re.MULTILINE))


def _named_targets(text: str) -> list[str]:
    return re.findall(r"(?:^|`|\()make ([a-z]+)", text, re.MULTILINE)


def _named_commands(text: str) -> list[str]:
    by_module = re.findall(r"-m bot ([a-z]+)", text)
    return by_module + re.findall(r"(?:^|`)bot ([a-z]+)", text, re.MULTILINE)


def _pins(name: str) -> dict[str, set[str]]:
    pins: dict[str, set[str]] = {}
    for package, version in PIN.findall(_text(name)):
        pins.setdefault(package, set()).add(version)
    return pins


def _name(dependency: str) -> str:
    return re.split(r"[\[<>=!~ ]", dependency)[0].lower().replace("_", "-")
