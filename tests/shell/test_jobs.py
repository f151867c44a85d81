"""Timed housekeeping: it runs, and a job that fails runs again."""

import asyncio

from bot.shell.jobs import Jobs


async def test_a_failing_job_is_run_again_and_others_go_on() -> None:
    """Neither the scheduler nor another job notices that one fails."""
    ran: list[str] = []
    enough = asyncio.Event()

    async def fails() -> None:
        ran.append("fails")
        raise RuntimeError("a job's own bug")

    async def works() -> None:
        ran.append("works")
        if ran.count("works") >= 2 and ran.count("fails") >= 2:
            enough.set()

    jobs = Jobs()
    jobs.every("fails", 0.01, fails)
    jobs.every("works", 0.01, works)
    jobs.start()
    try:
        async with asyncio.timeout(30):
            await enough.wait()
    finally:
        jobs.stop()
