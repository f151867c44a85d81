"""Cases 1 to 4: moments, signatures and listen keys at the door."""

from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote

import aiohttp
import pytest

from bot.sandbox.exchange_keys import sign
from bot.sandbox.exchange_server import ExchangeSandbox
from bot.sandbox.tape import RecordedTape
from bot.sandbox.tape_instruments import instruments_for
from bot.shell.clock import VirtualClock
from tests.sandbox.conformance.world import Sdk
from tests.sandbox.exchange_client import Client

VECTOR_MS = 1_591_702_613_943
VECTOR_SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
PLAIN = (
    "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000"
    f"&timestamp={VECTOR_MS}"
)
PLAIN_SIGNATURE = "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
MIXED_QUERY = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC"
MIXED_BODY = f"quantity=1&price=9000&recvWindow=5000&timestamp={VECTOR_MS}"
MIXED_SIGNATURE = "30baaf0fab549bbeda7f5ef201898b34122da25fd23c646cac2c529aebe670a4"
ENCODED = (
    "symbol=%E6%B5%8B%E8%AF%95USDT&side=BUY&type=MARKET&quantity=1&newClientOrderId=a%3Ab%2Fc"
    f"&recvWindow=5000&timestamp={VECTOR_MS}"
)
ENCODED_SIGNATURE = "3b9974741b166c272589a3421c6ba08050ec52c95a506e9daa778b36a2ab81b6"


@pytest.fixture
async def at_the_vector(tmp_path: Path) -> AsyncIterator[Client]:
    """A sandbox that stands at the documented vectors' moment and holds their secret."""
    start_ms = VECTOR_MS // 60_000 * 60_000 - 20 * 60_000
    rows = [f"{start_ms + i * 60_000},10000,10001,9999,10000,9" for i in range(40)]
    text = "open_time,open,high,low,close,volume\n" + "\n".join(rows) + "\n"
    (tmp_path / "BTCUSDT-1m.csv").write_text(text)
    tape = RecordedTape.open(tmp_path)
    sandbox = ExchangeSandbox(
        tape=tape,
        instruments=instruments_for(tape.first_prices),
        clock=VirtualClock(VECTOR_MS),
        api_secret=VECTOR_SECRET,
        history_bars=20,
    )
    await sandbox.start(0)
    async with aiohttp.ClientSession() as session:
        yield Client(sandbox, session)
    await sandbox.stop()


async def test_case_01_signed_get_without_timestamp(sdk: Sdk) -> None:
    """400 and -1102. (The SDK always sends a timestamp, so this is said in plain HTTP.)"""
    status, answer = await sdk.raw.raw("GET", "/fapi/v3/balance", "")
    assert (status, answer["code"]) == (400, -1102)


async def test_case_02_moments_outside_the_window(
    sdk: Sdk, parts: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """6 s late and 1.5 s ahead are -1021, each in its own words; a wider window forgives."""
    now_ms = sdk.raw.sandbox.now_ms()
    texts = []
    for shift_ms in (-6_000, 1_500):
        monkeypatch.setattr(parts.utils, "get_timestamp", lambda at=now_ms + shift_ms: at)
        with pytest.raises(parts.errors.BadRequestError) as refused:
            await sdk.ask("futures_account_balance_v3")
        assert refused.value.status_code == -1021
        texts.append(refused.value.error_message)
    assert texts[0] != texts[1]
    monkeypatch.setattr(parts.utils, "get_timestamp", lambda: now_ms - 6_000)
    assert await sdk.ask("futures_account_balance_v3", recv_window=10_000)


async def test_case_03_documented_signatures(at_the_vector: Client) -> None:
    """The sheet's vectors pass; one digit off, or a signature over decoded text, is -1022."""
    client, path = at_the_vector, "/fapi/v1/order"
    status, answer = await client.raw("POST", path, f"{PLAIN}&signature={PLAIN_SIGNATURE}")
    assert (status, answer["status"]) == (200, "NEW")
    status, answer = await client.raw(
        "POST", path, MIXED_QUERY, body=f"{MIXED_BODY}&signature={MIXED_SIGNATURE}".encode()
    )
    assert (status, answer["status"]) == (200, "NEW")
    wrong = PLAIN_SIGNATURE[:-1] + "0"
    status, answer = await client.raw("POST", path, f"{PLAIN}&signature={wrong}")
    assert (status, answer["code"]) == (400, -1022)
    # The third vector's symbol is not listed: a fitting signature gets as far as -1121.
    status, answer = await client.raw("POST", path, f"{ENCODED}&signature={ENCODED_SIGNATURE}")
    assert (status, answer["code"]) == (400, -1121)
    decoded = sign(VECTOR_SECRET, unquote(ENCODED).encode())
    status, answer = await client.raw("POST", path, f"{ENCODED}&signature={decoded}")
    assert (status, answer["code"]) == (400, -1022)


async def test_case_04_listen_keys(sdk: Sdk) -> None:
    """401 without a key header; 64 characters with one, the same again, and an hour more."""
    status, _ = await sdk.raw.raw("POST", "/fapi/v1/listenKey", "", key=False)
    assert status == 401
    key = (await sdk.ask("start_user_data_stream"))["listenKey"]
    assert len(key) == 64
    await sdk.turn("advance", ms=50 * 60_000)
    assert (await sdk.ask("start_user_data_stream"))["listenKey"] == key
    await sdk.turn("advance", ms=50 * 60_000)
    assert (await sdk.ask("keepalive_user_data_stream"))["listenKey"] == key
    await sdk.turn("advance", ms=61 * 60_000)
    assert await sdk.refused("keepalive_user_data_stream") == -1125
