"""Draws docs/trade-machine.md from the transition table: `python -m docs.draw_machine [--check]`.

With --check nothing is written; a drawing that no longer agrees with the table ends in exit 1.
"""

import sys
from pathlib import Path

from bot.core.machine import TABLE, Row
from bot.core.trade import Phase

PAGE = Path(__file__).resolve().with_name("trade-machine.md")
OURS = (
    "Proceed",
    "Drop",
    "CloseRequested",
    "Woke",
)  # the rest is what the exchange told, or did not

INTRODUCTION = """\
# The trade machine

Drawn by `make docs` from the table in `bot/core/machine.py`; do not edit. An input that is not in a
phase's table cannot come in that phase: it raises, and nothing has changed. Arrows that lead back
to where they start are left out of the picture. `INITIALIZING` is a desk's phase, not a trade's:
the exchange has not yet been read, and no trade begins.
"""


def page() -> str:
    """The whole page as text: a picture, then one table a phase."""
    return "\n".join([INTRODUCTION, *_picture(), *(line for p in TABLE for line in _table(p)), ""])


def main(arguments: list[str]) -> int:
    """Write the page, or with --check compare it; the exit code."""
    text = page()
    if "--check" not in arguments:
        PAGE.write_text(text, encoding="utf-8")
        print(f"{PAGE.name}: {len(TABLE)} phases")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        print(f"{PAGE.name} agrees with the table")
        return 0
    print(f"{PAGE.name} does not agree with the table: run `make docs`", file=sys.stderr)
    return 1


def _picture() -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {Phase.EVALUATING.name}: a signal"]
    for phase, rows in TABLE.items():
        for target in Phase:
            inputs = [kind.__name__ for kind, row in rows.items() if target in row.leads_to]
            if inputs and target is not phase:
                lines.append(f"    {phase.name} --> {target.name}: {_label(inputs)}")
    return [*lines, "```"]


def _label(inputs: list[str]) -> str:
    words = ["the exchange's word"] if set(inputs) - set(OURS) else []
    return ", ".join([*words, *(name for name in inputs if name in OURS)])


def _table(phase: Phase) -> list[str]:
    head = ["", f"## {phase.name}", "", "| input | because | may lead to |", "|---|---|---|"]
    rows = [_row(phase, kind, row) for kind, row in TABLE[phase].items()]
    return [*head, *rows]


def _row(phase: Phase, kind: type, row: Row) -> str:
    ordered = [target for target in Phase if target in row.leads_to]
    names = ["(stays)" if target is phase else target.name for target in ordered]
    return f"| `{kind.__name__}` | {row.why} | {', '.join(names)} |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
