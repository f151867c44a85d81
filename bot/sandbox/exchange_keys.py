"""The signatures the pretend exchange can check: HMAC of a secret, Ed25519 of a public key.

Source: the facts sheet's section 6. RSA is not known here. Must not know: requests, or what is
signed.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Verifier(Protocol):
    """Whether a signature belongs to these bytes."""

    def verify(self, payload: bytes, signature: str) -> bool:
        """Whether `signature`, percent-decoded, was made over exactly `payload`."""


def sign(secret: str, payload: bytes) -> str:
    """HMAC-SHA256 in hex over exactly these bytes."""
    return hmac.new(secret.encode(), payload, hashlib.sha256).hexdigest()


class HmacVerifier:
    """HMAC-SHA256 in hex; upper or lower case."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def verify(self, payload: bytes, signature: str) -> bool:
        """Whether the secret makes this signature."""
        made = sign(self._secret, payload)
        return hmac.compare_digest(signature.lower().encode(), made.encode())


class Ed25519Verifier:
    """Base64 of the raw signature, checked with the 32 bytes of a public key."""

    def __init__(self, public_key: bytes) -> None:
        self._key = Ed25519PublicKey.from_public_bytes(public_key)

    def verify(self, payload: bytes, signature: str) -> bool:
        """Whether the key's owner made this signature."""
        try:
            self._key.verify(base64.b64decode(signature, validate=True), payload)
        except (InvalidSignature, binascii.Error):
            return False
        return True
