"""Cards before several people: the first valid answer wins, and the second is told whose it was.

A real store, a real core behind the sink, and an outbox that only collects.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from bot.control.approvals import Cards, CardWorld, Tap
from bot.control.html import plain_text
from bot.control.outbox import Message
from bot.control.readers import Readers
from bot.control.tokens import Tokens
from bot.core import desk as desk_room
from bot.core.messages import CardAnswered, Event, PlaceOrder
from bot.core.trade import Check, Effect, Outcome, Phase, Role, Trade
from bot.shell.clock import VirtualClock
from data.store.rows import UserRole, UserRow
from data.store.store import Store
from tests.control.samples import (
    INSTRUMENT,
    NOW_MS,
    OPEN,
    OWNER_CHAT,
    PLAN,
    USER,
    WAITING,
    Stage,
    desk,
    open_store,
)

BINH, CHI, EXPIRES_MS = 2002, 3003, NOW_MS + 300_000
# A market that takes any size, so that half of the card's quantity is an order, too.
OFFER = replace(
    WAITING, card_shown_ms=NOW_MS, instrument=replace(INSTRUMENT, notional_min=Decimal(5))
)


CHECKS = (
    Check(rule="price_drift", passed=True, limit="<= 50 bps", value="12.0 bps"),
    Check(rule="memory:drawdown_risk", passed=True, limit="<= 0.5 %", value="1 %"),
)


class Chat:
    """An outbox that collects; the newest message of each slot is what a chat shows."""

    def __init__(self) -> None:
        self.posted: list[Message] = []

    def post(self, message: Message) -> None:
        """Queue a message."""
        self.posted.append(message)

    def remember(self, slot: str, message_id: int) -> None:
        """A slot's message is known already."""

    def card_of(self, chat_id: int) -> Message:
        """The card as that chat shows it now."""
        found = [m for m in self.posted if m.chat_id == chat_id and m.slot.startswith("card:")]
        return found[-1]

    def said_to(self, chat_id: int) -> list[str]:
        """What that chat was told besides cards."""
        return [plain_text(m.html) for m in self.posted if m.chat_id == chat_id and not m.slot]


class World:
    """One account with its people; `tap` is a press on what a person's chat shows."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.stage = Stage(desk(OFFER, stream_ok=True))
        self.clock = VirtualClock(NOW_MS + 8_000)
        self.chat = Chat()
        self.orders: list[PlaceOrder] = []
        self.fresh = True
        self.core = True  # whether the core hears at once
        self.cards = self.revived()

    def revived(self) -> Cards:
        """The cards of a new life of the process."""
        readers = Readers(self.store, clock=self.clock, badge="PAPER")
        tokens = Tokens(self.store, self.stage.rng.randbytes)
        return Cards(
            CardWorld(
                store=self.store,
                outbox=self.chat,  # type: ignore[arg-type]  # it collects
                tokens=tokens,
                sink=self.hear,
                market=self.stage.market,
                desk_of=self.stage.desk_of,
                clock=self.clock,
                readers=readers,
            )
        )

    def hear(self, event: Event) -> None:
        """The core takes an event in."""
        self.stage.events.append(event)
        if self.core:
            self.step(event)

    def step(self, event: Event) -> None:
        """Let the core decide."""
        done = desk_room.step(self.stage.desk, event, self.clock.now_ms())
        self.stage.desk = done.desk
        self.orders += [c for c in done.commands if isinstance(c, PlaceOrder)]

    @property
    def trade(self) -> Trade:
        """The trade as it is now."""
        return self.stage.desk.trades[OFFER.trade_id]

    def button(self, chat_id: int, label: str) -> str:
        """A button's data on that chat's card."""
        rows = self.chat.card_of(chat_id).keyboard
        return next(b.data for row in rows for b in row if b.label == label)

    def labels(self, chat_id: int) -> list[str]:
        """The buttons on that chat's card."""
        return [b.label for row in self.chat.card_of(chat_id).keyboard for b in row]

    async def tap(self, chat_id: int, data: str) -> str:
        """Press a button; the toast."""
        user = await self.store.user_by_telegram(chat_id)
        assert user is not None
        toasts: list[str] = []

        async def answer(toast: str, alert: bool) -> bool:
            toasts.append(toast)
            return self.fresh

        tokens = Tokens(self.store, self.stage.rng.randbytes)
        token = await tokens.look(data, user)
        if token is None:
            return "not yours"
        await self.cards.tapped(Tap(user=user, data=data, message_id=1, answer=answer), token)
        assert len(toasts) == 1, "every tap is answered once"
        return toasts[0]

    async def press(self, chat_id: int, label: str) -> str:
        """Press what the chat shows."""
        return await self.tap(chat_id, self.button(chat_id, label))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """The owner Lan, the trader Binh and the viewer Chi before one card."""
    store = await open_store(tmp_path)
    for name, chat, role in (("Binh", BINH, UserRole.TRADER), ("Chi", CHI, UserRole.VIEWER)):
        await store.add_user(
            UserRow(
                user_id=name.lower(),
                telegram_id=chat,
                role=role,
                name=name,
                language="en",
                created_ms=NOW_MS,
            )
        )
    found = World(store)
    await found.cards.show(OFFER, EXPIRES_MS)
    yield found
    await store.close()


async def test_the_card_is_shown_to_everyone_and_viewers_only_look(world: World) -> None:
    """Owner and trader get the buttons of a decision, a viewer those of looking closer."""
    decide = ["Approve", "Reject", "Half size", "Details", "Chart"]
    assert world.labels(OWNER_CHAT) == world.labels(BINH) == decide
    assert world.labels(CHI) == ["Details", "Chart"]
    assert len({m.slot for m in world.chat.posted}) == 3
    assert await world.tap(BINH, world.button(OWNER_CHAT, "Approve")) == "not yours"


async def test_the_second_person_is_told_who_decided_and_what(world: World) -> None:
    """Binh approves at half size; the owner's Approve a moment later is told so, orders nothing."""
    mine = world.button(OWNER_CHAT, "Approve")
    assert "Checking" in await world.press(BINH, "Half size")
    world.clock.advance_to(NOW_MS + 20_000)
    told = await world.tap(OWNER_CHAT, mine)
    # NOW_MS is 14:13:20 UTC; he tapped 8 s later.
    assert told == "Already approved at half size by Binh at 14:13:28 UTC."
    assert len(world.orders) == 1
    # A unit loses 841.6 at 64010: half of 1 % of 1000 buys 0.00594, rounded down to the step.
    assert world.orders[0].order.quantity == Decimal("0.005")
    shown = plain_text(world.chat.card_of(OWNER_CHAT).html)
    assert "Approved at half size by Binh" in shown
    assert "after 8.0s" in shown


async def test_the_second_device_is_told_also_before_the_core_has_answered(world: World) -> None:
    """Between tap and decision the card itself knows whose answer it has."""
    world.core = False
    mine = world.button(OWNER_CHAT, "Half size")
    await world.press(OWNER_CHAT, "Approve")
    assert await world.tap(OWNER_CHAT, mine) == "Already approved by Lan at 14:13:28 UTC."
    assert len(world.stage.events) == 1


async def test_taps_that_cross_are_told_in_a_message(world: World) -> None:
    """Both were answered "checking": one order, and the loser's chat says whose it is."""
    binh = await world.store.user_by_telegram(BINH)
    owner = await world.store.user_by_telegram(OWNER_CHAT)
    assert binh is not None
    assert owner is not None
    tokens = Tokens(world.store, world.stage.rng.randbytes)
    mine = world.button(OWNER_CHAT, "Approve")
    his = world.button(BINH, "Approve")

    async def crossing(toast: str, alert: bool) -> bool:
        await world.tap(BINH, his)  # while our toast is on its way
        return True

    token = await tokens.look(mine, owner)
    assert token is not None
    await world.cards.tapped(Tap(user=owner, data=mine, message_id=1, answer=crossing), token)
    assert len(world.orders) == 1
    assert world.chat.said_to(OWNER_CHAT) == ["Already approved by Binh at 14:13:28 UTC."]


async def test_a_no_after_a_yes_counts_and_is_told_whose_yes_it_takes_back(world: World) -> None:
    """Late taps that reduce risk always count, whoever said yes."""
    mine = world.button(OWNER_CHAT, "Reject")
    await world.press(BINH, "Approve")
    told = await world.tap(OWNER_CHAT, mine)
    assert told == "Already approved by Binh at 14:13:28 UTC. The entry is being cancelled."
    assert [a.effect for a in world.trade.answers] == [Effect.ORDERED, Effect.TAKEN_BACK]
    world.stage.put(replace(OPEN, approval=world.trade.approval))
    told = await world.tap(OWNER_CHAT, mine)
    assert told == "Already approved by Binh at 14:13:28 UTC. Close it? Please confirm."


async def test_a_yes_after_a_no_is_told_who_said_no(world: World) -> None:
    """And a second no as well; nothing is ordered."""
    yes, no = world.button(BINH, "Approve"), world.button(BINH, "Reject")
    assert await world.press(OWNER_CHAT, "Reject") == "Rejected."
    assert await world.tap(BINH, yes) == "Already rejected by Lan at 14:13:28 UTC."
    assert await world.tap(BINH, no) == "Already rejected by Lan at 14:13:28 UTC."
    assert not world.orders
    assert world.trade.outcome is Outcome.REJECTED


async def test_details_consume_nothing_and_are_for_viewers_too(world: World) -> None:
    """Every check by name; the card still takes its one answer, and a second look edits."""
    checked = replace(OFFER, checks=CHECKS)
    world.stage.put(checked)
    for chat in (CHI, BINH, BINH):
        assert not await world.press(chat, "Details")
    told = [m for m in world.chat.posted if m.slot.startswith("details:")]
    assert [m.chat_id for m in told] == [CHI, BINH, BINH]
    assert len({m.slot for m in told}) == 2
    words = plain_text(told[0].html)
    assert "✓ price moved: 12.0 bps (<= 50 bps)" in words
    assert "✓ memory, drawdown, risk: 1 % (<= 0.5 %)" in words
    assert "Margin 153.60 USDT (isolated), x5" in words  # 768 / 5
    await world.press(BINH, "Approve")
    assert len(world.orders) == 1


async def test_a_viewers_tap_on_anothers_button_decides_nothing(world: World) -> None:
    """A person who was made a viewer since still has the buttons, and may not use them."""
    data = world.button(BINH, "Approve")
    binh = await world.store.user_by_telegram(BINH)
    assert binh is not None
    await world.store.update_user(replace(binh, role=UserRole.VIEWER))
    assert await world.tap(BINH, data) == "You may look, but not decide."
    assert not world.stage.events


async def test_a_moved_price_is_asked_of_everyone_anew(world: World) -> None:
    """Binh's yes finds a moved price; the owner may say "anyway" to it, once."""
    old = world.button(OWNER_CHAT, "Approve")
    world.stage.market.price = Decimal("64256.0")  # 40 bps above 64000
    await world.press(BINH, "Half size")
    assert world.trade.phase is Phase.AWAITING_APPROVAL
    moved = {"drift_bps": "40.0", "reward_risk": "1.25", "reward_risk_before": "2.00"}
    await world.cards.moved(world.trade, moved)
    for chat in (OWNER_CHAT, BINH):
        shown = plain_text(world.chat.card_of(chat).html)
        # Reward 1280, risk 1024 at 64256: 1.25, said with one decimal.
        assert "The price moved 0.40 %, R:R 2.0 → 1.2. Approve anyway?" in shown
        assert world.labels(chat) == ["Approve anyway", "Reject", "Details"]
    await world.press(OWNER_CHAT, "Approve anyway")
    (answer,) = world.stage.of_kind(CardAnswered)[1:]
    assert isinstance(answer, CardAnswered)
    assert (answer.confirmed, answer.verb.value, answer.user_id) == (True, "half", USER)
    assert len(world.orders) == 1
    assert "Already approved at half size by Lan" in await world.tap(OWNER_CHAT, old)


async def test_after_the_expiry_everyone_is_told_that_it_was_too_late(world: World) -> None:
    """The words are the same whether the core has woken yet or not."""
    data = world.button(BINH, "Approve")
    world.clock.advance_to(EXPIRES_MS)
    assert "expired" in await world.tap(BINH, data)
    world.stage.put(replace(OFFER, phase=Phase.IDLE, outcome=Outcome.EXPIRED))
    assert "expired" in await world.tap(BINH, data)
    assert not world.stage.events


async def test_copies_are_found_again_after_a_restart(world: World) -> None:
    """A new life edits the same messages, and the buttons of the old one still work."""
    data = world.button(BINH, "Approve")
    slots = {m.slot for m in world.chat.posted}
    world.cards = world.revived()
    assert await world.cards.heal() == 1
    assert {m.slot for m in world.chat.posted} == slots
    await world.tap(BINH, data)
    assert len(world.orders) == 1


async def test_who_was_let_in_later_does_not_get_what_is_over(world: World) -> None:
    """A card that ended is redrawn where it was shown, and sent to nobody else."""
    await world.press(OWNER_CHAT, "Reject")
    await world.store.add_user(
        UserRow(
            user_id="dung",
            telegram_id=4004,
            role=UserRole.TRADER,
            name="Dung",
            language="vi",
            created_ms=NOW_MS,
        )
    )
    await world.cards.redraw(world.trade)
    assert not [m for m in world.chat.posted if m.chat_id == 4004]


@pytest.mark.parametrize("seed", range(25))
async def test_any_order_of_taps_people_stale_taps_and_restarts_orders_at_most_once(
    world: World, seed: int
) -> None:
    """Invariant 6 through the real buttons: one entry at most, never after a no or the expiry."""
    rng, known = Random(f"taps {seed}"), list[tuple[int, str, str]]()
    said_no = False
    for _ in range(14):
        for chat in (OWNER_CHAT, BINH, CHI):
            rows = world.chat.card_of(chat).keyboard
            known += [(chat, b.label, b.data) for row in rows for b in row if b.label != "Chart"]
        chat, label, data = rng.choice(known)  # also buttons shown no more
        world.fresh = rng.random() < 0.8
        world.stage.market.price = Decimal(rng.choice(("64000", "64100", "64256", "64900")))
        world.clock.advance_to(world.clock.now_ms() + rng.choice((0, 500, 40_000)))
        before, expired = len(world.orders), world.clock.now_ms() >= EXPIRES_MS
        await world.tap(chat, data)
        if len(world.orders) > before and world.orders[-1].order.role is Role.ENTRY:
            assert not said_no
            assert not expired
            assert chat != CHI
            assert world.fresh
            assert label in ("Approve", "Half size", "Approve anyway")
        said_no = said_no or (label == "Reject" and chat != CHI)
        if rng.random() < 0.2:
            world.cards = world.revived()
            await world.cards.heal()
        if world.trade.moved_price is not None and rng.random() < 0.5:
            await world.cards.moved(world.trade, {"drift_bps": "40", "reward_risk": "1.2"})
        else:
            await world.cards.reopen(world.trade)
    entries = [o for o in world.orders if o.order.role is Role.ENTRY]
    assert len(entries) <= 1
    assert all(o.order.quantity <= PLAN.quantity for o in entries)
