"""Cards: a trade's plan before its people, durable, each answered once, redrawn through its life.

Everything lives in the store: a card and its buttons work after a restart. A tap is only turned
into an event; the core checks expiry, drift, limits and balance again and decides. Verbs that
increase risk need a live, unused token; those that reduce it count however late they come. Several
people may hold one card: the first valid answer wins, and who comes second is told whose it was.

Must not know: the network, how a card is drawn (`easel`), or how the core decides.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from bot.control.easel import CardStore, CardWorld, Easel, slot_of
from bot.control.html import text
from bot.control.outbox import Message, Priority
from bot.control.views.decided import decided
from bot.control.views.look import Look
from bot.control.views.stages import Stage, stage_of
from bot.control.views.terms import Verb
from bot.core.messages import CardAnswered, CardVerb, CloseRequested
from bot.core.trade import HOLDING, Outcome, Phase, Trade
from data.model import ExitReason
from data.store.rows import CardRow, TokenRow, UserRole, UserRow

__all__ = ["CardStore", "CardWorld", "Cards", "Tap", "slot_of"]

REPEAT_MS: Final = 10_000  # the same reducing tap within this is the same wish
LIVE_STAGES: Final = tuple(stage.value for stage in Stage if stage is not Stage.OVER)
# While the entry is pending a Reject still takes it back; later only a close helps.
REJECTABLE: Final = frozenset({Phase.AWAITING_APPROVAL, Phase.ORDER_PENDING})
CLOSABLE: Final = HOLDING | {Phase.HALTED}
APPROVING: Final = frozenset({Verb.APPROVE, Verb.HALF, Verb.ANYWAY})

log = structlog.get_logger()


Answer = Callable[[str, bool], Awaitable[bool]]  # (toast, alert) -> was the tap fresh


@dataclass(frozen=True, slots=True, kw_only=True)
class Tap:
    """A person pressed a button. `answer` shows a toast; it never raises."""

    user: UserRow
    data: str
    message_id: int
    answer: Answer


class Cards:
    """All cards of one desk."""

    def __init__(self, world: CardWorld) -> None:
        self._world = world
        self._easel = Easel(world)
        self._drawing = asyncio.Lock()
        self._deciding = asyncio.Lock()

    async def show(self, trade: Trade, expires_ms: int) -> None:
        """Put a plan before its people; nothing happens while nobody is paired (see `heal`)."""
        reader = await self._world.readers.first(trade.user_id)
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
            await self._easel.draw(newest, row, stage)

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
        look = await self._world.readers.look(tap.user)
        if trade is None:
            await tap.answer(look.words.label("This trade is already over."), False)
        elif verb is Verb.DETAILS:
            await self._easel.more(trade, tap.user)
            await tap.answer("", False)
        elif tap.user.role is UserRole.VIEWER:
            await tap.answer(look.words.label("You may look, but not decide."), True)
        elif verb in APPROVING:
            await self._approve(tap, token, verb, trade)
        else:
            toast = await self._reduce(look, token, verb, trade)
            await tap.answer(toast, False)

    # ------------------------------------------------------------------- taps that raise risk

    async def _approve(self, tap: Tap, token: TokenRow, verb: Verb, trade: Trade) -> None:
        world = self._world
        look = await world.readers.look(tap.user)
        row = await self._settled(trade)
        refusal = self._stale(look, token, trade, row)
        if refusal or row is None:
            log.info("tap_refused", trade=trade.trade_id, verb=verb.value, user=tap.user.user_id)
            await tap.answer(refusal, True)
            return
        # Telegram knows how old a tap is, and says so only when it is answered.
        if not await tap.answer(look.words.label("Checking price, limits and balance…"), False):
            await self._draw_fresh(trade)
            return
        if not await world.tokens.use(token, world.clock.now_ms()):
            return
        answer = await self._take(row, verb, tap.user.user_id)
        if answer is None:
            await self._told_late(tap, trade, verb, look)
            return
        price = world.market.mark_price(trade.symbol)
        world.sink(
            CardAnswered(
                trade_id=trade.trade_id,
                verb=answer,
                user_id=tap.user.user_id,
                mark_price=price[0] if price is not None else None,
                mark_ms=price[1] if price is not None else world.clock.now_ms(),
                confirmed=verb is Verb.ANYWAY,
            )
        )
        log.info("card_answered", trade=trade.trade_id, verb=verb.value, user=tap.user.user_id)
        await self.redraw(trade)

    async def _settled(self, trade: Trade) -> CardRow | None:
        """The card's row, with the name of whoever has just answered it already in it."""
        async with self._deciding:
            return await self._world.store.card(trade.trade_id)

    async def _take(self, row: CardRow, verb: Verb, user_id: str) -> CardVerb | None:
        """Make this the card's answer; None when somebody's is there already."""
        store = self._world.store
        async with self._deciding:
            if not await store.move_card(row.card_id, expected=row.state, state=Stage.ANSWERED):
                return None
            kept: dict[str, Any] = json.loads(row.body)
            before = str(kept.get("verb", "approve"))
            wanted = CardVerb(before if verb is Verb.ANYWAY else verb.value)
            told = {"verb": wanted.value, "by": user_id, "at_ms": self._world.clock.now_ms()}
            # Kept before the event goes out: the core's own word on it may follow at once.
            await self._keep_body(row, json.dumps({**kept, **told}))
            return wanted

    async def _told_late(self, tap: Tap, trade: Trade, verb: Verb, look: Look) -> None:
        """Two taps crossed, and this one's toast is spent: say whose answer it was in a message."""
        row = await self._settled(trade)
        kept = json.loads(row.body) if row is not None else {}
        same = kept.get("by") == tap.user.user_id and kept.get("verb") == verb.value
        said = decided(look, self._now(trade), kept)
        if said and not same:
            self._world.outbox.post(
                Message(
                    chat_id=tap.user.telegram_id or 0,
                    html=text(said),
                    priority=Priority.CARD,
                    reply_slot=await self._easel.slot_for(trade, tap.user),
                )
            )

    def _now(self, trade: Trade) -> Trade:
        return self._world.desk_of().trades.get(trade.trade_id, trade)

    def _stale(self, look: Look, token: TokenRow, trade: Trade, row: CardRow | None) -> str:
        say = look.words.label
        late = say("Too late: this card has expired. Nothing was ordered.")
        answered = row is not None and row.state == Stage.ANSWERED
        whose = decided(look, trade, json.loads(row.body) if row is not None and answered else {})
        if trade.outcome is Outcome.EXPIRED:
            return late
        if trade.phase is not Phase.AWAITING_APPROVAL or row is None:
            return whose or say("This trade is no longer waiting for approval.")
        if token.used_ms is not None or row.state not in (Stage.OFFER, Stage.MOVED):
            return whose or say("This card was already answered.")
        return late if self._world.clock.now_ms() >= token.expires_ms else ""

    # ------------------------------------------------------------------ taps that reduce risk

    async def _reduce(self, look: Look, token: TokenRow, verb: Verb, trade: Trade) -> str:
        say = look.words.label
        if verb is Verb.REJECT:
            return await self._reject(look, token, trade)
        if trade.phase not in CLOSABLE:
            return say("This trade is already over.")
        if trade.phase is Phase.CLOSING:
            return say("Already being closed.")
        if verb is Verb.CLOSE:
            await self._ask_close(trade)
            return say("Close it? Please confirm.")
        if verb is Verb.KEEP:
            await self._set_stage(trade, Stage.OPEN)
            return say("Kept open.")
        assert verb is Verb.CLOSE_SURE, f"not a card's verb: {verb}"
        if not await self._is_new(token):
            return say("Already being closed.")
        self._world.sink(
            CloseRequested(trade_id=trade.trade_id, reason=ExitReason.MANUAL, by=token.user_id)
        )
        log.info("close_requested", trade=trade.trade_id, user=token.user_id)
        return say("Closing at market.")

    async def _reject(self, look: Look, token: TokenRow, trade: Trade) -> str:
        say, whose = look.words.label, decided(look, trade, {})
        if trade.phase not in REJECTABLE:
            if trade.phase not in CLOSABLE:
                return whose or say("This trade is already over.")
            await self._ask_close(trade)
            return f"{whose} {say('Close it? Please confirm.')}".strip()
        if not await self._is_new(token):
            return say("Rejected.")
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
            return f"{whose} {say('The entry is being cancelled.')}".strip()
        row = await self._settled(trade)
        if row is not None:
            await self._take(row, Verb.REJECT, token.user_id)
        await self.redraw(trade)
        return say("Rejected.")

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
        self._easel.forget(trade.trade_id)
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
