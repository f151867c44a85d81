"""Time, and the only file that reads it.

Everything else takes `now_ms` as an argument or is given a Clock. The clock of a running service
tells *exchange time*: the adapter that talks to the exchange sets the offset. A sandbox may run
faster than the wall; then one wall second is `speed` seconds of the clock.
"""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """What rooms may ask of time."""

    @property
    def speed(self) -> float:
        """Clock milliseconds that pass in one wall millisecond."""

    def now_ms(self) -> int:
        """Unix milliseconds UTC, exchange time."""

    async def sleep_ms(self, duration_ms: float) -> None:
        """Wait for `duration_ms` of this clock's time."""


class SystemClock:
    """The wall, shifted to exchange time and, against a sandbox, sped up."""

    def __init__(self, *, speed: float = 1.0, start_ms: int | None = None) -> None:
        self._speed = speed
        self._anchor_wall_s = time.monotonic()
        self._anchor_ms = float(time.time() * 1000 if start_ms is None else start_ms)

    @property
    def speed(self) -> float:
        """Clock milliseconds that pass in one wall millisecond."""
        return self._speed

    def now_ms(self) -> int:
        """Unix milliseconds UTC, exchange time."""
        elapsed_s = time.monotonic() - self._anchor_wall_s
        return int(self._anchor_ms + elapsed_s * 1000 * self._speed)

    def set_now(self, now_ms: float, *, speed: float | None = None) -> None:
        """Adopt the exchange's time (and a sandbox's speed) from this moment on."""
        self._anchor_wall_s = time.monotonic()
        self._anchor_ms = float(now_ms)
        if speed is not None:
            self._speed = speed

    async def sleep_ms(self, duration_ms: float) -> None:
        """Wait for `duration_ms` of this clock's time."""
        await asyncio.sleep(max(0.0, duration_ms) / 1000 / self._speed)


class VirtualClock:
    """A clock that moves only when told to: simulation, replay and tests."""

    def __init__(self, start_ms: int = 0) -> None:
        self._now_ms = start_ms

    @property
    def speed(self) -> float:
        """A virtual clock has no wall to compare with."""
        return 1.0

    def now_ms(self) -> int:
        """Unix milliseconds UTC, as last set."""
        return self._now_ms

    def advance_to(self, now_ms: int) -> None:
        """Move forward; time never goes back."""
        assert now_ms >= self._now_ms, f"time went back: {self._now_ms} -> {now_ms}"
        self._now_ms = now_ms

    async def sleep_ms(self, duration_ms: float) -> None:
        """Pass the time at once, yielding to other tasks."""
        self._now_ms += int(max(0.0, duration_ms))
        await asyncio.sleep(0)


def wall_monotonic_s() -> float:
    """Seconds of the wall's monotonic clock, for benchmarks and pacing of the real network."""
    return time.monotonic()


async def wall_sleep_s(duration_s: float) -> None:
    """Wait in wall time, whatever the clock's speed: for pacing of the real network."""
    await asyncio.sleep(duration_s)
