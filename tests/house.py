"""The sources as the house tests see them: every module of ours with its syntax tree."""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("bot", "data", "memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One Python file: its path from the project's root, its dotted name, text and tree."""

    path: str
    name: str
    text: str
    tree: ast.Module


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One imported module, and whether importing the importer already imports it."""

    module: str
    line: int
    at_import: bool


@functools.cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Every Python file below `folders` (the product's rooms by default), sorted by path."""
    found = (path for folder in folders or ROOMS for path in (ROOT / folder).rglob("*.py"))
    return tuple(_read(path) for path in sorted(found) if "__pycache__" not in path.parts)


def imports(tree: ast.Module) -> list[Import]:
    """Every import of a module, those in functions and under TYPE_CHECKING included."""
    late = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _type_checking(node)
        for inner in ast.walk(node)
    }
    return [
        Import(module=module, line=node.lineno, at_import=id(node) not in late)
        for node in ast.walk(tree)
        for module in _imported(node)
    ]


def dotted(node: ast.expr) -> str:
    """`a.b.c` of a chain of names, or an empty string for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        head = dotted(node.value)
        return f"{head}.{node.attr}" if head else ""
    return ""


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Every function and method, nested ones included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _read(path: Path) -> Source:
    relative = path.relative_to(ROOT)
    text = path.read_text(encoding="utf-8")
    parts = list(relative.with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return Source(
        path=relative.as_posix(), name=".".join(parts), text=text, tree=ast.parse(text, str(path))
    )


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [node.module]
    return []


def _type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and dotted(node.test).endswith("TYPE_CHECKING")
