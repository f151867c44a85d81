"""The exchange's dialect, sans I/O: what a request is, how it is encoded and signed.

Must not know: sockets, clocks, orders of ours, or what an answer means. The bytes that are signed
are the bytes that go on the wire: parameters keep their insertion order, everything outside
`A-Za-z0-9-._~` is percent-encoded as UTF-8, and the signature comes last.
Source: reference sheet sections 2, 3 and 6 (2026-11).
"""

import hashlib
import hmac
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final, Protocol

RECEIVE_WINDOW_MS: Final = 5_000  # the exchange's own default, sent explicitly
_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)

Params = tuple[tuple[str, str], ...]


class Security(StrEnum):
    """What an endpoint wants to see."""

    NONE = "none"
    KEY = "key"  # the key's header only
    SIGNED = "signed"  # key, timestamp and signature


class Priority(IntEnum):
    """Who goes first when the weight budget is short; the smaller number does."""

    TRADING = 0
    READING = 1
    WARMING = 2


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
    """HMAC-SHA256 in hex, the scheme of ordinary keys."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def sign(self, payload: bytes) -> str:
        """The hex digest of `payload` under the secret."""
        return hmac.new(self._secret, payload, hashlib.sha256).hexdigest()


def percent(text: str) -> str:
    """Percent-encode one name or value: UTF-8, upper-case hex, nothing reserved left bare."""
    return "".join(chr(b) if b in _UNRESERVED else f"%{b:02X}" for b in text.encode())


def query_of(params: Params) -> str:
    """The query string of `params`, in their own order."""
    return "&".join(f"{percent(name)}={percent(value)}" for name, value in params)


def signed_query(
    params: Params,
    *,
    timestamp_ms: int,
    signer: Signer,
    receive_window_ms: int = RECEIVE_WINDOW_MS,
) -> str:
    """The query string stamped at `timestamp_ms` (exchange time) and signed, signature last."""
    stamped = (
        *params,
        ("recvWindow", str(receive_window_ms)),
        ("timestamp", str(timestamp_ms)),
    )
    query = query_of(stamped)
    return f"{query}&signature={percent(signer.sign(query.encode()))}"


def target_of(request: Request, *, timestamp_ms: int, signer: Signer | None) -> str:
    """Path and query as they go on the wire; a signed request needs a signer."""
    if request.security is Security.SIGNED:
        assert signer is not None, f"{request.path} needs a signer"
        query = signed_query(request.params, timestamp_ms=timestamp_ms, signer=signer)
    else:
        query = query_of(request.params)
    return f"{request.path}?{query}" if query else request.path
