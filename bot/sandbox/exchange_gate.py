"""What stands at the pretend exchange's door: keys, signatures, time, weights and listen keys.

Source: the facts sheet's sections 2 and 6. Pure: bytes and moments in, a Refusal or None out. At a
speed of X one wall millisecond is X market milliseconds, so every tolerance that exists because of
the network (recvWindow, the second a clock may run ahead, a listen key's life) is X times as long.
Must not know: what the request asks for.
"""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote

from bot.sandbox.exchange_keys import Verifier
from bot.sandbox.exchange_records import Refusal

MINUTE_MS: Final = 60_000
WEIGHT_MAX: Final = 2_400  # a clock minute
ORDERS_10S_MAX: Final = 300
ORDERS_MINUTE_MAX: Final = 1_200
BAN_AFTER: Final = 50  # requests that ignore a 429 before it becomes a 418
BAN_FIRST_MS: Final = 2 * MINUTE_MS  # each later ban is twice as long
BAN_MAX_MS: Final = 3 * 24 * 60 * MINUTE_MS
RECV_WINDOW_MS: Final = 5_000
RECV_WINDOW_MAX_MS: Final = 60_000
AHEAD_MS: Final = 1_000
LISTEN_KEY_LIFE_MS: Final = 60 * MINUTE_MS
_SIGNATURE: Final = re.compile(rb"(?:^|&)signature=([^&]*)$")

NO_KEY: Final = Refusal(code=-2014, text="API-key format invalid.", http_status=401)
BAD_KEY: Final = Refusal(
    code=-2015, text="Invalid API-key, IP, or permissions for action.", http_status=401
)
BAD_SIGNATURE: Final = Refusal(code=-1022, text="Signature for this request is not valid.")
LATE: Final = Refusal(code=-1021, text="Timestamp for this request is outside of the recvWindow.")
AHEAD: Final = Refusal(
    code=-1021, text="Timestamp for this request was 1000ms ahead of the server's time."
)
NO_LISTEN_KEY: Final = Refusal(code=-1125, text="This listenKey does not exist.")


def missing(name: str) -> Refusal:
    """-1102 for the named parameter."""
    return Refusal(
        code=-1102,
        text=f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.",
    )


def parse_params(query: bytes, body: bytes) -> dict[str, str]:
    """Parameters of query and form body together; on duplicates the query wins."""
    params = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    params.update(parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True))
    return params


def check_signed(
    query: bytes, body: bytes, *, verifier: Verifier, now_ms: int, speed: float
) -> Refusal | None:
    """Timestamp, recvWindow and signature of a signed request, over the raw bytes as they came."""
    params = parse_params(query, body)
    if "signature" not in params:
        return missing("timestamp" if "timestamp" not in params else "signature")
    return check_time(params, now_ms, speed) or _check_signature(query, body, verifier)


def check_time(params: dict[str, str], now_ms: int, speed: float) -> Refusal | None:
    """-1102, -1021 or -1131 when the request's moment is missing, off, or its window too long."""
    text = params.get("timestamp", "")
    if not re.fullmatch(r"[0-9]{1,16}", text):
        return missing("timestamp")
    window = params.get("recvWindow", str(RECV_WINDOW_MS))
    if not re.fullmatch(r"[0-9]{1,6}", window) or int(window) > RECV_WINDOW_MAX_MS:
        return Refusal(code=-1131, text="recvWindow must be less than 60000.")
    factor = max(1.0, speed)
    timestamp = int(text)
    if timestamp >= now_ms + AHEAD_MS * factor:
        return AHEAD
    return LATE if now_ms - timestamp > int(window) * factor else None


def _check_signature(query: bytes, body: bytes, verifier: Verifier) -> Refusal | None:
    in_query, in_body = _SIGNATURE.search(query), _SIGNATURE.search(body)
    found = in_query or in_body
    if found is None or (in_query and in_body):
        return BAD_SIGNATURE  # absent from the end, or told twice
    if in_query:
        query = query[: in_query.start()]
    elif in_body:
        body = body[: in_body.start()]
    given = unquote(found[1].decode("ascii", "replace"))
    return None if verifier.verify(query + body, given) else BAD_SIGNATURE


@dataclass(slots=True)
class Meter:
    """Used weight and order counts by clock windows; a refused request is charged too."""

    minute: int = 0
    weight: int = 0
    ten_seconds: int = 0
    orders_10s: int = 0
    orders_minute: int = 0
    ignored: int = 0
    bans: int = 0
    banned_until_ms: int = 0

    def charge(self, now_ms: int, weight: int, orders: int, orders_10s: int = 0) -> Refusal | None:
        """Count one request; 429 beyond a limit, 418 for going on regardless and during a ban."""
        if now_ms < self.banned_until_ms:
            return self._banned()
        minute, ten_seconds = now_ms // MINUTE_MS, now_ms // 10_000
        if minute != self.minute:
            self.minute, self.weight, self.orders_minute, self.ignored = minute, 0, 0, 0
        if ten_seconds != self.ten_seconds:
            self.ten_seconds, self.orders_10s = ten_seconds, 0
        self.weight += weight
        self.orders_minute += orders
        self.orders_10s += orders_10s or orders
        if self.weight > WEIGHT_MAX:
            self.ignored += 1
            if self.ignored > BAN_AFTER:
                self.bans += 1
                self.ban(now_ms, min(BAN_FIRST_MS << (self.bans - 1), BAN_MAX_MS))
                return self._banned()
            return Refusal(
                code=-1003,
                text="Too many requests; current limit is 2400 requests per minute.",
                http_status=429,
            )
        if orders and (self.orders_10s > ORDERS_10S_MAX or self.orders_minute > ORDERS_MINUTE_MAX):
            return Refusal(code=-1015, text="Too many new orders.", http_status=429)
        return None

    def ban(self, now_ms: int, duration_ms: int) -> None:
        """Answer nothing but 418 for so long."""
        self.banned_until_ms = now_ms + duration_ms
        self.ignored = 0

    def retry_after_s(self, now_ms: int) -> int:
        """Whole seconds until the ban ends, or until the next minute when there is none."""
        next_minute_ms = (now_ms // MINUTE_MS + 1) * MINUTE_MS
        until_ms = self.banned_until_ms if now_ms < self.banned_until_ms else next_minute_ms
        return max(1, -((now_ms - until_ms) // 1000))

    def _banned(self) -> Refusal:
        return Refusal(
            code=-1003,
            text=f"Way too many requests; IP banned until {self.banned_until_ms}. Please use the"
            " websocket for live updates to avoid bans.",
            http_status=418,
        )

    def headers(self, orders: int) -> dict[str, str]:
        """The headers an answer carries."""
        told = {"X-MBX-USED-WEIGHT-1M": str(self.weight)}
        if orders:
            told["X-MBX-ORDER-COUNT-10S"] = str(self.orders_10s)
            told["X-MBX-ORDER-COUNT-1M"] = str(self.orders_minute)
        return told


@dataclass(slots=True, kw_only=True)
class ListenKeys:
    """One listen key an account, alive for an hour after it was last asked for."""

    seed: int
    speed: float
    _alive: dict[str, tuple[str, float]] = field(default_factory=dict)  # account: key, deadline
    _issued: int = 0

    def issue(self, account: str, now_ms: int) -> str:
        """The account's living key, made when there is none; either way it lives an hour more."""
        key = self._alive[account][0] if account in self._alive else self._make(account)
        self._alive[account] = (key, now_ms + LISTEN_KEY_LIFE_MS * max(1.0, self.speed))
        return key

    def extend(self, account: str, now_ms: int) -> str | Refusal:
        """An hour more for the living key."""
        return self.issue(account, now_ms) if account in self._alive else NO_LISTEN_KEY

    def drop(self, account: str) -> str | None:
        """End the account's key; which one it was."""
        ended = self._alive.pop(account, None)
        return ended[0] if ended else None

    def account_of(self, key: str) -> str | None:
        """Whose living key this is."""
        return next((a for a, (one, _) in self._alive.items() if one == key), None)

    def expire(self, now_ms: int) -> list[str]:
        """End and give the keys whose hour is over."""
        ended = [a for a, (_, deadline) in self._alive.items() if deadline <= now_ms]
        return [self._alive.pop(account)[0] for account in ended]

    def _make(self, account: str) -> str:
        self._issued += 1
        return hashlib.sha256(f"{self.seed}/{account}/{self._issued}".encode()).hexdigest()
