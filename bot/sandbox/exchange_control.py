"""The hand that turns the pretend world: `/sandbox/...` routes for tests, demo and scripts.

None of these exists at the real exchange. Bodies are JSON objects; answers are JSON. All moments
are market milliseconds unless a name says otherwise. The routes are listed in the docstring of
`exchange_server`. Must not know: signatures; these calls carry none, being loopback only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Any, Final, Protocol

import msgspec

from bot.sandbox.exchange import MAIN
from bot.sandbox.exchange_answers import balance_rows, income_row, position_row, trade_row
from bot.sandbox.exchange_dialect import Json, conditional_row, order_row
from bot.sandbox.exchange_door import Door
from bot.sandbox.exchange_floor import Floor
from bot.sandbox.exchange_frames import NEVER_MS
from bot.sandbox.exchange_gate import ListenKeys
from bot.sandbox.exchange_injection import Injection, Injections, Shot
from bot.sandbox.exchange_streams import Hub
from bot.sandbox.faults import FaultPlan
from data.money import ZERO, plain

Body = dict[str, Any]


class Wrong(ValueError):
    """A control call that makes no sense; its text says why."""


class World(Protocol):
    """What the control routes may turn."""

    floor: Floor
    door: Door
    hub: Hub
    listen_keys: ListenKeys
    injections: Injections
    plan: FaultPlan
    received: list[Json]
    permissions: dict[str, object]

    def now_ms(self) -> int:
        """Market time."""

    def state(self) -> Json:
        """What a viewer wants to know."""

    def advance(self, duration_ms: int) -> None:
        """Let manual time pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One control call: the world, the JSON body and the query."""

    world: World
    body: Body
    query: dict[str, str]


def _state(turn: Turn) -> object:
    return turn.world.state()


def _advance(turn: Turn) -> object:
    turn.world.advance(_whole(turn, "ms"))
    return turn.world.state()


def _price(turn: Turn) -> object:
    world = turn.world
    symbol = _symbol(turn)
    if "price" in turn.body:
        liquidity = _amount(turn, "liquidity") if "liquidity" in turn.body else None
        world.floor.set_price(symbol, _positive(turn, "price"), world.now_ms(), liquidity)
    if "mark" in turn.body:
        mark = None if turn.body["mark"] is None else _positive(turn, "mark")
        world.floor.exchange.set_mark(symbol, mark, world.now_ms())
        world.floor.tell_users()
    market = world.floor.exchange.markets[symbol]
    return {"symbol": symbol, "price": plain(market.last or ZERO), "mark": plain(market.mark)}


def _inject(turn: Turn) -> object:
    world = turn.world
    try:
        shot = Shot(str(turn.body.get("fault", "")))
        if shot is Shot.WS_CUT:
            return {"cut": world.hub.cut(turn.body.get("route"))}
        fields = {name: value for name, value in turn.body.items() if name != "fault"}
        one = msgspec.convert({"shot": shot, **fields}, Injection)
    except (ValueError, msgspec.ValidationError) as error:
        raise Wrong(f"fault: {error}; allowed are {', '.join(Shot)}") from error
    world.injections.add(one)
    return {"waiting": len(world.injections.waiting)}


def _heal(turn: Turn) -> object:
    turn.world.injections.clear()
    turn.world.plan.heal()
    turn.world.door.young_ms = 0
    turn.world.door.freeze(0)
    return {"healed": True}


def _received(turn: Turn) -> object:
    path, method = turn.query.get("path"), turn.query.get("method")
    return [
        row
        for row in turn.world.received
        if path in (None, row["path"]) and method in (None, row["method"])
    ]


def _forget_received(turn: Turn) -> object:
    turn.world.received.clear()
    return {"received": 0}


def _truth(turn: Turn) -> object:
    floor = turn.world.floor
    exchange = floor.exchange
    account = turn.query.get("account", MAIN)
    symbol = turn.query.get("symbol")
    income = exchange.income(account=account)
    return {
        "now_ms": turn.world.now_ms(),
        "start_wallet": plain(exchange.start_wallet_usdt),
        "wallet": plain(exchange.balances(account=account).wallet_usdt),
        "income_total": plain(sum((row.amount_usdt for row in income), ZERO)),
        "balance": balance_rows(exchange.balances(account=account))[0],
        "positions": [
            position_row(view, floor.instruments[view.symbol], version=3)
            for view in exchange.positions(account=account)
        ],
        "open_orders": [order_row(v) for v in exchange.open_orders(symbol, account=account)],
        "orders": [order_row(v) for v in exchange.orders(symbol, account=account)],
        "open_conditionals": [
            conditional_row(v, waiting=True)
            for v in exchange.open_conditionals(symbol, account=account)
        ],
        "conditionals": [
            conditional_row(v) for v in exchange.conditionals(symbol, account=account)
        ],
        "fills": [
            {**trade_row(f), "clientOrderId": f.order_id, "cause": f.cause.value}
            for f in exchange.fills(symbol, account=account)
        ],
        "income": [income_row(row) for row in income],
    }


def _close(turn: Turn) -> object:
    return _forced(turn, turn.world.floor.exchange.close_by_hand)


def _liquidate(turn: Turn) -> object:
    return _ended(turn, turn.world.floor.exchange.force_liquidation)


def _settle(turn: Turn) -> object:
    return _ended(turn, turn.world.floor.exchange.force_settlement)


def _contract(turn: Turn) -> object:
    symbol, status = _symbol(turn), str(turn.body.get("status", "SETTLING"))
    delivery_ms = _whole(turn, "delivery_ms") if "delivery_ms" in turn.body else NEVER_MS
    turn.world.floor.set_status(symbol, status, delivery_ms)
    return {"symbol": symbol, "status": status}


def _ended(turn: Turn, act: Callable[..., Any]) -> object:
    world = turn.world
    view = act(_symbol(turn), world.now_ms())
    world.floor.tell_users()
    return {"order": order_row(view) if view else None}


def _young(turn: Turn) -> object:
    turn.world.door.young_ms = _whole(turn, "ms")
    return {"young_ms": turn.world.door.young_ms}


def _lag(turn: Turn) -> object:
    turn.world.door.freeze(_whole(turn, "ms"))
    return {"lagging": turn.world.door.lagging is not None}


def _ban(turn: Turn) -> object:
    meter = turn.world.door.meter
    meter.ban(turn.world.now_ms(), _whole(turn, "ms"))
    return {"banned_until_ms": meter.banned_until_ms}


def _adl(turn: Turn) -> object:
    return _forced(turn, turn.world.floor.exchange.force_adl)


def _expire_key(turn: Turn) -> object:
    world = turn.world
    key = world.listen_keys.drop(str(turn.body.get("account", MAIN)))
    if key is not None:
        world.hub.tell_expired(key, world.now_ms())
    return {"expired": key}


def _funding(turn: Turn) -> object:
    interval_ms = _whole(turn, "interval_ms") if "interval_ms" in turn.body else None
    if interval_ms == 0:
        raise Wrong("interval_ms: 0 is no interval")
    turn.world.floor.exchange.set_funding(_symbol(turn), _amount(turn, "rate"), interval_ms)
    return {"set": True}


def _permissions(turn: Turn) -> object:
    turn.world.permissions.update(turn.body)
    return turn.world.permissions


def _forced(turn: Turn, act: Callable[..., Any]) -> object:
    world = turn.world
    quantity = _positive(turn, "quantity") if "quantity" in turn.body else None
    view = act(_symbol(turn), world.now_ms(), quantity)
    world.floor.tell_users()
    return {"order": order_row(view) if view else None}


def _symbol(turn: Turn) -> str:
    symbol = str(turn.body.get("symbol", ""))
    if symbol not in turn.world.floor.instruments:
        raise Wrong(f"symbol: {symbol!r} is not listed")
    return symbol


def _whole(turn: Turn, name: str) -> int:
    value = turn.body.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Wrong(f"{name}: {value!r} is no whole number from 0 on")
    return value


def _amount(turn: Turn, name: str) -> Decimal:
    try:
        value = Decimal(str(turn.body.get(name)))
    except InvalidOperation:
        raise Wrong(f"{name}: {turn.body.get(name)!r} is no number") from None
    if not value.is_finite():
        raise Wrong(f"{name}: {value} is not finite")
    return value


def _positive(turn: Turn, name: str) -> Decimal:
    value = _amount(turn, name)
    if value <= 0:
        raise Wrong(f"{name}: {value} is not above zero")
    return value


CONTROL: Final = MappingProxyType(
    {
        ("GET", "/sandbox/state"): _state,
        ("POST", "/sandbox/advance"): _advance,
        ("POST", "/sandbox/price"): _price,
        ("POST", "/sandbox/inject"): _inject,
        ("POST", "/sandbox/heal"): _heal,
        ("GET", "/sandbox/received"): _received,
        ("DELETE", "/sandbox/received"): _forget_received,
        ("GET", "/sandbox/truth"): _truth,
        ("POST", "/sandbox/close"): _close,
        ("POST", "/sandbox/liquidate"): _liquidate,
        ("POST", "/sandbox/adl"): _adl,
        ("POST", "/sandbox/settle"): _settle,
        ("POST", "/sandbox/contract"): _contract,
        ("POST", "/sandbox/young"): _young,
        ("POST", "/sandbox/lag"): _lag,
        ("POST", "/sandbox/ban"): _ban,
        ("POST", "/sandbox/expire-listen-key"): _expire_key,
        ("POST", "/sandbox/funding"): _funding,
        ("POST", "/sandbox/permissions"): _permissions,
    }
)
