"""Says a kind of thing once a minute: log lines that a stranger or a broken peer could multiply.

Must not know: what is logged.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from bot.shell.clock import wall_monotonic_s

EVERY_S: Final = 60.0
KEYS_MAX: Final = 256  # forgetting the oldest kind only means saying it again


class Hush:
    """Counts what is kept quiet, by kind."""

    def __init__(self, *, now_s: Callable[[], float] = wall_monotonic_s) -> None:
        self._now_s = now_s
        self._kinds: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def count(self, kind: str) -> int:
        """How often it happened since it was last said (this time included), 0 for: say nothing."""
        now_s = self._now_s()
        said_s, quiet = self._kinds.get(kind, (-EVERY_S, 0))
        if now_s - said_s < EVERY_S:
            self._kinds[kind] = (said_s, quiet + 1)
            return 0
        self._kinds[kind] = (now_s, 0)
        self._kinds.move_to_end(kind)
        while len(self._kinds) > KEYS_MAX:
            self._kinds.popitem(last=False)
        return quiet + 1
