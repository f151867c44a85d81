"""User-stream frames, decoded: bytes in, core events out; never a crash, never a guess.

Must not know: sockets, or what anyone does with an event. A frame that cannot be read raises
Malformed; one that does not concern us gives nothing. Source: reference sheet section 5 (2026-11).
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import msgspec

from bot.core.messages import Event, Filled, OrderReported, PositionSeen, WalletSeen
from bot.venue.wire_answers import (
    ALGO_STATUS,
    ORDER_STATUS,
    SIDES,
    Malformed,
    Row,
    check_number,
    child_id,
    decode,
    meant_rows,
    side_of,
    signed_amount,
)
from data.model import Fill, FillCause, OrderReport, OrderStatus
from data.money import ZERO

WALLET_ASSET: Final = "USDT"

# Special client ids say who made the trade happen.
_CAUSES: Final = (
    ("autoclose-", FillCause.LIQUIDATION),
    ("adl_autoclose", FillCause.ADL),
    ("settlement_autoclose-", FillCause.SETTLEMENT),
    ("delivery_autoclose-", FillCause.SETTLEMENT),
)
_IGNORED: Final = frozenset(
    {"CONDITIONAL_ORDER_TRIGGER_REJECT", "STRATEGY_UPDATE", "GRID_UPDATE", "TRADE_LITE"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserNews:
    """What one user-stream frame says. `kind` is the exchange's event name."""

    kind: str
    events: tuple[Event, ...] = ()
    leverage: tuple[str, int] | None = None  # (symbol, leverage) changed by somebody
    margin_changed: tuple[str, ...] = ()  # symbols whose margin type may have changed
    key_expired: bool = False  # the stream is mute from now on
    odd: str = ""  # something to count: an unknown kind or status


class _Head(msgspec.Struct):
    e: str = ""
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class _Wire(Row, rename=None):
    """A stream record: one-letter names, kept as they are."""


class _OrderBody(_Wire):
    s: str
    c: str
    S: str
    X: str
    x: str
    i: int
    T: int
    z: Decimal = ZERO
    q: Decimal = ZERO
    ap: Decimal | None = None
    l: Decimal = ZERO  # noqa: E741 - the exchange's name for the last filled quantity
    L: Decimal = ZERO
    n: Decimal | None = None
    N: str | None = None
    t: int = 0
    m: bool = False
    rp: Decimal | None = None
    ps: str = "BOTH"
    er: str | None = None


class _OrderFrame(_Wire):
    T: int
    o: _OrderBody


class _AlgoBody(_Wire):
    caid: str
    s: str
    X: str
    ai: str | int | None = None
    rm: str | None = None


class _AlgoFrame(_Wire):
    T: int
    o: _AlgoBody


class _BalanceBody(_Wire):
    a: str
    wb: Decimal


class _PositionBody(_Wire):
    s: str
    pa: Decimal
    ep: Decimal
    ps: str = "BOTH"


class _AccountBody(_Wire):
    m: str = ""
    B: tuple[_BalanceBody, ...] = ()
    P: tuple[_PositionBody, ...] = ()


class _AccountFrame(_Wire):
    T: int
    a: _AccountBody


class _LeverageBody(_Wire):
    s: str
    l: int  # noqa: E741 - the exchange's name for leverage


class _ConfigFrame(_Wire):
    ac: _LeverageBody | None = None


class _LiteFrame(_Wire):
    T: int
    s: str
    c: str
    i: int
    t: int
    l: Decimal  # noqa: E741 - the exchange's name for the last filled quantity
    L: Decimal


def read_user_frame(frame: bytes, *, trade_lite: bool = False) -> UserNews:
    """What a user-stream frame says, wrapped or not; raises Malformed.

    With `trade_lite`, the early word of a fill becomes a report of at least that much filled; the
    fill itself always comes with its fee in the order update.
    """
    head, body = _unwrap(frame)
    match head.e:
        case "ORDER_TRADE_UPDATE":
            return _order_news(decode(body, _OrderFrame))
        case "ACCOUNT_UPDATE":
            return _account_news(decode(body, _AccountFrame))
        case "ALGO_UPDATE":
            return _algo_news(decode(body, _AlgoFrame))
        case "ACCOUNT_CONFIG_UPDATE":
            config = decode(body, _ConfigFrame).ac
            return UserNews(kind=head.e, leverage=(config.s, config.l) if config else None)
        case "listenKeyExpired":
            return UserNews(kind=head.e, key_expired=True)
        case "MARGIN_CALL":
            return UserNews(kind=head.e)
        case "TRADE_LITE" if trade_lite:
            return _lite_news(decode(body, _LiteFrame))
        case kind if kind in _IGNORED:
            return UserNews(kind=kind)
        case kind:
            return UserNews(kind=kind[:40], odd=f"kind {kind[:40]}")


def cause_of(order_id: str) -> FillCause:
    """Who made a fill happen, by its client id."""
    for prefix, cause in _CAUSES:
        if order_id.startswith(prefix):
            return cause
    return FillCause.ORDER


def moment_of(event: Event) -> int:
    """When the exchange says it happened, in ms; 0 for an event without a moment."""
    match event:
        case OrderReported(report=report):
            return report.event_ms
        case Filled(fill=fill):
            return fill.filled_ms
        case PositionSeen(seen_ms=seen_ms) | WalletSeen(seen_ms=seen_ms):
            return seen_ms
    return 0


def _unwrap(frame: bytes) -> tuple[_Head, bytes | msgspec.Raw]:
    head = decode(frame, _Head)
    if head.stream and bytes(head.data):
        return decode(head.data, _Head), head.data
    return head, frame


def _order_news(frame: _OrderFrame) -> UserNews:
    body = frame.o
    if body.z < 0 or body.l < 0:
        raise Malformed("a filled quantity must not be negative")
    if body.ap is not None and body.ap < 0:
        raise Malformed("an average price must not be negative")
    events: list[Event] = []
    # The fill goes first: when the order is told to be over, all its fills are known.
    if body.t != 0 and body.x in ("TRADE", "CALCULATED"):
        events.append(Filled(fill=_fill(body)))
    status = ORDER_STATUS.get(body.X)
    if status is None:
        return UserNews(
            kind="ORDER_TRADE_UPDATE", events=tuple(events), odd=f"order status {body.X[:40]}"
        )
    report = OrderReport(
        order_id=body.c,
        symbol=body.s,
        status=_with_fills(status, body),
        filled_quantity=body.z,
        average_price=body.ap or None,
        conditional=False,
        event_ms=frame.T,
        venue_order_id=body.i,
        reason="" if body.er in (None, "", "0") else f"er={body.er}",
    )
    events.append(OrderReported(report=report))
    return UserNews(kind="ORDER_TRADE_UPDATE", events=tuple(events))


def _with_fills(status: OrderStatus, body: _OrderBody) -> OrderStatus:
    # Liquidation orders are told as NEW (or NEW_ADL) although they carry their fill.
    if status is OrderStatus.NEW and body.z > 0:
        return OrderStatus.FILLED if body.z >= body.q else OrderStatus.PARTIALLY_FILLED
    return status


def _fill(body: _OrderBody) -> Fill:
    side = SIDES.get(body.S)
    if side is None or body.l <= 0 or body.L <= 0:
        raise Malformed(f"a fill of {body.l} at {body.L}, side {body.S[:10]!r}")
    return Fill(
        fill_id=body.t,
        symbol=body.s,
        order_id=body.c,
        venue_order_id=body.i,
        side=side,
        quantity=body.l,
        price=body.L,
        fee=body.n or ZERO,
        fee_asset=body.N or "",
        realized_pnl_usdt=body.rp or ZERO,
        filled_ms=body.T,
        maker=body.m,
        cause=cause_of(body.c),
        position_side=side_of(body.ps),
    )


def _algo_news(frame: _AlgoFrame) -> UserNews:
    status = ALGO_STATUS.get(frame.o.X)
    if status is None:
        return UserNews(kind="ALGO_UPDATE", odd=f"algo status {frame.o.X[:40]}")
    report = OrderReport(
        order_id=frame.o.caid,
        symbol=frame.o.s,
        status=status,
        filled_quantity=ZERO,
        average_price=None,
        conditional=True,
        event_ms=frame.T,
        venue_order_id=child_id(frame.o.ai),
        reason=(frame.o.rm or "")[:200],
    )
    return UserNews(kind="ALGO_UPDATE", events=(OrderReported(report=report),))


def _account_news(frame: _AccountFrame) -> UserNews:
    if any(row.ep < 0 for row in frame.a.P):
        raise Malformed("an entry price must not be negative")
    # In hedge mode each side is a position of its own, and only what changed is told.
    events: list[Event] = [
        PositionSeen(
            symbol=row.s,
            quantity=signed_amount(row.pa, row.ps),
            entry_price=row.ep,
            seen_ms=frame.T,
            side=side_of(row.ps),
        )
        for row in meant_rows(frame.a.P, lambda row: (row.s, row.ps, row.pa))
    ]
    events += [
        WalletSeen(wallet_usdt=row.wb, seen_ms=frame.T)
        for row in frame.a.B
        if row.a == WALLET_ASSET
    ]
    moved = frame.a.m == "MARGIN_TYPE_CHANGE"
    return UserNews(
        kind="ACCOUNT_UPDATE",
        events=tuple(events),
        margin_changed=tuple(row.s for row in frame.a.P) if moved else (),
    )


def _lite_news(frame: _LiteFrame) -> UserNews:
    check_number(frame.l)
    report = OrderReport(
        order_id=frame.c,
        symbol=frame.s,
        status=OrderStatus.PARTIALLY_FILLED,
        filled_quantity=frame.l,
        average_price=frame.L if frame.L > 0 else None,
        conditional=False,
        event_ms=frame.T,
        venue_order_id=frame.i,
    )
    return UserNews(kind="TRADE_LITE", events=(OrderReported(report=report),))
