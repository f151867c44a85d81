"""Languages: gettext catalogs (.po) from `locale/`, read as they are, so nothing can be stale.

English is the source language of every text; a text missing in a catalog is shown in English.
Must not know: what a text says.
"""

import ast
from functools import cache
from pathlib import Path
from typing import Final

from bot.control.views.look import Words

LANGUAGES: Final = ("en", "vi")
LOCALE: Final = Path(__file__).parent / "locale"


@cache
def words(language: str) -> Words:
    """The words of a language; English for one without a catalog."""
    if language not in LANGUAGES or language == "en":
        return Words("en", _as_it_is)
    catalog = read_language(language)
    return Words(language, lambda source: catalog.get(source) or source)


def read_language(language: str) -> dict[str, str]:
    """Source text -> translation, of all catalogs of a language together."""
    found: dict[str, str] = {}
    for path in sorted((LOCALE / language / "LC_MESSAGES").glob("*.po")):
        found |= read_catalog(path)
    return found


def language_of(code: str | None) -> str:
    """Our language for a client's code: `vi-VN` is Vietnamese, anything unknown is English."""
    short = (code or "").lower().replace("_", "-").split("-")[0]
    return short if short in LANGUAGES else "en"


def read_catalog(path: Path) -> dict[str, str]:
    """Source text -> translation of a .po file (without plurals or contexts, which we never use).

    Raises ValueError naming file and line when a line is not understood.
    """
    found: dict[str, list[str]] = {}
    source: list[str] = []
    target: list[str] = []
    into = source
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("msgid "):
            source, target = [], []
            into, text = source, text.removeprefix("msgid ")
        elif text.startswith("msgstr "):
            into, text = target, text.removeprefix("msgstr ")
            found["".join(source)] = target
        into.append(_unquoted(text, path, number))
    return {key: "".join(parts) for key, parts in found.items() if key}


def _unquoted(text: str, path: Path, number: int) -> str:
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        raise ValueError(f"{path.name} line {number}: a quoted text was expected, not {text!r}")
    return str(ast.literal_eval(text))


def _as_it_is(source: str) -> str:
    return source
