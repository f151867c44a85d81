"""Market and account data of the pretend exchange as Binance's REST answers spell them.

Source: the facts sheet's sections 3.1 and 3.4. Pure: views in, JSON-ready values out. Must not
know: requests, signatures, sockets.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from bot.sandbox.exchange_dialect import CENT, INCOME, Json
from bot.sandbox.exchange_frames import NEVER_MS, Style, status_of, ticker_frame
from bot.sandbox.exchange_history import Day
from bot.sandbox.exchange_margin import notional_max
from bot.sandbox.exchange_records import BalanceView, Income, PositionSide, PositionView
from bot.sandbox.exchange_rules import EXTRA_DECIMALS, PRICE_MAX, decimals
from bot.sandbox.exchange_state import Market
from data.model import Bracket, Fill, Instrument, MarginType, Side
from data.money import ZERO, plain

RATE_LIMITS: Final = (
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
)
_TICKER_NAMES: Final = (
    ("symbol", "s"),
    ("priceChange", "p"),
    ("priceChangePercent", "P"),
    ("weightedAvgPrice", "w"),
    ("lastPrice", "c"),
    ("lastQty", "Q"),
    ("openPrice", "o"),
    ("highPrice", "h"),
    ("lowPrice", "l"),
    ("volume", "v"),
    ("quoteVolume", "q"),
    ("openTime", "O"),
    ("closeTime", "C"),
    ("firstId", "F"),
    ("lastId", "L"),
    ("count", "n"),
)


def exchange_info(
    instruments: Iterable[Instrument], now_ms: int, deliveries: Mapping[str, int] | None = None
) -> Json:
    """Every symbol with its filters; `deliveries`: when those that have one are delivered."""
    return {
        "timezone": "UTC",
        "serverTime": now_ms,
        "futuresType": "U_MARGINED",
        "rateLimits": list(RATE_LIMITS),
        "exchangeFilters": [],
        "assets": [{"asset": "USDT", "marginAvailable": True, "autoAssetExchange": "-10000"}],
        "symbols": [
            _symbol(one, (deliveries or {}).get(one.symbol, NEVER_MS)) for one in instruments
        ],
    }


def bracket_rows(instrument: Instrument, brackets: tuple[Bracket, ...]) -> Json:
    """One symbol's leverage brackets; ratios and amounts are JSON numbers."""
    return {
        "symbol": instrument.symbol,
        "notionalCoef": 1.0,
        "brackets": [
            {
                "bracket": number,
                "initialLeverage": one.leverage_max,
                "notionalCap": int(one.notional_cap),
                "notionalFloor": int(one.notional_floor),
                "maintMarginRatio": float(one.maintenance_ratio),
                "cum": float(one.maintenance_amount),
            }
            for number, one in enumerate(brackets, start=1)
        ],
    }


def ticker_row(style: Style, day: Day, now_ms: int) -> Json:
    """The last 24 hours under their long names."""
    frame = ticker_frame(style, day, now_ms)
    return {name: frame[key] for name, key in _TICKER_NAMES}


def premium_row(market: Market, now_ms: int) -> Json:
    """Mark price and funding."""
    mark = plain(market.mark)
    return {
        "symbol": market.instrument.symbol,
        "markPrice": mark,
        "indexPrice": mark,
        "estimatedSettlePrice": mark,
        "lastFundingRate": plain(market.funding_rate),
        "interestRate": "0.00010000",
        "nextFundingTime": market.next_funding_ms,
        "time": now_ms,
    }


def book_row(market: Market, now_ms: int) -> Json:
    """Best bid and ask, one tick apart."""
    assert market.last is not None, "a book row without a price"
    return {
        "symbol": market.instrument.symbol,
        "bidPrice": plain(market.last),
        "bidQty": plain(market.instrument.step_size * 1000),
        "askPrice": plain(market.last + market.instrument.tick_size),
        "askQty": plain(market.instrument.step_size * 1000),
        "time": now_ms,
        "lastUpdateId": now_ms,
    }


def position_row(view: PositionView, instrument: Instrument, *, version: int) -> Json:
    """One position; version 2 also tells leverage and margin type."""
    isolated = view.margin_type is MarginType.ISOLATED
    row: Json = {
        "symbol": view.symbol,
        "positionSide": view.position_side.value.upper(),
        "positionAmt": plain(view.quantity),
        "entryPrice": plain(view.entry_price),
        "breakEvenPrice": plain(view.break_even_price),
        "markPrice": plain(view.mark_price),
        "unRealizedProfit": _cents(view.unrealized_usdt),
        "liquidationPrice": _cents(view.liquidation_price or ZERO),
        "isolatedMargin": _cents(view.isolated_wallet_usdt + view.unrealized_usdt)
        if isolated
        else "0",
        "notional": _cents(view.notional_usdt),
        "isolatedWallet": _cents(view.isolated_wallet_usdt),
        "updateTime": view.updated_ms,
    }
    if version == 3:
        row |= {
            "marginAsset": "USDT",
            "initialMargin": _cents(view.position_margin_usdt + view.order_margin_usdt),
            "maintMargin": _cents(view.maintenance_usdt),
            "positionInitialMargin": _cents(view.position_margin_usdt),
            "openOrderInitialMargin": _cents(view.order_margin_usdt),
            "adl": 1 if view.quantity else 0,
            "bidNotional": plain(view.bid_notional_usdt),
            "askNotional": plain(view.ask_notional_usdt),
        }
        return row
    row |= {
        "leverage": str(view.leverage),
        "marginType": "isolated" if isolated else "cross",
        "isAutoAddMargin": "false",
        "maxNotionalValue": plain(notional_max(instrument, view.leverage)),
    }
    return row


def symbol_config(view: PositionView, instrument: Instrument) -> Json:
    """Leverage and margin type, where they live now."""
    return {
        "symbol": view.symbol,
        "marginType": view.margin_type.value.upper(),
        "isAutoAddMargin": False,
        "leverage": view.leverage,
        "maxNotionalValue": plain(notional_max(instrument, view.leverage)),
    }


def balance_rows(view: BalanceView) -> list[Json]:
    """The USDT balance."""
    available = _cents(view.available_usdt)
    return [
        {
            "accountAlias": "SgsR",
            "asset": "USDT",
            "balance": plain(view.wallet_usdt),
            "crossWalletBalance": plain(view.cross_wallet_usdt),
            "crossUnPnl": _cents(view.cross_unrealized_usdt),
            "availableBalance": available,
            "maxWithdrawAmount": available,
            "marginAvailable": True,
            "updateTime": view.updated_ms,
        }
    ]


def account_answer(
    view: BalanceView,
    positions: Iterable[tuple[PositionView, Instrument]],
    *,
    version: int,
) -> Json:
    """Totals, the asset and the positions; version 2 adds permissions and leverage."""
    available = _cents(view.available_usdt)
    initial = _cents(view.position_margin_usdt + view.order_margin_usdt)
    margin_balance = _cents(view.wallet_usdt + view.unrealized_usdt)
    answer: Json = {
        "totalInitialMargin": initial,
        "totalMaintMargin": _cents(view.maintenance_usdt),
        "totalWalletBalance": plain(view.wallet_usdt),
        "totalUnrealizedProfit": _cents(view.unrealized_usdt),
        "totalMarginBalance": margin_balance,
        "totalPositionInitialMargin": _cents(view.position_margin_usdt),
        "totalOpenOrderInitialMargin": _cents(view.order_margin_usdt),
        "totalCrossWalletBalance": plain(view.cross_wallet_usdt),
        "totalCrossUnPnl": _cents(view.cross_unrealized_usdt),
        "availableBalance": available,
        "maxWithdrawAmount": available,
        "assets": [
            {
                "asset": "USDT",
                "walletBalance": plain(view.wallet_usdt),
                "unrealizedProfit": _cents(view.unrealized_usdt),
                "marginBalance": margin_balance,
                "maintMargin": _cents(view.maintenance_usdt),
                "initialMargin": initial,
                "positionInitialMargin": _cents(view.position_margin_usdt),
                "openOrderInitialMargin": _cents(view.order_margin_usdt),
                "crossWalletBalance": plain(view.cross_wallet_usdt),
                "crossUnPnl": _cents(view.cross_unrealized_usdt),
                "availableBalance": available,
                "maxWithdrawAmount": available,
                "updateTime": view.updated_ms,
            }
        ],
        "positions": [_account_position(p, i, version=version) for p, i in positions],
    }
    if version == 2:
        answer |= {
            "feeTier": 0,
            "feeBurn": False,
            "canTrade": True,
            "canDeposit": True,
            "canWithdraw": False,
            "multiAssetsMargin": False,
            "tradeGroupId": -1,
            "updateTime": 0,
        }
    return answer


def trade_row(fill: Fill, side: PositionSide = PositionSide.BOTH) -> Json:
    """One fill of userTrades; it names the order by number only."""
    return {
        "buyer": fill.side is Side.BUY,
        "commission": plain(fill.fee),
        "commissionAsset": fill.fee_asset,
        "id": fill.fill_id,
        "maker": fill.maker,
        "orderId": fill.venue_order_id,
        "price": plain(fill.price),
        "qty": plain(fill.quantity),
        "quoteQty": plain(fill.quantity * fill.price),
        "realizedPnl": plain(fill.realized_pnl_usdt),
        "side": fill.side.value.upper(),
        "positionSide": side.value.upper(),
        "symbol": fill.symbol,
        "time": fill.filled_ms,
    }


def income_row(row: Income) -> Json:
    """One change of the wallet."""
    return {
        "symbol": row.symbol,
        "incomeType": INCOME[row.kind],
        "income": plain(row.amount_usdt),
        "asset": "USDT",
        "info": str(row.trade) if row.trade else INCOME[row.kind],
        "time": row.paid_ms,
        "tranId": row.number,
        "tradeId": str(row.trade) if row.trade else "",
    }


def _cents(value: Decimal) -> str:
    return plain(value.quantize(CENT))


def _account_position(view: PositionView, instrument: Instrument, *, version: int) -> Json:
    row: Json = {
        "symbol": view.symbol,
        "positionSide": view.position_side.value.upper(),
        "positionAmt": plain(view.quantity),
        "unrealizedProfit": _cents(view.unrealized_usdt),
        "isolatedMargin": "0",
        "notional": _cents(view.notional_usdt),
        "isolatedWallet": _cents(view.isolated_wallet_usdt),
        "initialMargin": _cents(view.position_margin_usdt + view.order_margin_usdt),
        "maintMargin": _cents(view.maintenance_usdt),
        "updateTime": view.updated_ms,
    }
    if view.margin_type is MarginType.ISOLATED:
        row["isolatedMargin"] = _cents(view.isolated_wallet_usdt + view.unrealized_usdt)
    if version == 2:
        row |= {
            "leverage": str(view.leverage),
            "isolated": view.margin_type is MarginType.ISOLATED,
            "entryPrice": plain(view.entry_price),
            "maxNotional": plain(notional_max(instrument, view.leverage)),
        }
    return row


def _symbol(one: Instrument, delivery_ms: int) -> Json:
    return {
        "symbol": one.symbol,
        "pair": one.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": delivery_ms,
        "onboardDate": one.onboard_ms,
        "status": status_of(one),
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": one.base_asset,
        "quoteAsset": one.quote_asset,
        "marginAsset": one.quote_asset,
        # One digit finer than the grid: a client that rounds by precision is found out.
        "pricePrecision": decimals(one.tick_size) + EXTRA_DECIMALS,
        "quantityPrecision": decimals(one.step_size) + EXTRA_DECIMALS,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": _filters(one),
        "orderTypes": [
            "LIMIT",
            "MARKET",
            "STOP",
            "STOP_MARKET",
            "TAKE_PROFIT",
            "TAKE_PROFIT_MARKET",
            "TRAILING_STOP_MARKET",
        ],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
        "permissionSets": ["GRID", "COPY"],
    }


def _filters(one: Instrument) -> list[Json]:
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": plain(one.tick_size),
            "maxPrice": plain(PRICE_MAX),
            "tickSize": plain(one.tick_size),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": plain(one.quantity_min),
            "maxQty": plain(one.quantity_max),
            "stepSize": plain(one.step_size),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": plain(one.quantity_min),
            "maxQty": plain(one.market_quantity_max),
            "stepSize": plain(one.market_step_size),
        },
        {"filterType": "MAX_NUM_ORDERS", "limit": 200},
        {"filterType": "MIN_NOTIONAL", "notional": plain(one.notional_min)},
        {
            "filterType": "PERCENT_PRICE",
            "multiplierUp": plain(one.price_up_ratio),
            "multiplierDown": plain(one.price_down_ratio),
            "multiplierDecimal": "4",
        },
        {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "NONE"},
    ]
