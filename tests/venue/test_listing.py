"""What is listed, read whole; and the universe ranked from real lists and real volumes."""

import json
from decimal import Decimal

import pyarrow.parquet as pq
import pytest

from bot.core.universe import Ranking, Reason, Rotation, Rules, advance, ranked
from bot.shell.errors import TheirWord, Unknown
from bot.venue.listing import load_listing
from tests.house import ROOT
from tests.venue.fake import Script, client, exchange, no, ok

SHARED = ROOT.parent / "shared"
DUMP = SHARED / "fixtures/exchangeinfo/fapi_exchangeInfo_testnet_2025-03-06.json"
CANDLES = SHARED / "data/universe/universe-1d-2025.parquet"
DAY_MS = 86_400_000


async def test_a_listing_that_cannot_be_read_is_told_to_who_asked() -> None:
    """Refused and unreadable are told apart; neither leaves half a list."""
    script = Script()
    path = "/fapi/v1/exchangeInfo"
    script.on("GET", path, no(400, -1102, "no"), ok({"symbols": 5}))
    async with exchange(script) as url, client(url, key=False) as rest:
        with pytest.raises(TheirWord):
            await load_listing(rest)
        with pytest.raises(Unknown):
            await load_listing(rest)


async def test_a_real_list_is_ranked_by_real_volumes() -> None:
    """438 rows of March 2025 and the volumes of 502 symbols: settling, delivery, index and USDC
    contracts are passed over, what is too young set aside, and everybody has a turn in time."""
    if not DUMP.exists() or not CANDLES.exists():
        pytest.skip("the shared fixtures are not beside this checkout")
    script = Script()
    script.on("GET", "/fapi/v1/exchangeInfo", ok(json.loads(DUMP.read_text("utf-8"))))
    async with exchange(script) as url, client(url, key=False) as rest:
        listing = await load_listing(rest)
    table = pq.read_table(CANDLES, filters=[("open_time", "=", 1_741_219_200_000)])  # 2025-03-06
    rows = zip(*(table[name].to_pylist() for name in ("symbol", "volume", "close")), strict=True)
    volumes = {symbol: Decimal(str(volume * close)) for symbol, volume, close in rows}
    volumes |= {"BTCUSD_PERP": Decimal(10**12), "FTMUSDT": Decimal(10**12)}
    now_ms = 1_741_219_200_000 + DAY_MS
    rules = Rules(top=200, age_ms_min=30 * DAY_MS)
    found = ranked(Ranking(), rules, listing.instruments, volumes, now_ms)
    assert found.symbols[:2] == ("BTCUSDT", "ETHUSDT")
    assert len(found.symbols) == 200
    assert "FTMUSDT" not in found.symbols  # it was settling
    reasons = {one.reason for one in found.set_aside}
    assert Reason.YOUNG in reasons
    assert all(listing.instruments[symbol].tradable for symbol in found.symbols)
    rotation, seen = Rotation(), set[str]()
    for slot in range(6):  # ceil(200 / 37)
        rotation = advance(rotation, candidates=found.symbols, pinned=(), places=37, slot=slot)
        seen |= set(rotation.turn)
    assert seen == set(found.symbols)
