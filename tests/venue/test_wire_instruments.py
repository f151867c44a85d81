"""Instruments: filters come from the exchange, and only plain crypto perpetuals are tradable."""

import json
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from bot.venue.wire_answers import Malformed
from bot.venue.wire_instruments import brackets_of, exchange_info_of
from tests.house import ROOT

FIXTURES = ROOT.parent / "shared/fixtures"
FILTERS: list[dict[str, Any]] = [
    {"filterType": "PRICE_FILTER", "minPrice": "1", "maxPrice": "9", "tickSize": "0.10"},
    {"filterType": "LOT_SIZE", "minQty": "0.001", "maxQty": "1000", "stepSize": "0.001"},
    {"filterType": "MARKET_LOT_SIZE", "minQty": "0.001", "maxQty": "120", "stepSize": "0.01"},
    {"filterType": "MIN_NOTIONAL", "notional": "50"},
    {"filterType": "PERCENT_PRICE", "multiplierUp": "1.05", "multiplierDown": "0.95"},
]
SYMBOL: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "contractType": "PERPETUAL",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "underlyingType": "COIN",
    "onboardDate": 5,
    "filters": FILTERS,
}


def _info(*symbols: dict[str, Any]) -> bytes:
    limits = [
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
    ]
    return json.dumps({"symbols": symbols, "rateLimits": limits}).encode()


def test_filters_become_the_instrument() -> None:
    """A market order must suit both lot filters: the coarser step and the smaller maximum."""
    info = exchange_info_of(_info(SYMBOL))
    instrument = info.instruments["BTCUSDT"]
    assert instrument.tradable
    assert instrument.tick_size == Decimal("0.10")
    assert (instrument.step_size, instrument.market_step_size) == (
        Decimal("0.001"),
        Decimal("0.01"),
    )
    assert (instrument.quantity_max, instrument.market_quantity_max) == (1000, 120)
    assert (instrument.notional_min, instrument.price_up_ratio) == (50, Decimal("1.05"))
    assert info.weight_limit == 6000


@pytest.mark.parametrize(
    "changes",
    [
        {"contractType": "TRADIFI_PERPETUAL"},
        {"contractType": "CURRENT_QUARTER"},
        {"status": "SETTLING"},
        {"quoteAsset": "USDC"},
        {"underlyingType": "INDEX"},
        {
            "filters": [
                *FILTERS,
                {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "BUY"},
            ]
        },
    ],
)
def test_special_contracts_are_known_but_not_tradable(changes: dict[str, Any]) -> None:
    """Everything but a trading USDT perpetual on a coin without special regime is left alone."""
    instruments = exchange_info_of(_info({**SYMBOL, **changes})).instruments
    assert not instruments["BTCUSDT"].tradable


def test_one_unreadable_row_costs_only_itself() -> None:
    """A row without a filter we need is left out and counted; the others stay."""
    odd = {**SYMBOL, "symbol": "ODD", "filters": FILTERS[1:]}
    zero = {**SYMBOL, "symbol": "ZERO", "filters": [{**FILTERS[0], "tickSize": "0"}, *FILTERS[1:]]}
    info = exchange_info_of(_info(SYMBOL, odd, zero, {"symbol": "NOTHING"}))
    assert list(info.instruments) == ["BTCUSDT"]
    assert info.unreadable == 3


def test_brackets_are_read_from_a_list_or_one_object() -> None:
    """The answer's shape depends on whether a symbol was sent; order is by notional."""
    row = {
        "symbol": "BTCUSDT",
        "brackets": [
            {"initialLeverage": 50, "notionalCap": 9, "notionalFloor": 5, "maintMarginRatio": 0.02},
            {
                "initialLeverage": 100,
                "notionalCap": 5,
                "notionalFloor": 0,
                "maintMarginRatio": 0.01,
                "cum": 0.0,
            },
        ],
    }
    for body in ([row], row):
        brackets = brackets_of(json.dumps(body).encode())["BTCUSDT"]
        assert [bracket.leverage_max for bracket in brackets] == [100, 50]
        assert brackets[0].maintenance_ratio == Decimal("0.01")
    with pytest.raises(Malformed):
        brackets_of(b"[1]")


def test_the_recorded_dump_decodes_whole() -> None:
    """Every symbol of a real exchangeInfo is read, joined with real brackets."""
    if not FIXTURES.exists():
        pytest.skip("the shared fixtures are not beside this checkout")
    brackets = brackets_of((FIXTURES / "leverage/leverageBracket.rebuilt.json").read_bytes())
    body = (FIXTURES / "exchangeinfo/fapi_exchangeInfo_testnet_2025-03-06.json").read_bytes()
    info = exchange_info_of(body, brackets)
    assert info.unreadable == 0
    bitcoin = info.instruments["BTCUSDT"]
    assert bitcoin.tradable
    assert bitcoin.brackets[0].maintenance_ratio == Decimal("0.004")
    # 368 trade, 28 are settling, 2 are still to begin; indices, deliveries and USDC are not ours.
    assert sum(1 for i in info.instruments.values() if i.tradable) == 368
    states = Counter(contract.status for contract in info.contracts.values())
    assert states == {"TRADING": 368, "SETTLING": 28, "PENDING_TRADING": 2}
    waves = info.contracts["WAVESUSDT"]
    assert (waves.tradable, waves.delivery_ms) == (False, 1_718_096_400_000)


def test_the_state_of_every_perpetual_of_ours_is_told() -> None:
    """Delisting with its delivery date, pending, reduce-only; others' contracts are not ours."""
    control = {"filterType": "POSITION_RISK_CONTROL", "positionControlSide": "BOTH"}
    info = exchange_info_of(
        _info(
            {**SYMBOL, "deliveryDate": 4133404800000},
            {
                **SYMBOL,
                "symbol": "OLDUSDT",
                "status": "SETTLING",
                "deliveryDate": 1_800_000_000_000,
            },
            {**SYMBOL, "symbol": "SOONUSDT", "status": "PENDING_TRADING", "contractType": ""},
            {**SYMBOL, "symbol": "FXUSDT", "underlyingType": "FX"},
            {**SYMBOL, "symbol": "BTCUSDT_261225", "contractType": "CURRENT_QUARTER"},
            {**SYMBOL, "symbol": "RISKUSDT", "filters": [*FILTERS, control]},
        )
    )
    assert {c.symbol: (c.status, c.tradable, c.delivery_ms) for c in info.contracts.values()} == {
        "BTCUSDT": ("TRADING", True, 0),
        "OLDUSDT": ("SETTLING", False, 1_800_000_000_000),
        "SOONUSDT": ("PENDING_TRADING", False, 0),
        "RISKUSDT": ("reduce-only", False, 0),
    }
