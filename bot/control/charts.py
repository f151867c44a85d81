"""Draws one trade: facts as JSON on stdin, a PNG on stdout. Runs as a process of its own.

Bare matplotlib, imported only here and only when drawing.
Must not know: the chat, the store, the service that asked.
"""

import io
import json
import sys
from datetime import UTC, datetime
from typing import Any, Final

WIDTH_IN: Final = 8.0
HEIGHT_IN: Final = 4.5
DPI: Final = 160  # 1280 x 720
COLOURS: Final = {"entry": "#2f6fde", "stop": "#c8452d", "target": "#1f8a5b"}
UP: Final = "#1f8a5b"
DOWN: Final = "#c8452d"


def picture(facts: dict[str, Any]) -> bytes:
    """A PNG of candles, plan levels and fills.

    `facts`: title; open_ms, open, high, low, close (equal lengths, oldest first); levels by name;
    fills as [ms, price, side]. Up bars are hollow, so colours are not needed to read it.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI)
    axes = figure.add_subplot()
    _candles(axes, facts)
    for name, level in facts["levels"].items():
        axes.axhline(level, color=COLOURS[name], linewidth=1.1, linestyle="--")
        axes.annotate(
            f"{name} {level:g}", (1.0, level), xycoords=("axes fraction", "data"), fontsize=8,
            color=COLOURS[name], xytext=(4, 0), textcoords="offset points", va="center",
        )  # fmt: skip
    _fills(axes, facts)
    axes.set_title(facts["title"], loc="left", fontsize=11)
    _time_axis(axes, facts["open_ms"])
    axes.margins(x=0.02)
    axes.grid(alpha=0.25, linewidth=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.subplots_adjust(left=0.09, right=0.86, top=0.92, bottom=0.1)
    out = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(out, format="png")
    return out.getvalue()


def main() -> None:
    """The child process's whole life."""
    facts = json.loads(sys.stdin.buffer.read())
    sys.stdout.buffer.write(picture(facts))


def _candles(axes: Any, facts: dict[str, Any]) -> None:
    bars = zip(facts["open"], facts["high"], facts["low"], facts["close"], strict=True)
    for x, (opened, high, low, closed) in enumerate(bars):
        colour = UP if closed >= opened else DOWN
        axes.vlines(x, low, high, color=colour, linewidth=0.8)
        height = abs(closed - opened) or (high - low) * 0.01
        face = "white" if closed >= opened else colour
        axes.bar(
            x, height, 0.7, min(opened, closed), color=face, edgecolor=colour, linewidth=0.8
        )  # fmt: skip


def _fills(axes: Any, facts: dict[str, Any]) -> None:
    opens = facts["open_ms"]
    span_ms = opens[1] - opens[0]
    for filled_ms, price, side in facts["fills"]:
        x = (filled_ms - opens[0]) / span_ms - 0.5
        if -1 <= x <= len(opens) + 1:
            marker = "^" if side == "buy" else "v"
            axes.plot(x, price, marker=marker, color="black", markersize=8, zorder=5)


def _time_axis(axes: Any, opens: list[int]) -> None:
    every = max(1, len(opens) // 6)
    places = list(range(0, len(opens), every))
    names = [datetime.fromtimestamp(opens[i] / 1000, UTC).strftime("%d.%m %H:%M") for i in places]
    axes.set_xticks(places, names, fontsize=8)


if __name__ == "__main__":
    main()
