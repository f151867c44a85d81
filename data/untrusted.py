"""Text that strangers or models wrote, made harmless to read: one line, visible, of one form, cut.

A headline, a reason or a note may hold marks that hide or reorder text, letters in disguise,
control characters, or no end. What it says is not judged here. Must not know: where the text goes;
links, markup and fences are the business of the room that shows it.
"""

import unicodedata
from typing import Final

MARKS_IN_A_ROW_MAX: Final = 2  # Vietnamese needs two on a letter; a tower of them hides lines
READ_RATIO: Final = 4  # of the length kept: what is read of a long text
# Letters and marks that show nothing, beside the category of formats (Cf).
_INVISIBLE: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | frozenset(
    map(chr, (*range(0xFE00, 0xFE10), *range(0x180B, 0x180E), *range(0xE0100, 0xE01F0)))
)
_HIDDEN: Final = frozenset({"Cf", "Cs", "Co", "Cn"})  # formats, halves of pairs, nobody's, unknown
_SPACES: Final = frozenset({"Cc", "Zs", "Zl", "Zp"})


def tidy(text: str, length_max: int) -> str:
    """The text on one line of visible characters (NFKC), single spaces, at most `length_max`.

    Of a longer text only the first part is read at all. Tidying twice changes nothing more.
    """
    text = text[: length_max * READ_RATIO]
    if text.isascii():
        visible = "".join(c if c.isprintable() else " " for c in text)
        return " ".join(visible.split())[:length_max].rstrip()
    shown = _shown(unicodedata.normalize("NFKC", _shown(text)))
    return unicodedata.normalize("NFKC", shown[:length_max]).rstrip()[:length_max]


def _shown(text: str) -> str:
    kept: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if category in _HIDDEN or character in _INVISIBLE:
            continue
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks <= MARKS_IN_A_ROW_MAX:
            kept.append(" " if category in _SPACES else character)
    return " ".join("".join(kept).split())
