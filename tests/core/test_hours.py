"""Trading hours: open at the first minute, shut at the last, in the zone's own time."""

from datetime import UTC, datetime

import pytest

from bot.core.hours import Hours, faults_of, in_words, is_open


def at(text: str) -> int:
    """Unix milliseconds of a UTC moment such as "2026-11-21 08:00:00.000"."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


GMT = Hours(starts="08:00", ends="16:00")
NIGHT = Hours(starts="22:00", ends="06:00", weekdays=(4,))  # Friday night
LONDON = Hours(starts="08:00", ends="16:00", zone="Europe/London")
WEEK = Hours(weekdays=(0, 1, 2, 3, 4))


@pytest.mark.parametrize(
    ("hours", "moment", "opened"),
    [
        (Hours(), "2026-11-21 03:00", True),
        (GMT, "2026-11-21 07:59:59.999", False),
        (GMT, "2026-11-21 08:00", True),
        (GMT, "2026-11-21 15:59:59.999", True),
        (GMT, "2026-11-21 16:00", False),
        (LONDON, "2026-07-01 07:00", True),  # summer time: 08:00 there
        (LONDON, "2026-07-01 15:00", False),
        (LONDON, "2026-12-01 07:00", False),
        (LONDON, "2026-12-01 15:59", True),
        (NIGHT, "2026-11-20 21:59", False),  # a Friday
        (NIGHT, "2026-11-20 22:00", True),
        (NIGHT, "2026-11-21 05:59", True),  # Saturday morning belongs to Friday's night
        (NIGHT, "2026-11-21 06:00", False),
        (NIGHT, "2026-11-20 05:00", False),  # Friday morning to Thursday's
        (NIGHT, "2026-11-21 23:00", False),
        (WEEK, "2026-11-20 23:59", True),
        (WEEK, "2026-11-21 00:00", False),
        (Hours(weekdays=(6,), zone="Asia/Ho_Chi_Minh"), "2026-11-21 17:00", True),  # Sunday there
    ],
)
def test_hours_open_and_shut_to_the_minute(hours: Hours, moment: str, *, opened: bool) -> None:
    """From the first moment included to the last excluded; a night belongs to its evening."""
    assert is_open(hours, at(moment)) is opened


@pytest.mark.parametrize(
    ("hours", "words"),
    [
        (Hours(starts="8:00", ends="16:00"), "trading_from is '8:00'; allowed is 00:00 to 23:59."),
        (Hours(starts="08:00", ends="24:00"), "trading_to is '24:00'; allowed is 00:00 to 23:59."),
        (Hours(starts="08:00"), "trading_from is '08:00' and trading_to ''; give both or none."),
        (Hours(starts="08:00", ends="08:00"), "trading_to is '08:00'; it must differ from"),
        (Hours(weekdays=(7,)), "trading_weekdays is (7,); allowed are 0 (Monday) to 6."),
        (Hours(zone="Mars/Base"), "trading_zone is 'Mars/Base'; allowed is a name such as"),
        (Hours(zone=""), "trading_zone is ''"),
        (Hours(zone="../passwd"), "trading_zone is '../passwd'"),
        (Hours(zone="Europe"), "trading_zone is 'Europe'"),
    ],
)
def test_wrong_hours_are_refused_in_words(hours: Hours, words: str) -> None:
    """Field, value and what is allowed."""
    (fault,) = faults_of(hours)
    assert fault.startswith(words)


def test_hours_are_told_in_words() -> None:
    """As the check of a blocked signal shows them."""
    assert in_words(GMT) == "08:00-16:00 UTC"
    assert in_words(WEEK) == "all day UTC, Mon Tue Wed Thu Fri"
