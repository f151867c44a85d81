"""Which symbols to watch: the fixed ones, and every one with exposure, within a cap.

Must not know: prices or the exchange. Ranking by volume and rotation of the free places come here
with the whole-market issue.
"""

from collections.abc import Iterable


def watched(*, fixed: Iterable[str], exposed: Iterable[str], symbols_max: int) -> tuple[str, ...]:
    """The symbols to watch, exposed ones first: they are never dropped, even beyond the cap."""
    held = tuple(dict.fromkeys(exposed))
    others = tuple(s for s in dict.fromkeys(fixed) if s not in held)
    return held + others[: max(0, symbols_max - len(held))]
