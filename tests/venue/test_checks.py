"""Keys: what they may do is looked at before real money is; their form picks the signature."""

import pytest

from bot.shell.errors import SettingFault
from bot.venue.checks import check_permissions, refuse_dangerous_key, startup_checks
from tests.venue.fake import Handler, Script, client, exchange, no, ok

PATH = "/sapi/v1/account/apiRestrictions"
SAFE = {
    "ipRestrict": True,
    "enableReading": True,
    "enableFutures": True,
    "enableWithdrawals": False,
    "enableInternalTransfer": False,
    "permitsUniversalTransfer": False,
}


async def _check(answer: Handler) -> tuple[bool, str, str]:
    script = Script()
    script.on("GET", PATH, answer)
    async with exchange(script) as url, client(url) as rest:
        found = await check_permissions(rest)
        fault = ""
        try:
            await refuse_dangerous_key(rest)
        except SettingFault as refused:
            fault = str(refused)
    return found.ok, found.text, fault


async def test_a_key_that_can_only_trade_is_good() -> None:
    """Bound to addresses and harmless: nothing to say."""
    assert await _check(ok(SAFE)) == (True, "trading only, from listed addresses", "")


async def test_a_key_without_an_address_list_is_a_warning() -> None:
    """It trades, but whoever finds it can trade too."""
    good, text, fault = await _check(ok({**SAFE, "ipRestrict": False}))
    assert good
    assert "warning" in text
    assert not fault


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({**SAFE, "enableWithdrawals": True}, "withdrawals"),
        ({**SAFE, "enableInternalTransfer": True}, "internal transfers"),
        ({**SAFE, "permitsUniversalTransfer": True}, "universal transfers"),
        ({**SAFE, "enableFutures": False}, "futures"),
        ({"ipRestrict": True}, "withdrawals"),
    ],
)
async def test_a_key_that_can_move_money_out_is_refused(row: object, word: str) -> None:
    """A permission that is not told counts as given."""
    good, text, fault = await _check(ok(row))
    assert not good
    assert word in text
    assert word in fault


@pytest.mark.parametrize("answer", [no(401, -2015, "key"), no(500, None, ""), ok([1])])
async def test_permissions_that_are_not_told_are_no_permission(answer: Handler) -> None:
    """Live falls back to nothing."""
    good, _, fault = await _check(answer)
    assert not good
    assert fault


async def test_live_needs_the_wallet_service() -> None:
    """Without its address the key cannot be checked."""
    with pytest.raises(SettingFault, match="BINANCE_SAPI_URL"):
        await refuse_dangerous_key(None)


async def test_the_modes_are_shown() -> None:
    """Hedge and multi-assets are told in words; without a wallet service that line is left out."""
    script = Script()
    modes = {"dualSidePosition": True, "multiAssetsMargin": True, "canTrade": False}
    script.on("GET", "/fapi/v1/exchangeInfo", ok({"symbols": []}))
    script.on("GET", "/fapi/v3/balance", ok([]))
    script.on("GET", "/fapi/v1/accountConfig", ok(modes))
    script.on("POST", "/fapi/v1/listenKey", ok({"listenKey": "k"}))
    async with exchange(script) as url, client(url) as rest:
        found = {one.name: one for one in await startup_checks(rest)}
    assert "permissions" not in found
    assert found["position_mode"].text == "hedge"
    assert "multi-assets" in found["margin_mode"].text
    assert not found["trading"].ok
