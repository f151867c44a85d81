"""A digest is told once for each UTC day, over restarts, and a missed one is made up for."""

from bot.app.digests import AFTER_MS, DAY_MS, DIGEST_NOTE, DailyDigest
from bot.shell.clock import VirtualClock

DAY = 20_000
NOON_MS = DAY * DAY_MS + DAY_MS // 2
DUE_MS = (DAY + 1) * DAY_MS + AFTER_MS


class House:
    """Notes that outlive a service, a clock, and the days that were told."""

    def __init__(self) -> None:
        self.notes: dict[str, str] = {}
        self.told: list[int] = []
        self.is_ready = True
        self.has_readers = True
        self.digest = self.restarted(NOON_MS)

    def restarted(self, now_ms: int) -> DailyDigest:
        """A new service's maker at that time."""
        self.clock = VirtualClock(now_ms)
        self.digest = DailyDigest(
            self, clock=self.clock, ready=lambda: self.is_ready, tell=self.tell
        )
        return self.digest

    async def at(self, now_ms: int) -> list[int]:
        """What is told by a look at that time."""
        self.clock.advance_to(now_ms)
        self.told.clear()
        await self.digest.tick()
        return list(self.told)

    async def tell(self, day: int) -> bool:
        """Note the day, if somebody reads."""
        if self.has_readers:
            self.told.append(day)
        return self.has_readers

    async def note(self, key: str) -> str | None:
        """A kept note."""
        return self.notes.get(key)

    async def set_note(self, key: str, value: str) -> None:
        """Keep a note."""
        self.notes[key] = value


async def test_a_day_is_told_once_after_midnight() -> None:
    """Not on the first start, not at midnight itself, once at five past, and again a day later."""
    house = House()
    assert await house.at(NOON_MS) == []
    assert await house.at(DUE_MS - 1) == []
    assert await house.at(DUE_MS) == [DAY]
    assert await house.at(DUE_MS + 60_000) == []
    assert await house.at(DUE_MS + DAY_MS) == [DAY + 1]


async def test_a_restart_neither_repeats_nor_loses_a_day() -> None:
    """What was told stays told; what was missed is told at the start, one day back at most."""
    house = House()
    await house.at(NOON_MS)
    house.restarted(DUE_MS + 3_600_000)
    assert await house.at(DUE_MS + 3_600_000) == [DAY]
    house.restarted(DUE_MS + 7_200_000)
    assert await house.at(DUE_MS + 7_200_000) == []
    house.restarted(DUE_MS + 5 * DAY_MS)
    assert await house.at(DUE_MS + 5 * DAY_MS) == [DAY + 5]


async def test_it_waits_for_the_account_and_for_a_reader() -> None:
    """Nothing before the exchange was read; a day nobody could read is told when somebody can."""
    house = House()
    await house.at(NOON_MS)
    house.is_ready = False
    assert await house.at(DUE_MS) == []
    house.is_ready, house.has_readers = True, False
    assert await house.at(DUE_MS + 1) == []
    house.has_readers = True
    assert await house.at(DUE_MS + 2) == [DAY]


async def test_an_unreadable_note_tells_nothing_twice() -> None:
    """It counts as told until the next day is over."""
    house = House()
    house.notes[DIGEST_NOTE] = "yesterday"
    assert await house.at(DUE_MS) == []
    assert await house.at(DUE_MS + DAY_MS) == [DAY + 1]
