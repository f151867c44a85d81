"""A trade's picture is drawn in a child process and never costs the caller its life."""

import asyncio
import json
import sys

from bot.control.outbox import Outbox
from bot.control.pictures import ASKED_MAX, Pictures, draw
from bot.shell.clock import VirtualClock
from tests.control.samples import NOW_MS, OPEN, OWNER_CHAT, FakeMarket
from tests.control.test_outbox import Setup

PNG = b"\x89PNG\r\n\x1a\n"


async def test_a_picture_is_drawn_by_a_child_and_posted() -> None:
    """Candles, levels and fills become a PNG of 1280 x 720; matplotlib stays out of here."""
    setup = Setup()
    pictures = Pictures(setup.outbox, FakeMarket())
    assert pictures.ask(OPEN, OWNER_CHAT)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(pictures.run())
        while setup.outbox.waiting == 0:
            await asyncio.sleep(0.01)
        task.cancel()
    await setup.flush()
    picture = setup.chat.contents[0].picture
    assert picture is not None
    assert picture.startswith(PNG)
    assert (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])) == (1280, 720)
    assert "matplotlib" not in sys.modules


async def test_a_child_that_fails_is_only_logged() -> None:
    """Facts that cannot be drawn give no picture and no exception."""
    assert await draw(json.dumps({"title": "x"}).encode()) is None


async def test_too_many_wishes_are_refused() -> None:
    """A market in a hurry does not pile up pictures; without candles there is none."""
    setup, market = Setup(), FakeMarket()
    pictures = Pictures(Outbox(setup.chat, setup.store, clock=VirtualClock(NOW_MS)), market)
    asked = [pictures.ask(OPEN, OWNER_CHAT) for _ in range(ASKED_MAX + 1)]
    assert asked == [True] * ASKED_MAX + [False]
    market.window_of = None
    assert not Pictures(setup.outbox, market).ask(OPEN, OWNER_CHAT)
