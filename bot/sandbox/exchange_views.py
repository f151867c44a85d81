"""What may be asked of the pretend exchange: orders, positions, money, prices. Nothing changes.

The half of `Exchange` without consequences, apart so that the acting half stays readable. Must not
know: who asks, or any exchange's spelling.
"""

from decimal import Decimal

from bot.sandbox import exchange_margin as margin
from bot.sandbox import exchange_rules as rules
from bot.sandbox.exchange_records import (
    BalanceView,
    ConditionalView,
    Income,
    IncomeKind,
    OrderView,
    PositionSide,
    PositionView,
    Refusal,
    UserEvent,
)
from bot.sandbox.exchange_state import Account, Conditional, Market, Order, World
from data.model import Fill, MarginType

MAIN = "main"


class ExchangeViews:
    """Questions about one World."""

    def __init__(self, world: World) -> None:
        self._world = world

    # Prices

    def market(self, symbol: str) -> Market | None:
        """The symbol's prices and funding, live; read only. None when it is not listed."""
        return self._world.markets.get(symbol)

    @property
    def markets(self) -> dict[str, Market]:
        """Every listed symbol, live; read only."""
        return self._world.markets

    # Orders

    def order(self, symbol: str, key: int | str, *, account: str = MAIN) -> OrderView | Refusal:
        """An order by number or client id (the newest of that id), open or ended; else -2013."""
        order = self._find(self._world.accounts[account], symbol, key)
        return rules.NO_ORDER if order is None else order.view()

    def open_orders(self, symbol: str | None = None, *, account: str = MAIN) -> list[OrderView]:
        """The open plain orders, oldest first."""
        books = self._world.accounts[account].open_orders
        chosen = books.values() if symbol is None else [books.get(symbol, {})]
        found = [order.view() for one in chosen for order in one.values()]
        return sorted(found, key=lambda view: view.number)

    def orders(self, symbol: str | None = None, *, account: str = MAIN) -> list[OrderView]:
        """Every plain order known, open or ended, oldest first."""
        known = self._world.accounts[account].orders.values()
        return [order.view() for order in known if symbol in (None, order.symbol)]

    def conditional(self, key: int | str, *, account: str = MAIN) -> ConditionalView | Refusal:
        """A conditional order by number or client id (the newest of that id); else -2013."""
        order = self._find_conditional(self._world.accounts[account], key)
        return rules.NO_ORDER if order is None else order.view()

    def open_conditionals(
        self, symbol: str | None = None, *, account: str = MAIN
    ) -> list[ConditionalView]:
        """The waiting conditional orders, oldest first."""
        books = self._world.accounts[account].open_conditionals
        chosen = books.values() if symbol is None else [books.get(symbol, {})]
        found = [order.view() for one in chosen for order in one.values()]
        return sorted(found, key=lambda view: view.number)

    def conditionals(
        self, symbol: str | None = None, *, account: str = MAIN
    ) -> list[ConditionalView]:
        """Every conditional order known, waiting or ended, oldest first."""
        known = self._world.accounts[account].conditionals.values()
        return [order.view() for order in known if symbol in (None, order.symbol)]

    # The account

    def position(
        self, symbol: str, side: PositionSide = PositionSide.BOTH, *, account: str = MAIN
    ) -> PositionView:
        """One symbol's position, also when flat; hedge mode names the side."""
        return margin.position_view(self._world, self._world.accounts[account], symbol, side)

    def positions(self, *, account: str = MAIN) -> list[PositionView]:
        """The positions that are not flat."""
        owner = self._world.accounts[account]
        held = [(h.symbol, h.position_side) for h in owner.holdings.values() if h.quantity]
        return [margin.position_view(self._world, owner, symbol, side) for symbol, side in held]

    def hedged(self, *, account: str = MAIN) -> bool:
        """Whether the account keeps a long and a short book for each symbol."""
        return self._world.accounts[account].hedged

    def quantity(self, symbol: str, *, account: str = MAIN) -> Decimal:
        """The signed position of one-way mode alone: cheap."""
        return self._world.accounts[account].quantity_of(symbol)

    def balances(self, *, account: str = MAIN) -> BalanceView:
        """The wallet and its totals."""
        return margin.balance_view(self._world, self._world.accounts[account])

    def fills(
        self, symbol: str | None = None, since_ms: int = 0, *, account: str = MAIN
    ) -> list[Fill]:
        """The account's fills from `since_ms` on, oldest first."""
        rows = self._world.accounts[account].fills
        return [f for f in rows if f.filled_ms >= since_ms and symbol in (None, f.symbol)]

    def side_of(self, fill: Fill, *, account: str = MAIN) -> PositionSide:
        """Which book a fill went to."""
        order = self._world.accounts[account].orders.get(fill.venue_order_id)
        return order.position_side if order is not None else PositionSide.BOTH

    def income(
        self,
        symbol: str | None = None,
        since_ms: int = 0,
        kind: IncomeKind | None = None,
        *,
        account: str = MAIN,
    ) -> list[Income]:
        """What changed the wallet from `since_ms` on, oldest first."""
        rows = self._world.accounts[account].income
        return [
            row
            for row in rows
            if row.paid_ms >= since_ms and symbol in (None, row.symbol) and kind in (None, row.kind)
        ]

    def leverage(self, symbol: str, *, account: str = MAIN) -> int:
        """The symbol's leverage as set, or the default of 20."""
        return self._world.accounts[account].leverage_of(symbol)

    def margin_type(self, symbol: str, *, account: str = MAIN) -> MarginType:
        """The symbol's margin type as set, or crossed."""
        return self._world.accounts[account].margin_type_of(symbol)

    def drain_events(self) -> list[UserEvent]:
        """Take what the user streams would have told since the last call, in order."""
        events = self._world.outbox
        if events:
            self._world.outbox = []
        return events

    @staticmethod
    def _find(account: Account, symbol: str, key: int | str) -> Order | None:
        number = account.newest_by_client.get((symbol, key)) if isinstance(key, str) else key
        order = account.orders.get(number) if number is not None else None
        return order if order is not None and order.symbol == symbol else None

    @staticmethod
    def _find_conditional(account: Account, key: int | str) -> Conditional | None:
        number = account.newest_conditional.get(key) if isinstance(key, str) else key
        return account.conditionals.get(number) if number is not None else None
