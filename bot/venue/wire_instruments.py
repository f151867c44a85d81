"""Instruments from exchangeInfo and leverageBracket: filters are loaded, never guessed.

Must not know: requests or who trades what. A row that cannot be read is left out and counted; a
symbol we may not trade is kept with `tradable` False. Source: reference sheet section 3.1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from bot.core.universe import Contract
from bot.venue.wire_answers import Malformed, Row, decode
from data.model import Bracket, Instrument
from data.money import ZERO

QUOTE_ASSET: Final = "USDT"
KINDS: Final = frozenset({"PERPETUAL", ""})  # "" while its trading is still to begin
TRADING: Final = "TRADING"
NEVER_MS: Final = 4_102_444_800_000  # 2100-01-01: perpetuals are "delivered" after it


class _FilterRow(Row):
    filter_type: str
    tick_size: Decimal | None = None
    step_size: Decimal | None = None
    min_qty: Decimal | None = None
    max_qty: Decimal | None = None
    notional: Decimal | None = None
    multiplier_up: Decimal | None = None
    multiplier_down: Decimal | None = None
    position_control_side: str = "NONE"


class _SymbolRow(Row):
    symbol: str
    contract_type: str
    status: str
    base_asset: str
    quote_asset: str
    underlying_type: str = ""
    onboard_date: int = 0
    delivery_date: int = 0
    filters: tuple[_FilterRow, ...] = ()


class _LimitRow(Row):
    rate_limit_type: str
    interval: str
    limit: int
    interval_num: int = 1


class _InfoRow(Row):
    symbols: list[msgspec.Raw]
    rate_limits: tuple[_LimitRow, ...] = ()


class _BracketRow(Row):
    initial_leverage: int
    notional_cap: Decimal
    notional_floor: Decimal
    maint_margin_ratio: Decimal
    cum: Decimal = ZERO


class _BracketsRow(Row):
    symbol: str
    brackets: list[_BracketRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeInfo:
    """What exchangeInfo says. `weight_limit`: request weight a minute, 0 when not said.

    `contracts`: the state of every perpetual of ours, traded or not.
    """

    instruments: Mapping[str, Instrument]
    contracts: Mapping[str, Contract]
    weight_limit: int
    unreadable: int  # rows left out


def exchange_info_of(
    body: bytes, brackets: Mapping[str, tuple[Bracket, ...]] | None = None
) -> ExchangeInfo:
    """All readable instruments by symbol, with their brackets; raises Malformed."""
    info = decode(body, _InfoRow)
    known = brackets or {}
    instruments: dict[str, Instrument] = {}
    contracts: dict[str, Contract] = {}
    unreadable = 0
    for raw in info.symbols:
        try:
            row = decode(raw, _SymbolRow)
            instruments[row.symbol] = _instrument(row, known.get(row.symbol, ()))
            if _is_ours(row):
                contracts[row.symbol] = _contract(row, tradable=instruments[row.symbol].tradable)
        except Malformed:
            unreadable += 1
    weights = [
        limit.limit
        for limit in info.rate_limits
        if (limit.rate_limit_type, limit.interval, limit.interval_num)
        == ("REQUEST_WEIGHT", "MINUTE", 1)
    ]
    return ExchangeInfo(
        instruments=instruments,
        contracts=contracts,
        weight_limit=weights[0] if weights else 0,
        unreadable=unreadable,
    )


def brackets_of(body: bytes) -> dict[str, tuple[Bracket, ...]]:
    """Leverage brackets by symbol, lowest notional first; raises Malformed.

    The answer is a list, or one object when a symbol was sent: both are read.
    """
    rows = decode(body, list[_BracketsRow] | _BracketsRow)  # type: ignore[arg-type]
    listed: list[_BracketsRow] = rows if isinstance(rows, list) else [rows]
    return {row.symbol: tuple(_bracket(b) for b in _by_floor(row.brackets)) for row in listed}


def _by_floor(brackets: list[_BracketRow]) -> list[_BracketRow]:
    return sorted(brackets, key=lambda bracket: bracket.notional_floor)


def _bracket(row: _BracketRow) -> Bracket:
    return Bracket(
        leverage_max=row.initial_leverage,
        notional_floor=row.notional_floor,
        notional_cap=row.notional_cap,
        maintenance_ratio=row.maint_margin_ratio,
        maintenance_amount=row.cum,
    )


def _instrument(row: _SymbolRow, brackets: tuple[Bracket, ...]) -> Instrument:
    filters = {item.filter_type: item for item in row.filters}
    lot = _filter(filters, "LOT_SIZE", row.symbol)
    market = filters.get("MARKET_LOT_SIZE", lot)
    percent = _filter(filters, "PERCENT_PRICE", row.symbol)
    step_size = _positive(lot.step_size, row.symbol)
    quantity_max = _positive(lot.max_qty, row.symbol)
    control = filters.get("POSITION_RISK_CONTROL")
    return Instrument(
        symbol=row.symbol,
        base_asset=row.base_asset,
        quote_asset=row.quote_asset,
        tradable=_is_tradable(row) and (control is None or control.position_control_side == "NONE"),
        tick_size=_positive(_filter(filters, "PRICE_FILTER", row.symbol).tick_size, row.symbol),
        step_size=step_size,
        # A market order must suit both filters: the coarser step, the smaller maximum.
        market_step_size=max(step_size, market.step_size or step_size),
        # A real symbol has a minimum of 0: one step is the least that can be ordered.
        quantity_min=max(step_size, lot.min_qty or step_size),
        quantity_max=quantity_max,
        market_quantity_max=min(quantity_max, market.max_qty or quantity_max),
        notional_min=_filter(filters, "MIN_NOTIONAL", row.symbol).notional or ZERO,
        price_up_ratio=_positive(percent.multiplier_up, row.symbol),
        price_down_ratio=_positive(percent.multiplier_down, row.symbol),
        onboard_ms=row.onboard_date,
        brackets=brackets,
    )


def contract_state(symbol: str, status: str, delivery_ms: int, *, tradable: bool) -> Contract:
    """One contract's state; a delivery in the far future is none."""
    is_set = 0 < delivery_ms < NEVER_MS
    return Contract(
        symbol=symbol,
        status=status[:40],
        tradable=tradable,
        delivery_ms=delivery_ms if is_set else 0,
    )


def _contract(row: _SymbolRow, *, tradable: bool) -> Contract:
    restricted = row.status == TRADING and not tradable
    status = "reduce-only" if restricted else row.status
    return contract_state(row.symbol, status, row.delivery_date, tradable=tradable)


def _is_ours(row: _SymbolRow) -> bool:
    return (
        row.contract_type in KINDS
        and row.quote_asset == QUOTE_ASSET
        and row.underlying_type == "COIN"
    )


def _is_tradable(row: _SymbolRow) -> bool:
    return _is_ours(row) and row.contract_type == "PERPETUAL" and row.status == TRADING


def _filter(filters: Mapping[str, _FilterRow], kind: str, symbol: str) -> _FilterRow:
    found = filters.get(kind)
    if found is None:
        raise Malformed(f"{symbol[:30]} has no {kind}")
    return found


def _positive(value: Decimal | None, symbol: str) -> Decimal:
    if value is None or value <= 0:
        raise Malformed(f"{symbol[:30]} has a filter of {value}")
    return value
