"""One check in a line: which rule, what it saw, what it allows.

Must not know: which checks there are, or what follows from them.
"""

from typing import Final

from bot.control.html import untrusted
from bot.control.views.look import Look
from bot.control.views.phrases import say_again
from bot.core.trade import Check

LINE_LENGTH_MAX: Final = 200


def check_line(look: Look, check: Check) -> str:
    """`open trades: 1 (< 1)`; a check that says itself why is said in its own words."""
    told, name = check.text, say_again(look.words, check.rule)
    if told.startswith(check.rule):
        line = say_again(look.words, told)
    elif told:
        line = f"{name}: {say_again(look.words, told)}"
    elif check.value and check.limit:
        value, limit = (say_again(look.words, one) for one in (check.value, check.limit))
        line = f"{name}: {value} ({limit})"
    elif check.value:
        line = f"{name}: {say_again(look.words, check.value)}"
    else:
        line = name
    return untrusted(line, LINE_LENGTH_MAX)
