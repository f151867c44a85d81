"""Exchange keys at rest: sealed with AES-256-GCM, bound to user, account and field.

An envelope is `v1.<kid>.<base64 of nonce and ciphertext>`. Each application key seals through a
subkey of its own (HKDF-SHA256), and `kid`, eight hex digits derived from the key, says which key it
was, so that several keys can be held while secrets move to the newest one. What an envelope belongs
to is authenticated with it: moved to another account or field it does not open.

Must not know: where envelopes are kept or where the application key comes from. No error and no
repr shows a key or a secret.
"""

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION: Final = "v1"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12  # GCM's own size; random, and far fewer seals than 2^32 a key
KEYS_MAX: Final = 8  # a keyring is for rotation, not for collecting
KEY_CHECK_NOTE: Final = "vault.key_check"  # the note that `Vault.recognise` reads and writes

_CHECK_TEXT: Final = "the key is the right one"
_CHECK_BOUND: Final = f"{VERSION}|key-check"
_ENVELOPE: Final = re.compile(r"v1\.([0-9a-f]{8})\.([A-Za-z0-9_-]+)")


class VaultError(Exception):
    """Whatever keeps a secret from being sealed or opened."""


class KeyUnreadable(VaultError):
    """The text of an application key is not one; the text is not repeated."""


class WrongKey(VaultError):
    """The secrets were written with a key that is not at hand; nothing was overwritten."""


class SealBroken(VaultError):
    """An envelope is damaged, or is not of the place it was found in."""


class Purpose(StrEnum):
    """What a subkey is for; no two purposes share one."""

    DATABASE_FIELDS = "db-fields"
    TELEGRAM_CALLBACK = "tg-callback"
    SESSION = "session"
    KEY_ID = "kid"


class Secret:
    """A text that shows itself only when asked by name."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __hash__(self) -> int:
        raise TypeError("a secret is no dictionary key")

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a secret is not pickled")


class Vault:
    """Seals with the newest key, opens with whichever key an envelope names."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or len(keys) > KEYS_MAX:
            raise KeyUnreadable(f"{len(keys)} application keys; one to {KEYS_MAX} are allowed")
        if any(len(key) != KEY_BYTES for key in keys):
            raise KeyUnreadable(f"an application key has {KEY_BYTES} bytes")
        self._keys: Mapping[str, bytes] = {_key_id(key): key for key in keys}
        self._ciphers = {
            kid: AESGCM(_derive(key, Purpose.DATABASE_FIELDS)) for kid, key in self._keys.items()
        }
        self._newest = _key_id(keys[0])

    @classmethod
    def from_text(cls, text: str) -> "Vault":
        """A vault from one key, or several separated by commas or blanks, the newest first.

        Raises KeyUnreadable.
        """
        return cls([parse_key(part) for part in re.split(r"[,\s]+", text.strip())])

    @property
    def key_id(self) -> str:
        """The id of the key that seals; it says nothing about the key."""
        return self._newest

    def __repr__(self) -> str:
        return f"Vault(seals with {self._newest}, {len(self._keys)} keys)"

    def seal(self, secret: Secret, *, user_id: str, account_id: str, field: str) -> str:
        """An envelope that opens only for the same user, account and field."""
        return self._seal(secret.reveal(), _bound_to(user_id, account_id, field))

    def open(self, envelope: str, *, user_id: str, account_id: str, field: str) -> Secret:
        """The secret of an envelope. Raises WrongKey or SealBroken."""
        return Secret(self._open(envelope, _bound_to(user_id, account_id, field)))

    def reseal(self, envelope: str, *, user_id: str, account_id: str, field: str) -> str:
        """The same secret under the newest key; an envelope already under it is returned as it is.

        Raises WrongKey or SealBroken: what cannot be opened is never replaced.
        """
        bound = _bound_to(user_id, account_id, field)
        text = self._open(envelope, bound)
        return envelope if key_id_of(envelope) == self._newest else self._seal(text, bound)

    def recognise(self, check: str | None, envelopes: Iterable[str] = ()) -> str | None:
        """Make sure that this is the key of before, at start and before anything is written.

        `check` is the note `KEY_CHECK_NOTE` (None when there is none yet), `envelopes` whatever is
        kept. Returns the text to write to the note, or None when it is right as it is. Raises
        WrongKey, then the caller writes nothing, or SealBroken.
        """
        for envelope in envelopes:
            self._cipher_of(envelope)
        if check is not None:
            if self._open(check, _CHECK_BOUND) != _CHECK_TEXT:
                raise SealBroken("the key check was sealed over another text")
            if key_id_of(check) == self._newest:
                return None
        return self._seal(_CHECK_TEXT, _CHECK_BOUND)

    def subkey(self, purpose: Purpose) -> bytes:
        """32 bytes for one purpose, from the newest key."""
        assert purpose is not Purpose.DATABASE_FIELDS, "fields are sealed here and nowhere else"
        return _derive(self._keys[self._newest], purpose)

    def _seal(self, text: str, bound: str) -> str:
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, text.encode(), bound.encode())
        body = base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")
        return f"{VERSION}.{self._newest}.{body}"

    def _open(self, envelope: str, bound: str) -> str:
        cipher, body = self._cipher_of(envelope)
        try:
            raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
            plain = cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], bound.encode())
        except (binascii.Error, ValueError, InvalidTag):
            raise SealBroken("an envelope is damaged, or belongs to another place") from None
        return plain.decode()

    def _cipher_of(self, envelope: str) -> tuple[AESGCM, str]:
        kid, body = _split(envelope)
        cipher = self._ciphers.get(kid)
        if cipher is None:
            raise WrongKey(
                "the application key does not match the one the secrets were written with"
                f" (theirs is {kid}, at hand: {', '.join(self._keys)}); nothing was overwritten"
            )
        return cipher, body


def parse_key(text: str) -> bytes:
    """An application key from 64 hex digits or from base64 of 32 bytes (either alphabet).

    Raises KeyUnreadable, which says what is wrong but never repeats the text.
    """
    text = text.strip()
    if not text:
        raise KeyUnreadable("the application key is empty")
    if re.fullmatch(r"[0-9a-fA-F]{64}", text):
        return bytes.fromhex(text)
    body = text.rstrip("=").replace("+", "-").replace("/", "_")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", body):
        raise KeyUnreadable(
            f"the application key has {len(text)} characters, some of them neither hex nor base64"
        )
    try:
        key = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyUnreadable(
            f"the application key has {len(text)} characters; it must be 64 hex digits or the"
            f" base64 of {KEY_BYTES} bytes (44 characters), as `vault init` prints it"
        )
    return key


def new_key_text() -> str:
    """A fresh random application key as base64 text, to be shown once."""
    return base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def key_id_of(envelope: str) -> str:
    """Which key an envelope was sealed with. Raises SealBroken when it is no envelope."""
    return _split(envelope)[0]


def _split(envelope: str) -> tuple[str, str]:
    parts = _ENVELOPE.fullmatch(envelope)
    if parts is None:
        raise SealBroken("this is no envelope of the vault")
    return parts[1], parts[2]


def _bound_to(user_id: str, account_id: str, field: str) -> str:
    names = ("binance", user_id, account_id, field)
    if any("|" in name or not name for name in names):
        raise ValueError("user, account and field must be named, and without a bar")
    return "|".join((VERSION, *names))


def _key_id(key: bytes) -> str:
    return _derive(key, Purpose.KEY_ID)[:4].hex()


def _derive(key: bytes, purpose: Purpose) -> bytes:
    info = f"trading-bot/{VERSION}/{purpose}".encode()
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info).derive(key)
