"""The whole control room against the pretend Telegram on loopback: stories a person would live."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from bot.control.telegram import ControlSettings, ControlWorld, TelegramControl
from bot.core.messages import (
    BotSwitched,
    CardAnswered,
    CardVerb,
    CloseRequested,
    EntriesResumed,
    Level,
    PanicPressed,
    ShowCard,
    Tell,
)
from bot.core.trade import Outcome, Phase
from bot.sandbox.telegram_server import TelegramSandbox, make_token
from bot.shell.clock import VirtualClock, wall_monotonic_s
from bot.shell.errors import SettingFault
from data.model import ExitReason
from tests.control.samples import (
    APPROVED,
    CLOSED,
    CLOSED_TRADE,
    NOW_MS,
    OPEN,
    OWNER_CHAT,
    WAITING,
    Stage,
    desk,
    open_store,
)

PATIENCE_S = 30.0
TOKEN = make_token(Random(3))


class Person:
    """Somebody with a phone: types, taps, and looks at the chat of the pretend Telegram."""

    def __init__(self, http: aiohttp.ClientSession, base_url: str) -> None:
        self._http = http
        self._base_url = base_url

    async def post(self, route: str, **body: object) -> dict[str, Any]:
        """Ask the pretend Telegram for something."""
        async with self._http.post(f"{self._base_url}/sandbox/{route}", json=body) as answer:
            return dict(await answer.json())

    async def get(self, route: str) -> dict[str, Any]:
        """Look something up there."""
        async with self._http.get(f"{self._base_url}/sandbox/{route}") as answer:
            return dict(await answer.json())

    async def say(self, text: str, **who: object) -> None:
        """Type a message."""
        await self.post("message", text=text, **who)

    async def from_bot(self) -> list[dict[str, Any]]:
        """The bot's messages as they look now."""
        found = (await self.get("messages"))["messages"]
        return [message for message in found if message["from"] == "bot"]

    async def see(self, *parts: str) -> dict[str, Any]:
        """Wait for a message of the bot with all these texts in it."""
        until_s = wall_monotonic_s() + PATIENCE_S
        while True:
            for message in await self.from_bot():
                if all(part in message["text"] for part in parts):
                    return message
            shown = [message["text"] for message in await self.from_bot()]
            assert wall_monotonic_s() < until_s, f"never saw {parts} in {shown}"
            await asyncio.sleep(0.01)

    async def tap(self, message: dict[str, Any], label: str, **how: object) -> str:
        """Press a button; the id of the tap."""
        data = next(b["callback_data"] for b in buttons(message) if b["text"] == label)
        return await self.tap_data(message, data, **how)

    async def tap_data(self, message: dict[str, Any], data: str, **how: object) -> str:
        """Press a button by its data, also one that is not shown any more."""
        body = {"message_id": message["message_id"], "callback_data": data, "force": True, **how}
        return str((await self.post("tap", **body))["callback_query_id"])

    async def toast(self, query_id: str) -> dict[str, Any]:
        """Wait for the answer to a tap."""
        until_s = wall_monotonic_s() + PATIENCE_S
        while True:
            found = (await self.get(f"answers?callback_query_id={query_id}"))["answers"]
            if found:
                return dict(found[0])
            assert wall_monotonic_s() < until_s, "the tap was never answered"
            await asyncio.sleep(0.01)


def buttons(message: dict[str, Any]) -> list[dict[str, Any]]:
    """A message's buttons, row by row."""
    markup = message.get("reply_markup") or {}
    return [button for row in markup.get("inline_keyboard", []) for button in row]


async def until(happened: Callable[[], bool]) -> None:
    """Wait until something of ours is true."""
    until_s = wall_monotonic_s() + PATIENCE_S
    while not happened():
        assert wall_monotonic_s() < until_s, "it never happened"
        await asyncio.sleep(0.01)


class Room:
    """One life of the control room."""

    def __init__(self, control: TelegramControl, stage: Stage, clock: VirtualClock) -> None:
        self.control = control
        self.stage = stage
        self.clock = clock


@asynccontextmanager
async def living(
    folder: Path, stage: Stage, sandbox: TelegramSandbox, clock: VirtualClock, **kept: Any
) -> AsyncIterator[Room]:
    """The control room running; leaving the block is a clean stop."""
    store = await open_store(folder, **kept)
    control = TelegramControl(
        ControlSettings(
            token=TOKEN,
            base_url=f"{sandbox.address.base_url}/bot",
            mode_badge="PAPER",
            pace=1000.0,
            poll_s=2,
            charts=False,
        ),
        ControlWorld(
            store=store,
            sink=stage.sink,
            market=stage.market,
            desk_of=stage.desk_of,
            clock=clock,
            random_bytes=stage.rng.randbytes,
            read_trade=lambda body: WAITING,
        ),
    )
    try:
        await control.start()
        async with asyncio.TaskGroup() as group:
            group.create_task(control.run())
            try:
                yield Room(control, stage, clock)
            finally:
                await control.stop()
    finally:
        await store.close()


@pytest.fixture
def clock() -> VirtualClock:
    """Exchange time, moved by hand."""
    return VirtualClock(NOW_MS + 10_000)


@pytest.fixture
async def sandbox(clock: VirtualClock) -> AsyncIterator[TelegramSandbox]:
    """The pretend Telegram."""
    server = TelegramSandbox(token=TOKEN, clock=clock, pace=1000.0)
    await server.start(0)
    yield server
    await server.stop()


@pytest.fixture
async def person(sandbox: TelegramSandbox) -> AsyncIterator[Person]:
    """The person in front of it."""
    async with aiohttp.ClientSession() as http:
        yield Person(http, sandbox.address.base_url)


async def test_the_code_of_the_log_makes_the_owner_once(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock, person: Person
) -> None:
    """A wrong code gets silence, the right one pairs its sender, and it works only once."""
    stage = Stage(desk(WAITING))
    async with living(tmp_path, stage, sandbox, clock, paired=False) as room:
        code = room.control.pairing_code
        assert code is not None
        assert len(code) == 16
        await person.say("/start WRONGCODE", user_id=666)
        await person.say(f"/start {code}", language_code="vi", first_name="Lan")
        await person.see("Chào mừng Lan")
        await person.say(f"/start {code}", user_id=666)
        await person.say("/status")
        await person.see("Trạng thái")
        card = await person.see("LONG BTCUSDT")  # the card that waited for somebody
        assert [b["text"] for b in buttons(card)][:2] == ["Duyệt", "Từ chối"]
        assert {m["chat_id"] for m in await person.from_bot()} == {OWNER_CHAT}
        assert room.control.pairing_code is None


async def test_approve_is_one_event_however_often_it_is_tapped(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock, person: Person
) -> None:
    """A double tap on Approve sends one CardAnswered with a price read after the tap."""
    stage = Stage(desk(WAITING))
    async with living(tmp_path, stage, sandbox, clock) as room:
        room.control.show_card(
            ShowCard(trade_id=WAITING.trade_id, expires_ms=NOW_MS + 300_000), WAITING, stage.desk
        )
        card = await person.see("LONG BTCUSDT", "PAPER", "63232.0", "-1.20 %", "R:R")
        stage.market.price = Decimal("64020.5")
        data = next(b["callback_data"] for b in buttons(card) if b["text"] == "Approve")
        taps = [await person.tap_data(card, data) for _ in range(3)]
        await person.see("LONG BTCUSDT", "Checking price")
        for tap in taps:
            await person.toast(tap)
        answers = stage.of_kind(CardAnswered)
        assert answers == [
            CardAnswered(
                trade_id=WAITING.trade_id,
                verb=CardVerb.APPROVE,
                user_id="owner",
                mark_price=Decimal("64020.5"),
                mark_ms=NOW_MS,
            )
        ]
        assert not buttons(await person.see("Checking price"))
        for trade, said in (
            (APPROVED, "entry sent: 0.012 @ 64000.0"),
            (OPEN, "Protected: stop 63232.0 · target 65536.0"),
            (CLOSED, "Closed"),
        ):
            stage.put(trade)
            stage.desk = replace(stage.desk, closed=(CLOSED_TRADE,))
            room.control.trade_changed(trade, stage.desk)
            message = await person.see("Approved by Lan", said)
            assert message["message_id"] == card["message_id"], "edited in place"
        final = await person.see("Result +17.46 USDT")
        assert not buttons(final)


async def test_an_expired_or_strange_tap_opens_nothing(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock, person: Person
) -> None:
    """After its expiry Approve has no effect but a toast; a stranger's tap not even that."""
    stage = Stage(desk(WAITING))
    async with living(tmp_path, stage, sandbox, clock) as room:
        room.control.show_card(
            ShowCard(trade_id=WAITING.trade_id, expires_ms=NOW_MS + 300_000), WAITING, stage.desk
        )
        card = await person.see("LONG BTCUSDT")
        stranger = await person.tap(card, "Approve", user_id=666)
        clock.advance_to(NOW_MS + 300_000)
        late = await person.tap(card, "Approve")
        assert "expired" in (await person.toast(late))["text"]
        unknown = await person.tap_data(card, "1" + "A" * 22)
        assert "no longer valid" in (await person.toast(unknown))["text"]
        assert not stage.events
        # A late Reject still counts, once.
        await person.tap(card, "Reject")
        await person.toast(await person.tap(card, "Reject"))
        await until(lambda: bool(stage.events))
        assert [e.verb for e in stage.of_kind(CardAnswered)] == [CardVerb.REJECT]
        answers = (await person.get(f"answers?callback_query_id={stranger}"))["answers"]
        assert not answers, "a stranger hears nothing"


async def test_a_card_outlives_the_process(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock, person: Person
) -> None:
    """A tap on a card of an earlier life works, also one made while nobody listened."""
    stage = Stage(desk(WAITING))
    async with living(tmp_path, stage, sandbox, clock) as room:
        room.control.show_card(
            ShowCard(trade_id=WAITING.trade_id, expires_ms=NOW_MS + 300_000), WAITING, stage.desk
        )
        card = await person.see("LONG BTCUSDT")
    await person.tap(card, "Approve")
    async with living(tmp_path, stage, sandbox, clock):
        await until(lambda: bool(stage.of_kind(CardAnswered)))
        again = await person.see("LONG BTCUSDT")
        assert again["message_id"] == card["message_id"], "the same message, not a second card"
        assert len(stage.events) == 1


async def test_a_tap_that_waited_too_long_at_telegram_is_asked_again(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock, person: Person
) -> None:
    """An Approve that Telegram calls too old opens nothing; the card gets fresh buttons."""
    stage = Stage(desk(WAITING))
    async with living(tmp_path, stage, sandbox, clock) as room:
        room.control.show_card(
            ShowCard(trade_id=WAITING.trade_id, expires_ms=NOW_MS + 300_000), WAITING, stage.desk
        )
        card = await person.see("LONG BTCUSDT")
        old = {b["callback_data"] for b in buttons(card)}
        await person.tap(card, "Approve", age_s=3600)
        until_s = wall_monotonic_s() + PATIENCE_S
        while {b["callback_data"] for b in buttons(await person.see("LONG BTCUSDT"))} & old:
            assert wall_monotonic_s() < until_s, "no fresh buttons"
            await asyncio.sleep(0.01)
        assert not stage.events
        await person.tap(await person.see("LONG BTCUSDT"), "Approve")
        await until(lambda: len(stage.events) == 1)


async def test_a_moved_price_is_asked_about(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock, person: Person
) -> None:
    """ "Moved" redraws the card with old and new R:R; Approve anyway says that it was seen."""
    stage = Stage(desk(WAITING))
    async with living(tmp_path, stage, sandbox, clock) as room:
        room.control.show_card(
            ShowCard(trade_id=WAITING.trade_id, expires_ms=NOW_MS + 300_000), WAITING, stage.desk
        )
        await person.tap(await person.see("LONG BTCUSDT"), "Half size")
        await until(lambda: len(stage.events) == 1)
        moved = Tell(
            kind="card_moved",
            trade_id=WAITING.trade_id,
            fields=(("drift_bps", "40"), ("reward_risk", "1.4")),
        )
        room.control.tell(moved, WAITING, stage.desk)
        card = await person.see("moved 0.40 %", "R:R 2.0 → 1.4")
        assert [b["text"] for b in buttons(card)] == ["Approve anyway", "Reject", "Details"]
        await person.tap(card, "Approve anyway")
        await until(lambda: len(stage.events) == 2)
        second = stage.of_kind(CardAnswered)[1]
        assert isinstance(second, CardAnswered)
        assert (second.verb, second.confirmed) == (CardVerb.HALF, True)


async def test_closing_takes_two_taps_and_is_asked_once(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock, person: Person
) -> None:
    """Close asks first; the confirmation sends one CloseRequested."""
    stage = Stage(desk(WAITING))
    async with living(tmp_path, stage, sandbox, clock) as room:
        room.control.show_card(
            ShowCard(trade_id=WAITING.trade_id, expires_ms=NOW_MS + 300_000), WAITING, stage.desk
        )
        offer = await person.see("LONG BTCUSDT")
        stage.put(OPEN)
        room.control.trade_changed(OPEN, stage.desk)
        await person.tap(await person.see("Protected"), "Close")
        sure = await person.see("Close this position at market now?")
        assert not stage.events
        data = next(b["callback_data"] for b in buttons(sure) if b["text"] == "Yes, close now")
        for tap in [await person.tap_data(sure, data) for _ in range(2)]:
            await person.toast(tap)
        expected = CloseRequested(trade_id=OPEN.trade_id, reason=ExitReason.MANUAL, by="owner")
        assert stage.events == [expected]
        # A Reject that arrives after all this opens the same question, never an entry.
        await person.toast(await person.tap(offer, "Reject"))
        assert stage.events == [expected]
        # While the entry is still pending it takes the entry back, once.
        stage.put(APPROVED)
        for _ in range(2):
            await person.toast(await person.tap(offer, "Reject"))
        assert [e.verb for e in stage.of_kind(CardAnswered)] == [CardVerb.REJECT]


async def test_commands_turn_into_events(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock, person: Person
) -> None:
    """/pause acts at once, /panic after a second tap, /resume only when it is fresh."""
    stage = Stage(desk(OPEN, halts=("panic",)))
    async with living(tmp_path, stage, sandbox, clock):
        await person.say("/pause")
        await person.see("Pausing all bots")
        assert stage.events == [BotSwitched(bot_id="", running=False, by="owner")]
        await person.say("/panic")
        question = await person.see("Close everything", "Open trades: 1")
        clock.advance_to(NOW_MS + 86_400_000)  # a panic tap counts however late
        for _ in range(2):
            await person.toast(await person.tap(question, "Yes, close everything"))
        assert stage.of_kind(PanicPressed) == [PanicPressed(by="owner")]
        await person.see("Panic: closing everything")
        await person.say("/resume")
        await person.see("Resuming all bots")
        assert stage.of_kind(EntriesResumed) == [EntriesResumed(reason="panic", by="owner")]
        await person.say("/why abc")
        await person.see("abcdefghij", "tbabcd-signals-abcdefghij-e0", "0.3840768")
        await person.say("/close")
        await person.tap(await person.see("Close this position"), "Yes, close now")
        await until(lambda: bool(stage.of_kind(CloseRequested)))
        await person.say("/nonsense")
        await person.see("I do not know that command")


async def test_a_stranger_meets_silence(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock, person: Person
) -> None:
    """Whatever a stranger types: no answer, no event, one line in the log without the id."""
    stage = Stage(desk(OPEN))
    with capture_logs() as lines:
        async with living(tmp_path, stage, sandbox, clock):
            for text in ("/start", "/status", "/panic", "/resume", "hello", "/start GUESS"):
                await person.say(text, user_id=66_601)
            await person.say("/status", user_id=66_601, chat_id=-500)  # in a group
            await person.say("/help")
            await person.see("What you can say")
            assert len(await person.from_bot()) == 1
    assert not stage.events
    assert [line["event"] for line in lines].count("stranger_ignored") == 1
    assert "66601" not in str(lines)


async def test_malformed_updates_are_dropped_and_the_next_one_is_heard(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock, person: Person
) -> None:
    """An update that cannot be read is counted and confirmed; a good one behind it works."""
    stage = Stage(desk(OPEN))
    async with living(tmp_path, stage, sandbox, clock) as room:
        await person.post("update", message={"message_id": "x", "date": "yesterday"})
        await person.post("update", callback_query=17)
        await person.post("fault", kind="malformed_update")
        await person.say("/help")
        await person.see("What you can say")
        assert room.control.malformed >= 2
        assert room.control.light().ok


async def test_a_warning_from_before_the_pairing_is_told_after_it(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock, person: Person
) -> None:
    """/status would show its cause; so the owner hears of it as soon as there is one."""
    stage = Stage(desk(OPEN))
    warning = Tell(kind="foreign_position", level=Level.WARNING)
    async with living(tmp_path, stage, sandbox, clock, paired=False) as room:
        room.control.tell(warning, None, stage.desk)
        await person.say(f"/start {room.control.pairing_code}")
        await person.see("that this bot did not open")


async def test_alarms_survive_a_blocked_chat_and_a_restart(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock, person: Person
) -> None:
    """An alarm that could not be delivered is delivered by the next life."""
    stage = Stage(desk(OPEN))
    alarm = Tell(kind="unprotected", level=Level.ALARM, trade_id=OPEN.trade_id)
    async with living(tmp_path, stage, sandbox, clock) as room:
        await person.post("block", blocked=True)
        room.control.tell(alarm, OPEN, stage.desk)
        await until(lambda: room.control.outbox.count.by_refusal.get("gone", 0) > 0)
        await person.post("block", blocked=False)
        assert not await person.from_bot()
    async with living(tmp_path, stage, sandbox, clock):
        await person.see("ALARM", "no confirmed stop")
    async with living(tmp_path, stage, sandbox, clock):
        await person.say("/help")
        await person.see("What you can say")
        told = [m for m in await person.from_bot() if "ALARM" in m["text"]]
        assert len(told) == 1, "sent once, not at every start"


async def test_a_wrong_token_is_a_setting_fault(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock
) -> None:
    """A token Telegram refuses stops the start, naming the setting and not the token."""
    store = await open_store(tmp_path)
    stage = Stage(desk())
    wrong = make_token(Random(4))
    control = TelegramControl(
        ControlSettings(
            token=wrong, base_url=f"{sandbox.address.base_url}/bot", mode_badge="PAPER"
        ),
        ControlWorld(
            store=store,
            sink=stage.sink,
            market=stage.market,
            desk_of=stage.desk_of,
            clock=clock,
            random_bytes=stage.rng.randbytes,
            read_trade=lambda body: WAITING,
        ),
    )
    with pytest.raises(SettingFault, match="TELEGRAM_BOT_TOKEN") as caught:
        await control.start()
    assert wrong not in str(caught.value)
    await control.close()
    await store.close()


async def test_the_result_is_told_as_a_reply_to_the_card(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock, person: Person
) -> None:
    """A closed trade is announced in answer to its card; an expired one only on the card."""
    stage = Stage(desk(WAITING))
    async with living(tmp_path, stage, sandbox, clock) as room:
        room.control.show_card(
            ShowCard(trade_id=WAITING.trade_id, expires_ms=NOW_MS + 300_000), WAITING, stage.desk
        )
        card = await person.see("LONG BTCUSDT")
        expired = replace(WAITING, phase=Phase.IDLE, outcome=Outcome.EXPIRED)
        stage.put(expired)
        room.control.tell(
            Tell(kind="trade_expired", trade_id=expired.trade_id), expired, stage.desk
        )
        room.control.trade_changed(expired, stage.desk)
        await person.see("LONG BTCUSDT", "Expired: nobody answered in time")
        assert len(await person.from_bot()) == 1
        stage.put(CLOSED)
        stage.desk = replace(stage.desk, closed=(CLOSED_TRADE,))
        room.control.tell(Tell(kind="trade_closed", trade_id=CLOSED.trade_id), CLOSED, stage.desk)
        until_s = wall_monotonic_s() + PATIENCE_S
        while not (replies := [m for m in await person.from_bot() if m["reply_to"]]):
            assert wall_monotonic_s() < until_s, "no reply"
            await asyncio.sleep(0.01)
        assert replies[0]["reply_to"]["message_id"] == card["message_id"]
        assert "target reached" in replies[0]["text"]
        assert "+17.46 USDT" in replies[0]["text"]


async def test_nothing_is_lost_to_a_slow_or_failing_telegram(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock, person: Person
) -> None:
    """429 is waited for, 500 and a lost answer are not repeated blindly, the card arrives."""
    stage = Stage(desk())
    async with living(tmp_path, stage, sandbox, clock) as room:
        stage.put(WAITING)
        await person.post("fault", kind="retry_after", seconds=1, method="sendMessage")
        room.control.show_card(
            ShowCard(trade_id=WAITING.trade_id, expires_ms=NOW_MS + 300_000), WAITING, stage.desk
        )
        card = await person.see("LONG BTCUSDT")
        assert room.control.outbox.count.by_refusal == {"slow": 1}
        # The toast fails: the decision goes on all the same.
        await person.post("fault", kind="http_500", method="answerCallbackQuery")
        await person.tap(card, "Approve")
        await until(lambda: len(stage.events) == 1)
        await person.see("Checking price")


async def test_the_token_is_in_no_line_of_the_log(
    tmp_path: Path,
    sandbox: TelegramSandbox,
    clock: VirtualClock,
    person: Person,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither our lines nor the library's carry the token, also when things fail."""
    caplog.set_level("INFO")
    for name in ("httpx", "httpcore"):
        caplog.set_level("NOTSET", logger=name)
    stage = Stage(desk(OPEN))
    with capture_logs() as lines:
        async with living(tmp_path, stage, sandbox, clock):
            await person.post("fault", kind="http_500", method="sendMessage")
            await person.say("/status")
            await person.say("/help")
            await person.see("What you can say")
    ours = [r for r in caplog.records if r.name != "aiohttp.access"]
    assert TOKEN not in str(lines)
    assert not [r.name for r in ours if TOKEN in r.getMessage()]


async def test_a_trade_nobody_was_asked_about_gets_a_live_card(
    tmp_path: Path, sandbox: TelegramSandbox, clock: VirtualClock, person: Person
) -> None:
    """An automatic entry shows one card with a Close button once it is open."""
    stage = Stage(desk(OPEN))
    async with living(tmp_path, stage, sandbox, clock) as room:
        for _ in range(2):
            room.control.tell(Tell(kind="trade_opened", trade_id=OPEN.trade_id), OPEN, stage.desk)
        card = await person.see("Protected: stop 63232.0")
        assert [b["text"] for b in buttons(card)] == ["Close", "Details", "Chart"]
        await person.see("Position open and protected: 0.012 @ 64012.8")
        await until(lambda: room.control.outbox.waiting == 0)
        cards = [m for m in await person.from_bot() if "Protected: stop" in m["text"]]
        assert len(cards) == 1
