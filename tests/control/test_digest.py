"""A day's digest: what it says in both languages, what it is read from, and whom it reaches."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from bot.control import digests
from bot.control.chat import Content
from bot.control.handlers import COMMANDS
from bot.control.html import TEXT_LENGTH_MAX, length, plain_text
from bot.control.outbox import Outbox, Priority
from bot.control.readers import Readers
from bot.control.spoken import EVERYONE, Said, World
from bot.control.tokens import Tokens
from bot.control.views.digest import Answers, Day, draw
from bot.control.views.look import DAY_MS
from bot.core.trade import Outcome, Phase, Trade
from bot.shell.clock import VirtualClock
from bot.shell.recorder import CODEC, Recorder
from data.store.rows import TradeRow, UserRole, UserRow
from data.store.store import Store
from memory.scores import Judge, Report, scores_of
from tests.control.samples import (
    ACCOUNT,
    APPROVED,
    CLOSED,
    CLOSED_TRADE,
    NOW_MS,
    OWNER_CHAT,
    USER,
    WAITING,
    Stage,
    desk,
    look,
    open_store,
)
from tests.control.test_shadow_views import missed
from tests.data.store.shapes import step_row

TODAY = NOW_MS // DAY_MS
LOST = replace(
    CLOSED_TRADE,
    trade_id="lost",
    symbol="ETHUSDT",
    realized_usdt=Decimal(-10),
    fees_usdt=Decimal(1),
    funding_usdt=Decimal("0.05"),
    pnl_usdt=Decimal("-10.95"),
)
FULL = Day(
    day=TODAY,
    closed=(CLOSED_TRADE, LOST),
    answers=Answers(approved=2, rejected=1, expired=3),
    cost="0.42 of 5.00 USD that day, cheaper model",
    shadows=Report(
        since_ms=0,
        ended=21,
        scores=scores_of(
            [
                *missed(Judge.PERSON, USER, *[2.0, 1.0] * 10),
                *missed(Judge.LIMIT, "daily_loss", 1.0),
            ]
        ),
    ),
)
BELOW = desk(wallet_usdt=Decimal(950), wallet_peak_usdt=Decimal(1000))


def test_the_day_is_told_with_where_the_money_went() -> None:
    """Counts, the split of the result, extremes, wallet, answers, model, memory and shadows."""
    said = plain_text(draw(look(), BELOW, FULL))
    for part in (
        "Digest PAPER 2026-09-21 UTC",
        "2 trades closed: 1 won, 1 not (50.00 %)",
        "Best: BTCUSDT LONG +17.46 USDT",
        "Worst: ETHUSDT LONG -10.95 USDT lost",
        "Wallet 950.00 USDT, -5.00 % from its peak of 1000.00",
        "Cards: 2 approved, 1 rejected, 3 expired",
        "Model: 0.42 of 5.00 USD that day, cheaper model",
        "Memory: 0 rules in force",
        "People who said no • Lan <b>&: it cost: +1.50 R a signal",
        "Limits • daily_loss: too few to say (1 of 20)",
    ):
        assert part in said, f"{part!r} is not in:\n{said}"
    split = {line.split()[0]: line.split()[1] for line in said.splitlines() if " USDT" in line}
    assert [split[n] for n in ("Result", "realised", "fees", "funding")] == [
        "+6.51", "+8.28", "-1.77", "+0.00",
    ]  # fmt: skip


@pytest.mark.parametrize("language", ["en", "vi"])
def test_both_languages_say_it_in_one_message(language: str) -> None:
    """No placeholder is left and it fits, also of a day without anything."""
    for day in (FULL, Day(day=TODAY)):
        drawn = draw(look(language), BELOW, day)
        assert "{" not in plain_text(drawn)
        assert length(drawn) <= TEXT_LENGTH_MAX
    said = plain_text(draw(look("vi"), BELOW, FULL))
    assert "2 lệnh đã đóng: 1 thắng" in said
    assert "0.42 trên 5.00 USD ngày đó, mô hình rẻ hơn" in said


async def test_a_day_holds_what_ended_and_was_answered_on_it(tmp_path: Path) -> None:
    """Rejected, expired and approved of that UTC day; what began on another day is not in it."""
    store = await open_store(tmp_path)
    try:
        world = _world(store)
        idle = replace(WAITING, phase=Phase.IDLE, closed_ms=NOW_MS)
        kept = [
            replace(idle, trade_id="rejected", outcome=Outcome.REJECTED),
            replace(idle, trade_id="expired", outcome=Outcome.EXPIRED),
            replace(APPROVED, trade_id="approved"),
            replace(idle, trade_id="old", outcome=Outcome.EXPIRED, opened_ms=NOW_MS - DAY_MS),
            replace(CLOSED, trade_id="closed", approval=None),
            replace(CLOSED, trade_id="gone", approval=None, closed_ms=NOW_MS - DAY_MS),
        ]
        await _keep(store, kept)
        found = await digests.day_of(world, TODAY)
        assert found.answers == Answers(approved=1, rejected=1, expired=1)
        assert [one.trade_id for one in found.closed] == ["closed"]
        assert found.cost == f"cost of {TODAY}"
        heard = Said(
            user=(await store.users())[0], command="digest", argument="", sent_ms=0, message_id=1
        )
        view = await digests.digest(world, heard)
        assert "Cards: 1 approved, 1 rejected, 1 expired" in plain_text(view.html)
    finally:
        await store.close()


async def test_everyone_with_a_chat_gets_it_silently(tmp_path: Path) -> None:
    """The owner and a viewer, kept until sent; with nobody there it is said that nobody was."""
    store = await open_store(tmp_path)
    try:
        world = _world(store)
        await store.add_user(
            UserRow(
                user_id="v", telegram_id=7, role=UserRole.VIEWER, name="V", language="vi",
                created_ms=0,
            )
        )  # fmt: skip
        readers = Readers(store, clock=world.clock, badge="PAPER")
        assert await digests.tell(world, readers, TODAY)
        rows = await store.pending_outbox()
        assert [(row.chat_id, row.priority) for row in rows] == [
            (OWNER_CHAT, Priority.LATER),
            (7, Priority.LATER),
        ]
        assert world.outbox.waiting == 2
        assert await _sent(world.outbox) == [(OWNER_CHAT, True), (7, True)]
        assert await digests.tell(world, readers, TODAY)
        again = Outbox(PHONE, store, clock=world.clock, pace=1000.0)  # a restart before it was sent
        assert await again.recover(readers_chat) == 2
        assert await _sent(again) == [(OWNER_CHAT, True), (7, True)]
    finally:
        await store.close()
    alone = tmp_path / "alone"
    alone.mkdir()
    store = await open_store(alone, paired=False)
    try:
        world = _world(store)
        readers = Readers(store, clock=world.clock, badge="PAPER")
        assert not await digests.tell(world, readers, TODAY)
    finally:
        await store.close()


def test_a_viewer_may_ask_for_it() -> None:
    """/digest only looks."""
    [command] = [one for one in COMMANDS if one.name == "digest"]
    assert command.roles == EVERYONE


class Phone:
    """Takes every message and notes whether it rang."""

    def __init__(self) -> None:
        self.got: list[tuple[int, bool]] = []

    async def send(
        self, chat_id: int, content: Content, *, reply_to: int | None, silent: bool
    ) -> int:
        """A message arrived."""
        del content, reply_to
        self.got.append((chat_id, silent))
        return len(self.got)

    async def edit(self, chat_id: int, message_id: int, content: Content) -> None:
        """A message changed."""

    async def answer(self, query_id: str, toast: str, *, alert: bool) -> None:
        """A tap was answered."""


PHONE = Phone()


async def readers_chat(user_id: str) -> int:
    """Nobody is asked for: each row has its chat."""
    raise AssertionError(user_id)


async def _sent(outbox: Outbox) -> list[tuple[int, bool]]:
    PHONE.got.clear()
    task = asyncio.create_task(outbox.run())
    await outbox.drain(30.0)
    task.cancel()
    return list(PHONE.got)


async def _keep(store: Store, kept: Sequence[Trade]) -> None:
    for seq, trade in enumerate(kept, start=1):
        row = TradeRow(
            trade_id=trade.trade_id,
            user_id=USER,
            account_id=ACCOUNT,
            bot_id=trade.bot_id,
            symbol=trade.symbol,
            phase=trade.phase.value,
            outcome=trade.outcome,
            opened_ms=trade.opened_ms,
            closed_ms=trade.closed_ms,
            pnl_usdt="1" if trade.outcome is Outcome.CLOSED else None,
            body=CODEC.encode(trade),
        )
        step = step_row(seq, row)
        journal = replace(step.journal, account_id=ACCOUNT, user_id=USER)
        await store.commit_step(replace(step, journal=journal))


def _world(store: Store) -> World:
    stage, clock = Stage(desk()), VirtualClock(NOW_MS)

    async def seen(_user: object):  # type: ignore[no-untyped-def]
        return look()

    return World(
        store=store,
        outbox=Outbox(PHONE, store, clock=clock, pace=1000.0),
        tokens=Tokens(store, Random(1).randbytes),
        sink=stage.sink,
        market=stage.market,
        desk_of=stage.desk_of,
        clock=clock,
        lights=list,
        look=seen,
        read_trade=Recorder.read_trade,
        universe=lambda: None,
        cost_of=lambda day: f"cost of {day}",
    )
