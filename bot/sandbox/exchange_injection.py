"""Faults put in by hand, one shot at a time, for a test that needs exactly this one to happen.

Pure bookkeeping: what waits, which request or event it hits, how often. Must not know: how a fault
is carried out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

INJECTIONS_MAX: Final = 1_000  # waiting at once


class Shot(StrEnum):
    """What one injected fault does. The `ws_` ones hit streams, the others a REST request."""

    UNKNOWN_503 = "503_unknown"  # executed or not, as `executed` says
    UNAVAILABLE_503 = "503_unavailable"  # a definite failure
    INTERNAL_503 = "503_internal"  # a definite failure
    THROTTLE = "throttle"  # -1008; reduce-only orders and cancels pass
    BACKEND_TIMEOUT = "-1007"  # executed or not
    LIMIT_429 = "429"
    BAN_418 = "418"
    REFUSE = "refuse"
    LOST_REQUEST = "lost_request"  # the connection ends, nothing was done
    LOST_ANSWER = "lost_answer"  # the connection ends, it was done
    TIMEOUT = "timeout"  # no answer ever comes; executed or not
    DELAY = "delay"  # the answer comes late
    DELAY_REQUEST = "delay_request"  # it is carried out late
    WS_CUT = "ws_cut"  # at once: `route` chooses whose sockets
    WS_DROP = "ws_drop"  # the next user event does not come
    WS_DUPLICATE = "ws_duplicate"  # the next user event comes twice
    WS_DELAY = "ws_delay"  # the next user event comes late


STREAM_SHOTS: Final = frozenset({Shot.WS_DROP, Shot.WS_DUPLICATE, Shot.WS_DELAY})


@dataclass(slots=True, kw_only=True)
class Injection:
    """One waiting fault. Empty `method`, `path` and `event` match anything."""

    shot: Shot
    method: str = ""
    path: str = ""
    event: str = ""
    count: int = 1
    executed: bool = True
    code: int = -2010
    text: str = "Order was rejected."
    http_status: int = 400
    retry_after_s: int = 1
    delay_ms: int = 0  # of the wall


@dataclass(slots=True)
class Injections:
    """The faults that wait, first come first used."""

    waiting: list[Injection] = field(default_factory=list)

    def add(self, one: Injection) -> None:
        """Let a fault wait for its message."""
        assert len(self.waiting) < INJECTIONS_MAX, "too many injected faults wait"
        self.waiting.append(one)

    def for_request(self, method: str, path: str) -> Injection | None:
        """The fault for this request, used up by asking."""
        return self._take(
            lambda one: (
                one.shot not in STREAM_SHOTS
                and one.method in ("", method)
                and one.path in ("", path)
            )
        )

    def for_event(self, name: str) -> Injection | None:
        """The fault for this user event, used up by asking."""
        return self._take(lambda one: one.shot in STREAM_SHOTS and one.event in ("", name))

    def clear(self) -> None:
        """Forget what still waits."""
        self.waiting.clear()

    def _take(self, matches: Callable[[Injection], bool]) -> Injection | None:
        for one in self.waiting:
            if matches(one):
                one.count -= 1
                if one.count <= 0:
                    self.waiting.remove(one)
                return one
        return None
