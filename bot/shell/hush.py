"""Says a kind of thing once a minute, or ever more rarely.

For lines that a stranger or a broken peer could multiply.

Must not know: what is logged.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from bot.shell.clock import wall_monotonic_s

EVERY_S: Final = 60.0
KEYS_MAX: Final = 256  # forgetting the oldest kind only means saying it again


class Hush:
    """Counts what is kept quiet, by kind.

    What goes on without a pause is said after one minute, two, four, up to `longest_s`.
    """

    def __init__(
        self, *, now_s: Callable[[], float] = wall_monotonic_s, longest_s: float = EVERY_S
    ) -> None:
        self._now_s = now_s
        self._longest_s = longest_s
        self._kinds: OrderedDict[str, tuple[float, int, float]] = OrderedDict()

    def count(self, kind: str) -> int:
        """How often it happened since it was last said (this time included), 0 for: say nothing."""
        now_s = self._now_s()
        said_s, quiet, every_s = self._kinds.get(kind, (-EVERY_S, 0, EVERY_S / 2))
        if now_s - said_s < every_s:
            self._kinds[kind] = (said_s, quiet + 1, every_s)
            return 0
        goes_on = now_s - said_s < 2 * every_s or kind not in self._kinds
        self._kinds[kind] = (now_s, 0, min(2 * every_s, self._longest_s) if goes_on else EVERY_S)
        self._kinds.move_to_end(kind)
        while len(self._kinds) > KEYS_MAX:
            self._kinds.popitem(last=False)
        return quiet + 1
