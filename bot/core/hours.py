"""Trading hours: whether a moment lies within some hours of some weekdays in a time zone.

The zones' own rules (summer time among them) are data that ships with Python, as constant as the
calendar. Must not know: the present moment, or what is not done outside the hours.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

CLOCK: Final = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """From `starts` (included) to `ends` (excluded), "HH:MM" of the zone; both empty: all day.

    Hours that end before they start go on into the next morning and belong to the day on which
    they started. `weekdays`: 0 is Monday; empty is every day.
    """

    starts: str = ""
    ends: str = ""
    weekdays: tuple[int, ...] = ()
    zone: str = "UTC"


def is_open(hours: Hours, now_ms: int) -> bool:
    """Whether the moment lies within the hours. They passed `faults_of`."""
    if not hours.starts and not hours.weekdays:
        return True
    moment = local(hours, now_ms)
    day = moment.date()
    if hours.starts:
        minute = 60 * moment.hour + moment.minute
        start, end = _minute_of(hours.starts), _minute_of(hours.ends)
        if start < end:
            within = start <= minute < end
        else:
            within = minute >= start or minute < end
            if minute < end:
                day -= timedelta(days=1)
        if not within:
            return False
    return not hours.weekdays or day.weekday() in hours.weekdays


def local(hours: Hours, now_ms: int) -> datetime:
    """The moment on the clocks of the zone."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(_zone(hours.zone))


def in_words(hours: Hours) -> str:
    """Such as "08:00-16:00 UTC, Mon Tue Wed"."""
    span = f"{hours.starts}-{hours.ends}" if hours.starts else "all day"
    days = " ".join(DAYS[day] for day in sorted(set(hours.weekdays)))
    return f"{span} {hours.zone}" + (f", {days}" if days else "")


def faults_of(hours: Hours) -> tuple[str, ...]:
    """Everything wrong with the hours, each as one sentence naming field, value and range."""
    found = []
    for name, text in (("trading_from", hours.starts), ("trading_to", hours.ends)):
        if text and not CLOCK.fullmatch(text):
            found.append(f"{name} is {text!r}; allowed is 00:00 to 23:59.")
    if bool(hours.starts) is not bool(hours.ends):
        found.append(
            f"trading_from is {hours.starts!r} and trading_to {hours.ends!r}; give both or none."
        )
    if hours.starts and hours.starts == hours.ends:
        found.append(f"trading_to is {hours.ends!r}; it must differ from trading_from.")
    if not all(day in range(7) for day in hours.weekdays):
        found.append(f"trading_weekdays is {hours.weekdays}; allowed are 0 (Monday) to 6.")
    if _zone_or_none(hours.zone) is None:
        found.append(f"trading_zone is {hours.zone!r}; allowed is a name such as Europe/London.")
    return tuple(found)


def _minute_of(clock: str) -> int:
    return 60 * int(clock[:2]) + int(clock[3:])


def _zone(name: str) -> ZoneInfo:
    zone = _zone_or_none(name)
    assert zone is not None, f"an invalid time zone reached the desk: {name!r}"
    return zone


@lru_cache(maxsize=64)
def _zone_or_none(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # not found, a path, a folder, not a zone's file
        return None
