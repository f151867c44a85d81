"""REST answers, decoded: bytes in, our records out, `Malformed` for anything unreadable.

Must not know: requests, sockets, or what the core will make of a record. Tolerant of unknown and
missing optional fields, strict about numbers: NaN, infinities and absurd sizes are malformed.
Source: reference sheet sections 3 and 4 (2026-11); fields marked UNCERTAIN there are optional here.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

import msgspec

from data.model import (
    Candle,
    Direction,
    Fill,
    Funding,
    MarginType,
    OrderReport,
    OrderStatus,
    Position,
    Side,
)
from data.money import ZERO

FUTURE_MS_MAX: Final = 86_400_000  # a moment later than this from now is nonsense
MAGNITUDE_MAX: Final = 30  # decimal digits before or after the point: no market has more
T = TypeVar("T")

ORDER_STATUS: Final = {
    "NEW": OrderStatus.NEW,
    "PARTIALLY_FILLED": OrderStatus.PARTIALLY_FILLED,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
    "REJECTED": OrderStatus.REJECTED,
    # Liquidation and auto-deleveraging of a position; the order itself is foreign to us.
    "NEW_INSURANCE": OrderStatus.NEW,
    "NEW_ADL": OrderStatus.NEW,
}
ALGO_STATUS: Final = {
    "NEW": OrderStatus.NEW,
    "CANCELED": OrderStatus.CANCELED,
    "EXPIRED": OrderStatus.EXPIRED,
    "REJECTED": OrderStatus.REJECTED,
    "TRIGGERING": OrderStatus.TRIGGERED,
    "TRIGGERED": OrderStatus.TRIGGERED,
    "FINISHED": OrderStatus.TRIGGERED,  # the child was filled or cancelled: it says which
}
SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}
_POSITION_SIDES: Final = {"LONG": Direction.LONG, "SHORT": Direction.SHORT}
_MARGIN_TYPES: Final = {
    "ISOLATED": MarginType.ISOLATED,
    "CROSSED": MarginType.CROSSED,
    "CROSS": MarginType.CROSSED,
}


class Malformed(ValueError):
    """What came is not what the exchange documents; nothing may be concluded from it."""


class Unheard(Malformed):
    """A word of the exchange's that is new to us: nothing is concluded, but nothing is wrong."""


class Row(msgspec.Struct, rename="camel"):
    """A record on the wire; its Decimals are checked to be numbers one can calculate with."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, Decimal):
                check_number(value)


class OrderRow(Row):
    """A plain order: placement answer, query and list alike (avgPrice only in the latter)."""

    client_order_id: str
    order_id: int
    symbol: str
    status: str
    executed_qty: Decimal = ZERO
    avg_price: Decimal | None = None
    update_time: int = 0


class AlgoRow(Row):
    """A conditional order: placement answer, query and list alike."""

    client_algo_id: str
    symbol: str
    algo_status: str
    algo_id: int = 0
    actual_order_id: str | int | None = None
    update_time: int = 0
    trigger_price: str | int | float | None = None
    quantity: str | int | float | None = None
    close_position: bool | None = None


class AlgoCancelRow(Row):
    """The answer to cancelling a conditional order; `code` is text here, a number elsewhere."""

    client_algo_id: str = ""
    algo_id: int = 0
    code: str | int = ""


class PositionRow(Row):
    """One symbol's position, v3."""

    symbol: str
    position_amt: Decimal
    entry_price: Decimal
    position_side: str = "BOTH"
    un_realized_profit: Decimal = ZERO
    liquidation_price: Decimal | None = None
    update_time: int = 0


class BalanceRow(Row):
    """One asset's wallet balance."""

    asset: str
    balance: Decimal


class TradeRow(Row):
    """One of our fills."""

    id: int
    symbol: str
    order_id: int
    side: str
    price: Decimal
    qty: Decimal
    realized_pnl: Decimal
    commission: Decimal
    commission_asset: str
    time: int
    maker: bool = False
    position_side: str = "BOTH"


class IncomeRow(Row):
    """One line of the account's income."""

    symbol: str
    income_type: str
    income: Decimal
    asset: str
    time: int
    tran_id: int


class TimeRow(Row):
    """The exchange's clock."""

    server_time: int


class MarkRow(Row):
    """Mark price of one symbol."""

    symbol: str
    mark_price: Decimal
    time: int = 0


class AccountConfigRow(Row):
    """The account's modes."""

    dual_side_position: bool
    multi_assets_margin: bool = False
    can_trade: bool = True


class ApiRestrictionsRow(Row):
    """What a key may do. A permission that is not told is taken as given: it must be shown off."""

    ip_restrict: bool = False
    enable_withdrawals: bool = True
    enable_internal_transfer: bool = True
    permits_universal_transfer: bool = True
    enable_futures: bool = True


class SymbolConfigRow(Row):
    """Leverage and margin type of one symbol."""

    symbol: str
    margin_type: str
    leverage: int


class ListenKeyRow(Row):
    """The user stream's key."""

    listen_key: str


class _KlineRow(msgspec.Struct, array_like=True):
    open_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    close_ms: int


def check_number(value: Decimal) -> None:
    """Refuse what is no finite number of a sane size; raises ValueError."""
    if not value.is_finite() or abs(value.adjusted()) > MAGNITUDE_MAX:
        raise ValueError(f"not a usable number: {str(value)[:40]}")


def check_moment(moment_ms: int, *, now_ms: int) -> None:
    """Refuse a moment before the epoch or more than a day ahead of `now_ms`; raises Malformed."""
    if not 0 <= moment_ms <= now_ms + FUTURE_MS_MAX:
        raise Malformed(f"a moment that cannot be: {moment_ms}")


def decode(body: bytes | msgspec.Raw, kind: type[T]) -> T:
    """Read JSON as `kind`, numbers also from strings; raises Malformed."""
    try:
        return msgspec.json.decode(body, type=kind, strict=False)
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError) as fault:
        raise Malformed(str(fault)[:200]) from fault


def order_report(row: OrderRow, *, now_ms: int) -> OrderReport:
    """A plain order (or a triggered child) as the core knows it; Unheard on a new status."""
    status = ORDER_STATUS.get(row.status)
    if status is None:
        raise Unheard(f"unknown order status {row.status[:40]!r}")
    if row.executed_qty < 0 or (row.avg_price is not None and row.avg_price < 0):
        raise Malformed(f"{row.executed_qty} filled at {row.avg_price}")
    check_moment(row.update_time, now_ms=now_ms)
    return OrderReport(
        order_id=row.client_order_id,
        symbol=row.symbol,
        status=status,
        filled_quantity=row.executed_qty,
        average_price=row.avg_price or None,
        conditional=False,
        event_ms=row.update_time or now_ms,
        venue_order_id=row.order_id,
    )


def algo_report(row: AlgoRow, *, now_ms: int) -> OrderReport:
    """A conditional order's own record; what it filled is the child's to tell."""
    status = ALGO_STATUS.get(row.algo_status)
    if status is None:
        raise Unheard(f"unknown algo status {row.algo_status[:40]!r}")
    check_moment(row.update_time, now_ms=now_ms)
    return OrderReport(
        order_id=row.client_algo_id,
        symbol=row.symbol,
        status=status,
        filled_quantity=ZERO,
        average_price=None,
        conditional=True,
        event_ms=row.update_time or now_ms,
        venue_order_id=child_id(row.actual_order_id),
        trigger_price=_told(row.trigger_price),
        order_quantity=ZERO if row.close_position else _told(row.quantity),
    )


def _told(number: str | float | None) -> Decimal | None:
    """What is said beside the point: a number above zero, or nothing."""
    try:
        value = Decimal(str(number or 0))
    except InvalidOperation:
        return None
    return value if value.is_finite() and value > ZERO else None


def child_id(actual_order_id: str | int | None) -> int | None:
    """The child's order number; the wire has "" or 0 before there is one."""
    text = str(actual_order_id or "")
    number = int(text[:20]) if text.isascii() and text.isdigit() else 0
    return number or None


def side_of(position_side: str) -> Direction | None:
    """Which of a hedge-mode symbol's two positions; None in one-way mode (BOTH)."""
    return _POSITION_SIDES.get(position_side)


def signed_amount(amount: Decimal, position_side: str) -> Decimal:
    """A position's amount, negative for a short one whatever sign the wire gives it."""
    side = side_of(position_side)
    return amount if side is None else abs(amount) * side.sign


def meant_rows(rows: Sequence[T], said: Callable[[T], tuple[str, str, Decimal]]) -> list[T]:
    """Of each symbol the rows that speak of the account's mode; some tell the other mode's too.

    `said` gives a row's symbol, position side and amount. In hedge mode these are the rows of both
    sides, in one-way mode that of BOTH; the others are empty then and mean nothing.
    """
    by_symbol: dict[str, list[T]] = {}
    for row in rows:
        by_symbol.setdefault(said(row)[0], []).append(row)
    meant: list[T] = []
    for own in by_symbol.values():
        sides = [row for row in own if side_of(said(row)[1]) is not None]
        if len(sides) == len(own) or any(said(row)[2] != 0 for row in sides):
            meant += sides
        else:
            meant += [row for row in own if side_of(said(row)[1]) is None]
    return meant


def position_of(row: PositionRow, *, now_ms: int) -> Position:
    """A position, signed; a liquidation price of zero means there is none. Raises Malformed."""
    if row.entry_price < 0:
        raise Malformed(f"an entry price of {row.entry_price}")
    check_moment(row.update_time, now_ms=now_ms)
    return Position(
        symbol=row.symbol,
        quantity=signed_amount(row.position_amt, row.position_side),
        entry_price=row.entry_price,
        updated_ms=row.update_time,
        unrealized_pnl_usdt=row.un_realized_profit,
        liquidation_price=row.liquidation_price or None,
        side=side_of(row.position_side),
    )


def fill_of(row: TradeRow) -> Fill:
    """A fill as listed: it names the order by the venue's number only."""
    side = SIDES.get(row.side)
    if side is None or row.qty <= 0 or row.price <= 0:
        raise Malformed(f"a fill of {row.qty} at {row.price}, side {row.side[:10]!r}")
    return Fill(
        fill_id=row.id,
        symbol=row.symbol,
        order_id="",
        venue_order_id=row.order_id,
        side=side,
        quantity=row.qty,
        price=row.price,
        fee=row.commission,
        fee_asset=row.commission_asset,
        realized_pnl_usdt=row.realized_pnl,
        filled_ms=row.time,
        maker=row.maker,
        position_side=side_of(row.position_side),
    )


def funding_of(row: IncomeRow) -> Funding:
    """A payment in USDT. tranId is unique within a kind of income only, so others say theirs."""
    number = str(row.tran_id)
    return Funding(
        funding_id=number if row.income_type == "FUNDING_FEE" else f"{row.income_type}-{number}",
        symbol=row.symbol,
        amount_usdt=row.income,
        paid_ms=row.time,
    )


def margin_type_of(text: str) -> MarginType | None:
    """A margin type in any of the exchange's spellings; None for a new one."""
    return _MARGIN_TYPES.get(text.upper())


def closed_candles(
    body: bytes, *, symbol: str, timeframe: str, asked_ms: int, margin_ms: int
) -> tuple[Candle, ...]:
    """Closed bars of a klines answer, oldest first; raises Malformed.

    The last row is usually the bar still open. It counts as closed only when its end lies more
    than `margin_ms` before `asked_ms`, the moment of asking: else its numbers may not be final.
    """
    rows = decode(body, list[_KlineRow])
    if rows and rows[-1].close_ms + margin_ms >= asked_ms:
        rows.pop()
    candles = tuple(_candle(row, symbol, timeframe) for row in rows)
    for before, after in itertools.pairwise(candles):
        if after.open_ms <= before.open_ms:
            raise Malformed(f"klines out of order at {after.open_ms}")
    return candles


def checked_candle(candle: Candle) -> Candle:
    """The same candle, once its prices make sense; raises Malformed."""
    prices = (candle.open, candle.high, candle.low, candle.close, candle.volume)
    sane = (
        all(math.isfinite(price) for price in prices)
        and 0 < candle.low <= min(candle.open, candle.close)
        and candle.high >= max(candle.open, candle.close)
        and candle.volume >= 0
        and 0 <= candle.open_ms < 10**14
    )
    if not sane:
        raise Malformed(f"impossible bar of {candle.symbol} at {candle.open_ms}")
    return candle


def _candle(row: _KlineRow, symbol: str, timeframe: str) -> Candle:
    return checked_candle(
        Candle(
            symbol=symbol,
            timeframe=timeframe,
            open_ms=row.open_ms,
            open=row.open,
            high=row.high,
            low=row.low,
            close=row.close,
            volume=row.volume,
        )
    )
