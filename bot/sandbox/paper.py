"""Paper trading: the Venue port over the pretend exchange, inside the service's own process.

Prices are the real market's, fed in as they come; orders are the pretend exchange's. Outcomes,
events and their order are those of the real thing, so the core cannot tell them apart. The account
is kept after each change, before anybody hears of it, and brought back at the next start; a price
that jumped meanwhile fires stops at the first price seen, as a gap does.

Must not know: the venue's wire, or where the account is kept.
"""

from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal

from bot.core.messages import CancelOrder, Event, PlaceOrder, VenueCommand
from bot.sandbox.exchange import Exchange
from bot.sandbox.paper_desk import carry_out
from bot.sandbox.paper_state import freeze
from bot.sandbox.paper_words import events_of
from bot.shell.clock import Clock
from bot.shell.ports import EventSink

Save = Callable[[str], Awaitable[None]]
PriceOf = Callable[[str], Decimal | None]


class PaperVenue:
    """One pretend account as the engine's venue. `sink` hears what a user stream would tell.

    `price_of` tells the newest price at the moment of an order, fed by then or not: a symbol that
    has just come to be watched would have none otherwise.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        clock: Clock,
        sink: EventSink,
        save: Save,
        price_of: PriceOf = lambda _: None,
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._sink = sink
        self._save = save
        self._price_of = price_of

    async def feed(self, symbol: str, price: Decimal) -> None:
        """A new price of the real market: it may fill, trigger, liquidate and pay funding."""
        if self._exchange.market(symbol) is None:
            return
        self._exchange.advance(symbol, price, self._clock.now_ms())
        await self._tell()

    async def perform(self, command: VenueCommand) -> Sequence[Event]:
        """Carry one command out, once, and say what came of it."""
        if isinstance(command, PlaceOrder):
            price = self._price_of(command.order.symbol)
            if price is not None:
                await self.feed(command.order.symbol, price)
        answer = carry_out(self._exchange, command, self._clock.now_ms())
        if isinstance(command, PlaceOrder | CancelOrder):
            await self._tell()
        return (answer,)

    async def _tell(self) -> None:
        news = self._exchange.drain_events()
        if not news:
            return
        await self._save(freeze(self._exchange))
        for one in news:
            for event in events_of(one):
                self._sink(event)
