"""How fast Telegram lets us talk: a bucket for each chat, one for all, and pauses it asks for.

Source: facts sheet A10 (1 message a second and chat, 30 a second over all, 20 a minute a group).
Must not know: what is sent. Times are wall seconds of a monotonic clock.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

ALL_RATE_S: Final = 25.0  # below Telegram's 30: others may share the token's address
CHAT_RATE_S: Final = 1.0
CHAT_BURST: Final = 3.0
GROUP_RATE_S: Final = 20 / 60
CHATS_MAX: Final = 1_000


class Bucket:
    """So many at once, then so many a second."""

    def __init__(self, *, rate_s: float, burst: float, now_s: float) -> None:
        self._rate_s = rate_s
        self._burst = burst
        self._level = burst
        self._at_s = now_s

    def ready_s(self, now_s: float) -> float:
        """When the next one may go."""
        self._fill(now_s)
        return now_s if self._level >= 1 else now_s + (1 - self._level) / self._rate_s

    def take(self, now_s: float) -> None:
        """One goes now."""
        self._fill(now_s)
        self._level -= 1

    def _fill(self, now_s: float) -> None:
        self._level = min(self._burst, self._level + (now_s - self._at_s) * self._rate_s)
        # A waiter computes the moment of a full token; float dust must not make it wait again.
        if 1 - 1e-9 < self._level < 1:
            self._level = 1.0
        self._at_s = now_s


class Pace:
    """When a chat may be written to. `factor` multiplies the rates where a sandbox allows it."""

    def __init__(self, *, factor: float, now_s: Callable[[], float]) -> None:
        assert factor > 0, f"pace must be positive, not {factor}"
        self._factor = factor
        self._now_s = now_s
        rate_s = ALL_RATE_S * factor
        self._all = Bucket(rate_s=rate_s, burst=rate_s, now_s=now_s())
        self._chats: OrderedDict[int, Bucket] = OrderedDict()
        self._pauses: dict[int, float] = {}
        self._pause_all_s = 0.0

    def ready_s(self, chat_id: int, now_s: float) -> float:
        """When the next message to this chat may go; `now_s` itself when it may go now."""
        pause_s = max(self._pauses.get(chat_id, 0.0), self._pause_all_s)
        chat = self._chat(chat_id, now_s)
        return max(self._all.ready_s(now_s), chat.ready_s(now_s), pause_s)

    def take(self, chat_id: int) -> None:
        """One goes to this chat now."""
        now_s = self._now_s()
        self._all.take(now_s)
        self._chat(chat_id, now_s).take(now_s)

    def pause(self, chat_id: int, wait_s: float) -> None:
        """Telegram asked to wait: this chat does, and everyone for a moment."""
        until_s = self._now_s() + wait_s
        self._pauses = {c: s for c, s in self._pauses.items() if s > self._now_s()}
        self._pauses[chat_id] = until_s
        self._pause_all_s = max(self._pause_all_s, min(until_s, self._now_s() + 1.0))

    def _chat(self, chat_id: int, now_s: float) -> Bucket:
        bucket = self._chats.get(chat_id)
        if bucket is None:
            rate_s = (CHAT_RATE_S if chat_id > 0 else GROUP_RATE_S) * self._factor
            burst = CHAT_BURST * max(1.0, self._factor)
            bucket = Bucket(rate_s=rate_s, burst=burst, now_s=now_s)
            self._chats[chat_id] = bucket
        self._chats.move_to_end(chat_id)
        while len(self._chats) > CHATS_MAX:
            self._chats.popitem(last=False)
        return bucket
