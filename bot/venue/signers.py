"""Which signature a secret makes, and Ed25519, the one scheme that needs a cryptography library.

Must not know: requests, keys at rest, or when to sign. Kept out of the pure dialect; ordinary keys
use `wire.HmacSigner`. A secret's form tells its kind: a PEM block is a private key. Whether the
futures REST service takes Ed25519 is UNCERTAIN (sheet section 6); the official SDK sends it.
"""

import base64

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bot.shell.errors import SettingFault
from bot.venue.wire import HmacSigner, Signer

PEM_HEAD = "-----BEGIN"


def signer_of(secret: str) -> Signer:
    """The signer a secret's form asks for: PEM is Ed25519, anything else HMAC.

    A PEM kept on one line may have `\\n` for its line ends. Raises SettingFault on another key.
    """
    text = secret.strip().replace("\\n", "\n")
    return Ed25519Signer(text) if text.startswith(PEM_HEAD) else HmacSigner(secret)


class Ed25519Signer:
    """Base64 of the raw Ed25519 signature."""

    __slots__ = ("_key",)

    def __init__(self, private_key_pem: str) -> None:
        try:
            key = load_pem_private_key(private_key_pem.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
            raise SettingFault("the API secret is no unencrypted PEM private key") from fault
        if not isinstance(key, Ed25519PrivateKey):
            raise SettingFault("the API secret is a private key, but not an Ed25519 one")
        self._key = key

    def sign(self, payload: bytes) -> str:
        """The base64 signature of `payload`, not yet percent-encoded."""
        return base64.b64encode(self._key.sign(payload)).decode()
