"""The pretend account on paper, kept and brought back: an exchange does not forget over a restart.

What is kept: wallet, positions, settings, orders and conditional orders (those that ended too, up
to a bound, because their ids may be asked about), fills and income (up to a bound), the counters,
and when funding is due. Prices are not: the market tells them anew.

Must not know: where the text is kept.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from bot.sandbox.exchange import MAIN, Exchange
from bot.sandbox.exchange_records import Income
from bot.sandbox.exchange_state import Account, Conditional, Holding, Order, World
from data.model import Fill, MarginType

ENDED_MAX: Final = 500  # ended orders, fills and income rows kept: days of a busy account
VERSION: Final = 1

Row = TypeVar("Row", Order, Conditional)


class PaperStateUnreadable(Exception):
    """The kept account was not written by this version, or is damaged; the text says what."""


@dataclass(slots=True, kw_only=True)
class _Kept:
    version: int = VERSION
    wallet: Decimal
    updated_ms: int
    holdings: list[Holding]
    leverage: dict[str, int]
    margin_types: dict[str, MarginType]
    orders: list[Order]
    conditionals: list[Conditional]
    fills: list[Fill]
    income: list[Income]
    numbers: tuple[int, int, int, int]
    next_funding_ms: dict[str, int] = field(default_factory=dict)


def freeze(exchange: Exchange) -> str:
    """The main account as a JSON text."""
    world = _world_of(exchange)
    account = world.accounts[MAIN]
    waiting = {n for book in account.open_conditionals.values() for n in book}
    working = {n for book in account.open_orders.values() for n in book}
    kept = _Kept(
        wallet=account.wallet,
        updated_ms=account.updated_ms,
        holdings=list(account.holdings.values()),
        leverage=account.leverage,
        margin_types=account.margin_types,
        orders=_newest(account.orders, working),
        conditionals=_newest(account.conditionals, waiting),
        fills=list(account.fills)[-ENDED_MAX:],
        income=list(account.income)[-ENDED_MAX:],
        numbers=(
            world.order_number,
            world.fill_number,
            world.income_number,
            world.conditional_number,
        ),
        next_funding_ms={s: m.next_funding_ms for s, m in world.markets.items()},
    )
    return msgspec.json.encode(kept).decode()


def symbols_in(text: str) -> tuple[str, ...]:
    """Every symbol a kept account speaks of: all must be listed. Raises PaperStateUnreadable."""
    kept = _read(text)
    spoken = (kept.holdings, kept.orders, kept.conditionals, kept.fills, kept.income)
    named = {row.symbol for rows in spoken for row in rows}
    return tuple(sorted(named | set(kept.leverage) | set(kept.margin_types)))


def thaw(exchange: Exchange, text: str) -> None:
    """Put a kept account in place of the exchange's main one. Raises PaperStateUnreadable."""
    kept = _read(text)
    world = _world_of(exchange)
    account = Account(account_id=MAIN, wallet=kept.wallet, updated_ms=kept.updated_ms)
    account.holdings = {holding.symbol: holding for holding in kept.holdings}
    account.leverage = kept.leverage
    account.margin_types = kept.margin_types
    for order in kept.orders:
        account.remember(order)
        if not _is_working(order):
            account.settle(order)
    for conditional in kept.conditionals:
        _put_back(account, conditional)
    account.fills.extend(kept.fills)
    account.income.extend(kept.income)
    world.accounts[MAIN] = account
    (
        world.order_number,
        world.fill_number,
        world.income_number,
        world.conditional_number,
    ) = kept.numbers
    for symbol, next_ms in kept.next_funding_ms.items():
        if symbol in world.markets:
            world.markets[symbol].next_funding_ms = next_ms


def _read(text: str) -> _Kept:
    try:
        kept = msgspec.json.decode(text.encode(), type=_Kept)
    except (msgspec.MsgspecError, ValueError) as fault:
        raise PaperStateUnreadable(str(fault)) from fault
    if kept.version != VERSION:
        raise PaperStateUnreadable(f"version {kept.version}, this is {VERSION}")
    return kept


def _put_back(account: Account, conditional: Conditional) -> None:
    if conditional.child is not None:  # one order, not a copy of it
        conditional.child = account.orders.get(conditional.child.number, conditional.child)
    account.conditionals[conditional.number] = conditional
    account.newest_conditional[conditional.client_id] = conditional.number
    if conditional.status == "new":
        book = account.open_conditionals.setdefault(conditional.symbol, {})
        book[conditional.number] = conditional


def _is_working(order: Order) -> bool:
    return order.status in ("new", "partially_filled")


def _newest(rows: dict[int, Row], alive: set[int]) -> list[Row]:
    over: list[int] = [number for number in rows if number not in alive]
    return [rows[number] for number in sorted({*over[-ENDED_MAX:], *alive})]


def _world_of(exchange: Exchange) -> World:
    return exchange._world  # noqa: SLF001 - the same room; a copy of the account needs all of it
