"""The exchange's dialect, sans I/O: what a request is, how it is encoded and signed.

Must not know: sockets, clocks, orders of ours, or what an answer means. The bytes that are signed
are the bytes that go on the wire: parameters keep their insertion order, everything outside
`A-Za-z0-9-._~` is percent-encoded as UTF-8, and the signature comes last.
Source: reference sheet sections 2, 3 and 6 (2026-11).
"""

import hashlib
import re
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, Protocol

RECEIVE_WINDOW_MS: Final = 5_000  # the exchange's own default, sent explicitly
_BLOCK_BYTES: Final = 64  # of SHA-256
_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
_ENCODED: Final = tuple(chr(b) if b in _UNRESERVED else f"%{b:02X}" for b in range(256))
_is_plain: Final = re.compile(r"[A-Za-z0-9\-._~]*").fullmatch  # nearly every value is

Params = tuple[tuple[str, str], ...]


class Security(StrEnum):
    """What an endpoint wants to see."""

    NONE = "none"
    KEY = "key"  # the key's header only
    SIGNED = "signed"  # key, timestamp and signature


class Priority(IntEnum):
    """Who goes first when the weight budget is short; the smaller number does."""

    TRADING = 0  # orders, cancels, what keeps them: never held back but by a ban
    ACCOUNT = 1  # the whole account's reading
    ASKING = 2  # what became of one order, one position
    READING = 3
    WARMING = 4


class Method(StrEnum):
    """HTTP verbs the exchange uses."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request before it is stamped and signed. `weight`: IP weight units it may cost."""

    method: Method
    path: str
    params: Params = ()
    security: Security = Security.NONE
    weight: int = 1
    priority: Priority = Priority.READING

    @property
    def is_write(self) -> bool:
        """True when a lost answer leaves open whether something changed."""
        return self.method is not Method.GET


class Signer(Protocol):
    """Makes the text of the `signature` parameter."""

    def sign(self, payload: bytes) -> str:
        """The signature of exactly these bytes, not yet percent-encoded."""


class HmacSigner:
    """HMAC-SHA256 in hex, the scheme of ordinary keys (RFC 2104, its two pads hashed once)."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, secret: str) -> None:
        key = secret.encode()
        if len(key) > _BLOCK_BYTES:
            key = hashlib.sha256(key).digest()
        key = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))

    def sign(self, payload: bytes) -> str:
        """The hex digest of `payload` under the secret."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(payload)
        outer.update(inner.digest())
        return outer.hexdigest()


def percent(text: str) -> str:
    """Percent-encode one value: UTF-8, upper-case hex, nothing reserved left bare."""
    if _is_plain(text):
        return text
    return "".join([_ENCODED[b] for b in text.encode()])


def query_of(params: Params) -> str:
    """The query string of `params`, in their own order; names are ours and need no encoding."""
    return "&".join([f"{name}={percent(value)}" for name, value in params])


def signed_query(
    params: Params,
    *,
    timestamp_ms: int,
    signer: Signer,
    receive_window_ms: int = RECEIVE_WINDOW_MS,
) -> str:
    """The query string stamped at `timestamp_ms` (exchange time) and signed, signature last."""
    query = query_of(params)
    stamp = f"recvWindow={receive_window_ms}&timestamp={timestamp_ms}"
    query = f"{query}&{stamp}" if query else stamp
    return f"{query}&signature={percent(signer.sign(query.encode()))}"


def target_of(request: Request, *, timestamp_ms: int, signer: Signer | None) -> tuple[str, str]:
    """Path and query as they go on the wire; a signed request needs a signer."""
    if request.security is Security.SIGNED:
        assert signer is not None, f"{request.path} needs a signer"
        query = signed_query(request.params, timestamp_ms=timestamp_ms, signer=signer)
        return request.path, query
    return request.path, query_of(request.params)
