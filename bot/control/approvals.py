"""Cards: a trade's plan before a person, durable, each answered once, redrawn through its life.

Everything lives in the store: a card and its buttons work after a restart. A tap is only turned
into an event; the core checks expiry, drift, limits and balance again and decides. Verbs that
increase risk need a live, unused token; those that reduce it count however late they come.

Must not know: the network, or how the core decides.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Protocol

import structlog

from bot.control.outbox import Message, Outbox, Priority
from bot.control.tokens import Tokens, TokenStore
from bot.control.views.card import STAGE_VERBS, Moved, Shown, Stage, card, stage_of
from bot.control.views.look import DAY_MS, Look, mark
from bot.control.views.notices import decimal_or_none
from bot.control.views.terms import Verb, closed_of
from bot.core.desk import Desk
from bot.core.messages import CardAnswered, CardVerb, CloseRequested
from bot.core.trade import HOLDING, Phase, Trade
from bot.shell.clock import Clock
from bot.shell.ports import EventSink, Market
from data.model import ExitReason
from data.money import ZERO
from data.store.rows import CardRow, TokenRow, UserRole, UserRow

REPEAT_MS: Final = 10_000  # the same reducing tap within this is the same wish
BUTTON_LIFE_MS: Final = 90 * DAY_MS  # of buttons that are not an offer
LIVE_STAGES: Final = tuple(stage.value for stage in Stage if stage is not Stage.OVER)
# While the entry is pending a Reject still takes it back; later only a close helps.
REJECTABLE: Final = frozenset({Phase.AWAITING_APPROVAL, Phase.ORDER_PENDING})
CLOSABLE: Final = HOLDING | {Phase.HALTED}
APPROVING: Final = frozenset({Verb.APPROVE, Verb.HALF, Verb.ANYWAY})

log = structlog.get_logger()


class CardStore(TokenStore, Protocol):
    """What cards ask of the store."""

    async def put_card(self, card: CardRow) -> None:
        """Keep a card; of one that exists everything but its state is replaced."""

    async def card(self, card_id: str) -> CardRow | None:
        """The card of that id, or None."""

    async def cards_in(self, *states: str) -> tuple[CardRow, ...]:
        """Every card in one of these states."""

    async def move_card(self, card_id: str, *, expected: str, state: str) -> bool:
        """Change a card's state if it is the expected one."""

    async def set_card_message(self, card_id: str, message_id: int) -> bool:
        """Note which message shows a card."""


Answer = Callable[[str, bool], Awaitable[bool]]  # (toast, alert) -> was the tap fresh


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """A person pressed a button. `answer` shows a toast; it never raises."""

    user: UserRow
    data: str
    message_id: int
    answer: Answer


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
    reader: Callable[[str], Awaitable[UserRow | None]]  # user id -> who reads the cards
    look: Callable[[UserRow], Awaitable[Look]]


def slot_of(trade_id: str) -> str:
    """The outbox's name for a trade's card."""
    return f"card:{trade_id}"


class Cards:
    """All cards of one desk."""

    def __init__(self, world: CardWorld) -> None:
        self._world = world
        self._data: dict[str, tuple[Stage, dict[Verb, str]]] = {}  # buttons now on each card
        self._drawing = asyncio.Lock()

    async def show(self, trade: Trade, expires_ms: int) -> None:
        """Put a plan before its person; nothing happens while nobody is paired (see `heal`)."""
        reader = await self._world.reader(trade.user_id)
        if reader is None or reader.telegram_id is None:
            return
        row = CardRow(
            card_id=trade.trade_id,
            user_id=trade.user_id,
            account_id=trade.account_id,
            trade_id=trade.trade_id,
            chat_id=reader.telegram_id,
            message_id=None,
            state=Stage.OFFER.value,
            expires_ms=expires_ms,
            body="{}",
            created_ms=self._world.clock.now_ms(),
        )
        if await self._world.store.card(trade.trade_id) is None:
            await self._world.store.put_card(row)
        await self.redraw(trade)

    async def has(self, trade_id: str) -> bool:
        """Whether this trade has a card."""
        return await self._world.store.card(trade_id) is not None

    async def redraw(self, trade: Trade) -> None:
        """Make the card show what the trade is now; nothing without a card."""
        # Drawn one after the other, each from a fresh row: the last drawing is the newest state.
        async with self._drawing:
            row = await self._world.store.card(trade.trade_id)
            if row is None:
                return
            newest = self._world.desk_of().trades.get(trade.trade_id, trade)
            stage = await self._move(row, stage_of(newest, Stage(row.state)))
            await self._draw(newest, row, stage)

    async def moved(self, trade: Trade, fields: Mapping[str, str]) -> None:
        """The core found that the price moved: ask again, with fresh buttons."""
        row = await self._world.store.card(trade.trade_id)
        if row is None:
            return
        before = str(trade.plan.reward_risk) if trade.plan is not None else ""
        body = {
            **json.loads(row.body),
            "drift_bps": fields.get("drift_bps", "0"),
            "before": fields.get("reward_risk_before", before),
            "now": fields.get("reward_risk", ""),
        }
        await self._reopen(trade, row, Stage.MOVED, json.dumps(body))

    async def reopen(self, trade: Trade) -> None:
        """The core refused a tap but the trade still waits: offer it again."""
        row = await self._world.store.card(trade.trade_id)
        newest = self._world.desk_of().trades.get(trade.trade_id, trade)
        if row is not None and newest.phase is Phase.AWAITING_APPROVAL:
            await self._reopen(newest, row, Stage.OFFER, row.body)

    async def heal(self) -> int:
        """After a start or a pairing: every waiting trade has a card, every card is up to date."""
        desk = self._world.desk_of()
        rows = await self._world.store.cards_in(*LIVE_STAGES)
        ids = [*(row.trade_id for row in rows), *(trade.trade_id for trade in desk.working())]
        drawn = 0
        for trade_id in dict.fromkeys(ids):
            trade = desk.trades.get(trade_id)
            if trade is not None and await self._heal(trade):
                drawn += 1
        return drawn

    async def _heal(self, trade: Trade) -> bool:
        row = await self._world.store.card(trade.trade_id)
        if row is None:
            if trade.phase is not Phase.AWAITING_APPROVAL or trade.card_expires_ms is None:
                return False
            await self.show(trade, trade.card_expires_ms)
        elif row.state == Stage.ANSWERED and trade.phase is Phase.AWAITING_APPROVAL:
            await self.reopen(trade)  # the answer did not survive
        else:
            await self.redraw(trade)
        return True

    async def tapped(self, tap: Tap, token: TokenRow) -> None:
        """One press of a card's button."""
        verb = Verb(token.verb)
        trade = self._world.desk_of().trades.get(token.card_id or "")
        words = (await self._world.look(tap.user)).words
        if trade is None:
            await tap.answer(words.label("This trade is already over."), False)
        elif tap.user.role is UserRole.VIEWER:
            await tap.answer(words.label("You may look, but not decide."), True)
        elif verb in APPROVING:
            await self._approve(tap, token, verb, trade)
        else:
            toast = await self._reduce(token, verb, trade)
            await tap.answer(words.label(toast), False)

    # ------------------------------------------------------------------- taps that raise risk

    async def _approve(self, tap: Tap, token: TokenRow, verb: Verb, trade: Trade) -> None:
        world = self._world
        words = (await world.look(tap.user)).words
        row = await world.store.card(trade.trade_id)
        refusal = self._stale(token, trade, row)
        if refusal or row is None:
            await tap.answer(words.label(refusal), True)
            return
        stage = Stage(row.state)
        # Telegram knows how old a tap is, and says so only when it is answered.
        if not await tap.answer(words.label("Checking price, limits and balance…"), False):
            await self._draw_fresh(trade)
            return
        if not await world.tokens.use(token, world.clock.now_ms()):
            return
        if not await world.store.move_card(row.card_id, expected=stage, state=Stage.ANSWERED):
            return
        kept = json.loads(row.body)
        wanted = CardVerb(str(kept.get("verb", "approve")) if verb is Verb.ANYWAY else verb.value)
        # Kept before the event goes out: the core's own word on this card may follow at once.
        await self._keep_body(row, json.dumps({**kept, "verb": wanted.value}))
        price = world.market.mark_price(trade.symbol)
        world.sink(
            CardAnswered(
                trade_id=trade.trade_id,
                verb=wanted,
                user_id=tap.user.user_id,
                mark_price=price[0] if price is not None else None,
                mark_ms=price[1] if price is not None else world.clock.now_ms(),
                confirmed=verb is Verb.ANYWAY,
            )
        )
        log.info("card_answered", trade=trade.trade_id, verb=verb.value, user=tap.user.user_id)
        await self.redraw(trade)

    def _stale(self, token: TokenRow, trade: Trade, row: CardRow | None) -> str:
        if trade.phase is not Phase.AWAITING_APPROVAL or row is None:
            return mark("This trade is no longer waiting for approval.")
        if token.used_ms is not None or row.state not in (Stage.OFFER, Stage.MOVED):
            return mark("This card was already answered.")
        if self._world.clock.now_ms() >= token.expires_ms:
            return mark("Too late: this card has expired. Nothing was ordered.")
        return ""

    # ------------------------------------------------------------------ taps that reduce risk

    async def _reduce(self, token: TokenRow, verb: Verb, trade: Trade) -> str:
        if verb is Verb.REJECT:
            return await self._reject(token, trade)
        if trade.phase not in CLOSABLE:
            return mark("This trade is already over.")
        if trade.phase is Phase.CLOSING:
            return mark("Already being closed.")
        if verb is Verb.CLOSE:
            await self._ask_close(trade)
            return mark("Close it? Please confirm.")
        if verb is Verb.KEEP:
            await self._set_stage(trade, Stage.OPEN)
            return mark("Kept open.")
        assert verb is Verb.CLOSE_SURE, f"not a card's verb: {verb}"
        if not await self._is_new(token):
            return mark("Already being closed.")
        self._world.sink(
            CloseRequested(trade_id=trade.trade_id, reason=ExitReason.MANUAL, by=token.user_id)
        )
        log.info("close_requested", trade=trade.trade_id, user=token.user_id)
        return mark("Closing at market.")

    async def _reject(self, token: TokenRow, trade: Trade) -> str:
        if trade.phase not in REJECTABLE:
            if trade.phase not in CLOSABLE:
                return mark("This trade is already over.")
            await self._ask_close(trade)
            return mark("It was already approved. Close it? Please confirm.")
        if not await self._is_new(token):
            return mark("Rejected.")
        self._world.sink(
            CardAnswered(
                trade_id=trade.trade_id,
                verb=CardVerb.REJECT,
                user_id=token.user_id,
                mark_price=None,
                mark_ms=self._world.clock.now_ms(),
            )
        )
        log.info("card_answered", trade=trade.trade_id, verb="reject", user=token.user_id)
        if trade.phase is Phase.ORDER_PENDING:
            return mark("It was already approved; the entry is being cancelled.")
        await self._set_stage(trade, Stage.ANSWERED)
        return mark("Rejected.")

    async def _is_new(self, token: TokenRow) -> bool:
        now_ms = self._world.clock.now_ms()
        if await self._world.tokens.use(token, now_ms, late=True):
            return True
        return token.used_ms is not None and now_ms - token.used_ms > REPEAT_MS

    async def _ask_close(self, trade: Trade) -> None:
        await self._set_stage(trade, Stage.SURE)

    # ---------------------------------------------------------------------------- drawing

    async def _set_stage(self, trade: Trade, stage: Stage) -> None:
        row = await self._world.store.card(trade.trade_id)
        if row is not None:
            await self._move(row, stage)
            await self.redraw(trade)

    async def _reopen(self, trade: Trade, row: CardRow, stage: Stage, body: str) -> None:
        await self._keep_body(row, body)
        await self._move(row, stage)
        await self._draw_fresh(trade)

    async def _draw_fresh(self, trade: Trade) -> None:
        self._data.pop(trade.trade_id, None)
        await self.redraw(trade)

    async def _move(self, row: CardRow, stage: Stage) -> Stage:
        if row.state == stage:
            return stage
        if await self._world.store.move_card(row.card_id, expected=row.state, state=stage):
            return stage
        newest = await self._world.store.card(row.card_id)
        return Stage(newest.state) if newest is not None else stage

    async def _keep_body(self, row: CardRow, body: str) -> None:
        newest = await self._world.store.card(row.card_id) or row
        await self._world.store.put_card(replace(newest, body=body))

    async def _draw(self, trade: Trade, row: CardRow, stage: Stage) -> None:
        world = self._world
        reader = await world.reader(trade.user_id)
        if reader is None or reader.telegram_id is None:
            return
        if row.message_id is not None:
            world.outbox.remember(slot_of(row.trade_id), row.message_id)
        desk = world.desk_of()
        shown = Shown(
            stage=stage,
            wallet_usdt=desk.wallet_usdt,
            data=await self._buttons(reader, row, stage),
            moved=_moved_of(row.body),
            closed=closed_of(desk, trade.trade_id),
        )
        view = card(await world.look(reader), trade, shown)
        world.outbox.post(
            Message(
                chat_id=reader.telegram_id,
                html=view.html,
                keyboard=view.keyboard,
                priority=Priority.CARD,
                slot=slot_of(trade.trade_id),
            )
        )
        if stage is Stage.OVER:
            self._data.pop(row.card_id, None)

    async def _buttons(self, reader: UserRow, row: CardRow, stage: Stage) -> dict[Verb, str]:
        verbs = [verb for line in STAGE_VERBS[stage] for verb in line]
        if not verbs:
            return {}
        kept = self._data.get(row.card_id)
        if kept is not None and kept[0] is stage:
            return kept[1]
        offer = stage in (Stage.OFFER, Stage.MOVED)
        data = await self._world.tokens.issue(
            reader,
            verbs,
            card_id=row.card_id,
            subject=row.trade_id,
            expires_ms=row.expires_ms if offer else self._world.clock.now_ms() + BUTTON_LIFE_MS,
        )
        self._data[row.card_id] = (stage, data)
        return data


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
