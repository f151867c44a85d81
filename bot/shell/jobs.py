"""Timed housekeeping (APScheduler): it only calls what it was given, and decides nothing.

A job that fails is logged and runs again at its next time. Intervals are wall time.
Must not know: what a job does.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC
from typing import Any, Final

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

MISFIRE_GRACE_S: Final = 60  # a job late by more than this waits for its next time

log = structlog.get_logger(__name__)

Job = Callable[[], Awaitable[None]]


class Jobs:
    """A scheduler on the running event loop; each job runs once at a time."""

    def __init__(self) -> None:
        # Any: APScheduler 3 has no types.
        self._scheduler: Any = _untyped(AsyncIOScheduler)(
            timezone=UTC,
            job_defaults={
                "coalesce": True,
                "max_instances": 1,
                "misfire_grace_time": MISFIRE_GRACE_S,
            },
        )

    def every(self, name: str, seconds: float, job: Job) -> None:
        """Run `job` each `seconds`, replacing the job of that name."""
        trigger = _untyped(IntervalTrigger)(seconds=seconds, timezone=UTC)
        self._scheduler.add_job(_guarded(name, job), trigger, id=name, replace_existing=True)

    def daily(self, name: str, hour: int, minute: int, job: Job) -> None:
        """Run `job` each UTC day at that time, replacing the job of that name."""
        trigger = _untyped(CronTrigger)(hour=hour, minute=minute, timezone=UTC)
        self._scheduler.add_job(_guarded(name, job), trigger, id=name, replace_existing=True)

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Run nothing any more; a job under way is cancelled with its loop."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)


def _untyped(kind: Any) -> Any:
    return kind


def _guarded(name: str, job: Job) -> Job:
    async def run() -> None:
        try:
            await job()
        except Exception as fault:
            log.exception("job_failed", job=name, fault=repr(fault))

    return run
