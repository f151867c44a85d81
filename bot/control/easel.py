"""Draws a trade's card for everyone who may see it: one state, a message for each reader.

The card's own row keeps its state and the first reader's message. The others read copies: rows of
the same trade that know no more than which message shows it. Buttons are made for one person each.
Must not know: what a tap means.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Protocol

from bot.control.outbox import Message, Outbox, Priority
from bot.control.readers import Readers
from bot.control.tokens import Tokens, TokenStore
from bot.control.views.card import Shown, card
from bot.control.views.details import details
from bot.control.views.look import DAY_MS
from bot.control.views.notices import decimal_or_none
from bot.control.views.stages import LOOKING, STAGE_VERBS, Moved, Stage
from bot.control.views.terms import Verb, closed_of
from bot.core.desk import Desk
from bot.core.ruling.remembering import PREFIX, verdicts_for
from bot.core.trade import Phase, Trade
from bot.shell.clock import Clock
from bot.shell.ports import EventSink, Market
from data.money import ZERO
from data.store.rows import CardRow, UserRole, UserRow
from memory.verdict import Verdict

BUTTON_LIFE_MS: Final = 90 * DAY_MS  # of buttons that are not an offer
COPY: Final = "copy"  # the state of a copy's row: its card's counts


class CardStore(TokenStore, Protocol):
    """What cards ask of the store."""

    async def put_card(self, card: CardRow) -> None:
        """Keep a card; of one that exists everything but its state is replaced."""

    async def card(self, card_id: str) -> CardRow | None:
        """The card of that id, or None."""

    async def cards_of_trade(self, trade_id: str) -> tuple[CardRow, ...]:
        """A trade's card and its copies, oldest first."""

    async def cards_in(self, *states: str) -> tuple[CardRow, ...]:
        """Every card in one of these states."""

    async def move_card(self, card_id: str, *, expected: str, state: str) -> bool:
        """Change a card's state if it is the expected one."""

    async def set_card_message(self, card_id: str, message_id: int) -> bool:
        """Note which message shows a card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardWorld:
    """What the cards stand on."""

    store: CardStore
    outbox: Outbox
    tokens: Tokens
    sink: EventSink
    market: Market
    desk_of: Callable[[], Desk]
    clock: Clock
    readers: Readers


def slot_of(card_id: str) -> str:
    """The outbox's name for a card; the first reader's has the trade's id."""
    return f"card:{card_id}"


class Easel:
    """Keeps which buttons are now on whose card, and draws."""

    def __init__(self, world: CardWorld) -> None:
        self._world = world
        self._data: dict[tuple[str, str], tuple[Stage, dict[Verb, str]]] = {}

    def forget(self, trade_id: str) -> None:
        """The next drawing has fresh buttons for everyone."""
        for key in [key for key in self._data if key[0] == trade_id]:
            del self._data[key]

    async def draw(self, trade: Trade, row: CardRow, stage: Stage) -> None:
        """Show the card as it is now to each of its readers."""
        readers = await self._world.readers.everyone(trade.user_id)
        for reader in readers:
            own = row if reader is readers[0] else await self._copy(row, reader, stage)
            if own is not None:
                await self._draw_one(trade, row, own, stage, reader)
        if stage is Stage.OVER:
            self.forget(trade.trade_id)

    async def more(self, trade: Trade, reader: UserRow) -> None:
        """Every check and answer, as an answer to that reader's card; a second wish edits it."""
        assert reader.telegram_id is not None, "someone who taps has a chat"
        slot = await self.slot_for(trade, reader)
        self._world.outbox.post(
            Message(
                chat_id=reader.telegram_id,
                html=details(await self._world.readers.look(reader), trade),
                slot=f"details:{slot.removeprefix('card:')}@{reader.user_id}",
                reply_slot=slot,
                silent=True,
            )
        )

    async def slot_for(self, trade: Trade, reader: UserRow) -> str:
        """Where this reader's card of the trade is."""
        first = await self._world.readers.first(trade.user_id)
        is_first = first is not None and first.user_id == reader.user_id
        return slot_of(trade.trade_id if is_first else copy_id_of(trade.trade_id, reader))

    async def _copy(self, row: CardRow, reader: UserRow, stage: Stage) -> CardRow | None:
        copy_id = copy_id_of(row.trade_id, reader)
        found = await self._world.store.card(copy_id)
        if found is not None or stage is Stage.OVER:
            return found  # What is over is not shown to those who never saw it.
        assert reader.telegram_id is not None, "readers have a chat"
        copy = CardRow(
            card_id=copy_id,
            user_id=row.user_id,
            account_id=row.account_id,
            trade_id=row.trade_id,
            chat_id=reader.telegram_id,
            message_id=None,
            state=COPY,
            expires_ms=row.expires_ms,
            body="{}",
            created_ms=self._world.clock.now_ms(),
        )
        await self._world.store.put_card(copy)
        return copy

    async def _draw_one(
        self, trade: Trade, row: CardRow, own: CardRow, stage: Stage, reader: UserRow
    ) -> None:
        world, slot = self._world, slot_of(own.card_id)
        assert reader.telegram_id is not None, "readers have a chat"
        if own.message_id is not None:
            world.outbox.remember(slot, own.message_id)
        desk = world.desk_of()
        shown = Shown(
            stage=stage,
            wallet_usdt=desk.wallet_usdt,
            data=await self._buttons(reader, row, stage),
            moved=_moved_of(row.body),
            closed=closed_of(desk, trade.trade_id),
            verdicts=_verdicts(desk, trade, world.clock.now_ms()),
        )
        view = card(await world.readers.look(reader), trade, shown)
        world.outbox.post(
            Message(
                chat_id=reader.telegram_id,
                html=view.html,
                keyboard=view.keyboard,
                priority=Priority.CARD,
                slot=slot,
            )
        )

    async def _buttons(self, reader: UserRow, row: CardRow, stage: Stage) -> dict[Verb, str]:
        decides = reader.role is not UserRole.VIEWER
        verbs = [v for line in STAGE_VERBS[stage] for v in line if decides or v in LOOKING]
        if not verbs:
            return {}
        key = (row.trade_id, reader.user_id)
        kept = self._data.get(key)
        if kept is not None and kept[0] is stage:
            return kept[1]
        offer = stage in (Stage.OFFER, Stage.MOVED)
        data = await self._world.tokens.issue(
            reader,
            verbs,
            card_id=row.trade_id,
            subject=row.trade_id,
            expires_ms=row.expires_ms if offer else self._world.clock.now_ms() + BUTTON_LIFE_MS,
        )
        self._data[key] = (stage, data)
        return data


def copy_id_of(trade_id: str, reader: UserRow) -> str:
    """The id of a reader's copy of a card."""
    return f"{trade_id}@{reader.user_id}"


def _verdicts(desk: Desk, trade: Trade, now_ms: int) -> tuple[Verdict, ...]:
    """Memory's verdicts that the plan before a person was checked against, while they hold."""
    config = desk.bots.get(trade.bot_id)
    if trade.phase is not Phase.AWAITING_APPROVAL or config is None or trade.signal is None:
        return ()
    touched = {check.rule for check in trade.checks}
    found = verdicts_for(desk, config, now_ms, trade.signal)
    return tuple(verdict for verdict in found if f"{PREFIX}{verdict.rule}" in touched)


def _moved_of(body: str) -> Moved | None:
    kept = json.loads(body)
    if "drift_bps" not in kept:
        return None
    number: Callable[[str], Decimal | None] = decimal_or_none
    return Moved(
        drift_bps=number(kept["drift_bps"]) or ZERO,
        reward_risk_before=number(kept["before"]),
        reward_risk_now=number(kept["now"]),
    )
