"""Volumes as the exchange tells them, and as it must not be trusted to."""

import json
from decimal import Decimal
from typing import Any

import pytest

from bot.shell.errors import Unknown
from bot.venue.tickers import load_volumes, volumes_of
from bot.venue.wire_answers import Malformed
from tests.house import ROOT
from tests.venue.fake import Script, client, exchange, ok

FIXTURE = ROOT.parent / "shared/fixtures/nautilus/rest/http_futures_market_ticker_24hr.json"


def body(*rows: Any) -> bytes:
    """An answer of these rows."""
    return json.dumps(rows, ensure_ascii=False).encode()


def row(symbol: Any, volume: Any, **more: Any) -> dict[str, Any]:
    """One row, as far as it matters."""
    return {"symbol": symbol, "quoteVolume": volume, **more}


def test_volumes_are_read_by_symbol() -> None:
    """In any script, of any market: what may be traded is not judged here."""
    found = volumes_of(
        body(row("BTCUSDT", "15.3"), row("币安人生USDT", "7"), row("BTCUSD_PERP", "99"))
    )
    assert found.by_symbol == {
        "BTCUSDT": Decimal("15.3"),
        "币安人生USDT": Decimal(7),
        "BTCUSD_PERP": Decimal(99),
    }
    assert found.odd == 0


@pytest.mark.parametrize(
    "bad",
    [
        {"symbol": "XUSDT"},
        {"quoteVolume": "5"},
        row("XUSDT", None),
        row("XUSDT", ""),
        row("XUSDT", "much"),
        row("XUSDT", "NaN"),
        row("XUSDT", "Infinity"),
        row("XUSDT", "-1"),
        row("XUSDT", "1e40"),
        row("XUSDT", {"deep": 1}),
        row(17, "5"),
        row("", "5"),
        row("X" * 200, "5"),
        "XUSDT",
        None,
        [],
    ],
)
def test_a_bad_row_is_passed_over_and_counted(bad: Any) -> None:
    """The rows beside it are read."""
    found = volumes_of(body(row("AUSDT", "1"), bad, row("BUSDT", "2")))
    assert found.by_symbol == {"AUSDT": Decimal(1), "BUSDT": Decimal(2)}
    assert found.odd == 1


def test_a_symbol_told_twice_counts_once() -> None:
    """With the larger volume, in whatever order they come."""
    for rows in ([row("AUSDT", "1"), row("AUSDT", "3")], [row("AUSDT", "3"), row("AUSDT", "1")]):
        found = volumes_of(body(*rows))
        assert found.by_symbol == {"AUSDT": Decimal(3)}
        assert found.odd == 1


@pytest.mark.parametrize("text", [b"", b"{}", b"null", b'[{"symbol":', b"<html>"])
def test_an_answer_that_is_no_list_is_malformed(text: bytes) -> None:
    """Nothing is guessed of it."""
    with pytest.raises(Malformed):
        volumes_of(text)


async def test_the_whole_list_is_asked_for_at_its_weight_and_failure_is_told() -> None:
    """Weight 40 without a symbol; a refusal or nonsense is raised to who asked."""
    script = Script()
    script.on("GET", "/fapi/v1/ticker/24hr", ok([row("AUSDT", "1")]), ok({"not": "a list"}))
    async with exchange(script) as url, client(url) as rest:
        assert await load_volumes(rest) == {"AUSDT": Decimal(1)}
        assert rest.budget.used >= 40
        assert not script.asked("GET", "/fapi/v1/ticker/24hr")[0].params
        with pytest.raises(Unknown):
            await load_volumes(rest)


def test_a_documented_row_is_read() -> None:
    """The exchange's own sample, as far as it is at hand."""
    if not FIXTURE.exists():
        pytest.skip("the shared fixtures are not here")
    found = volumes_of(body(json.loads(FIXTURE.read_text())))
    assert found.by_symbol == {"BTCUSDT": Decimal("15.3")}
