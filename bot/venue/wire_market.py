"""Market frames, decoded: bytes in, bars, mark prices and listings out; never a guess.

Four frames a second come for every bar that is still open, and nobody looks at most of them. So a
frame is recognised by its stream's name and by `OPEN` before anything is decoded, and decoded whole
only when somebody asks. Must not know: sockets, or what a price is good for. A frame that cannot be
read raises Malformed. Source: reference sheet section 5.2 (2026-11).
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from bot.venue.wire_answers import Malformed, Row, checked_candle, decode
from data.model import Candle

USD_MARGINED: Final = 1  # `st` of our market; all-market streams also carry COIN-M rows (2)
OPEN: Final = b'"x":false'  # in a kline frame whose bar is not final
LISTINGS: Final = "!contractInfo"
MARK: Final = "markPrice@1s"
NAME_AT: Final = 11  # where the name begins in {"stream":"btcusdt@kline_1m","data":{...}}


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkSeen:
    """One symbol's mark price at `event_ms`."""

    symbol: str
    price: Decimal
    event_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractSeen:
    """A contract was listed, delisted or changed. Texts as the exchange spells them, "" unknown."""

    symbol: str
    status: str  # TRADING, PENDING_TRADING, SETTLING, ...
    contract_type: str  # PERPETUAL, TRADIFI_PERPETUAL, CURRENT_QUARTER, ...
    event_ms: int
    onboard_ms: int = 0
    delivery_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlReply:
    """The answer to SUBSCRIBE and the like; `error` is "" when it was taken."""

    reply_id: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotOurs:
    """A frame that is well formed and does not concern us; `kind` is for counting."""

    kind: str


MarketNews = Candle | MarkSeen | ContractSeen | ControlReply | NotOurs


class _Head(msgspec.Struct):
    e: str = ""
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")
    id: int | str | None = None
    error: msgspec.Raw = msgspec.Raw(b"")


class _KlineBody(msgspec.Struct):
    t: int
    i: str
    o: float
    h: float
    l: float  # noqa: E741 - the exchange's name for low
    c: float
    v: float
    x: bool


class _KlineFrame(msgspec.Struct):
    s: str
    k: _KlineBody
    st: int = USD_MARGINED


class _MarkFrame(Row, rename=None):
    s: str
    p: Decimal
    E: int
    st: int = USD_MARGINED


class _ContractFrame(msgspec.Struct):
    s: str
    cs: str = ""
    ct: str = ""
    E: int = 0
    ot: int | str = 0
    dt: int | str = 0
    st: int = USD_MARGINED


class _Wrapped(msgspec.Struct):
    data: _KlineFrame


def read_market_frame(frame: bytes) -> MarketNews:
    """What a market-stream frame says, wrapped or not; raises Malformed.

    A Candle comes for every kline frame; `closed` tells whether the bar is final.
    """
    head = decode(frame, _Head)
    body: bytes | msgspec.Raw = frame
    if head.stream and bytes(head.data):
        head, body = decode(head.data, _Head), head.data
    match head.e:
        case "kline":
            return _kline(decode(body, _KlineFrame))
        case "markPriceUpdate":
            return _mark(decode(body, _MarkFrame))
        case "contractInfo":
            return _contract(decode(body, _ContractFrame))
        case "":
            if head.id is None and not bytes(head.error):
                raise Malformed("neither an event nor a reply")
            return ControlReply(reply_id=str(head.id), error=_text(head.error))
        case kind:
            return NotOurs(kind=kind[:40])


def read_kline(frame: bytes) -> Candle | NotOurs:
    """The bar of a wrapped frame that is known to be a kline's, in one pass; raises Malformed."""
    return _kline(decode(frame, _Wrapped).data)


def stream_of(frame: bytes) -> bytes:
    """The name of the stream a frame came on, in UTF-8; b"" when it names none."""
    try:
        return decode(frame, _Head).stream.encode()
    except (Malformed, UnicodeEncodeError):
        return b""


def stream_name(symbol: str, channel: str) -> str:
    """A stream's name: only ASCII letters go to lower case, other scripts have none."""
    lowered = "".join(c.lower() if c.isascii() else c for c in symbol)
    return f"{lowered}@{channel}"


def kline_channel(timeframe: str) -> str:
    """The channel that tells bars of a timeframe."""
    return f"kline_{timeframe}"


def _text(raw: msgspec.Raw) -> str:
    return bytes(raw)[:200].decode("utf-8", "replace")


def _mark(frame: _MarkFrame) -> MarkSeen | NotOurs:
    if frame.st != USD_MARGINED:
        return NotOurs(kind="foreign_market")
    if frame.p <= 0:
        raise Malformed("a mark price must be positive")
    return MarkSeen(symbol=frame.s, price=frame.p, event_ms=frame.E)


def _contract(frame: _ContractFrame) -> ContractSeen | NotOurs:
    if frame.st != USD_MARGINED:
        return NotOurs(kind="foreign_market")
    if not frame.s:
        raise Malformed("a contract without a symbol")
    return ContractSeen(
        symbol=frame.s,
        status=frame.cs,
        contract_type=frame.ct,
        event_ms=frame.E,
        onboard_ms=_moment(frame.ot),
        delivery_ms=_moment(frame.dt),
    )


def _moment(value: int | str) -> int:
    # Told as a number; tolerated as text, and of no consequence when it is neither.
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 15 else 0


def _kline(frame: _KlineFrame) -> Candle | NotOurs:
    if frame.st != USD_MARGINED:
        return NotOurs(kind="foreign_market")
    bar = frame.k
    return checked_candle(
        Candle(
            symbol=frame.s,
            timeframe=bar.i,
            open_ms=bar.t,
            open=bar.o,
            high=bar.h,
            low=bar.l,
            close=bar.c,
            volume=bar.v,
            closed=bar.x,
        )
    )
