"""Deliberately broken variants of the core: mistakes others made, one patch each.

A variant replaces one small function of the machine. The seeds must catch every one of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest

from bot.core import adopting, desk, machine
from bot.core.life import asking, closing, duties, entering, facts, guarding, moving, protecting
from bot.core.life.draft import Draft
from bot.core.messages import (
    CardAnswered,
    CardVerb,
    Filled,
    OrderMissing,
    OrderRefused,
    OrderReported,
    OrderUnknown,
    PositionSeen,
)
from bot.core.ruling import answering, entries
from bot.core.trade import UNHEARD, Order, OrderState, Phase, Role
from data.model import Fill, OrderStatus
from data.money import ZERO


@dataclass(frozen=True)
class Variant:
    """A mistake and how to make it."""

    name: str
    apply: Callable[[pytest.MonkeyPatch], None]


def _timeout_is_refusal(patch: pytest.MonkeyPatch) -> None:
    def unknown(draft: Draft, given: OrderUnknown) -> None:
        if given.action == "place":
            refused = OrderRefused(order_id=given.order_id, code=-1008, text="timeout")
            facts.fold(draft, refused)

    patch.setitem(facts._FOLDS, OrderUnknown, unknown)


def _asks_once(patch: pytest.MonkeyPatch) -> None:
    ask = asking._ask

    def once(draft: Draft, order: Order) -> Order:
        if order.asks:
            return draft.set_order(order, ask_at_ms=None)
        return ask(draft, order)

    patch.setattr(asking, "_ask", once)


def _books_fills_twice(patch: pytest.MonkeyPatch) -> None:
    book = facts._book

    def again(draft: Draft, fill: Fill, order_id: str | None = None) -> None:
        known = tuple(f for f in draft.trade.fills if f.fill_id != fill.fill_id)
        doubled = tuple(f for f in draft.trade.fills if f.fill_id == fill.fill_id)
        draft.set(fills=known)
        book(draft, fill, order_id)
        draft.set(fills=(*draft.trade.fills, *doubled))

    patch.setattr(facts, "_book", again)


def _forgets_siblings(patch: pytest.MonkeyPatch) -> None:
    def cancel(self: Draft, order: Order) -> None:
        """The other exit, and what rests of the entry, are left where they are."""
        if not order.is_over:
            self.set_order(order, state=OrderState.CANCELED, ask_at_ms=None)

    patch.setattr(Draft, "cancel", cancel)


def _resends_unasked(patch: pytest.MonkeyPatch) -> None:
    def missing(draft: Draft, given: OrderMissing) -> None:
        order = draft.trade.order(given.order_id)
        if order is not None and order.state in UNHEARD:
            draft.set_order(order, state=OrderState.ABSENT, ask_at_ms=None)

    patch.setitem(machine._FOLDS, OrderMissing, missing)


def _trusts_one_view(patch: pytest.MonkeyPatch) -> None:
    def absent(draft: Draft, entry: Order) -> None:
        draft.set_order(entry, state=OrderState.ABSENT, ask_at_ms=None)

    patch.setattr(entering, "_conclude_absent", absent)
    see = facts._FOLDS[PositionSeen]

    def unseen(draft: Draft, given: PositionSeen) -> None:
        if draft.trade.phase is not Phase.ORDER_PENDING:
            see(draft, given)

    patch.setitem(facts._FOLDS, PositionSeen, unseen)


def _obeys_any_tap(patch: pytest.MonkeyPatch) -> None:
    answered = answering.card_answered

    def any_tap(draft: Any, event: CardAnswered) -> None:
        trade = draft.desk.trades.get(event.trade_id)
        if trade is not None and trade.card_expires_ms is not None:
            late = replace(trade, card_expires_ms=draft.now_ms + 1)
            draft.put(late)
        answered(draft, replace(event, verb=CardVerb.APPROVE))

    patch.setitem(desk._HANDLERS, CardAnswered, any_tap)


def _never_confirms_flat(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(closing, "is_flat", lambda trade: facts.booked(trade) <= 0)
    patch.setattr(closing, "fills_missing", lambda trade: False)


def _cancel_is_done_when_sent(patch: pytest.MonkeyPatch) -> None:
    send = Draft.send_cancel

    def sent(self: Draft, order: Order) -> None:
        send(self, order)
        self.set_order(order, state=OrderState.CANCELED, ask_at_ms=None, cancel_at_ms=None)

    patch.setattr(Draft, "send_cancel", sent)


def _counts_young_missing(patch: pytest.MonkeyPatch) -> None:
    missing = machine._FOLDS[OrderMissing]

    def impatient(draft: Draft, given: OrderMissing) -> None:
        missing(draft, replace(given, asked_ms=given.asked_ms + 60_000))

    patch.setitem(machine._FOLDS, OrderMissing, impatient)
    patch.setattr(entering, "_conclude_absent", _gives_up)


def _gives_up(draft: Draft, entry: Order) -> None:
    draft.set_order(entry, state=OrderState.ABSENT, ask_at_ms=None, cancel_at_ms=None)


def _adopts_as_flat(patch: pytest.MonkeyPatch) -> None:
    def nothing(draft: Any, snapshot: Any, found: Any) -> bool:
        return True

    patch.setattr(adopting, "adopt", nothing)


def _never_asks(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(asking, "_ask", lambda draft, order: draft.set_order(order, ask_at_ms=None))


def _trusts_an_old_price(patch: pytest.MonkeyPatch) -> None:
    for room in (answering, entries):
        patch.setattr(room, "is_fresh", lambda draft, mark_ms: True)


def _forgets_a_wake(patch: pytest.MonkeyPatch) -> None:
    tend = duties.tend_orders

    def untended(draft: Draft) -> None:
        if draft.trade.phase is not Phase.CLOSING:
            tend(draft)

    patch.setattr(duties, "tend_orders", untended)


def _forgets_funding(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(closing, "_paid_besides", lambda trade: False)


def _closes_without_reduce_only(patch: pytest.MonkeyPatch) -> None:
    place = Draft.place

    def opens(self: Draft, role: Role, **parts: Any) -> Order:
        if role is Role.CLOSE:
            parts["reduce_only"] = False
        return place(self, role, **parts)

    patch.setattr(Draft, "place", opens)


def _refused_move_is_done(patch: pytest.MonkeyPatch) -> None:
    place = guarding._place

    def taken(draft: Draft, role: Role) -> Order:
        last = draft.trade.latest(role)
        moved = any(o.cancels for o in draft.trade.of_role(role))
        if moved and last is not None and last.state is OrderState.REFUSED:
            return draft.set_order(last, state=OrderState.LIVE)
        return place(draft, role)

    patch.setattr(guarding, "_place", taken)


def _moves_and_forgets(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(protecting, "_lose_stop", lambda draft, *, ours: None)


def _moves_without_a_clock(patch: pytest.MonkeyPatch) -> None:
    want = protecting.want

    def gone(draft: Draft, role: Role) -> Order | None:
        stop = draft.trade.latest(role)
        if role is Role.STOP and stop is not None and stop.cancels:
            return stop if not stop.is_over else None  # It will come back by itself.
        return want(draft, role)

    patch.setattr(protecting, "want", gone)
    patch.setattr(protecting, "_watch_clock", lambda draft, note: False)


def _loosens(patch: pytest.MonkeyPatch) -> None:
    begin = moving._begin_move

    def anywhere(draft: Draft, level: Decimal, by: str) -> None:
        assert draft.trade.plan is not None
        begin(draft, level - 8 * draft.trade.plan.direction.sign, by)

    patch.setattr(moving, "_begin_move", anywhere)
    for room in (moving, guarding):
        patch.setattr(room, "is_tighter", lambda plan, level, before: level != before)
    patch.setattr(protecting, "take_level", lambda draft, stop: None)


def _leaves_quantities_behind(patch: pytest.MonkeyPatch) -> None:
    cancel = Draft.cancel

    def like_closing_ones(self: Draft, order: Order) -> None:
        if order.conditional and not order.close_position:
            self.set_order(order, state=OrderState.EXPIRED, ask_at_ms=None)
        else:
            cancel(self, order)

    patch.setattr(Draft, "cancel", like_closing_ones)


def _late_new_revives(patch: pytest.MonkeyPatch) -> None:
    """The last word wins, whenever it was said."""
    after = facts._state_after

    def newest(order: Order, status: OrderStatus, *, is_child: bool) -> OrderState:
        told = facts._STATE_OF[status]
        return told if order.is_over else after(order, status, is_child=is_child)

    patch.setattr(facts, "_state_after", newest)


def _covers_the_first_fill_only(patch: pytest.MonkeyPatch) -> None:
    """A stop of a quantity stays as it was sent, whatever is filled after it."""
    for room in (guarding, protecting):
        patch.setattr(room, "covers", lambda trade, order: True)


def _ignores_partial_fills(patch: pytest.MonkeyPatch) -> None:
    """An order counts once it is filled whole; what expired or was cancelled did nothing."""
    reported = facts._FOLDS[OrderReported]

    def whole(draft: Draft, given: OrderReported) -> None:
        report = given.report
        if report.status is not OrderStatus.FILLED:
            given = replace(given, report=replace(report, filled_quantity=ZERO))
        reported(draft, given)

    def unbooked(draft: Draft, given: Filled) -> None:
        """The stream's fills are left to the report."""

    patch.setitem(facts._FOLDS, OrderReported, whole)
    patch.setitem(facts._FOLDS, Filled, unbooked)


def _trusts_an_unconfirmed_stop(patch: pytest.MonkeyPatch) -> None:
    """A stop that was sent is taken for a stop that is there."""
    place = Draft.place

    def placed(self: Draft, role: Role, **parts: Any) -> Order:
        order = place(self, role, **parts)
        return self.set_order(order, state=OrderState.LIVE) if role is Role.STOP else order

    patch.setattr(Draft, "place", placed)


def _trusts_an_old_position(patch: pytest.MonkeyPatch) -> None:
    """Whatever word on the position comes last is taken for the newest."""

    def seen(draft: Draft, given: PositionSeen) -> None:
        draft.set(position_seen=given.quantity, position_seen_ms=draft.now_ms)

    patch.setitem(facts._FOLDS, PositionSeen, seen)


VARIANTS = (
    Variant("a timeout is taken for a refusal", _timeout_is_refusal),
    Variant("an unknown order is asked about only once", _asks_once),
    Variant("a repeated fill is booked again", _books_fills_twice),
    Variant("the sibling order is forgotten", _forgets_siblings),
    Variant("an entry is sent again on the first word that it does not exist", _resends_unasked),
    Variant("an entry is sent again without looking at the position", _trusts_one_view),
    Variant("a late or rejecting tap opens the trade", _obeys_any_tap),
    Variant("a trade ends before every fill is known", _never_confirms_flat),
    Variant("a cancel is taken as done when it is sent", _cancel_is_done_when_sent),
    Variant("a missing answer counts while the request may still arrive", _counts_young_missing),
    Variant("a position of ours without a record is left alone", _adopts_as_flat),
    Variant("an order nobody answered for is never asked about", _never_asks),
    Variant("a tap is obeyed at an old price", _trusts_an_old_price),
    Variant("open orders are not looked after while closing", _forgets_a_wake),
    Variant("funding is not asked for", _forgets_funding),
    Variant("a close may open the other side", _closes_without_reduce_only),
    Variant("a refused move is taken for a done one", _refused_move_is_done),
    Variant("a stop is cancelled for a move and forgotten", _moves_and_forgets),
    Variant("a stop on the move has no clock and no successor", _moves_without_a_clock),
    Variant("a stop is loosened", _loosens),
    Variant("stops of a quantity are believed to end with the position", _leaves_quantities_behind),
    Variant("a late NEW revives an order that ended", _late_new_revives),
    Variant("partial fills are ignored", _ignores_partial_fills),
    Variant("a stop covers the first fill only", _covers_the_first_fill_only),
    Variant("a stop is trusted before it is confirmed", _trusts_an_unconfirmed_stop),
    Variant("an old word on the position is taken for the newest", _trusts_an_old_position),
)
