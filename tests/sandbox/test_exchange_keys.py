"""The signatures the pretend exchange can check."""

import base64
from pathlib import Path
from urllib.parse import quote

import aiohttp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.sandbox.exchange_keys import Ed25519Verifier, HmacVerifier, sign
from bot.sandbox.exchange_server import ExchangeSandbox
from bot.sandbox.tape_instruments import instruments_for
from bot.shell.clock import VirtualClock
from tests.sandbox.exchange_client import Client, flat_tape

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()


def test_hmac_takes_either_case_and_no_other_bytes() -> None:
    """Hex in upper or lower case; another payload or an unreadable text is refused."""
    verifier, made = HmacVerifier("secret"), sign("secret", b"a=1")
    assert verifier.verify(b"a=1", made.upper())
    assert not verifier.verify(b"a=2", made)
    assert not verifier.verify(b"a=1", "ü")


def test_ed25519_takes_the_owners_signature_alone() -> None:
    """Base64 over exactly these bytes; another payload, another key, no base64: refused."""
    verifier = Ed25519Verifier(PUBLIC)
    made = base64.b64encode(KEY.sign(b"a=1")).decode()
    assert verifier.verify(b"a=1", made)
    assert not verifier.verify(b"a=2", made)
    assert not verifier.verify(b"a=1", "not base64!")
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert not verifier.verify(b"a=1", base64.b64encode(other.sign(b"a=1")).decode())


async def test_an_ed25519_key_signs_requests(tmp_path: Path) -> None:
    """With a public key the door takes percent-encoded Ed25519 and refuses the secret's HMAC."""
    tape = flat_tape(tmp_path)
    sandbox = ExchangeSandbox(
        tape=tape,
        instruments=instruments_for(tape.first_prices),
        clock=VirtualClock(),
        api_public_key=PUBLIC,
        history_bars=20,
    )
    await sandbox.start(0)
    try:
        async with aiohttp.ClientSession() as session:
            client = Client(sandbox, session)
            query = f"timestamp={sandbox.now_ms()}"
            made = quote(base64.b64encode(KEY.sign(query.encode())).decode(), safe="")
            status, _ = await client.raw("GET", "/fapi/v3/balance", f"{query}&signature={made}")
            assert status == 200
            assert (await client.call("GET", "/fapi/v3/balance"))[1]["code"] == -1022
    finally:
        await sandbox.stop()
