"""Ed25519 signatures: verifiable, and a wrong key is told in one line."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bot.shell.errors import SettingFault
from bot.venue.signers import Ed25519Signer, signer_of
from bot.venue.wire import HmacSigner


def _pem(key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_ed25519_signature_verifies_with_the_public_key() -> None:
    """The base64 text is the raw signature of exactly the payload."""
    key = ed25519.Ed25519PrivateKey.generate()
    text = Ed25519Signer(_pem(key)).sign(b"a=1&timestamp=2")
    key.public_key().verify(base64.b64decode(text), b"a=1&timestamp=2")


@pytest.mark.parametrize("pem", ["not a key", _pem(ec.generate_private_key(ec.SECP256R1()))])
def test_anything_else_is_a_setting_fault_that_shows_no_secret(pem: str) -> None:
    """A wrong secret is refused at start; its text never appears in the fault."""
    with pytest.raises(SettingFault) as raised:
        Ed25519Signer(pem)
    assert pem not in str(raised.value)


def test_the_secrets_form_picks_the_scheme() -> None:
    """A PEM block, also on one line, signs with Ed25519; any other text is an HMAC secret."""
    pem = _pem(ed25519.Ed25519PrivateKey.generate())
    payload = b"a=1"
    signature = Ed25519Signer(pem).sign(payload)
    for text in (pem, pem.replace("\n", "\\n"), f"\n{pem}\n"):
        assert signer_of(text).sign(payload) == signature
    assert signer_of("secret").sign(payload) == HmacSigner("secret").sign(payload)
