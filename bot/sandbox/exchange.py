"""The pretend exchange: matching, margin, fees, funding, liquidation, conditional orders.

Theory of operation. Prices come in one step at a time through `advance`; each step may, in this
order, pay funding, fill resting orders, fire conditional orders and liquidate. Calls of a trader
(`place`, `cancel`, ...) answer with a view or a `Refusal`, both values; what a user stream would
tell about either goes to an outbox in the real order, taken by `drain_events`:

    plain order    ORDER new -> FILL -> ACCOUNT -> ORDER trade
    conditional    triggering -> ORDER new -> triggered -> FILL -> ACCOUNT -> ORDER trade
                   -> finished -> siblings that lost their position expire

It is pure: time is an argument, ids are counters, randomness (only slippage uses it) is a seeded
Random passed in. Same calls, same answers. One-way position mode, USDT margin, no multi-assets.

Differences from the real exchange, on purpose: the book is one price with optional liquidity a
step; a liquidation closes the whole position at the last price; the mark follows the last price
unless `set_mark` separates them; funding rates are what `set_funding` says (0.01 % by default).

Must not know: HTTP, any exchange's spelling, the trading service.
"""

from collections.abc import Iterable
from decimal import Decimal
from random import Random

from bot.sandbox import exchange_algo as algo
from bot.sandbox import exchange_book as book
from bot.sandbox import exchange_forced as forced
from bot.sandbox import exchange_margin as margin
from bot.sandbox import exchange_rules as rules
from bot.sandbox.exchange_fill import tell_account
from bot.sandbox.exchange_records import (
    AccountCause,
    BalanceView,
    ConditionalRequest,
    ConditionalView,
    Income,
    IncomeKind,
    LeverageEvent,
    OrderRequest,
    OrderView,
    PositionView,
    Refusal,
    UserEvent,
)
from bot.sandbox.exchange_state import Account, Conditional, Market, Order, World
from data.model import Fill, Instrument, MarginType
from data.money import ZERO

MAIN = "main"
WALLET_USDT = Decimal(10_000)
MAKER_RATE = Decimal("0.0002")
TAKER_RATE = Decimal("0.0005")
LIQUIDATION_FEE_RATE = Decimal("0.0125")


class Exchange:
    """Several symbols, one or more accounts. Every call that acts takes `now_ms`."""

    def __init__(
        self,
        instruments: Iterable[Instrument],
        *,
        wallet_usdt: Decimal = WALLET_USDT,
        accounts: tuple[str, ...] = (MAIN,),
        slippage_bps: Decimal = ZERO,
        rng: Random | None = None,
    ) -> None:
        self.start_wallet_usdt = wallet_usdt
        self._world = World(
            markets={one.symbol: Market(instrument=one) for one in instruments},
            accounts={a: Account(account_id=a, wallet=wallet_usdt) for a in accounts},
            maker_rate=MAKER_RATE,
            taker_rate=TAKER_RATE,
            liquidation_fee_rate=LIQUIDATION_FEE_RATE,
            slippage_bps=slippage_bps,
            rng=rng,
        )

    # Prices

    def advance(
        self, symbol: str, price: Decimal, now_ms: int, liquidity: Decimal | None = None
    ) -> None:
        """One price step. `liquidity` caps (base units) what may trade until the next step."""
        world = self._world
        market = world.markets[symbol]
        world.now_ms = now_ms
        market.last = price
        if market.mark_follows:
            market.mark = price
        market.liquidity = liquidity
        market.updated_ms = now_ms
        if now_ms >= market.next_funding_ms:
            forced.pay_funding(world, market)
        for account in world.accounts.values():
            if account.open_orders.get(symbol) and book.match_resting(world, account, market):
                algo.expire_dependents(world, account, symbol)
            self._watch_mark(account, market)

    def set_mark(self, symbol: str, mark: Decimal | None, now_ms: int) -> None:
        """Separate the mark price from the last price; None joins them again."""
        market = self._world.markets[symbol]
        self._world.now_ms = now_ms
        market.mark_follows = mark is None
        if mark is not None:
            market.mark = mark
        elif market.last is not None:
            market.mark = market.last
        if market.last is not None:
            for account in self._world.accounts.values():
                self._watch_mark(account, market)

    def set_funding(self, symbol: str, rate: Decimal, interval_ms: int | None = None) -> None:
        """The rate paid at the next settlements, and how often they come (8 h by default)."""
        market = self._world.markets[symbol]
        market.funding_rate = rate
        if interval_ms is not None:
            market.funding_interval_ms = interval_ms
            if market.next_funding_ms:
                market.next_funding_ms = forced.next_boundary(market.updated_ms, interval_ms)

    def market(self, symbol: str) -> Market | None:
        """The symbol's prices and funding, live; read only. None when it is not listed."""
        return self._world.markets.get(symbol)

    @property
    def markets(self) -> dict[str, Market]:
        """Every listed symbol, live; read only."""
        return self._world.markets

    # Plain orders

    def place(
        self, request: OrderRequest, now_ms: int, *, account: str = MAIN
    ) -> OrderView | Refusal:
        """Place a plain order; the view shows it after matching (an ACK shows less)."""
        owner = self._at(account, now_ms)
        answer = book.place(self._world, owner, request)
        if isinstance(answer, OrderView) and answer.filled_quantity:
            self._after_fill(owner, request.symbol)
        return answer

    def cancel(
        self, symbol: str, key: int | str, now_ms: int, *, account: str = MAIN
    ) -> OrderView | Refusal:
        """Cancel an open order by number or client id; -2011 when it is not open."""
        owner = self._at(account, now_ms)
        order = self._find(owner, symbol, key)
        if order is None or order.number not in owner.open_orders.get(symbol, {}):
            return rules.UNKNOWN_ORDER
        book.cancel(self._world, owner, order)
        return order.view()

    def cancel_all(self, symbol: str, now_ms: int, *, account: str = MAIN) -> int:
        """Cancel the symbol's open plain orders (conditional ones stay); how many there were."""
        owner = self._at(account, now_ms)
        orders = list(owner.open_orders.get(symbol, {}).values())
        for order in orders:
            book.cancel(self._world, owner, order)
        return len(orders)

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

    # Conditional orders

    def place_conditional(
        self, request: ConditionalRequest, now_ms: int, *, account: str = MAIN
    ) -> ConditionalView | Refusal:
        """Place a stop or a target; it waits in its own store until its price comes."""
        return algo.place_conditional(self._world, self._at(account, now_ms), request)

    def cancel_conditional(
        self, key: int | str, now_ms: int, *, account: str = MAIN
    ) -> ConditionalView | Refusal:
        """Cancel a waiting conditional order by number or client id; -2011 when it is gone."""
        owner = self._at(account, now_ms)
        order = self._find_conditional(owner, key)
        if order is None or order.number not in owner.open_conditionals.get(order.symbol, {}):
            return rules.UNKNOWN_ORDER
        algo.cancel_conditional(self._world, owner, order)
        return order.view()

    def cancel_all_conditionals(self, symbol: str, now_ms: int, *, account: str = MAIN) -> int:
        """Cancel the symbol's waiting conditional orders; how many there were."""
        owner = self._at(account, now_ms)
        orders = list(owner.open_conditionals.get(symbol, {}).values())
        for order in orders:
            algo.cancel_conditional(self._world, owner, order)
        return len(orders)

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

    def position(self, symbol: str, *, account: str = MAIN) -> PositionView:
        """One symbol's position, also when flat."""
        return margin.position_view(self._world, self._world.accounts[account], symbol)

    def positions(self, *, account: str = MAIN) -> list[PositionView]:
        """The positions that are not flat."""
        owner = self._world.accounts[account]
        held = [h.symbol for h in owner.holdings.values() if h.quantity]
        return [margin.position_view(self._world, owner, symbol) for symbol in held]

    def quantity(self, symbol: str, *, account: str = MAIN) -> Decimal:
        """The signed position alone: cheap."""
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

    def set_leverage(
        self, symbol: str, leverage: int, now_ms: int, *, account: str = MAIN
    ) -> Decimal | Refusal:
        """Set a symbol's leverage; the largest position notional it allows, or a refusal."""
        owner = self._at(account, now_ms)
        market = self._world.markets.get(symbol)
        if market is None:
            return rules.BAD_SYMBOL
        instrument = market.instrument
        if not 1 <= leverage <= margin.leverage_max(instrument):
            text = rules.BAD_LEVERAGE.text.format(leverage)
            return Refusal(code=rules.BAD_LEVERAGE.code, text=text)
        quantity = owner.quantity_of(symbol)
        isolated = owner.margin_type_of(symbol) is MarginType.ISOLATED
        if quantity and isolated and leverage < owner.leverage_of(symbol):
            return rules.ISOLATED_LEVERAGE
        allowed = margin.notional_max(instrument, leverage)
        if abs(quantity) * market.mark > allowed:
            return rules.ABOVE_LEVERAGE
        owner.leverage[symbol] = leverage
        self._world.outbox.append(
            LeverageEvent(account_id=account, at_ms=now_ms, symbol=symbol, leverage=leverage)
        )
        return allowed

    def set_margin_type(
        self, symbol: str, margin_type: MarginType, now_ms: int, *, account: str = MAIN
    ) -> Refusal | None:
        """Set a symbol's margin type; refused when it is set already, with orders or a position."""
        owner = self._at(account, now_ms)
        if symbol not in self._world.markets:
            return rules.BAD_SYMBOL
        if owner.margin_type_of(symbol) is margin_type:
            return rules.SAME_MARGIN_TYPE
        if owner.open_orders.get(symbol) or owner.open_conditionals.get(symbol):
            return rules.ORDERS_BLOCK_MARGIN_TYPE
        if owner.quantity_of(symbol):
            return rules.POSITION_BLOCKS_MARGIN_TYPE
        owner.margin_types[symbol] = margin_type
        if symbol in owner.holdings:
            tell_account(self._world, owner, AccountCause.MARGIN_TYPE, symbol)
        return None

    # What is done to a trader

    def close_by_hand(
        self, symbol: str, now_ms: int, quantity: Decimal | None = None, *, account: str = MAIN
    ) -> OrderView | None:
        """Close as a person on the exchange's own site does (client id `web_...`)."""
        owner = self._at(account, now_ms)
        if not owner.quantity_of(symbol):
            return None
        return forced.close_by_hand(self._world, owner, symbol, quantity)

    def force_liquidation(
        self, symbol: str, now_ms: int, *, account: str = MAIN
    ) -> OrderView | None:
        """Liquidate the position whatever its margin (client id `autoclose-...`)."""
        owner = self._at(account, now_ms)
        if not owner.quantity_of(symbol):
            return None
        return forced.liquidate(self._world, owner, symbol)

    def force_adl(
        self, symbol: str, now_ms: int, quantity: Decimal | None = None, *, account: str = MAIN
    ) -> OrderView | None:
        """Deleverage the position or a part of it (client id `adl_autoclose`)."""
        owner = self._at(account, now_ms)
        if not owner.quantity_of(symbol):
            return None
        return forced.deleverage(self._world, owner, symbol, quantity)

    def drain_events(self) -> list[UserEvent]:
        """Take what the user streams would have told since the last call, in order."""
        events = self._world.outbox
        if events:
            self._world.outbox = []
        return events

    def _at(self, account: str, now_ms: int) -> Account:
        self._world.now_ms = now_ms
        return self._world.accounts[account]

    def _watch_mark(self, account: Account, market: Market) -> None:
        symbol = market.instrument.symbol
        if account.open_conditionals.get(symbol):
            algo.fire_touched(self._world, account, market)
        if account.quantity_of(symbol):
            forced.check_liquidation(self._world, account, market)

    def _after_fill(self, account: Account, symbol: str) -> None:
        algo.expire_dependents(self._world, account, symbol)

    @staticmethod
    def _find(account: Account, symbol: str, key: int | str) -> Order | None:
        number = account.newest_by_client.get((symbol, key)) if isinstance(key, str) else key
        order = account.orders.get(number) if number is not None else None
        return order if order is not None and order.symbol == symbol else None

    @staticmethod
    def _find_conditional(account: Account, key: int | str) -> Conditional | None:
        number = account.newest_conditional.get(key) if isinstance(key, str) else key
        return account.conditionals.get(number) if number is not None else None
