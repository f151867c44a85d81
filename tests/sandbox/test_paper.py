"""Paper trading: the pretend account behind the venue's port, and its survival of a restart."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bot.core.messages import (
    Event,
    Filled,
    OrderRefused,
    OrderReported,
    PlaceOrder,
    PositionSeen,
    SnapshotTaken,
    TakeSnapshot,
    WalletSeen,
)
from bot.core.trade import Order, Role
from bot.sandbox.exchange import Exchange
from bot.sandbox.paper import PaperVenue
from bot.sandbox.paper_state import PaperStateUnreadable, freeze, symbols_in, thaw
from bot.sandbox.tape_instruments import instrument_of
from bot.shell.clock import VirtualClock
from data.model import Direction, MarginType, OrderKind, OrderStatus, Side

SYMBOL = "BTCUSDT"
BTC = instrument_of(SYMBOL, 100_000.0)


class Paper:
    """A paper venue with everything it said and kept."""

    def __init__(self, kept: str | None = None) -> None:
        self.exchange = Exchange([BTC])
        if kept is not None:
            thaw(self.exchange, kept)
        self.clock = VirtualClock(1_700_000_000_000)
        self.told: list[Event] = []
        self.kept: list[str] = []
        self.price: Decimal | None = None
        self.venue = PaperVenue(
            self.exchange,
            clock=self.clock,
            sink=self.told.append,
            save=self._save,
            price_of=lambda _: self.price,
        )

    async def _save(self, text: str) -> None:
        self.kept.append(text)

    async def place(self, role: Role, **parts: object) -> Event:
        """Place one order of a made-up trade; its answer."""
        values: dict[str, object] = {
            "order_id": f"tbxxxx-b-t-{role.value}0",
            "role": role,
            "attempt": 0,
            "symbol": SYMBOL,
            "side": Side.BUY if role is Role.ENTRY else Side.SELL,
            "kind": OrderKind.MARKET,
            "quantity": Decimal("0.01"),
        }
        order = Order(**{**values, **parts})  # type: ignore[arg-type]
        command = PlaceOrder(
            order=order,
            leverage=7 if role is Role.ENTRY else None,
            margin_type=MarginType.ISOLATED if role is Role.ENTRY else None,
        )
        (answer,) = await self.venue.perform(command)
        return answer

    async def stop_at(self, price: str) -> Event:
        """A protective stop for the whole position."""
        return await self.place(
            Role.STOP,
            kind=OrderKind.STOP_MARKET,
            trigger_price=Decimal(price),
            quantity=Decimal(0),
            close_position=True,
        )


async def test_a_market_entry_is_told_in_the_streams_own_order() -> None:
    """New order, then position and wallet, then the fill with the filled order: as live."""
    paper = Paper()
    await paper.venue.feed(SYMBOL, Decimal(100_000))
    answer = await paper.place(Role.ENTRY)
    kinds = [type(event) for event in paper.told]
    assert kinds == [OrderReported, PositionSeen, WalletSeen, Filled, OrderReported]
    assert isinstance(answer, OrderReported)
    assert paper.exchange.leverage(SYMBOL) == 7
    assert paper.exchange.margin_type(SYMBOL) is MarginType.ISOLATED


async def test_without_a_price_an_order_is_refused_not_lost() -> None:
    """Before the market was heard nothing can be filled, and the answer says so."""
    answer = await Paper().place(Role.ENTRY)
    assert isinstance(answer, OrderRefused)


async def test_the_account_is_kept_before_anybody_hears_of_the_change() -> None:
    """What was told survives: the kept text already holds the fill when the sink hears of it."""
    paper = Paper()
    await paper.venue.feed(SYMBOL, Decimal(100_000))
    seen: list[int] = []
    paper.told = Watch(seen, paper.kept)
    paper.venue._sink = paper.told.append
    await paper.place(Role.ENTRY)
    assert seen
    assert all(kept >= 1 for kept in seen)


class Watch(list[Event]):
    """Notes how much was kept whenever something is told."""

    def __init__(self, seen: list[int], kept: list[str]) -> None:
        super().__init__()
        self._seen, self._kept = seen, kept

    def append(self, event: Event) -> None:
        """Note and go on."""
        self._seen.append(len(self._kept))
        super().append(event)


async def test_a_position_and_its_stop_survive_a_restart() -> None:
    """After a restart the account is the same, and the stop still closes the position."""
    before = Paper()
    await before.venue.feed(SYMBOL, Decimal(100_000))
    await before.place(Role.ENTRY)
    await before.stop_at("99000")
    after = Paper(before.kept[-1])
    assert freeze(after.exchange) == before.kept[-1]
    (first,) = await before.venue.perform(TakeSnapshot())
    (second,) = await after.venue.perform(TakeSnapshot())
    assert isinstance(first, SnapshotTaken)
    assert isinstance(second, SnapshotTaken)
    assert (second.wallet_usdt, second.open_orders) == (first.wallet_usdt, first.open_orders)
    assert [p.quantity for p in second.positions] == [Decimal("0.01")]
    await after.venue.feed(SYMBOL, Decimal(98_000))  # a gap below the stop
    fills = [event.fill for event in after.told if isinstance(event, Filled)]
    assert [(fill.quantity, fill.price) for fill in fills] == [(Decimal("0.01"), Decimal(98_000))]
    statuses = [e.report.status for e in after.told if isinstance(e, OrderReported)]
    assert OrderStatus.TRIGGERED in statuses
    assert after.exchange.quantity(SYMBOL) == 0


async def test_numbers_go_on_after_a_restart() -> None:
    """No fill or order number is given out twice over a restart."""
    before = Paper()
    await before.venue.feed(SYMBOL, Decimal(100_000))
    await before.place(Role.ENTRY)
    after = Paper(before.kept[-1])
    await after.venue.feed(SYMBOL, Decimal(100_000))
    await after.place(Role.CLOSE, reduce_only=True)
    numbers = [fill.fill_id for fill in after.exchange.fills()]
    assert len(numbers) == len(set(numbers)) == 2


@pytest.mark.parametrize("text", ["", "{}", '{"version": 9}', "not json"])
def test_a_damaged_account_is_refused(text: str) -> None:
    """A text that is no kept account is named so, never half taken."""
    with pytest.raises(PaperStateUnreadable):
        thaw(Exchange([BTC]), text)


async def test_in_hedge_mode_each_order_names_its_book_and_each_word_its_side() -> None:
    """A short is entered, protected and read as the short one of the symbol's two positions."""
    paper = Paper()
    assert paper.exchange.set_hedged(True, paper.clock.now_ms()) is None
    await paper.venue.feed(SYMBOL, Decimal(100_000))
    await paper.place(Role.ENTRY, side=Side.SELL)
    stop = await paper.place(
        Role.STOP,
        side=Side.BUY,
        kind=OrderKind.STOP_MARKET,
        trigger_price=Decimal(101_000),
        quantity=Decimal(0),
        close_position=True,
    )
    assert isinstance(stop, OrderReported)
    seen = [event for event in paper.told if isinstance(event, PositionSeen)]
    assert [(event.side, event.quantity) for event in seen] == [(Direction.SHORT, Decimal("-0.01"))]
    (read,) = await paper.venue.perform(TakeSnapshot())
    assert isinstance(read, SnapshotTaken)
    assert [p.side for p in read.positions] == [Direction.SHORT]
    assert {fill.position_side for fill in read.recent_fills} == {Direction.SHORT}


async def test_an_order_is_filled_at_the_newest_price_fed_by_then_or_not() -> None:
    """A symbol that has just come to be watched has a price when its first order comes."""
    paper = Paper()
    paper.price = Decimal(100_500)
    answer = await paper.place(Role.ENTRY)
    assert isinstance(answer, OrderReported)
    assert answer.report.average_price == Decimal(100_500)


async def test_a_kept_account_names_every_symbol_that_must_be_listed() -> None:
    """Ended orders of symbols nobody watches any more are looked at too."""
    paper = Paper()
    await paper.venue.feed(SYMBOL, Decimal(100_000))
    await paper.place(Role.ENTRY)
    assert symbols_in(paper.kept[-1]) == (SYMBOL,)
    with pytest.raises(PaperStateUnreadable):
        symbols_in("{}")


async def test_a_symbol_listed_later_is_traded_and_a_known_one_keeps_its_account() -> None:
    """Newer filters replace the older; position and orders stay."""
    paper = Paper()
    await paper.venue.feed(SYMBOL, Decimal(100_000))
    await paper.place(Role.ENTRY)
    paper.exchange.list_instrument(instrument_of("ETHUSDT", 4_000.0))
    paper.exchange.list_instrument(replace(BTC, notional_min=Decimal(7)))
    await paper.venue.feed("ETHUSDT", Decimal(4_000))
    answer = await paper.place(Role.ENTRY, symbol="ETHUSDT", order_id="tbxxxx-b-u-e0")
    assert isinstance(answer, OrderReported)
    assert paper.exchange.position(SYMBOL).quantity == Decimal("0.01")
    assert paper.exchange.markets[SYMBOL].instrument.notional_min == 7


async def test_a_reading_names_the_fills_of_what_is_held() -> None:
    """A position whose stop is gone is known by them, on paper as at the exchange."""
    paper = Paper()
    await paper.venue.feed(SYMBOL, Decimal(100_000))
    await paper.place(Role.ENTRY)
    (flat,) = await Paper().venue.perform(TakeSnapshot())
    assert isinstance(flat, SnapshotTaken)
    assert not flat.recent_fills
    (told,) = await paper.venue.perform(TakeSnapshot())
    assert isinstance(told, SnapshotTaken)
    assert [fill.order_id for fill in told.recent_fills] == ["tbxxxx-b-t-e0"]
