"""What our own rooms say in English, in the reader's language: recognised by its pattern.

The core, the strategies, the rules adviser and the market's rooms write reasons as plain English
sentences; so they stand in the journal, readable and the same for every reader. Here each pattern
is named once with `{fields}`; a text that fits one is said again in the reader's language with its
values in place, and one that fits none (a model's, the exchange's, a stranger's) stays as it is.
A field is one word, looked at itself unless it is called `..._name`; one called `..._words` may be
any text, and is looked at itself.
Pure. Must not know: who reads, how it is shown, what a text leads to.
"""

import re
from functools import cache
from typing import Final

from bot.control.views.look import Words
from bot.control.views.phrase_book import NAMES, PHRASES

DEPTH_MAX: Final = 4  # of texts in texts
LENGTH_MAX: Final = 1_000  # a longer text is nobody's sentence
_FIELD: Final = re.compile(r"\\\{(\w+)\\\}")
_SENTENCES: Final = re.compile(r"(?<=[.]) (?=[a-z_]+ (?:is|has|are) )")  # faults in a row
_HEADED: Final = re.compile(r"([a-z_]+(?::[a-z_]+)?)( [A-Za-z0-9_]{1,30})?: (.+)", re.DOTALL)
_LIMITED: Final = re.compile(r"(.{1,300}?) \((.{1,300})\)", re.DOTALL)


def say_again(words: Words, text: str) -> str:
    """The text in the reader's language where it is one of ours; else as it is."""
    return _again(words, text, DEPTH_MAX) if len(text) <= LENGTH_MAX else text


def is_ours(text: str) -> bool:
    """Whether a text is recognised as one of ours; of several joined, each."""
    parts = _parts_of(text)
    if len(parts) > 1:
        return all(is_ours(part) for part in parts)
    if text in NAMES or _fitting(text) is not None:
        return True
    headed = _HEADED.fullmatch(text)
    return headed is not None and headed[1] in NAMES


def _again(words: Words, text: str, depth: int) -> str:
    if depth <= 0 or not text:
        return text
    if text in NAMES:
        return words.label(NAMES[text])
    parts = _parts_of(text)
    if len(parts) > 1:
        between = "; " if "; ".join(parts) == text else " "
        return between.join(_again(words, part, depth - 1) for part in parts)
    found = _fitting(text)
    if found is None:
        return _of_a_rule(words, text, depth)
    phrase, values = found
    told = {
        name: _again(words, value, depth - 1)
        if name.endswith("_words") or (value in NAMES and not name.endswith("_name"))
        else value
        for name, value in values.items()
    }
    return words.label(phrase, **told)


def _parts_of(text: str) -> list[str]:
    parts = _SENTENCES.split(text)
    if len(parts) > 1 or _fitting(text) is not None:
        return parts
    return text.split("; ")


def _of_a_rule(words: Words, text: str, depth: int) -> str:
    headed = _HEADED.fullmatch(text)
    if headed is not None and headed[1] in NAMES:
        name, about, rest = headed.groups()
        return f"{words.label(NAMES[name])}{about or ''}: {_again(words, rest, depth - 1)}"
    limited = _LIMITED.fullmatch(text)
    if limited is not None:
        value, limit = (_again(words, one, depth - 1) for one in limited.groups())
        return f"{value} ({limit})"
    return text


def _fitting(text: str) -> tuple[str, dict[str, str]] | None:
    for phrase, pattern in _patterns():
        found = pattern.fullmatch(text)
        if found is not None:
            return phrase, found.groupdict()
    return None


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((phrase, _pattern_of(phrase)) for phrase in PHRASES)


def _pattern_of(phrase: str) -> re.Pattern[str]:
    def field(found: re.Match[str]) -> str:
        kind = ".{1,300}?" if found[1].endswith("_words") else r"\S{1,80}?"
        return f"(?P<{found[1]}>{kind})"

    return re.compile(_FIELD.sub(field, re.escape(phrase)), re.DOTALL)
