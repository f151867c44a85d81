"""Market data of the pretend exchange over REST: one small function an endpoint.

Source: the facts sheet's sections 2.4 and 3. Synchronous: a Call in; a JSON-ready value or a
Refusal out. Must not know: sockets, signatures, faults.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from bot.sandbox import exchange_answers as answers
from bot.sandbox.exchange_call import (
    ROWS_MAX,
    Call,
    Result,
    Route,
    Security,
    instrument_of,
    limit_of,
)
from bot.sandbox.exchange_dialect import (
    Json,
    need,
    whole_of,
)
from bot.sandbox.exchange_frames import kline_row
from bot.sandbox.exchange_margin import brackets_of
from bot.sandbox.exchange_records import Refusal
from bot.sandbox.exchange_state import Market
from bot.sandbox.tape import TIMEFRAMES_MS
from data.money import plain

KLINES_MAX: Final = 1_500
KLINE_WEIGHTS: Final = ((100, 1), (500, 2), (1_000, 5))  # without a limit: 5


def _ping(_: Call) -> Result:
    return {}


def _time(call: Call) -> Result:
    return {"serverTime": call.now_ms}


def _exchange_info(call: Call) -> Result:
    floor = call.floor
    return answers.exchange_info(floor.instruments.values(), call.now_ms, floor.deliveries)


def _klines(call: Call) -> Result:
    symbol = instrument_of(call).symbol
    timeframe = need(call.params, "interval")
    if timeframe not in TIMEFRAMES_MS and timeframe != "1M":
        return Refusal(code=-1120, text="Invalid interval.")
    limit = limit_of(call.params, 500, KLINES_MAX)
    since_ms, until_ms = whole_of(call.params, "startTime"), whole_of(call.params, "endTime")
    style = call.floor.styles[symbol]
    bars = call.floor.history.bars(symbol, timeframe, since_ms, until_ms, limit)
    return [kline_row(style, bar, timeframe) for bar in bars]


def _ticker_day(call: Call) -> Result:
    def row(market: Market) -> Json | None:
        symbol = market.instrument.symbol
        if not market.instrument.tradable:
            return None
        day = call.floor.history.day(symbol, call.now_ms)
        return answers.ticker_row(call.floor.styles[symbol], day, call.now_ms) if day else None

    return _each_market(call, row)


def _ticker_price(call: Call) -> Result:
    def row(market: Market) -> Json:
        assert market.last is not None, "only priced markets are shown"
        return {
            "symbol": market.instrument.symbol,
            "price": plain(market.last),
            "time": market.updated_ms,
        }

    return _each_market(call, row)


def _ticker_book(call: Call) -> Result:
    return _each_market(call, lambda market: answers.book_row(market, call.now_ms))


def _premium_index(call: Call) -> Result:
    return _each_market(call, lambda market: answers.premium_row(market, call.now_ms))


def _funding_rate(call: Call) -> Result:
    instrument = instrument_of(call)
    market = call.floor.exchange.markets[instrument.symbol]
    settled = market.next_funding_ms - market.funding_interval_ms
    return [
        {
            "symbol": instrument.symbol,
            "fundingTime": settled - back * market.funding_interval_ms,
            "fundingRate": plain(market.funding_rate),
            "markPrice": plain(market.mark),
            "rateType": "Regular",
        }
        for back in range(min(limit_of(call.params, 100, ROWS_MAX), 3) - 1, -1, -1)
    ]


def _leverage_bracket(call: Call) -> Result:
    chosen = [instrument_of(call)] if call.params.get("symbol") else call.floor.instruments.values()
    return [answers.bracket_rows(one, brackets_of(one)) for one in chosen]


def _each_market(call: Call, row: Callable[[Market], Json | None]) -> Result:
    markets = call.floor.exchange.markets
    if call.params.get("symbol"):
        market = markets[instrument_of(call).symbol]
        one = row(market) if market.last is not None else None
        return one if one is not None else Refusal(code=-1112, text="No orders on book.")
    rows = [row(market) for market in markets.values() if market.last is not None]
    return [one for one in rows if one is not None]


ROUTES: Final = MappingProxyType(
    {
        ("GET", "/fapi/v1/ping"): Route(act=_ping, security=Security.NONE, weight=1),
        ("GET", "/fapi/v1/time"): Route(act=_time, security=Security.NONE, weight=1),
        ("GET", "/fapi/v1/exchangeInfo"): Route(
            act=_exchange_info, security=Security.NONE, weight=1
        ),
        ("GET", "/fapi/v1/klines"): Route(
            act=_klines, security=Security.NONE, weight=5, by_limit=KLINE_WEIGHTS
        ),
        ("GET", "/fapi/v1/ticker/24hr"): Route(
            act=_ticker_day, security=Security.NONE, weight=1, wide_weight=40
        ),
        ("GET", "/fapi/v1/ticker/price"): Route(
            act=_ticker_price, security=Security.NONE, weight=1, wide_weight=2
        ),
        ("GET", "/fapi/v2/ticker/price"): Route(
            act=_ticker_price, security=Security.NONE, weight=1, wide_weight=2
        ),
        ("GET", "/fapi/v1/ticker/bookTicker"): Route(
            act=_ticker_book, security=Security.NONE, weight=2, wide_weight=5
        ),
        ("GET", "/fapi/v1/premiumIndex"): Route(
            act=_premium_index, security=Security.NONE, weight=1, wide_weight=10
        ),
        ("GET", "/fapi/v1/fundingRate"): Route(act=_funding_rate, security=Security.NONE, weight=0),
        ("GET", "/fapi/v1/leverageBracket"): Route(
            act=_leverage_bracket, security=Security.SIGNED, weight=1
        ),
    }
)
