"""The numbered invariants, checked on the exchange's own books, not on our belief alone.

Must not know: how a run goes. Each breach raises AssertionError that begins with its number.
"""

from decimal import Decimal
from typing import Final

from bot.core import desk as desk_room
from bot.core import machine
from bot.core.life.draft import FORGOTTEN_ATTEMPTS
from bot.core.life.facts import booked, held
from bot.core.messages import CardVerb, Woke
from bot.core.trade import HOLDING, OrderState, Phase, Role, Trade, read_order_id
from bot.replay.sim_cast import ACCOUNT, BOT, SYMBOLS
from bot.replay.sim_world import World
from bot.sandbox.exchange_records import ConditionalView, Refusal
from data.model import Side
from data.money import ZERO

BARE_MS_MAX: Final = 60_000  # under faults, with the process alive and the world bad
BARE_FAIR_MS_MAX: Final = 25_000  # with every message arriving: the clock of 12 s, slow requests
CALM_MS: Final = 30_000  # so long after healing all is settled, protected or on its way out
HEARD_MS: Final = 50  # in a world that is well, what happened is told within this
BARE_CALM_MS_MAX: Final = 15_000  # from then on: what the core allows, and a question


def check(world: World) -> None:
    """What must hold after every single step."""
    for trade in world.desk.trades.values():
        machine.faults_of(trade)  # 1 and 4, as believed
    waiting = world.exchange.open_conditionals()
    _check_orders(world, waiting)
    _check_bare(world, waiting)
    _check_tightened(world)
    if world.healed_ms is not None and world.now_ms >= world.healed_ms + CALM_MS:
        _check_calm(world)
    never_woken_in_vain(world)


def never_woken_in_vain(world: World) -> None:
    """After the wake that is due, the next one is later: no deadline spins."""
    due_ms = world.due_ms()
    now_ms = world.clock_ms
    if due_ms is None or due_ms > now_ms or world.now_ms < world.down_ms:
        return
    woken = desk_room.step(world.desk, Woke(), now_ms).desk
    again_ms = desk_room.wake_ms(woken)
    spins = again_ms is not None and again_ms <= now_ms
    assert not spins, f"3: woken in vain at {world.now_ms}"


def check_end(world: World) -> None:
    """What must hold once the world has healed and everything has settled."""
    desk, exchange = world.desk, world.exchange
    for trade in desk.trades.values():
        assert held(trade) == ZERO, f"3: {trade.trade_id} believes in a position of {held(trade)}"
        assert trade.phase is Phase.IDLE, f"3: {trade.trade_id} is {trade.phase.value}"
    wallet = exchange.balances().wallet_usdt
    assert desk.wallet_usdt == wallet, f"3: wallet {desk.wallet_usdt}, exchange {wallet}"
    assert not desk.foreign, f"3: {desk.foreign}"
    _check_results(world)


def _check_results(world: World) -> None:
    """9: to the smallest unit, while every result is ours and none was forgotten."""
    desk, exchange = world.desk, world.exchange
    for trade in desk.trades.values():
        if trade.adopted and trade.of_role(Role.ENTRY) and not world.meddled:
            _check_adopted(world, trade)
    if world.meddled or world.forgetful:
        return
    income = sum((row.amount_usdt for row in exchange.income()), ZERO)
    ours = sum((closed.pnl_usdt for closed in desk.closed), ZERO)
    assert ours == income, f"9: our PnL {ours}, the exchange's income {income}"


def _check_adopted(world: World, trade: Trade) -> None:
    fills = [
        fill
        for fill in world.exchange.fills(trade.symbol, 0)
        if (name := read_order_id(ACCOUNT, fill.order_id)) and name.trade_id == trade.trade_id
    ]
    # By number: what an older life ordered is told to a younger one without its client id.
    missed = {f.fill_id for f in fills} - {f.fill_id for f in trade.fills}
    assert not missed, f"9: adopted {trade.trade_id} does not know the fills {sorted(missed)}"


def _check_orders(world: World, waiting: list[ConditionalView]) -> None:
    entered: dict[str, Decimal] = {}
    for view in world.exchange.orders() if world.exchange_moved else ():
        name = read_order_id(ACCOUNT, view.client_id)
        if name is None:
            continue
        assert view.client_id in world.journalled, f"7: {view.client_id} was never journalled"
        if name.role is not Role.ENTRY:
            continue
        entered[name.trade_id] = entered.get(name.trade_id, ZERO) + view.filled_quantity
        _check_entry(world, name.trade_id, entered[name.trade_id])
    resting = [view.client_id for view in world.exchange.open_orders()]
    resting += [view.client_id for view in waiting]
    for order_id in resting:
        name = read_order_id(ACCOUNT, order_id)
        trade = world.desk.trades.get(name.trade_id) if name else None
        if world.forgetful and trade is not None and trade.order(order_id) is None:
            continue  # An old record does not know it until the account is read.
        assert trade is None or trade.phase is not Phase.IDLE, f"4: {order_id} is left"


def _check_entry(world: World, trade_id: str, filled: Decimal) -> None:
    trade = world.records.get(trade_id)
    plan = trade.plan if trade else None
    assert trade is not None, f"7: an entry of unknown trade {trade_id}"
    assert plan is not None, f"7: an entry of {trade_id}, which has no plan"
    assert filled <= plan.quantity, f"1: {trade_id} was filled {filled} of {plan.quantity}"
    approval = trade.approval
    assert approval is not None, f"6: {trade_id} was entered without an approval"
    assert trade_id not in world.priceless, f"6: {trade_id} was entered without a fresh price"
    if world.desk.bots[BOT].approval_mode.value == "approve":
        yes = world.tapped.get(trade_id) in (CardVerb.APPROVE, CardVerb.HALF)
        in_time = approval.answered_ms < world.cards.get(trade_id, 0)
        assert yes, f"6: {trade_id} was entered on {approval}"
        assert in_time, f"6: {trade_id} was entered on a stale {approval}"


def _check_tightened(world: World) -> None:
    """11: of one trade's stops at the exchange, none is looser than one that was sent before it."""
    stops: dict[str, list[tuple[int, Decimal]]] = {}
    for symbol in SYMBOLS if world.exchange_moved else ():
        for order in world.exchange.conditionals(symbol):
            name = read_order_id(ACCOUNT, order.client_id)
            # A default after a lost record does not know those before it.
            planned = name is not None and name.attempt < FORGOTTEN_ATTEMPTS
            if name is not None and name.role is Role.STOP and planned:
                level = order.trigger_price * (1 if order.side is Side.SELL else -1)
                stops.setdefault(name.trade_id, []).append((name.attempt, level))
    for trade_id, sent in stops.items():
        levels = [level for _, level in sorted(sent)]
        assert levels == sorted(levels), f"11: a stop of {trade_id} was loosened: {levels}"


def _check_bare(world: World, waiting: list[ConditionalView]) -> None:
    """2: what is held has a live stop, or is being protected or closed, for a bounded time."""
    quantities = {symbol: abs(world.quantity(symbol)) for symbol in SYMBOLS}
    positions = {s for s, size in quantities.items() if size and s not in world.not_ours}
    for symbol in positions:
        stops = [
            order
            for order in waiting
            if order.symbol == symbol
            and (name := read_order_id(ACCOUNT, order.client_id))
            and name.role is Role.STOP
        ]
        closed = sum((order.quantity for order in stops), ZERO)
        held_quantity = quantities[symbol]
        if any(order.close_position for order in stops) or closed >= held_quantity:
            world.bare_since_ms.pop(symbol, None)
            continue
        since_ms = world.bare_since_ms.setdefault(symbol, world.now_ms)
        bare_ms = world.now_ms - max(since_ms, world.down_ms)
        bare_ms_max = BARE_FAIR_MS_MAX if world.fair else BARE_MS_MAX
        assert bare_ms <= bare_ms_max, f"2: {symbol} was bare for {bare_ms} ms"
    for symbol in tuple(world.bare_since_ms):
        if symbol not in positions:
            del world.bare_since_ms[symbol]
    for trade in world.desk.trades.values():
        if trade.phase is Phase.POSITION_ACTIVE:
            stop = trade.standing(Role.STOP)
            live = stop is not None and stop.state is OrderState.LIVE
            assert live, f"2: {trade.trade_id} is active without a stop"
            assert stop is not None
            whole = stop.close_position or stop.quantity >= held(trade)
            assert whole, f"2: {stop.order_id} is trusted, and closes only {stop.quantity}"
            unheard = isinstance(world.exchange.conditional(stop.order_id), Refusal)
            assert not unheard, f"2: {stop.order_id} is trusted, and never was at the exchange"
        elif trade.phase is Phase.HALTED:
            assert world.meddled, f"2: {trade.trade_id} is halted, and nobody meddled"
        elif booked(trade) > ZERO:
            looked_after = trade.phase in HOLDING
            assert looked_after, f"2: {trade.trade_id} holds and is {trade.phase.value}"


def _check_calm(world: World) -> None:
    """Liveness: the world is well again, so nothing waits for luck and nothing stays bare."""
    for trade in world.desk.working():
        pending = trade.phase is Phase.ORDER_PENDING
        assert not pending, f"3: {trade.trade_id} still does not know its entry"
        since_ms = trade.unprotected_since_ms
        bare_ms = 0 if since_ms is None else world.now_ms - since_ms
        assert bare_ms <= BARE_CALM_MS_MAX, f"2: {trade.trade_id} is bare for {bare_ms} ms"
        heard = world.now_ms - world.moved_ms > HEARD_MS
        if trade.phase is Phase.POSITION_ACTIVE and heard and not world.meddled:
            real = abs(world.quantity(trade.symbol))
            assert held(trade) == real, f"3: {trade.trade_id} holds {real}, not {held(trade)}"
    for symbol, since_ms in world.bare_since_ms.items():
        closing = any(t.symbol == symbol and t.phase is Phase.CLOSING for t in world.desk.working())
        bare_ms = world.now_ms - since_ms
        assert closing or bare_ms <= BARE_CALM_MS_MAX, f"2: {symbol} is bare for {bare_ms} ms"
