"""The engine's queue: order, bounds, and the rule for what happens when it is full."""

from decimal import Decimal

import pytest

from bot.core.messages import Event, PanicPressed, StreamLost, StreamRestored, WalletSeen
from bot.shell.errors import OurFault
from bot.shell.inbox import Inbox


def wallet(number: int) -> WalletSeen:
    """News of the exchange."""
    return WalletSeen(wallet_usdt=Decimal(number), seen_ms=number)


def drained(inbox: Inbox) -> list[Event]:
    """Everything in it, in order."""
    found = []
    while (taken := inbox.take()) is not None:
        found.append(taken[0])
    return found


def test_first_in_first_out() -> None:
    """Events leave in the order they came; `first` goes before all that waits."""
    inbox = Inbox()
    inbox.put(wallet(1))
    inbox.put(wallet(2))
    inbox.put(PanicPressed(by="owner"), first=True)
    assert drained(inbox) == [PanicPressed(by="owner"), wallet(1), wallet(2)]


def test_dropped_news_of_the_exchange_become_a_stream_gap() -> None:
    """A full queue drops news, says so by StreamLost and StreamRestored, and loses no panic."""
    inbox = Inbox(queue_max=10, reserve=5)
    taken = [inbox.put(wallet(n)) for n in range(12)]
    assert taken == [True] * 10 + [False] * 2
    assert inbox.put(PanicPressed(by="owner"))
    events = drained(inbox)
    assert inbox.dropped == 2
    assert PanicPressed(by="owner") in events
    lost = next(i for i, e in enumerate(events) if isinstance(e, StreamLost))
    assert events[lost + 1] == StreamRestored()


def test_an_endless_flood_of_words_is_our_fault() -> None:
    """The reserve is for what people and the shell say; filling it up is a bug, and loud."""
    inbox = Inbox(queue_max=1, reserve=1)
    inbox.put(wallet(1))
    inbox.put(PanicPressed(by="owner"))
    with pytest.raises(OurFault):
        inbox.put(PanicPressed(by="owner"))


async def test_waiting_ends_with_the_first_event_or_the_time() -> None:
    """`wait` returns at once when something waits, and otherwise after its time."""
    inbox = Inbox()
    await inbox.wait(0.001)
    inbox.put(wallet(1))
    await inbox.wait(60)
