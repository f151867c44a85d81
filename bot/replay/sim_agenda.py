"""Virtual time of one simulated world: what happens when, by which dice, and how often.

Must not know: what happens. One seed gives one order of happenings.
"""

import heapq
from collections import Counter
from random import Random
from typing import Any

from bot.core.messages import Event
from bot.replay.sim_fate import fate_of
from bot.replay.sim_kinds import Kind


class Agenda:
    """A heap of happenings and the seeded dice. Milliseconds throughout."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.luck = Random(f"luck {seed}")  # for what `fate` allows: other draws stay as they are
        self.fate = fate_of(seed)
        self.now_ms = self.fate.start_ms
        self.tally: Counter[Kind] = Counter()
        self.epoch = 0  # which life of the process
        self.down_ms = 0  # until when the process is dead
        self.skew_ms = 0  # what its clock is wrong by
        self._clock_ms = 0
        self._heap: list[tuple[int, int, Any]] = []
        self._pushed = 0

    @property
    def clock_ms(self) -> int:
        """The time as the process takes it: never backwards, whatever its clock does."""
        return max(self._clock_ms, self.now_ms + self.skew_ms)

    def count(self, *kinds: Kind) -> None:
        """Count what befell."""
        for kind in kinds:
            self.tally[kind] += 1

    def push(self, delay_ms: int, item: Any) -> None:
        """Let something happen later."""
        self._pushed += 1
        heapq.heappush(self._heap, (self.now_ms + delay_ms, self._pushed, item))

    def deliver(self, delay_ms: int, event: Event) -> None:
        """Tell the process later, whichever life it is in by then."""
        self.push(delay_ms, (None, event))

    def answer(self, delay_ms: int, event: Event) -> None:
        """Tell this life of the process later."""
        self.push(delay_ms, (self.epoch, event))

    def next_by(self, end_ms: int) -> Any | None:
        """The next happening, its moment come; None when there is none until `end_ms`."""
        if not self._heap or self._heap[0][0] > end_ms:
            return None
        self._clock_ms = self.clock_ms  # Here and not when it is read: looking changes nothing.
        self.now_ms, _, item = heapq.heappop(self._heap)
        return item
