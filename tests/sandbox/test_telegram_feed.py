"""Queues of the pretend Telegram: bounded, confirmed, honest about what was lost."""

import pytest

from bot.sandbox.telegram_checks import Refused
from bot.sandbox.telegram_feed import (
    EVENTS_MAX,
    SUBSCRIBER_QUEUE_MAX,
    SUBSCRIBERS_MAX,
    UPDATES_MAX,
    Fault,
    FaultList,
    Feed,
    UpdateQueue,
)


async def test_updates_beyond_the_limit_push_out_the_oldest() -> None:
    """A bot that never polls costs bounded memory."""
    updates = UpdateQueue()
    for number in range(UPDATES_MAX + 3):
        updates.put("message", number)
    assert len(updates) == UPDATES_MAX
    assert updates.take(offset=0, limit=1)[0]["message"] == 3


async def test_a_raw_update_goes_out_once_and_keeps_numbers_rising() -> None:
    """An injected update with its own number moves the next numbers beyond it."""
    updates = UpdateQueue()
    updates.put_raw({"update_id": 50, "garbage": None})
    updates.put("message", "after")
    assert [item["update_id"] for item in updates.take(offset=0, limit=9)] == [50, 51]
    assert [item["update_id"] for item in updates.take(offset=0, limit=9)] == [51]


async def test_kinds_that_were_not_asked_for_are_not_queued() -> None:
    """Reactions come only to a bot that names them."""
    updates = UpdateQueue()
    assert updates.put("message_reaction", {}) is None
    updates.allowed = ("message_reaction",)
    assert updates.put("message_reaction", {}) == 1
    assert updates.put("message", {}) is None


async def test_a_slow_listener_is_told_to_load_again() -> None:
    """A full queue drops its oldest event and says so; memory stays bounded."""
    feed = Feed()
    slow = feed.subscribe(None)
    for number in range(SUBSCRIBER_QUEUE_MAX + 1):
        feed.publish({"event": "x", "number": number})
    assert slow.lost
    first = await slow.next_event(1.0)
    assert first is not None
    assert first["number"] == 1
    late = feed.subscribe(0)
    assert late.lost is (EVENTS_MAX < SUBSCRIBER_QUEUE_MAX + 1)


async def test_listeners_are_limited_and_end_with_the_feed() -> None:
    """The thirty-third listener is refused; closing ends every stream."""
    feed = Feed()
    listeners = [feed.subscribe(None) for _ in range(SUBSCRIBERS_MAX)]
    with pytest.raises(Refused, match="too many listeners"):
        feed.subscribe(None)
    assert await listeners[0].next_event(0.0) == {}
    feed.close()
    assert await listeners[0].next_event(1.0) is None
    feed.unsubscribe(listeners[0])
    feed.subscribe(None)


def _fault(kind: str, method: str | None = None, times: int = 1) -> Fault:
    return Fault(kind=kind, times=times, method=method, effect=False, seconds=1.0)


def test_faults_hit_their_method_and_spare_polling() -> None:
    """A fault without a method leaves getUpdates alone, so a bot is not cut off by accident."""
    faults = FaultList()
    faults.add(_fault("drop"))
    faults.add(_fault("http_500", "getupdates", times=2))
    kinds = ("drop", "http_500")
    taken = [faults.take("getupdates", kinds) for _ in range(3)]
    assert [fault and fault.kind for fault in taken] == ["http_500", "http_500", None]
    assert faults.take("sendmessage", ("http_500",)) is None
    fault = faults.take("sendmessage", kinds)
    assert fault is not None
    assert fault.kind == "drop"
    assert faults.take("sendmessage", kinds) is None
