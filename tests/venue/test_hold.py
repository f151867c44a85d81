"""What the stream says during a snapshot comes right behind it, in order, and never too late."""

import asyncio

import pytest

from bot.core.messages import Event, StreamLost, StreamRestored, WalletSeen
from bot.venue import hold
from bot.venue.hold import Hold
from data.money import ZERO
from tests.venue.fake import wait_for


def _news(number: int) -> WalletSeen:
    return WalletSeen(wallet_usdt=ZERO, seen_ms=number)


async def test_events_wait_for_a_reading_that_began_after_the_connection() -> None:
    """An older reading proves nothing about what was said before the connection stood."""
    told: list[Event] = []
    held = Hold(told.append)
    old = held.epoch
    held.pass_on(StreamRestored())
    for number in range(3):
        held.pass_on(_news(number))
    assert told == [StreamRestored()]
    assert held.release(old) == ()
    assert held.release(held.epoch) == (_news(0), _news(1), _news(2))
    held.pass_on(_news(3))
    assert told == [StreamRestored(), _news(3)]


async def test_a_break_while_holding_is_told_at_once() -> None:
    """What was kept stays in order for the next reading."""
    told: list[Event] = []
    held = Hold(told.append)
    held.pass_on(StreamRestored())
    epoch = held.epoch
    held.pass_on(_news(1))
    held.pass_on(StreamLost(reason="cut"))
    held.pass_on(StreamRestored())
    held.pass_on(_news(2))
    assert told == [StreamRestored(), StreamLost(reason="cut"), StreamRestored()]
    assert held.release(epoch) == ()
    assert held.release(held.epoch) == (_news(1), _news(2))


async def test_a_reading_that_does_not_come_holds_nothing_back_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A fill must reach the desk although the account cannot be read."""
    monkeypatch.setattr(hold, "HOLD_S_MAX", 0.02)
    told: list[Event] = []
    held = Hold(told.append)
    held.pass_on(StreamRestored())
    held.pass_on(_news(1))
    await wait_for(lambda: len(told) == 2)
    held.pass_on(_news(2))
    assert told[1:] == [_news(1), _news(2)]
    await asyncio.sleep(0)


async def test_the_buffer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a storm's worth is released, none is lost, the order is kept."""
    monkeypatch.setattr(hold, "EVENTS_MAX", 5)
    told: list[Event] = []
    held = Hold(told.append)
    held.pass_on(StreamRestored())
    for number in range(7):
        held.pass_on(_news(number))
    assert told[1:] == [_news(number) for number in range(7)]
