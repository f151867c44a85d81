"""The outbox under everything Telegram does to a sender; no real time passes here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.control.chat import ChatRefused, ChatUnreached, Content, Refusal
from bot.control.html import Html, text
from bot.control.outbox import WAITING_MAX, Message, Outbox, Priority
from bot.control.pace import Bucket, Pace
from bot.shell.clock import VirtualClock
from bot.shell.errors import Unknown
from bot.shell.hush import Hush
from data.store.rows import OutboxRow
from tests.control.samples import OWNER_CHAT, open_store

CHAT = 5


class Wall:
    """Wall time that passes only by being slept."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def read(self) -> float:
        """Seconds."""
        return self.now_s

    async def sleep(self, duration_s: float) -> None:
        """Pass the time at once."""
        self.now_s += max(duration_s, 1e-6)
        await asyncio.sleep(0)


class FakeChat:
    """A chat that writes down what it got and fails as a test says, in order."""

    def __init__(self, wall: Wall) -> None:
        self._wall = wall
        self.failures: list[Exception] = []
        self.sent: list[tuple[float, int, str]] = []
        self.edits: list[tuple[float, int, str]] = []
        self.contents: list[Content] = []
        self.replies: list[int | None] = []

    async def send(
        self, chat_id: int, content: Content, *, reply_to: int | None, silent: bool
    ) -> int:
        """Note it and give it a number."""
        del silent
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append((self._wall.now_s, chat_id, content.html.markup))
        self.contents.append(content)
        self.replies.append(reply_to)
        return len(self.sent)

    async def edit(self, chat_id: int, message_id: int, content: Content) -> None:
        """Note it."""
        del chat_id
        if self.failures:
            raise self.failures.pop(0)
        self.edits.append((self._wall.now_s, message_id, content.html.markup))

    async def answer(self, query_id: str, toast: str, *, alert: bool) -> None:
        """The outbox answers no taps."""
        raise AssertionError(query_id, toast, alert)


class FakeStore:
    """Kept notices in a list."""

    def __init__(self) -> None:
        self.rows: dict[int, OutboxRow] = {}
        self.sent: list[int] = []
        self.failed: list[int] = []

    async def put_outbox(self, notice: OutboxRow) -> int:
        """Keep it."""
        self.rows[len(self.rows) + 1] = notice
        return len(self.rows)

    async def pending_outbox(self, limit: int = 100) -> tuple[OutboxRow, ...]:
        """None: the real store is used where this matters."""
        del limit
        return ()

    async def mark_sent(self, notice_id: int, now_ms: int) -> bool:
        """Note it."""
        del now_ms
        self.sent.append(notice_id)
        return True

    async def mark_failed(self, notice_id: int) -> None:
        """Note it."""
        self.failed.append(notice_id)


class Setup:
    """An outbox over fakes."""

    def __init__(self, pace: float = 1.0) -> None:
        self.wall = Wall()
        self.chat = FakeChat(self.wall)
        self.store = FakeStore()
        self.outbox = Outbox(
            self.chat,
            self.store,
            clock=VirtualClock(),
            pace=pace,
            now_s=self.wall.read,
            sleep_s=self.wall.sleep,
        )

    def post(self, words: str, priority: Priority = Priority.STATUS, slot: str = "") -> None:
        """Queue a short message."""
        self.outbox.post(Message(chat_id=CHAT, html=text(words), priority=priority, slot=slot))

    async def flush(self) -> None:
        """Let the worker send all it can."""
        async with self.working():
            await self.outbox.drain(5.0)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """The worker, for a while."""
        async with asyncio.TaskGroup() as group:
            worker = group.create_task(self.outbox.run())
            yield
            worker.cancel()

    def said(self) -> list[str]:
        """What was sent, in order."""
        return [words for _, _, words in self.chat.sent]


async def test_urgent_messages_overtake() -> None:
    """A fill goes before a card, a card before a status, whatever the order of posting."""
    setup = Setup()
    for name in ("LATER", "STATUS", "CARD", "NOW"):
        setup.post(name, Priority[name])
    await setup.flush()
    assert setup.said() == ["NOW", "CARD", "STATUS", "LATER"]


async def test_a_chat_gets_three_at_once_then_one_a_second() -> None:
    """Telegram's pace for one chat: burst 3, then 1/s; `pace` multiplies it."""
    for pace in (1.0, 10.0):
        setup = Setup(pace)
        for number in range(6 * int(pace)):
            setup.post(str(number))
        await setup.flush()
        start_s = setup.chat.sent[0][0]
        burst = [s for s, _, _ in setup.chat.sent if s - start_s < 1e-3]
        assert len(burst) == 3 * pace
        # 3 more after the burst, at 1/s.
        assert setup.chat.sent[-1][0] - start_s == pytest.approx(3.0, abs=0.01)


async def test_edits_of_one_message_coalesce_to_the_newest() -> None:
    """Ten changes while the message waits are one send; ten more while it shows, few edits."""
    setup = Setup()
    for number in range(10):
        setup.post(f"state {number}", slot="card:x")
    await setup.flush()
    assert setup.said() == ["state 9"]
    for number in range(10, 20):
        setup.post(f"state {number}", slot="card:x")
    setup.post("state 19", slot="card:x")
    await setup.flush()
    assert [words for _, _, words in setup.chat.edits] == ["state 19"]
    setup.post("state 19", slot="card:x")
    await setup.flush()
    assert len(setup.chat.edits) == 1, "what is shown already is not sent again"
    assert setup.outbox.count.coalesced == 19


async def test_a_coalesced_message_keeps_the_greater_urgency() -> None:
    """An urgent state replaced by a newer one still goes first."""
    setup = Setup()
    setup.post("status", Priority.STATUS)
    setup.post("stop hit", Priority.NOW, slot="card:x")
    setup.post("closed", Priority.LATER, slot="card:x")
    await setup.flush()
    assert setup.said() == ["closed", "status"]


async def test_too_many_requests_waits_as_long_as_asked() -> None:
    """RetryAfter pauses the chat for its seconds; nothing is lost or doubled."""
    setup = Setup()
    setup.chat.failures = [ChatRefused(Refusal.SLOW, 429, "slow", 7.0)]
    setup.post("a")
    setup.post("b")
    start_s = setup.wall.now_s
    await setup.flush()
    assert sorted(setup.said()) == ["a", "b"]
    assert min(s for s, _, _ in setup.chat.sent) - start_s >= 7.0


async def test_not_modified_is_success() -> None:
    """ "message is not modified" is no error and is not tried again."""
    setup = Setup()
    setup.outbox.remember("card:x", 9)
    setup.chat.failures = [ChatRefused(Refusal.NOT_MODIFIED, 400, "not modified")]
    setup.post("same", slot="card:x")
    await setup.flush()
    assert (setup.chat.sent, setup.chat.edits) == ([], [])


async def test_unreadable_markup_is_sent_plain() -> None:
    """A notice is never lost to its formatting."""
    setup = Setup()
    setup.chat.failures = [ChatRefused(Refusal.UNREADABLE, 400, "can't parse entities")]
    setup.post("stop <hit>", Priority.NOW)
    await setup.flush()
    assert [c.plain for c in setup.chat.contents] == [True]


async def test_a_vanished_message_is_sent_anew() -> None:
    """When the message to edit is gone, a new one takes its place and is edited from then on."""
    setup = Setup()
    setup.outbox.remember("card:x", 9)
    setup.chat.failures = [ChatRefused(Refusal.VANISHED, 400, "message to edit not found")]
    setup.post("one", slot="card:x")
    await setup.flush()
    assert setup.said() == ["one"]
    setup.post("two", slot="card:x")
    await setup.flush()
    assert [edit[1:] for edit in setup.chat.edits] == [(1, "two")]


async def test_a_chat_that_is_gone_is_left_alone_until_it_speaks() -> None:
    """After Forbidden nothing is sent there, until the person writes again."""
    setup = Setup()
    setup.chat.failures = [ChatRefused(Refusal.GONE, 403, "bot was blocked by the user")]
    for words in ("a", "b", "c"):
        setup.post(words)
    await setup.flush()
    setup.post("d")
    await setup.flush()
    assert setup.said() == []
    assert setup.outbox.revive(CHAT)
    assert not setup.outbox.revive(CHAT)
    setup.post("e")
    await setup.flush()
    assert setup.said() == ["e"]


async def test_a_send_nobody_can_vouch_for_is_repeated_at_most_once() -> None:
    """A timed-out card may have arrived: it is sent once more and then given up."""
    setup = Setup()
    setup.chat.failures = [Unknown("timed out")]
    setup.post("card", Priority.CARD, slot="card:x")
    await setup.flush()
    assert setup.said() == ["card"]
    setup.chat.failures = [Unknown("timed out")] * 5
    setup.post("other")
    await setup.flush()
    assert setup.said() == ["card"]
    assert len(setup.chat.failures) == 3, "two attempts, not more"


async def test_what_never_left_the_machine_is_tried_for_long() -> None:
    """No connection is no doubt: it is tried again until there is one."""
    setup = Setup()
    setup.chat.failures = [ChatUnreached("no route")] * 20
    setup.post("hello")
    await setup.flush()
    assert setup.said() == ["hello"]


async def test_one_impossible_message_does_not_stop_the_next() -> None:
    """A bug in sending one message is logged; the worker goes on."""
    setup = Setup()
    setup.chat.failures = [ZeroDivisionError("bug"), ChatRefused(Refusal.OTHER, 400, "no")]
    for words in ("a", "b", "c"):
        setup.post(words)
    await setup.flush()
    assert setup.said() == ["c"]
    assert setup.outbox.count.dropped == 2


async def test_a_full_queue_gives_up_its_least_urgent() -> None:
    """The queue is bounded; fills survive, charts do not."""
    setup = Setup()
    for number in range(WAITING_MAX):
        setup.post(str(number), Priority.LATER)
    setup.post("fill", Priority.NOW)
    assert setup.outbox.waiting == WAITING_MAX
    async with setup.working():
        while not setup.chat.sent:
            await asyncio.sleep(0)
    assert setup.said()[0] == "fill"


async def test_long_texts_go_in_parts_and_buttons_come_last() -> None:
    """More than 4096 characters become several messages in order."""
    setup = Setup()
    setup.post("\n".join(f"line {n}" for n in range(1_000)))
    await setup.flush()
    assert len(setup.said()) == 3  # 8,889 characters
    assert setup.said()[0].startswith("line 0\n")
    assert setup.said()[-1].endswith("line 999")


async def test_a_reply_points_at_its_slots_message() -> None:
    """A result is an answer to the message that shows the card."""
    setup = Setup()
    setup.post("card", Priority.CARD, slot="card:x")
    await setup.flush()
    setup.outbox.post(Message(chat_id=CHAT, html=Html("done"), reply_slot="card:x"))
    await setup.flush()
    assert setup.chat.replies == [None, 1]


async def test_kept_notices_are_sent_after_a_restart_and_only_once(tmp_path: Path) -> None:
    """An alarm is a row until it was sent; one for nobody waits for the owner's chat."""
    store = await open_store(tmp_path)
    first = Setup()
    outbox = Outbox(first.chat, store, clock=VirtualClock(7))
    await outbox.post_kept(
        Message(chat_id=0, html=Html("<b>alarm</b>"), priority=Priority.NOW), "owner"
    )
    assert outbox.waiting == 0

    async def chat_of(user_id: str) -> int:
        assert user_id == "owner"
        return OWNER_CHAT

    second = Setup()
    outbox = Outbox(
        second.chat,
        store,
        clock=VirtualClock(8),
        now_s=second.wall.read,
        sleep_s=second.wall.sleep,
    )
    assert await outbox.recover(chat_of) == 1
    assert await outbox.recover(chat_of) == 0, "already queued"
    second.outbox = outbox
    await second.flush()
    assert [sent[1:] for sent in second.chat.sent] == [(OWNER_CHAT, "<b>alarm</b>")]
    assert await store.pending_outbox() == ()
    await store.close()


@given(
    gaps=st.lists(st.floats(0, 3, allow_nan=False), min_size=1, max_size=60),
    burst=st.integers(1, 5),
)
def test_a_bucket_never_gives_more_than_its_rate(gaps: list[float], burst: int) -> None:
    """In any stretch of time no more than burst + rate x time may go."""
    now_s, bucket, taken = 0.0, Bucket(rate_s=1.0, burst=burst, now_s=0.0), []
    for gap_s in gaps:
        now_s = max(now_s + gap_s, bucket.ready_s(now_s + gap_s))
        bucket.take(now_s)
        taken.append(now_s)
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= burst + (taken[last] - taken[first]) + 1e-6


def test_groups_are_slower_than_people() -> None:
    """A group takes 20 a minute after its burst."""
    wall = Wall()
    pace = Pace(factor=1.0, now_s=wall.read)
    for _ in range(3):
        pace.take(-100)
    assert pace.ready_s(-100, wall.now_s) == pytest.approx(wall.now_s + 3.0)


def test_a_kind_is_said_once_a_minute_with_its_count() -> None:
    """The first is said at once, the others are counted into the next line."""
    wall = Wall()
    hush = Hush(now_s=wall.read)
    assert [hush.count("x"), hush.count("x"), hush.count("y"), hush.count("x")] == [1, 0, 1, 0]
    wall.now_s += 60
    assert hush.count("x") == 3
