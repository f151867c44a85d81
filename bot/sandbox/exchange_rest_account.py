"""The account over the pretend exchange's REST: one small function an endpoint.

Source: the facts sheet's sections 2.4 and 3. Synchronous: a Call in; a JSON-ready value or a
Refusal out. Must not know: sockets, signatures, faults.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from bot.sandbox import exchange_answers as answers
from bot.sandbox.exchange import MAKER_RATE, TAKER_RATE
from bot.sandbox.exchange_call import (
    ROWS_MAX,
    Call,
    Result,
    Route,
    Security,
    instrument_of,
    limit_of,
    maybe_symbol,
    window_of,
)
from bot.sandbox.exchange_dialect import (
    INCOME,
    need,
    symbol_of,
    truth_of,
    whole_of,
)
from bot.sandbox.exchange_records import IncomeKind, PositionSide, PositionView, Refusal
from bot.sandbox.exchange_rules import BAD_SYMBOL
from data.model import MarginType
from data.money import plain

TRADES_WINDOW_MS: Final = 7 * 86_400_000
OK: Final = MappingProxyType({"code": 200, "msg": "success"})
INCOME_OF: Final = MappingProxyType({text: kind for kind, text in INCOME.items()})


def _leverage(call: Call) -> Result:
    symbol = symbol_of(call.params)
    need(call.params, "leverage")
    leverage = whole_of(call.params, "leverage") or 0
    answer = call.floor.exchange.set_leverage(symbol, leverage, call.now_ms, account=call.account)
    if isinstance(answer, Refusal):
        return answer
    return {"symbol": symbol, "leverage": leverage, "maxNotionalValue": plain(answer)}


def _margin_type(call: Call) -> Result:
    symbol = symbol_of(call.params)
    text = need(call.params, "marginType").upper()
    if text not in ("ISOLATED", "CROSSED"):
        return Refusal(code=-1130, text="Data sent for parameter 'marginType' is not valid.")
    kind = MarginType(text.lower())
    refusal = call.floor.exchange.set_margin_type(symbol, kind, call.now_ms, account=call.account)
    return refusal or dict(OK)


def _dual(call: Call) -> Result:
    return {"dualSidePosition": call.floor.exchange.hedged(account=call.account)}


def _set_dual(call: Call) -> Result:
    need(call.params, "dualSidePosition")
    hedged = truth_of(call.params, "dualSidePosition")
    return call.floor.exchange.set_hedged(hedged, call.now_ms, account=call.account) or dict(OK)


def _multi_assets(_: Call) -> Result:
    return {"multiAssetsMargin": False}


def _set_multi_assets(call: Call) -> Result:
    need(call.params, "multiAssetsMargin")
    if not truth_of(call.params, "multiAssetsMargin"):
        return Refusal(code=-4171, text="No need to change Multi-Assets Mode.")
    # Not part of this pretend world: refused as if something stood in its way.
    return Refusal(
        code=-4170, text="Multi-Assets Mode cannot be changed if there exists open orders."
    )


def _account(version: int) -> Callable[[Call], Result]:
    def act(call: Call) -> Result:
        exchange = call.floor.exchange
        rows = [(view, call.floor.instruments[view.symbol]) for view in _views(call, version)]
        balance = exchange.balances(account=call.account)
        return answers.account_answer(balance, rows, version=version)

    return act


def _balance(call: Call) -> Result:
    return list(answers.balance_rows(call.floor.exchange.balances(account=call.account)))


def _position_risk(version: int) -> Callable[[Call], Result]:
    def act(call: Call) -> Result:
        wanted = maybe_symbol(call)
        return [
            answers.position_row(view, call.floor.instruments[view.symbol], version=version)
            for view in _views(call, version)
            if wanted in (None, view.symbol)
        ]

    return act


def _symbol_config(call: Call) -> Result:
    chosen = [instrument_of(call)] if call.params.get("symbol") else call.floor.instruments.values()
    return [
        answers.symbol_config(call.floor.exchange.position(one.symbol, account=call.account), one)
        for one in chosen
    ]


def _account_config(call: Call) -> Result:
    return {
        "feeTier": 0,
        "canTrade": True,
        "canDeposit": True,
        "canWithdraw": False,
        "dualSidePosition": call.floor.exchange.hedged(account=call.account),
        "multiAssetsMargin": False,
        "updateTime": 0,
        "tradeGroupId": -1,
    }


def _user_trades(call: Call) -> Result:
    symbol = symbol_of(call.params)
    if symbol not in call.floor.instruments:
        return BAD_SYMBOL
    since_ms, until_ms = window_of(call)
    if since_ms == 0 and until_ms < 1 << 62:
        since_ms = until_ms - TRADES_WINDOW_MS
    order, first = whole_of(call.params, "orderId"), whole_of(call.params, "fromId") or 0
    exchange = call.floor.exchange
    rows = [
        answers.trade_row(fill, exchange.side_of(fill, account=call.account))
        for fill in exchange.fills(symbol, since_ms, account=call.account)
        if fill.filled_ms <= until_ms
        and order in (None, fill.venue_order_id)
        and fill.fill_id >= first
    ]
    return rows[: limit_of(call.params, 500, ROWS_MAX)]  # truncation keeps the oldest


def _income(call: Call) -> Result:
    since_ms, until_ms = window_of(call)
    kind: IncomeKind | None = None
    name = call.params.get("incomeType")
    if name:
        kind = INCOME_OF.get(name)
        if kind is None:
            return []
    rows = call.floor.exchange.income(maybe_symbol(call), since_ms, kind, account=call.account)
    found = [answers.income_row(row) for row in rows if row.paid_ms <= until_ms]
    return found[: limit_of(call.params, 100, ROWS_MAX)]


def _commission_rate(call: Call) -> Result:
    return {
        "symbol": instrument_of(call).symbol,
        "makerCommissionRate": plain(MAKER_RATE),
        "takerCommissionRate": plain(TAKER_RATE),
        "rpiCommissionRate": "0.00005",
    }


def _issue_key(call: Call) -> Result:
    return {"listenKey": call.keys.issue(call.account, call.now_ms)}


def _extend_key(call: Call) -> Result:
    answer = call.keys.extend(call.account, call.now_ms)
    return answer if isinstance(answer, Refusal) else {"listenKey": answer}


def _drop_key(call: Call) -> Result:
    call.keys.drop(call.account)
    return {}


def _rate_limit(_: Call) -> Result:
    return [dict(row) for row in answers.RATE_LIMITS[1:]]


def _restrictions(call: Call) -> Result:
    return dict(call.permissions)


def _exposed(call: Call) -> list[tuple[str, PositionSide]]:
    exchange = call.floor.exchange
    ordered = {
        (view.symbol, view.position_side) for view in exchange.open_orders(account=call.account)
    }
    held = {(v.symbol, v.position_side) for v in exchange.positions(account=call.account)}
    return sorted(ordered | held)


def _views(call: Call, version: int) -> list[PositionView]:
    """Version 3 shows what has a position or an order; version 2 every book of every symbol."""
    exchange = call.floor.exchange
    hedged = exchange.hedged(account=call.account)
    sides = tuple(PositionSide) if hedged else (PositionSide.BOTH,)
    every = [(symbol, side) for symbol in call.floor.instruments for side in sides]
    chosen = _exposed(call) if version == 3 else every
    return [exchange.position(symbol, side, account=call.account) for symbol, side in chosen]


ROUTES: Final = MappingProxyType(
    {
        ("POST", "/fapi/v1/leverage"): Route(act=_leverage, security=Security.SIGNED, weight=1),
        ("POST", "/fapi/v1/marginType"): Route(
            act=_margin_type, security=Security.SIGNED, weight=1
        ),
        ("GET", "/fapi/v1/positionSide/dual"): Route(
            act=_dual, security=Security.SIGNED, weight=30
        ),
        ("POST", "/fapi/v1/positionSide/dual"): Route(
            act=_set_dual, security=Security.SIGNED, weight=1
        ),
        ("GET", "/fapi/v1/multiAssetsMargin"): Route(
            act=_multi_assets, security=Security.SIGNED, weight=30
        ),
        ("POST", "/fapi/v1/multiAssetsMargin"): Route(
            act=_set_multi_assets, security=Security.SIGNED, weight=1
        ),
        ("GET", "/fapi/v2/account"): Route(act=_account(2), security=Security.SIGNED, weight=5),
        ("GET", "/fapi/v3/account"): Route(act=_account(3), security=Security.SIGNED, weight=5),
        ("GET", "/fapi/v2/balance"): Route(act=_balance, security=Security.SIGNED, weight=5),
        ("GET", "/fapi/v3/balance"): Route(act=_balance, security=Security.SIGNED, weight=5),
        ("GET", "/fapi/v2/positionRisk"): Route(
            act=_position_risk(2), security=Security.SIGNED, weight=5
        ),
        ("GET", "/fapi/v3/positionRisk"): Route(
            act=_position_risk(3), security=Security.SIGNED, weight=5
        ),
        ("GET", "/fapi/v1/symbolConfig"): Route(
            act=_symbol_config, security=Security.SIGNED, weight=5
        ),
        ("GET", "/fapi/v1/accountConfig"): Route(
            act=_account_config, security=Security.SIGNED, weight=5
        ),
        ("GET", "/fapi/v1/userTrades"): Route(act=_user_trades, security=Security.SIGNED, weight=5),
        ("GET", "/fapi/v1/income"): Route(act=_income, security=Security.SIGNED, weight=30),
        ("GET", "/fapi/v1/commissionRate"): Route(
            act=_commission_rate, security=Security.SIGNED, weight=20
        ),
        ("POST", "/fapi/v1/listenKey"): Route(act=_issue_key, security=Security.KEY, weight=1),
        ("PUT", "/fapi/v1/listenKey"): Route(act=_extend_key, security=Security.KEY, weight=1),
        ("DELETE", "/fapi/v1/listenKey"): Route(act=_drop_key, security=Security.KEY, weight=1),
        ("GET", "/fapi/v1/rateLimit/order"): Route(
            act=_rate_limit, security=Security.SIGNED, weight=1
        ),
        ("GET", "/sapi/v1/account/apiRestrictions"): Route(
            act=_restrictions, security=Security.SIGNED, weight=1
        ),
    }
)
