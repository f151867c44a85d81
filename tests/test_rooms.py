"""Who may know whom: the import contracts hold, and they cover what they are meant to cover."""

import ast
import subprocess
import sys
import tomllib
from typing import Any

from tests.house import ROOT, Source, dotted, imports, sources

# A package name stands for everything below it.
PURE_SET = (
    "bot.core",
    "memory",
    "data.model",
    "data.money",
    "data.candles",
    "data.indicators",
    "bot.venue.wire",
    "bot.venue.wire_answers",
    "bot.venue.wire_errors",
    "bot.venue.wire_frames",
    "bot.venue.wire_instruments",
    "bot.venue.wire_requests",
    "bot.venue.wire_weight",
    "bot.advisor.answer",
    "bot.advisor.prompt",
    "bot.advisor.budget",
    "bot.advisor.rules",
    "bot.news.words",
    "bot.news.feed",
    "bot.news.board",
    "bot.control.views",
    "bot.sandbox.exchange",
    "bot.sandbox.faults",
)
# Slow or heavy to import, and not needed by most commands.
LAZY_LIBRARIES = ("google", "matplotlib", "pyarrow")
# An address is written in the one room that speaks to it, in its pretend twin, and as a default.
HOSTS_ROOMS = {
    "binance.com": ("bot.venue", "bot.sandbox", "bot.settings"),
    "binancefuture.com": ("bot.venue", "bot.sandbox", "bot.settings"),
    "api.telegram.org": ("bot.control", "bot.sandbox", "bot.settings"),
    "generativelanguage.googleapis.com": ("bot.advisor", "bot.sandbox", "bot.settings"),
}


def test_import_contracts_hold() -> None:
    """Every contract of pyproject.toml is kept by the code as it is."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    done = subprocess.run(
        [*command, "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_pure_module_is_under_the_pure_contract() -> None:
    """Each module of the pure set that exists is named in the contract that keeps it pure."""
    covered = _contract("The pure half touches no world")["source_modules"]
    existing = {source.name for source in sources()}
    missing = [
        name for name in PURE_SET if name in existing and not any(_is_in(name, c) for c in covered)
    ]
    assert not missing, f"add to source_modules of the pure contract: {missing}"


def test_pure_modules_never_await() -> None:
    """The pure set decides synchronously: no coroutine, no await, in any of its modules."""
    waits = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)
    found = [
        f"{source.path}:{node.lineno}"
        for source in sources()
        if _is_pure(source)
        for node in ast.walk(source.tree)
        if isinstance(node, waits)
    ]
    assert not found, found


def test_pure_modules_open_no_file_and_print_nothing() -> None:
    """The builtins that touch the world without an import are not called by the pure set."""
    found = [
        f"{source.path}:{node.lineno} {dotted(node.func)}"
        for source in sources()
        if _is_pure(source)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and dotted(node.func) in {"open", "print", "input", "exec"}
    ]
    assert not found, found


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    """Gemini's client, matplotlib and pyarrow are imported inside functions, never at start."""
    found = [
        f"{source.path}:{item.line} {item.module}"
        for source in sources()
        for item in imports(source.tree)
        if item.at_import and item.module.split(".")[0] in LAZY_LIBRARIES
    ]
    assert not found, found


def test_outside_addresses_stay_in_their_rooms() -> None:
    """No room but its own (and the settings' defaults) spells an outside host."""
    found = [
        f"{source.path}:{node.lineno} {host}"
        for source in sources()
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        for host, rooms in HOSTS_ROOMS.items()
        if host in node.value and not any(_is_in(source.name, room) for room in rooms)
    ]
    assert not found, found


def test_every_part_of_bot_is_a_layer() -> None:
    """A new package or module directly below bot/ cannot stay outside the layers contract."""
    layers = " ".join(_contract("Rooms: every import points down")["layers"])
    named = set(layers.replace("|", " ").replace("(", " ").replace(")", " ").split())
    parts = {s.name for s in sources("bot") if s.name.count(".") == 1}
    assert parts <= named, f"not in the layers: {sorted(parts - named)}"


def _contract(name: str) -> dict[str, Any]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return next(contract for contract in contracts if contract["name"] == name)


def _is_pure(source: Source) -> bool:
    return any(_is_in(source.name, name) for name in PURE_SET)


def _is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")
