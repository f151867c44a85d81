"""Which signals were seen already, for longer than their trades are kept at hand.

A signal's id names its bot, symbol, timeframe and bar, and a trade's id is a function of it; so a
bar that is looked at again (after a restart, after a gap was healed) is known by it. Ids stay in
the desk's record until their bar is too old to be sent at all. Must not know: what becomes of a
signal.
"""

from collections.abc import Mapping
from typing import Final

from data.candles import timeframe_ms
from data.model import Signal

BARS_KEPT: Final = 3  # nobody sends a signal of a bar that closed longer ago than one bar
IDS_KEPT_MAX: Final = 2_000  # of 600 symbols at three timeframes all at once, and some


def noted(known: Mapping[str, int], trade_id: str, signal: Signal, now_ms: int) -> dict[str, int]:
    """`known` (trade id -> when it may be forgotten, in ms) with this one, without old ones."""
    step_ms = timeframe_ms(signal.timeframe)
    forget_ms = max(now_ms, signal.bar_open_ms + step_ms) + BARS_KEPT * step_ms
    kept = {one: until_ms for one, until_ms in known.items() if until_ms > now_ms}
    kept[trade_id] = forget_ms
    for one in sorted(kept, key=lambda key: (kept[key], key))[: max(0, len(kept) - IDS_KEPT_MAX)]:
        del kept[one]
    return kept
