"""The pretend exchange: matching, margin, fees, funding, liquidation, conditional orders.

Theory of operation. Prices come in one step at a time through `advance`; each step may, in this
order, pay funding, fill resting orders, fire conditional orders and liquidate. Calls of a trader
(`place`, `cancel`, ...) answer with a view or a `Refusal`, both values; what a user stream would
tell about either goes to an outbox in the real order, taken by `drain_events`:

    plain order    ORDER new -> FILL -> ACCOUNT -> ORDER trade
    conditional    triggering -> ORDER new -> triggered -> FILL -> ACCOUNT -> ORDER trade
                   -> finished -> siblings that lost their position expire

It is pure: time is an argument, ids are counters, randomness (only slippage uses it) is a seeded
Random passed in. Same calls, same answers. USDT margin only, no multi-assets.

Differences from the real exchange, on purpose: the book is one price with optional liquidity a
step, and its orders trade with nobody, so self-trade prevention has nothing to do; an amended
order keeps its place; a liquidation closes the whole position at the last price; the mark follows
the last price unless `set_mark` separates them; funding rates are what `set_funding` says (0.01 %
by default); hedge mode adds both books' margin and nets nothing; the position mode is refused
while a conditional order waits, as with a plain one.

Must not know: HTTP, any exchange's spelling, the trading service.
"""

from collections.abc import Iterable
from decimal import Decimal
from random import Random

from bot.sandbox import exchange_algo as algo
from bot.sandbox import exchange_amend as deadlines
from bot.sandbox import exchange_book as book
from bot.sandbox import exchange_forced as forced
from bot.sandbox import exchange_rules as rules
from bot.sandbox import exchange_settings as settings
from bot.sandbox.exchange_records import (
    Amendment,
    ConditionalRequest,
    ConditionalView,
    OrderRequest,
    OrderView,
    Refusal,
)
from bot.sandbox.exchange_state import Account, Holding, Market, World
from bot.sandbox.exchange_views import MAIN as MAIN
from bot.sandbox.exchange_views import ExchangeViews
from data.model import Instrument, MarginType
from data.money import ZERO

WALLET_USDT = Decimal(10_000)
MAKER_RATE = Decimal("0.0002")
TAKER_RATE = Decimal("0.0005")
LIQUIDATION_FEE_RATE = Decimal("0.0125")


class Exchange(ExchangeViews):
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
        world = World(
            markets={one.symbol: Market(instrument=one) for one in instruments},
            accounts={a: Account(account_id=a, wallet=wallet_usdt) for a in accounts},
            maker_rate=MAKER_RATE,
            taker_rate=TAKER_RATE,
            liquidation_fee_rate=LIQUIDATION_FEE_RATE,
            slippage_bps=slippage_bps,
            rng=rng,
        )
        super().__init__(world)

    def list_instrument(self, instrument: Instrument) -> None:
        """Trade one more symbol, or a known one by newer filters; its book and account stay."""
        known = self._world.markets.setdefault(instrument.symbol, Market(instrument=instrument))
        known.instrument = instrument

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

    def amend(self, wish: Amendment, now_ms: int, *, account: str = MAIN) -> OrderView | Refusal:
        """Give a resting LIMIT order a new price and size; -2013 when it is not open."""
        owner = self._at(account, now_ms)
        order = self._find(owner, wish.symbol, wish.key)
        if order is None or order.number not in owner.open_orders.get(wish.symbol, {}):
            return rules.NO_ORDER
        filled = order.filled
        answer = deadlines.amend(self._world, owner, order, wish)
        if order.filled != filled or owner.working_children:
            self._after_fill(owner, wish.symbol)
        return answer

    def test(self, request: OrderRequest, now_ms: int, *, account: str = MAIN) -> Refusal | None:
        """What placing this order would be refused for; nothing is placed."""
        return book.check(self._world, self._at(account, now_ms), request)

    def cancel(
        self, symbol: str, key: int | str, now_ms: int, *, account: str = MAIN
    ) -> OrderView | Refusal:
        """Cancel an open order by number or client id; -2011 when it is not open."""
        owner = self._at(account, now_ms)
        order = self._find(owner, symbol, key)
        if order is None or order.number not in owner.open_orders.get(symbol, {}):
            return rules.UNKNOWN_ORDER
        book.cancel(self._world, owner, order)
        self._after_cancel(owner, symbol)
        return order.view()

    def cancel_all(self, symbol: str, now_ms: int, *, account: str = MAIN) -> int:
        """Cancel the symbol's open plain orders (conditional ones stay); how many there were."""
        owner = self._at(account, now_ms)
        orders = list(owner.open_orders.get(symbol, {}).values())
        for order in orders:
            book.cancel(self._world, owner, order)
        self._after_cancel(owner, symbol)
        return len(orders)

    def cancel_after(
        self, symbol: str, countdown_ms: int, now_ms: int, *, account: str = MAIN
    ) -> None:
        """Cancel the symbol's plain orders in `countdown_ms` unless told again; 0 forgets it."""
        owner = self._at(account, now_ms)
        if countdown_ms:
            owner.countdowns[symbol] = now_ms + countdown_ms
        else:
            owner.countdowns.pop(symbol, None)

    def pass_time(self, now_ms: int) -> None:
        """Carry out what was due by now: good-till dates and countdowns."""
        self._world.now_ms = max(self._world.now_ms, now_ms)
        for owner in self._world.accounts.values():
            due = owner.dated or owner.countdowns
            if due and deadlines.pass_deadlines(self._world, owner) and owner.working_children:
                for symbol in tuple(owner.working_children):
                    algo.finish_children(self._world, owner, symbol)

    def next_deadline_ms(self) -> int | None:
        """When `pass_time` has something to do; None when nothing is due."""
        due = [
            moment
            for owner in self._world.accounts.values()
            for moment in (
                *owner.countdowns.values(),
                *(order.good_till_ms for order in owner.dated.values()),
            )
        ]
        return min(due, default=None)

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

    # The account

    def set_leverage(
        self, symbol: str, leverage: int, now_ms: int, *, account: str = MAIN
    ) -> Decimal | Refusal:
        """Set a symbol's leverage; the largest position notional it allows, or a refusal."""
        return settings.set_leverage(self._world, self._at(account, now_ms), symbol, leverage)

    def set_margin_type(
        self, symbol: str, margin_type: MarginType, now_ms: int, *, account: str = MAIN
    ) -> Refusal | None:
        """Set a symbol's margin type; refused when it is set already, with orders or a position."""
        owner = self._at(account, now_ms)
        return settings.set_margin_type(self._world, owner, symbol, margin_type)

    def set_hedged(self, hedged: bool, now_ms: int, *, account: str = MAIN) -> Refusal | None:
        """Turn hedge mode on or off; -4059, -4067 or -4068 when that cannot be."""
        return settings.set_hedged(self._at(account, now_ms), hedged)

    # What is done to a trader

    def close_by_hand(
        self, symbol: str, now_ms: int, quantity: Decimal | None = None, *, account: str = MAIN
    ) -> OrderView | None:
        """Close as a person on the exchange's own site does (client id `web_...`)."""
        owner, holding = self._victim(symbol, now_ms, account)
        return forced.close_by_hand(self._world, owner, holding, quantity) if holding else None

    def force_liquidation(
        self, symbol: str, now_ms: int, *, account: str = MAIN
    ) -> OrderView | None:
        """Liquidate the position whatever its margin (client id `autoclose-...`)."""
        owner, holding = self._victim(symbol, now_ms, account)
        return forced.liquidate(self._world, owner, holding) if holding else None

    def force_adl(
        self, symbol: str, now_ms: int, quantity: Decimal | None = None, *, account: str = MAIN
    ) -> OrderView | None:
        """Deleverage the position or a part of it (client id `adl_autoclose`)."""
        owner, holding = self._victim(symbol, now_ms, account)
        return forced.deleverage(self._world, owner, holding, quantity) if holding else None

    def force_settlement(
        self, symbol: str, now_ms: int, *, account: str = MAIN
    ) -> OrderView | None:
        """Settle the position of a delisted symbol (client id `settlement_autoclose-...`)."""
        owner, holding = self._victim(symbol, now_ms, account)
        return forced.settle(self._world, owner, holding) if holding else None

    def _victim(self, symbol: str, now_ms: int, account: str) -> tuple[Account, Holding | None]:
        owner = self._at(account, now_ms)
        held = owner.held(symbol)
        return owner, held[0] if held else None

    def _at(self, account: str, now_ms: int) -> Account:
        self._world.now_ms = now_ms
        return self._world.accounts[account]

    def _watch_mark(self, account: Account, market: Market) -> None:
        symbol = market.instrument.symbol
        if account.open_conditionals.get(symbol):
            algo.fire_touched(self._world, account, market)
        if account.held(symbol):
            forced.check_liquidation(self._world, account, market)

    def _after_cancel(self, account: Account, symbol: str) -> None:
        if account.working_children:
            algo.finish_children(self._world, account, symbol)

    def _after_fill(self, account: Account, symbol: str) -> None:
        algo.expire_dependents(self._world, account, symbol)
